/* Audiences: the lists made from dnsNames, and the rule by which they match. */
#include "provisioner_testing.h"

static const struct audiences *audiences_of(const char *const *names)
{
    struct audiences *out = arena_alloc(A, sizeof(*out));
    struct slice list[8];
    size_t n = 0;

    for (; names[n]; n++)
        list[n] = slice_text(names[n]);
    audiences_build(A, list, n, out);
    return out;
}

static void every_operation_has_its_list(void **state)
{
    static const char *const HOSTS[] = {"ca.test", "::1", NULL};
    static const char *const WANT[METHODS][10] = {
        [METHOD_SIGN] = {"step-certificate-authority", "https://ca.test/1.0/sign",
                         "https://ca.test/sign", "https://ca.test/1.0/ssh/sign",
                         "https://ca.test/ssh/sign", "https://[::1]/1.0/sign", "https://[::1]/sign",
                         "https://[::1]/1.0/ssh/sign", "https://[::1]/ssh/sign"},
        [METHOD_RENEW] = {"https://ca.test/1.0/renew", "https://ca.test/renew",
                          "https://[::1]/1.0/renew", "https://[::1]/renew"},
        [METHOD_REVOKE] = {"step-certificate-authority", "https://ca.test/1.0/revoke",
                           "https://ca.test/revoke", "https://[::1]/1.0/revoke",
                           "https://[::1]/revoke"},
        [METHOD_SSH_SIGN] = {"https://ca.test/1.0/ssh/sign", "https://ca.test/ssh/sign",
                             "https://ca.test/1.0/sign", "https://ca.test/sign",
                             "https://[::1]/1.0/ssh/sign", "https://[::1]/ssh/sign",
                             "https://[::1]/1.0/sign", "https://[::1]/sign"},
        [METHOD_SSH_REVOKE] = {"https://ca.test/1.0/ssh/revoke", "https://ca.test/ssh/revoke",
                               "https://[::1]/1.0/ssh/revoke", "https://[::1]/ssh/revoke"},
        [METHOD_SSH_RENEW] = {"https://ca.test/1.0/ssh/renew", "https://ca.test/ssh/renew",
                              "https://[::1]/1.0/ssh/renew", "https://[::1]/ssh/renew"},
        [METHOD_SSH_REKEY] = {"https://ca.test/1.0/ssh/rekey", "https://ca.test/ssh/rekey",
                              "https://[::1]/1.0/ssh/rekey", "https://[::1]/ssh/rekey"},
    };
    const struct audiences *a = audiences_of(HOSTS);
    size_t total = 0;

    (void)state;
    for (size_t m = 0; m < METHODS; m++) {
        const struct audience_list *l = &a->by_method[m];
        for (size_t i = 0; i < l->n; i++)
            assert_slice(l->exact[i], WANT[m][i] ? WANT[m][i] : "(too many)");
        assert_null(WANT[m][l->n]);
        total += l->n;
        assert_string_not_equal(method_name((enum method)m), "");
    }
    assert_int_equal(a->all.n, total);
}

static void ports_are_ignored_and_nothing_else(void **state)
{
    static const char *const HOSTS[] = {"ca.test", "127.0.0.1", "::1", NULL};
    static const struct {
        const char *theirs, *fragment;
        bool sign;
    } ROWS[] = {
        {"https://ca.test/1.0/sign", NULL, true},
        {"https://ca.test/sign", NULL, true},
        {"https://ca.test/1.0/ssh/sign", NULL, true},
        {"https://ca.test:9000/1.0/sign", NULL, true},
        {"https://ca.test:1/sign", NULL, true},
        {"https://127.0.0.1:8443/1.0/sign", NULL, true},
        {"https://[::1]/1.0/sign", NULL, true},
        {"https://[::1]:9000/1.0/sign", NULL, true},
        {"step-certificate-authority", NULL, true},
        {"https://other.test/1.0/sign", NULL, false},
        {"https://ca.test/1.0/renew", NULL, false},
        {"https://ca.test/1.0/revoke", NULL, false},
        {"https://ca.test/1.0/sign/", NULL, false},
        {"https://ca.test/1.0/sign?a=b", NULL, false},
        {"https://CA.test/1.0/sign", NULL, false},
        {"https://ca.test/1.0/SIGN", NULL, false},
        {"http://ca.test/1.0/sign", NULL, false},
        {"https://ca.test", NULL, false},
        {"https://ca.test.evil/1.0/sign", NULL, false},
        {"https://ca.test@evil.test/1.0/sign", NULL, false},
        {"https://evil@ca.test/1.0/sign", NULL, false},
        {"", NULL, false},
        {"https://ca.test/1.0/sign#x5c/edge", NULL, false},
        {"https://ca.test/1.0/sign#x5c/edge", "x5c/edge", true},
        {"https://ca.test:9000/1.0/sign#x5c/edge", "x5c/edge", true},
        {"https://ca.test/1.0/sign#x5c%2Fedge", "x5c/edge", true},
        {"https://ca.test/1.0/sign#x5c/other", "x5c/edge", false},
        {"https://ca.test/1.0/sign", "x5c/edge", false},
        {"https://ca.test/1.0/sign#", "x5c/edge", false},
    };
    const struct audiences *a = audiences_of(HOSTS);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct slice theirs[2] = {SLICE("https://nowhere.test/"), slice_text(ROWS[i].theirs)};
        struct slice fragment = slice_text(ROWS[i].fragment);
        const struct audience_list *sign = &a->by_method[METHOD_SIGN];
        if (audience_match(A, theirs, 2, sign, fragment) != ROWS[i].sign)
            fail_msg("row %zu: %s", i, ROWS[i].theirs);
        /* One good entry is enough, wherever it stands. */
        theirs[0] = theirs[1];
        assert_int_equal(audience_match(A, theirs, 1, sign, fragment), ROWS[i].sign);
    }
}

static void empty_lists_never_match(void **state)
{
    static const char *const HOSTS[] = {"ca.test", NULL};
    const struct audiences *a = audiences_of(HOSTS);
    struct audience_list none = {0};
    struct slice theirs = SLICE("https://ca.test/1.0/sign");

    (void)state;
    assert_false(audience_match(A, NULL, 0, &a->all, SLICE_NONE));
    assert_false(audience_match(A, &theirs, 1, &none, SLICE_NONE));
}

static void the_first_fragment_counts(void **state)
{
    struct slice theirs[] = {SLICE("ops"), SLICE("https://ca.test/sign"),
                             SLICE("https://ca.test/sign#x5c%2Fa%20b"),
                             SLICE("https://ca.test/sign#x5c/other")};

    (void)state;
    assert_slice(audience_fragment(A, theirs, 4), "x5c/a b");
    assert_null(audience_fragment(A, theirs, 2).p);
    assert_null(audience_fragment(A, NULL, 0).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_operation_has_its_list),
        TEST(ports_are_ignored_and_nothing_else),
        TEST(empty_lists_never_match),
        TEST(the_first_fragment_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
