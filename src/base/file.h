/* Files: bounded reading, safe writing. */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define FILE_MAX_USUAL (16u << 20) /* 16 MiB */

/* Whole file, or a FIFO or /dev/fd/N (read sequentially, no stat, no seek).  path "-" is standard
 * input when `dash` is set.  Errors: "open PATH failed: no such file or directory". */
bool file_read(struct arena *a, const char *path, bool dash, size_t max, struct slice *content,
               struct err *e) CHECKED;
bool file_exists(const char *path);
bool file_is_dir(const char *path);
bool file_is_regular(const char *path);

enum file_write_flags {
    FILE_EXCLUSIVE = 1, /* fail with ERR_EXISTS when the target exists */
    FILE_KEEP_MODE = 2, /* an existing target keeps its mode (and owner where permitted) */
};
/* Through a temporary file in the same directory, fsync and rename, when the target is absent or
 * a regular file; a device or FIFO is written in place, and so is a file that cannot be replaced
 * (mounted, or in a directory that is not ours) but written to.  The mode holds from the first
 * byte.  Symbolic links are followed, see file_behind_links; a link to nothing is no target yet. */
bool file_write(const char *path, struct slice content, mode_t mode, unsigned flags,
                struct err *e) CHECKED;
/* Where the content of path is or will be: symbolic links followed, except those of /proc, which
 * stay in the result.  A link in a directory that everybody may write to (/tmp) is followed only
 * if it belongs to this user or to the directory's owner; else ERR_FORBIDDEN. */
bool file_behind_links(struct arena *a, const char *path, char **real, struct err *e) CHECKED;
/* For a file that cannot be replaced: writes where it is, fsync.  It keeps of its mode what `most`
 * has too. */
bool file_overwrite(const char *path, struct slice content, mode_t most, struct err *e) CHECKED;
bool file_is_pinned(int why);          /* rename(2) failed with why: a mounted file */
bool file_has_no_room_beside(int why); /* open(2) of a new file: the directory is not ours */
/* mkdir -p; existing directories keep their mode. */
bool dir_make(const char *path, mode_t mode, struct err *e) CHECKED;

/* Lexically cleaned: no "//", "/./", "x/..", no trailing '/'.  "" becomes ".". */
char *path_clean(struct arena *a, const char *path);
char *path_join(struct arena *a, const char *dir, const char *name);
char *path_dir(struct arena *a, const char *path); /* "a/b" -> "a", "a" -> "." */
const char *path_base(const char *path);           /* "a/b" -> "b" */
/* Against the current directory when relative; cleaned. */
bool path_absolute(struct arena *a, const char *path, char **out, struct err *e) CHECKED;
