/*
 * Layouts: the reading of the moment Mon Jan 2 15:04:05 MST 2006 stands for the parts of a time.
 * Longer spellings are tried before those they begin with.
 */
#include "template/layout.h"

static const struct {
    const char *text;
    struct part part;
} PARTS[] = {
    {"January", {PART_MONTH_NAME}},
    {"Jan", {PART_MONTH_SHORT}},
    {"Monday", {PART_WEEKDAY_NAME}},
    {"Mon", {PART_WEEKDAY_SHORT}},
    {"MST", {PART_ZONE}},
    {"002", {PART_YEARDAY, .fill = '0'}},
    {"01", {PART_MONTH, .fill = '0'}},
    {"02", {PART_DAY, .fill = '0'}},
    {"03", {PART_HOUR12, .fill = '0'}},
    {"04", {PART_MINUTE, .fill = '0'}},
    {"05", {PART_SECOND, .fill = '0'}},
    {"06", {PART_YEAR2}},
    {"15", {PART_HOUR}},
    {"1", {PART_MONTH}},
    {"2006", {PART_YEAR}},
    {"2", {PART_DAY}},
    {"_2", {PART_DAY, .fill = '_'}},
    {"__2", {PART_YEARDAY, .fill = '_'}},
    {"3", {PART_HOUR12}},
    {"4", {PART_MINUTE}},
    {"5", {PART_SECOND}},
    {"PM", {PART_AM}},
    {"pm", {PART_AM, .lower = true}},
    {"-070000", {PART_OFFSET, .units = 3}},
    {"-07:00:00", {PART_OFFSET, .units = 3, .colon = true}},
    {"-0700", {PART_OFFSET, .units = 2}},
    {"-07:00", {PART_OFFSET, .units = 2, .colon = true}},
    {"-07", {PART_OFFSET, .units = 1}},
    {"Z070000", {PART_OFFSET, .units = 3, .z = true}},
    {"Z07:00:00", {PART_OFFSET, .units = 3, .colon = true, .z = true}},
    {"Z0700", {PART_OFFSET, .units = 2, .z = true}},
    {"Z07:00", {PART_OFFSET, .units = 2, .colon = true, .z = true}},
    {"Z07", {PART_OFFSET, .units = 1, .z = true}},
};

static bool is_digit_at(struct slice s, size_t i)
{
    return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

static bool fraction(struct slice s, struct part *part)
{
    size_t n = 1;

    if (s.n < 2 || (s.p[0] != '.' && s.p[0] != ',') || (s.p[1] != '0' && s.p[1] != '9'))
        return false;
    while (n < s.n && s.p[n] == s.p[1])
        n++;
    if (is_digit_at(s, n))
        return false;
    *part = (struct part){.kind = PART_FRACTION,
                          .digits = (int)n - 1,
                          .trim = s.p[1] == '9',
                          .point = s.p[0],
                          .as = slice_sub(s, 0, n)};
    return true;
}

static bool part_at(struct slice s, struct part *part)
{
    if (fraction(s, part))
        return true;
    for (size_t i = 0; i < COUNT_OF(PARTS); i++) {
        size_t n = strlen(PARTS[i].text);
        if (!slice_starts(s, PARTS[i].text))
            continue;
        *part = PARTS[i].part;
        part->as = slice_sub(s, 0, n);
        /* "Jane" and "Month" are words. */
        bool shorter = part->kind == PART_MONTH_SHORT || part->kind == PART_WEEKDAY_SHORT;
        if (shorter && s.n > n && s.p[n] >= 'a' && s.p[n] <= 'z')
            return false;
        /* "_2006" is a literal '_' and a year. */
        return !(part->fill == '_' && part->kind == PART_DAY && slice_starts(s, "_2006"));
    }
    return false;
}

struct part layout_next(struct slice *layout, struct slice *literal)
{
    struct part part = {PART_NONE};
    size_t at = 0;

    while (at < layout->n && !part_at(slice_from(*layout, at), &part))
        at++;
    *literal = slice_sub(*layout, 0, at);
    if (at == layout->n)
        part = (struct part){.kind = PART_NONE, .as = slice_from(*layout, at)};
    *layout = slice_from(*layout, at + part.as.n);
    return part;
}
