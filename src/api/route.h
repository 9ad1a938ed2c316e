/* Routes are tables; the frame runs them (frame.h). */
#pragma once

#include "authority/work.h"
#include "net/http.h"

struct request;
/* ACT_WAIT: run me again when `wait` fires or `wait_until` has come, whichever is first; until then
 * no thread is held.  Nothing of such a run is kept, but for what stands in `state`. */
enum outcome { ACT_FAILED, ACT_DONE, ACT_WAIT };
enum route_flags {
    ROUTE_INSECURE_TOO = 1, /* also on the plain listener */
    ROUTE_ALIAS_1_0 = 2,    /* also below /1.0 */
    /* With a small body it computes for some tenths of a millisecond at most, and where the store
     * is not shared it asks nobody, no file either: it runs on the loop that the request came in
     * by. */
    ROUTE_QUICK = 4
};
/* How a group of routes speaks errors: the API's envelope, later ACME problems, … */
struct voice {
    void (*error)(struct request *r, const struct err *e);
    /* Before error, when the request is refused before authorize: what every answer carries.  On a
     * loop, so it asks nobody.  May be NULL. */
    void (*greet)(struct request *r);
};
extern const struct voice VOICE_API;

struct route {
    const char *method; /* "GET" also answers HEAD */
    const char *path;   /* "/root/{sha}" */
    unsigned flags;
    size_t body_max;  /* 0: no body is read (a body up to 64 KiB is skipped) */
    unsigned seconds; /* deadline; 0: 30 */
    /* Who asks and what they may; runs once; may be NULL. */
    bool (*authorize)(struct request *r);
    /* Decides: fills x->out and w->batch, changes nothing; may run again. */
    enum outcome (*act)(struct request *r);
    /* After the commit, before the answer; may be NULL.  False: the error in work.err is told. */
    bool (*then)(struct request *r);
    const struct voice *voice;
};

struct request {
    struct work work;
    struct http_exchange *x;
    const struct route *route;
    struct slice args[4]; /* path parameters, decoded */
    void *who;            /* what authorize found */
    void *state;          /* the route's own */
    /* For ACT_WAIT, set by act, which gives its reference to the latch away.  `waited`: it is over,
     * act must not ask for another one. */
    struct latch *wait;
    struct deadline wait_until;
    bool waited;
    int refused;  /* before it was a request of the route: the status of that; else 0 */
    bool counted; /* the outcome is counted under metric and metric_provisioner */
    int metric;   /* enum metric */
    struct slice metric_provisioner;
};
extern const struct route API_ROUTES[]; /* ended by {0} */
extern const struct route METRICS_ROUTES[];

/* Answers. */
void respond_json(struct request *r, int status, struct slice body);
void respond_bytes(struct request *r, int status, const char *content_type, struct slice body);
/* The API's envelope with that status, where the error's class has no status of its own. */
void respond_error(struct request *r, int status, const struct err *e);
