/*
 * A template on data, with tiny limits.  The input is the template's text, or data (JSON) and text
 * with a NUL byte between.  Whatever the text is, it parses or is refused, runs or ends with an
 * error that names the template; the output stays within its bound; what ran runs again the same.
 */
#include <stdlib.h>

#include "template/template.h"

static int64_t ticks;

static struct instant now(struct clock *c)
{
    (void)c;
    return (struct instant){1719962162, 123456789};
}

static int64_t mono(struct clock *c)
{
    (void)c;
    return ticks += NS_PER_MS / 4;
}

static void fill(struct rng *r, void *to, size_t n)
{
    (void)r;
    memset(to, 7, n);
}

static struct clock CLOCK = {now, mono};
static struct rng RNG = {fill};
static const struct template_options OPTIONS = {.clock = &CLOCK, .rng = &RNG, .local_zone = "UTC"};
static const struct template_limits LIMITS = {.output = 65536,
                                              .memory = 4194304,
                                              .time_ns = 100 * NS_PER_MS,
                                              .iterations = 10000,
                                              .depth = 100,
                                              .costly = 0};
static const struct json_rules RULES = {.depth = 40, .values = 2000};
static const char DATA[] =
    "{\"s\":\"hello\",\"n\":3,\"f\":2.5,\"t\":true,\"nul\":null,\"l\":[\"a\",\"b\",1],\"m\":{\"k\":"
    "\"v\",\"a\":{\"b\":\"deep\"}},\"Token\":{\"sub\":\"x\",\"exp\":1719962162},\"e\":[]}";

static void check(bool ok)
{
    if (!ok)
        abort();
}

static struct tvalue data_of(struct arena *a, struct slice json)
{
    const struct json *v = json_read(a, json, &RULES, NULL, NULL);
    return v ? tvalue_from_json(a, v) : tvalue_none();
}

static bool run(const struct template *t, struct arena *a, struct slice json, struct buf *out)
{
    struct tvalue data = data_of(a, json);
    struct err e = {0};

    ticks = 0;
    if (template_run(t, &data, a, &LIMITS, out, &e)) {
        check(out->n <= LIMITS.output);
        return true;
    }
    check(e.kind == ERR_MALFORMED || e.kind == ERR_INTERNAL || e.kind == ERR_TOO_LARGE ||
          e.kind == ERR_TIMEOUT);
    check((e.code != NULL) == (e.kind == ERR_MALFORMED));
    check(e.code || slice_starts(slice_text(e.text), "template: t:"));
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice text = slice_of(p, n), json = slice_text(DATA);
    size_t nul = n ? slice_find(text, 0) : 0;
    struct err e = {0};

    if (n && nul < n) {
        json = slice_sub(text, 0, nul);
        text = slice_from(text, nul + 1);
    }
    struct template *t = template_parse(a, "t", text, &OPTIONS, &e);
    if (!t) {
        check(slice_starts(slice_text(e.text), "template: t:"));
        return 0;
    }
    struct buf first = buf_new(a, LIMITS.output + 1), second = buf_new(a, LIMITS.output + 1);
    if (run(t, a, json, &first)) {
        check(run(t, a, json, &second));
        check(slice_eq(buf_slice(&first), buf_slice(&second)));
    }
    return 0;
}
