/*
 * The Badger reader among its own files (docs/reference/storage.md "Older databases").
 *
 *   badger.c           the directory: lock, versions, opening everything
 *   badger_manifest.c  which tables are alive, and on which level
 *   badger_table.c     one sorted table: blocks, entries, seeking
 *   badger_log.c       value logs: entries, and what a crash did to the end
 *   badger_replay.c    what stands in the logs but in no table yet
 *   badger_view.c      all of it merged: the newest version of each key, values found
 *
 * A key of Badger ("user key") is LE16 length, table, LE16 length, key.  Inside it carries a
 * version, newest first.
 */
#pragma once

#include "store/badger.h"
#include "store/legacy_file.h"

enum entry_meta {
    META_DELETED = 0x01,
    META_POINTER = 0x02,
    META_TXN = 0x40,
    META_TXN_END = 0x80,
};

struct log_place {
    uint32_t fid, len;
    uint32_t offset;
};

struct entry {
    struct slice key; /* user key */
    uint64_t version;
    uint8_t meta;
    uint64_t expires;       /* Unix seconds; 0: never */
    struct slice value;     /* unless META_POINTER */
    struct log_place where; /* META_POINTER */
};
/* By key, then the newest version first. */
int entry_cmp(const struct entry *a, const struct entry *b);
/* An internal key: user key and eight bytes of version. */
bool internal_key(struct slice bytes, struct slice *key, uint64_t *version) CHECKED;
bool is_internal(struct slice key); /* "!badger!…": no data */
/* LEB128 of at most ten bytes at *at of s. */
bool uvarint_read(struct slice s, size_t *at, uint64_t *value) CHECKED;

/* A sorted stream of entries.  `at` is valid until the next call for this source. */
struct source {
    bool (*seek)(struct source *, struct slice key, struct err *); /* first with a key >= key */
    bool (*next)(struct source *, struct err *);
    void (*close)(struct source *);
    bool valid;
    struct entry at;
};

/* --- Manifest ------------------------------------------------------------------------------ */

struct live_table {
    uint64_t id;
    uint32_t level, compression;
    bool encrypted;
    bool summed; /* v1: sum is SHA-256 of the file */
    uint8_t sum[32];
};
struct manifest {
    int version; /* 1, 2: of Badger */
    struct live_table *v;
    size_t n, cap;
};
bool manifest_read(struct manifest *m, const struct legacy_place *p, const char *path,
                   struct err *e) CHECKED;
/* The parser alone; path is for messages. */
bool manifest_parse(struct manifest *m, const struct legacy_place *p, const char *path,
                    struct slice text, struct err *e) CHECKED;
void manifest_free(struct manifest *m);

/* --- Protobuf, as far as it is needed -------------------------------------------------------- */

struct field {
    uint32_t number;
    uint64_t value;     /* varint */
    struct slice bytes; /* length-delimited; p == NULL: a varint */
};
/* False: no more (*ok stays true) or malformed (*ok false). */
bool proto_next(struct slice *rest, struct field *f, bool *ok);

/* --- Tables -------------------------------------------------------------------------------- */

#define BLOCK_MAX (64u << 20)
struct source *table_open(int version, const struct live_table *t, const char *path,
                          struct err *e) CHECKED;

/* --- Logs ---------------------------------------------------------------------------------- */

#define LOG_HEAD_V2 20
struct log_file {
    uint32_t fid;
    struct legacy_file file;
};
struct logs {
    const struct legacy_place *place;
    int version;
    struct arena *arena;
    struct log_file *v; /* by fid */
    size_t n;
    struct room window;
    size_t window_at; /* which file: index */
    uint64_t window_from;
    size_t window_n;
};
bool logs_open(struct logs *l, const struct legacy_place *p, int version, const char *dir,
               struct arena *a, struct err *e) CHECKED;
void logs_close(struct logs *l);
const struct log_file *logs_find(const struct logs *l, uint32_t fid);

struct log_entry {
    struct slice key; /* internal */
    struct slice value;
    uint64_t expires;
    uint8_t meta;
    size_t total; /* bytes in the file */
};
enum log_step {
    LOG_ENTRY,
    LOG_END,  /* exactly the end of the file */
    LOG_CUT,  /* it would reach beyond the end; total: how many bytes at least */
    LOG_BAD,  /* not an entry; total: where it would end, if that makes sense, else 0 */
    LOG_ERROR /* cannot be read: *e */
};
/* Valid until the next call. */
enum log_step log_entry_at(struct logs *l, size_t file, uint64_t at, struct log_entry *out,
                           struct err *e) CHECKED;
/* The entry that a pointer means, checked: it is there, whole, and of this key.
 * *missing: the file is not there (no error). */
bool log_resolve(struct logs *l, struct log_place where, struct slice key, uint64_t version,
                 struct log_entry *out, bool *missing, struct err *e) CHECKED;
/* Why the log ends at `at` although the file goes on: *harmless with what it is, or damage. */
bool log_tail(struct logs *l, size_t file, uint64_t at, enum log_step step, size_t total,
              const char **what, struct err *e) CHECKED;

/* --- Replay -------------------------------------------------------------------------------- */

/* Everything from head on, as a source of its own.  head NULL: from the beginning. */
struct source *replay(struct logs *l, const struct log_place *head, struct err *e) CHECKED;

/* --- The view ------------------------------------------------------------------------------ */

struct badger {
    struct legacy_place place;
    struct arena *arena;
    int dir_fd, value_fd;
    struct manifest manifest;
    struct logs logs;
    struct source **sources; /* in the order of priority */
    size_t n_sources;

    /* The view's own. */
    struct room key, value, moved;
};
