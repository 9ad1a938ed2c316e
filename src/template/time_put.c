/* Times by the calendar, and written by layouts. */
#include "template/layout.h"

const char MONTHS[12][10] = {"January", "February", "March",     "April",   "May",      "June",
                             "July",    "August",   "September", "October", "November", "December"};
const char WEEKDAYS[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                              "Thursday", "Friday", "Saturday"};

/* Days since 1970-01-01 of a proleptic Gregorian date; the year is counted from March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, in_era = year - era * 400;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468 + (day - 1);
}

int64_t civil_seconds(int64_t year, int64_t month, int64_t day, int64_t hour, int64_t minute,
                      int64_t second)
{
    int64_t months = month - 1, years = months >= 0 ? months / 12 : -((11 - months) / 12);

    uint64_t days = (uint64_t)days_of(year + years, months - years * 12 + 1, day);
    /* Beyond 64 bits the reference goes round, and so do we. */
    return (int64_t)(days * 86400 + (uint64_t)hour * 3600 + (uint64_t)minute * 60 +
                     (uint64_t)second);
}

#define FIRST_YEAR INT64_C(-292277022400)

struct tcivil civil_of(const struct ttime *t)
{
    struct tcivil c = {0};

    c.offset = zone_at(t->zone, t->at.sec, &c.zone);
    /* Counted from the first year that 64 bits of seconds reach, so that nothing is negative. */
    int64_t first = days_of(FIRST_YEAR, 3, 1);
    uint64_t sec = (uint64_t)t->at.sec + (uint64_t)c.offset - (uint64_t)first * 86400;
    int64_t days = (int64_t)(sec / 86400) + first, rest = (int64_t)(sec % 86400);
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest / 60 % 60);
    c.second = (int)(rest % 60);
    c.weekday = (int)(((days + 4) % 7 + 7) % 7);
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, in_era = z - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;
    c.day = (int)(in_year - (153 * month + 2) / 5 + 1);
    c.month = (int)(month < 10 ? month + 3 : month - 9);
    c.year = year + era * 400 + (c.month <= 2);
    c.yearday = (int)(days - days_of(c.year, 1, 1) + 1);
    return c;
}

/* Filled to at least width; a sign does not count. */
static void put_number(struct buf *b, int64_t v, int width)
{
    if (v < 0)
        buf_byte(b, '-');
    buf_printf(b, "%0*lld", width, (long long)(v < 0 ? -v : v));
}

static void put_filled(struct buf *b, int v, char fill, int width)
{
    if (fill == '_')
        buf_printf(b, "%*d", width, v);
    else
        put_number(b, v, fill ? width : 1);
}

static void put_offset(struct buf *b, int32_t offset, const struct part *part)
{
    int32_t minutes = offset / 60, size = minutes < 0 ? -offset : offset;

    if (!offset && part->z)
        return buf_byte(b, 'Z');
    buf_byte(b, minutes < 0 ? '-' : '+');
    minutes = minutes < 0 ? -minutes : minutes;
    put_number(b, minutes / 60, 2);
    if (part->colon)
        buf_byte(b, ':');
    if (part->units > 1)
        put_number(b, minutes % 60, 2);
    if (part->units > 2) {
        if (part->colon)
            buf_byte(b, ':');
        put_number(b, size % 60, 2);
    }
}

static void put_fraction(struct buf *b, uint32_t nsec, const struct part *part)
{
    char text[10];
    int n = part->digits < 9 ? part->digits : 9;

    for (int i = 8; i >= 0; i--, nsec /= 10)
        text[i] = (char)('0' + nsec % 10);
    while (part->trim && n > 0 && text[n - 1] == '0')
        n--;
    if (part->trim && !n)
        return;
    buf_byte(b, part->point);
    buf_put(b, slice_of(text, (size_t)n));
}

static void put_part(struct buf *b, const struct tcivil *c, uint32_t nsec, const struct part *part)
{
    static const struct part PLAIN_OFFSET = {.kind = PART_OFFSET, .units = 2};
    int hour12 = c->hour % 12 ? c->hour % 12 : 12;

    switch (part->kind) {
    case PART_YEAR:
        return put_number(b, c->year, 4);
    case PART_YEAR2:
        return put_number(b, (c->year < 0 ? -c->year : c->year) % 100, 2);
    case PART_MONTH_NAME:
        return buf_text(b, MONTHS[c->month - 1]);
    case PART_MONTH_SHORT:
        return buf_put(b, slice_of(MONTHS[c->month - 1], 3));
    case PART_MONTH:
        return put_filled(b, c->month, part->fill, 2);
    case PART_DAY:
        return put_filled(b, c->day, part->fill, 2);
    case PART_YEARDAY:
        return put_filled(b, c->yearday, part->fill, 3);
    case PART_WEEKDAY_NAME:
        return buf_text(b, WEEKDAYS[c->weekday]);
    case PART_WEEKDAY_SHORT:
        return buf_put(b, slice_of(WEEKDAYS[c->weekday], 3));
    case PART_HOUR:
        return put_number(b, c->hour, 2);
    case PART_HOUR12:
        return put_filled(b, hour12, part->fill, 2);
    case PART_MINUTE:
        return put_filled(b, c->minute, part->fill, 2);
    case PART_SECOND:
        return put_filled(b, c->second, part->fill, 2);
    case PART_AM:
        return buf_text(b, part->lower ? (c->hour >= 12 ? "pm" : "am")
                                       : (c->hour >= 12 ? "PM" : "AM"));
    case PART_ZONE:
        if (c->zone.n)
            return buf_put(b, c->zone);
        return put_offset(b, c->offset, &PLAIN_OFFSET);
    case PART_OFFSET:
        return put_offset(b, c->offset, part);
    case PART_FRACTION:
        return put_fraction(b, nsec, part);
    default:
        return;
    }
}

void time_put(struct buf *b, const struct ttime *t, struct slice layout)
{
    struct tcivil c = civil_of(t);
    struct slice literal;

    for (;;) {
        struct part part = layout_next(&layout, &literal);
        buf_put(b, literal);
        if (part.kind == PART_NONE)
            return;
        put_part(b, &c, t->at.nsec, &part);
    }
}

void time_put_plain(struct buf *b, const struct ttime *t)
{
    time_put(b, t, SLICE("2006-01-02 15:04:05.999999999 -0700 MST"));
    if (t->has_mono)
        buf_printf(b, " m=+%lld.%09lld", (long long)(t->mono / NS_PER_SEC),
                   (long long)(t->mono % NS_PER_SEC));
}

bool time_put_json(struct buf *b, const struct ttime *t)
{
    struct tcivil c = civil_of(t);

    if (c.year < 0 || c.year > 9999 || c.offset >= 86400 || c.offset <= -86400)
        return false;
    buf_byte(b, '"');
    time_put(b, t, SLICE("2006-01-02T15:04:05.999999999Z07:00"));
    buf_byte(b, '"');
    return true;
}

struct slice time_layout(struct slice name)
{
    static const struct {
        const char *name, *layout;
    } LAYOUTS[] = {
        {"Layout", "01/02 03:04:05PM '06 -0700"},
        {"ANSIC", "Mon Jan _2 15:04:05 2006"},
        {"UnixDate", "Mon Jan _2 15:04:05 MST 2006"},
        {"RubyDate", "Mon Jan 02 15:04:05 -0700 2006"},
        {"RFC822", "02 Jan 06 15:04 MST"},
        {"RFC822Z", "02 Jan 06 15:04 -0700"},
        {"RFC850", "Monday, 02-Jan-06 15:04:05 MST"},
        {"RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"},
        {"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"},
        {"RFC3339", "2006-01-02T15:04:05Z07:00"},
        {"RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"},
        {"Kitchen", "3:04PM"},
        {"Stamp", "Jan _2 15:04:05"},
        {"StampMilli", "Jan _2 15:04:05.000"},
        {"StampMicro", "Jan _2 15:04:05.000000"},
        {"StampNano", "Jan _2 15:04:05.000000000"},
        {"DateTime", "2006-01-02 15:04:05"},
        {"DateOnly", "2006-01-02"},
        {"TimeOnly", "15:04:05"},
    };
    struct slice bare = slice_starts(name, "time.") ? slice_from(name, 5) : name;

    for (size_t i = 0; i < COUNT_OF(LAYOUTS); i++)
        if (slice_is_case(bare, LAYOUTS[i].name))
            return slice_text(LAYOUTS[i].layout);
    return name;
}
