/* JSON and reflection. */
#include "template/internal.h"

/* Values of templates are shallow; what is deeper than this is no certificate's business. */
static const struct json_rules RULES = {.depth = 128, .values = 200000, .reject_rest = true};

/* A number that no double holds is an error there. */
static bool numbers_fit(const struct json *v)
{
    double d;

    if (v->kind == JSON_NUMBER)
        return json_double(v, &d);
    for (const struct json *j = v->first; j; j = j->next)
        if (!numbers_fit(j))
            return false;
    return true;
}

static bool decode(struct trun *run, struct slice s, struct tvalue *out, struct err *e)
{
    struct json *v = json_read(run->a, s, &RULES, NULL, e);

    run->memory += 100 * s.n;
    if (!v)
        return false;
    if (!numbers_fit(v))
        return err_set(e, ERR_MALFORMED, "a number does not fit float64");
    *out = tvalue_from_json(run->a, v);
    return true;
}

static bool fn_from_json(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    if (!decode(run, args[0].text, out, NULL))
        *out = tvalue_nil();
    return true;
}

static bool fn_must_from_json(struct trun *run, const struct tvalue *args, size_t n,
                              struct tvalue *out)
{
    struct err e = {0};

    (void)n;
    return decode(run, args[0].text, out, &e) || run_fail(run, "%s", e.text);
}

static bool encode(struct trun *run, const struct tvalue *v, bool html, const char *indent,
                   struct tvalue *out)
{
    struct buf b = run_buf(run);
    return value_json(run, &b, v, html, indent) && run_text(run, &b, out);
}

/* What cannot be encoded is an empty text; what is against the limits remains an error. */
static bool forgive(struct trun *run, bool good, struct tvalue *out)
{
    if (good || run->told || run->kind != ERR_INTERNAL)
        return good;
    run->failed = false;
    *out = tvalue_text(SLICE(""));
    return true;
}

static bool fn_to_json(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return forgive(run, encode(run, &args[0], true, NULL, out), out);
}

static bool fn_must_to_json(struct trun *run, const struct tvalue *args, size_t n,
                            struct tvalue *out)
{
    (void)n;
    return encode(run, &args[0], true, NULL, out);
}

static bool fn_to_pretty_json(struct trun *run, const struct tvalue *args, size_t n,
                              struct tvalue *out)
{
    (void)n;
    return forgive(run, encode(run, &args[0], true, "  ", out), out);
}

static bool fn_must_to_pretty_json(struct trun *run, const struct tvalue *args, size_t n,
                                   struct tvalue *out)
{
    (void)n;
    return encode(run, &args[0], true, "  ", out);
}

static bool fn_to_raw_json(struct trun *run, const struct tvalue *args, size_t n,
                           struct tvalue *out)
{
    (void)n;
    return encode(run, &args[0], false, NULL, out);
}

static const struct tfunc FUNCTIONS[] = {
    {"fromJson", "s", fn_from_json, 0},
    {"mustFromJson", "s", fn_must_from_json, 0},
    {"toJson", "a", fn_to_json, 0},
    {"mustToJson", "a", fn_must_to_json, 0},
    {"toPrettyJson", "a", fn_to_pretty_json, 0},
    {"mustToPrettyJson", "a", fn_must_to_pretty_json, 0},
    {"toRawJson", "a", fn_to_raw_json, 0},
    {"mustToRawJson", "a", fn_to_raw_json, 0},
};
const struct function_table FUNCTIONS_JSON = {FUNCTIONS, COUNT_OF(FUNCTIONS)};

/* --- Reflection ------------------------------------------------------------------------------ */

static bool fn_type_of(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_text(slice_text(value_type_name(&args[0])));
    return true;
}

static bool fn_kind_of(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_text(slice_text(value_kind_name(&args[0])));
    return true;
}

static bool fn_type_is(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_bool(slice_is(args[0].text, value_type_name(&args[1])));
    return true;
}

static bool fn_type_is_like(struct trun *run, const struct tvalue *args, size_t n,
                            struct tvalue *out)
{
    const char *name = value_type_name(&args[1]);

    (void)run, (void)n;
    *out = tvalue_bool(slice_is(args[0].text, name) ||
                       (*name == '*' && slice_is(args[0].text, name + 1)));
    return true;
}

static bool fn_kind_is(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_bool(slice_is(args[0].text, value_kind_name(&args[1])));
    return true;
}

static const struct tfunc REFLECTION[] = {
    {"typeOf", "a", fn_type_of, 0},  {"kindOf", "a", fn_kind_of, 0},
    {"typeIs", "sa", fn_type_is, 0}, {"typeIsLike", "sa", fn_type_is_like, 0},
    {"kindIs", "sa", fn_kind_is, 0},
};
const struct function_table FUNCTIONS_REFLECT = {REFLECTION, COUNT_OF(REFLECTION)};

/* --- Texts of values ------------------------------------------------------------------------- */

bool value_text(struct trun *run, const struct tvalue *v, struct slice *text)
{
    struct buf b = run_buf(run);

    if (v->kind == T_TEXT || v->kind == T_BYTES) {
        if (!v->type->text) {
            *text = v->text.p ? v->text : SLICE("");
            return true;
        }
    }
    if (!print_plain(run, &b, v))
        return false;
    *text = buf_slice(&b);
    return run_buf_done(run, &b);
}
