/* URIs: the normal form in which audiences are compared, key URIs, addresses with ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/uri.h"

static int setup(void **state)
{
    *state = arena_new(&HEAP_USUAL);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

/* What the reference prints for these after reading them. */
static const struct {
    const char *text, *printed, *without_port;
} NORMAL[] = {
    {"https://ca.example.com:9000/1.0/sign", "https://ca.example.com:9000/1.0/sign",
     "https://ca.example.com/1.0/sign"},
    {"HTTPS://CA.example.com/sign/", "https://CA.example.com/sign/",
     "https://CA.example.com/sign/"},
    {"https://[::1]:443/sign", "https://[::1]:443/sign", "https://::1/sign"},
    {"https://[fe80::1%25en0]/x", "https://[fe80::1%25en0]/x", "https://fe80::1%25en0/x"},
    {"https://ca:1/sign?q=a b#frag ment", "https://ca:1/sign?q=a b#frag%20ment",
     "https://ca/sign?q=a b#frag%20ment"},
    {"https://ca:/sign", "https://ca/sign", "https://ca/sign"},
    {"https://ca/sign?", "https://ca/sign?", "https://ca/sign?"},
    {"https://ca/sign#", "https://ca/sign", "https://ca/sign"},
    {"https://ca/a b", "https://ca/a%20b", "https://ca/a%20b"},
    {"https://ca/%41%2f", "https://ca/%41%2f", "https://ca/%41%2f"},
    {"https://ca/%41%2f ", "https://ca/A/%20", "https://ca/A/%20"},
    {"https://ca/\xc3\xa9", "https://ca/%C3%A9", "https://ca/%C3%A9"},
    {"https://ca/!$&'()*+,;=:@[]", "https://ca/!$&'()*+,;=:@[]", "https://ca/!$&'()*+,;=:@[]"},
    {"https://\xc3\xa9/", "https://%C3%A9/", "https://%C3%A9/"},
    {"https://u%41:p%3a@ca:1/", "https://uA:p%3A@ca:1/", "https://uA:p%3A@ca/"},
    {"https://u@ca", "https://u@ca", "https://u@ca"},
    {"https://", "https:", "https:"},
    {"https:///x", "https:///x", "https:///x"},
    {"file:/x", "file:/x", "file:/x"},
    {"https://ca/#%41!\"", "https://ca/#A!%22", "https://ca/#A!%22"},
    {"https://ca/#%41!", "https://ca/#%41!", "https://ca/#%41!"},
    {"mailto:a@b?subject=x", "mailto:a@b?subject=x", "mailto:a@b?subject=x"},
    {"step-certificate-authority", "step-certificate-authority", "step-certificate-authority"},
    {"ca.example.com/x:y", "ca.example.com/x:y", "ca.example.com/x:y"},
    {"/1.0/sign", "/1.0/sign", "/1.0/sign"},
    {"//ca:1/x", "//ca:1/x", "//ca/x"},
    {"///x", "///x", "///x"},
    {"a%3Ab", "a%3Ab", "a%3Ab"},
    {"x:/%2Fa b", "x:////a%20b", "x:////a%20b"}, /* must not become a host */
    {"", "", ""},
    {"*", "*", "*"},
    {"postgres://h1:1,h2:2/db", "postgres://h1:1,h2:2/db", "postgres://h1:1,h2/db"},
};

static void uris_print_in_normal_form(void **state)
{
    for (size_t i = 0; i < COUNT_OF(NORMAL); i++) {
        struct uri u;
        struct err e = {0};
        if (!uri_read(*state, slice_text(NORMAL[i].text), &u, &e))
            fail_msg("%s: %s", NORMAL[i].text, e.text);
        struct slice text = uri_text(*state, &u);
        if (!slice_is(text, NORMAL[i].printed))
            fail_msg("%s: %.*s", NORMAL[i].text, SLICE_ARG(text));
        u.port = SLICE_NONE;
        u.host_is_v6 = false;
        text = uri_text(*state, &u);
        if (!slice_is(text, NORMAL[i].without_port))
            fail_msg("%s without port: %.*s", NORMAL[i].text, SLICE_ARG(text));
    }
}

static void a_colon_in_a_relative_path_is_no_scheme(void **state)
{
    struct uri u = {.path = SLICE("a:b/c")};

    assert_true(slice_is(uri_text(*state, &u), "./a:b/c"));
    u.path = SLICE("a/b:c");
    assert_true(slice_is(uri_text(*state, &u), "a/b:c"));
}

static void bad_uris_are_refused(void **state)
{
    static const char *const BAD[] = {
        ":x",
        "https://ca/%",
        "https://ca/%zz",
        "https://ca/%4",
        "https://ca/#%zz",
        "https://ca\n/",
        "https://ca/\x7f",
        "https://ca/#\x01",
        "https://[::1",
        "https://[1.2.3.4]/",
        "https://[x]/",
        "https://[::1]x/",
        "https://[::1]:x/",
        "https://[::1%25]/",
        "https://[::1%25\xc3\xa9]/",
        "https://[::1%25%0a]/",
        "https://a[::1]/",
        "https://::1/",
        "https://ca:80:90/",
        "https://ca:http/",
        "https://ca:-1/",
        "https://c a/",
        "https://c%41/",
        "https://c%20a/",
        "https://u ser@ca/",
        "https://u%zz@ca/",
        "https://\xc3\xa9@ca/",
        "1a:b",
        "a b:c",
        "https://ca\\x/",
    };

    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct uri u;
        struct err e = {0};
        if (uri_read(*state, slice_text(BAD[i]), &u, &e))
            fail_msg("accepted %s", BAD[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
    struct uri u;
    char longest[8194];
    memset(longest, 'a', sizeof(longest));
    assert_true(uri_read(*state, slice_of(longest, 8192), &u, NULL));
    assert_false(uri_read(*state, slice_of(longest, 8193), &u, NULL));
    assert_false(uri_read(*state, SLICE("https://ca/\0"), &u, NULL));
}

static void parts_are_where_they_belong(void **state)
{
    struct uri u;

    assert_true(uri_read(*state, SLICE("HtTp://me:pw@[::1]:80/a%2Fb?q#f"), &u, NULL));
    assert_true(slice_is(u.scheme, "http"));
    assert_true(slice_is(u.userinfo, "me:pw"));
    assert_true(slice_is(u.host, "::1") && u.host_is_v6);
    assert_true(slice_is(u.port, "80"));
    assert_true(slice_is(u.path, "/a/b"));
    assert_true(slice_is(u.raw_path, "/a%2Fb"));
    assert_true(slice_is(u.query, "q"));
    assert_true(slice_is(u.fragment, "f"));
    assert_null(u.opaque.p);

    assert_true(uri_read(*state, SLICE("file:/x"), &u, NULL));
    assert_null(u.host.p);
    assert_null(u.userinfo.p);
    assert_null(u.query.p);
    assert_null(u.fragment.p);
    assert_true(uri_read(*state, SLICE("https://@ca:/?"), &u, NULL));
    assert_non_null(u.userinfo.p);
    assert_non_null(u.query.p);
    assert_int_equal(u.port.n, 0);
}

static void key_uris_have_attributes(void **state)
{
    static const struct {
        const char *uri, *name, *value; /* NULL: absent */
    } CASES[] = {
        {"pkcs11:id=01;object=k?pin-value=1", "id", "01"},
        {"pkcs11:id=01;object=k?pin-value=1", "object", "k"},
        {"pkcs11:id=01;object=k?pin-value=1", "pin-value", "1"},
        {"pkcs11:id=01;object=k?pin-value=1", "PIN-VALUE", NULL},
        {"pkcs11:id=01;object=k?pin-value=1", "token", NULL},
        {"yubikey:serial=1&slot-id=9c?pin-value=x", "slot-id", "9c"},
        {"x:a=1;a=2", "a", "1"},
        {"x:a=;b=1?a=3", "a", "3"},
        {"x:a?b=3", "a", ""},
        {"x:;;a=1;", "a", "1"},
        {"x:a=b%20c+d%2b", "a", "b c d+"},
        {"x:a%3d=1", "a=", "1"},
        {"x:a=x=y", "a", "x=y"},
        {"x:b=1?a=1;c=2&d=4", "a", NULL}, /* ';' does not separate in the query */
        {"x:b=1?a=1;c=2&d=4", "d", "4"},
        {"x:b=1?a=%zz&a=2", "a", "2"},
        {"x:/path?a=1", "a", "1"},
        {"x:pin=a%23b#c", "pin", "a#b"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct uri u;
        assert_true(uri_read(*state, slice_text(CASES[i].uri), &u, NULL));
        struct slice value = uri_attribute(*state, &u, CASES[i].name);
        if (!CASES[i].value)
            assert_null(value.p);
        else if (!value.p || !slice_is(value, CASES[i].value))
            fail_msg("%s %s: %.*s", CASES[i].uri, CASES[i].name, SLICE_ARG(value));
    }
}

static void escapes_go_both_ways(void **state)
{
    struct slice out;

    assert_true(slice_is(uri_escape_segment(*state, SLICE("a/b c~d%\xff+:@")),
                         "a%2Fb%20c~d%25%FF%2B%3A%40"));
    assert_true(slice_is(uri_escape_query(*state, SLICE("a/b c&")), "a%2Fb+c%26"));
    assert_true(uri_unescape(*state, SLICE("a%2fb+%FF"), &out));
    assert_true(slice_is(out, "a/b+\xff"));
    assert_false(uri_unescape(*state, SLICE("a%"), &out));
    assert_false(uri_unescape(*state, SLICE("a%2"), &out));
    assert_false(uri_unescape(*state, SLICE("a%2g"), &out));
    assert_true(uri_unescape(*state, SLICE("%00"), &out));
    assert_true(out.n == 1 && out.p[0] == 0);
    uint8_t all[256];
    for (size_t i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    assert_true(uri_unescape(*state, uri_escape_segment(*state, slice_of(all, 256)), &out));
    assert_true(slice_eq(out, slice_of(all, 256)));
}

static void the_first_query_member_counts(void **state)
{
    struct slice v;

    assert_true(uri_query_get(*state, SLICE("a=1&b=x+y%21&b=2&c"), "b", &v));
    assert_true(slice_is(v, "x y!"));
    assert_true(uri_query_get(*state, SLICE("a=1&c"), "c", &v));
    assert_true(v.p && v.n == 0);
    assert_false(uri_query_get(*state, SLICE("a=1&c"), "d", &v));
    assert_false(uri_query_get(*state, SLICE_NONE, "a", &v));
    assert_false(uri_query_get(*state, SLICE("&&"), "", &v));
}

static void addresses_need_exactly_one_port(void **state UNUSED)
{
    static const struct {
        const char *text, *host, *port; /* NULL: refused */
    } CASES[] = {
        {":443", "", "443"},
        {"0.0.0.0:443", "0.0.0.0", "443"},
        {"[::1]:9000", "::1", "9000"},
        {"[]:1", "", "1"},
        {"name:9000", "name", "9000"},
        {"name:http", "name", "http"},
        {"name:", "name", ""},
        {":0", "", "0"},
        {"", NULL, NULL},
        {"name", NULL, NULL},
        {"::1", NULL, NULL},
        {"::1:443", NULL, NULL},
        {"[::1]", NULL, NULL},
        {"[::1:443", NULL, NULL},
        {"[::1]443", NULL, NULL},
        {"[::1]:443:1", NULL, NULL},
        {"[::1]x:443", NULL, NULL},
        {"a:b:443", NULL, NULL},
        {"a[b]:443", NULL, NULL},
        {"a]:443", NULL, NULL},
        {"[[::1]:443", NULL, NULL},
        {"a:4]3", NULL, NULL},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice host, port;
        struct err e = {0};
        bool ok = host_port_split(slice_text(CASES[i].text), &host, &port, &e);
        if (ok != (CASES[i].host != NULL))
            fail_msg("%s: %s", CASES[i].text, ok ? "accepted" : e.text);
        if (ok)
            assert_true(slice_is(host, CASES[i].host) && slice_is(port, CASES[i].port));
        else
            assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(uris_print_in_normal_form),
        cmocka_unit_test(a_colon_in_a_relative_path_is_no_scheme),
        cmocka_unit_test(bad_uris_are_refused),
        cmocka_unit_test(parts_are_where_they_belong),
        cmocka_unit_test(key_uris_have_attributes),
        cmocka_unit_test(escapes_go_both_ways),
        cmocka_unit_test(the_first_query_member_counts),
        cmocka_unit_test(addresses_need_exactly_one_port),
    };

    return cmocka_run_group_tests(TESTS, setup, teardown);
}
