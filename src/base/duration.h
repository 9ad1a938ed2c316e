/* Durations in the notation of ca.json, the API and the command line: "1h30m", "24h0m0s". */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/slice.h"

/* docs/reference/configuration.md "Durations":
 * [+-]("0" | 1*(decimal unit)), unit = ns us µs(U+00B5) μs(U+03BC) ms s m h.  Nanoseconds, cut;
 * overflow of 63 bits is an error. */
bool duration_read(struct slice text, int64_t *ns, struct err *e) CHECKED;
/* Canonical: "0s", "1.5µs", "300ms", "1m1s", "24h0m0s". */
struct slice duration_text(struct arena *a, int64_t ns);
#define DURATION_TEXT_MAX 40
/* The same into out (NUL-terminated). */
void duration_put(char out[DURATION_TEXT_MAX], int64_t ns);

/* RFC 3339 time or duration; "" is unset. */
struct time_or_duration {
    bool set, relative;
    struct instant at; /* when !relative */
    int64_t ns;        /* when relative */
};
bool time_or_duration_read(struct slice text, struct time_or_duration *t, struct err *e) CHECKED;
/* at, or base + ns; base when unset. */
struct instant time_or_duration_from(const struct time_or_duration *t, struct instant base);
