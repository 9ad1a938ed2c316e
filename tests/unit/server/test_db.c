/* The command line of `step-ca db`, and the times that its flags take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/db.h"
#include "server/options.h"

static struct instant still_now(struct clock *c UNUSED)
{
    return instant_sec(1750000000);
}
static struct clock STILL = {still_now, NULL};

struct line {
    const char *words[8];
    const char *command; /* NULL: refused, unless help */
    const char *says;    /* the error, or the configuration */
};

static size_t count(const char *const *words)
{
    size_t n = 0;

    while (n < 8 && words[n])
        n++;
    return n;
}

static void command_lines_are_read(void **state UNUSED)
{
    static const struct line LINES[] = {
        {{"list"}, "list", NULL},
        {{"list", "ca.json"}, "list", "ca.json"},
        {{"list", "--config", "x.json"}, "list", "x.json"},
        {{"--config=x.json", "list"}, "list", "x.json"},
        {{"show", "12"}, "show", NULL},
        {{"show", "12", "ca.json"}, "show", "ca.json"},
        {{"backup", "f", "-config", "ca.json"}, "backup", "ca.json"},
        {{"dump", "bbolt:x"}, "dump", NULL},
        {{"list", "--", "--odd.json"}, "list", "--odd.json"},
        {{"show"}, NULL, "not enough arguments"},
        {{"backup"}, NULL, "<file>"},
        {{"list", "a", "b"}, NULL, "too many arguments: b"},
        {{"list", "a", "--config", "b"}, NULL, "named twice"},
        {{"frob"}, NULL, "no command 'frob'"},
        {{"list", "--frob"}, NULL, "--frob"},
        {{"list", "--limit"}, NULL, "needs an argument"},
        {{"list", "--revoked=1"}, NULL, "takes no value"},
        {{"list", "--san", ""}, NULL, "empty value"},
        {{"list", "--since="}, NULL, "empty value"},
        {{"list", "--dry-run"}, NULL, "no flag '--dry-run'"},
        {{"prune", "--dry-run"}, NULL, "no flag '--dry-run'"},
        {{"prune", "--provisioner", "x", "--certificates", "1d"}, NULL, "no flag '--provisioner'"},
        {{"import", "--from", "bbolt:x", "--limit", "1"}, NULL, "no flag '--limit'"},
        {{"dump", "--format", "csv"}, NULL, "no flag '--format'"},
        {{"stats", "--ssh"}, NULL, "no flag '--ssh'"},
        {{"show", "1", "--revoked"}, NULL, "no flag '--revoked'"},
        {{"show", "1", "--ssh"}, "show", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(LINES); i++) {
        struct db_call call = {0};
        const struct db_command *command;
        struct err e = {0};
        bool ok = db_read(&call, (int)count(LINES[i].words), (char **)(uintptr_t)LINES[i].words,
                          &command, &e);
        if (ok != (LINES[i].command != NULL))
            fail_msg("line %zu: %s", i, e.text);
        if (ok) {
            assert_string_equal(db_command_name(command), LINES[i].command);
            const char *config = call.flags.config ? call.flags.config : "";
            assert_string_equal(config, LINES[i].says ? LINES[i].says : "");
        } else if (!strstr(e.text, LINES[i].says)) {
            fail_msg("line %zu: \"%s\"", i, e.text);
        }
    }
}

static void what_stands_behind_db_is_left_to_it(void **state UNUSED)
{
    const char *words[] = {"step-ca", "--context=c", "db", "list", "--expiring-in", "7d"};
    struct options o;
    struct err e = {0};

    assert_true(options_read(&o, 6, (char **)(uintptr_t)words, &e));
    assert_string_equal(o.command, "db");
    assert_string_equal(o.context, "c");
    assert_int_equal(o.n_rest, 3);
    assert_string_equal(o.rest[0], "list");
}

static void durations_have_days_and_weeks(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } CASES[] = {{"7d", 7 * 86400}, {"2w", 14 * 86400}, {"36h", 36 * 3600}, {"1h30m", 5400},
                 {"0s", 0},         {"d", -1},          {"-1h", -1},        {"7", -1},
                 {"", -1},          {"99999999d", -1},  {"1.5d", -1},       {"7d1h", -1}};

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        int64_t ns = -1;
        bool ok = db_duration("flag", CASES[i].text, &ns, &e);
        if (ok != (CASES[i].seconds >= 0) || (ok && ns != CASES[i].seconds * NS_PER_SEC))
            fail_msg("\"%s\": %d, %lld", CASES[i].text, ok, (long long)ns);
        if (!ok)
            assert_non_null(strstr(e.text, "--flag"));
    }
}

static void since_is_a_date_a_time_or_a_duration(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t at; /* 0: refused */
    } CASES[] = {{"2025-06-01", 1748736000},
                 {"2025-06-01T00:00:10Z", 1748736010},
                 {"2025-06-01T02:00:10+02:00", 1748736010},
                 {"1h", 1750000000 - 3600},
                 {"1d", 1750000000 - 86400},
                 {"yesterday", 0},
                 {"2025-13-01", 0},
                 {"", 0}};

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        int64_t at = 0;
        bool ok = db_since("since", CASES[i].text, &STILL, &at, &e);
        if (ok != (CASES[i].at != 0) || (ok && at != CASES[i].at))
            fail_msg("\"%s\": %d, %lld", CASES[i].text, ok, (long long)at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_are_read),
        cmocka_unit_test(what_stands_behind_db_is_left_to_it),
        cmocka_unit_test(durations_have_days_and_weeks),
        cmocka_unit_test(since_is_a_date_a_time_or_a_duration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
