/* Private to this folder: Go's layouts, cut into what they ask for. */
#pragma once

#include "template/internal.h"

enum part_kind {
    PART_NONE, /* the layout is at its end */
    PART_YEAR,
    PART_YEAR2,
    PART_MONTH_NAME,
    PART_MONTH_SHORT,
    PART_MONTH,
    PART_DAY,
    PART_YEARDAY,
    PART_WEEKDAY_NAME,
    PART_WEEKDAY_SHORT,
    PART_HOUR,
    PART_HOUR12,
    PART_MINUTE,
    PART_SECOND,
    PART_AM,
    PART_ZONE,
    PART_OFFSET,
    PART_FRACTION
};

struct part {
    enum part_kind kind;
    char fill;       /* '0', '_' or 0: how short numbers are filled */
    bool lower;      /* AM: "pm" */
    bool z;          /* OFFSET: 'Z' for UTC */
    bool colon;      /* OFFSET */
    int units;       /* OFFSET: 1 hours, 2 minutes, 3 seconds */
    int digits;      /* FRACTION */
    bool trim;       /* FRACTION: written with nines */
    uint8_t point;   /* FRACTION: '.' or ',' */
    struct slice as; /* as written */
};

/* The literal text before the next part, and the part. */
struct part layout_next(struct slice *layout, struct slice *literal);
