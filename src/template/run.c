/*
 * The account of one run: causes of failures, memory, time, and the small makers that charge what
 * they make.
 */
#include <stdarg.h>
#include <stdio.h>

#include "template/internal.h"

#define STEPS_PER_LOOK 256u

const struct template_limits TEMPLATE_LIMITS = {
    .output = 1048576,
    .memory = 33554432,
    .time_ns = 100 * NS_PER_MS,
    .iterations = 1000000,
    .depth = 1000,
    .costly = 4,
};

PRINTF(3, 0)
static bool set_cause(struct trun *run, enum err_kind kind, const char *fmt, va_list args)
{
    if (run->failed)
        return false;
    run->failed = true;
    run->kind = kind;
    /* Cut where it is full: a cause is for people. */
    int n = vsnprintf(run->cause, sizeof(run->cause), fmt, args);
    if (n < 0)
        run->cause[0] = 0;
    return false;
}

bool run_fail(struct trun *run, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    set_cause(run, ERR_INTERNAL, fmt, args);
    va_end(args);
    return false;
}

bool run_fail_kind(struct trun *run, enum err_kind kind, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    set_cause(run, kind, fmt, args);
    va_end(args);
    return false;
}

bool trun_fail(struct trun *run, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    set_cause(run, ERR_INTERNAL, fmt, args);
    va_end(args);
    return false;
}

struct arena *trun_arena(struct trun *run)
{
    return run->a;
}

static bool look_at_time(struct trun *run)
{
    if (run->clock->mono_ns(run->clock) <= run->deadline)
        return true;
    return run_fail_kind(run, ERR_TIMEOUT, "the template runs longer than %lld ms",
                         (long long)(run->limits->time_ns / NS_PER_MS));
}

bool run_step(struct trun *run)
{
    return ++run->steps % STEPS_PER_LOOK ? true : look_at_time(run);
}

bool run_steps(struct trun *run, size_t n)
{
    uint64_t before = run->steps / STEPS_PER_LOOK;

    run->steps += n;
    return run->steps / STEPS_PER_LOOK == before ? true : look_at_time(run);
}

void *run_alloc(struct trun *run, size_t n)
{
    run->memory += n + 16;
    return arena_alloc(run->a, n);
}

bool run_memory_ok(struct trun *run)
{
    if (run->memory <= run->limits->memory)
        return true;
    return run_fail_kind(run, ERR_TOO_LARGE, "the template needs more than %zu bytes of memory",
                         run->limits->memory);
}

struct buf run_buf(struct trun *run)
{
    size_t left = run->memory < run->limits->memory ? run->limits->memory - run->memory : 0;
    return buf_new(run->a, left);
}

bool run_buf_done(struct trun *run, const struct buf *b)
{
    run->memory += b->failed ? run->limits->memory : b->cap;
    return !run->failed && run_memory_ok(run);
}

bool run_text(struct trun *run, const struct buf *b, struct tvalue *out)
{
    *out = tvalue_text(buf_slice(b));
    return run_buf_done(run, b);
}

struct instant run_now(struct trun *run)
{
    return run->clock->now(run->clock);
}

uint64_t run_random(struct trun *run, uint64_t below)
{
    uint64_t v, last = UINT64_MAX - UINT64_MAX % below;

    do
        run->rng->fill(run->rng, &v, sizeof(v));
    while (v >= last);
    return v % below;
}

/* --- Makers ---------------------------------------------------------------------------------- */

bool list_add(struct trun *run, struct tlist_maker *m, struct tvalue v)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 8;
        struct tvalue *grown = run_alloc(run, cap * sizeof(*grown));
        if (m->n)
            memcpy(grown, m->items, m->n * sizeof(*grown));
        m->items = grown;
        m->cap = cap;
        if (!run_memory_ok(run))
            return false;
    }
    m->items[m->n++] = v;
    return run_step(run);
}

struct tvalue list_made(struct trun *run, const struct tlist_maker *m, const struct ttype *type)
{
    struct tlist *list = run_alloc(run, sizeof(*list));

    list->n = m->n;
    list->items = m->items;
    return (struct tvalue){.kind = T_LIST, .type = type, .list = list};
}

struct tvalue run_list(struct trun *run, const struct ttype *type, size_t n)
{
    run->memory += n * sizeof(struct tvalue) + sizeof(struct tlist);
    return tvalue_list(run->a, type, n);
}

void run_map_set(struct trun *run, struct tmap *m, struct slice name, struct tvalue value)
{
    run->memory += sizeof(struct tmember) + sizeof(struct tvalue);
    tmap_set(m, run->a, name, value);
}
