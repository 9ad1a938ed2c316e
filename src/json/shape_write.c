/*
 * Records as JSON text: the fields in the order of the table.  A tree is what the reader makes of
 * that text, so the two forms cannot differ.
 */
#include "base/duration.h"
#include "json/shape.h"

static const struct json_rules OWN_TEXT = {.depth = 1000, .values = UINT32_MAX};

static void put_record(struct buf *b, const struct shape *shape, const void *record);
static bool is_empty_record(const struct shape *shape, const void *record);

static bool null_when_none(const struct field *f)
{
    return f->bits & FIELD_NULL_WHEN_NONE;
}

/* --- One function per kind of field ------------------------------------------------------- */

typedef void field_writer(struct buf *b, const struct field *f, const void *at);

static void put_text(struct buf *b, const struct field *f, const void *at)
{
    (void)f;
    json_put_text(b, *(const struct slice *)at);
}

static void put_texts(struct buf *b, const struct field *f, const void *at)
{
    const struct texts *list = at;
    if (!list->v && null_when_none(f)) {
        buf_text(b, "null");
        return;
    }
    buf_byte(b, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            buf_byte(b, ',');
        json_put_text(b, list->v[i]);
    }
    buf_byte(b, ']');
}

static void put_multi(struct buf *b, const struct field *f, const void *at)
{
    const struct texts *list = at;
    if (list->n > 1 || (!list->v && null_when_none(f)))
        put_texts(b, f, at);
    else
        json_put_text(b, list->n ? list->v[0] : SLICE(""));
}

static void put_bool(struct buf *b, const struct field *f, const void *at)
{
    (void)f;
    buf_text(b, *(const bool *)at ? "true" : "false");
}

static void put_opt_bool(struct buf *b, const struct field *f, const void *at)
{
    (void)f;
    int8_t v = *(const int8_t *)at;
    buf_text(b, v < 0 ? "null" : v ? "true" : "false");
}

static void put_int(struct buf *b, const struct field *f, const void *at)
{
    (void)f;
    json_put_int(b, *(const int64_t *)at);
}

static void put_uint(struct buf *b, const struct field *f, const void *at)
{
    (void)f;
    json_put_uint(b, *(const uint64_t *)at);
}

static void put_number(struct buf *b, const struct field *f, const void *at)
{
    (void)f;
    json_put_double(b, *(const double *)at);
}

static void put_duration(struct buf *b, const struct field *f, const void *at)
{
    (void)f;
    const struct opt_duration *d = at;
    if (!d->set) {
        buf_text(b, "null");
        return;
    }
    char text[DURATION_TEXT_MAX];
    duration_put(text, d->ns);
    json_put_text(b, slice_text(text));
}

static void put_time(struct buf *b, const struct field *f, const void *at)
{
    (void)f;
    json_put_time(b, *(const struct instant *)at);
}

static void put_time_nano(struct buf *b, const struct field *f, const void *at)
{
    (void)f;
    json_put_time_nano(b, *(const struct instant *)at);
}

static void put_bytes(struct buf *b, const struct field *f, const void *at)
{
    struct slice bytes = *(const struct slice *)at;
    json_put_bytes(b, bytes.p || null_when_none(f) ? bytes : SLICE(""));
}

static void put_raw(struct buf *b, const struct field *f, const void *at)
{
    (void)f;
    const struct json *v = *(const struct json *const *)at;
    if (!v)
        buf_text(b, "null");
    else if (v->raw.p)
        json_put_compact(b, v->raw);
    else
        json_print(b, v, NULL);
}

static void put_enum(struct buf *b, const struct field *f, const void *at)
{
    const char *const *names = f->of;
    int wanted = *(const int *)at, i = 0;
    while (names[i] && i != wanted)
        i++;
    json_put_text(b, slice_text(names[i]));
}

static void put_object(struct buf *b, const struct field *f, const void *at)
{
    const void *object = *(const void *const *)at;
    if (object)
        put_record(b, f->of, object);
    else
        buf_text(b, "null");
}

static void put_inline(struct buf *b, const struct field *f, const void *at)
{
    put_record(b, f->of, at);
}

static void put_objects(struct buf *b, const struct field *f, const void *at)
{
    const struct objects *list = at;
    const struct shape *shape = f->of;
    if (!list->v && null_when_none(f)) {
        buf_text(b, "null");
        return;
    }
    buf_byte(b, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            buf_byte(b, ',');
        put_record(b, shape, (const char *)list->v + i * shape->size);
    }
    buf_byte(b, ']');
}

static field_writer *const WRITERS[] = {
    [FIELD_TEXT] = put_text,     [FIELD_TEXTS] = put_texts,
    [FIELD_MULTI] = put_multi,   [FIELD_LIST_OR_TEXT] = put_texts,
    [FIELD_BOOL] = put_bool,     [FIELD_OPT_BOOL] = put_opt_bool,
    [FIELD_INT] = put_int,       [FIELD_UINT] = put_uint,
    [FIELD_NUMBER] = put_number, [FIELD_DURATION] = put_duration,
    [FIELD_TIME] = put_time,     [FIELD_TIME_NANO] = put_time_nano,
    [FIELD_BYTES] = put_bytes,   [FIELD_RAW] = put_raw,
    [FIELD_ENUM] = put_enum,     [FIELD_OBJECT] = put_object,
    [FIELD_INLINE] = put_inline, [FIELD_OBJECTS] = put_objects,
};

/* --- Records ------------------------------------------------------------------------------ */

static const void *at_field(const struct field *f, const void *record)
{
    return (const char *)record + f->offset;
}

static bool is_empty(const struct field *f, const void *at)
{
    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_BYTES:
        return ((const struct slice *)at)->n == 0;
    case FIELD_TEXTS:
    case FIELD_MULTI:
    case FIELD_LIST_OR_TEXT:
        return ((const struct texts *)at)->n == 0;
    case FIELD_OBJECTS:
        return ((const struct objects *)at)->n == 0;
    case FIELD_BOOL:
        return !*(const bool *)at;
    case FIELD_OPT_BOOL:
        return *(const int8_t *)at < 0;
    case FIELD_INT:
    case FIELD_UINT:
        return *(const uint64_t *)at == 0;
    case FIELD_NUMBER:
        return *(const double *)at == 0;
    case FIELD_DURATION:
        return !((const struct opt_duration *)at)->set;
    case FIELD_TIME:
    case FIELD_TIME_NANO:
        return instant_is_zero(*(const struct instant *)at);
    case FIELD_RAW:
    case FIELD_OBJECT:
        return !*(const void *const *)at;
    case FIELD_ENUM:
        return *(const int *)at == 0;
    case FIELD_INLINE:
        return is_empty_record(f->of, at);
    }
    return false;
}

static bool is_empty_record(const struct shape *shape, const void *record)
{
    for (size_t i = 0; i < shape->n; i++)
        if (!is_empty(&shape->fields[i], at_field(&shape->fields[i], record)))
            return false;
    return true;
}

static bool is_written(const struct field *f, const void *at)
{
    if (f->bits & FIELD_SECRET)
        return false;
    return !(f->bits & FIELD_OMIT_EMPTY) || !is_empty(f, at);
}

static void put_record(struct buf *b, const struct shape *shape, const void *record)
{
    bool comma = false;
    buf_byte(b, '{');
    for (size_t i = 0; i < shape->n; i++) {
        const struct field *f = &shape->fields[i];
        const void *at = at_field(f, record);
        if (!is_written(f, at))
            continue;
        json_put_name(b, comma, f->name);
        comma = true;
        WRITERS[f->kind](b, f, at);
    }
    buf_byte(b, '}');
}

void shape_write(const struct shape *shape, const void *record, struct buf *b)
{
    put_record(b, shape, record);
}

struct json *shape_tree(const struct shape *shape, const void *record, struct arena *a)
{
    struct buf text = buf_new(a, SIZE_MAX / 2);
    put_record(&text, shape, record);
    struct json *v = json_read(a, buf_slice(&text), &OWN_TEXT, NULL, NULL);
    return v ? json_copy(a, v) : json_make_null(a);
}
