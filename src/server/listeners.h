/* The three listeners, opened and closed as the configuration says. */
#pragma once

#include "api/frame.h"
#include "net/server.h"

enum listener_kind { LISTEN_MAIN, LISTEN_INSECURE, LISTEN_METRICS, LISTENERS };

struct listeners {
    struct http_server *http;
    struct tls_slot *tls;
    struct frame *frames[LISTENERS];
    struct listener *open[LISTENERS];
    char *address[LISTENERS]; /* as configured; NULL: closed */
};
void listeners_init(struct listeners *l, struct services *s, struct http_server *http);
void listeners_end(struct listeners *l);

/* What a configuration wants, opened beside what is open. */
struct listener_change {
    struct listener *fresh[LISTENERS]; /* NULL: keep or close */
    const char *wanted[LISTENERS];     /* NULL: closed */
};
/* Opens sockets whose address is new; nothing accepts yet.  On failure nothing stays open. */
bool listeners_prepare(struct listeners *l, const struct config *c, struct listener_change *change,
                       struct err *e) CHECKED;
void listeners_abandon(struct listener_change *change);
/* New ones accept, then the old ones close; prints "Serving HTTPS on …". */
void listeners_apply(struct listeners *l, struct listener_change *change);
void listeners_close(struct listeners *l);
