/*
 * A Badger directory: locked, recognised by what is in it and not by what the configuration calls
 * it, and opened whole: manifest, tables, value logs, replay.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "store/badger_part.h"

/* --- Names of files ------------------------------------------------------------------------ */

static bool numbered(const char *name, const char *suffix, uint64_t *n)
{
    struct slice s = slice_text(name);

    return slice_ends(s, suffix) && slice_to_u64(slice_sub(s, 0, s.n - strlen(suffix)), n);
}

bool badger_exists(const char *dir)
{
    DIR *d = opendir(dir);
    bool found = false;
    uint64_t n;

    for (struct dirent *f; d && !found && (f = readdir(d));)
        found = strcmp(f->d_name, "MANIFEST") == 0 || numbered(f->d_name, ".sst", &n) ||
                numbered(f->d_name, ".vlog", &n);
    if (d)
        closedir(d);
    return found;
}

/* Of versions that write a manifest of their own number, and of nobody else. */
static bool newer_files(const char *dir)
{
    DIR *d = opendir(dir);
    bool found = false;
    uint64_t n;

    for (struct dirent *f; d && !found && (f = readdir(d));)
        found = strcmp(f->d_name, "DISCARD") == 0 || numbered(f->d_name, ".mem", &n);
    if (d)
        closedir(d);
    return found;
}

/* --- Locks --------------------------------------------------------------------------------- */

static bool lock_dir(const char *dir, int *fd, struct err *e)
{
    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return err_errno(e, errno, "open directory", dir);
    return legacy_lock(*fd, dir, e);
}

static bool same_dir(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Two descriptors of one directory share nothing, and so could stand in each other's way only if
 * one of them were exclusive. */
static bool lock_both(struct badger *b, struct err *e)
{
    if (!lock_dir(b->place.path, &b->dir_fd, e))
        return false;
    if (!b->place.value_dir)
        return true;
    b->value_fd = open(b->place.value_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->value_fd < 0)
        return err_errno(e, errno, "open directory", b->place.value_dir);
    return same_dir(b->dir_fd, b->value_fd) || legacy_lock(b->value_fd, b->place.value_dir, e);
}

/* --- Encryption ---------------------------------------------------------------------------- */

static bool encrypted(const char *path, struct err *e)
{
    return err_set(e, ERR_MALFORMED, "%s: an encrypted Badger store, which is not supported", path);
}

/* Sixteen bytes of start value and twelve of known text; then the data keys, if there are any. */
static bool check_registry(struct badger *b, struct err *e)
{
    const char *path = path_join(b->arena, b->place.path, "KEYREGISTRY");
    struct slice text;

    if (b->manifest.version == 1 || !file_exists(path))
        return true;
    if (!file_read(b->arena, path, false, FILE_MAX_USUAL, &text, e))
        return false;
    return (text.n == 28 && memcmp(text.p + 16, "Hello Badger", 12) == 0) || encrypted(path, e);
}

static bool check_tables(const struct badger *b, struct err *e)
{
    for (size_t i = 0; i < b->manifest.n; i++) {
        if (b->manifest.v[i].encrypted)
            return encrypted(b->place.path, e);
    }
    return true;
}

/* --- Opening ------------------------------------------------------------------------------- */

/* Newest first on level 0; then level by level. */
static int by_priority(const void *a, const void *b)
{
    const struct live_table *x = a, *y = b;

    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    return x->id > y->id ? -1 : x->id < y->id;
}

static bool open_manifest(struct badger *b, struct err *e)
{
    const char *path = path_join(b->arena, b->place.path, "MANIFEST");

    if (!file_exists(path))
        return err_set(e, badger_exists(b->place.path) ? ERR_MALFORMED : ERR_NOT_FOUND, "%s: %s",
                       b->place.path,
                       badger_exists(b->place.path)
                           ? "damaged: MANIFEST is missing although there are tables or logs"
                           : "not a Badger directory: there is no MANIFEST");
    if (!manifest_read(&b->manifest, &b->place, path, e))
        return false;
    if (newer_files(b->place.path))
        return err_set(e, ERR_MALFORMED, "%s: files of Badger v3 or later, which is not supported",
                       b->place.path);
    return check_registry(b, e) && check_tables(b, e);
}

/* The first source is left free for the replay. */
static bool open_tables(struct badger *b, struct err *e)
{
    struct manifest *m = &b->manifest;

    if (m->n)
        qsort(m->v, m->n, sizeof(*m->v), by_priority);
    b->sources = xcalloc(m->n + 1, sizeof(struct source *));
    b->n_sources = 1;
    for (size_t i = 0; i < m->n; i++) {
        char name[40];
        snprintf(name, sizeof(name), "%06llu.sst", (unsigned long long)m->v[i].id);
        struct source *s =
            table_open(m->version, &m->v[i], path_join(b->arena, b->place.path, name), e);
        if (!s)
            return false;
        b->sources[b->n_sources++] = s;
    }
    return true;
}

/* Up to where the tables hold what the logs hold. */
static bool find_head(struct badger *b, struct log_place *head, bool *found, struct err *e)
{
    static const struct slice HEAD = {(const uint8_t *)"!badger!head", 12};
    uint64_t version = 0;

    *found = false;
    for (size_t i = 1; i < b->n_sources; i++) {
        struct source *s = b->sources[i];
        if (!s->seek(s, HEAD, e))
            return false;
        if (!s->valid || !slice_eq(s->at.key, HEAD) || (*found && s->at.version <= version))
            continue;
        if (s->at.value.n != 12)
            return legacy_damage(b->place.path, e, "the head of the value log is not readable");
        const uint8_t *p = s->at.value.p;
        *head = b->manifest.version == 1
                    ? (struct log_place){read_be32(p), read_be32(p + 4), read_be32(p + 8)}
                    : (struct log_place){read_le32(p), read_le32(p + 4), read_le32(p + 8)};
        version = s->at.version;
        *found = true;
    }
    return true;
}

static bool open_logs(struct badger *b, struct err *e)
{
    const char *dir = b->place.value_dir ? b->place.value_dir : b->place.path;
    struct log_place head;
    bool found;

    if (!logs_open(&b->logs, &b->place, b->manifest.version, dir, b->arena, e) ||
        !find_head(b, &head, &found, e))
        return false;
    if (b->logs.n == 0 && b->manifest.n > 0)
        return err_set(e, ERR_MALFORMED,
                       "%s: damaged: there is no value log; if it lies elsewhere, name that "
                       "directory (valueDir, --value-dir)",
                       dir);
    b->sources[0] = replay(&b->logs, found ? &head : NULL, e);
    return b->sources[0] != NULL;
}

struct badger *badger_open(const struct legacy_place *p, struct err *e)
{
    struct badger *b = xcalloc(1, sizeof(*b));

    b->place = *p;
    b->dir_fd = b->value_fd = -1;
    b->arena = arena_new(&HEAP_USUAL);
    if (lock_both(b, e) && open_manifest(b, e) && open_tables(b, e) && open_logs(b, e))
        return b;
    badger_close(b);
    return NULL;
}

void badger_close(struct badger *b)
{
    for (size_t i = 0; i < b->n_sources; i++) {
        if (b->sources[i])
            b->sources[i]->close(b->sources[i]);
    }
    free(b->sources);
    logs_close(&b->logs);
    manifest_free(&b->manifest);
    room_free(&b->key);
    room_free(&b->value);
    room_free(&b->moved);
    if (b->dir_fd >= 0)
        close(b->dir_fd);
    if (b->value_fd >= 0)
        close(b->value_fd);
    arena_free(b->arena);
    free(b);
}

const char *badger_format(const struct badger *b)
{
    return b->manifest.version == 1 ? "badgerv1" : "badgerv2";
}

/* --- State --------------------------------------------------------------------------------- */

struct seen {
    char name[64];
    uint64_t size;
};

static int seen_cmp(const void *a, const void *b)
{
    return strcmp(((const struct seen *)a)->name, ((const struct seen *)b)->name);
}

static bool list_dir(const char *dir, const char *suffix, struct buf *out, struct err *e)
{
    struct seen *v = NULL;
    size_t n = 0;
    uint64_t id;
    DIR *d = opendir(dir);

    if (!d)
        return err_errno(e, errno, "open directory", dir);
    for (struct dirent *f; (f = readdir(d));) {
        struct stat st;
        if (!numbered(f->d_name, suffix, &id) || strlen(f->d_name) >= sizeof(v->name) ||
            fstatat(dirfd(d), f->d_name, &st, 0) != 0)
            continue;
        v = xrealloc(v, (n + 1) * sizeof(*v));
        snprintf(v[n].name, sizeof(v[n].name), "%s", f->d_name);
        v[n++].size = (uint64_t)st.st_size;
    }
    closedir(d);
    if (n)
        qsort(v, n, sizeof(*v), seen_cmp);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s %llu\n", v[i].name, (unsigned long long)v[i].size);
    free(v);
    return true;
}

bool badger_state(const struct legacy_place *p, struct arena *a, struct slice *state, struct err *e)
{
    struct buf out = buf_new(a, 1u << 30);
    struct slice manifest;
    int fd;

    if (!lock_dir(p->path, &fd, e)) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool ok = file_read(a, path_join(a, p->path, "MANIFEST"), false, 256u << 20, &manifest, e) &&
              list_dir(p->path, ".sst", &out, e) &&
              list_dir(p->value_dir ? p->value_dir : p->path, ".vlog", &out, e);
    close(fd);
    if (!ok)
        return false;
    buf_put(&out, manifest);
    *state = buf_slice(&out);
    return buf_done(&out, "state of the directory", e);
}
