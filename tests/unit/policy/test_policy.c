/* Policies: what rules are accepted, and what names they let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "crypto/der.h"
#include "policy/policy.h"

static struct arena *a;

static int set_up(void **state)
{
    (void)state;
    a = arena_new(&HEAP_USUAL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(a);
    return 0;
}

static bool read(const char *text, enum policy_use use, const struct policy **p, struct err *e)
{
    const struct json *v = json_read(a, slice_text(text), &JSON_CONFIG, NULL, NULL);

    assert_non_null(v);
    return policy_read(a, v, use, "policy", p, e);
}

static const struct policy *x509(const char *text)
{
    const struct policy *p;
    struct err e = {0};

    if (!read(text, POLICY_X509, &p, &e))
        fail_msg("%s: %s", text, e.text);
    return p;
}

static void bad_rules_are_refused_by_name(void **state)
{
    static const char *const RULES[] = {
        "{\"allow\":{\"cn\":[\"\"]}}",
        "{\"allow\":{\"cn\":[\"*\"]}}",
        "{\"allow\":{\"dns\":[\"\"]}}",
        "{\"allow\":{\"dns\":[\"a..b\"]}}",
        "{\"allow\":{\"dns\":[\".a\"]}}",
        "{\"allow\":{\"dns\":[\"a.*.b\"]}}",
        "{\"allow\":{\"dns\":[\"*a\"]}}",
        "{\"allow\":{\"dns\":[\"a_b\"]}}",
        "{\"deny\":{\"dns\":[\"foo.com.\"]}}",
        "{\"deny\":{\"dns\":[\"*.foo.com.\"]}}",
        "{\"deny\":{\"dns\":[\"foo.com\xe3\x80\x82\"]}}",
        "{\"deny\":{\"uri\":[\"foo.com.\"]}}",
        "{\"deny\":{\"email\":[\"foo.com.\"]}}",
        "{\"deny\":{\"email\":[\"a@foo.com.\"]}}",
        "{\"deny\":{\"email\":[\"*@foo.com\"]}}",
        "{\"deny\":{\"email\":[\"@*.foo.com\"]}}",
        "{\"deny\":{\"email\":[\"*.foo.com\"]}}",
        "{\"deny\":{\"email\":[\"a b@foo.com\"]}}",
        "{\"deny\":{\"email\":[\"a@foo_bar.com\"]}}",
        "{\"deny\":{\"email\":[\".a@foo.com\"]}}",
        "{\"deny\":{\"email\":[\"\\\"a@foo.com\"]}}",
        "{\"allow\":{\"ip\":[\"10.0.0\"]}}",
        "{\"allow\":{\"ip\":[\"10.0.0.0/33\"]}}",
        "{\"allow\":{\"ip\":[\"a\"]}}",
        "{\"allow\":{\"email\":[\"*\"]}}",
        "{\"allow\":{\"email\":[\"a@b@c\"]}}",
        "{\"allow\":{\"email\":[\"@.a\"]}}",
        "{\"allow\":{\"uri\":[\"https://a\"]}}",
        "{\"allow\":{\"uri\":[\"a:1\"]}}",
        "{\"allow\":{\"uri\":[\"10.0.0.1\"]}}",
        "{\"allow\":{\"uri\":[\"[::1]\"]}}",
        "{\"deny\":{\"principal\":[\"a\"]}}",
        "{\"allow\":[]}",
        "{\"allow\":{\"dns\":\"a\"}}",
        "{\"allow\":{\"dns\":[5]}}",
        "{\"allowWildcardNames\":\"yes\"}",
        "[]",
        "{\"allow\":{\"ips\":[]}}",
        "{\"deny\":{\"Emails\":[\"@a.test\"]}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(RULES); i++) {
        const struct policy *p;
        struct err e = {0};
        if (read(RULES[i], POLICY_X509, &p, &e))
            fail_msg("accepted: %s", RULES[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
        assert_non_null(strstr(e.text, "policy"));
    }
}

static void no_rule_is_no_policy(void **state)
{
    (void)state;
    assert_null(x509("{}"));
    assert_null(x509("null"));
    assert_null(x509("{\"allowWildcardNames\":true,\"allow\":{},\"deny\":{\"dns\":[]}}"));
}

struct heard {
    char text[2048];
};

static void hear(void *arg, const char *text)
{
    struct heard *h = arg;
    size_t n = strlen(h->text);

    snprintf(h->text + n, sizeof(h->text) - n, "%s\n", text);
}

static void what_is_perhaps_not_meant_is_told(void **state)
{
    static const struct {
        const char *policy, *notes;
    } CASES[] = {
        {"{}", ""},
        {"null", ""},
        {"{\"x509\":{\"allow\":{\"dns\":[\"a.test\"]}}}", ""},
        {"{\"x509\":{\"Allow\":{\"DNS\":[\"a.test\"]}}}", ""},
        {"{\"x509\":{\"allowWildcardNames\":true}}",
         "p.x509: it has no rule: every name is allowed\n"},
        {"{\"x509\":{\"allow\":{\"dns\":\"a.test\"},\"allowWildcardNames\":true}}",
         "p.x509: allowWildcardNames has no effect: no rule of allow.dns begins with \"*.\"\n"},
        {"{\"x509\":{\"allow\":{\"dns\":[\" *.a.test\"]},\"allowWildcardNames\":true}}", ""},
        {"{\"ssh\":{\"user\":{\"allow\":{\"principal\":[\"x\"]}},\"host\":{\"allow\":{}}}}",
         "p.ssh.host: it has no rule: every name is allowed\n"},
        {"{\"ssh\":{\"host\":{\"deny\":{\"principal\":[\"x\"],\"dns\":[\"y\"]}}}}",
         "p.ssh.host: rules of kind \"principal\" match no host: use dns, ip and email\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct heard heard = {""};
        policy_notes(a, json_read(a, slice_text(CASES[i].policy), &JSON_API, NULL, NULL), "p", hear,
                     &heard);
        assert_string_equal(heard.text, CASES[i].notes);
    }
}

/* An otherName with that type-id and value, both in hexadecimal. */
static struct san other_name(const char *type, uint8_t tag, const char *text)
{
    struct buf b = buf_new(a, 512);
    struct slice id;
    size_t name, value;

    assert_true(hex_read(a, slice_text(type), &id));
    der_open(&b, DER_CONTEXT_CONSTRUCTED(0), &name);
    der_oid_content(&b, id);
    der_open(&b, DER_CONTEXT_CONSTRUCTED(0), &value);
    der_put(&b, tag, slice_text(text));
    der_close(&b, value);
    der_close(&b, name);
    return (struct san){.kind = SAN_OTHER, .text = buf_slice(&b)};
}

static void names_of_other_kinds_are_judged(void **state)
{
    static const char UPN[] = "2b060104018237140203", DEVICE[] = "2b06010505070803",
                      MODULE[] = "2b06010505070804", FOREIGN[] = "2a03";
    static const struct {
        const char *rules, *type, *text;
        uint8_t tag;
        bool allowed;
    } CASES[] = {
        {"{\"allow\":{\"email\":[\"@a.test\"]}}", UPN, "kim@a.test", DER_UTF8_STRING, true},
        {"{\"allow\":{\"email\":[\"@a.test\"]}}", UPN, "kim@b.test", DER_UTF8_STRING, false},
        {"{\"deny\":{\"email\":[\"root@a.test\"]}}", UPN, "root@a.test", DER_UTF8_STRING, false},
        {"{\"deny\":{\"email\":[\"root@a.test\"]}}", UPN, "kim@a.test", DER_UTF8_STRING, true},
        {"{\"deny\":{\"email\":[\"root@a.test\"]}}", UPN, "kim", DER_UTF8_STRING, false},
        {"{\"allow\":{\"dns\":[\"a.test\"]}}", UPN, "kim@a.test", DER_UTF8_STRING, false},
        {"{\"deny\":{\"dns\":[\"a.test\"]}}", UPN, "kim@a.test", DER_UTF8_STRING, true},
        {"{\"allow\":{\"dns\":[\"a.test\"]}}", UPN, "\x01", DER_INTEGER, false},
        {"{\"allow\":{\"dns\":[\"a.test\"]}}", DEVICE, "", DER_UTF8_STRING, true},
        {"{\"allow\":{\"dns\":[\"a.test\"]}}", MODULE, "", DER_UTF8_STRING, true},
        {"{\"allow\":{\"dns\":[\"a.test\"]}}", FOREIGN, "x", DER_UTF8_STRING, false},
        {"{\"deny\":{\"dns\":[\"a.test\"]}}", FOREIGN, "x", DER_UTF8_STRING, true},
    };
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct san name = other_name(CASES[i].type, CASES[i].tag, CASES[i].text);
        const struct sans names = {&name, 1};
        err_clear(&e);
        if (policy_check_x509(a, x509(CASES[i].rules), &names, SLICE_NONE, &e) != CASES[i].allowed)
            fail_msg("case %zu: %s", i, e.text);
    }
    struct san strange = {.kind = SAN_OTHER, .text = SLICE("\xa0\x01")};
    struct san directory = {.kind = SAN_DIRECTORY, .text = SLICE("x")},
               number = {.kind = SAN_RID, .text = SLICE("x")};
    struct san *const ALL[] = {&strange, &directory, &number};
    for (size_t i = 0; i < COUNT_OF(ALL); i++) {
        const struct sans names = {ALL[i], 1};
        err_clear(&e);
        assert_false(
            policy_check_x509(a, x509("{\"allow\":{\"dns\":[\"a\"]}}"), &names, SLICE_NONE, &e));
        assert_int_equal(e.kind, ERR_FORBIDDEN);
        assert_true(
            policy_check_x509(a, x509("{\"deny\":{\"dns\":[\"a\"]}}"), &names, SLICE_NONE, NULL));
    }
}

struct sample {
    const char *rules, *name;
    enum policy_kind kind;
    bool allowed;
};

static void names_are_judged(void **state)
{
    static const char LAB[] = "{\"allow\":{\"dns\":[\"*.lab.test\",\"one.test\"],"
                              "\"ip\":[\"10.1.2.3/16\",\"fd00::/8\"],"
                              "\"email\":[\"@lab.test\",\"Jane@corp.test\"],"
                              "\"uri\":[\"*.lab.test\"]},"
                              "\"deny\":{\"dns\":[\"bad.lab.test\"],\"ip\":[\"10.1.9.9\"],"
                              "\"email\":[\"root@lab.test\"]}}";
    static const char ONLY_DENY[] = "{\"deny\":{\"dns\":[\"bad.test\"]}}";
    static const char WILD[] = "{\"allow\":{\"dns\":[\"*.lab.test\"]},\"allowWildcardNames\":true}";
    static const struct sample SAMPLES[] = {
        {LAB, "a.lab.test", POLICY_DNS, true},
        {LAB, "A.LAB.test", POLICY_DNS, true},
        {LAB, "a.b.lab.test", POLICY_DNS, false},
        {LAB, "lab.test", POLICY_DNS, false},
        {LAB, "xlab.test", POLICY_DNS, false},
        {LAB, "one.test", POLICY_DNS, true},
        {LAB, "a.one.test", POLICY_DNS, false},
        {LAB, "bad.lab.test", POLICY_DNS, false},
        {LAB, "*.lab.test", POLICY_DNS, false},
        {LAB, "a_b.lab.test", POLICY_DNS, false},
        {LAB, "", POLICY_DNS, false},
        {LAB, ".lab.test", POLICY_DNS, false},
        {LAB, "b\xc3\xbc.lab.test", POLICY_DNS, true},
        {LAB, "10.1.200.1", POLICY_IP, true},
        {LAB, "10.2.0.1", POLICY_IP, false},
        {LAB, "10.1.9.9", POLICY_IP, false},
        {LAB, "::ffff:10.1.0.1", POLICY_IP, true},
        {LAB, "fd12::1", POLICY_IP, true},
        {LAB, "fe80::1", POLICY_IP, false},
        {LAB, "kim@lab.test", POLICY_EMAIL, true},
        {LAB, "kim@LAB.test", POLICY_EMAIL, true},
        {LAB, "kim@a.lab.test", POLICY_EMAIL, false},
        {LAB, "root@lab.test", POLICY_EMAIL, false},
        {LAB, "jane@corp.test", POLICY_EMAIL, true},
        {LAB, "Jane@corp.test", POLICY_EMAIL, false},
        {LAB, "nobody", POLICY_EMAIL, false},
        {LAB, "https://a.lab.test:8443/x?y", POLICY_URI, true},
        {LAB, "spiffe://a.lab.test/x", POLICY_URI, true},
        {LAB, "https://other.test/", POLICY_URI, false},
        {LAB, "https://10.1.0.1/", POLICY_URI, false},
        {LAB, "urn:uuid:1", POLICY_URI, false},
        {ONLY_DENY, "good.test", POLICY_DNS, true},
        {ONLY_DENY, "bad.test", POLICY_DNS, false},
        {ONLY_DENY, "10.0.0.1", POLICY_IP, true},
        {WILD, "*.lab.test", POLICY_DNS, true},
        {WILD, "*.a.lab.test", POLICY_DNS, false},
        {WILD, "10.0.0.1", POLICY_IP, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(SAMPLES); i++) {
        const struct sample *s = &SAMPLES[i];
        struct err e = {0};
        bool ok = policy_check_name(a, x509(s->rules), s->kind, slice_text(s->name), &e);
        if (ok != s->allowed)
            fail_msg("sample %zu: %s: %s", i, s->name, ok ? "allowed" : e.text);
        if (!ok)
            assert_int_equal(e.kind, ERR_FORBIDDEN);
    }
}

/* What a rule says cannot be said otherwise in a name. */
static void other_spellings_of_a_denied_name_are_refused(void **state)
{
    static const char DNS[] = "{\"deny\":{\"dns\":[\"foo.com\"]}}",
                      BOX[] = "{\"deny\":{\"email\":[\"a@foo.com\"]}}",
                      BOXES[] = "{\"deny\":{\"email\":[\"foo.com\"]}}",
                      HOST[] = "{\"deny\":{\"uri\":[\"foo.com\"]}}";
    static const struct sample SAMPLES[] = {
        {DNS, "foo.com.", POLICY_DNS, false},
        {DNS, "foo.com..", POLICY_DNS, false},
        {DNS, ".foo.com", POLICY_DNS, false},
        {DNS, "foo.com\xe3\x80\x82", POLICY_DNS, false},
        {DNS,
         "foo\xe3\x80\x82"
         "com",
         POLICY_DNS, false},
        {DNS, "\xef\xbd\x86oo.com", POLICY_DNS, false},
        {DNS, "foo.comx", POLICY_DNS, true},
        {BOX, "a@foo.com.", POLICY_EMAIL, false},
        {BOX, "a@FOO.com", POLICY_EMAIL, false},
        {BOX, "\"a\"@foo.com", POLICY_EMAIL, false},
        {BOX, "\"\\a\"@foo.com", POLICY_EMAIL, false},
        {BOX, "\"b\"@foo.com", POLICY_EMAIL, true},
        {BOX, "\"a b@\"@foo.com", POLICY_EMAIL, true},
        {BOX, "b@foo.com", POLICY_EMAIL, true},
        {BOX, "a@bar.com", POLICY_EMAIL, true},
        {BOXES, "a@foo.com.", POLICY_EMAIL, false},
        {BOXES, "a@.foo.com", POLICY_EMAIL, false},
        {BOXES, "a@@foo.com", POLICY_EMAIL, false},
        {BOXES, "a@b@foo.com", POLICY_EMAIL, false},
        {BOXES, "<a@foo.com>", POLICY_EMAIL, false},
        {BOXES, "a..b@bar.com", POLICY_EMAIL, false},
        {BOXES, "a.b+c@bar.com", POLICY_EMAIL, true},
        {BOXES, "\"a@bar.com", POLICY_EMAIL, false},
        {BOXES, "\"a\\", POLICY_EMAIL, false},
        {BOXES, "\"a\"", POLICY_EMAIL, false},
        {BOXES, "a@", POLICY_EMAIL, false},
        {BOXES, "a@foo_bar.com", POLICY_EMAIL, true},
        {BOXES, "a@foo.com_", POLICY_EMAIL, true},
        {BOXES, "a@-foo.com", POLICY_EMAIL, true},
        {BOXES, "a@_.foo.com.", POLICY_EMAIL, false},
        {BOXES, "a@xn--a.com", POLICY_EMAIL, false},
        {BOXES, "a@foo.com>", POLICY_EMAIL, false},
        {BOXES, "@bar.com", POLICY_EMAIL, false},
        {HOST, "https://foo.com.", POLICY_URI, false},
        {HOST, "https://foo.com./x", POLICY_URI, false},
        {HOST, "https://u@FOO.com:80/", POLICY_URI, false},
        {HOST, "https://bar.com/", POLICY_URI, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(SAMPLES); i++) {
        const struct sample *s = &SAMPLES[i];
        struct err e = {0};
        bool ok = policy_check_name(a, x509(s->rules), s->kind, slice_text(s->name), &e);
        if (ok != s->allowed)
            fail_msg("sample %zu: %s: %s", i, s->name, ok ? "allowed" : e.text);
    }
}

/* A name that is none of its kind is refused by rules for other kinds, too. */
static void unreadable_names_are_refused_without_a_rule_of_their_kind(void **state)
{
    static const char DENY[] = "{\"deny\":{\"ip\":[\"10.0.0.0/8\"]}}";
    static const struct sample SAMPLES[] = {
        {DENY, "x y", POLICY_DNS, false},          {DENY, "10.0.0.1 ", POLICY_DNS, false},
        {DENY, "10.0.0.1.", POLICY_DNS, false},    {DENY, "foo..com", POLICY_DNS, false},
        {DENY, "-foo.com", POLICY_DNS, false},     {DENY, "foo.com-", POLICY_DNS, false},
        {DENY, "foo.com", POLICY_DNS, true},       {DENY, "*.foo.com", POLICY_DNS, true},
        {DENY, "a@foo..com", POLICY_EMAIL, false}, {DENY, "a b@foo.com", POLICY_EMAIL, false},
        {DENY, "a@foo.com", POLICY_EMAIL, true},   {DENY, "urn:uuid:1", POLICY_URI, true},
    };
    const struct policy *host;
    struct slice blank = SLICE("x y"), good = SLICE("x.y");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(SAMPLES); i++) {
        const struct sample *s = &SAMPLES[i];
        struct err e = {0};
        bool ok = policy_check_name(a, x509(s->rules), s->kind, slice_text(s->name), &e);
        if (ok != s->allowed)
            fail_msg("sample %zu: %s: %s", i, s->name, ok ? "allowed" : e.text);
    }
    assert_true(read(DENY, POLICY_SSH_HOST, &host, NULL));
    assert_false(policy_check_ssh(a, host, &blank, 1, NULL));
    assert_true(policy_check_ssh(a, host, &good, 1, NULL));
}

static bool check(const char *rules, const char *dns, const char *cn)
{
    struct slice name = slice_text(dns);
    struct sans sans = {0};

    if (dns)
        sans_split(a, &name, 1, &sans);
    return policy_check_x509(a, x509(rules), &sans, slice_text(cn), NULL);
}

static void common_names_have_rules_of_their_own(void **state)
{
    (void)state;
    assert_true(
        check("{\"allow\":{\"cn\":[\"Lab Root\"],\"dns\":[\"a.test\"]}}", "a.test", "lab root"));
    assert_true(check("{\"allow\":{\"dns\":[\"a.test\"]}}", "a.test", "a.test"));
    assert_false(check("{\"allow\":{\"dns\":[\"a.test\"]}}", "a.test", "b.test"));
    assert_true(check("{\"allow\":{\"dns\":[\"a.test\"]}}", "a.test", ""));
    /* A denied common name is final. */
    assert_false(check("{\"deny\":{\"cn\":[\"a.test\"]}}", "a.test", "a.test"));
    assert_true(check("{\"deny\":{\"cn\":[\"b.test\"]}}", "a.test", "a.test"));
    assert_false(check("{\"deny\":{\"dns\":[\"foo.com\"]}}", "a.test", "foo.com."));
    /* Plain text is no name of any other kind. */
    assert_false(check("{\"deny\":{\"ip\":[\"10.0.0.1\"]}}", "a.test", "Kim Lee"));
    assert_true(check("{\"deny\":{\"cn\":[\"root\"]}}", "a.test", "Kim Lee"));
    assert_false(
        check("{\"deny\":{\"cn\":[\"x\"]},\"allow\":{\"dns\":[\"a.test\"]}}", "a.test", "y"));
}

static void ssh_principals_follow_their_engine(void **state)
{
    const struct policy *user, *host;
    struct err e = {0};
    struct slice kim = SLICE("kim"), root = SLICE("root"), mail = SLICE("kim@lab.test"),
                 ip = SLICE("10.0.0.1"), name = SLICE("a.lab.test");

    (void)state;
    assert_true(read("{\"allow\":{\"email\":[\"@lab.test\"],\"principal\":[\"kim\",\"root\"]},"
                     "\"deny\":{\"principal\":[\"root\"]}}",
                     POLICY_SSH_USER, &user, &e));
    assert_true(policy_check_ssh(a, user, &kim, 1, &e));
    assert_true(policy_check_ssh(a, user, &mail, 1, &e));
    assert_false(policy_check_ssh(a, user, &root, 1, &e));
    assert_false(policy_check_ssh(a, user, &ip, 1, &e));
    assert_true(policy_check_ssh(a, user, NULL, 0, &e));
    assert_true(read("{\"allow\":{\"dns\":[\"*.lab.test\"],\"ip\":[\"10.0.0.0/8\"]}}",
                     POLICY_SSH_HOST, &host, &e));
    assert_true(policy_check_ssh(a, host, &name, 1, &e));
    assert_true(policy_check_ssh(a, host, &ip, 1, &e));
    assert_false(policy_check_ssh(a, host, &mail, 1, &e));
}

/* They only make the policy one that allows: docs/reference/policies.md. */
static void rules_for_principals_match_no_host(void **state)
{
    static const struct {
        const char *policy, *name;
        bool good;
    } ROWS[] = {
        {"{\"allow\":{\"principal\":[\"*\"]}}", "a.lab.test", false},
        {"{\"allow\":{\"principal\":[\"a.lab.test\"]}}", "a.lab.test", false},
        {"{\"allow\":{\"principal\":[\"*\"],\"dns\":[\"*.lab.test\"]}}", "a.lab.test", true},
        {"{\"allow\":{\"principal\":[\"*\"],\"dns\":[\"*.lab.test\"]}}", "a.other.test", false},
        {"{\"allow\":{\"principal\":[\"*\"]},\"deny\":{\"dns\":[\"a.test\"]}}", "a.test", false},
        {"{\"allow\":{\"principal\":[\"*\"],\"dns\":[\"*.test\"]},\"deny\":{\"ip\":[\"10.0.0.1\"]}"
         "}",
         "10.0.0.1", false},
        {"{\"deny\":{\"principal\":[\"a.test\"]}}", "a.test", true},
    };
    const struct policy *host;
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
        struct slice name = slice_text(ROWS[i].name);
        assert_true(read(ROWS[i].policy, POLICY_SSH_HOST, &host, &e));
        if (policy_check_ssh(a, host, &name, 1, &e) != ROWS[i].good)
            fail_msg("%s: %s", ROWS[i].policy, ROWS[i].name);
    }
}

static void a_set_has_one_engine_for_each_kind(void **state)
{
    static const char TEXT[] = "{\"x509\":{\"deny\":{\"dns\":[\"bad.test\"]}},"
                               "\"SSH\":{\"user\":{\"allow\":{\"principal\":[\"kim\"]}}}}";
    const struct json *v = json_read(a, slice_text(TEXT), &JSON_CONFIG, NULL, NULL);
    const struct json *bad = json_read(
        a, SLICE("{\"ssh\":{\"host\":{\"allow\":{\"ip\":[\"x\"]}}}}"), &JSON_CONFIG, NULL, NULL);
    struct policy_set set;
    struct err e = {0};

    (void)state;
    assert_true(policy_set_read(a, v, "here", &set, &e));
    assert_false(policy_check_name(a, set.x509, POLICY_DNS, SLICE("bad.test"), NULL));
    assert_false(policy_check_name(a, set.ssh_user, POLICY_PRINCIPAL, SLICE("lee"), NULL));
    assert_null(set.ssh_host);
    assert_true(policy_set_read(a, NULL, "here", &set, &e));
    assert_null(set.x509);
    assert_false(policy_set_read(a, bad, "here", &set, &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
    assert_non_null(strstr(e.text, "here.ssh.host.allow.ip"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(bad_rules_are_refused_by_name),
        CASE(no_rule_is_no_policy),
        CASE(what_is_perhaps_not_meant_is_told),
        CASE(names_of_other_kinds_are_judged),
        CASE(names_are_judged),
        CASE(other_spellings_of_a_denied_name_are_refused),
        CASE(unreadable_names_are_refused_without_a_rule_of_their_kind),
        CASE(common_names_have_rules_of_their_own),
        CASE(ssh_principals_follow_their_engine),
        CASE(rules_for_principals_match_no_host),
        CASE(a_set_has_one_engine_for_each_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
