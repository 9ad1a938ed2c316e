/*
 * Durations: reading and printing the notation of ca.json (docs/reference/configuration.md).
 *
 * Reading adds up magnitudes in 64 unsigned bits and applies the sign last.  -2^63 is readable,
 * because it is printable; +2^63 is not.
 */
#include "base/duration.h"

#include <stdio.h>

#define LIMIT (UINT64_C(1) << 63)

struct unit {
    const char *name;
    uint64_t ns;
};

/* No name is the beginning of another one that follows it: "ms" stands before "m". */
static const struct unit UNITS[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* U+00B5 */
    {"\xce\xbcs", 1000}, /* U+03BC */
    {"ms", 1000000},
    {"s", UINT64_C(1000000000)},
    {"m", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
};

static bool is_digit(struct slice s)
{
    return s.n && s.p[0] >= '0' && s.p[0] <= '9';
}

static const struct unit *unit_read(struct slice *rest)
{
    for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
        if (!slice_starts(*rest, UNITS[i].name))
            continue;
        *rest = slice_from(*rest, strlen(UNITS[i].name));
        return &UNITS[i];
    }
    return NULL;
}

struct decimal {
    uint64_t whole, fraction, scale; /* whole + fraction / scale */
    size_t digits;
};

/* False on overflow of the whole part. */
static bool decimal_read(struct slice *rest, struct decimal *d)
{
    *d = (struct decimal){.scale = 1};
    for (; is_digit(*rest); *rest = slice_from(*rest, 1), d->digits++) {
        if (__builtin_mul_overflow(d->whole, UINT64_C(10), &d->whole) ||
            __builtin_add_overflow(d->whole, (uint64_t)(rest->p[0] - '0'), &d->whole))
            return false;
    }
    if (!rest->n || rest->p[0] != '.')
        return true;
    *rest = slice_from(*rest, 1);
    for (; is_digit(*rest); *rest = slice_from(*rest, 1), d->digits++) {
        if (d->scale > LIMIT / 10) /* digits that cannot count any more */
            continue;
        d->fraction = d->fraction * 10 + (uint64_t)(rest->p[0] - '0');
        d->scale *= 10;
    }
    return true;
}

/* whole * unit + fraction * unit / scale, cut; false when it is more than 2^63. */
static bool decimal_ns(const struct decimal *d, uint64_t unit, uint64_t *ns)
{
    __extension__ unsigned __int128 part = d->fraction;

    if (__builtin_mul_overflow(d->whole, unit, ns))
        return false;
    part = part * unit / d->scale;
    return !__builtin_add_overflow(*ns, (uint64_t)part, ns) && *ns <= LIMIT;
}

static bool bad(struct slice text, const char *why, struct err *e)
{
    return err_set(e, ERR_MALFORMED, "duration \"%.*s\": %s", (int)(text.n < 64 ? text.n : 64),
                   text.p ? (const char *)text.p : "", why);
}

bool duration_read(struct slice text, int64_t *ns, struct err *e)
{
    struct slice rest = text;
    uint64_t sum = 0;
    bool negative = slice_starts(rest, "-");

    if (negative || slice_starts(rest, "+"))
        rest = slice_from(rest, 1);
    if (slice_is(rest, "0")) {
        *ns = 0;
        return true;
    }
    if (!rest.n)
        return bad(text, "expected a number and a unit, found nothing", e);
    while (rest.n) {
        struct decimal d;
        uint64_t part;
        if (!decimal_read(&rest, &d))
            return bad(text, "out of range", e);
        if (!d.digits)
            return bad(text, "expected a number", e);
        if (!rest.n)
            return bad(text, "missing unit (ns, us, ms, s, m or h)", e);
        const struct unit *unit = unit_read(&rest);
        if (!unit)
            return bad(text, "unknown unit (expected ns, us, ms, s, m or h)", e);
        if (!decimal_ns(&d, unit->ns, &part))
            return bad(text, "out of range", e);
        if (__builtin_add_overflow(sum, part, &sum) || sum > LIMIT)
            return bad(text, "out of range", e);
    }
    if (sum == LIMIT && !negative)
        return bad(text, "out of range", e);
    if (negative)
        *ns = sum == LIMIT ? INT64_MIN : -(int64_t)sum;
    else
        *ns = (int64_t)sum;
    return true;
}

/* "12.5" for value 125 of 10 units: the fraction without trailing zeros. */
static void put_decimal(char *out, size_t size, uint64_t value, uint64_t unit, const char *name)
{
    uint64_t whole = value / unit, frac = value % unit;
    int width = 0;

    if (!frac) {
        snprintf(out, size, "%llu%s", (unsigned long long)whole, name);
        return;
    }
    for (uint64_t u = unit; u > 1; u /= 10)
        width++;
    for (; frac % 10 == 0; frac /= 10)
        width--;
    snprintf(out, size, "%llu.%0*llu%s", (unsigned long long)whole, width, (unsigned long long)frac,
             name);
}

void duration_put(char out[DURATION_TEXT_MAX], int64_t ns)
{
    uint64_t v = ns < 0 ? UINT64_C(0) - (uint64_t)ns : (uint64_t)ns;
    char seconds[24];
    const char *sign = ns < 0 ? "-" : "";

    if (v < 1000) {
        snprintf(out, DURATION_TEXT_MAX, v ? "%s%dns" : "%s%ds", sign, (int)v);
        return;
    }
    if (v < 1000000)
        put_decimal(seconds, sizeof(seconds), v, 1000, "\xc2\xb5s");
    else if (v < (uint64_t)NS_PER_SEC)
        put_decimal(seconds, sizeof(seconds), v, 1000000, "ms");
    else
        put_decimal(seconds, sizeof(seconds), v % (60 * (uint64_t)NS_PER_SEC), (uint64_t)NS_PER_SEC,
                    "s");
    unsigned long long minutes = v / (60 * (uint64_t)NS_PER_SEC);
    if (minutes >= 60)
        snprintf(out, DURATION_TEXT_MAX, "%s%lluh%llum%s", sign, minutes / 60, minutes % 60,
                 seconds);
    else if (minutes)
        snprintf(out, DURATION_TEXT_MAX, "%s%llum%s", sign, minutes, seconds);
    else
        snprintf(out, DURATION_TEXT_MAX, "%s%s", sign, seconds);
}

struct slice duration_text(struct arena *a, int64_t ns)
{
    char out[DURATION_TEXT_MAX];

    duration_put(out, ns);
    return arena_copy(a, slice_text(out));
}

bool time_or_duration_read(struct slice text, struct time_or_duration *t, struct err *e)
{
    *t = (struct time_or_duration){0};
    if (!text.n)
        return true;
    if (rfc3339_read(text, &t->at)) {
        t->set = true;
        return true;
    }
    struct err why = {0};
    if (!duration_read(text, &t->ns, &why)) {
        err_move(e, &why);
        return err_wrap(e, "neither an RFC 3339 time nor a duration");
    }
    t->set = t->relative = true;
    return true;
}

struct instant time_or_duration_from(const struct time_or_duration *t, struct instant base)
{
    if (!t->set)
        return base;
    return t->relative ? instant_add(base, t->ns) : t->at;
}
