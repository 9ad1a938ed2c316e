/*
 * Record shapes: one table gives names, order and omission of a record's members; reader and
 * writer both walk it, so what we write is what we read.
 */
#pragma once

#include "json/json.h"

enum field_kind {
    FIELD_TEXT,         /* struct slice */
    FIELD_TEXTS,        /* struct texts: list of texts */
    FIELD_MULTI,        /* struct texts: a text or a list of texts; written as "", text, or list */
    FIELD_LIST_OR_TEXT, /* struct texts: a list; a lone text reads as a one-element list */
    FIELD_BOOL,         /* bool */
    FIELD_OPT_BOOL,     /* int8_t: -1 absent, 0, 1 */
    FIELD_INT,          /* int64_t */
    FIELD_UINT,         /* uint64_t */
    FIELD_NUMBER,       /* double; written shortest: 1.2, 1 */
    FIELD_DURATION,     /* struct opt_duration: text in Go notation */
    FIELD_TIME,         /* struct instant, whole seconds */
    FIELD_TIME_NANO,    /* struct instant */
    FIELD_BYTES,        /* struct slice; base64 text with padding; CR and LF ignored when read */
    FIELD_RAW,          /* const struct json *: the value itself */
    FIELD_ENUM,   /* int: of points to a NULL-terminated array of names, compared ignoring case */
    FIELD_OBJECT, /* pointer to a struct described by the shape `of`; NULL when absent */
    FIELD_INLINE, /* the struct itself, described by `of`: a member that is always there */
    FIELD_OBJECTS /* struct objects: list of structs described by `of` */
};
enum field_bits {
    FIELD_OMIT_EMPTY = 1,     /* not written when empty, false, 0, the zero time or absent */
    FIELD_NULL_WHEN_NONE = 2, /* an absent list or bytes is written as null (else [] or "") */
    FIELD_SECRET = 4          /* never written; error texts do not show its value */
};

struct texts {
    struct slice *v;
    size_t n;
};
struct objects {
    void *v; /* array of structs of the shape's size */
    size_t n;
};
struct opt_duration {
    bool set;
    int64_t ns;
};

struct field {
    const char *name;
    enum field_kind kind;
    uint16_t offset, bits;
    const void *of; /* shape or names */
};
struct shape {
    const char *what; /* for error texts */
    size_t size;
    const struct field *fields;
    size_t n;
    bool closed; /* unknown members are refused (admin bodies); else skipped */
};

/* Called for each member that no field names: path is "authority.x". */
typedef void shape_unknown_fn(const char *path, const struct json *member, void *arg);

/* out must be zeroed by the caller (OPT_BOOL members are set to -1 here, times to the zero time
 * INSTANT_ZERO_GO).  Names match exactly,
 * else ignoring case; null leaves the zero value; of duplicates the last wins, objects merge.
 * Error (ERR_MALFORMED): "authority.claims.maxTLSCertDuration (12:5): expected a duration such as
 * \"24h\", found number".  The error's code is not set.  Slices borrow from the tree. */
bool shape_read(const struct shape *shape, const struct json *v, void *out, struct arena *a,
                struct err *e) CHECKED;
bool shape_read_noting(const struct shape *shape, const struct json *v, void *out, struct arena *a,
                       shape_unknown_fn *unknown, void *arg, struct err *e) CHECKED;
/* What shape_read does before the first member: for records that are filled by the program. */
void shape_init(const struct shape *shape, void *record);
/* Compact JSON as the reference's encoder writes it.  Absent OPT_BOOL, DURATION, RAW, OBJECT and
 * lists with NULL_WHEN_NONE are null, absent texts "". */
void shape_write(const struct shape *shape, const void *record, struct buf *b);
/* As a tree, for indented printing and editing; a copy of what it shows. */
struct json *shape_tree(const struct shape *shape, const void *record, struct arena *a);
