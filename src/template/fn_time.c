/* Functions on times and durations. */
#include "base/duration.h"
#include "template/internal.h"

static struct ttime now_in(struct trun *run, const struct tzone *zone)
{
    return (struct ttime){.at = run_now(run), .zone = zone_is_utc(zone) ? NULL : zone};
}

static bool fn_now(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct ttime t = now_in(run, zone_local(run));

    (void)args, (void)n;
    t.has_mono = true;
    t.mono = run->clock->mono_ns(run->clock);
    *out = time_value(run, t);
    return true;
}

/* A time, or a number of seconds of one of these types; floats: only where `floats`. */
static bool instant_of(const struct tvalue *v, bool floats, struct ttime *t)
{
    if (v->kind == T_TIME) {
        *t = *v->time;
        return true;
    }
    bool whole = v->type == &TTYPE_INT || v->type == &TTYPE_INT64 || v->type == &TTYPE_INT32;
    if (!whole && !(floats && v->type == &TTYPE_FLOAT))
        return false;
    *t = (struct ttime){.at = {whole ? v->i : float_to_int(v->f), 0}};
    return true;
}

static struct ttime utc_of(struct trun *run, const struct tvalue *v)
{
    struct ttime t;

    if (!instant_of(v, true, &t))
        t = now_in(run, NULL);
    t.zone = NULL;
    return t;
}

static bool fn_to_time(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct ttime t = utc_of(run, &args[0]);

    (void)n;
    t.has_mono = false;
    *out = time_value(run, t);
    return true;
}

static bool formatted(struct trun *run, const struct ttime *t, struct slice layout,
                      struct tvalue *out)
{
    struct buf b = run_buf(run);

    time_put(&b, t, layout);
    return run_text(run, &b, out);
}

static bool fn_format_time(struct trun *run, const struct tvalue *args, size_t n,
                           struct tvalue *out)
{
    struct ttime t = utc_of(run, &args[0]);

    (void)n;
    return formatted(run, &t, SLICE("2006-01-02T15:04:05Z07:00"), out);
}

/* --- Reading times --------------------------------------------------------------------------- */

static bool parse(struct trun *run, const struct tvalue *args, size_t n, struct ttime *t,
                  const char **why)
{
    const struct tzone *zone = NULL, *local = zone_local(run);
    struct slice layout = SLICE("2006-01-02T15:04:05Z07:00");

    *t = (struct ttime){.at = INSTANT_ZERO_GO};
    *why = "unsupported number of parameters";
    if (n > 3)
        return false;
    if (n == 0) {
        *t = now_in(run, NULL);
        return true;
    }
    if (n > 1)
        layout = time_layout(args[0].text);
    if (n > 2) {
        *why = "unknown time zone";
        zone = slice_is(args[2].text, "Local") ? local : zone_load(run, args[2].text);
        if (!zone)
            return false;
        local = zone;
    }
    return time_read(run, layout, args[n > 1].text, zone, local, t, why);
}

static bool fn_parse_time(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct ttime t;
    const char *why;

    if (!parse(run, args, n, &t, &why))
        t = (struct ttime){.at = INSTANT_ZERO_GO};
    *out = time_value(run, t);
    return true;
}

static bool fn_must_parse_time(struct trun *run, const struct tvalue *args, size_t n,
                               struct tvalue *out)
{
    struct ttime t;
    const char *why;

    if (!parse(run, args, n, &t, &why))
        return run_fail(run, "parsing time: %s", why);
    *out = time_value(run, t);
    return true;
}

static bool fn_to_time_layout(struct trun *run, const struct tvalue *args, size_t n,
                              struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_text(time_layout(args[0].text));
    return true;
}

static bool fn_must_to_date(struct trun *run, const struct tvalue *args, size_t n,
                            struct tvalue *out)
{
    const struct tzone *local = zone_local(run);
    struct ttime t;
    const char *why;

    (void)n;
    if (!time_read(run, args[0].text, args[1].text, local, local, &t, &why))
        return run_fail(run, "parsing time: %s", why);
    *out = time_value(run, t);
    return true;
}

static bool fn_to_date(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    const struct tzone *local = zone_local(run);
    struct ttime t;
    const char *why;

    (void)n;
    if (!time_read(run, args[0].text, args[1].text, local, local, &t, &why))
        t = (struct ttime){.at = INSTANT_ZERO_GO};
    *out = time_value(run, t);
    return true;
}

/* --- Writing times --------------------------------------------------------------------------- */

static bool date_in(struct trun *run, struct slice layout, const struct tvalue *v,
                    struct slice zone, struct tvalue *out)
{
    struct ttime t;

    if (!instant_of(v, false, &t))
        t = now_in(run, NULL);
    t.zone = slice_is(zone, "Local") ? zone_local(run) : zone_load(run, zone);
    return formatted(run, &t, layout, out);
}

static bool fn_date(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return date_in(run, args[0].text, &args[1], SLICE("Local"), out);
}

static bool fn_date_in_zone(struct trun *run, const struct tvalue *args, size_t n,
                            struct tvalue *out)
{
    (void)n;
    return date_in(run, args[0].text, &args[1], args[2].text, out);
}

static bool fn_html_date(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return date_in(run, SLICE("2006-01-02"), &args[0], SLICE("Local"), out);
}

static bool fn_html_date_in_zone(struct trun *run, const struct tvalue *args, size_t n,
                                 struct tvalue *out)
{
    (void)n;
    return date_in(run, SLICE("2006-01-02"), &args[0], args[1].text, out);
}

static bool fn_unix_epoch(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    *out = tvalue_text(arena_format(run->a, "%lld", (long long)args[0].time->at.sec));
    return true;
}

/* --- Durations ------------------------------------------------------------------------------- */

static struct tvalue later(struct trun *run, const struct ttime *from, int64_t ns)
{
    static const struct slice ADD = {(const uint8_t *)"Add", 3};
    struct tvalue self = time_value(run, *from), by = {.kind = T_INT, .type = &TTYPE_DURATION};
    struct tvalue out = self;

    by.i = ns;
    for (size_t i = 0; i < TTYPE_TIME.n_methods; i++)
        if (slice_is(ADD, TTYPE_TIME.methods[i].name))
            (void)TTYPE_TIME.methods[i].call(run, &self, &by, &out);
    return out;
}

static bool fn_must_date_modify(struct trun *run, const struct tvalue *args, size_t n,
                                struct tvalue *out)
{
    struct err e = {0};
    int64_t ns;

    (void)n;
    if (!duration_read(args[0].text, &ns, &e))
        return run_fail(run, "%s", e.text);
    *out = later(run, args[1].time, ns);
    return true;
}

static bool fn_date_modify(struct trun *run, const struct tvalue *args, size_t n,
                           struct tvalue *out)
{
    int64_t ns;

    (void)n;
    *out = args[1];
    if (duration_read(args[0].text, &ns, NULL))
        *out = later(run, args[1].time, ns);
    return true;
}

static bool duration_out(struct trun *run, int64_t ns, struct tvalue *out)
{
    *out = tvalue_text(duration_text(run->a, ns));
    return true;
}

/* Half a second and more counts as one. */
static int64_t whole_seconds(int64_t ns)
{
    int64_t rest = ns % NS_PER_SEC, size = rest < 0 ? -rest : rest;

    ns -= rest;
    if (size + size < NS_PER_SEC)
        return ns;
    int64_t more = rest < 0 ? -NS_PER_SEC : NS_PER_SEC, sum;
    if (__builtin_add_overflow(ns, more, &sum))
        return rest < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static bool fn_ago(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct instant now = run_now(run);
    struct ttime t = {.at = now};

    (void)n;
    if (args[0].type != &TTYPE_INT32)
        (void)instant_of(&args[0], false, &t);
    return duration_out(run, whole_seconds(instant_sub(now, t.at)), out);
}

static bool fn_duration(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t seconds = 0;

    (void)n;
    if (args[0].type == &TTYPE_TEXT && !number_int(args[0].text, 10, &seconds))
        seconds = 0;
    else if (args[0].type == &TTYPE_INT64)
        seconds = args[0].i;
    return duration_out(run, (int64_t)((uint64_t)seconds * (uint64_t)NS_PER_SEC), out);
}

static bool fn_duration_round(struct trun *run, const struct tvalue *args, size_t n,
                              struct tvalue *out)
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } UNITS[] = {{31536000, "y"}, {2592000, "mo"}, {86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    int64_t ns = 0;

    (void)n;
    if (args[0].type == &TTYPE_TEXT && !duration_read(args[0].text, &ns, NULL))
        ns = 0;
    else if (args[0].type == &TTYPE_INT64)
        ns = args[0].i;
    else if (args[0].kind == T_TIME)
        ns = instant_sub(run_now(run), args[0].time->at);
    uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
        uint64_t unit = UNITS[i].seconds * (uint64_t)NS_PER_SEC;
        if (size <= unit)
            continue;
        *out = tvalue_text(
            arena_format(run->a, "%llu%s", (unsigned long long)(size / unit), UNITS[i].name));
        return true;
    }
    *out = tvalue_text(SLICE("0s"));
    return true;
}

static const struct tfunc TIMES[] = {
    {"toTime", "a", fn_to_time, FUNCTION_TIME},
    {"formatTime", "a", fn_format_time, FUNCTION_TIME},
    {"parseTime", "s*", fn_parse_time, FUNCTION_TIME},
    {"mustParseTime", "s*", fn_must_parse_time, FUNCTION_TIME},
    {"toTimeLayout", "s", fn_to_time_layout, FUNCTION_TIME},
};
const struct function_table FUNCTIONS_TIME = {TIMES, COUNT_OF(TIMES)};

static const struct tfunc DATES[] = {
    {"now", "", fn_now, 0},
    {"date", "sa", fn_date, 0},
    {"dateInZone", "sas", fn_date_in_zone, 0},
    {"date_in_zone", "sas", fn_date_in_zone, 0},
    {"htmlDate", "a", fn_html_date, 0},
    {"htmlDateInZone", "as", fn_html_date_in_zone, 0},
    {"dateModify", "st", fn_date_modify, 0},
    {"date_modify", "st", fn_date_modify, 0},
    {"mustDateModify", "st", fn_must_date_modify, 0},
    {"must_date_modify", "st", fn_must_date_modify, 0},
    {"toDate", "ss", fn_to_date, 0},
    {"mustToDate", "ss", fn_must_to_date, 0},
    {"unixEpoch", "t", fn_unix_epoch, 0},
    {"ago", "a", fn_ago, 0},
    {"duration", "a", fn_duration, 0},
    {"durationRound", "a", fn_duration_round, 0},
};
const struct function_table FUNCTIONS_DATE = {DATES, COUNT_OF(DATES)};
