/* The reader: what is accepted, where errors stand and what they say, limits, texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "json/json.h"

#define REJECT_ALL                                                                                 \
    ((struct json_rules){.depth = 10, .values = 1000, .reject_rest = true, .bare_utf8 = true})

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

/* Compact text of what was read; NULL when it was refused. */
static const char *again(struct arena *a, struct slice in, const struct json_rules *rules,
                         struct json_notes *notes, struct err *e)
{
    const struct json *v = json_read(a, in, rules, notes, e);
    if (!v)
        return NULL;
    struct buf b = buf_new(a, 1u << 24);
    json_print(&b, v, NULL);
    assert_true(buf_ok(&b));
    return arena_cstr(a, buf_slice(&b));
}

static void read_accepts_rfc8259_values(void **state)
{
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {"null", "null"},
        {"true", "true"},
        {" \t\r\nfalse \n", "false"},
        {"0", "0"},
        {"-0", "-0"},
        {"18446744073709551615", "18446744073709551615"},
        {"-12.50e+03", "-12.50e+03"},
        {"1E-2", "1E-2"},
        {"\"\"", "\"\""},
        {"[]", "[]"},
        {"[ ]", "[]"},
        {"{}", "{}"},
        {"{ }", "{}"},
        {"[1 , 2,[3]]", "[1,2,[3]]"},
        {"{\"a\" : 1 , \"b\":{\"\":null}}", "{\"a\":1,\"b\":{\"\":null}}"},
        {"{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {"\"\x7f\"", "\"\x7f\""},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        const char *out = again(*state, slice_text(CASES[i].in), &REJECT_ALL, NULL, &e);
        if (!out)
            fail_msg("%s: %s", CASES[i].in, e.text);
        assert_string_equal(out, CASES[i].out);
    }
}

static void read_names_place_and_expectation(void **state)
{
    static const struct {
        const char *in, *error;
    } CASES[] = {
        {"", "1:1: expected a value before end of input"},
        {"  \n ", "2:2: expected a value before end of input"},
        {"x", "1:1: expected a value before 'x'"},
        {"tru", "1:1: expected a value before 't'"},
        {"[", "1:2: expected a value or ']' before end of input"},
        {"[,]", "1:2: expected a value or ']' before ','"},
        {"{,}", "1:2: expected a member's name in double quotes or '}' before ','"},
        {"[1,,]", "1:4: expected a value before ','"},
        {"[1,]", "1:4: expected a value after ',' before ']'"},
        {"{\"a\":1,}", "1:8: expected a member after ',' before '}'"},
        {"{\"a\":1,,}", "1:8: expected a member's name in double quotes before ','"},
        {"[1 2]", "1:4: expected ',' or ']' before a number"},
        {"[1,}", "1:4: expected a value before '}'"},
        {"{\"a\":1]", "1:7: expected ',' or '}' before ']'"},
        {"{\"a\":\n \"b\"\n \"badgerFileLoadingMode\": 1}",
         "3:2: expected ',' or '}' before \"badgerFileLoadingMode\""},
        {"{\"password\" \"secret\"}", "1:13: expected ':' before a text"},
        {"[\"a\" \"secret\"]", "1:6: expected ',' or ']' before a text"},
        {"{\"a\"}", "1:5: expected ':' before '}'"},
        {"{\"a\":}", "1:6: expected a value before '}'"},
        {"{a:1}", "1:2: expected a member's name in double quotes or '}' before 'a'"},
        {"{'a':1}", "1:2: expected a member's name in double quotes or '}' before a single quote"},
        {"[\xe2\x80\x9c]", "1:2: expected a value or ']' before U+201C"},
        {"[\xff]", "1:2: expected a value or ']' before byte 0xff"},
        {"\xef\xbb\xbf{}", "1:1: expected a value before a byte order mark"},
        {"\"\xc3\xa4\xe2\x82\xac\" 1", "1:6: expected end of input before a number"},
        {"-", "1:2: expected a digit before end of input"},
        {"-x", "1:2: expected a digit before 'x'"},
        {"+1", "1:1: expected a value before '+'"},
        {".5", "1:1: expected a value before '.'"},
        {"1.", "1:3: expected a digit of the fraction before end of input"},
        {"1.e", "1:3: expected a digit of the fraction before 'e'"},
        {"1e+", "1:4: expected a digit of the exponent before end of input"},
        {"01", "1:2: expected end of input before a number"},
        {"NaN", "1:1: expected a value before 'N'"},
        {"[1,\n\"abc]", "2:1: expected '\"' before end of input (a text begins here)"},
        {"[\"ab\nc\"]", "1:5: expected '\"' before end of line"},
        {"\"a\tb\"", "1:3: expected \\u0009 for a control character in a text"},
        {"\"\\x\"", "1:3: expected one of \" \\ / b f n r t u after the backslash before 'x'"},
        {"\"\\u12g4\"", "1:4: expected four hexadecimal digits after \\u"},
        {"\"\\u12", "1:4: expected four hexadecimal digits after \\u"},
        {"\"\\",
         "1:3: expected one of \" \\ / b f n r t u after the backslash before end of input"},
        {"\"a\xff\"", "1:3: expected UTF-8 (RFC 8259 section 8.1) before byte 0xff"},
        {"{} {}", "1:4: expected end of input before '{'"},
        {"{},", "1:3: expected end of input before ','"},
        {"[\x01]", "1:2: expected a value or ']' before byte 0x01"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        assert_null(json_read(*state, slice_text(CASES[i].in), &REJECT_ALL, NULL, &e));
        assert_string_equal(e.text, CASES[i].error);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

static void read_never_shows_a_value_in_an_error(void **state)
{
    static const char *const CASES[] = {
        "{\"password\" \"hunter\"}",
        "{\"password\": \"hunter\" \"x\": 1}",
        "[\"hunter\" \"x\"]",
        "{\"password\": hunter}",
        "{\"password\": \"hunter}",
        "[1 \"hunter\"]",
        "{\"password\": \"hunter\\x\"}",
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        assert_null(json_read(*state, slice_text(CASES[i]), &JSON_CONFIG, NULL, &e));
        assert_null(strstr(e.text, "hunter"));
    }
}

static void read_hints_at_renaming_for_comments(void **state)
{
    static const char *const CASES[] = {
        "// x\n{}", "{ // x\n}", "{\"a\":1, # x\n}", "{\"a\":1 /* x */}", "[1, // x\n 2]",
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        assert_null(json_read(*state, slice_text(CASES[i]), &JSON_CONFIG, NULL, &e));
        assert_non_null(strstr(e.text, "JSON has no comments"));
        assert_non_null(strstr(e.text, "\"_db\""));
    }
}

static void read_tolerates_and_notes_trailing_commas(void **state)
{
    static const struct {
        const char *in, *out;
        unsigned commas, line, column;
    } CASES[] = {
        {"[1]", "[1]", 0, 0, 0},
        {"[1,]", "[1]", 1, 1, 3},
        {"[1 , ]", "[1]", 1, 1, 4},
        {"{\"a\":1,}", "{\"a\":1}", 1, 1, 7},
        {"{\"a\":[1,\n],\n}", "{\"a\":[1]}", 2, 1, 8},
        {"{\n \"\xc3\xa4\": {\"b\":2,\n\t}\n}", "{\"\xc3\xa4\":{\"b\":2}}", 1, 2, 13},
        {"[[[],],]", "[[[]]]", 2, 1, 5},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct json_notes notes = {9, 9, 9, true};
        const char *out = again(*state, slice_text(CASES[i].in), &JSON_CONFIG, &notes, NULL);
        assert_non_null(out);
        assert_string_equal(out, CASES[i].out);
        assert_int_equal(notes.trailing_commas, CASES[i].commas);
        assert_int_equal(notes.comma_line, CASES[i].line);
        assert_int_equal(notes.comma_column, CASES[i].column);
        assert_false(notes.rest);
    }
    static const char *const BAD[] = {"[,]", "{,}", "[1,,]", "{\"a\":1,,}", "[,1]", "[1,}", ","};
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_null(json_read(*state, slice_text(BAD[i]), &JSON_CONFIG, NULL, NULL));
}

static void read_counts_places_right_after_tolerated_commas(void **state)
{
    struct slice in = SLICE("{\n  \"a\": [1, 2,\n  ],\n  \"b\": {\"c\": true,}, \"d\": 4,\n}");
    const struct json *v = json_read(*state, in, &JSON_CONFIG, NULL, NULL);
    assert_non_null(v);
    static const struct {
        const char *name;
        unsigned line, column;
        const char *raw;
    } CASES[] = {{"a", 2, 8, "[1, 2,\n  ]"}, {"b", 4, 8, "{\"c\": true,}"}, {"d", 4, 27, "4"}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct json *m = json_get(v, CASES[i].name);
        assert_int_equal(m->line, CASES[i].line);
        assert_int_equal(m->column, CASES[i].column);
        assert_true(slice_is(m->raw, CASES[i].raw));
    }
    struct err e = {0};
    assert_null(json_read(*state, SLICE("{\"a\":[1,\n],\n\"b\" 2}"), &JSON_CONFIG, NULL, &e));
    assert_string_equal(e.text, "3:5: expected ':' before a number");
}

static void read_ignores_or_refuses_the_rest(void **state)
{
    struct json_notes notes;
    assert_non_null(json_read(*state, SLICE("{} x"), &JSON_CONFIG, &notes, NULL));
    assert_true(notes.rest);
    assert_non_null(json_read(*state, SLICE("{},"), &JSON_API, &notes, NULL));
    assert_true(notes.rest);
    assert_non_null(json_read(*state, SLICE("{}\n\t "), &JSON_CONFIG, &notes, NULL));
    assert_false(notes.rest);
    static const struct json_rules *const STRICT[] = {&JSON_JOSE, &JSON_STRICT, &JSON_RECORD};
    for (size_t i = 0; i < COUNT_OF(STRICT); i++) {
        assert_null(json_read(*state, SLICE("{} x"), STRICT[i], NULL, NULL));
        assert_non_null(json_read(*state, SLICE("{} \n"), STRICT[i], NULL, NULL));
    }
}

static void read_skips_a_byte_order_mark_where_told(void **state)
{
    struct slice in = SLICE("\xef\xbb\xbf[1]");
    const struct json *v = json_read(*state, in, &JSON_CONFIG, NULL, NULL);
    assert_non_null(v);
    assert_int_equal(v->column, 1);
    assert_non_null(json_read(*state, in, &JSON_STRICT, NULL, NULL));
    assert_null(json_read(*state, in, &JSON_API, NULL, NULL));
    assert_null(json_read(*state, in, &JSON_RECORD, NULL, NULL));
    struct err e = {0};
    assert_null(json_read(*state, SLICE("\xef\xbb\xbfx"), &JSON_CONFIG, NULL, &e));
    assert_string_equal(e.text, "1:1: expected a value before 'x'");
}

static void read_decodes_texts_as_the_reference(void **state)
{
#define FFFD "\xef\xbf\xbd"
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {"\"\\u0041\\u00e4\\u20AC\"", "A\xc3\xa4\xe2\x82\xac"},
        {"\"\\uD83D\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\uDBFF\\uDFFF\"", "\xf4\x8f\xbf\xbf"},
        {"\"\\ud83d\"", FFFD},
        {"\"\\ude00\"", FFFD},
        {"\"\\ud83dx\"", FFFD "x"},
        {"\"\\ud83d\\u0041\"", FFFD "A"},
        {"\"\\ud83d\\n\"", FFFD "\n"},
        {"\"\\ud83d\\ud83d\\ude00\"", FFFD "\xf0\x9f\x98\x80"},
        {"\"\\ude00\\ud83d\"", FFFD FFFD},
        {"\"\xff\"", FFFD},
        {"\"a\xc3\"", "a" FFFD},
        {"\"\xc0\xaf\"", FFFD FFFD},
        {"\"\xe2\x82\"", FFFD FFFD},
        {"\"\xe2\x82z\"", FFFD FFFD "z"},
        {"\"\xed\xa0\x80\"", FFFD FFFD FFFD},
        {"\"\xf4\x90\x80\x80\"", FFFD FFFD FFFD FFFD},
        {"\"\xf0\x9f\x98\x80\xf0\"", "\xf0\x9f\x98\x80" FFFD},
        {"\"\\\\u0041\"", "\\u0041"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct json *v = json_read(*state, slice_text(CASES[i].in), &JSON_API, NULL, NULL);
        assert_non_null(v);
        if (!slice_is(json_text(v), CASES[i].out))
            fail_msg("case %zu: %.*s", i, SLICE_ARG(json_text(v)));
        assert_true(slice_is_utf8(v->text));
    }
    const struct json *v = json_read(*state, SLICE("\"a\\u0000b\""), &JSON_API, NULL, NULL);
    assert_true(slice_eq(json_text(v), SLICE("a\0b")));
}

static void jose_refuses_what_is_no_utf8_and_duplicates(void **state)
{
    struct err e = {0};
    assert_null(json_read(*state, SLICE("{\"a\":\"\xff\"}"), &JSON_JOSE, NULL, &e));
    assert_null(
        json_read(*state, SLICE("{\"alg\":1,\n \"b\":2, \"alg\":3}"), &JSON_JOSE, NULL, &e));
    assert_string_equal(e.text, "2:15: expected each member once, found \"alg\" again");
    assert_null(json_read(*state, SLICE("{\"x\":{\"\\u0061\":1,\"a\":1}}"), &JSON_JOSE, NULL, &e));
    assert_non_null(
        json_read(*state, SLICE("{\"alg\":1,\"Alg\":{\"alg\":2}}"), &JSON_JOSE, NULL, &e));
}

static struct slice nested(struct arena *a, unsigned depth, char open, char close)
{
    uint8_t *p = arena_alloc(a, 2 * (size_t)depth);
    memset(p, open, depth);
    memset(p + depth, close, depth);
    return slice_of(p, 2 * (size_t)depth);
}

/* Texts are read eight bytes at a time where that is possible: what ends or spoils one is found
 * wherever it stands, and its place is told. */
static void read_finds_every_byte_at_every_offset(void **state)
{
    for (size_t length = 0; length < 20; length++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char in[64] = "[\"", wanted[64];
            struct err e = {0};
            memset(in + 2, 'a', 2 * length + 1);
            in[2 + length] = (char)byte;
            size_t n = 2 + 2 * length + 1;
            memcpy(in + n, "\"]", 2);
            const struct json *v = json_read(*state, slice_of(in, n + 2), &REJECT_ALL, NULL, &e);
            bool ends = byte == '"', escape = byte == '\\';
            bool good = byte >= 0x20 && byte < 0x80 && !ends && !escape;
            if (escape && length == 0)
                good = true; /* an escaped quote, but then the text does not end */
            if (good && !escape) {
                assert_non_null(v);
                assert_int_equal(v->first->text.n, 2 * length + 1);
                assert_memory_equal(v->first->text.p, in + 2, 2 * length + 1);
                continue;
            }
            assert_null(v);
            size_t column = escape && length == 0 ? 2 : 3 + length + (ends || escape);
            snprintf(wanted, sizeof(wanted), "1:%zu: ", column);
            assert_memory_equal(e.text, wanted, strlen(wanted));
        }
    }
}

static void read_counts_characters_and_lines_in_long_texts(void **state)
{
    for (unsigned before = 0; before < 12; before++) {
        for (unsigned after = 0; after < 12; after++) {
            char in[128], wanted[32];
            struct err e = {0};
            int n = snprintf(in, sizeof(in), "{%*s\n \"%.*s\u00e4%.*s\": x}", (int)before, "",
                             (int)before, "abcdefghijkl", (int)after, "mnopqrstuvwx");
            assert_null(json_read(*state, slice_of(in, (size_t)n), &JSON_JOSE, NULL, &e));
            snprintf(wanted, sizeof(wanted), "2:%u: ", 7 + before + after);
            assert_memory_equal(e.text, wanted, strlen(wanted));
        }
    }
}

static void jose_refuses_duplicates_among_many_members(void **state)
{
    for (unsigned n = 2; n < 20; n++) {
        for (unsigned twin = 0; twin < n; twin++) {
            char in[256];
            struct err e = {0};
            int at = snprintf(in, sizeof(in), "{\"m%u\":0", twin);
            for (unsigned i = 0; i < n; i++)
                if (i != twin)
                    at += snprintf(in + at, sizeof(in) - (size_t)at, ",\"m%u\":0", i);
            int good = at + snprintf(in + at, sizeof(in) - (size_t)at, "}");
            assert_non_null(json_read(*state, slice_of(in, (size_t)good), &JSON_JOSE, NULL, &e));
            at += snprintf(in + at, sizeof(in) - (size_t)at, ",\"m%u\":0}", twin);
            assert_null(json_read(*state, slice_of(in, (size_t)at), &JSON_JOSE, NULL, &e));
            assert_non_null(strstr(e.text, "each member once"));
        }
    }
}

static void read_bounds_depth(void **state)
{
    static const struct json_rules *const RULES[] = {&JSON_API, &JSON_JOSE, &JSON_CONFIG,
                                                     &JSON_STRICT, &JSON_RECORD};
    for (size_t i = 0; i < COUNT_OF(RULES); i++) {
        unsigned depth = RULES[i]->depth;
        assert_non_null(json_read(*state, nested(*state, depth, '[', ']'), RULES[i], NULL, NULL));
        struct err e = {0};
        assert_null(json_read(*state, nested(*state, depth + 1, '[', ']'), RULES[i], NULL, &e));
        assert_non_null(strstr(e.text, "levels of nesting"));
    }
    struct json_rules deep = {.depth = 4000000000u, .values = 4000000000u};
    struct err e = {0};
    assert_null(json_read(*state, nested(*state, 1000000, '[', ']'), &deep, NULL, &e));
    assert_string_equal(e.text, "1:1001: expected at most 1000 levels of nesting");
    /* siblings do not add up */
    assert_non_null(json_read(*state, SLICE("[[],[],[],{},{}]"),
                              &(struct json_rules){.depth = 2, .values = 10}, NULL, NULL));
}

static void read_bounds_the_number_of_values(void **state)
{
    struct json_rules rules = {.depth = 5, .values = 4};
    assert_non_null(json_read(*state, SLICE("[1,{\"a\":2}]"), &rules, NULL, NULL));
    struct err e = {0};
    assert_null(json_read(*state, SLICE("[1,{\"a\":2},3]"), &rules, NULL, &e));
    assert_string_equal(e.text, "1:12: expected at most 4 values");
}

static void read_borrows_plain_texts_and_raw(void **state)
{
    struct slice in = SLICE("{ \"name\" : [ \"text\" , {} ] }");
    const struct json *v = json_read(*state, in, &JSON_API, NULL, NULL);
    const struct json *list = json_get(v, "name");
    assert_true(slice_is(list->raw, "[ \"text\" , {} ]"));
    assert_int_equal(list->n, 2);
    assert_ptr_equal(list->first->text.p, in.p + 14);
    assert_ptr_equal(list->name.p, in.p + 3);
    assert_ptr_equal(list->last, list->first->next);
}

/* --- Property: the tolerance of trailing commas changes nothing in a valid document. --------- */

static uint32_t roll(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static void generate(struct buf *b, uint32_t *seed, unsigned depth)
{
    static const char *const LEAVES[] = {
        "null", "true",    "false",          "0",           "-1.5e3",   "18446744073709551615",
        "\"\"", "\",]}\"", "\"\\\"],}\\n\"", "\"\\ud83d\"", "\"\xff\"", "\"\xe2\x82\xac\"",
    };
    static const char *const BLANKS[] = {"", "", " ", "\n", "\r\n\t"};
    buf_text(b, BLANKS[roll(seed, COUNT_OF(BLANKS))]);
    uint32_t what = roll(seed, depth ? 6 : 2);
    if (what < 2) {
        buf_text(b, LEAVES[roll(seed, COUNT_OF(LEAVES))]);
    } else {
        bool object = what < 4;
        buf_byte(b, object ? '{' : '[');
        for (uint32_t i = 0, n = roll(seed, 4); i < n; i++) {
            if (i)
                buf_byte(b, ',');
            if (object)
                buf_printf(b, "%s\"n%u\"%s:", BLANKS[roll(seed, COUNT_OF(BLANKS))],
                           (unsigned)roll(seed, 3), BLANKS[roll(seed, COUNT_OF(BLANKS))]);
            generate(b, seed, depth - 1);
        }
        buf_text(b, BLANKS[roll(seed, COUNT_OF(BLANKS))]);
        buf_byte(b, object ? '}' : ']');
    }
    buf_text(b, BLANKS[roll(seed, COUNT_OF(BLANKS))]);
}

static void assert_same(const struct json *x, const struct json *y)
{
    assert_int_equal(x->kind, y->kind);
    assert_int_equal(x->truth, y->truth);
    assert_int_equal(x->n, y->n);
    assert_int_equal(x->line, y->line);
    assert_int_equal(x->column, y->column);
    assert_true(slice_eq(x->raw, y->raw));
    assert_true(slice_eq(x->text, y->text));
    assert_true(slice_eq(x->name, y->name));
    const struct json *a = x->first, *b = y->first;
    for (; a && b; a = a->next, b = b->next)
        assert_same(a, b);
    assert_true(!a && !b);
}

static void valid_documents_read_the_same_with_the_comma_rule(void **state)
{
    struct arena *a = *state;
    struct json_rules with = {.depth = 20, .values = 10000, .reject_rest = true}, without = with;
    with.allow_trailing_comma = true;
    uint32_t seed = 20240501;
    size_t containers = 0;
    for (int i = 0; i < 3000; i++) {
        struct arena_mark mark = arena_mark(a);
        struct buf b = buf_new(a, 1u << 20);
        generate(&b, &seed, 6);
        struct json_notes notes;
        struct err e = {0};
        const struct json *x = json_read(a, buf_slice(&b), &without, NULL, &e);
        if (!x)
            fail_msg("%.*s: %s", SLICE_ARG(buf_slice(&b)), e.text);
        const struct json *y = json_read(a, buf_slice(&b), &with, &notes, NULL);
        assert_non_null(y);
        assert_int_equal(notes.trailing_commas, 0);
        assert_same(x, y);
        containers += x->n > 0;

        /* what is printed reads back to what prints the same, compact and indented */
        struct buf once = buf_new(a, 1u << 20), twice = buf_new(a, 1u << 20);
        json_print(&once, x, "  ");
        const struct json *z = json_read(a, buf_slice(&once), &without, NULL, NULL);
        assert_non_null(z);
        json_print(&twice, z, "  ");
        assert_true(slice_eq(buf_slice(&once), buf_slice(&twice)));
        arena_rewind(a, mark);
    }
    assert_true(containers > 500);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, arena_up, arena_down)
        TEST(read_accepts_rfc8259_values),
        TEST(read_names_place_and_expectation),
        TEST(read_never_shows_a_value_in_an_error),
        TEST(read_hints_at_renaming_for_comments),
        TEST(read_tolerates_and_notes_trailing_commas),
        TEST(read_counts_places_right_after_tolerated_commas),
        TEST(read_ignores_or_refuses_the_rest),
        TEST(read_skips_a_byte_order_mark_where_told),
        TEST(read_decodes_texts_as_the_reference),
        TEST(jose_refuses_what_is_no_utf8_and_duplicates),
        TEST(read_finds_every_byte_at_every_offset),
        TEST(read_counts_characters_and_lines_in_long_texts),
        TEST(jose_refuses_duplicates_among_many_members),
        TEST(read_bounds_depth),
        TEST(read_bounds_the_number_of_values),
        TEST(read_borrows_plain_texts_and_raw),
        TEST(valid_documents_read_the_same_with_the_comma_rule),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
