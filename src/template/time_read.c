/*
 * Times read by layouts.  A reading is collected part by part and judged at the end: the day must
 * exist, an offset wins over an abbreviation, and an abbreviation that the local zone does not know
 * makes a zone of its own with offset zero.
 */
#include "template/layout.h"

struct reading {
    struct slice s; /* what is left */
    int64_t year;
    int month, day, yearday, hour, minute, second;
    uint32_t nsec;
    bool pm, am, utc, has_offset;
    int32_t offset;
    struct slice zone;
    const char *range; /* what is out of its range */
};

static bool digit_at(struct slice s, size_t i)
{
    return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

/* One or two digits; fixed: two. */
static bool number(struct slice *s, bool fixed, int *v)
{
    if (!digit_at(*s, 0) || (fixed && !digit_at(*s, 1)))
        return false;
    size_t n = digit_at(*s, 1) ? 2 : 1;
    *v = s->p[0] - '0';
    if (n == 2)
        *v = *v * 10 + (s->p[1] - '0');
    *s = slice_from(*s, n);
    return true;
}

static bool in_range(struct reading *r, int v, int least, int most, const char *what)
{
    if (v < least || v > most)
        r->range = what;
    return true;
}

static bool name_of(struct slice *s, const char (*names)[10], size_t n, size_t length, int *which)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = length ? length : strlen(names[i]);
        if (s->n < size || !slice_eq_case(slice_sub(*s, 0, size), slice_of(names[i], size)))
            continue;
        *which = (int)i;
        *s = slice_from(*s, size);
        return true;
    }
    return false;
}

/* Literal text of the layout; blanks match any number of blanks. */
static bool skip_literal(struct slice *s, struct slice literal)
{
    while (literal.n) {
        if (literal.p[0] != ' ') {
            if (!s->n || s->p[0] != literal.p[0])
                return false;
            literal = slice_from(literal, 1);
            *s = slice_from(*s, 1);
            continue;
        }
        if (s->n && s->p[0] != ' ')
            return false;
        while (literal.n && literal.p[0] == ' ')
            literal = slice_from(literal, 1);
        while (s->n && s->p[0] == ' ')
            *s = slice_from(*s, 1);
    }
    return true;
}

static bool is_point(struct slice s)
{
    return s.n && (s.p[0] == '.' || s.p[0] == ',');
}

/* A point and n digits, of which nine count. */
static bool read_fraction(struct reading *r, size_t n)
{
    if (!is_point(r->s) || r->s.n < n + 1)
        return false;
    r->nsec = 0;
    for (size_t i = 1; i <= 9; i++) {
        if (i <= n && !digit_at(r->s, i))
            return false;
        r->nsec = r->nsec * 10 + (i <= n ? (uint32_t)(r->s.p[i] - '0') : 0);
    }
    r->s = slice_from(r->s, n + 1);
    return true;
}

static size_t count_digits(struct slice s, size_t from)
{
    size_t n = from;

    while (digit_at(s, n))
        n++;
    return n - from;
}

static bool read_second(struct reading *r, const struct part *part, struct slice layout)
{
    struct slice literal;

    if (!number(&r->s, part->fill == '0', &r->second))
        return false;
    in_range(r, r->second, 0, 59, "second");
    if (r->range || !is_point(r->s) || !digit_at(r->s, 1))
        return true;
    /* A fraction that the layout does not ask for. */
    if (layout_next(&layout, &literal).kind == PART_FRACTION)
        return true;
    return read_fraction(r, count_digits(r->s, 1));
}

static bool read_year(struct reading *r, bool two)
{
    size_t n = two ? 2 : 4;

    if (r->s.n < n || count_digits(slice_sub(r->s, 0, n), 0) < n)
        return false;
    r->year = 0;
    for (size_t i = 0; i < n; i++)
        r->year = r->year * 10 + (r->s.p[i] - '0');
    if (two)
        r->year += r->year >= 69 ? 1900 : 2000;
    r->s = slice_from(r->s, n);
    return true;
}

static bool read_yearday(struct reading *r, const struct part *part)
{
    size_t n = 0;

    for (int i = 0; i < 2 && part->fill == '_' && r->s.n && r->s.p[0] == ' '; i++)
        r->s = slice_from(r->s, 1);
    r->yearday = 0;
    for (; n < 3 && digit_at(r->s, n); n++)
        r->yearday = r->yearday * 10 + (r->s.p[n] - '0');
    r->s = slice_from(r->s, n);
    return n && (part->fill != '0' || n == 3);
}

static bool read_offset(struct reading *r, const struct part *part)
{
    static const char *const WHAT[] = {"time zone offset hour", "time zone offset minute",
                                       "time zone offset second"};
    static const int UNITS[] = {3600, 60, 1};

    if (part->z && r->s.n && r->s.p[0] == 'Z') {
        r->s = slice_from(r->s, 1);
        r->utc = true;
        return true;
    }
    if (!r->s.n || (r->s.p[0] != '+' && r->s.p[0] != '-'))
        return false;
    bool negative = r->s.p[0] == '-';
    r->s = slice_from(r->s, 1);
    r->offset = 0;
    for (int i = 0; i < part->units; i++) {
        int v;
        if (i && part->colon && !skip_literal(&r->s, SLICE(":")))
            return false;
        if (!number(&r->s, true, &v))
            return false;
        in_range(r, v, 0, i ? 60 : 24, WHAT[i]);
        r->offset += v * UNITS[i];
    }
    if (negative)
        r->offset = -r->offset;
    r->has_offset = r->offset != -1; /* the reference's mark for none */
    return true;
}

/* "+03" behind GMT or alone: how long it is, 0 when it is none. */
static size_t signed_offset(struct slice s)
{
    size_t n = s.n > 1 && (s.p[0] == '+' || s.p[0] == '-') ? count_digits(s, 1) : 0;
    int v = 0;

    if (!n)
        return 0;
    for (size_t i = 1; i <= n && v <= 23; i++)
        v = v * 10 + (s.p[i] - '0');
    return v > 23 ? 0 : n + 1;
}

static size_t zone_length(struct slice s)
{
    size_t upper = 0;

    if (s.n < 3)
        return 0;
    if (slice_starts(s, "ChST") || slice_starts(s, "MeST"))
        return 4;
    if (slice_starts(s, "GMT"))
        return 3 + signed_offset(slice_from(s, 3));
    if (s.p[0] == '+' || s.p[0] == '-')
        return signed_offset(s);
    while (upper < 6 && upper < s.n && s.p[upper] >= 'A' && s.p[upper] <= 'Z')
        upper++;
    if (upper == 5 || upper == 4)
        return s.p[upper - 1] == 'T' || (upper == 4 && slice_starts(s, "WITA")) ? upper : 0;
    return upper == 3 ? 3 : 0;
}

static bool read_zone(struct reading *r)
{
    if (slice_starts(r->s, "UTC")) {
        r->utc = true;
        r->s = slice_from(r->s, 3);
        return true;
    }
    size_t n = zone_length(r->s);
    r->zone = slice_sub(r->s, 0, n);
    r->s = slice_from(r->s, n);
    return n > 0;
}

static bool read_half(struct reading *r, bool lower)
{
    r->pm = slice_starts(r->s, lower ? "pm" : "PM");
    r->am = slice_starts(r->s, lower ? "am" : "AM");
    r->s = slice_from(r->s, 2);
    return r->pm || r->am;
}

static bool read_fraction_part(struct reading *r, const struct part *part)
{
    if (!part->trim)
        return read_fraction(r, (size_t)part->digits);
    if (!is_point(r->s) || !digit_at(r->s, 1))
        return true;
    return read_fraction(r, count_digits(r->s, 1));
}

static bool read_part(struct reading *r, const struct part *part, struct slice layout)
{
    bool fixed = part->fill == '0';
    int ignored;

    switch (part->kind) {
    case PART_YEAR:
    case PART_YEAR2:
        return read_year(r, part->kind == PART_YEAR2);
    case PART_MONTH_NAME:
    case PART_MONTH_SHORT:
        if (!name_of(&r->s, MONTHS, 12, part->kind == PART_MONTH_SHORT ? 3 : 0, &r->month))
            return false;
        r->month++;
        return true;
    case PART_MONTH:
        return number(&r->s, fixed, &r->month) && in_range(r, r->month, 1, 12, "month");
    case PART_WEEKDAY_NAME:
    case PART_WEEKDAY_SHORT:
        return name_of(&r->s, WEEKDAYS, 7, part->kind == PART_WEEKDAY_SHORT ? 3 : 0, &ignored);
    case PART_DAY:
        if (part->fill == '_' && r->s.n && r->s.p[0] == ' ')
            r->s = slice_from(r->s, 1);
        return number(&r->s, fixed, &r->day);
    case PART_YEARDAY:
        return read_yearday(r, part);
    case PART_HOUR:
        return number(&r->s, false, &r->hour) && in_range(r, r->hour, 0, 23, "hour");
    case PART_HOUR12:
        return number(&r->s, fixed, &r->hour) && in_range(r, r->hour, 0, 12, "hour");
    case PART_MINUTE:
        return number(&r->s, fixed, &r->minute) && in_range(r, r->minute, 0, 59, "minute");
    case PART_SECOND:
        return read_second(r, part, layout);
    case PART_AM:
        return read_half(r, part->lower);
    case PART_OFFSET:
        return read_offset(r, part);
    case PART_ZONE:
        return read_zone(r);
    default:
        return read_fraction_part(r, part);
    }
}

/* --- What the parts mean --------------------------------------------------------------------- */

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int month, int64_t year)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : DAYS[month - 1];
}

static const char *settle_day(struct reading *r)
{
    int month = 1, day = r->yearday;

    if (r->yearday < 0) {
        r->month = r->month < 0 ? 1 : r->month;
        r->day = r->day < 0 ? 1 : r->day;
        return r->day < 1 || r->day > days_in(r->month, r->year) ? "day out of range" : NULL;
    }
    if (day < 1 || day > 365 + is_leap(r->year))
        return "day-of-year out of range";
    for (; day > days_in(month, r->year); month++)
        day -= days_in(month, r->year);
    if ((r->month >= 0 && r->month != month) || (r->day >= 0 && r->day != day))
        return "day-of-year does not match the date";
    r->month = month;
    r->day = day;
    return NULL;
}

static int32_t gmt_offset(struct slice zone)
{
    int64_t hours = 0;

    if (zone.n > 3 && slice_starts(zone, "GMT") && number_int(slice_from(zone, 3), 10, &hours))
        return (int32_t)(hours * 3600);
    return 0;
}

static void settle_zone(struct arena *a, const struct reading *r, const struct tzone *usual,
                        const struct tzone *local, struct ttime *out)
{
    int64_t sec = civil_seconds(r->year, r->month, r->day, r->hour, r->minute, r->second);
    struct slice name;
    int32_t offset;

    *out = (struct ttime){.at = {sec, r->nsec}};
    if (r->utc)
        return;
    if (r->has_offset) {
        out->at.sec -= r->offset;
        offset = zone_at(local, out->at.sec, &name);
        bool same = offset == r->offset && (!r->zone.n || slice_eq(name, r->zone));
        out->zone = same ? local : zone_fixed(a, r->zone, r->offset);
    } else if (r->zone.n) {
        bool known = zone_abbreviation(local, r->zone, sec, &offset);
        out->at.sec -= known ? offset : 0;
        out->zone = known ? local : zone_fixed(a, r->zone, gmt_offset(r->zone));
    } else {
        out->at.sec = zone_resolve(usual, sec);
        out->zone = usual;
    }
    if (zone_is_utc(out->zone))
        out->zone = NULL;
}

bool time_read(struct trun *run, struct slice layout, struct slice text, const struct tzone *usual,
               const struct tzone *local, struct ttime *out, const char **why)
{
    struct reading r = {.s = text, .month = -1, .day = -1, .yearday = -1};
    struct slice literal;

    *out = (struct ttime){.at = INSTANT_ZERO_GO};
    for (;;) {
        struct part part = layout_next(&layout, &literal);
        *why = "the text does not fit the layout";
        if (!skip_literal(&r.s, literal))
            return false;
        if (part.kind == PART_NONE)
            break;
        if (!read_part(&r, &part, layout))
            return false;
        if (r.range) {
            *why = arena_printf(run->a, "%s out of range", r.range);
            return false;
        }
    }
    *why = "extra text behind the time";
    if (r.s.n)
        return false;
    if (r.pm && r.hour < 12)
        r.hour += 12;
    else if (r.am && r.hour == 12)
        r.hour = 0;
    *why = settle_day(&r);
    if (*why)
        return false;
    settle_zone(run->a, &r, usual, local, out);
    return true;
}
