/* Values as JSON, with the reference's exact rules (docs/reference/json.md). */
#include <math.h>

#include "base/encode.h"
#include "template/internal.h"

struct encoder {
    struct trun *run;
    struct buf *b;
    bool html; /* escape < > & */
};

static bool encode(struct encoder *enc, const struct tvalue *v, unsigned depth);

static void put_text(struct encoder *enc, struct slice s)
{
    if (enc->html)
        json_put_text(enc->b, s);
    else
        json_put_text_plain(enc->b, s);
}

static bool encode_list(struct encoder *enc, const struct tvalue *v, unsigned depth)
{
    if (!v->list)
        return buf_text(enc->b, "null"), true;
    buf_byte(enc->b, '[');
    for (size_t i = 0; i < v->list->n; i++) {
        if (i)
            buf_byte(enc->b, ',');
        if (!encode(enc, &v->list->items[i], depth + 1))
            return false;
    }
    buf_byte(enc->b, ']');
    return true;
}

static bool encode_map(struct encoder *enc, const struct tvalue *v, unsigned depth)
{
    if (!v->map)
        return buf_text(enc->b, "null"), true;
    buf_byte(enc->b, '{');
    for (size_t i = 0; i < v->map->n; i++) {
        if (i)
            buf_byte(enc->b, ',');
        put_text(enc, v->map->members[i].name);
        buf_byte(enc->b, ':');
        if (!encode(enc, v->map->members[i].value, depth + 1))
            return false;
    }
    buf_byte(enc->b, '}');
    return true;
}

static bool encode_fields(struct encoder *enc, const struct tvalue *v, unsigned depth)
{
    bool first = true;

    if (!v->self)
        return buf_text(enc->b, "null"), true;
    buf_byte(enc->b, '{');
    for (size_t i = 0; i < v->type->n_fields; i++) {
        const struct tfield *f = &v->type->fields[i];
        struct tvalue member = tvalue_none();
        if (!f->json)
            continue;
        if (!f->get(enc->run, v->self, &member))
            return false;
        if (f->omit_empty && value_empty(&member))
            continue;
        if (!first)
            buf_byte(enc->b, ',');
        first = false;
        put_text(enc, slice_text(f->json));
        buf_byte(enc->b, ':');
        if (!encode(enc, &member, depth + 1))
            return false;
    }
    buf_byte(enc->b, '}');
    return true;
}

static bool encode_float(struct encoder *enc, double f)
{
    if (!isfinite(f))
        return run_fail(enc->run, "json: unsupported value: %s",
                        isnan(f) ? "NaN"
                        : f > 0  ? "+Inf"
                                 : "-Inf");
    if (f == 0 && signbit(f))
        buf_text(enc->b, "-0");
    else
        json_put_double(enc->b, f);
    return true;
}

static bool encode(struct encoder *enc, const struct tvalue *v, unsigned depth)
{
    if (!run_step(enc->run))
        return false;
    if (depth > VALUE_DEPTH)
        return run_fail(enc->run, "json: a value is nested too deeply");
    if (enc->b->failed)
        return run_fail_kind(enc->run, ERR_TOO_LARGE, "the JSON text is too large");
    if (v->type && v->type->json)
        return v->type->json(v, enc->b) ? true : run_fail(enc->run, "json: unsupported value");
    switch (v->kind) {
    case T_BOOL:
        buf_text(enc->b, v->truth ? "true" : "false");
        return true;
    case T_INT:
        json_put_int(enc->b, v->i);
        return true;
    case T_UINT:
        json_put_uint(enc->b, v->u);
        return true;
    case T_FLOAT:
        return encode_float(enc, v->f);
    case T_TEXT:
        put_text(enc, v->text);
        return true;
    case T_BYTES:
        json_put_bytes(enc->b, v->text);
        return true;
    case T_TIME:
        return time_put_json(enc->b, v->time) ||
               run_fail(enc->run, "json: year or zone offset out of range");
    case T_LIST:
        return encode_list(enc, v, depth);
    case T_MAP:
        return encode_map(enc, v, depth);
    case T_OBJECT:
        return encode_fields(enc, v, depth);
    case T_COMPLEX:
        return run_fail(enc->run, "json: unsupported type: complex128");
    default:
        buf_text(enc->b, "null");
        return true;
    }
}

/* Compact JSON, spread over lines. */
static void indent_json(struct buf *b, struct slice s, const char *indent)
{
    bool text = false;
    unsigned level = 0;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool open = !text && (c == '{' || c == '['), close = !text && (c == '}' || c == ']');
        bool empty = open && i + 1 < s.n && (s.p[i + 1] == '}' || s.p[i + 1] == ']');
        if (text && c == '\\') {
            buf_byte(b, c);
            c = s.p[++i];
        } else if (c == '"') {
            text = !text;
        }
        if (empty) {
            buf_byte(b, c);
            buf_byte(b, s.p[++i]);
            continue;
        }
        level += open;
        level -= close;
        if (!close)
            buf_byte(b, c);
        if (!text && c == ':')
            buf_byte(b, ' ');
        if (open || close || (!text && c == ',')) {
            buf_byte(b, '\n');
            for (unsigned k = 0; k < level; k++)
                buf_text(b, indent);
        }
        if (close)
            buf_byte(b, c);
    }
}

bool value_json(struct trun *run, struct buf *b, const struct tvalue *v, bool html,
                const char *indent)
{
    struct buf compact = run_buf(run);
    struct encoder enc = {run, indent ? &compact : b, html};

    if (!encode(&enc, v, 0))
        return false;
    run->memory += compact.cap;
    if (indent)
        indent_json(b, buf_slice(&compact), indent);
    if (!compact.failed && !b->failed)
        return true;
    return run_fail_kind(run, ERR_TOO_LARGE, "the JSON text is too large");
}

bool tvalue_put_json(struct buf *b, const struct tvalue *v, struct arena *a, struct err *e)
{
    struct template t = {.name = "json", .text = SLICE("")};
    struct trun run = {.t = &t,
                       .limits = &TEMPLATE_LIMITS,
                       .a = a,
                       .e = e,
                       .clock = &CLOCK_SYSTEM,
                       .rng = &RNG_SYSTEM,
                       .deadline = INT64_MAX};

    return value_json(&run, b, v, true, NULL) ? true : err_set(e, run.kind, "%s", run.cause);
}
