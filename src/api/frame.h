/*
 * The frame: takes the snapshot, finds the route, runs authorize and act, commits the batch and
 * only then lets the response go; speaks errors; writes the access log.
 * Nothing acknowledged is lost, because an answer is sent after its commit.
 */
#pragma once

#include "api/route.h"

struct frame;
struct frame_options {
    struct services *services;
    const struct route *const *tables; /* NULL-terminated list of route tables */
    bool insecure;                     /* only ROUTE_INSECURE_TOO routes */
};
struct frame *frame_new(const struct frame_options *o);
void frame_free(struct frame *f);
/* What a listener is given. */
const struct http_app *frame_app(struct frame *f);
/* Requests that wait (ACT_WAIT) go on at once, and from now on none waits: the service ends. */
void frame_stop_waiting(struct frame *f);
/* Exchanges that are out. */
unsigned frame_busy(const struct frame *f);
