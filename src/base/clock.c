/*
 * Instants, civil time, the texts of time, deadlines, and the system's clock and randomness.
 *
 * Calendar arithmetic is ours: gmtime_r and timegm depend on nothing we want (locale, errno, the
 * width of tm_year) and the two functions are short.  Both count days from 0000-03-01, so that the
 * leap day is the last day of a "year" of the count.
 */
#include "base/clock.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define DAY      INT64_C(86400)
#define SEC_MIN  INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define SEC_MAX  INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define NSEC_MAX 999999999u

/* --- The system ------------------------------------------------------------------------------ */

static struct instant system_now(struct clock *c UNUSED)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (struct instant){ts.tv_sec, (uint32_t)ts.tv_nsec};
}

static int64_t system_mono(struct clock *c UNUSED)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

struct clock CLOCK_SYSTEM = {system_now, system_mono};

static void system_fill(struct rng *r UNUSED, void *p, size_t n)
{
    uint8_t *at = p;

    while (n) {
        /* Up to 256 bytes are never cut short by a signal; what fails then cannot be helped. */
        size_t part = n < 256 ? n : 256;
        if (getentropy(at, part) != 0)
            abort();
        at += part;
        n -= part;
    }
}

struct rng RNG_SYSTEM = {system_fill};

/* --- Instants -------------------------------------------------------------------------------- */

int instant_cmp(struct instant a, struct instant b)
{
    if (a.sec != b.sec)
        return a.sec < b.sec ? -1 : 1;
    return (a.nsec > b.nsec) - (a.nsec < b.nsec);
}

static struct instant saturated(int64_t sec, int64_t nsec)
{
    if (sec < SEC_MIN)
        return (struct instant){SEC_MIN, 0};
    if (sec > SEC_MAX)
        return (struct instant){SEC_MAX, NSEC_MAX};
    return (struct instant){sec, (uint32_t)nsec};
}

struct instant instant_add(struct instant t, int64_t ns)
{
    int64_t sec = ns / NS_PER_SEC;
    int64_t nsec = ns % NS_PER_SEC + (int64_t)t.nsec;

    if (nsec < 0) {
        nsec += NS_PER_SEC;
        sec--;
    } else if (nsec >= NS_PER_SEC) {
        nsec -= NS_PER_SEC;
        sec++;
    }
    if (__builtin_add_overflow(t.sec, sec, &sec))
        return t.sec < 0 ? saturated(INT64_MIN, 0) : saturated(INT64_MAX, 0);
    return saturated(sec, nsec);
}

__extension__ typedef __int128 wide;

int64_t instant_sub(struct instant a, struct instant b)
{
    /* Seconds of any two instants differ by less than 2^65: exact in 128 bits. */
    wide ns = ((wide)a.sec - b.sec) * NS_PER_SEC + ((int64_t)a.nsec - (int64_t)b.nsec);

    if (ns > INT64_MAX)
        return INT64_MAX;
    return ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

/* --- Civil time ------------------------------------------------------------------------------ */

#define DAYS_400_YEARS  146097
#define DAYS_TO_1970    719468                /* from 0000-03-01 */
#define MONTH_OF_DAY(d) ((5 * (d) + 2) / 153) /* months from March */
#define DAY_OF_MONTH(m) ((153 * (m) + 2) / 5)

struct civil instant_civil(struct instant t)
{
    int64_t sec = saturated(t.sec, 0).sec;
    int64_t day = sec / DAY;
    int rest = (int)(sec % DAY);

    if (rest < 0) {
        rest += (int)DAY;
        day--;
    }
    int64_t n = day + DAYS_TO_1970; /* positive: the year is at least 1 */
    int era = (int)(n / DAYS_400_YEARS);
    int in_era = (int)(n % DAYS_400_YEARS);
    int year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int in_year = in_era - (365 * year + year / 4 - year / 100);
    int month = MONTH_OF_DAY(in_year);
    struct civil c = {
        .year = year + era * 400 + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = in_year - DAY_OF_MONTH(month) + 1,
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
        .weekday = (int)(((day + 4) % 7 + 7) % 7), /* 1970-01-01 was a Thursday */
    };
    return c;
}

static bool leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

bool civil_instant(const struct civil *c, struct instant *t)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (c->year < 1 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1)
        return false;
    if (c->day > DAYS[c->month - 1] + (c->month == 2 && leap(c->year)))
        return false;
    if (c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59 || c->second < 0 ||
        c->second > 59)
        return false;
    int year = c->month <= 2 ? c->year - 1 : c->year;
    int month = c->month <= 2 ? c->month + 9 : c->month - 3;
    int era = year / 400, in_era = year % 400;
    int64_t day = (int64_t)era * DAYS_400_YEARS + in_era * 365 + in_era / 4 - in_era / 100 +
                  DAY_OF_MONTH(month) + c->day - 1 - DAYS_TO_1970;
    *t = instant_sec(day * DAY + c->hour * 3600 + c->minute * 60 + c->second);
    return true;
}

/* --- Texts ----------------------------------------------------------------------------------- */

/* Exactly n digits at *at; moves *at behind them. */
static bool digits(struct slice s, size_t *at, size_t n, int *value)
{
    uint64_t v;

    if (s.n - *at < n || !slice_to_u64(slice_sub(s, *at, n), &v))
        return false;
    *at += n;
    *value = (int)v;
    return true;
}

static bool byte(struct slice s, size_t *at, char c)
{
    if (*at >= s.n || s.p[*at] != (uint8_t)c)
        return false;
    ++*at;
    return true;
}

/* "." and at least one digit; what is below a nanosecond is cut. */
static bool fraction(struct slice s, size_t *at, uint32_t *nsec)
{
    uint32_t unit = 100000000;
    size_t first;

    if (!byte(s, at, '.'))
        return true;
    for (first = *at; *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9'; ++*at) {
        *nsec += (uint32_t)(s.p[*at] - '0') * unit;
        unit /= 10;
    }
    return *at > first;
}

static bool zone(struct slice s, size_t *at, int64_t *offset)
{
    int hour, minute;

    *offset = 0;
    if (byte(s, at, 'Z'))
        return true;
    bool west = *at < s.n && s.p[*at] == '-';
    if (!byte(s, at, west ? '-' : '+'))
        return false;
    if (!digits(s, at, 2, &hour) || !byte(s, at, ':') || !digits(s, at, 2, &minute))
        return false;
    if (hour > 23 || minute > 59)
        return false;
    *offset = (hour * 60 + minute) * (west ? -60 : 60);
    return true;
}

bool rfc3339_read(struct slice text, struct instant *t)
{
    struct civil c = {0};
    struct instant read;
    uint32_t nsec = 0;
    int64_t offset;
    size_t at = 0;

    if (!digits(text, &at, 4, &c.year) || !byte(text, &at, '-') ||
        !digits(text, &at, 2, &c.month) || !byte(text, &at, '-') || !digits(text, &at, 2, &c.day))
        return false;
    if (!byte(text, &at, 'T') || !digits(text, &at, 2, &c.hour) || !byte(text, &at, ':') ||
        !digits(text, &at, 2, &c.minute) || !byte(text, &at, ':') ||
        !digits(text, &at, 2, &c.second))
        return false;
    if (!fraction(text, &at, &nsec) || !zone(text, &at, &offset) || at != text.n)
        return false;
    if (!civil_instant(&c, &read))
        return false;
    read.sec -= offset;
    if (read.sec < SEC_MIN || read.sec > SEC_MAX) /* the offset led out of the years 1 to 9999 */
        return false;
    *t = (struct instant){read.sec, nsec};
    return true;
}

struct slice rfc3339(struct arena *a, struct instant t)
{
    struct civil c = instant_civil(t);

    return arena_format(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour,
                        c.minute, c.second);
}

struct slice rfc3339_nano(struct arena *a, struct instant t)
{
    struct civil c = instant_civil(t);
    uint32_t frac = t.nsec;
    int width = 9;

    if (!frac)
        return rfc3339(a, t);
    for (; frac % 10 == 0; frac /= 10)
        width--;
    return arena_format(a, "%04d-%02d-%02dT%02d:%02d:%02d.%0*uZ", c.year, c.month, c.day, c.hour,
                        c.minute, c.second, width, frac);
}

struct slice http_date(struct arena *a, struct instant t)
{
    static const char DAYS[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char MONTHS[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil c = instant_civil(t);

    return arena_format(a, "%s, %02d %s %04d %02d:%02d:%02d GMT", DAYS[c.weekday], c.day,
                        MONTHS[c.month - 1], c.year, c.hour, c.minute, c.second);
}

/* --- Deadlines ------------------------------------------------------------------------------- */

struct deadline deadline_in(struct clock *clock, int64_t ns)
{
    int64_t until;

    if (__builtin_add_overflow(clock->mono_ns(clock), ns, &until))
        until = ns < 0 ? INT64_MIN : INT64_MAX;
    return (struct deadline){until, clock, NULL};
}

bool deadline_ok(struct deadline d, struct err *e)
{
    if (d.cancelled && atomic_load_explicit(d.cancelled, memory_order_acquire))
        return err_set(e, ERR_TIMEOUT, "cancelled");
    if (deadline_left(d) == 0)
        return err_set(e, ERR_TIMEOUT, "deadline exceeded");
    return true;
}

int64_t deadline_left(struct deadline d)
{
    int64_t left;

    if (!d.clock)
        return INT64_MAX;
    if (__builtin_sub_overflow(d.mono_ns, d.clock->mono_ns(d.clock), &left))
        return d.mono_ns < 0 ? 0 : INT64_MAX;
    return left > 0 ? left : 0;
}
