/* What the ACME flags and arguments of `step ca certificate` and `sign` mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail /* cmocka's macro; the command line has a function of that name */

#include "cli/ca_acme.h"

static struct arena *A;

static int setup(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(A);
    return 0;
}

/* "dns:a ip:10.0.0.1": kinds and texts in order. */
static const char *told(const struct sans *names)
{
    static const char *const KINDS[] = {
        [SAN_DNS] = "dns", [SAN_EMAIL] = "email", [SAN_IP] = "ip", [SAN_URI] = "uri"};
    struct buf b = buf_new(A, 4096);

    for (size_t i = 0; i < names->n; i++)
        buf_printf(&b, "%s%s:%.*s", i ? " " : "", KINDS[names->v[i].kind],
                   SLICE_ARG(names->v[i].text));
    return arena_cstr(A, buf_slice(&b));
}

static void order_names_are_the_sans_and_the_subject(void **state)
{
    static const struct {
        const char *sans, *subject, *expected;
    } CASES[] = {
        {"", "web.test", "dns:web.test"},
        {"", "10.0.0.1", "ip:10.0.0.1"},
        {"", "", ""},
        {"a.test,b.test", "a.test", "dns:a.test dns:b.test"},
        {"a.test", "A.TEST", "dns:a.test"},
        {"a.test,a.test", "b.test", "dns:a.test dns:b.test"},
        {"::1,a.test", "web", "dns:a.test dns:web ip:::1"},
        {"ops@a.test", "a.test", "dns:a.test email:ops@a.test"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice rest = slice_text(CASES[i].sans), part, list[8];
        size_t n = 0;
        while (rest.n && slice_split(&rest, ',', &part))
            list[n++] = part;
        struct sans names = ca_acme_names(A, list, n, slice_text(CASES[i].subject));
        assert_string_equal(told(&names), CASES[i].expected);
    }
}

static void contacts_are_urls(void **state)
{
    static const char *const CASES[][2] = {{"ops@a.test", "mailto:ops@a.test"},
                                           {"mailto:ops@a.test", "mailto:ops@a.test"},
                                           {"tel:+1", "tel:+1"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_string_equal(arena_cstr(A, ca_acme_contact(A, slice_text(CASES[i][0]))),
                            CASES[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order_names_are_the_sans_and_the_subject, setup, teardown),
        cmocka_unit_test_setup_teardown(contacts_are_urls, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
