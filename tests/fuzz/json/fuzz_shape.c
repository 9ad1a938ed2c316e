/*
 * A record with all kinds of fields: what was read is written, read again and written again; the
 * two texts are equal.
 */
#include <stdlib.h>

#include "json/shape.h"

struct node {
    struct slice text, bytes;
    struct texts texts, multi, list;
    bool truth;
    int8_t opt;
    int64_t i;
    uint64_t u;
    double number;
    struct opt_duration duration;
    struct instant time, nano;
    const struct json *raw;
    int kind;
    struct node *object;
    struct leaf {
        struct slice text;
        int8_t opt;
    } inlined;
    struct objects objects;
};
#define AT(member) offsetof(struct node, member)
static const char *const KINDS[] = {"none", "JWK", "OIDC", NULL};
static const struct field LEAF_FIELDS[] = {
    {"t", FIELD_TEXT, offsetof(struct leaf, text), FIELD_OMIT_EMPTY, NULL},
    {"o", FIELD_OPT_BOOL, offsetof(struct leaf, opt), 0, NULL},
};
static const struct shape LEAF = {"leaf", sizeof(struct leaf), LEAF_FIELDS, COUNT_OF(LEAF_FIELDS),
                                  true};
static const struct shape NODE;
static const struct field NODE_FIELDS[] = {
    {"text", FIELD_TEXT, AT(text), FIELD_OMIT_EMPTY, NULL},
    {"bytes", FIELD_BYTES, AT(bytes), FIELD_NULL_WHEN_NONE, NULL},
    {"texts", FIELD_TEXTS, AT(texts), FIELD_NULL_WHEN_NONE, NULL},
    {"multi", FIELD_MULTI, AT(multi), 0, NULL},
    {"list", FIELD_LIST_OR_TEXT, AT(list), FIELD_OMIT_EMPTY, NULL},
    {"truth", FIELD_BOOL, AT(truth), FIELD_OMIT_EMPTY, NULL},
    {"opt", FIELD_OPT_BOOL, AT(opt), FIELD_OMIT_EMPTY, NULL},
    {"i", FIELD_INT, AT(i), FIELD_OMIT_EMPTY, NULL},
    {"u", FIELD_UINT, AT(u), FIELD_OMIT_EMPTY, NULL},
    {"number", FIELD_NUMBER, AT(number), FIELD_OMIT_EMPTY, NULL},
    {"duration", FIELD_DURATION, AT(duration), FIELD_OMIT_EMPTY, NULL},
    {"time", FIELD_TIME, AT(time), FIELD_OMIT_EMPTY, NULL},
    {"nano", FIELD_TIME_NANO, AT(nano), 0, NULL},
    {"raw", FIELD_RAW, AT(raw), FIELD_OMIT_EMPTY, NULL},
    {"kind", FIELD_ENUM, AT(kind), 0, KINDS},
    {"object", FIELD_OBJECT, AT(object), FIELD_OMIT_EMPTY, &NODE},
    {"inlined", FIELD_INLINE, AT(inlined), FIELD_OMIT_EMPTY, &LEAF},
    {"objects", FIELD_OBJECTS, AT(objects), FIELD_NULL_WHEN_NONE, &NODE},
};
static const struct shape NODE = {"node", sizeof(struct node), NODE_FIELDS, COUNT_OF(NODE_FIELDS),
                                  false};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void unknown(const char *path, const struct json *member, void *arg)
{
    check(path && *path && member);
    ++*(size_t *)arg;
}

static void round_trip(struct arena *a, struct slice in)
{
    const struct json *v = json_read(a, in, &JSON_CONFIG, NULL, NULL);
    if (!v)
        return;
    struct node x = {0}, y = {0};
    struct err e = {0};
    size_t n = 0;
    if (!shape_read_noting(&NODE, v, &x, a, unknown, &n, &e)) {
        check(e.kind == ERR_MALFORMED && strstr(e.text, "expected"));
        return;
    }
    struct buf once = buf_new(a, 1u << 28), twice = buf_new(a, 1u << 28);
    shape_write(&NODE, &x, &once);
    check(buf_ok(&once));
    const struct json_rules rules = {.depth = 1000, .values = 10000000, .reject_rest = true};
    const struct json *w = json_read(a, buf_slice(&once), &rules, NULL, NULL);
    check(w != NULL);
    n = 0;
    check(shape_read_noting(&NODE, w, &y, a, unknown, &n, NULL));
    check(n == 0);
    shape_write(&NODE, &y, &twice);
    check(slice_eq(buf_slice(&once), buf_slice(&twice)));
    check(shape_tree(&NODE, &y, a)->kind == JSON_OBJECT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    round_trip(a, slice_of(data, size));
    arena_free(a);
    return 0;
}
