/* Log lines and records, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

static char seen[70000];
static size_t lines;

static void catch (const char *line, size_t n, void *arg)
{
    assert_ptr_equal(arg, &lines);
    assert_true(n < sizeof(seen));
    memcpy(seen, line, n);
    seen[n] = 0;
    lines++;
}

static int setup(void **state UNUSED)
{
    setenv("TZ", "XXX-05:30", 1); /* five and a half hours east of Greenwich */
    tzset();
    lines = 0;
    seen[0] = 0;
    log_sink(catch, &lines);
    return 0;
}

static int teardown(void **state UNUSED)
{
    log_quiet(false);
    log_sink(NULL, NULL);
    return 0;
}

/* "YYYY/MM/DD HH:MM:SS " */
static const char *behind_stamp(void)
{
    static const char FORM[] = "dddd/dd/dd dd:dd:dd ";

    for (size_t i = 0; FORM[i]; i++) {
        if (FORM[i] == 'd')
            assert_true(seen[i] >= '0' && seen[i] <= '9');
        else
            assert_int_equal(seen[i], FORM[i]);
    }
    return seen + sizeof(FORM) - 1;
}

static void lines_have_a_stamp_and_a_front(void **state UNUSED)
{
    errno = EINTR;
    log_line("Serving HTTPS on %s ...", ":443");
    assert_int_equal(errno, EINTR);
    assert_string_equal(behind_stamp(), "Serving HTTPS on :443 ...\n");
    log_warn("careful");
    assert_string_equal(behind_stamp(), "WARNING: careful\n");
    log_error("broken: %d", 7);
    assert_string_equal(behind_stamp(), "ERROR: broken: 7\n");
    log_info("hello\n");
    assert_string_equal(behind_stamp(), "hello\n");
    assert_int_equal(lines, 4);
}

static void a_line_stays_one_line(void **state UNUSED)
{
    log_line("%s", "a\nb\rc\x1b[31m\x7f\xc2\x85\xc3\xa4");
    assert_string_equal(behind_stamp(), "a?b?c?[31m???\xc3\xa4\n");
    log_line("%s", "\x8b\x9b[31m\xc3\xa4\xff\xe2\x80\xa8\xc3");
    assert_string_equal(behind_stamp(), "??[31m\xc3\xa4?????\n");
}

static void a_long_line_is_cut(void **state UNUSED)
{
    char *text = xmalloc(100001);

    memset(text, 'x', 100000);
    text[100000] = 0;
    log_line("%s", text);
    assert_int_equal(strlen(behind_stamp()), 65537);
    assert_true(slice_ends(slice_text(seen), "xx\n"));
    free(text);
}

static void quiet_suppresses_information_only(void **state UNUSED)
{
    log_quiet(true);
    log_info("gone");
    assert_int_equal(lines, 0);
    log_line("stays");
    log_warn("stays");
    assert_int_equal(lines, 2);
    log_quiet(false);
    log_info("back");
    assert_int_equal(lines, 3);
}

static void formats_have_names_in_any_case(void **state UNUSED)
{
    enum log_format f = LOG_JSON;

    assert_true(log_format_read(SLICE(""), &f) && f == LOG_TEXT);
    assert_true(log_format_read(SLICE("JSON"), &f) && f == LOG_JSON);
    assert_true(log_format_read(SLICE("Text"), &f) && f == LOG_TEXT);
    assert_true(log_format_read(SLICE("common"), &f) && f == LOG_COMMON);
    assert_false(log_format_read(SLICE("xml"), &f));
    assert_false(log_format_read(SLICE("json "), &f));
}

#define NOW ((struct instant){1770114030, 999}) /* 2026-02-03T10:20:30Z */

static void assert_record(enum log_format format, enum log_level level, const struct log_fields *f,
                          const char *expected)
{
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 65536);

    log_record_format(&b, format, level, NOW, f);
    buf_byte(&b, 0);
    assert_true(buf_ok(&b));
    assert_string_equal((const char *)b.p, expected);
}

static const struct slice DNS[] = {SLICE("a"), SLICE("b")};
static const struct slice IPS[] = {SLICE("::1")};

static struct log_fields example(void)
{
    static const struct log_group SANS[] = {{"ip", IPS, 1}, {"dns", DNS, 2}};
    struct log_fields f = {0};

    log_put_text(&f, "request-id", SLICE("id-1"));
    log_put_text(&f, "remote-address", SLICE("127.0.0.1"));
    log_put_text(&f, "name", SLICE("ca"));
    log_put_text(&f, "user-id", SLICE(""));
    log_put_text(&f, "time", SLICE("2026-02-03T10:20:29Z"));
    log_put_int(&f, "duration-ns", 1500);
    log_put_text(&f, "duration", SLICE("1.5\xc2\xb5s"));
    log_put_text(&f, "method", SLICE("POST"));
    log_put_text(&f, "path", SLICE("/1.0/sign?a=b"));
    log_put_text(&f, "protocol", SLICE("HTTP/1.1"));
    log_put_int(&f, "status", 500);
    log_put_int(&f, "status", 201); /* a handler replaces */
    log_put_int(&f, "size", -1);
    log_put_bool(&f, "ssh", true);
    log_put_groups(&f, "sans", SANS, 2);
    log_put_texts(&f, "principals", DNS, 2);
    log_put_texts(&f, "orders", NULL, 0);
    return f;
}

static void text_records(void **state UNUSED)
{
    struct log_fields f = example();

    assert_record(LOG_TEXT, LOG_LEVEL_WARNING, &f,
                  "time=\"2026-02-03T15:50:30+05:30\" level=warning duration=\"1.5\xc2\xb5s\" "
                  "duration-ns=1500 fields.time=\"2026-02-03T10:20:29Z\" method=POST name=ca "
                  "orders=\"[]\" path=\"/1.0/sign?a=b\" principals=\"[a b]\" protocol=HTTP/1.1 "
                  "remote-address=127.0.0.1 request-id=id-1 sans=\"map[dns:[a b] ip:[::1]]\" "
                  "size=-1 ssh=true status=201 user-id=\n");
}

static void json_records(void **state UNUSED)
{
    struct log_fields f = example();

    assert_record(LOG_JSON, LOG_LEVEL_ERROR, &f,
                  "{\"duration\":\"1.5\xc2\xb5s\",\"duration-ns\":1500,"
                  "\"fields.time\":\"2026-02-03T10:20:29Z\",\"level\":\"error\","
                  "\"method\":\"POST\",\"msg\":\"\",\"name\":\"ca\",\"orders\":[],"
                  "\"path\":\"/1.0/sign?a=b\",\"principals\":[\"a\",\"b\"],"
                  "\"protocol\":\"HTTP/1.1\",\"remote-address\":\"127.0.0.1\","
                  "\"request-id\":\"id-1\",\"sans\":{\"dns\":[\"a\",\"b\"],\"ip\":[\"::1\"]},"
                  "\"size\":-1,\"ssh\":true,\"status\":201,"
                  "\"time\":\"2026-02-03T15:50:30+05:30\",\"user-id\":\"\"}\n");
}

static void common_records(void **state UNUSED)
{
    struct log_fields f = example(), none = {0};

    assert_record(LOG_COMMON, LOG_LEVEL_INFO, &f,
                  "id-1 127.0.0.1 ca - 2026-02-03T10:20:29Z 1.5\xc2\xb5s "
                  "\"POST /1.0/sign?a=b HTTP/1.1\" 201 -1\n");
    assert_record(LOG_COMMON, LOG_LEVEL_INFO, &none, "- - - - - - \"- - -\" - -\n");
    log_put_text(&none, "path", SLICE("/a b\"c\n"));
    assert_record(LOG_COMMON, LOG_LEVEL_INFO, &none, "- - - - - - \"- /a?b?c? -\" - -\n");
}

static void values_are_quoted_and_escaped(void **state UNUSED)
{
    static const struct {
        struct slice value;
        const char *text, *json;
    } CASES[] = {
        {SLICE(""), "", "\"\""},
        {SLICE("aZ09._/@^+-"), "aZ09._/@^+-", "\"aZ09._/@^+-\""},
        {SLICE("a b"), "\"a b\"", "\"a b\""},
        {SLICE("a=b"), "\"a=b\"", "\"a=b\""},
        {SLICE("\"\\"), "\"\\\"\\\\\"", "\"\\\"\\\\\""},
        {SLICE("\a\b\t\n\v\f\r"), "\"\\a\\b\\t\\n\\v\\f\\r\"", "\"\\u0007\\b\\t\\n\\u000b\\f\\r\""},
        {SLICE("\0\x1b\x7f"), "\"\\x00\\x1b\\x7f\"", "\"\\u0000\\u001b\\u007f\""},
        {SLICE("<&>"), "\"<&>\"", "\"\\u003c\\u0026\\u003e\""},
        {SLICE("\xc3\xa4\xf0\x9f\x98\x80"), "\"\xc3\xa4\xf0\x9f\x98\x80\"",
         "\"\xc3\xa4\xf0\x9f\x98\x80\""},
        {SLICE("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"", "\"\\u2028\\u2029\""},
        {SLICE("\xe2\x80\xae"), "\"\\u202e\"", "\"\xe2\x80\xae\""},
        {SLICE("\xc2\x85"), "\"\\u0085\"", "\"\\u0085\""},
        {SLICE("\xf3\xa0\x80\x81"), "\"\\U000e0001\"", "\"\xf3\xa0\x80\x81\""},
        {SLICE("\xff\xc3"), "\"\\xff\\xc3\"", "\"\\ufffd\\ufffd\""},
        {SLICE("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"", "\"\\ufffd\\ufffd\\ufffd\""},
    };
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct log_fields f = {0};
        log_put_text(&f, "v", CASES[i].value);
        assert_record(
            LOG_TEXT, LOG_LEVEL_INFO, &f,
            arena_printf(a, "time=\"2026-02-03T15:50:30+05:30\" level=info v=%s\n", CASES[i].text));
        assert_record(LOG_JSON, LOG_LEVEL_INFO, &f,
                      arena_printf(a,
                                   "{\"level\":\"info\",\"msg\":\"\","
                                   "\"time\":\"2026-02-03T15:50:30+05:30\",\"v\":%s}\n",
                                   CASES[i].json));
    }
}

static void the_records_own_names_are_kept_free(void **state UNUSED)
{
    struct log_fields f = {0};

    log_put_text(&f, "msg", SLICE("m"));
    log_put_text(&f, "level", SLICE("l"));
    assert_record(LOG_JSON, LOG_LEVEL_INFO, &f,
                  "{\"fields.level\":\"l\",\"fields.msg\":\"m\",\"level\":\"info\",\"msg\":\"\","
                  "\"time\":\"2026-02-03T15:50:30+05:30\"}\n");
}

static void greenwich_is_z_and_the_west_is_negative(void **state UNUSED)
{
    struct log_fields f = {0};

    setenv("TZ", "UTC0", 1);
    tzset();
    assert_record(LOG_TEXT, LOG_LEVEL_INFO, &f, "time=\"2026-02-03T10:20:30Z\" level=info\n");
    setenv("TZ", "XXX03:30", 1);
    tzset();
    assert_record(LOG_TEXT, LOG_LEVEL_INFO, &f, "time=\"2026-02-03T06:50:30-03:30\" level=info\n");
}

static void more_fields_than_there_is_room_for_are_dropped(void **state UNUSED)
{
    static char names[100][8];
    struct log_fields f = {0};
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 65536);

    for (size_t i = 0; i < 100; i++) {
        names[i][0] = 'n';
        names[i][1] = (char)('0' + i / 10);
        names[i][2] = (char)('0' + i % 10);
        log_put_int(&f, names[i], (int64_t)i);
    }
    assert_int_equal(f.n, LOG_FIELDS_MAX);
    log_record_format(&b, LOG_JSON, LOG_LEVEL_INFO, NOW, &f);
    assert_true(slice_search(buf_slice(&b), SLICE("\"time\":")) < b.n);
    log_put_int(&f, "n00", 77); /* replacing needs no room */
    assert_int_equal(f.fields[0].number, 77);
}

static void records_go_to_the_sink(void **state UNUSED)
{
    struct log_fields f = {0};

    unsetenv("NO_COLOR");
    unsetenv("CLICOLOR_FORCE");
    log_put_text(&f, "a", SLICE("b"));
    log_record(LOG_JSON, LOG_LEVEL_INFO, NOW, &f);
    assert_string_equal(seen, "{\"a\":\"b\",\"level\":\"info\",\"msg\":\"\","
                              "\"time\":\"2026-02-03T15:50:30+05:30\"}\n");
    setenv("CLICOLOR_FORCE", "1", 1);
    log_record(LOG_TEXT, LOG_LEVEL_ERROR, NOW, &f);
    assert_true(slice_starts(slice_text(seen), "\x1b[31mERRO\x1b[0m["));
    assert_true(slice_ends(slice_text(seen), " \x1b[31ma\x1b[0m=b\n"));
    setenv("NO_COLOR", "", 1);
    log_record(LOG_TEXT, LOG_LEVEL_ERROR, NOW, &f);
    assert_string_equal(seen, "time=\"2026-02-03T15:50:30+05:30\" level=error a=b\n");
    unsetenv("NO_COLOR");
    setenv("CLICOLOR_FORCE", "0", 1);
    log_record(LOG_TEXT, LOG_LEVEL_ERROR, NOW, &f);
    assert_string_equal(seen, "time=\"2026-02-03T15:50:30+05:30\" level=error a=b\n");
    unsetenv("CLICOLOR_FORCE");
}

static void without_a_sink_lines_go_to_standard_error(void **state UNUSED)
{
    int ends[2], saved = dup(STDERR_FILENO);

    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_sink(NULL, NULL);
    log_line("to stderr");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], seen, sizeof(seen) - 1);
    close(ends[0]);
    assert_true(n > 0);
    seen[n] = 0;
    assert_string_equal(behind_stamp(), "to stderr\n");
}

static void debug_is_read_once(void **state UNUSED)
{
    setenv("STEPDEBUG", "1", 1);
    assert_true(log_debug_enabled());
    unsetenv("STEPDEBUG");
    assert_true(log_debug_enabled());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        TEST(lines_have_a_stamp_and_a_front),
        TEST(a_line_stays_one_line),
        TEST(a_long_line_is_cut),
        TEST(quiet_suppresses_information_only),
        TEST(formats_have_names_in_any_case),
        TEST(text_records),
        TEST(json_records),
        TEST(common_records),
        TEST(values_are_quoted_and_escaped),
        TEST(the_records_own_names_are_kept_free),
        TEST(greenwich_is_z_and_the_west_is_negative),
        TEST(more_fields_than_there_is_room_for_are_dropped),
        TEST(records_go_to_the_sink),
        TEST(without_a_sink_lines_go_to_standard_error),
        TEST(debug_is_read_once),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
