/*
 * Worker threads with declared waits: `running` of them use the CPU at a time; whoever is about
 * to wait for another machine or a device says so, and another worker takes the core.
 * Idle threads above `running` leave after 10 s.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"

struct pool;
struct job {
    struct job *next;
    void (*run)(struct job *);
};

struct pool *pool_new(unsigned running, unsigned threads_max, unsigned queue_max);
/* False: the queue is full (or the pool is stopping); the caller answers 503 itself.  The job
 * belongs to the pool until run is called. */
bool pool_post(struct pool *p, struct job *job) CHECKED;
/* Runs what is queued, joins the threads, frees the pool. */
void pool_stop(struct pool *p);
/* This worker is about to wait for somebody else.  Outside a pool they do nothing.  Only
 * gate_enter, the HTTP client, SQL engines and latch_wait call them. */
void pool_wait_begin(void);
void pool_wait_end(void);

/* At most `limit` inside at a time; waiting is declared. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t free;
    unsigned limit, inside;
};
void gate_init(struct gate *g, unsigned limit);
void gate_destroy(struct gate *g);
/* ERR_UNAVAILABLE when the deadline comes first. */
bool gate_enter(struct gate *g, struct deadline d, struct err *e) CHECKED;
void gate_leave(struct gate *g);

/* Happens once.  Somebody may wait with a deadline, or be told by a call. */
struct latch;
struct latch *latch_new(void);
struct latch *latch_take(struct latch *l); /* one more reference */
void latch_drop(struct latch *l);
void latch_fire(struct latch *l);
bool latch_fired(const struct latch *l);
/* False when the deadline came first. */
bool latch_wait(struct latch *l, struct deadline d) CHECKED;
/* tell(arg) once when it fires, on the firing thread; at once when it has fired.  False: at most
 * 64 may listen. */
bool latch_tell(struct latch *l, void (*tell)(void *), void *arg) CHECKED;

/* First member of what is counted: snapshots, peers, shared bodies. */
struct ref {
    atomic_uint n;
    void (*last)(struct ref *);
};
void ref_init(struct ref *r, void (*last)(struct ref *)); /* count 1 */
void ref_take(struct ref *r);
void ref_drop(struct ref *r); /* calls last at 0 */
