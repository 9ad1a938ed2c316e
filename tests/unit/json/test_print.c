/* Printing: the byte form of texts, numbers and times; indentation; the streaming writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include <math.h>
#include <stdlib.h>

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

static void assert_text(void **state, const struct buf *b, const char *wanted)
{
    assert_true(buf_ok(b));
    assert_string_equal(arena_cstr(*state, buf_slice(b)), wanted);
}

static void texts_are_escaped_as_the_reference_does(void **state)
{
    static const struct {
        struct slice in;
        const char *out, *plain;
    } CASES[] = {
        {SLICE(""), "\"\"", "\"\""},
        {SLICE("a\"b\\c/"), "\"a\\\"b\\\\c/\"", "\"a\\\"b\\\\c/\""},
        {SLICE("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"", "\"\\b\\f\\n\\r\\t\""},
        {SLICE("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"", "\"\\u0000\\u0001\\u001f\x7f\""},
        {SLICE("<a&b>"), "\"\\u003ca\\u0026b\\u003e\"", "\"<a&b>\""},
        {SLICE("\xe2\x80\xa8|\xe2\x80\xa9|\xe2\x80\xaa"), "\"\\u2028|\\u2029|\xe2\x80\xaa\"",
         "\"\\u2028|\\u2029|\xe2\x80\xaa\""},
        {SLICE("\xff\xc3\xa4\xed\xa0\x80"), "\"\\ufffd\xc3\xa4\\ufffd\\ufffd\\ufffd\"",
         "\"\\ufffd\xc3\xa4\\ufffd\\ufffd\\ufffd\""},
        {SLICE("\xf0\x9f\x98\x80\xe2"), "\"\xf0\x9f\x98\x80\\ufffd\"",
         "\"\xf0\x9f\x98\x80\\ufffd\""},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf b = buf_new(*state, 1000), plain = buf_new(*state, 1000);
        json_put_text(&b, CASES[i].in);
        json_put_text_plain(&plain, CASES[i].in);
        assert_text(state, &b, CASES[i].out);
        assert_text(state, &plain, CASES[i].plain);
    }
    struct buf b = buf_new(*state, 1000);
    json_put_text(&b, SLICE_NONE);
    assert_text(state, &b, "\"\"");
}

/* Each byte at each offset, against its escape alone. */
static void texts_are_escaped_wherever_the_byte_stands(void **state)
{
    for (size_t length = 0; length < 12; length++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            struct buf b = buf_new(*state, 256), alone = buf_new(*state, 64);
            uint8_t in[32], one = (uint8_t)byte;
            char wanted[64];
            memset(in, 'x', sizeof(in));
            in[length] = one;
            json_put_text(&alone, slice_of(&one, 1));
            json_put_text(&b, slice_of(in, 2 * length + 1));
            snprintf(wanted, sizeof(wanted), "\"%.*s%.*s%.*s\"", (int)length, "xxxxxxxxxxxx",
                     (int)alone.n - 2, (const char *)alone.p + 1, (int)length, "xxxxxxxxxxxx");
            assert_text(state, &b, wanted);
        }
    }
}

static void names_are_escaped_like_texts(void **state)
{
    static const struct {
        const char *name, *wanted;
    } CASES[] = {{"", "\"\":,\"\":"},
                 {"a", "\"a\":,\"a\":"},
                 {"a<\"", "\"a\\u003c\\\"\":,\"a\\u003c\\\"\":"}};

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf b = buf_new(*state, 256);
        json_put_name(&b, false, CASES[i].name);
        json_put_name(&b, true, CASES[i].name);
        assert_text(state, &b, CASES[i].wanted);
    }
    struct buf small = buf_new(*state, 4);
    json_put_name(&small, true, "ab");
    assert_false(buf_ok(&small));
}

static void numbers_are_plain_decimal(void **state)
{
    struct buf b = buf_new(*state, 1000);
    json_put_int(&b, INT64_MIN);
    buf_byte(&b, ' ');
    json_put_int(&b, -1);
    buf_byte(&b, ' ');
    json_put_int(&b, 0);
    buf_byte(&b, ' ');
    json_put_int(&b, INT64_MAX);
    buf_byte(&b, ' ');
    json_put_uint(&b, UINT64_MAX);
    assert_text(state, &b, "-9223372036854775808 -1 0 9223372036854775807 18446744073709551615");
}

static void doubles_are_the_shortest_that_read_back(void **state)
{
    static const struct {
        double in;
        const char *out;
    } CASES[] = {
        {0, "0"},
        {1, "1"},
        {1.2, "1.2"},
        {1.3, "1.3"},
        {-1.05, "-1.05"},
        {100, "100"},
        {0.1, "0.1"},
        {0.000001, "0.000001"},
        {0.00000123, "0.00000123"},
        {1e-7, "1e-7"},
        {1.5e-9, "1.5e-9"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {1.25e300, "1.25e+300"},
        {123456.789, "123456.789"},
        {0.1 + 0.2, "0.30000000000000004"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {9007199254740993.0, "9007199254740992"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf b = buf_new(*state, 1000);
        json_put_double(&b, CASES[i].in);
        assert_text(state, &b, CASES[i].out);
        assert_true(strtod(arena_cstr(*state, buf_slice(&b)), NULL) == CASES[i].in);
    }
    struct buf b = buf_new(*state, 1000);
    json_put_double(&b, NAN);
    json_put_double(&b, -INFINITY);
    assert_text(state, &b, "nullnull");
}

static void times_are_rfc3339_utc(void **state)
{
    static const struct {
        struct instant in;
        const char *seconds, *nano;
    } CASES[] = {
        {{0, 0}, "\"1970-01-01T00:00:00Z\"", "\"1970-01-01T00:00:00Z\""},
        {{1714559420, 120004000}, "\"2024-05-01T10:30:20Z\"", "\"2024-05-01T10:30:20.120004Z\""},
        {{1714559420, 1}, "\"2024-05-01T10:30:20Z\"", "\"2024-05-01T10:30:20.000000001Z\""},
        {{1714559420, 500000000}, "\"2024-05-01T10:30:20Z\"", "\"2024-05-01T10:30:20.5Z\""},
        {{INT64_C(-62135596800), 0}, "\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\""},
        {{INT64_C(253402300799), 0}, "\"9999-12-31T23:59:59Z\"", "\"9999-12-31T23:59:59Z\""},
        {{INT64_MAX, 5}, "\"9999-12-31T23:59:59Z\"", "\"9999-12-31T23:59:59Z\""},
        {{INT64_MIN, 5}, "\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\""},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf b = buf_new(*state, 1000), nano = buf_new(*state, 1000);
        json_put_time(&b, CASES[i].in);
        json_put_time_nano(&nano, CASES[i].in);
        assert_text(state, &b, CASES[i].seconds);
        assert_text(state, &nano, CASES[i].nano);
    }
}

static void bytes_are_base64_or_null(void **state)
{
    struct buf b = buf_new(*state, 1000);
    json_put_bytes(&b, SLICE_NONE);
    json_put_bytes(&b, SLICE(""));
    json_put_bytes(&b, SLICE("foob"));
    json_put_bytes(&b, SLICE("\xfb\xff"));
    assert_text(state, &b, "null\"\"\"Zm9vYg==\"\"+/8=\"");
}

static void trees_are_indented_by_level(void **state)
{
    static const char IN[] = "{\"a\":[],\"b\":{},\"<\":[1,{\"c\":\"&\"}],\"d\":null}";
    const struct json *v = json_read(*state, SLICE(IN), &JSON_API, NULL, NULL);
    struct buf b = buf_new(*state, 1000);
    json_print(&b, v, "\t");
    assert_text(state, &b,
                "{\n\t\"a\": [],\n\t\"b\": {},\n\t\"\\u003c\": [\n\t\t1,\n\t\t{\n\t\t\t\"c\": "
                "\"\\u0026\"\n\t\t}\n\t],\n\t\"d\": null\n}");
    struct buf two = buf_new(*state, 1000);
    json_print(&two, json_get(v, "<"), "  ");
    assert_text(state, &two, "[\n  1,\n  {\n    \"c\": \"\\u0026\"\n  }\n]");
}

static void compact_keeps_the_text_as_written(void **state)
{
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {" { \"a\" : [ 1 , 2.50 ] } ", "{\"a\":[1,2.50]}"},
        {"[1,\n]", "[1]"},
        {"{\"a\":[1,],\n}", "{\"a\":[1]}"},
        {"\"\\u0041\\/ , ] \\\" <&>\"", "\"\\u0041\\/ , ] \\\" \\u003c\\u0026\\u003e\""},
        {"\"\xe2\x80\xa8\xff\"", "\"\\u2028\\ufffd\""},
        {"\"\\\\\"", "\"\\\\\""},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf b = buf_new(*state, 1000);
        json_put_compact(&b, slice_text(CASES[i].in));
        assert_text(state, &b, CASES[i].out);
    }
}

static void writer_places_commas_and_brackets(void **state)
{
    struct buf b = buf_new(*state, 1000);
    struct json_writer w = json_writer(&b);
    json_open(&w, NULL);
    json_member_text(&w, "status", SLICE("o\"k"));
    json_open_list(&w, "list");
    json_member_int(&w, NULL, -1);
    json_member_uint(&w, NULL, UINT64_MAX);
    json_open(&w, NULL);
    json_close(&w);
    json_open_list(&w, NULL);
    json_close(&w);
    json_close(&w);
    json_member_bool(&w, "t", true);
    json_member_bool(&w, "f", false);
    json_member_null(&w, "n");
    json_member_raw(&w, "r", SLICE("{\"x\":1}"));
    json_member_tree(&w, "tree", json_make_list(*state));
    json_member_tree(&w, "none", NULL);
    json_close(&w);
    assert_text(state, &b,
                "{\"status\":\"o\\\"k\",\"list\":[-1,18446744073709551615,{},[]],\"t\":true,"
                "\"f\":false,\"n\":null,\"r\":{\"x\":1},\"tree\":[],\"none\":null}");
}

static void writer_fails_past_its_depth(void **state)
{
    struct buf b = buf_new(*state, 10000);
    struct json_writer w = json_writer(&b);
    for (int i = 0; i < 64; i++)
        json_open_list(&w, NULL);
    assert_true(buf_ok(&b));
    json_open_list(&w, NULL);
    assert_false(buf_ok(&b));

    struct buf c = buf_new(*state, 100);
    struct json_writer closed = json_writer(&c);
    json_close(&closed);
    assert_false(buf_ok(&c));
}

static void printing_stops_at_the_buffers_maximum(void **state)
{
    struct buf b = buf_new(*state, 8);
    json_put_text(&b, SLICE("0123456789"));
    assert_false(buf_ok(&b));
    assert_true(b.n <= 8);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, arena_up, arena_down)
        TEST(texts_are_escaped_as_the_reference_does),
        TEST(texts_are_escaped_wherever_the_byte_stands),
        TEST(names_are_escaped_like_texts),
        TEST(numbers_are_plain_decimal),
        TEST(doubles_are_the_shortest_that_read_back),
        TEST(times_are_rfc3339_utc),
        TEST(bytes_are_base64_or_null),
        TEST(trees_are_indented_by_level),
        TEST(compact_keeps_the_text_as_written),
        TEST(writer_places_commas_and_brackets),
        TEST(writer_fails_past_its_depth),
        TEST(printing_stops_at_the_buffers_maximum),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
