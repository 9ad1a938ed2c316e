/* The fixture files with exact expected outputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "template/conform.h"

static void passes(const char *path, unsigned least)
{
    struct conform_count count;

    assert_true(conform_file(path, &count));
    assert_int_equal(count.failed, 0);
    assert_true(count.passed >= least);
}

static void conformance_cases_pass(void **state)
{
    (void)state;
    passes(FIXTURES "/conformance.json", 594);
}

/* Made with the reference's own function library and language. */
static void many_more_cases_pass(void **state)
{
    (void)state;
    passes(FIXTURES "/cases.json", 2500);
}

/* Functions on arguments that do not fit, verbs of printf, text that is hardly a template; outcomes
 * of the reference's engine. */
static void odd_uses_come_out_the_same(void **state)
{
    (void)state;
    passes(FIXTURES "/odd-uses.json", 1300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conformance_cases_pass),
        cmocka_unit_test(many_more_cases_pass),
        cmocka_unit_test(odd_uses_come_out_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
