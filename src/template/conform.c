/*
 * One case: its data is decoded as the root, local time is UTC and every function is allowed. error
 * is "parse", "exec", both with a '|' between, or "fail" with the exact message.
 */
#include "template/conform.h"

#include <stdio.h>

#include "base/file.h"
#include "template/template.h"

#define FILE_MAX 16777216u

static const struct json_rules RULES = {.depth = 200, .values = 4000000, .reject_rest = true};
static const char *const ALLOWED[] = {"htpasswd", "derivePassword", "bcrypt", "genPrivateKey"};
static const struct template_options OPTIONS = {
    .set = TEMPLATE_X509,
    .allow = ALLOWED,
    .n_allow = COUNT_OF(ALLOWED),
    .local_zone = "UTC",
};

struct outcome {
    const char *stage; /* "output", "parse", "exec", "fail" */
    struct slice text; /* output or message */
};

/* Under sanitizers on a busy machine 100 ms are not much. */
static struct template_limits patient(void)
{
    struct template_limits limits = TEMPLATE_LIMITS;
    limits.time_ns = 20 * NS_PER_SEC;
    return limits;
}

static struct outcome run_case(struct arena *a, const struct json *c)
{
    struct template_limits limits = patient();
    struct buf out = buf_new(a, limits.output);
    struct err e = {0};
    const struct json *root = json_get_exact(c, "data");
    struct tvalue data = root ? tvalue_from_json(a, root) : tvalue_map(a, &TTYPE_MAP);
    struct template *t =
        template_parse(a, "template", json_text(json_get_exact(c, "template")), &OPTIONS, &e);

    if (!t)
        return (struct outcome){"parse", arena_copy(a, slice_text(e.text))};
    if (template_run(t, &data, a, &limits, &out, &e))
        return (struct outcome){"output", buf_slice(&out)};
    if (e.code && !strcmp(e.code, TEMPLATE_FAIL) && e.notes)
        return (struct outcome){"fail", e.notes->text};
    return (struct outcome){"exec", arena_copy(a, slice_text(e.text))};
}

static bool names_stage(struct slice wanted, const char *stage)
{
    struct slice part;

    while (wanted.n && slice_split(&wanted, '|', &part))
        if (slice_is(part, stage))
            return true;
    return false;
}

static bool as_expected(const struct json *c, const struct outcome *o)
{
    struct slice output = json_text(json_get_exact(c, "output"));
    struct slice error = json_text(json_get_exact(c, "error"));
    struct slice message = json_text(json_get_exact(c, "message"));

    if (output.p)
        return !strcmp(o->stage, "output") && slice_eq(o->text, output);
    return names_stage(error, o->stage) && (!message.p || slice_eq(o->text, message));
}

static void report(const struct json *c, const struct outcome *o)
{
    struct slice group = json_text(json_get_exact(c, "group"));
    struct slice output = json_text(json_get_exact(c, "output"));
    const struct json *root = json_get_exact(c, "data");
    struct slice data = root ? root->raw : SLICE("");
    struct slice wanted = output.p ? output : json_text(json_get_exact(c, "error"));

    printf("FAILED %.*s: %.*s\n  data %.*s\n  wanted %s: %.*s\n  got %s: %.*s\n", SLICE_ARG(group),
           SLICE_ARG(json_text(json_get_exact(c, "template"))), SLICE_ARG(slice_sub(data, 0, 300)),
           output.p ? "output" : "error", SLICE_ARG(slice_sub(wanted, 0, 2000)), o->stage,
           SLICE_ARG(slice_sub(o->text, 0, 2000)));
}

bool conform_file(const char *path, struct conform_count *count)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct err e = {0};
    struct slice text;

    *count = (struct conform_count){0};
    if (!file_read(a, path, false, FILE_MAX, &text, &e)) {
        printf("%s\n", e.text);
        return false;
    }
    const struct json *cases = json_read(a, text, &RULES, NULL, &e);
    if (!cases || cases->kind != JSON_LIST) {
        printf("%s: not a JSON list of cases: %s\n", path, e.text);
        return false;
    }
    for (const struct json *c = cases->first; c; c = c->next) {
        struct arena_mark mark = arena_mark(a);
        struct outcome o = run_case(a, c);
        bool good = as_expected(c, &o);
        count->passed += good;
        count->failed += !good;
        if (!good)
            report(c, &o);
        arena_rewind(a, mark);
    }
    return true;
}
