/*
 * The server as a whole: its loops, what they share, and its end.
 */
#include "net/server_internal.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_KEPT 64u /* for listeners, stores, calls to the outside */

bool server_budget_take(struct http_server *s, size_t n)
{
    size_t before = atomic_fetch_add(&s->budget, n);

    if (before + n <= s->options.body_budget)
        return true;
    atomic_fetch_sub(&s->budget, n);
    return false;
}

void server_budget_give(struct http_server *s, size_t n)
{
    atomic_fetch_sub(&s->budget, n);
}

void server_conn_gone(struct http_server *s)
{
    if (atomic_fetch_sub(&s->n_conns, 1) != 1 || !atomic_load(&s->stopping))
        return;
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->quiet);
    pthread_mutex_unlock(&s->lock);
}

static void server_last(struct ref *r)
{
    struct http_server *s = (struct http_server *)r; /* its first member */

    for (unsigned i = 0; i < s->n_loops; i++)
        loop_destroy(&s->loops[i]);
    pthread_cond_destroy(&s->quiet);
    pthread_mutex_destroy(&s->lock);
    free(s->loops);
    free(s);
}

/* More connections than descriptors would starve the store of its files. */
static unsigned connections_possible(unsigned wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return wanted;
    rlim_t room = limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT
                                                        : limit.rlim_cur / 2;
    return room < wanted ? (unsigned)room : wanted;
}

static struct http_server_options complete(struct http_server_options o)
{
    int64_t *times[] = {&o.head_ns, &o.body_ns, &o.write_ns, &o.idle_ns};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    for (size_t i = 0; i < COUNT_OF(times); i++)
        if (*times[i] <= 0)
            *times[i] = 15 * NS_PER_SEC;
    if (!o.loops)
        o.loops = cores > 0 ? (unsigned)cores : 1;
    if (!o.head_max)
        o.head_max = 1u << 20;
    if (!o.body_budget)
        o.body_budget = 64u << 20;
    if (!o.clock)
        o.clock = &CLOCK_SYSTEM;
    o.connections_max = connections_possible(o.connections_max ? o.connections_max : 10000);
    return o;
}

struct http_server *http_server_new(const struct http_server_options *o, struct err *e)
{
    static const struct http_server_options USUAL;
    struct http_server *s = xcalloc(1, sizeof(*s));
    pthread_condattr_t attr;

    s->options = complete(o ? *o : USUAL);
    ref_init(&s->ref, server_last);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->quiet, &attr);
    pthread_condattr_destroy(&attr);
    s->n_loops = s->options.loops;
    s->loops = xcalloc(s->n_loops, sizeof(*s->loops));
    bool ok = true;
    for (unsigned i = 0; ok && i < s->n_loops; i++)
        ok = loop_init(&s->loops[i], s, e);
    for (unsigned i = 0; ok && i < s->n_loops; i++)
        ok = loop_start(&s->loops[i], e);
    if (ok)
        return s;
    http_server_free(s);
    return NULL;
}

static void drain_run(void *arg)
{
    conn_drain_all(arg);
}

static void free_run(void *arg)
{
    conn_free_all(arg);
}

/* In steps, because the deadline may be of a clock that the condition does not know. */
static void wait_quiet(struct http_server *s, struct deadline d)
{
    pthread_mutex_lock(&s->lock);
    while (atomic_load(&s->n_conns) > 0 && deadline_ok(d, NULL)) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        t.tv_nsec += 50 * (long)NS_PER_MS;
        if (t.tv_nsec >= NS_PER_SEC) {
            t.tv_nsec -= (long)NS_PER_SEC;
            t.tv_sec++;
        }
        pthread_cond_timedwait(&s->quiet, &s->lock, &t);
    }
    pthread_mutex_unlock(&s->lock);
}

/* On loop 0, which may need the lock itself while somebody waits for it. */
static void shut_run(void *arg)
{
    struct http_server *s = arg;

    pthread_mutex_lock(&s->lock);
    for (struct listener *l = s->listeners; l; l = l->next)
        listener_shut(l);
    pthread_mutex_unlock(&s->lock);
}

void http_server_stop(struct http_server *s, struct deadline d)
{
    if (atomic_exchange(&s->stopping, true))
        return;
    loop_call(&s->loops[0], shut_run, s);
    for (unsigned i = 0; i < s->n_loops; i++)
        loop_call(&s->loops[i], drain_run, &s->loops[i]);
    wait_quiet(s, d);
    for (unsigned i = 0; i < s->n_loops; i++)
        loop_call(&s->loops[i], free_run, &s->loops[i]);
    for (unsigned i = 0; i < s->n_loops; i++)
        loop_stop(&s->loops[i]);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    http_server_stop(s, (struct deadline){.mono_ns = INT64_MIN, .clock = &CLOCK_SYSTEM});
    while (s->listeners)
        listener_close(s->listeners);
    ref_drop(&s->ref);
}

void http_server_counts(struct http_server *s, unsigned *connections, unsigned *exchanges)
{
    if (connections)
        *connections = atomic_load(&s->n_conns);
    if (exchanges)
        *exchanges = atomic_load(&s->n_exchanges);
}
