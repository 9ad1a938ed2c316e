/*
 * Replay: what the value logs hold from the head on is in no table yet.  Entries of a transaction
 * count only when its end marker follows.  Kept are keys and places, in memory: Badger itself had
 * them in memory when it ended; values stay in the logs.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "store/badger_part.h"

struct logged {
    size_t key_at;
    uint32_t key_n;
    uint8_t meta;
    uint64_t version, expires;
    struct log_place where;
    size_t order; /* a later one of the same version wins */
};

struct memtable {
    struct source base;
    struct buf keys;
    struct logged *v;
    size_t n, cap;
    size_t at;
};

#define KEYS_MAX ((size_t)1 << 40)

/* --- As a source --------------------------------------------------------------------------- */

static struct slice key_of(const struct memtable *m, const struct logged *l)
{
    return slice_sub(buf_slice(&m->keys), l->key_at, l->key_n);
}

static void show(struct memtable *m)
{
    const struct logged *l = &m->v[m->at];

    m->base.valid = m->at < m->n;
    if (!m->base.valid)
        return;
    m->base.at = (struct entry){.key = key_of(m, l),
                                .version = l->version,
                                .meta = l->meta,
                                .expires = l->expires,
                                .where = l->where};
}

static bool memtable_next(struct source *s, struct err *e UNUSED)
{
    struct memtable *m = (struct memtable *)s;

    m->at++;
    show(m);
    return true;
}

static bool memtable_seek(struct source *s, struct slice key, struct err *e UNUSED)
{
    struct memtable *m = (struct memtable *)s;
    size_t low = 0, high = m->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_cmp(key_of(m, &m->v[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    m->at = low;
    show(m);
    return true;
}

static void memtable_close(struct source *s)
{
    struct memtable *m = (struct memtable *)s;

    buf_free(&m->keys);
    free(m->v);
    free(m);
}

static int logged_cmp(const void *a, const void *b, void *arg)
{
    const struct logged *x = a, *y = b;
    const struct memtable *m = arg;
    int order = slice_cmp(key_of(m, x), key_of(m, y));

    if (order)
        return order;
    if (x->version != y->version)
        return x->version > y->version ? -1 : 1;
    return x->order > y->order ? -1 : x->order < y->order;
}

/* --- Reading the logs ---------------------------------------------------------------------- */

struct replay {
    struct logs *logs;
    struct memtable *m;
    size_t file;
    uint64_t at;      /* behind the last entry that counts */
    bool open;        /* a transaction */
    uint64_t version; /* of it */
    size_t committed_n, committed_keys;
    uint64_t committed_at;
};

static bool out_of_place(const struct replay *r, uint64_t at, struct err *e)
{
    return legacy_damage(r->logs->v[r->file].file.path, e,
                         "the entry at %llu does not belong to the transaction that it stands in",
                         (unsigned long long)at);
}

static bool add(struct replay *r, const struct log_entry *entry, uint64_t at, struct slice key,
                uint64_t version, struct err *e)
{
    struct memtable *m = r->m;

    if (at > UINT32_MAX || entry->total > UINT32_MAX)
        return legacy_damage(r->logs->v[r->file].file.path, e, "longer than 4 GiB");
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 256;
        m->v = xrealloc(m->v, m->cap * sizeof(*m->v));
    }
    bool deleted = (entry->meta & META_DELETED) != 0;
    m->v[m->n] = (struct logged){
        .key_at = m->keys.n,
        .key_n = (uint32_t)key.n,
        .meta = deleted ? META_DELETED : META_POINTER,
        .version = version,
        .expires = entry->expires,
        .where = {r->logs->v[r->file].fid, (uint32_t)entry->total, (uint32_t)at},
        .order = m->n,
    };
    m->n++;
    buf_put(&m->keys, key);
    return buf_done(&m->keys, "keys in value logs", e);
}

static void commit(struct replay *r)
{
    r->open = false;
    r->committed_n = r->m->n;
    r->committed_keys = r->m->keys.n;
    r->committed_at = r->at;
}

static void roll_back(struct replay *r)
{
    r->open = false;
    r->m->n = r->committed_n;
    r->m->keys.n = r->committed_keys;
}

static bool end_of_transaction(struct replay *r, const struct log_entry *entry, uint64_t at,
                               struct slice key, struct err *e)
{
    uint64_t version;

    if (!r->open || !slice_is(key, "!badger!txn") || !slice_to_u64(entry->value, &version) ||
        version != r->version)
        return out_of_place(r, at, e);
    commit(r);
    return true;
}

static bool take(struct replay *r, const struct log_entry *entry, struct err *e)
{
    uint64_t at = r->at, version;
    struct slice key;

    if (!internal_key(entry->key, &key, &version))
        return out_of_place(r, at, e);
    r->at += entry->total;
    if (entry->meta & META_TXN) {
        if (r->open && version != r->version)
            return out_of_place(r, at, e);
        r->open = true;
        r->version = version;
        return add(r, entry, at, key, version, e);
    }
    if (entry->meta & META_TXN_END)
        return end_of_transaction(r, entry, at, key, e);
    if (r->open)
        return out_of_place(r, at, e);
    if (!add(r, entry, at, key, version, e))
        return false;
    commit(r);
    return true;
}

/* What comes behind the last whole transaction. */
static bool leave_out(struct replay *r, enum log_step step, size_t total, struct err *e)
{
    const struct legacy_file *f = &r->logs->v[r->file].file;
    const char *what = "an incomplete last transaction";

    if (step != LOG_END && !log_tail(r->logs, r->file, r->at, step, total, &what, e))
        return false;
    if (r->open)
        what = "an incomplete last transaction";
    roll_back(r);
    if (r->committed_at < f->size)
        legacy_warn(r->logs->place, "%s: %s (%llu bytes from %llu on) is left out", f->path, what,
                    (unsigned long long)(f->size - r->committed_at),
                    (unsigned long long)r->committed_at);
    return true;
}

static bool replay_file(struct replay *r, struct err *e)
{
    struct log_entry entry;

    r->committed_at = r->at;
    for (;;) {
        enum log_step step = log_entry_at(r->logs, r->file, r->at, &entry, e);
        if (step == LOG_ERROR)
            return false;
        if (step != LOG_ENTRY)
            return leave_out(r, step, entry.total, e);
        if (!take(r, &entry, e))
            return false;
    }
}

/* Logs are numbered without a gap from the head on; only older ones are ever removed. */
static bool no_gap(const struct logs *l, size_t i, uint32_t first, struct err *e)
{
    uint32_t expected = i > 0 && l->v[i - 1].fid >= first ? l->v[i - 1].fid + 1 : first;

    return l->v[i].fid == expected ||
           err_set(e, ERR_MALFORMED, "%s: damaged: value log %06u before it is missing",
                   l->v[i].file.path, expected);
}

static bool start_of(const struct logs *l, const struct log_file *f, const struct log_place *head,
                     uint64_t *at, struct err *e)
{
    *at = head && head->fid == f->fid ? (uint64_t)head->offset + head->len : 0;
    if (*at > f->file.size)
        return legacy_damage(f->file.path, e,
                             "it ends at %llu, but what the tables hold was written up to %llu",
                             (unsigned long long)f->file.size, (unsigned long long)*at);
    if (*at != 0 || l->version == 1)
        return true;
    if (f->file.size < LOG_HEAD_V2 && f != &l->v[l->n - 1])
        return legacy_damage(f->file.path, e, "it is shorter than its head");
    *at = f->file.size < LOG_HEAD_V2 ? f->file.size : LOG_HEAD_V2;
    return true;
}

static bool replay_all(struct replay *r, const struct log_place *head, struct err *e)
{
    struct logs *l = r->logs;
    uint32_t first = head ? head->fid : 0;

    if (head && !logs_find(l, head->fid))
        return err_set(e, ERR_MALFORMED, "%s: damaged: value log %06u.vlog is missing",
                       l->place->value_dir ? l->place->value_dir : l->place->path, head->fid);
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].fid < first)
            continue;
        r->file = i;
        if (!no_gap(l, i, first, e) || !start_of(l, &l->v[i], head, &r->at, e) ||
            !replay_file(r, e))
            return false;
    }
    return true;
}

struct source *replay(struct logs *l, const struct log_place *head, struct err *e)
{
    struct memtable *m = xcalloc(1, sizeof(*m));
    struct replay r = {.logs = l, .m = m};

    m->base =
        (struct source){.seek = memtable_seek, .next = memtable_next, .close = memtable_close};
    m->keys = buf_new(NULL, KEYS_MAX);
    if (!replay_all(&r, head, e)) {
        memtable_close(&m->base);
        return NULL;
    }
    if (m->n)
        qsort_r(m->v, m->n, sizeof(*m->v), logged_cmp, m);
    return &m->base;
}
