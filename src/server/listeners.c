/* A new address is opened before the old one closes, so a reload refuses nobody. */
#include "server/listeners.h"

#include <stdlib.h>

#include "acme/acme.h"
#include "base/log.h"

static const struct route *const MAIN_TABLES[] = {API_ROUTES, ACME_ROUTES, NULL};
static const struct route *const PLAIN_TABLES[] = {API_ROUTES, NULL};
static const struct route *const METRICS_TABLES[] = {METRICS_ROUTES, NULL};

void listeners_init(struct listeners *l, struct services *s, struct http_server *http)
{
    struct frame_options options[LISTENERS] = {
        [LISTEN_MAIN] = {s, s->acme ? MAIN_TABLES : PLAIN_TABLES, false},
        [LISTEN_INSECURE] = {s, PLAIN_TABLES, true},
        [LISTEN_METRICS] = {s, METRICS_TABLES, false},
    };

    *l = (struct listeners){.http = http, .tls = s->tls};
    for (size_t i = 0; i < LISTENERS; i++)
        l->frames[i] = frame_new(&options[i]);
}

void listeners_end(struct listeners *l)
{
    for (size_t i = 0; i < LISTENERS; i++) {
        frame_free(l->frames[i]);
        free(l->address[i]);
    }
}

static const char *wanted_address(const struct config *c, enum listener_kind kind)
{
    bool crl = c->crl && c->crl->enabled;
    struct slice address[LISTENERS] = {
        [LISTEN_MAIN] = c->address,
        [LISTEN_INSECURE] = crl ? c->insecure_address : SLICE_NONE,
        [LISTEN_METRICS] = c->metrics_address,
    };

    return address[kind].n > 0 ? strndup((const char *)address[kind].p, address[kind].n) : NULL;
}

static bool same_address(const struct listeners *l, size_t kind, const char *wanted)
{
    return l->open[kind] && wanted && strcmp(l->address[kind], wanted) == 0;
}

bool listeners_prepare(struct listeners *l, const struct config *c, struct listener_change *change,
                       struct err *e)
{
    *change = (struct listener_change){0};
    for (size_t i = 0; i < LISTENERS; i++) {
        change->wanted[i] = wanted_address(c, (enum listener_kind)i);
        if (!change->wanted[i] || same_address(l, i, change->wanted[i]))
            continue;
        change->fresh[i] =
            listener_open(l->http, change->wanted[i], i == LISTEN_MAIN ? l->tls : NULL,
                          frame_app(l->frames[i]), e);
        if (!change->fresh[i]) {
            listeners_abandon(change);
            return false;
        }
    }
    return true;
}

void listeners_abandon(struct listener_change *change)
{
    for (size_t i = 0; i < LISTENERS; i++) {
        if (change->fresh[i])
            listener_close(change->fresh[i]);
        free((char *)change->wanted[i]);
        change->wanted[i] = NULL;
        change->fresh[i] = NULL;
    }
}

static void apply_one(struct listeners *l, struct listener_change *change, size_t i)
{
    if (same_address(l, i, change->wanted[i])) {
        free((char *)change->wanted[i]);
        return;
    }
    if (change->fresh[i]) {
        listener_start(change->fresh[i]);
        log_line("Serving %s on %s ...", i == LISTEN_MAIN ? "HTTPS" : "HTTP",
                 slice_ends(slice_text(change->wanted[i]), ":0")
                     ? listener_address(change->fresh[i])
                     : change->wanted[i]);
    }
    if (l->open[i])
        listener_close(l->open[i]);
    free(l->address[i]);
    l->open[i] = change->fresh[i];
    l->address[i] = (char *)change->wanted[i];
}

void listeners_apply(struct listeners *l, struct listener_change *change)
{
    for (size_t i = 0; i < LISTENERS; i++)
        apply_one(l, change, i);
}

void listeners_close(struct listeners *l)
{
    for (size_t i = 0; i < LISTENERS; i++) {
        if (l->open[i])
            listener_close(l->open[i]);
        l->open[i] = NULL;
        frame_stop_waiting(l->frames[i]);
    }
}
