/*
 * The merged view: of each key the newest version from all tables and the replay, unless it was
 * deleted or has expired, with its value found.
 *
 * Badger sorts by the length of a key before its bytes, visitors want bytes alone.  So the rows of
 * one table are read as one run for each length of key, each run sorted; a run holds some rows,
 * and the smallest of all runs goes next.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "store/badger_part.h"

#define RUN_ROWS  128
#define RUN_BYTES (64u << 10)

/* --- Keys of the reference ----------------------------------------------------------------- */

static bool split_key(struct slice user, struct slice *table, struct slice *key)
{
    *key = SLICE_NONE;
    if (user.n < 2)
        return false;
    size_t n = read_le16(user.p);
    if (n > user.n - 2)
        return false;
    *table = slice_sub(user, 2, n);
    struct slice rest = slice_from(user, 2 + n);
    if (rest.n == 0)
        return true;
    if (rest.n < 2 || (size_t)read_le16(rest.p) != rest.n - 2)
        return false;
    *key = slice_from(rest, 2);
    return true;
}

/* The smallest key behind everything that begins with prefix; false: there is none. */
static bool key_behind(struct buf *prefix)
{
    while (prefix->n > 0) {
        if (prefix->p[prefix->n - 1] != 0xff) {
            prefix->p[prefix->n - 1]++;
            return true;
        }
        prefix->n--;
    }
    return false;
}

/* --- Merging ------------------------------------------------------------------------------- */

static bool view_seek(struct badger *b, struct slice key, struct err *e)
{
    for (size_t i = 0; i < b->n_sources; i++) {
        if (!b->sources[i]->seek(b->sources[i], key, e))
            return false;
    }
    return true;
}

/* Sources stand in the order of priority, so the first of equal ones wins. */
static struct source *newest(const struct badger *b)
{
    struct source *best = NULL;

    for (size_t i = 0; i < b->n_sources; i++) {
        struct source *s = b->sources[i];
        if (s->valid && (!best || entry_cmp(&s->at, &best->at) < 0))
            best = s;
    }
    return best;
}

static bool skip_key(struct badger *b, struct slice key, struct err *e)
{
    for (size_t i = 0; i < b->n_sources; i++) {
        struct source *s = b->sources[i];
        while (s->valid && slice_eq(s->at.key, key)) {
            if (!s->next(s, e))
                return false;
        }
    }
    return true;
}

static bool alive(const struct badger *b, const struct entry *at)
{
    bool expired = at->expires != 0 && b->place.now > 0 && at->expires <= (uint64_t)b->place.now;

    return !(at->meta & META_DELETED) && !expired;
}

/* Key and inline value become the view's own: the source moves on. */
static void keep(struct badger *b, const struct entry *from, struct entry *to)
{
    *to = *from;
    to->key = slice_of(room_for(&b->key, from->key.n), from->key.n);
    memcpy(b->key.p, from->key.p, from->key.n);
    if (from->meta & META_POINTER)
        return;
    uint8_t *value = room_for(&b->value, from->value.n);
    if (from->value.n)
        memcpy(value, from->value.p, from->value.n);
    to->value = slice_of(value, from->value.n);
}

/* The next key that lives.  *more false: there is none. */
static bool view_next(struct badger *b, struct entry *out, bool *more, struct err *e)
{
    for (struct source *s; (s = newest(b));) {
        if (is_internal(s->at.key)) {
            if (!view_seek(b, SLICE("!badger\""), e))
                return false;
            continue;
        }
        keep(b, &s->at, out);
        if (!skip_key(b, out->key, e))
            return false;
        if (alive(b, out)) {
            *more = true;
            return true;
        }
    }
    *more = false;
    return true;
}

/* Of exactly this version; *found.key.p == NULL: none. */
static bool view_find(struct badger *b, struct slice key, uint64_t version, struct entry *found,
                      struct err *e)
{
    *found = (struct entry){0};
    for (size_t i = 0; i < b->n_sources; i++) {
        struct source *s = b->sources[i];
        if (!s->seek(s, key, e))
            return false;
        while (s->valid && slice_eq(s->at.key, key) && s->at.version > version) {
            if (!s->next(s, e))
                return false;
        }
        if (!s->valid || !slice_eq(s->at.key, key) || s->at.version != version)
            continue;
        *found = s->at;
        return true;
    }
    return true;
}

/* --- Values -------------------------------------------------------------------------------- */

static bool lost(const struct badger *b, struct slice key, struct log_place where, struct err *e)
{
    struct slice table = SLICE(""), row = SLICE("");

    if (!split_key(key, &table, &row))
        table = SLICE("?");
    return err_set(e, ERR_MALFORMED,
                   "%s: damaged: the value of \"%.*s\" in table %.*s is lost: value log %06u.vlog "
                   "is missing",
                   b->place.value_dir ? b->place.value_dir : b->place.path,
                   SLICE_ARG(slice_sub(row, 0, 100)), SLICE_ARG(slice_sub(table, 0, 100)),
                   where.fid);
}

/* The garbage collection of Badger writes a value anew under another key, and then removes the log
 * that the old place names. */
static bool moved_value(struct badger *b, const struct entry *at, struct slice *value,
                        struct err *e)
{
    CLEANUP(buf_free) struct buf name = buf_new(NULL, 128u << 10);
    struct log_entry found;
    struct entry moved;
    bool missing = true;

    buf_text(&name, "!badger!move");
    buf_put(&name, at->key);
    if (!buf_done(&name, "key", e) || !view_find(b, buf_slice(&name), at->version, &moved, e))
        return false;
    if (!moved.key.p || (moved.meta & META_DELETED))
        return lost(b, at->key, at->where, e);
    if (!(moved.meta & META_POINTER)) {
        uint8_t *p = room_for(&b->moved, moved.value.n);
        if (moved.value.n)
            memcpy(p, moved.value.p, moved.value.n);
        *value = slice_of(p, moved.value.n);
        return true;
    }
    if (!log_resolve(&b->logs, moved.where, at->key, at->version, &found, &missing, e))
        return false;
    if (missing)
        return lost(b, at->key, moved.where, e);
    *value = found.value;
    return true;
}

static bool value_of(struct badger *b, const struct entry *at, struct slice *value, struct err *e)
{
    struct log_entry found;
    bool missing;

    *value = at->value;
    if (!(at->meta & META_POINTER))
        return true;
    if (!log_resolve(&b->logs, at->where, at->key, at->version, &found, &missing, e))
        return false;
    if (missing)
        return moved_value(b, at, value, e);
    *value = found.value;
    return true;
}

/* --- Runs ---------------------------------------------------------------------------------- */

struct row {
    size_t key_at, value_at, value_n;
    uint64_t version;
    struct log_place where;
    bool pointer;
};

/* Rows of one table with keys of one length. */
struct run {
    struct buf prefix; /* LE16 table LE16 */
    size_t key_n;      /* whole user key */
    struct buf data;
    struct row rows[RUN_ROWS];
    size_t n, at;
    bool end;
};

static void run_add(struct run *r, const struct entry *at)
{
    struct row *row = &r->rows[r->n++];

    *row = (struct row){.key_at = r->data.n,
                        .version = at->version,
                        .where = at->where,
                        .pointer = (at->meta & META_POINTER) != 0};
    buf_put(&r->data, at->key);
    if (row->pointer)
        return;
    row->value_at = r->data.n;
    row->value_n = at->value.n;
    buf_put(&r->data, at->value);
}

/* Some more rows from where the last one was. */
static bool run_fill(struct badger *b, struct run *r, struct err *e)
{
    CLEANUP(buf_free) struct buf from = buf_new(NULL, 256u << 10);
    struct entry at;
    bool more;

    buf_put(&from, buf_slice(&r->prefix));
    if (r->n > 0) { /* keys of one length: this is the next one after the last */
        buf_reset(&from);
        buf_put(&from, slice_sub(buf_slice(&r->data), r->rows[r->n - 1].key_at, r->key_n));
        buf_byte(&from, 0);
    }
    r->n = r->at = 0;
    buf_reset(&r->data);
    if (!view_seek(b, buf_slice(&from), e))
        return false;
    while (r->n < RUN_ROWS && r->data.n < RUN_BYTES) {
        if (!view_next(b, &at, &more, e))
            return false;
        struct slice prefix = buf_slice(&r->prefix);
        if (!more || !slice_eq(slice_sub(at.key, 0, prefix.n), prefix)) {
            r->end = true;
            return true;
        }
        if (at.key.n != r->key_n)
            return legacy_damage(b->place.path, e, "a key is not of the form that step-ca writes");
        run_add(r, &at);
    }
    return buf_done(&r->data, "rows", e);
}

static struct slice run_key(const struct run *r)
{
    return slice_sub(buf_slice(&r->data), r->rows[r->at].key_at + r->prefix.n,
                     r->key_n - r->prefix.n);
}

static bool run_emit(struct badger *b, const struct run *r, struct slice table,
                     legacy_row_fn *visit, void *arg, struct err *e)
{
    const struct row *row = &r->rows[r->at];
    struct slice data = buf_slice(&r->data), value;
    struct entry at = {.key = slice_sub(data, row->key_at, r->key_n),
                       .version = row->version,
                       .meta = row->pointer ? META_POINTER : 0,
                       .value = slice_sub(data, row->value_at, row->value_n),
                       .where = row->where};

    return value_of(b, &at, &value, e) && visit(table, run_key(r), value, arg, e);
}

/* --- A table ------------------------------------------------------------------------------- */

struct runs {
    struct run **v; /* a heap: the smallest key first */
    size_t n, cap;
};

static void sift_down(struct runs *h, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && slice_cmp(run_key(h->v[child + 1]), run_key(h->v[child])) < 0)
            child++;
        if (slice_cmp(run_key(h->v[i]), run_key(h->v[child])) <= 0)
            return;
        struct run *swap = h->v[i];
        h->v[i] = h->v[child];
        h->v[child] = swap;
    }
}

static void run_free(struct run *r)
{
    buf_free(&r->prefix);
    buf_free(&r->data);
    free(r);
}

static struct run *run_new(struct runs *h, struct slice prefix, size_t key_n)
{
    struct run *r = xcalloc(1, sizeof(*r));

    r->prefix = buf_new(NULL, 128u << 10);
    r->data = buf_new(NULL, SIZE_MAX / 2);
    buf_put(&r->prefix, prefix);
    r->key_n = key_n;
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 64;
        h->v = xrealloc(h->v, h->cap * sizeof(struct run *));
    }
    h->v[h->n++] = r;
    return r;
}

/* One seek for each length that occurs. */
static bool find_runs(struct badger *b, struct slice table, struct runs *h, struct err *e)
{
    CLEANUP(buf_free) struct buf from = buf_new(NULL, 128u << 10);
    size_t prefix_n = table.n + 4;
    struct entry at;
    bool more;

    buf_byte(&from, (uint8_t)(table.n & 0xff));
    buf_byte(&from, (uint8_t)(table.n >> 8));
    buf_put(&from, table);
    buf_byte(&from, 0); /* behind the mark of the table itself */
    for (;;) {
        if (!view_seek(b, buf_slice(&from), e) || !view_next(b, &at, &more, e))
            return false;
        struct slice own = slice_sub(buf_slice(&from), 0, table.n + 2);
        if (!more || !slice_eq(slice_sub(at.key, 0, own.n), own))
            return true;
        struct slice name, key;
        if (!split_key(at.key, &name, &key))
            return legacy_damage(b->place.path, e, "a key is not of the form that step-ca writes");
        run_new(h, slice_sub(at.key, 0, prefix_n), at.key.n);
        buf_reset(&from);
        buf_put(&from, slice_sub(at.key, 0, prefix_n));
        if (!key_behind(&from) || from.n < own.n)
            return true;
    }
}

static bool merge_runs(struct badger *b, struct runs *h, struct slice table, legacy_row_fn *visit,
                       void *arg, struct err *e)
{
    for (size_t i = 0; i < h->n; i++) {
        if (!run_fill(b, h->v[i], e))
            return false;
        if (h->v[i]->n == 0)
            return legacy_damage(b->place.path, e, "a row vanished while it was read");
    }
    for (size_t i = h->n; i-- > 0;)
        sift_down(h, i);
    while (h->n > 0) {
        struct run *r = h->v[0];
        if (!run_emit(b, r, table, visit, arg, e))
            return false;
        if (++r->at == r->n && !r->end && !run_fill(b, r, e))
            return false;
        if (r->at == r->n) { /* used up: the last one takes its place */
            h->v[0] = h->v[--h->n];
            run_free(r);
        }
        sift_down(h, 0);
    }
    return true;
}

static bool visit_table(struct badger *b, struct slice table, legacy_row_fn *visit, void *arg,
                        struct err *e)
{
    struct runs h = {0};
    bool ok = visit(table, SLICE_NONE, SLICE_NONE, arg, e) && find_runs(b, table, &h, e) &&
              merge_runs(b, &h, table, visit, arg, e);

    for (size_t i = 0; i < h.n; i++)
        run_free(h.v[i]);
    free(h.v);
    return ok;
}

/* --- All tables ---------------------------------------------------------------------------- */

struct names {
    struct slice *v;
    size_t n, cap;
    struct arena *arena;
};

static int name_cmp(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static bool find_tables(struct badger *b, struct names *names, struct err *e)
{
    CLEANUP(buf_free) struct buf from = buf_new(NULL, 128u << 10);
    struct entry at;
    bool more;

    for (;;) {
        if (!view_seek(b, buf_slice(&from), e) || !view_next(b, &at, &more, e))
            return false;
        if (!more)
            return true;
        struct slice table, key;
        if (!split_key(at.key, &table, &key))
            return legacy_damage(b->place.path, e,
                                 "a key is not of the form that step-ca writes; is this a "
                                 "database of another program?");
        if (names->n == names->cap) {
            names->cap = names->cap ? names->cap * 2 : 64;
            names->v = xrealloc(names->v, names->cap * sizeof(*names->v));
        }
        names->v[names->n++] = arena_copy(names->arena, table);
        buf_reset(&from);
        buf_put(&from, slice_sub(at.key, 0, table.n + 2));
        if (!key_behind(&from))
            return true;
    }
}

bool badger_visit(struct badger *b, legacy_row_fn *visit, void *arg, struct err *e)
{
    struct names names = {.arena = arena_new(&HEAP_USUAL)};
    bool ok = find_tables(b, &names, e);

    if (ok && names.n)
        qsort(names.v, names.n, sizeof(*names.v), name_cmp);
    for (size_t i = 0; ok && i < names.n; i++)
        ok = visit_table(b, names.v[i], visit, arg, e);
    free(names.v);
    arena_free(names.arena);
    return ok;
}
