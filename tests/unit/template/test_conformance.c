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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conformance_cases_pass),
        cmocka_unit_test(many_more_cases_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
