/* The types of times and durations, and the methods that templates call on them. */
#include "base/duration.h"
#include "template/internal.h"

#define METHOD(symbol)                                                                             \
    static bool symbol(struct trun *run, const struct tvalue *self, const struct tvalue *args,     \
                       struct tvalue *out)
#define UNUSED_ALL (void)run, (void)self, (void)args

static bool time_text(const struct tvalue *v, struct buf *b)
{
    time_put_plain(b, v->time);
    return true;
}

static bool time_json(const struct tvalue *v, struct buf *b)
{
    return time_put_json(b, v->time);
}

struct tvalue time_value(struct trun *run, struct ttime t)
{
    struct ttime *made = run_alloc(run, sizeof(*made));

    *made = t;
    return (struct tvalue){.kind = T_TIME, .type = &TTYPE_TIME, .time = made};
}

static struct tvalue duration_value(int64_t ns)
{
    return (struct tvalue){.kind = T_INT, .type = &TTYPE_DURATION, .i = ns};
}

/* --- Times ----------------------------------------------------------------------------------- */

METHOD(m_format)
{
    struct buf b = run_buf(run);

    time_put(&b, self->time, args[0].text);
    return run_text(run, &b, out);
}

METHOD(m_string)
{
    struct buf b = run_buf(run);

    (void)args;
    time_put_plain(&b, self->time);
    return run_text(run, &b, out);
}

/* Nanoseconds of 64 bits, going round as the reference's do. */
static int64_t since_epoch(const struct ttime *t, int64_t unit)
{
    return (int64_t)((uint64_t)t->at.sec * (uint64_t)(NS_PER_SEC / unit)) +
           (int64_t)t->at.nsec / unit;
}

#define NUMBER(symbol, expression)                                                                 \
    METHOD(symbol)                                                                                 \
    {                                                                                              \
        UNUSED_ALL;                                                                                \
        *out = (expression);                                                                       \
        return true;                                                                               \
    }
NUMBER(m_unix, tvalue_int64(self->time->at.sec))
NUMBER(m_unix_milli, tvalue_int64(since_epoch(self->time, NS_PER_MS)))
NUMBER(m_unix_micro, tvalue_int64(since_epoch(self->time, 1000)))
NUMBER(m_unix_nano, tvalue_int64(since_epoch(self->time, 1)))
NUMBER(m_year, tvalue_int(civil_of(self->time).year))
NUMBER(m_day, tvalue_int(civil_of(self->time).day))
NUMBER(m_hour, tvalue_int(civil_of(self->time).hour))
NUMBER(m_minute, tvalue_int(civil_of(self->time).minute))
NUMBER(m_second, tvalue_int(civil_of(self->time).second))
NUMBER(m_nanosecond, tvalue_int(self->time->at.nsec))
NUMBER(m_year_day, tvalue_int(civil_of(self->time).yearday))
NUMBER(m_is_zero, tvalue_bool(instant_is_zero(self->time->at)))
NUMBER(m_after, tvalue_bool(instant_cmp(self->time->at, args[0].time->at) > 0))
NUMBER(m_before, tvalue_bool(instant_cmp(self->time->at, args[0].time->at) < 0))
NUMBER(m_equal, tvalue_bool(instant_cmp(self->time->at, args[0].time->at) == 0))
NUMBER(m_compare, tvalue_int(instant_cmp(self->time->at, args[0].time->at)))
NUMBER(m_sub, duration_value(instant_sub(self->time->at, args[0].time->at)))

METHOD(m_month)
{
    UNUSED_ALL;
    *out = (struct tvalue){.kind = T_INT, .type = &TTYPE_MONTH, .i = civil_of(self->time).month};
    return true;
}

METHOD(m_weekday)
{
    UNUSED_ALL;
    *out =
        (struct tvalue){.kind = T_INT, .type = &TTYPE_WEEKDAY, .i = civil_of(self->time).weekday};
    return true;
}

METHOD(m_utc)
{
    (void)args;
    *out = time_value(run, (struct ttime){.at = self->time->at});
    return true;
}

METHOD(m_local)
{
    struct ttime t = {.at = self->time->at, .zone = zone_local(run)};

    (void)args;
    if (zone_is_utc(t.zone))
        t.zone = NULL;
    *out = time_value(run, t);
    return true;
}

/* Any instant of 64-bit seconds: no saturation at the calendar's ends. */
static struct instant plus(struct instant at, int64_t ns)
{
    int64_t nsec = (int64_t)at.nsec + ns % NS_PER_SEC, sec = ns / NS_PER_SEC;

    if (nsec < 0) {
        nsec += NS_PER_SEC;
        sec--;
    } else if (nsec >= NS_PER_SEC) {
        nsec -= NS_PER_SEC;
        sec++;
    }
    return (struct instant){(int64_t)((uint64_t)at.sec + (uint64_t)sec), (uint32_t)nsec};
}

METHOD(m_add)
{
    struct ttime t = *self->time;

    t.at = plus(t.at, args[0].i);
    t.mono += args[0].i;
    *out = time_value(run, t);
    return true;
}

METHOD(m_add_date)
{
    struct tcivil c = civil_of(self->time);
    struct ttime t = {.zone = self->time->zone};
    const int64_t LIMIT = INT64_C(1000000000);

    for (int i = 0; i < 3; i++)
        if (args[i].i > LIMIT || args[i].i < -LIMIT)
            return trun_fail(run, "AddDate: out of range");
    t.at.sec = zone_resolve(t.zone, civil_seconds(c.year + args[0].i, c.month + args[1].i,
                                                  c.day + args[2].i, c.hour, c.minute, c.second));
    t.at.nsec = self->time->at.nsec;
    *out = time_value(run, t);
    return true;
}

/* Down to a multiple of the duration since the year 1. */
/* What is beyond a multiple of d since the zero time. */
static int64_t beyond(struct instant at, int64_t d)
{
    __int128 since = ((__int128)at.sec - INSTANT_ZERO_GO.sec) * NS_PER_SEC + at.nsec;
    int64_t rest = (int64_t)(since % d);

    return rest < 0 ? rest + d : rest;
}

METHOD(m_truncate)
{
    struct ttime t = {.at = self->time->at, .zone = self->time->zone};

    if (args[0].i > 0)
        t.at = plus(t.at, -beyond(t.at, args[0].i));
    *out = time_value(run, t);
    return true;
}

/* Halves go up. */
METHOD(m_round)
{
    struct ttime t = {.at = self->time->at, .zone = self->time->zone};
    int64_t d = args[0].i, rest = d > 0 ? beyond(t.at, d) : 0;

    if (rest > 0)
        t.at = plus(t.at, rest < d - rest ? -rest : d - rest);
    *out = time_value(run, t);
    return true;
}

static const struct tmethod TIME_METHODS[] = {
    {"Format", "s", m_format},
    {"String", "", m_string},
    {"Unix", "", m_unix},
    {"UnixMilli", "", m_unix_milli},
    {"UnixMicro", "", m_unix_micro},
    {"UnixNano", "", m_unix_nano},
    {"UTC", "", m_utc},
    {"Local", "", m_local},
    {"Year", "", m_year},
    {"Month", "", m_month},
    {"Day", "", m_day},
    {"Hour", "", m_hour},
    {"Minute", "", m_minute},
    {"Second", "", m_second},
    {"Nanosecond", "", m_nanosecond},
    {"Weekday", "", m_weekday},
    {"YearDay", "", m_year_day},
    {"IsZero", "", m_is_zero},
    {"Add", "d", m_add},
    {"AddDate", "iii", m_add_date},
    {"Sub", "t", m_sub},
    {"After", "t", m_after},
    {"Before", "t", m_before},
    {"Equal", "t", m_equal},
    {"Compare", "t", m_compare},
    {"Truncate", "d", m_truncate},
    {"Round", "d", m_round},
};
const struct ttype TTYPE_TIME = {
    .name = "time.Time",
    .kind = "struct",
    .is = T_TIME,
    .methods = TIME_METHODS,
    .n_methods = COUNT_OF(TIME_METHODS),
    .text = time_text,
    .json = time_json,
};

/* --- Durations ------------------------------------------------------------------------------- */

static bool duration_own_text(const struct tvalue *v, struct buf *b)
{
    char text[DURATION_TEXT_MAX];

    duration_put(text, v->i);
    buf_text(b, text);
    return true;
}

METHOD(m_duration_string)
{
    struct buf b = run_buf(run);

    (void)args;
    duration_own_text(self, &b);
    return run_text(run, &b, out);
}

/* Whole units and the rest apart: the sum is rounded once. */
static double in_units(int64_t ns, int64_t unit)
{
    return (double)(ns / unit) + (double)(ns % unit) / (double)unit;
}

NUMBER(m_hours, tvalue_float(in_units(self->i, 3600 * NS_PER_SEC)))
NUMBER(m_minutes, tvalue_float(in_units(self->i, 60 * NS_PER_SEC)))
NUMBER(m_seconds, tvalue_float(in_units(self->i, NS_PER_SEC)))
NUMBER(m_milliseconds, tvalue_int64(self->i / NS_PER_MS))
NUMBER(m_microseconds, tvalue_int64(self->i / 1000))
NUMBER(m_nanoseconds, tvalue_int64(self->i))

METHOD(m_duration_truncate)
{
    int64_t d = args[0].i;

    (void)run;
    *out = duration_value(d > 0 ? self->i - self->i % d : self->i);
    return true;
}

/* Halves go away from zero; what leaves the range stays at its end. */
METHOD(m_duration_round)
{
    int64_t d = args[0].i, ns = self->i, rest = d > 0 ? ns % d : 0, rounded;

    (void)run;
    *out = duration_value(ns - rest);
    if (rest > 0 && rest >= d - rest)
        *out = duration_value(__builtin_add_overflow(ns - rest, d, &rounded) ? INT64_MAX : rounded);
    if (rest < 0 && -rest >= d + rest)
        *out = duration_value(__builtin_sub_overflow(ns - rest, d, &rounded) ? INT64_MIN : rounded);
    return true;
}

NUMBER(m_abs, duration_value(self->i == INT64_MIN ? INT64_MAX : self->i < 0 ? -self->i : self->i))

static const struct tmethod DURATION_METHODS[] = {
    {"Hours", "", m_hours},
    {"Minutes", "", m_minutes},
    {"Seconds", "", m_seconds},
    {"Milliseconds", "", m_milliseconds},
    {"Microseconds", "", m_microseconds},
    {"Nanoseconds", "", m_nanoseconds},
    {"String", "", m_duration_string},
    {"Truncate", "d", m_duration_truncate},
    {"Round", "d", m_duration_round},
    {"Abs", "", m_abs},
};
const struct ttype TTYPE_DURATION = {
    .name = "time.Duration",
    .kind = "int64",
    .is = T_INT,
    .methods = DURATION_METHODS,
    .n_methods = COUNT_OF(DURATION_METHODS),
    .text = duration_own_text,
};
