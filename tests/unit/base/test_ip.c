/* IP addresses: strict reading, RFC 5952 printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ip.h"

static void addresses_read_and_print(void **state UNUSED)
{
    static const struct {
        const char *text;
        size_t n;
        const char *printed;
    } CASES[] = {
        {"127.0.0.1", 4, "127.0.0.1"},
        {"0.0.0.0", 4, "0.0.0.0"},
        {"255.255.255.255", 4, "255.255.255.255"},
        {"::", 16, "::"},
        {"::1", 16, "::1"},
        {"1::", 16, "1::"},
        {"::ffff:192.0.2.1", 4, "192.0.2.1"},
        {"::FFFF:c000:201", 4, "192.0.2.1"},
        {"0:0:0:0:0:ffff:192.0.2.1", 4, "192.0.2.1"},
        {"::192.0.2.1", 16, "::c000:201"},
        {"2001:DB8::1", 16, "2001:db8::1"},
        {"2001:0db8:0000:0000:0000:0000:0002:0001", 16, "2001:db8::2:1"},
        /* RFC 5952 4.2.2 and 4.2.3 */
        {"2001:db8:0:1:1:1:1:1", 16, "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1", 16, "2001:0:0:1::1"},
        {"2001:db8:0:0:1:0:0:1", 16, "2001:db8::1:0:0:1"},
        {"1:0:0:2:3:4:5:0", 16, "1::2:3:4:5:0"},
        {"1:2:3:4:5:6:0:0", 16, "1:2:3:4:5:6::"},
        {"fe80::a:b", 16, "fe80::a:b"},
        {"1:2:3:4:5:6:7:8", 16, "1:2:3:4:5:6:7:8"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 16, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ip ip, again;
        if (!ip_read(slice_text(CASES[i].text), &ip))
            fail_msg("refused %s", CASES[i].text);
        assert_int_equal(ip.n, CASES[i].n);
        struct slice text = ip_text(a, &ip);
        assert_string_equal((const char *)text.p, CASES[i].printed);
        assert_true(ip_read(text, &again));
        assert_true(ip_eq(&ip, &again));
    }
}

static void other_texts_are_no_addresses(void **state UNUSED)
{
    static const char *const BAD[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.04",
        "1.2.3.4 ",
        " 1.2.3.4",
        "0x7f.0.0.1",
        "1.2.3.-4",
        "1.2.3.",
        ":",
        ":::",
        "1::2::3",
        "[::1]",
        "fe80::1%eth0",
        "::1/64",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        "g::",
        "::1.2.3",
        "localhost",
        "::ffff:1.2.3.04",
        "0000:0000:0000:0000:0000:0000:255.255.255.255.1111111111111",
    };
    struct ip ip;

    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        if (ip_read(slice_text(BAD[i]), &ip))
            fail_msg("accepted %s", BAD[i]);
    assert_false(ip_read(SLICE("1.2.3.4\0"), &ip));
    assert_false(ip_read(SLICE("1.2.3.4\0x"), &ip));
    assert_false(ip_read(SLICE_NONE, &ip));
}

static void addresses_of_two_families_differ(void **state UNUSED)
{
    struct ip a, b;

    assert_true(ip_read(SLICE("0.0.0.0"), &a) && ip_read(SLICE("::"), &b));
    assert_false(ip_eq(&a, &b));
    assert_true(ip_read(SLICE("::ffff:10.0.0.1"), &a) && ip_read(SLICE("10.0.0.1"), &b));
    assert_true(ip_eq(&a, &b));
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(addresses_read_and_print),
        cmocka_unit_test(other_texts_are_no_addresses),
        cmocka_unit_test(addresses_of_two_families_differ),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
