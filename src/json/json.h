/*
 * JSON, read and written with the reference's exact rules (docs/reference/json.md): records hold
 * unsigned 64-bit numbers, bad UTF-8 and lone surrogates become U+FFFD, values keep their own
 * text, names match ignoring case where the rules say so, and depth, size and count are bounded.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_OBJECT };

struct json {
    enum json_kind kind;
    bool truth;        /* BOOL */
    struct slice raw;  /* as written (borrowed from the input); NULL for made values */
    struct slice text; /* TEXT: decoded; NUMBER: its digits as written */
    struct slice name; /* decoded member name, when inside an object */
    struct json *first, *last, *next;
    size_t n;              /* members or elements */
    uint32_t line, column; /* 1-based; 0 for made values */
};

struct json_rules {
    unsigned depth;  /* nesting; deeper is an error */
    unsigned values; /* how many values in all */
    bool
        reject_duplicates; /* a name twice at one level is an error; else the last wins on lookup */
    bool reject_rest;      /* anything but white space after the value is an error */
    bool allow_trailing_comma; /* and counted in json_notes */
    bool skip_bom;
    bool bare_utf8; /* invalid UTF-8 is an error instead of U+FFFD */
};
extern const struct json_rules JSON_API;    /* depth 64, first value only */
extern const struct json_rules JSON_JOSE;   /* depth 32, duplicates, rest, bad UTF-8 refused */
extern const struct json_rules JSON_CONFIG; /* ca.json: trailing commas, BOM, rest ignored */
extern const struct json_rules JSON_STRICT; /* defaults.json, contexts: rest refused, BOM skipped */
extern const struct json_rules JSON_RECORD; /* what stands in the database */

/* What the reader tolerated. */
struct json_notes {
    unsigned trailing_commas;
    uint32_t comma_line, comma_column; /* of the first */
    bool rest;                         /* text after the first value was ignored */
};

/* NULL and ERR_MALFORMED "LINE:COLUMN: expected ',' or '}' before …".  Comments get a hint.
 * notes may be NULL.  The input must outlive the tree (raw borrows from it). */
struct json *json_read(struct arena *a, struct slice input, const struct json_rules *rules,
                       struct json_notes *notes, struct err *e) CHECKED;

/* Member by exact name, else ignoring ASCII case; of several the last.  NULL when absent or when
 * object is not an object (or NULL). */
const struct json *json_get(const struct json *object, const char *name);
/* Exact names only: JOSE headers and claims, maps. */
const struct json *json_get_exact(const struct json *object, const char *name);
/* Decoded text; p == NULL when absent, null or not a text. */
struct slice json_text(const struct json *v);
/* Whole number in range (no fraction, no exponent). */
bool json_int(const struct json *v, int64_t *value) CHECKED;
bool json_uint(const struct json *v, uint64_t *value) CHECKED;
/* Any number; fraction kept as double precision. */
bool json_double(const struct json *v, double *value) CHECKED;

/* --- Making and editing trees ------------------------------------------------------------- */

struct json *json_make_object(struct arena *a);
struct json *json_make_list(struct arena *a);
struct json *json_make_text(struct arena *a, struct slice text);
struct json *json_make_int(struct arena *a, int64_t value);
struct json *json_make_uint(struct arena *a, uint64_t value);
struct json *json_make_bool(struct arena *a, bool value);
struct json *json_make_null(struct arena *a);
/* A deep copy without raw text: what is edited is printed from its parts. */
struct json *json_copy(struct arena *a, const struct json *v);
/* Sets or replaces (all of the) members called name (case as json_get); keeps the place of the
 * one replaced.  The tree's raw texts on the way are dropped by the caller's json_copy. */
void json_set(struct json *object, struct arena *a, const char *name, struct json *value);
bool json_remove(struct json *object, const char *name);
/* The same by exact name: for maps, whose names are data (contexts, defaults.json). */
void json_set_exact(struct json *object, struct arena *a, const char *name, struct json *value);
bool json_remove_exact(struct json *object, const char *name);
void json_append(struct json *list, struct json *value);
bool json_remove_item(struct json *list, const struct json *item);
/* Moves members so that those named come first in that order (NULL-terminated list). */
void json_order(struct json *object, const char *const *names);

/* --- Printing ----------------------------------------------------------------------------- */

/* Compact, or indented: each level by `indent` ("\t", "  ", "   "), ": " after names, empty
 * containers as "{}" and "[]", no final newline.  Escapes as json_put_text. */
void json_print(struct buf *b, const struct json *v, const char *indent);

/* A JSON string with quotes.  Escapes ", \, control characters (\n \r \t \b \f, else \u00xx),
 * '<' '>' '&' as \u003c…, U+2028/9; invalid UTF-8 as \ufffd. */
void json_put_text(struct buf *b, struct slice text);
/* The same without escaping '<', '>' and '&' (JOSE, human output). */
void json_put_text_plain(struct buf *b, struct slice text);
/* A member's name with what stands around it: ,"name": */
void json_put_name(struct buf *b, bool comma, const char *name);
void json_put_int(struct buf *b, int64_t v);
void json_put_uint(struct buf *b, uint64_t v);
void json_put_double(struct buf *b, double v);       /* shortest that reads back: 1.2, 1, 1e+21 */
void json_put_time(struct buf *b, struct instant t); /* "…Z", whole seconds */
void json_put_time_nano(struct buf *b, struct instant t); /* fraction without trailing zeros */
void json_put_bytes(struct buf *b, struct slice bytes);   /* base64 text; NULL slice: null */

/* A value's own text (json->raw) without white space and tolerated commas; inside its texts only
 * what json_put_text never leaves bare ('<', '>', '&', U+2028/9, bad UTF-8) is escaped. */
void json_put_compact(struct buf *b, struct slice json);

/*
 * Streaming writer for bodies that are no record:
 *   json_w w = json_writer(&buf);
 *   json_open(&w, NULL); json_member_text(&w, "status", SLICE("ok")); json_close(&w);
 * name NULL inside lists and at the top.
 */
struct json_writer {
    struct buf *b;
    bool comma;
    uint8_t depth;
    uint8_t closers[64];
};
struct json_writer json_writer(struct buf *b);
void json_open(struct json_writer *w, const char *name);      /* { */
void json_open_list(struct json_writer *w, const char *name); /* [ */
void json_close(struct json_writer *w);                       /* the innermost */
void json_member_text(struct json_writer *w, const char *name, struct slice text);
void json_member_time(struct json_writer *w, const char *name, struct instant t); /* whole s */
void json_member_int(struct json_writer *w, const char *name, int64_t v);
void json_member_uint(struct json_writer *w, const char *name, uint64_t v);
void json_member_bool(struct json_writer *w, const char *name, bool v);
void json_member_null(struct json_writer *w, const char *name);
void json_member_raw(struct json_writer *w, const char *name, struct slice json);
void json_member_tree(struct json_writer *w, const char *name, const struct json *v);
