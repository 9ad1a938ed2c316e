/* Principals out of key ids, names of files, and the command that a bastion runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail

#include "cli/ssh_identity.h"
#include "cli/ssh_stream.h"

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

static void principals_follow_from_the_key_id(void **state)
{
    static const struct {
        uint32_t type;
        const char *key_id;
        const char *expected[SSH_USUAL_MAX + 1];
    } CASES[] = {
        {SSH_USER, "bob", {"bob"}},
        {SSH_USER, "alice@x.io", {"alice", "alice@x.io"}},
        {SSH_USER, "Joe.Doe@x.io", {"joedoe", "Joe.Doe", "Joe.Doe@x.io"}},
        {SSH_USER, "Ann@x.io", {"ann", "Ann@x.io"}},
        {SSH_USER, "A.B", {"ab", "A.B"}},
        {SSH_USER, "BOB", {"bob", "BOB"}},
        {SSH_USER, "a+b c_d-e", {"a_b_c_d-e", "a+b c_d-e"}},
        {SSH_USER, "a@b@c", {"a_b", "a@b", "a@b@c"}},
        {SSH_USER, "@x.io", {"@x.io"}},
        {SSH_USER, "...", {"..."}},
        {SSH_USER, "zo\xc3\xab@x", {"zo_", "zo\xc3\xab", "zo\xc3\xab@x"}},
        {SSH_USER, "\xe6\x9d\x8e@x", {"_", "\xe6\x9d\x8e", "\xe6\x9d\x8e@x"}},
        {SSH_USER, "007@x", {"007", "007@x"}},
        {SSH_HOST, "Web.Example@x", {"Web.Example@x"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice out[SSH_USUAL_MAX];
        size_t n = ssh_usual_principals(A, CASES[i].type, slice_text(CASES[i].key_id), out);
        for (size_t k = 0; k < n; k++) {
            assert_non_null(CASES[i].expected[k]);
            assert_string_equal(arena_cstr(A, out[k]), CASES[i].expected[k]);
        }
        assert_null(CASES[i].expected[n]);
    }
}

static void names_fit_into_a_line(void **state)
{
    static const struct {
        struct slice name;
        bool good;
    } CASES[] = {
        {{(const uint8_t *)"alice x", 7}, true}, {{(const uint8_t *)"zo\xc3\xab", 4}, true},
        {{(const uint8_t *)"", 0}, false},       {{(const uint8_t *)"a\nb", 3}, false},
        {{(const uint8_t *)"a\0b", 3}, false},   {{(const uint8_t *)"a\x7f", 2}, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_int_equal(ssh_name_check("a name", CASES[i].name, NULL), CASES[i].good);
}

static void files_are_named_after_the_key(void **state)
{
    static const struct {
        const char *base, *key, *pub, *crt;
    } CASES[] = {
        {"id", "id", "id.pub", "id-cert.pub"},
        {"/etc/ssh/hk.pub", "/etc/ssh/hk", "/etc/ssh/hk.pub", "/etc/ssh/hk-cert.pub"},
        {"a.b", "a.b", "a.b.pub", "a.b-cert.pub"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ssh_paths p = ssh_paths_of(A, CASES[i].base);
        assert_string_equal(p.key, CASES[i].key);
        assert_string_equal(p.pub, CASES[i].pub);
        assert_string_equal(p.crt, CASES[i].crt);
    }
}

static void bastion_runs_a_command_of_plain_words(void **state)
{
    static const struct {
        const char *cmd, *user, *host, *port, *expected; /* expected NULL: refused */
    } CASES[] = {
        {"", "bob", "web.example", "22", "nc web.example 22"},
        {"%r@%h:%p 100%% %x %", "bob", "web", "22", "bob@web:22 100% %x %"},
        {"nc %h %p", "bob", "::1", "22", "nc ::1 22"},
        {"nc %h %p", "bob@x", "w\xc3\xab", "ssh", "nc w\xc3\xab ssh"},
        {"nc %h %p", "bob", "web;id", "22", NULL},
        {"nc %h %p", "bob", "$(id)", "22", NULL},
        {"nc %h %p", "bob", "a b", "22", NULL},
        {"nc %h %p", "bob", "a\nb", "22", NULL},
        {"nc %h %p", "bob", "-oProxyCommand=x", "22", NULL},
        {"nc %h %p", "b`id`", "web", "22", NULL},
        {"nc %h %p", "bob", "web", "2 2", NULL},
        {"nc %h %p", "bob", "", "22", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ssh_target t = {slice_text(CASES[i].user), slice_text(CASES[i].host),
                               slice_text(CASES[i].port)};
        struct slice out;
        struct err e = {0};
        bool good = ssh_bastion_command(A, slice_text(CASES[i].cmd), &t, &out, &e);
        assert_int_equal(good, CASES[i].expected != NULL);
        if (good)
            assert_string_equal(arena_cstr(A, out), CASES[i].expected);
        else
            assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

/* By another implementation of RFC 7693: blake2b(content, digest_size=16, key=b"man moon machine"),
 * then the bits of version and variant. */
static void machines_have_a_uuid_of_their_own(void **state)
{
    static const char LONG[] = "0123456789012345678901234567890123456789012345678901234567890123456"
                               "789012345678901234567890123"
                               "4567890123456789012345678901234567";
    static const struct {
        size_t n;
        const char *content, *uuid;
    } CASES[] = {
        {33, "b08dfa6083e7567a1921a715000001fb\n", "8b210f9b-31bd-47bc-9ecb-e9e7ea04b2d5"},
        {0, "", "e07ad1ff-4123-4551-81e3-2a878e9038ba"},
        {127, LONG, "4e8e1aad-5fc5-49d1-922f-cdc2087c7e73"},
        {128, LONG, "2308ae43-0417-4f62-9836-31e9cd4494f6"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_string_equal(
            arena_cstr(A, ssh_machine_uuid(A, slice_of(CASES[i].content, CASES[i].n))),
            CASES[i].uuid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(principals_follow_from_the_key_id),
        cmocka_unit_test(names_fit_into_a_line),
        cmocka_unit_test(files_are_named_after_the_key),
        cmocka_unit_test(machines_have_a_uuid_of_their_own),
        cmocka_unit_test(bastion_runs_a_command_of_plain_words),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
