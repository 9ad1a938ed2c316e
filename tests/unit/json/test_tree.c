/* Trees: lookups, numbers, editing, order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/json.h"

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

static struct json *tree(void **state, const char *text)
{
    struct json *v = json_read(*state, slice_text(text), &JSON_API, NULL, NULL);
    assert_non_null(v);
    return v;
}

static void assert_prints(void **state, const struct json *v, const char *wanted)
{
    struct buf b = buf_new(*state, 1u << 20);
    json_print(&b, v, NULL);
    assert_string_equal(arena_cstr(*state, buf_slice(&b)), wanted);
}

static void get_prefers_exact_names_and_the_last(void **state)
{
    static const struct {
        const char *in, *name, *any, *exact; /* raw text found; NULL: none */
    } CASES[] = {
        {"{\"a\":1}", "a", "1", "1"},
        {"{\"A\":1}", "a", "1", NULL},
        {"{\"A\":1,\"a\":2,\"A\":3}", "a", "2", "2"},
        {"{\"a\":1,\"a\":2}", "a", "2", "2"},
        {"{\"DNSNames\":1,\"DnsNames\":2}", "dnsNames", "2", NULL},
        {"{\"a\\u0000\":1}", "a", NULL, NULL},
        {"{\"b\":1}", "a", NULL, NULL},
        {"[1]", "a", NULL, NULL},
        {"\"a\"", "a", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct json *v = tree(state, CASES[i].in);
        const struct json *any = json_get(v, CASES[i].name);
        const struct json *exact = json_get_exact(v, CASES[i].name);
        assert_int_equal(any != NULL, CASES[i].any != NULL);
        assert_int_equal(exact != NULL, CASES[i].exact != NULL);
        if (any)
            assert_true(slice_is(any->raw, CASES[i].any));
        if (exact)
            assert_true(slice_is(exact->raw, CASES[i].exact));
    }
    assert_null(json_get(NULL, "a"));
    assert_null(json_get_exact(NULL, "a"));
}

static void text_is_absent_unless_it_is_a_text(void **state)
{
    assert_true(slice_is(json_text(tree(state, "\"x\"")), "x"));
    struct slice empty = json_text(tree(state, "\"\""));
    assert_non_null(empty.p);
    assert_int_equal(empty.n, 0);
    assert_null(json_text(tree(state, "1")).p);
    assert_null(json_text(tree(state, "null")).p);
    assert_null(json_text(NULL).p);
}

static void whole_numbers_fit_or_fail(void **state)
{
    static const struct {
        const char *in;
        bool is_int;
        int64_t i;
        bool is_uint;
        uint64_t u;
    } CASES[] = {
        {"0", true, 0, true, 0},
        {"-0", true, 0, false, 0},
        {"9223372036854775807", true, INT64_MAX, true, INT64_MAX},
        {"9223372036854775808", false, 0, true, UINT64_C(9223372036854775808)},
        {"-9223372036854775808", true, INT64_MIN, false, 0},
        {"-9223372036854775809", false, 0, false, 0},
        {"18446744073709551615", false, 0, true, UINT64_MAX},
        {"18446744073709551616", false, 0, false, 0},
        {"99999999999999999999999999", false, 0, false, 0},
        {"1.0", false, 0, false, 0},
        {"1e2", false, 0, false, 0},
        {"\"1\"", false, 0, false, 0},
        {"true", false, 0, false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct json *v = tree(state, CASES[i].in);
        int64_t s = 77;
        uint64_t u = 77;
        assert_int_equal(json_int(v, &s), CASES[i].is_int);
        assert_int_equal(json_uint(v, &u), CASES[i].is_uint);
        assert_true(s == (CASES[i].is_int ? CASES[i].i : 77));
        assert_true(u == (CASES[i].is_uint ? CASES[i].u : 77));
    }
    int64_t s;
    assert_false(json_int(NULL, &s));
}

static void doubles_are_bounded(void **state)
{
    static const struct {
        const char *in;
        double value;
    } CASES[] = {
        {"1.2", 1.2}, {"-0.5e1", -5}, {"1E400", 0}, {"0", 0}, {"123456789012", 123456789012}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        double d = 0;
        bool ok = json_double(tree(state, CASES[i].in), &d);
        assert_int_equal(ok, i != 2);
        assert_true(d == CASES[i].value);
    }
    char digits[80];
    double d;
    memset(digits, '1', sizeof digits);
    digits[64] = 0;
    assert_true(json_double(tree(state, digits), &d));
    digits[64] = '1';
    digits[65] = 0;
    assert_false(json_double(tree(state, digits), &d));
    assert_false(json_double(tree(state, "\"1\""), &d));
}

static void set_keeps_the_place_and_removes_the_others(void **state)
{
    struct json *v = json_copy(*state, tree(state, "{\"a\":1,\"B\":2,\"c\":3,\"b\":4}"));
    json_set(v, *state, "b", json_make_text(*state, SLICE("x")));
    assert_prints(state, v, "{\"a\":1,\"b\":\"x\",\"c\":3}");
    assert_int_equal(v->n, 3);
    json_set(v, *state, "c", json_make_int(*state, -5));
    json_set(v, *state, "d", json_make_bool(*state, true));
    assert_prints(state, v, "{\"a\":1,\"b\":\"x\",\"c\":-5,\"d\":true}");
    assert_true(json_remove(v, "D"));
    assert_false(json_remove(v, "d"));
    assert_true(json_remove(v, "a"));
    json_set(v, *state, "e", json_make_uint(*state, UINT64_MAX));
    assert_prints(state, v, "{\"b\":\"x\",\"c\":-5,\"e\":18446744073709551615}");
    assert_int_equal(v->n, 3);
}

static void exact_editing_leaves_other_cases_alone(void **state)
{
    struct json *v = json_copy(*state, tree(state, "{\"Prod\":1,\"prod\":2}"));
    json_set_exact(v, *state, "prod", json_make_null(*state));
    assert_prints(state, v, "{\"Prod\":1,\"prod\":null}");
    assert_false(json_remove_exact(v, "PROD"));
    assert_true(json_remove_exact(v, "Prod"));
    assert_prints(state, v, "{\"prod\":null}");
    assert_true(json_remove_exact(v, "prod"));
    assert_prints(state, v, "{}");
    json_set_exact(v, *state, "x", json_make_list(*state));
    assert_prints(state, v, "{\"x\":[]}");
}

static void lists_grow_and_shrink(void **state)
{
    struct json *list = json_make_list(*state);
    struct json *items[3];
    for (int i = 0; i < 3; i++) {
        items[i] = json_make_int(*state, i);
        json_append(list, items[i]);
    }
    assert_prints(state, list, "[0,1,2]");
    assert_true(json_remove_item(list, items[2]));
    json_append(list, json_make_object(*state));
    assert_prints(state, list, "[0,1,{}]");
    assert_true(json_remove_item(list, items[0]));
    assert_false(json_remove_item(list, items[0]));
    assert_prints(state, list, "[1,{}]");
    assert_int_equal(list->n, 2);
}

static void order_moves_named_members_to_the_front(void **state)
{
    static const char *const NAMES[] = {"root", "crt", "key", NULL};
    struct json *v = json_copy(
        *state, tree(state, "{\"x\":1,\"key\":2,\"_db\":3,\"Root\":4,\"y\":5,\"key\":6}"));
    json_order(v, NAMES);
    assert_prints(state, v, "{\"Root\":4,\"key\":2,\"key\":6,\"x\":1,\"_db\":3,\"y\":5}");
    assert_int_equal(v->n, 6);
    struct json *empty = json_make_object(*state);
    json_order(empty, NAMES);
    assert_prints(state, empty, "{}");
}

static void copy_is_deep_and_without_raw(void **state)
{
    const struct json *v = tree(state, "{\"a\":[1,\"x\",null,false,{\"b\":{}}]}");
    struct json *c = json_copy(*state, v);
    assert_prints(state, c, "{\"a\":[1,\"x\",null,false,{\"b\":{}}]}");
    assert_null(c->raw.p);
    assert_null(c->first->raw.p);
    assert_int_equal(c->first->line, 0);
    assert_ptr_not_equal(c->first->name.p, v->first->name.p);
    json_append(c->first, json_make_null(*state));
    assert_int_equal(v->first->n, 5);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, arena_up, arena_down)
        TEST(get_prefers_exact_names_and_the_last),
        TEST(text_is_absent_unless_it_is_a_text),
        TEST(whole_numbers_fit_or_fail),
        TEST(doubles_are_bounded),
        TEST(set_keeps_the_place_and_removes_the_others),
        TEST(exact_editing_leaves_other_cases_alone),
        TEST(lists_grow_and_shrink),
        TEST(order_moves_named_members_to_the_front),
        TEST(copy_is_deep_and_without_raw),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
