/*
 * Records from trees: one walk over an object's members, each given to the field that names it.
 *
 * The path of what is being read is a chain of names on the stack; it becomes text only in an
 * error.  One function per kind of field stores a value; the table READERS says which.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/encode.h"
#include "json/shape.h"

#define PATH_MAX_SHOWN 200
#define VALUE_SHOWN    40 /* longest text that an error quotes */

struct path {
    const struct path *up; /* NULL: the record itself */
    struct slice name;
    size_t index; /* of an element, when name is absent */
};

struct reading {
    struct arena *a;
    struct err *e;
    shape_unknown_fn *unknown;
    void *arg;
};

/* --- Errors ------------------------------------------------------------------------------- */

static struct buf *path_put(struct buf *b, const struct path *path)
{
    if (!path->up)
        return b;
    path_put(b, path->up);
    if (!path->name.p) {
        buf_printf(b, "[%zu]", path->index);
        return b;
    }
    if (path->up->up)
        buf_byte(b, '.');
    if (path->name.n == 0)
        buf_text(b, "\"\"");
    for (size_t i = 0; i < path->name.n; i++)
        buf_byte(b, path->name.p[i] ? path->name.p[i] : '?');
    return b;
}

static const char *path_text(struct reading *r, const struct path *path, const char *what)
{
    if (!path->up)
        return what;
    struct buf b = buf_new(r->a, 1u << 20);
    return arena_cstr(r->a, buf_slice(path_put(&b, path)));
}

/* "path (line:column): text" */
static bool fail(struct reading *r, const struct path *path, const char *what, const struct json *v,
                 const char *fmt, ...) PRINTF(5, 6);

static bool fail(struct reading *r, const struct path *path, const char *what, const struct json *v,
                 const char *fmt, ...)
{
    char text[sizeof r->e->text], place[32] = "";
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (v->line)
        snprintf(place, sizeof place, " (%u:%u)", v->line, v->column);
    const char *shown = path_text(r, path, what);
    size_t n = strlen(shown), cut = n;
    if (n > PATH_MAX_SHOWN) /* not in the middle of a character */
        for (cut = PATH_MAX_SHOWN; cut > 0 && ((uint8_t)shown[cut] & 0xc0) == 0x80;)
            cut--;
    return err_set(r->e, ERR_MALFORMED, "%.*s%s%s: %s", (int)cut, shown, cut < n ? "..." : "",
                   place, text);
}

static const char *const KINDS[] = {
    [JSON_NULL] = "null", [JSON_BOOL] = "boolean", [JSON_NUMBER] = "number",
    [JSON_TEXT] = "text", [JSON_LIST] = "list",    [JSON_OBJECT] = "object",
};

static bool is_shown(struct slice text)
{
    if (text.n > VALUE_SHOWN || !slice_is_utf8(text))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    return true;
}

static bool wrong(struct reading *r, const struct path *path, const struct field *f,
                  const struct json *v, const char *wanted)
{
    return fail(r, path, f->name, v, "expected %s, found %s", wanted, KINDS[v->kind]);
}

/* The kind is right, the value is not. */
static bool wrong_value(struct reading *r, const struct path *path, const struct field *f,
                        const struct json *v, const char *wanted)
{
    if ((f->bits & FIELD_SECRET) || !is_shown(v->text))
        return fail(r, path, f->name, v, "expected %s, found another %s", wanted, KINDS[v->kind]);
    const char *quote = v->kind == JSON_TEXT ? "\"" : "";
    return fail(r, path, f->name, v, "expected %s, found %s%.*s%s", wanted, quote,
                SLICE_ARG(v->text), quote);
}

/* --- One function per kind of field ------------------------------------------------------- */

typedef bool field_reader(struct reading *r, const struct path *path, const struct field *f,
                          const struct json *v, void *at);

static bool read_record(struct reading *r, const struct path *path, const struct shape *shape,
                        const struct json *v, void *record);

static bool read_text(struct reading *r, const struct path *path, const struct field *f,
                      const struct json *v, void *at)
{
    if (v->kind != JSON_TEXT)
        return wrong(r, path, f, v, "a text");
    *(struct slice *)at = v->text;
    return true;
}

static bool read_texts(struct reading *r, const struct path *path, const struct field *f,
                       const struct json *v, void *at)
{
    if (v->kind != JSON_LIST)
        return wrong(r, path, f, v, "a list of texts");
    struct texts list = {arena_array(r->a, v->n ? v->n : 1, sizeof(struct slice)), 0};
    for (const struct json *item = v->first; item; item = item->next) {
        struct path here = {path, SLICE_NONE, list.n};
        struct slice *text = &list.v[list.n++];
        *text = SLICE("");
        if (item->kind != JSON_NULL && !read_text(r, &here, f, item, text))
            return false;
    }
    *(struct texts *)at = list;
    return true;
}

static bool read_one_or_texts(struct reading *r, const struct path *path, const struct field *f,
                              const struct json *v, void *at)
{
    if (v->kind == JSON_LIST)
        return read_texts(r, path, f, v, at);
    if (v->kind != JSON_TEXT)
        return wrong(r, path, f, v, "a text or a list of texts");
    struct texts list = {arena_alloc(r->a, sizeof(struct slice)), 1};
    list.v[0] = v->text;
    *(struct texts *)at = list;
    return true;
}

/* A lone "" is no element. */
static bool read_list_or_text(struct reading *r, const struct path *path, const struct field *f,
                              const struct json *v, void *at)
{
    if (v->kind != JSON_TEXT || v->text.n > 0)
        return read_one_or_texts(r, path, f, v, at);
    *(struct texts *)at = (struct texts){NULL, 0};
    return true;
}

static bool read_bool(struct reading *r, const struct path *path, const struct field *f,
                      const struct json *v, void *at)
{
    if (v->kind != JSON_BOOL)
        return wrong(r, path, f, v, "true or false");
    *(bool *)at = v->truth;
    return true;
}

static bool read_opt_bool(struct reading *r, const struct path *path, const struct field *f,
                          const struct json *v, void *at)
{
    if (v->kind != JSON_BOOL)
        return wrong(r, path, f, v, "true or false");
    *(int8_t *)at = v->truth;
    return true;
}

static bool read_int(struct reading *r, const struct path *path, const struct field *f,
                     const struct json *v, void *at)
{
    if (v->kind != JSON_NUMBER)
        return wrong(r, path, f, v, "a whole number");
    return json_int(v, at) || wrong_value(r, path, f, v, "a whole number of 64 bits");
}

static bool read_uint(struct reading *r, const struct path *path, const struct field *f,
                      const struct json *v, void *at)
{
    if (v->kind != JSON_NUMBER)
        return wrong(r, path, f, v, "a whole number");
    return json_uint(v, at) || wrong_value(r, path, f, v, "a whole number from 0, of 64 bits");
}

static bool read_number(struct reading *r, const struct path *path, const struct field *f,
                        const struct json *v, void *at)
{
    if (v->kind != JSON_NUMBER)
        return wrong(r, path, f, v, "a number such as 1.2, without quotes");
    return json_double(v, at) || wrong_value(r, path, f, v, "a number of double precision");
}

static bool read_duration(struct reading *r, const struct path *path, const struct field *f,
                          const struct json *v, void *at)
{
    if (v->kind != JSON_TEXT)
        return wrong(r, path, f, v, "a duration such as \"24h\"");
    int64_t ns;
    if (!duration_read(v->text, &ns, NULL))
        return wrong_value(r, path, f, v, "a duration such as \"24h\"");
    *(struct opt_duration *)at = (struct opt_duration){true, ns};
    return true;
}

static bool read_time_nano(struct reading *r, const struct path *path, const struct field *f,
                           const struct json *v, void *at)
{
    static const char WANTED[] = "a time such as \"2026-02-03T10:20:30Z\" (RFC 3339)";
    if (v->kind != JSON_TEXT)
        return wrong(r, path, f, v, WANTED);
    return rfc3339_read(v->text, at) || wrong_value(r, path, f, v, WANTED);
}

static bool read_time(struct reading *r, const struct path *path, const struct field *f,
                      const struct json *v, void *at)
{
    struct instant t;
    if (!read_time_nano(r, path, f, v, &t))
        return false;
    *(struct instant *)at = instant_truncate(t);
    return true;
}

static struct slice without_line_ends(struct arena *a, struct slice text)
{
    if (slice_find(text, '\n') == text.n && slice_find(text, '\r') == text.n)
        return text;
    uint8_t *out = arena_alloc(a, text.n);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '\n' && text.p[i] != '\r')
            out[n++] = text.p[i];
    return slice_of(out, n);
}

static bool read_bytes(struct reading *r, const struct path *path, const struct field *f,
                       const struct json *v, void *at)
{
    if (v->kind != JSON_TEXT)
        return wrong(r, path, f, v, "a text in base64");
    struct slice bytes, text = without_line_ends(r->a, v->text);
    if (text.n == 0)
        bytes = SLICE("");
    else if (!base64_read(r->a, BASE64_STD, text, &bytes))
        return wrong_value(r, path, f, v, "base64 with padding (RFC 4648 section 4)");
    *(struct slice *)at = bytes;
    return true;
}

static bool read_raw(struct reading *r, const struct path *path, const struct field *f,
                     const struct json *v, void *at)
{
    (void)r, (void)path, (void)f;
    *(const struct json **)at = v;
    return true;
}

static const char *names_listed(struct arena *a, const char *const *names)
{
    struct buf b = buf_new(a, 4096);
    buf_text(&b, "one of");
    for (size_t i = 0; names[i]; i++)
        buf_printf(&b, "%s \"%s\"", i ? "," : "", names[i]);
    return arena_cstr(a, buf_slice(&b));
}

static bool read_enum(struct reading *r, const struct path *path, const struct field *f,
                      const struct json *v, void *at)
{
    const char *const *names = f->of;
    if (v->kind != JSON_TEXT)
        return wrong(r, path, f, v, names_listed(r->a, names));
    int i = 0;
    while (names[i] && !slice_is_case(v->text, names[i]))
        i++;
    if (!names[i])
        return wrong_value(r, path, f, v, names_listed(r->a, names));
    *(int *)at = i;
    return true;
}

static bool read_object(struct reading *r, const struct path *path, const struct field *f,
                        const struct json *v, void *at)
{
    const struct shape *shape = f->of;
    if (v->kind != JSON_OBJECT)
        return wrong(r, path, f, v, "an object");
    void **object = at;
    if (!*object) {
        *object = arena_alloc(r->a, shape->size);
        shape_init(shape, *object);
    }
    return read_record(r, path, shape, v, *object);
}

static bool read_inline(struct reading *r, const struct path *path, const struct field *f,
                        const struct json *v, void *at)
{
    if (v->kind != JSON_OBJECT)
        return wrong(r, path, f, v, "an object");
    return read_record(r, path, f->of, v, at);
}

static bool read_objects(struct reading *r, const struct path *path, const struct field *f,
                         const struct json *v, void *at)
{
    const struct shape *shape = f->of;
    if (v->kind != JSON_LIST)
        return wrong(r, path, f, v, "a list of objects");
    struct objects list = {arena_array(r->a, v->n ? v->n : 1, shape->size), 0};
    for (const struct json *item = v->first; item; item = item->next) {
        struct path here = {path, SLICE_NONE, list.n};
        char *record = (char *)list.v + list.n++ * shape->size;
        shape_init(shape, record);
        if (item->kind != JSON_NULL && !read_inline(r, &here, f, item, record))
            return false;
    }
    *(struct objects *)at = list;
    return true;
}

static field_reader *const READERS[] = {
    [FIELD_TEXT] = read_text,
    [FIELD_TEXTS] = read_texts,
    [FIELD_MULTI] = read_one_or_texts,
    [FIELD_LIST_OR_TEXT] = read_list_or_text,
    [FIELD_BOOL] = read_bool,
    [FIELD_OPT_BOOL] = read_opt_bool,
    [FIELD_INT] = read_int,
    [FIELD_UINT] = read_uint,
    [FIELD_NUMBER] = read_number,
    [FIELD_DURATION] = read_duration,
    [FIELD_TIME] = read_time,
    [FIELD_TIME_NANO] = read_time_nano,
    [FIELD_BYTES] = read_bytes,
    [FIELD_RAW] = read_raw,
    [FIELD_ENUM] = read_enum,
    [FIELD_OBJECT] = read_object,
    [FIELD_INLINE] = read_inline,
    [FIELD_OBJECTS] = read_objects,
};

/* --- Records ------------------------------------------------------------------------------ */

static void *at_field(const struct field *f, void *record)
{
    return (char *)record + f->offset;
}

void shape_init(const struct shape *shape, void *record)
{
    for (size_t i = 0; i < shape->n; i++) {
        const struct field *f = &shape->fields[i];
        if (f->kind == FIELD_OPT_BOOL)
            *(int8_t *)at_field(f, record) = -1;
        else if (f->kind == FIELD_TIME || f->kind == FIELD_TIME_NANO)
            *(struct instant *)at_field(f, record) = INSTANT_ZERO_GO;
        else if (f->kind == FIELD_INLINE)
            shape_init(f->of, at_field(f, record));
    }
}

/* null after a value: what can be absent becomes absent, the rest keeps the earlier value. */
static void forget(const struct field *f, void *at)
{
    switch (f->kind) {
    case FIELD_TEXTS:
    case FIELD_MULTI:
    case FIELD_LIST_OR_TEXT:
        *(struct texts *)at = (struct texts){NULL, 0};
        return;
    case FIELD_OBJECTS:
        *(struct objects *)at = (struct objects){NULL, 0};
        return;
    case FIELD_BYTES:
        *(struct slice *)at = SLICE_NONE;
        return;
    case FIELD_OPT_BOOL:
        *(int8_t *)at = -1;
        return;
    case FIELD_DURATION:
        *(struct opt_duration *)at = (struct opt_duration){false, 0};
        return;
    case FIELD_RAW:
    case FIELD_OBJECT:
        *(void **)at = NULL;
        return;
    default:
        return;
    }
}

/* hint: where it probably is, since records stand in the order of their table. */
static const struct field *field_find(const struct shape *shape, struct slice name, size_t hint)
{
    for (size_t i = 0; i < shape->n; i++) {
        const struct field *f = &shape->fields[(hint + i) % shape->n];
        if (slice_is(name, f->name))
            return f;
    }
    for (size_t i = 0; i < shape->n; i++)
        if (slice_is_case(name, shape->fields[i].name))
            return &shape->fields[i];
    return NULL;
}

static bool read_unknown(struct reading *r, const struct path *path, const struct shape *shape,
                         const struct json *member)
{
    if (shape->closed)
        return fail(r, path, shape->what, member, "expected a member of %s, found an unknown name",
                    shape->what);
    if (r->unknown)
        r->unknown(path_text(r, path, shape->what), member, r->arg);
    return true;
}

static bool read_record(struct reading *r, const struct path *path, const struct shape *shape,
                        const struct json *v, void *record)
{
    size_t next = 0;
    for (const struct json *member = v->first; member; member = member->next) {
        const struct field *f = field_find(shape, member->name, next);
        next = f ? (size_t)(f - shape->fields) + 1 : next;
        struct path here = {path, f ? slice_text(f->name) : member->name, 0};
        if (!f) {
            if (!read_unknown(r, &here, shape, member))
                return false;
            continue;
        }
        void *at = at_field(f, record);
        if (member->kind == JSON_NULL)
            forget(f, at);
        else if (!READERS[f->kind](r, &here, f, member, at))
            return false;
    }
    return true;
}

bool shape_read_noting(const struct shape *shape, const struct json *v, void *out, struct arena *a,
                       shape_unknown_fn *unknown, void *arg, struct err *e)
{
    struct reading r = {a, e, unknown, arg};
    struct path top = {NULL, SLICE_NONE, 0};
    shape_init(shape, out);
    if (!v || v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_OBJECT)
        return fail(&r, &top, shape->what, v, "expected an object, found %s", KINDS[v->kind]);
    return read_record(&r, &top, shape, v, out);
}

bool shape_read(const struct shape *shape, const struct json *v, void *out, struct arena *a,
                struct err *e)
{
    return shape_read_noting(shape, v, out, a, NULL, NULL, e);
}
