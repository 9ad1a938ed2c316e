/*
 * The revocation list for sshd (PROTOCOL.krl of OpenSSH): every serial number of revoked_ssh_certs,
 * under every key whose certificates count as ours, for the record does not say which key signed.
 *
 * One list is kept for everybody.  It is made anew when it is older than MAX_AGE, for another
 * server or the command line may have revoked something, for every request in the seconds after a
 * revocation here, which is in the store only when its request has ended, and when a reload
 * changed the keys.
 *
 * Its version must never go down, also when servers take turns on one database, and go up when a
 * revocation is added: it is the time of the latest one in nanoseconds plus how many there are.
 */
#include <stdlib.h>

#include "authority/revocations.h"
#include "authority/ssh_internal.h"
#include "ssh/krl.h"

#define MAX_AGE      (10 * NS_PER_SEC)
#define AFTER_REVOKE (5 * NS_PER_SEC)
#define KRL_MAX      (256u << 20)
#define COMMENT      "SSH certificates revoked by the CA"

void ssh_krl_init(struct ssh_krl_cache *c)
{
    *c = (struct ssh_krl_cache){
        .doubt_until = INT64_MIN, .bytes = buf_new(NULL, KRL_MAX), .keys = buf_new(NULL, KRL_MAX)};
    pthread_mutex_init(&c->lock, NULL);
}

void ssh_krl_end(struct ssh_krl_cache *c)
{
    buf_free(&c->bytes);
    buf_free(&c->keys);
    pthread_mutex_destroy(&c->lock);
}

void ssh_krl_revoked(struct services *s)
{
    atomic_store(&s->ssh_krl.doubt_until, s->clock->mono_ns(s->clock) + AFTER_REVOKE);
}

/* --- What is revoked -------------------------------------------------------------------------- */

struct collector {
    struct work *w;
    struct arena *scratch;
    uint64_t *v;
    size_t n, cap, odd;
    int64_t latest; /* Unix seconds of the last revocation */
};

static void append(struct collector *c, uint64_t serial)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 1024;
        c->v = xrealloc(c->v, c->cap * sizeof(*c->v));
    }
    c->v[c->n++] = serial;
}

/* A record that cannot be read revokes all the same: only its time is not known. */
static bool on_row(struct slice key, struct slice value, void *arg)
{
    struct collector *c = arg;
    struct arena_mark mark = arena_mark(c->scratch);
    struct revocation_entry entry = {0};
    uint64_t serial;

    if (!slice_to_u64(key, &serial) || serial == 0) {
        c->odd++;
        return true;
    }
    if (revocation_read(c->scratch, value, &entry) && entry.at.sec > c->latest)
        c->latest = entry.at.sec;
    arena_rewind(c->scratch, mark);
    append(c, serial);
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* "07" and "7" are two rows and one certificate. */
static void put_in_order(struct collector *c)
{
    size_t n = 0;

    if (c->n > 1)
        qsort(c->v, c->n, sizeof(*c->v), by_number);
    for (size_t i = 0; i < c->n; i++) {
        if (n == 0 || c->v[n - 1] != c->v[i])
            c->v[n++] = c->v[i];
    }
    c->n = n;
}

/* Told once for each number of them, not at every look. */
static void tell_odd(struct ssh_krl_cache *cache, size_t odd)
{
    if (odd > 0 && odd != cache->odd)
        log_warn("%zu rows of %s have a key that is no serial number of an SSH certificate; they "
                 "are not in the revocation list",
                 odd, table_name(TABLE_REVOKED_SSH_CERTS));
    cache->odd = odd;
}

/* --- The list --------------------------------------------------------------------------------- */

static void add_keys(struct ssh_keys *all, const struct ssh_keys *some)
{
    for (size_t i = 0; i < some->n; i++) {
        if (!ssh_keys_have(all, some->v[i].blob))
            all->v[all->n++] = some->v[i];
    }
}

static struct ssh_keys our_keys(struct arena *a, const struct ssh_trust *roots)
{
    struct ssh_keys all = {arena_array(a, roots->user.n + roots->host.n + 1, sizeof(*all.v)), 0};

    add_keys(&all, &roots->user);
    add_keys(&all, &roots->host);
    return all;
}

static void replace(struct buf *kept, struct slice bytes)
{
    buf_reset(kept);
    buf_put(kept, bytes);
}

static bool make(struct work *w, const struct ssh_ca *ca, struct collector *c)
{
    struct ssh_krl_cache *cache = &w->services->ssh_krl;
    struct ssh_keys keys = our_keys(w->arena, &ca->roots);
    struct buf bytes = buf_new(NULL, KRL_MAX);
    struct ssh_krl krl = {
        .version = (uint64_t)c->latest * (uint64_t)NS_PER_SEC + c->n,
        .generated = (uint64_t)w->services->clock->now(w->services->clock).sec,
        .comment = SLICE(COMMENT),
        .cas = keys.v,
        .n_cas = keys.n,
        .serials = c->v,
        .n_serials = c->n,
    };
    bool ok = ssh_krl_write(&krl, &bytes, &w->err) && buf_done(&bytes, "KRL", &w->err);

    if (ok) {
        buf_free(&cache->bytes);
        cache->bytes = bytes;
        replace(&cache->keys, ca->roots_json);
        return true;
    }
    buf_free(&bytes);
    return false;
}

static bool look(struct work *w, const struct ssh_ca *ca)
{
    struct store *store = w->services->store;
    struct ssh_krl_cache *cache = &w->services->ssh_krl;
    int64_t begun = w->services->clock->mono_ns(w->services->clock);
    struct collector c = {.w = w, .scratch = arena_new(&HEAP_USUAL)};
    bool ok = store->ops->scan(store, TABLE_REVOKED_SSH_CERTS, SLICE_NONE, 0, on_row, &c,
                               w->deadline, &w->err);

    if (ok) {
        put_in_order(&c);
        tell_odd(cache, c.odd);
        ok = make(w, ca, &c);
    } else {
        err_wrap(&w->err, "reading the revoked SSH certificates");
    }
    if (ok)
        cache->made_mono = begun;
    arena_free(c.scratch);
    free(c.v);
    return ok;
}

static bool is_fresh(const struct ssh_krl_cache *c, const struct ssh_ca *ca, int64_t now)
{
    if (c->bytes.n == 0 || now - c->made_mono > MAX_AGE)
        return false;
    if (c->made_mono <= atomic_load(&c->doubt_until))
        return false;
    return slice_eq(buf_slice(&c->keys), ca->roots_json);
}

bool ssh_krl_current(struct work *w, struct slice *bytes)
{
    const struct ssh_ca *ca = w->authority->core->ssh;
    struct services *s = w->services;
    struct ssh_krl_cache *cache = &s->ssh_krl;
    bool ok;

    if (!ca || ca->roots_json.n == 0) {
        err_set(&w->err, ERR_NOT_FOUND, "SSH is not configured");
        w->err.tell = true;
        return false;
    }
    if (!services_durable(s)) {
        err_set(&w->err, ERR_NOT_IMPLEMENTED, "revocation needs a database: configure db");
        w->err.tell = true;
        return false;
    }
    pthread_mutex_lock(&cache->lock);
    ok = is_fresh(cache, ca, s->clock->mono_ns(s->clock)) || look(w, ca);
    if (ok)
        *bytes = arena_copy(w->arena, buf_slice(&cache->bytes));
    pthread_mutex_unlock(&cache->lock);
    return ok;
}
