/* Record shapes: every kind of field read and written, omission, errors with their path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "json/shape.h"

/* --- A record with all kinds of fields ------------------------------------------------------ */

struct inner {
    struct slice name;
    struct texts list;
    int8_t maybe;
    struct inner *deeper;
};
static const struct shape INNER;
#define IN(member) offsetof(struct inner, member)
static const struct field INNER_FIELDS[] = {
    {"name", FIELD_TEXT, IN(name), 0, NULL},
    {"list", FIELD_TEXTS, IN(list), FIELD_OMIT_EMPTY, NULL},
    {"maybe", FIELD_OPT_BOOL, IN(maybe), FIELD_OMIT_EMPTY, NULL},
    {"deeper", FIELD_OBJECT, IN(deeper), FIELD_OMIT_EMPTY, &INNER},
};
static const struct shape INNER = {"inner", sizeof(struct inner), INNER_FIELDS,
                                   COUNT_OF(INNER_FIELDS), false};

struct all {
    struct slice text;
    struct texts texts, multi, list_or_text;
    bool truth;
    int8_t opt;
    int64_t i;
    uint64_t u;
    double number;
    struct opt_duration duration;
    struct instant time, nano;
    struct slice bytes;
    const struct json *raw;
    int kind;
    struct inner *object;
    struct inner inlined;
    struct objects objects;
    struct slice secret;
};
#define AT(member) offsetof(struct all, member)
static const char *const KINDS[] = {"", "JWK", "OIDC", NULL};
static const struct field ALL_FIELDS[] = {
    {"text", FIELD_TEXT, AT(text), 0, NULL},
    {"texts", FIELD_TEXTS, AT(texts), 0, NULL},
    {"multi", FIELD_MULTI, AT(multi), 0, NULL},
    {"listOrText", FIELD_LIST_OR_TEXT, AT(list_or_text), 0, NULL},
    {"truth", FIELD_BOOL, AT(truth), 0, NULL},
    {"opt", FIELD_OPT_BOOL, AT(opt), 0, NULL},
    {"i", FIELD_INT, AT(i), 0, NULL},
    {"u", FIELD_UINT, AT(u), 0, NULL},
    {"number", FIELD_NUMBER, AT(number), 0, NULL},
    {"duration", FIELD_DURATION, AT(duration), 0, NULL},
    {"time", FIELD_TIME, AT(time), 0, NULL},
    {"nano", FIELD_TIME_NANO, AT(nano), 0, NULL},
    {"bytes", FIELD_BYTES, AT(bytes), 0, NULL},
    {"raw", FIELD_RAW, AT(raw), 0, NULL},
    {"kind", FIELD_ENUM, AT(kind), 0, KINDS},
    {"object", FIELD_OBJECT, AT(object), 0, &INNER},
    {"inlined", FIELD_INLINE, AT(inlined), 0, &INNER},
    {"objects", FIELD_OBJECTS, AT(objects), 0, &INNER},
    {"secret", FIELD_TEXT, AT(secret), FIELD_SECRET, NULL},
};
static const struct shape ALL = {"all", sizeof(struct all), ALL_FIELDS, COUNT_OF(ALL_FIELDS),
                                 false};

/* The same with other bits on every field. */
static struct field other_fields[COUNT_OF(ALL_FIELDS)];
static struct shape with_bits(uint16_t bits)
{
    memcpy(other_fields, ALL_FIELDS, sizeof ALL_FIELDS);
    for (size_t i = 0; i < COUNT_OF(other_fields); i++)
        other_fields[i].bits |= bits;
    return (struct shape){"all", sizeof(struct all), other_fields, COUNT_OF(other_fields), false};
}

static int arena_up(void **state)
{
    *state = arena_new(&HEAP_USUAL);
    return 0;
}

static int arena_down(void **state)
{
    arena_free(*state);
    return 0;
}

static const struct json *tree(void **state, const char *text)
{
    struct err e = {0};
    const struct json *v = json_read(*state, slice_text(text), &JSON_CONFIG, NULL, &e);
    if (!v)
        fail_msg("%s: %s", text, e.text);
    return v;
}

static struct all read_all(void **state, const char *text)
{
    struct all r = {0};
    struct err e = {0};
    if (!shape_read(&ALL, tree(state, text), &r, *state, &e))
        fail_msg("%s: %s", text, e.text);
    return r;
}

static const char *written(void **state, const struct shape *shape, const void *record)
{
    struct buf b = buf_new(*state, 1u << 20);
    shape_write(shape, record, &b);
    assert_true(buf_ok(&b));
    return arena_cstr(*state, buf_slice(&b));
}

static const char FULL[] =
    "{\"text\":\"t\\u003c\",\"texts\":[\"a\",\"\"],\"multi\":\"m\",\"listOrText\":[\"l\"],"
    "\"truth\":true,\"opt\":false,\"i\":-5,\"u\":18446744073709551615,\"number\":1.2,"
    "\"duration\":\"24h0m0s\",\"time\":\"2024-05-01T10:20:30Z\","
    "\"nano\":\"2024-05-01T10:20:30.120004Z\",\"bytes\":\"Zm9vYg==\",\"raw\":{\"x\":[1.50,"
    "\"\\u0041\"]},\"kind\":\"OIDC\",\"object\":{\"name\":\"o\",\"list\":[\"1\"],\"maybe\":true,"
    "\"deeper\":{\"name\":\"d\"}},\"inlined\":{\"name\":\"i\"},\"objects\":[{\"name\":\"1\"},"
    "{\"name\":\"\",\"maybe\":false}]}";

static void what_is_written_is_what_is_read(void **state)
{
    struct all r = read_all(state, FULL);
    assert_string_equal(written(state, &ALL, &r), FULL);

    assert_true(slice_is(r.text, "t<"));
    assert_int_equal(r.texts.n, 2);
    assert_true(r.truth);
    assert_int_equal(r.opt, 0);
    assert_true(r.i == -5 && r.u == UINT64_MAX && r.number == 1.2);
    assert_true(r.duration.set && r.duration.ns == 24 * 3600 * NS_PER_SEC);
    assert_int_equal(r.nano.nsec, 120004000);
    assert_true(slice_is(r.bytes, "foob"));
    assert_int_equal(r.kind, 2);
    assert_int_equal(r.object->deeper->maybe, -1);
    assert_int_equal(r.objects.n, 2);
    assert_int_equal(((struct inner *)r.objects.v)[0].maybe, -1);
    assert_int_equal(((struct inner *)r.objects.v)[1].maybe, 0);
}

static void absent_and_null_members_are_the_zero_value(void **state)
{
    static const char NULLS[] =
        "{\"text\":null,\"texts\":null,\"multi\":null,\"listOrText\":null,\"truth\":null,"
        "\"opt\":null,\"i\":null,\"u\":null,\"number\":null,\"duration\":null,\"time\":null,"
        "\"nano\":null,\"bytes\":null,\"raw\":null,\"kind\":null,\"object\":null,"
        "\"inlined\":null,\"objects\":null,\"secret\":null}";
    static const char WRITTEN[] =
        "{\"text\":\"\",\"texts\":[],\"multi\":\"\",\"listOrText\":[],\"truth\":false,"
        "\"opt\":null,\"i\":0,\"u\":0,\"number\":0,\"duration\":null,"
        "\"time\":\"0001-01-01T00:00:00Z\",\"nano\":\"0001-01-01T00:00:00Z\",\"bytes\":\"\","
        "\"raw\":null,\"kind\":\"\",\"object\":null,\"inlined\":{\"name\":\"\"},\"objects\":[]}";
    static const char WITH_NULLS[] =
        "{\"text\":\"\",\"texts\":null,\"multi\":null,\"listOrText\":null,\"truth\":false,"
        "\"opt\":null,\"i\":0,\"u\":0,\"number\":0,\"duration\":null,"
        "\"time\":\"0001-01-01T00:00:00Z\",\"nano\":\"0001-01-01T00:00:00Z\",\"bytes\":null,"
        "\"raw\":null,\"kind\":\"\",\"object\":null,\"inlined\":{\"name\":\"\"},\"objects\":null}";
    static const char *const INPUTS[] = {NULLS, "{}", "null"};
    for (size_t i = 0; i < COUNT_OF(INPUTS); i++) {
        struct all r = read_all(state, INPUTS[i]);
        assert_string_equal(written(state, &ALL, &r), WRITTEN);
        struct shape omit = with_bits(FIELD_OMIT_EMPTY);
        assert_string_equal(written(state, &omit, &r), "{}");
        struct shape nulls = with_bits(FIELD_NULL_WHEN_NONE);
        assert_string_equal(written(state, &nulls, &r), WITH_NULLS);
        assert_true(instant_is_zero(r.time) && instant_is_zero(r.nano));
        assert_int_equal(r.inlined.maybe, -1);
    }
    struct all r = {0};
    assert_true(shape_read(&ALL, NULL, &r, *state, NULL));
    assert_int_equal(r.opt, -1);
}

static void empty_values_differ_from_absent_ones(void **state)
{
    struct all r = read_all(state, "{\"texts\":[],\"bytes\":\"\",\"objects\":[],\"text\":\"\"}");
    assert_non_null(r.texts.v);
    assert_non_null(r.bytes.p);
    assert_non_null(r.objects.v);
    assert_non_null(r.text.p);
    struct shape nulls = with_bits(FIELD_NULL_WHEN_NONE);
    assert_non_null(strstr(written(state, &nulls, &r), "\"texts\":[]"));
    assert_non_null(strstr(written(state, &nulls, &r), "\"bytes\":\"\""));
    assert_non_null(strstr(written(state, &nulls, &r), "\"objects\":[]"));
    struct shape omit = with_bits(FIELD_OMIT_EMPTY);
    assert_string_equal(written(state, &omit, &r), "{}");
    /* a set value is not empty because it is zero */
    struct all set = read_all(state, "{\"opt\":false,\"duration\":\"0\",\"object\":{}}");
    assert_string_equal(written(state, &omit, &set),
                        "{\"opt\":false,\"duration\":\"0s\",\"object\":{\"name\":\"\"}}");
}

static void members_are_written_as_tables_say(void **state)
{
    static const struct {
        const char *in, *part;
    } CASES[] = {
        {"{\"multi\":\"\"}", "\"multi\":\"\""},
        {"{\"multi\":[]}", "\"multi\":\"\""},
        {"{\"multi\":[\"a\"]}", "\"multi\":\"a\""},
        {"{\"multi\":[\"a\",\"b\"]}", "\"multi\":[\"a\",\"b\"]"},
        {"{\"listOrText\":\"a\"}", "\"listOrText\":[\"a\"]"},
        {"{\"listOrText\":\"\"}", "\"listOrText\":[]"},
        {"{\"listOrText\":[\"a\",\"b\"]}", "\"listOrText\":[\"a\",\"b\"]"},
        {"{\"texts\":[null,\"b\"]}", "\"texts\":[\"\",\"b\"]"},
        {"{\"objects\":[null]}", "\"objects\":[{\"name\":\"\"}]"},
        {"{\"number\":1}", "\"number\":1,"},
        {"{\"number\":1.30}", "\"number\":1.3,"},
        {"{\"number\":12e-1}", "\"number\":1.2,"},
        {"{\"duration\":\"90m\"}", "\"duration\":\"1h30m0s\""},
        {"{\"time\":\"2024-05-01T12:20:30.9+02:00\"}", "\"time\":\"2024-05-01T10:20:30Z\""},
        {"{\"nano\":\"2024-05-01T12:20:30.123456789+02:00\"}",
         "\"nano\":\"2024-05-01T10:20:30.123456789Z\""},
        {"{\"bytes\":\"Zm9v\\r\\nYg==\\n\"}", "\"bytes\":\"Zm9vYg==\""},
        {"{\"bytes\":\"\\n\"}", "\"bytes\":\"\""},
        {"{\"kind\":\"oidc\"}", "\"kind\":\"OIDC\""},
        {"{\"raw\":[1,\n]}", "\"raw\":[1]"},
        {"{\"raw\":\"<\"}", "\"raw\":\"\\u003c\""},
        {"{\"TEXT\":\"x\"}", "\"text\":\"x\""},
        {"{\"secret\":\"x\"}", "\"objects\":[]}"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct all r = read_all(state, CASES[i].in);
        const char *out = written(state, &ALL, &r);
        if (!strstr(out, CASES[i].part))
            fail_msg("%s gives %s", CASES[i].in, out);
        assert_null(strstr(out, "secret"));
    }
}

static void duplicates_last_wins_and_objects_merge(void **state)
{
    struct all r = read_all(
        state, "{\"text\":\"1\",\"Text\":\"2\",\"texts\":[\"a\",\"b\"],\"texts\":[\"c\"],"
               "\"object\":{\"name\":\"x\",\"maybe\":true},\"object\":{\"list\":[\"l\"],"
               "\"maybe\":false},\"inlined\":{\"name\":\"i\"},\"INLINED\":{\"maybe\":true}}");
    assert_true(slice_is(r.text, "2"));
    assert_int_equal(r.texts.n, 1);
    assert_true(slice_is(r.object->name, "x"));
    assert_int_equal(r.object->list.n, 1);
    assert_int_equal(r.object->maybe, 0);
    assert_true(slice_is(r.inlined.name, "i"));
    assert_int_equal(r.inlined.maybe, 1);

    struct all gone =
        read_all(state, "{\"object\":{},\"opt\":true,\"texts\":[],\"duration\":\"1s\","
                        "\"bytes\":\"\",\"objects\":[],\"text\":\"kept\","
                        "\"object\":null,\"opt\":null,\"texts\":null,"
                        "\"duration\":null,\"bytes\":null,\"objects\":null,"
                        "\"text\":null}");
    assert_null(gone.object);
    assert_int_equal(gone.opt, -1);
    assert_null(gone.texts.v);
    assert_null(gone.bytes.p);
    assert_null(gone.objects.v);
    assert_false(gone.duration.set);
    assert_true(slice_is(gone.text, "kept"));
}

static void an_exact_name_beats_a_similar_one(void **state)
{
    static const struct field FIELDS[] = {{"aB", FIELD_INT, 0, 0, NULL},
                                          {"ab", FIELD_INT, 8, 0, NULL}};
    static const struct shape SHAPE = {"pair", 16, FIELDS, 2, false};
    int64_t pair[2] = {0};
    assert_true(shape_read(&SHAPE, tree(state, "{\"ab\":1,\"AB\":2}"), pair, *state, NULL));
    assert_true(pair[0] == 2 && pair[1] == 1);
}

static void errors_name_path_place_and_expectation(void **state)
{
    static const struct {
        const char *in, *error;
    } CASES[] = {
        {"[]", "all (1:1): expected an object, found list"},
        {"{\"text\":1}", "text (1:9): expected a text, found number"},
        {"{\"texts\":\"a\"}", "texts (1:10): expected a list of texts, found text"},
        {"{\"texts\":[\"a\",\n 1]}", "texts[1] (2:2): expected a text, found number"},
        {"{\"multi\":1}", "multi (1:10): expected a text or a list of texts, found number"},
        {"{\"listOrText\":{}}",
         "listOrText (1:15): expected a text or a list of texts, found object"},
        {"{\"truth\":\"true\"}", "truth (1:10): expected true or false, found text"},
        {"{\"opt\":1}", "opt (1:8): expected true or false, found number"},
        {"{\"i\":\"1\"}", "i (1:6): expected a whole number, found text"},
        {"{\"i\":1.5}", "i (1:6): expected a whole number of 64 bits, found 1.5"},
        {"{\"u\":-1}", "u (1:6): expected a whole number from 0, of 64 bits, found -1"},
        {"{\"number\":\"1.2\"}",
         "number (1:11): expected a number such as 1.2, without quotes, found text"},
        {"{\"number\":1e999}", "number (1:11): expected a number of double precision, found 1e999"},
        {"{\"duration\":5}", "duration (1:13): expected a duration such as \"24h\", found number"},
        {"{\"duration\":\"\"}", "duration (1:13): expected a duration such as \"24h\", found \"\""},
        {"{\"duration\":\"1d\"}",
         "duration (1:13): expected a duration such as \"24h\", found \"1d\""},
        {"{\"time\":\"today\"}", "time (1:9): expected a time such as \"2026-02-03T10:20:30Z\" "
                                 "(RFC 3339), found \"today\""},
        {"{\"nano\":1}", "nano (1:9): expected a time such as \"2026-02-03T10:20:30Z\" (RFC 3339), "
                         "found number"},
        {"{\"bytes\":[1]}", "bytes (1:10): expected a text in base64, found list"},
        {"{\"bytes\":\"Zg\"}",
         "bytes (1:10): expected base64 with padding (RFC 4648 section 4), found \"Zg\""},
        {"{\"bytes\":\"a\\u0007\"}",
         "bytes (1:10): expected base64 with padding (RFC 4648 section 4), found another text"},
        {"{\"kind\":\"x\"}", "kind (1:9): expected one of \"\", \"JWK\", \"OIDC\", found \"x\""},
        {"{\"kind\":true}", "kind (1:9): expected one of \"\", \"JWK\", \"OIDC\", found boolean"},
        {"{\"object\":[]}", "object (1:11): expected an object, found list"},
        {"{\"OBJECT\":{\"deeper\":{\"deeper\":{\n\"name\":[]}}}}",
         "object.deeper.deeper.name (2:8): expected a text, found list"},
        {"{\"inlined\":{\"maybe\":\"x\"}}",
         "inlined.maybe (1:21): expected true or false, found text"},
        {"{\"objects\":{}}", "objects (1:12): expected a list of objects, found object"},
        {"{\"objects\":[{},\"a\"]}", "objects[1] (1:16): expected an object, found text"},
        {"{\"objects\":[{},{\"list\":[0]}]}",
         "objects[1].list[0] (1:25): expected a text, found number"},
        {"{\"text\":\"a\",\n \"texts\":[\"a\",],\n \"i\":true}",
         "i (3:6): expected a whole number, found boolean"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct all r = {0};
        struct err e = {0};
        assert_false(shape_read(&ALL, tree(state, CASES[i].in), &r, *state, &e));
        assert_string_equal(e.text, CASES[i].error);
        assert_int_equal(e.kind, ERR_MALFORMED);
        assert_null(e.code);
    }
    /* made values have no place */
    struct json *v = json_make_object(*state);
    json_set(v, *state, "text", json_make_int(*state, 1));
    struct all r = {0};
    struct err e = {0};
    assert_false(shape_read(&ALL, v, &r, *state, &e));
    assert_string_equal(e.text, "text: expected a text, found number");
}

static void errors_never_show_secrets(void **state)
{
    static const struct field FIELDS[] = {{"pin", FIELD_INT, 0, FIELD_SECRET, NULL},
                                          {"key", FIELD_BYTES, 8, FIELD_SECRET, NULL}};
    static const struct shape SHAPE = {"secrets", 24, FIELDS, 2, false};
    static const char *const CASES[] = {"{\"pin\":12.34}", "{\"key\":\"12.34\"}",
                                        "{\"pin\":\"12.34\"}"};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        uint64_t record[3] = {0};
        struct err e = {0};
        assert_false(shape_read(&SHAPE, tree(state, CASES[i]), record, *state, &e));
        assert_null(strstr(e.text, "12"));
    }
}

static void closed_shapes_refuse_unknown_members(void **state)
{
    static const struct field FIELDS[] = {{"name", FIELD_TEXT, 0, 0, NULL}};
    static const struct shape SHAPE = {"an admin", sizeof(struct slice), FIELDS, 1, true};
    struct slice name = {0};
    struct err e = {0};
    assert_true(shape_read(&SHAPE, tree(state, "{\"name\":\"x\"}"), &name, *state, &e));
    assert_false(shape_read(&SHAPE, tree(state, "{\"nom\\u0000\":1}"), &name, *state, &e));
    assert_string_equal(e.text,
                        "nom? (1:14): expected a member of an admin, found an unknown name");
}

static void note(const char *path, const struct json *member, void *arg)
{
    buf_printf(arg, "%s@%u:%u ", path, member->line, member->column);
}

static void unknown_members_are_noted_with_their_path(void **state)
{
    struct buf b = buf_new(*state, 1000);
    struct all r = {0};
    assert_true(shape_read_noting(
        &ALL,
        tree(state, "{\"_db\":1,\"object\":{\"//"
                    "\":2,\"deeper\":{\"x\":3}},\n\"objects\":[{\"y\":4}],\"\":5}"),
        &r, *state, note, &b, NULL));
    assert_string_equal(arena_cstr(*state, buf_slice(&b)),
                        "_db@1:8 object.//@1:25 object.deeper.x@1:41 objects[0].y@2:17 \"\"@2:24 ");
}

static void long_paths_are_cut(void **state)
{
    char name[1000], text[1100];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    snprintf(text, sizeof text, "{\"%s\":1}", name);
    static const struct shape SHAPE = {"empty", 0, NULL, 0, true};
    struct err e = {0};
    char nothing;
    assert_false(shape_read(&SHAPE, tree(state, text), &nothing, *state, &e));
    assert_non_null(strstr(e.text, "n... (1:1004): expected"));

    for (size_t shift = 0; shift < 2; shift++) {
        struct buf b = buf_new(*state, 2000);
        buf_text(&b, shift ? "{\"a" : "{\"");
        for (int i = 0; i < 300; i++)
            buf_text(&b, "\xc3\xa4");
        buf_text(&b, "\":1}");
        const char *in = arena_cstr(*state, buf_slice(&b));
        assert_false(shape_read(&SHAPE, tree(state, in), &nothing, *state, &e));
        assert_true(slice_is_utf8(slice_text(e.text)));
    }
}

static void a_tree_shows_what_is_written(void **state)
{
    struct all r = read_all(state, FULL);
    struct json *v = shape_tree(&ALL, &r, *state);
    struct buf b = buf_new(*state, 1u << 16);
    json_print(&b, v, NULL);
    /* the same but for escapes that a tree does not remember */
    struct buf wanted = buf_new(*state, 1u << 16);
    json_print(&wanted, tree(state, FULL), NULL);
    assert_true(slice_eq(buf_slice(&b), buf_slice(&wanted)));
    assert_null(v->raw.p);
    json_set(v, *state, "text", json_make_text(*state, SLICE("new")));
    assert_true(slice_is(json_text(json_get(v, "text")), "new"));
}

static void a_revocation_record_has_the_references_bytes(void **state)
{
    struct revoked {
        struct slice serial, provisioner, reason, token;
        int64_t code;
        struct instant at, expires;
        bool mtls, acme;
    };
#define R(member) offsetof(struct revoked, member)
    static const struct field FIELDS[] = {
        {"Serial", FIELD_TEXT, R(serial), 0, NULL},
        {"ProvisionerID", FIELD_TEXT, R(provisioner), 0, NULL},
        {"ReasonCode", FIELD_INT, R(code), 0, NULL},
        {"Reason", FIELD_TEXT, R(reason), 0, NULL},
        {"RevokedAt", FIELD_TIME_NANO, R(at), 0, NULL},
        {"ExpiresAt", FIELD_TIME, R(expires), 0, NULL},
        {"TokenID", FIELD_TEXT, R(token), 0, NULL},
        {"MTLS", FIELD_BOOL, R(mtls), 0, NULL},
        {"ACME", FIELD_BOOL, R(acme), 0, NULL},
    };
    static const struct shape SHAPE = {"revocation", sizeof(struct revoked), FIELDS,
                                       COUNT_OF(FIELDS), false};
    struct revoked r = {0};
    shape_init(&SHAPE, &r);
    r.serial = SLICE("123");
    r.code = 1;
    r.reason = SLICE("a & b");
    r.at = (struct instant){1714558830, 120004000};
    r.mtls = true;
    assert_string_equal(written(state, &SHAPE, &r),
                        "{\"Serial\":\"123\",\"ProvisionerID\":\"\",\"ReasonCode\":1,"
                        "\"Reason\":\"a \\u0026 b\",\"RevokedAt\":\"2024-05-01T10:20:30.120004Z\","
                        "\"ExpiresAt\":\"0001-01-01T00:00:00Z\",\"TokenID\":\"\",\"MTLS\":true,"
                        "\"ACME\":false}");
    /* an old record without ExpiresAt */
    struct revoked old = {0};
    assert_true(shape_read(&SHAPE, tree(state, "{\"Serial\":\"1\"}"), &old, *state, NULL));
    assert_true(instant_is_zero(old.expires));
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, arena_up, arena_down)
        TEST(what_is_written_is_what_is_read),
        TEST(absent_and_null_members_are_the_zero_value),
        TEST(empty_values_differ_from_absent_ones),
        TEST(members_are_written_as_tables_say),
        TEST(duplicates_last_wins_and_objects_merge),
        TEST(an_exact_name_beats_a_similar_one),
        TEST(errors_name_path_place_and_expectation),
        TEST(errors_never_show_secrets),
        TEST(closed_shapes_refuse_unknown_members),
        TEST(unknown_members_are_noted_with_their_path),
        TEST(long_paths_are_cut),
        TEST(a_tree_shows_what_is_written),
        TEST(a_revocation_record_has_the_references_bytes),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
