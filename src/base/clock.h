/*
 * Time and randomness as small tables of functions, so that a test sets both and a certificate
 * becomes a constant.
 */
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

/* Unix time, UTC.  Not nanoseconds in 64 bits: 9999-12-31 and 0001-01-01 do not fit. */
struct instant {
    int64_t sec;
    uint32_t nsec;
};

struct clock {
    struct instant (*now)(struct clock *);
    int64_t (*mono_ns)(struct clock *);
};
extern struct clock CLOCK_SYSTEM;

/* fill cannot fail: no randomness ends the process. */
struct rng {
    void (*fill)(struct rng *, void *, size_t);
};
extern struct rng RNG_SYSTEM; /* getrandom(2) */

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS  INT64_C(1000000)

#define INSTANT_ZERO_GO ((struct instant){INT64_C(-62135596800), 0}) /* 0001-01-01T00:00:00Z */
static inline bool instant_is_zero(struct instant t)
{
    return t.sec == INT64_C(-62135596800) && t.nsec == 0;
}
int instant_cmp(struct instant a, struct instant b);
/* Saturates at the years 1 and 9999. */
struct instant instant_add(struct instant t, int64_t ns);
/* a - b, saturated to the range of int64_t nanoseconds. */
int64_t instant_sub(struct instant a, struct instant b);
static inline struct instant instant_truncate(struct instant t) /* to the whole second, down */
{
    return (struct instant){t.sec, 0};
}
static inline struct instant instant_sec(int64_t sec)
{
    return (struct instant){sec, 0};
}

/* Civil time (proleptic Gregorian, UTC).  year 1..9999, month 1..12, day 1..31. */
struct civil {
    int year, month, day, hour, minute, second;
    int weekday; /* 0 Sunday */
};
struct civil instant_civil(struct instant t);
/* False when a field is out of range. */
bool civil_instant(const struct civil *c, struct instant *t) CHECKED;

/* RFC 3339, strict: 'T', zone required, optional fraction (cut after nanoseconds). */
bool rfc3339_read(struct slice text, struct instant *t) CHECKED;
/* "2026-02-03T10:20:30Z": whole seconds. */
struct slice rfc3339(struct arena *a, struct instant t);
/* With nanoseconds, trailing zeros and an empty fraction removed. */
struct slice rfc3339_nano(struct arena *a, struct instant t);
/* RFC 9110 5.6.7: "Tue, 03 Feb 2026 10:20:30 GMT". */
struct slice http_date(struct arena *a, struct instant t);

/* Until when; passed by value.  clock NULL: no deadline. */
struct deadline {
    int64_t mono_ns;
    struct clock *clock;
    const atomic_bool *cancelled; /* may be NULL */
};
#define DEADLINE_NONE ((struct deadline){0, NULL, NULL})
struct deadline deadline_in(struct clock *clock, int64_t ns);
/* Passed, or cancelled: ERR_TIMEOUT. */
bool deadline_ok(struct deadline d, struct err *e) CHECKED;
/* Nanoseconds left, at least 0; INT64_MAX when there is none. */
int64_t deadline_left(struct deadline d);
