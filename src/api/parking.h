/*
 * Exchanges that wait for something without holding a thread: each is resumed once, when its latch
 * fires, when its time comes, or when the parking closes, whichever is first.
 */
#pragma once

#include "base/pool.h"

struct parking;
struct parking *parking_new(void);
/* Nobody may be parked any more; latches may still be unfired. */
void parking_free(struct parking *p);
/* resume(arg) is called exactly once, on any thread, perhaps before this returns. */
void parking_put(struct parking *p, struct latch *l, struct deadline until, void (*resume)(void *),
                 void *arg);
/* Resumes all; from now on nobody waits. */
void parking_close(struct parking *p);
