/*
 * The connections to one server: at most 16 (db.maxOpenConns), made when they are needed, kept for
 * half an hour (db.connMaxLifetime).
 * Whoever has none waits at the gate, declared, for at most five seconds.
 *
 * An idle connection on which something can be read is dead: a server speaks unasked only to say
 * goodbye.  That costs no question over the network; what it misses (a cable that was pulled) shows
 * when the statement gets no answer, and the batch is run again on another connection.
 */
#include <stdlib.h>

#include "base/log.h"
#include "store/sql.h"

#define WAIT_NS (5 * NS_PER_SEC)
#define IDLE_NS (10 * 60 * NS_PER_SEC)

struct deadline sql_sooner(struct deadline d, int64_t ns)
{
    struct deadline limit = deadline_in(&CLOCK_SYSTEM, ns);

    limit.cancelled = d.cancelled;
    return deadline_left(d) < ns ? d : limit;
}

int sql_poll_ms(struct deadline d, struct deadline limit)
{
    int64_t left = deadline_left(d), other = deadline_left(limit);

    if (other < left)
        left = other;
    if ((d.cancelled || d.clock != &CLOCK_SYSTEM) && left > 200 * NS_PER_MS)
        left = 200 * NS_PER_MS;
    if (left > 3600 * NS_PER_SEC)
        left = 3600 * NS_PER_SEC;
    return (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static int64_t mono(void)
{
    return CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM);
}

void sql_pool_init(struct sql_pool *p, unsigned connections)
{
    *p = (struct sql_pool){.lock = PTHREAD_MUTEX_INITIALIZER};
    gate_init(&p->gate, connections);
}

/* --- The idle ones, the last used first ------------------------------------------------------ */

static struct sql_conn *pop(struct sql_pool *p)
{
    pthread_mutex_lock(&p->lock);
    struct sql_conn *c = p->idle;
    if (c) {
        p->idle = c->next;
        p->n_idle--;
    }
    pthread_mutex_unlock(&p->lock);
    return c;
}

/* False: there are enough. */
static bool push(struct sql_pool *p, struct sql_conn *c, unsigned most)
{
    pthread_mutex_lock(&p->lock);
    bool kept = p->n_idle < most;
    if (kept) {
        c->next = p->idle;
        p->idle = c;
        p->n_idle++;
    }
    pthread_mutex_unlock(&p->lock);
    return kept;
}

static struct sql_conn *reuse(struct sql_store *s)
{
    for (struct sql_conn *c; (c = pop(&s->pool));) {
        if (mono() - c->opened < s->options.lifetime && s->driver->alive(c))
            return c;
        s->driver->close(c);
    }
    return NULL;
}

void sql_pool_trim(struct sql_store *s)
{
    struct sql_conn *old = NULL;
    int64_t now = mono();

    pthread_mutex_lock(&s->pool.lock);
    for (struct sql_conn **at = &s->pool.idle; *at;) {
        struct sql_conn *c = *at;
        if (now - c->given < IDLE_NS) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        s->pool.n_idle--;
        c->next = old;
        old = c;
    }
    pthread_mutex_unlock(&s->pool.lock);
    for (struct sql_conn *next; old; old = next) {
        next = old->next;
        s->driver->close(old);
    }
}

void sql_pool_close(struct sql_store *s)
{
    for (struct sql_conn *c; (c = pop(&s->pool));)
        s->driver->close(c);
    gate_destroy(&s->pool.gate);
    pthread_mutex_destroy(&s->pool.lock);
}

/* --- Taking and giving ----------------------------------------------------------------------- */

static void tell(struct sql_store *s, bool reached, const struct err *e)
{
    pthread_mutex_lock(&s->pool.lock);
    bool changed = s->pool.started && s->pool.unreachable == reached;
    s->pool.unreachable = !reached;
    pthread_mutex_unlock(&s->pool.lock);
    if (!changed)
        return;
    if (reached)
        log_line("%s: the database answers again", s->driver->name);
    else
        log_error("%s; requests that need the database are refused until it answers", e->text);
}

static struct sql_conn *make(struct sql_store *s, struct err *e)
{
    struct err why = {0};
    struct sql_conn *c = s->driver->connect(s, &why);

    tell(s, c != NULL, &why);
    if (c) {
        c->opened = mono();
        return c;
    }
    if (e)
        err_move(e, &why);
    return NULL;
}

struct sql_conn *sql_pool_take(struct sql_store *s, struct deadline d, struct err *e)
{
    if (!gate_enter(&s->pool.gate, sql_sooner(d, WAIT_NS), e)) {
        err_wrap(e, "%s: all %u connections are in use", s->driver->name, s->options.connections);
        return NULL;
    }
    pool_wait_begin();
    struct sql_conn *c = reuse(s);
    if (!c)
        c = make(s, e);
    pool_wait_end();
    if (!c)
        gate_leave(&s->pool.gate);
    return c;
}

void sql_pool_give(struct sql_store *s, struct sql_conn *c, bool broken)
{
    c->given = mono();
    if (broken || c->retire || !push(&s->pool, c, s->options.idle))
        s->driver->close(c);
    gate_leave(&s->pool.gate);
}
