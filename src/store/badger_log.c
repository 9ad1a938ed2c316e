/*
 * Value logs: every write of Badger stands here first.  An entry has a header, an internal key, a
 * value and a CRC-32C over all of it.
 *
 * The end of the newest log is where a crash shows: an entry that was cut off, or zero bytes that
 * the file system put in place of what was not written yet.  That is told apart from damage in the
 * middle, which would lose what was committed: behind the end of a crash there is no further entry.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "store/badger_part.h"
#include "store/checksum.h"

#define HEADER_V1     18
#define HEADER_V2_MAX 32
#define KEY_MAX       65536
#define WINDOW        (256u << 10)
#define SEARCH_MAX    (UINT64_C(4) << 30) /* bytes that may be summed in search of an entry */

/* --- The files ----------------------------------------------------------------------------- */

static int by_fid(const void *a, const void *b)
{
    const struct log_file *x = a, *y = b;

    return x->fid < y->fid ? -1 : x->fid > y->fid;
}

static bool log_name(const char *name, uint32_t *fid)
{
    struct slice s = slice_text(name);
    uint64_t n;

    if (!slice_ends(s, ".vlog") || !slice_to_u64(slice_sub(s, 0, s.n - 5), &n) || n > UINT32_MAX)
        return false;
    *fid = (uint32_t)n;
    return true;
}

/* "\0" (data key 0) and a start value; another data key: encrypted. */
static bool check_head(struct logs *l, const struct log_file *f, struct err *e)
{
    uint8_t head[LOG_HEAD_V2];

    if (l->version == 1 || f->file.size < LOG_HEAD_V2)
        return true;
    if (!legacy_file_read(&f->file, 0, head, sizeof(head), e))
        return false;
    if (read_be64(head) == 0)
        return true;
    return err_set(e, ERR_MALFORMED, "%s: an encrypted Badger store, which is not supported",
                   f->file.path);
}

static bool open_all(struct logs *l, const char *dir, DIR *d, struct err *e)
{
    size_t cap = 0;

    for (struct dirent *entry; (entry = readdir(d));) {
        uint32_t fid;
        if (!log_name(entry->d_name, &fid))
            continue;
        if (l->n == cap) {
            cap = cap ? cap * 2 : 16;
            l->v = xrealloc(l->v, cap * sizeof(*l->v));
        }
        l->v[l->n] = (struct log_file){fid, LEGACY_FILE_NONE};
        struct log_file *f = &l->v[l->n++];
        if (!legacy_file_open(&f->file, path_join(l->arena, dir, entry->d_name), e) ||
            !check_head(l, f, e))
            return false;
    }
    if (l->n)
        qsort(l->v, l->n, sizeof(*l->v), by_fid);
    for (size_t i = 1; i < l->n; i++) {
        if (l->v[i].fid == l->v[i - 1].fid)
            return legacy_damage(l->v[i].file.path, e, "value log %u is there twice", l->v[i].fid);
    }
    return true;
}

bool logs_open(struct logs *l, const struct legacy_place *p, int version, const char *dir,
               struct arena *a, struct err *e)
{
    DIR *d = opendir(dir);

    *l = (struct logs){.place = p, .version = version, .arena = a, .window_at = SIZE_MAX};
    if (!d)
        return err_errno(e, errno, "open directory", dir);
    bool ok = open_all(l, dir, d, e);
    closedir(d);
    return ok;
}

void logs_close(struct logs *l)
{
    for (size_t i = 0; i < l->n; i++)
        legacy_file_close(&l->v[i].file);
    free(l->v);
    room_free(&l->window);
    *l = (struct logs){0};
}

const struct log_file *logs_find(const struct logs *l, uint32_t fid)
{
    struct log_file wanted = {.fid = fid};

    return l->n ? bsearch(&wanted, l->v, l->n, sizeof(*l->v), by_fid) : NULL;
}

/* --- Entries ------------------------------------------------------------------------------- */

/* Up to n bytes at `at` (fewer at the end of the file), through a window that moves forward. */
static bool peek(struct logs *l, size_t file, uint64_t at, size_t n, struct slice *out,
                 struct err *e)
{
    const struct legacy_file *f = &l->v[file].file;
    uint64_t left = at < f->size ? f->size - at : 0;

    if (n > left)
        n = (size_t)left;
    bool inside =
        l->window_at == file && at >= l->window_from && at - l->window_from + n <= l->window_n;
    if (!inside) {
        size_t want = n > WINDOW ? n : left > WINDOW ? WINDOW : (size_t)left;
        l->window_at = SIZE_MAX;
        if (!legacy_file_read(f, at, room_for(&l->window, want), want, e))
            return false;
        l->window_at = file;
        l->window_from = at;
        l->window_n = want;
    }
    *out = slice_of(l->window.p + (at - l->window_from), n);
    return true;
}

struct head {
    size_t n; /* bytes of the header itself */
    uint64_t klen, vlen, expires;
    uint8_t meta;
};

/* LOG_CUT: more bytes are needed. */
static enum log_step read_head(int version, struct slice s, struct head *h)
{
    if (version == 1) {
        if (s.n < HEADER_V1)
            return LOG_CUT;
        *h = (struct head){HEADER_V1, read_be32(s.p), read_be32(s.p + 4), read_be64(s.p + 8),
                           s.p[16]};
        return LOG_ENTRY;
    }
    size_t at = 2;
    if (s.n < 2)
        return LOG_CUT;
    h->meta = s.p[0];
    if (!uvarint_read(s, &at, &h->klen) || !uvarint_read(s, &at, &h->vlen) ||
        !uvarint_read(s, &at, &h->expires))
        return s.n < HEADER_V2_MAX && s.n - at == 0 ? LOG_CUT : LOG_BAD;
    h->n = at;
    return LOG_ENTRY;
}

static enum log_step parse(struct logs *l, size_t file, uint64_t at, struct log_entry *out,
                           struct err *e)
{
    uint64_t left = l->v[file].file.size - at;
    struct head h;
    struct slice s;

    *out = (struct log_entry){0};
    if (!peek(l, file, at, HEADER_V2_MAX, &s, e))
        return LOG_ERROR;
    enum log_step step = read_head(l->version, s, &h);
    if (step != LOG_ENTRY)
        return step;
    if (h.klen < 8 || h.klen > KEY_MAX || h.vlen > UINT32_MAX)
        return LOG_BAD;
    uint64_t total = h.n + h.klen + h.vlen + 4;
    out->total = (size_t)total;
    if (total > left)
        return LOG_CUT;
    if (!peek(l, file, at, (size_t)total, &s, e))
        return LOG_ERROR;
    if (crc32c(0, slice_sub(s, 0, s.n - 4)) != read_be32(s.p + s.n - 4))
        return LOG_BAD;
    out->meta = h.meta;
    out->expires = h.expires;
    out->key = slice_sub(s, h.n, (size_t)h.klen);
    out->value = slice_sub(s, h.n + (size_t)h.klen, (size_t)h.vlen);
    return LOG_ENTRY;
}

enum log_step log_entry_at(struct logs *l, size_t file, uint64_t at, struct log_entry *out,
                           struct err *e)
{
    if (at >= l->v[file].file.size) {
        *out = (struct log_entry){0};
        return LOG_END;
    }
    return parse(l, file, at, out, e);
}

/* --- Pointers ------------------------------------------------------------------------------ */

/* The key itself, or as the garbage collection of Badger writes it anew. */
static bool key_fits(struct slice internal, struct slice key, uint64_t version)
{
    static const struct slice MOVED = {(const uint8_t *)"!badger!move", 12};
    struct slice found;
    uint64_t found_version;

    if (!internal_key(internal, &found, &found_version) || found_version != version)
        return false;
    if (slice_eq(found, key))
        return true;
    return slice_starts(found, "!badger!move") && slice_eq(slice_from(found, MOVED.n), key);
}

bool log_resolve(struct logs *l, struct log_place where, struct slice key, uint64_t version,
                 struct log_entry *out, bool *missing, struct err *e)
{
    const struct log_file *f = logs_find(l, where.fid);

    *missing = f == NULL;
    if (!f)
        return true;
    enum log_step step = log_entry_at(l, (size_t)(f - l->v), where.offset, out, e);
    if (step == LOG_ERROR)
        return false;
    if (step != LOG_ENTRY || out->total != where.len)
        return legacy_damage(f->file.path, e,
                             "the entry at %u, which a key points to, is not whole", where.offset);
    if (!key_fits(out->key, key, version))
        return legacy_damage(f->file.path, e, "the entry at %u belongs to another key",
                             where.offset);
    return true;
}

/* --- The end of a log ---------------------------------------------------------------------- */

/* Behind the last byte that is not zero; `at` when there is none. */
static bool end_of_data(struct logs *l, size_t file, uint64_t at, uint64_t *end, struct err *e)
{
    uint64_t to = l->v[file].file.size;
    struct slice s;

    while (to > at) {
        uint64_t from = to - at > WINDOW ? to - WINDOW : at;
        if (!peek(l, file, from, (size_t)(to - from), &s, e))
            return false;
        for (size_t n = (size_t)(to - from); n > 0; n--) {
            if (s.p[n - 1]) {
                *end = from + n;
                return true;
            }
        }
        to = from;
    }
    *end = at;
    return true;
}

/* A key as the reference writes it, or one of Badger's own. */
static bool plausible_key(struct slice internal)
{
    struct slice key;
    uint64_t version;

    if (!internal_key(internal, &key, &version))
        return false;
    if (is_internal(key))
        return true;
    if (key.n < 2)
        return false;
    size_t table = read_le16(key.p);
    if (table + 2 == key.n)
        return true;
    return table + 4 <= key.n && table + 4 + (size_t)read_le16(key.p + 2 + table) == key.n;
}

static bool plausible(struct logs *l, size_t file, uint64_t at, uint64_t *total, struct err *e,
                      bool *failed)
{
    struct head h;
    struct slice s;

    *failed = !peek(l, file, at, HEADER_V2_MAX, &s, e);
    if (*failed || read_head(l->version, s, &h) != LOG_ENTRY || h.klen < 8 || h.klen > KEY_MAX ||
        h.vlen > UINT32_MAX)
        return false;
    *total = h.n + h.klen + h.vlen + 4;
    if (*total > l->v[file].file.size - at)
        return false;
    *failed = !peek(l, file, at, h.n + (size_t)h.klen, &s, e);
    return !*failed && plausible_key(slice_from(s, h.n));
}

/* Does an entry begin anywhere in (at, end)? */
static bool entry_behind(struct logs *l, size_t file, uint64_t at, uint64_t end, bool *found,
                         struct err *e)
{
    uint64_t budget = SEARCH_MAX, total;
    struct log_entry entry;
    bool failed;

    *found = false;
    for (uint64_t from = at + 1; from < end; from++) {
        if (!plausible(l, file, from, &total, e, &failed)) {
            if (failed)
                return false;
            continue;
        }
        enum log_step step = parse(l, file, from, &entry, e);
        if (step == LOG_ERROR)
            return false;
        *found = step == LOG_ENTRY || total > budget; /* who cannot tell says the worse */
        if (*found)
            return true;
        budget -= total;
    }
    return true;
}

bool log_tail(struct logs *l, size_t file, uint64_t at, enum log_step step, size_t total,
              const char **what, struct err *e)
{
    const struct legacy_file *f = &l->v[file].file;
    bool newest = file + 1 == l->n, behind;
    uint64_t end;

    if (!end_of_data(l, file, at, &end, e))
        return false;
    *what = "zero bytes at the end";
    if (end == at)
        return true;
    if (!entry_behind(l, file, at, end, &behind, e))
        return false;
    if (behind)
        return legacy_damage(f->path, e, "the entry at %llu is damaged, and others follow it",
                             (unsigned long long)at);
    *what = "an incomplete last transaction";
    bool zeros = end < f->size && (end - at < HEADER_V2_MAX || (total && at + total > end));
    if (newest && (step == LOG_CUT || zeros))
        return true;
    return legacy_damage(f->path, e, "the entry at %llu is damaged", (unsigned long long)at);
}
