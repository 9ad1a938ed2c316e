/* Errors name the template, the line and the column; `fail` speaks to the requester. */
#include "template_testing.h"

static void errors_name_their_place(void **state)
{
    static const struct {
        const char *text, *error;
        enum err_kind kind;
    } CASES[] = {
        {"a\nb {{ nosuch }}", "template: t:2:5: function \"nosuch\" not defined", ERR_MALFORMED},
        {"{{ if 1 }}x", "template: t:1:11: unexpected EOF", ERR_MALFORMED},
        {"x\n\n  {{ .a", "template: t:3:7: unclosed action", ERR_MALFORMED},
        {"{{ 1 | 2 }}", "template: t:1:7: non executable command in pipeline stage 2",
         ERR_MALFORMED},
        {"{{ \"x }}", "template: t:1:3: unterminated quoted string", ERR_MALFORMED},
        {"{{ $x }}", "template: t:1:3: undefined variable \"$x\"", ERR_MALFORMED},
        {"{{ .a\n\n b-c }}", "template: t:3:1: bad character U+002D '-' in action started at t:1",
         ERR_MALFORMED},
        {"é{{ @ }}", "template: t:1:5: unexpected \"@\" in command", ERR_MALFORMED},
        {"{{ expandenv \"$HOME\" }}", "template: t:1:3: function \"expandenv\" not defined",
         ERR_MALFORMED},
        {"ok\n{{ div 1 0 }}",
         "template: t:2:3: executing \"t\" at <div 1 0>: error calling div: integer divide by zero",
         ERR_INTERNAL},
        {"{{ index (list 1) 5 }}",
         "template: t:1:3: executing \"t\" at <index (list 1) 5>: error calling index: index out "
         "of range: 5",
         ERR_INTERNAL},
        {"{{ upper 5 }}", "template: t:1:9: executing \"t\" at <5>: expected string; found 5",
         ERR_INTERNAL},
        {"{{ upper }}",
         "template: t:1:3: executing \"t\" at <upper>: wrong number of args for upper: want 1 got "
         "0",
         ERR_INTERNAL},
        {"{{ printf }}",
         "template: t:1:3: executing \"t\" at <printf>: wrong number of args for printf: want at "
         "least 1 got 0",
         ERR_INTERNAL},
        {"{{ define \"x\" }}\n{{ .a.b.c }}{{ end }}{{ template \"x\" 1 }}",
         "template: t:2:5: executing \"x\" at <.a.b.c>: can't evaluate field a in type int",
         ERR_INTERNAL},
        {"{{ template \"nope\" }}",
         "template: t:1:12: executing \"t\" at <{{template \"nope\"}}>: "
         "template \"nope\" not defined",
         ERR_INTERNAL},
        {"{{ range \"x\" }}{{ end }}",
         "template: t:1:9: executing \"t\" at <\"x\">: range can't iterate over a value of type "
         "string",
         ERR_INTERNAL},
        {"{{ mustRegexMatch \"(\" \"x\" }}",
         "template: t:1:3: executing \"t\" at <mustRegexMatch \"(\" \"x\">: error calling "
         "mustRegexMatch: error parsing regexp: missing closing ): `(`",
         ERR_INTERNAL},
    };
    struct attempt *t = *state;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_error(t, CASES[i].text, CASES[i].kind, CASES[i].error);
        assert_null(t->e.code);
        assert_false(t->e.tell);
    }
}

static void fail_tells_the_requester(void **state)
{
    struct attempt *t = *state;

    assert_error(t, "x{{ if true }}{{ fail \"not for you\" }}{{ end }}", ERR_MALFORMED,
                 "not for you");
    assert_string_equal(t->e.text, "not for you");
    assert_string_equal(t->e.code, TEMPLATE_FAIL);
    assert_true(t->e.tell);
    assert_non_null(t->e.notes);
    assert_true(slice_is(t->e.notes->name, "fail"));
    assert_true(slice_is(t->e.notes->text, "not for you"));
}

static void fail_keeps_long_and_odd_messages_whole(void **state)
{
    struct attempt *t = *state;

    assert_false(attempt(t, "{{ fail (print \"a\\n\\x00\" (repeat 2000 \"é\")) }}"));
    assert_string_equal(t->e.code, TEMPLATE_FAIL);
    assert_int_equal(t->e.notes->text.n, 3 + 4000);
    assert_memory_equal(t->e.notes->text.p, "a\n\0\xc3\xa9", 5);
    assert_true(strlen(t->e.text) < sizeof(t->e.text));
    assert_null(strchr(t->e.text, '\n'));
}

static void an_empty_fail_is_an_ordinary_error(void **state)
{
    struct attempt *t = *state;

    assert_error(t, "{{ fail \"\" }}", ERR_INTERNAL,
                 "template: t:1:3: executing \"t\" at <fail \"\">");
    assert_null(t->e.code);
    assert_false(t->e.tell);
}

static void a_fail_that_is_not_reached_does_nothing(void **state)
{
    struct attempt *t = *state;

    assert_output(t,
                  "{{ or true (fail \"no\") }}{{ and false (fail \"no\") }}"
                  "{{ if false }}{{ fail \"no\" }}{{ end }}",
                  "truefalse");
}

/* Every prefix of a text with everything in it is read without harm. */
static void truncated_texts_are_errors_or_run(void **state)
{
    static const char TEXT[] =
        "a {{- /* c */ -}} {{ define \"d\" }}{{ $x := .a.b }}{{ range $i, $e := $x.c }}{{ break }}"
        "{{ else }}{{ printf \"%5.2f\\u263a\" (index . 1 'x' 0x1p-2 1+2i `r`) | print nil }}{{ end "
        "}}"
        "{{ end }}{{ template \"d\" (dict \"a\" 1) }}{{ block \"e\" . }}{{ with $ }}{{ . }}"
        "{{ else with .y }}{{ end }}{{ end }}{{ if not .z }}{{ else if true }}{{ end }}";
    struct attempt *t = *state;

    for (size_t n = 0; n < sizeof(TEXT); n++) {
        struct arena_mark mark = arena_mark(t->a);
        char *part = arena_cstr(t->a, slice_of(TEXT, n));
        if (!attempt(t, part))
            assert_true(slice_starts(slice_text(t->e.text), "template: t:"));
        arena_rewind(t->a, mark);
    }
}

static void bad_utf8_passes_through_texts_and_is_refused_in_actions(void **state)
{
    struct attempt *t = *state;

    assert_output(t, "\xff\xfe{{ 1 }}\xc3",
                  "\xff\xfe"
                  "1\xc3");
    assert_error(t, "{{ \xff }}", ERR_MALFORMED, "template: t:1:3: unrecognized character");
    assert_output(t, "{{ \"\\xff\" }}", "\xff");
    give(t, "bad",
         tvalue_text(SLICE("a\xff"
                           "b")));
    assert_output(t, "{{ .bad }}{{ toJson .bad }}{{ regexReplaceAll \"^a.b$\" .bad \"[$0]\" }}",
                  "a\xff"
                  "b\"a\\ufffdb\"[a\xff"
                  "b]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, attempt_up, attempt_down)
        TEST(errors_name_their_place),
        TEST(fail_tells_the_requester),
        TEST(fail_keeps_long_and_odd_messages_whole),
        TEST(an_empty_fail_is_an_ordinary_error),
        TEST(a_fail_that_is_not_reached_does_nothing),
        TEST(truncated_texts_are_errors_or_run),
        TEST(bad_utf8_passes_through_texts_and_is_refused_in_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
