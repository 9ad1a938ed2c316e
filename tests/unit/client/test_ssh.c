/* The SSH part of the client against a table of answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/fake_http.h"
#include "client/ssh.h"

#define KEY  "AAAAC3NzaC1lZDI1NTE5AAAAIJp2bToENd9SwakisnQk5D6Xpit6mmqX1OUEF9dB1ga2"
#define CERT "Y2VydA==" /* "cert" */

static struct arena *A;
static struct fake_http HTTP;

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

static struct ca ca_with(struct fake_answer *answers)
{
    fake_http_init(&HTTP, A, answers);
    return (struct ca){.http = &HTTP.client,
                       .url = SLICE("https://ca.test"),
                       .trust = {.kind = TRUST_ANCHORS},
                       .clock = &CLOCK_SYSTEM,
                       .rng = &RNG_SYSTEM};
}

#define assert_slice(s, text) assert_string_equal(arena_cstr(A, (s)), (text))

static void sign_sends_what_was_wished(void **state)
{
    struct fake_answer answers[] = {
        {HTTP_POST, "/ssh/sign", 201, "{\"crt\":\"" CERT "\"}", 0},
        {HTTP_POST, "/ssh/sign", 201, "{\"crt\":\"" CERT "\",\"addUserCrt\":\"Yg==\"}", 0},
        {0}};
    struct ca ca = ca_with(answers);
    struct slice names[] = {SLICE("alice"), SLICE("a\"b")};
    struct ca_ssh_sign_wish wish = {.public_key = SLICE("key"),
                                    .ott = SLICE("t.t.t"),
                                    .type = SLICE("user"),
                                    .key_id = SLICE("id")};
    struct ca_ssh_reply reply;

    (void)state;
    assert_true(ca_ssh_sign(&ca, A, &wish, &reply, NULL));
    assert_slice(HTTP.calls[0].body, "{\"publicKey\":\"a2V5\",\"ott\":\"t.t.t\",\"certType\":"
                                     "\"user\",\"keyID\":\"id\",\"principals\":[],\"validAfter\":"
                                     "\"\",\"validBefore\":\"\"}");
    assert_slice(reply.crt, "cert");
    assert_int_equal(reply.add_user_crt.n + reply.identity.n, 0);

    wish.principals = names;
    wish.n_principals = 2;
    wish.valid_after = SLICE("1m");
    wish.valid_before = SLICE("2h");
    wish.add_user_key = SLICE("k2");
    wish.identity_csr = SLICE("CSR\n");
    wish.template_data = SLICE("{\"a\":1}");
    assert_true(ca_ssh_sign(&ca, A, &wish, &reply, NULL));
    assert_slice(HTTP.calls[1].body,
                 "{\"publicKey\":\"a2V5\",\"ott\":\"t.t.t\",\"certType\":\"user\",\"keyID\":\"id\","
                 "\"principals\":[\"alice\",\"a\\\"b\"],\"validAfter\":\"1m\",\"validBefore\":"
                 "\"2h\",\"addUserPublicKey\":\"azI=\",\"identityCSR\":\"CSR\\n\",\"templateData\":"
                 "{\"a\":1}}");
    assert_slice(reply.add_user_crt, "b");
}

static void an_answer_without_a_certificate_is_an_error(void **state)
{
    static const char *const BODIES[] = {"{}",
                                         "{\"crt\":null}",
                                         "{\"crt\":5}",
                                         "{\"crt\":\"\"}",
                                         "{\"crt\":\"*\"}",
                                         "{\"crt\":\"" CERT "\",\"addUserCrt\":\"*\"}",
                                         "{\"crt\":\"" CERT "\",\"identityCrt\":[\"x\"]}",
                                         "[]",
                                         "not json"};
    struct ca_ssh_sign_wish wish = {.public_key = SLICE("key")};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(BODIES); i++) {
        struct fake_answer answers[] = {{HTTP_POST, "/ssh/sign", 201, BODIES[i], 0},
                                        {HTTP_POST, "/ssh/renew", 201, BODIES[i], 0},
                                        {HTTP_POST, "/ssh/rekey", 201, BODIES[i], 0},
                                        {0}};
        struct ca ca = ca_with(answers);
        struct ca_ssh_reply reply;
        struct err e = {0};
        if (ca_ssh_sign(&ca, A, &wish, &reply, &e) ||
            ca_ssh_renew(&ca, A, SLICE("t"), &reply, NULL) ||
            ca_ssh_rekey(&ca, A, SLICE("t"), SLICE("k"), &reply, NULL))
            fail_msg("%s", BODIES[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

static void renewal_and_rekey_differ_by_the_key(void **state)
{
    struct fake_answer answers[] = {{HTTP_POST, "/ssh/renew", 201, "{\"crt\":\"" CERT "\"}", 0},
                                    {HTTP_POST, "/ssh/rekey", 201, "{\"crt\":\"" CERT "\"}", 0},
                                    {HTTP_POST, "/ssh/revoke", 200, "{\"status\":\"ok\"}", 0},
                                    {0}};
    struct ca ca = ca_with(answers);
    struct ca_revoke_wish wish = {SLICE("31"), SLICE("t"), SLICE("lost"), 1};
    struct ca_ssh_reply reply;

    (void)state;
    assert_true(ca_ssh_renew(&ca, A, SLICE("t"), &reply, NULL));
    assert_slice(HTTP.calls[0].body, "{\"ott\":\"t\"}");
    assert_true(ca_ssh_rekey(&ca, A, SLICE("t"), SLICE("k2"), &reply, NULL));
    assert_slice(HTTP.calls[1].body, "{\"ott\":\"t\",\"publicKey\":\"azI=\"}");
    assert_true(ca_ssh_revoke(&ca, A, &wish, NULL));
    assert_slice(HTTP.calls[2].body, "{\"serial\":\"31\",\"ott\":\"t\",\"reasonCode\":1,"
                                     "\"reason\":\"lost\",\"passive\":true}");
}

static void keys_are_read_strictly(void **state)
{
    struct fake_answer answers[] = {
        {HTTP_GET, "/ssh/roots", 200, "{\"userKey\":[\"" KEY "\"],\"hostKey\":null}", 0},
        {HTTP_GET, "/ssh/roots", 200, "{\"hostKey\":[\"" KEY "\",\"" CERT "\"]}", 0},
        {HTTP_GET, "/ssh/roots", 200, "{\"hostKey\":[5]}", 0},
        {HTTP_GET, "/ssh/federation", 404, "{\"status\":404,\"message\":\"none\"}", 0},
        {0}};
    struct ca ca = ca_with(answers);
    struct ssh_trust trust;
    struct err e = {0};

    (void)state;
    assert_true(ca_ssh_roots(&ca, A, false, &trust, NULL));
    assert_int_equal(trust.user.n, 1);
    assert_int_equal(trust.host.n, 0);
    assert_int_equal(trust.user.v[0].kind, SSH_KEY_ED25519);
    assert_false(ca_ssh_roots(&ca, A, false, &trust, &e));
    assert_non_null(strstr(e.text, "hostKey"));
    assert_false(ca_ssh_roots(&ca, A, false, &trust, NULL));
    assert_false(ca_ssh_roots(&ca, A, true, &trust, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
}

static void files_of_either_side_are_read(void **state)
{
    const char *body = "{\"userTemplates\":[{\"name\":\"n\",\"type\":\"file\",\"path\":\"p\","
                       "\"comment\":\"#\",\"content\":\"Y29udGVudA==\"},{\"type\":\"directory\","
                       "\"path\":\"d\",\"content\":null}]}";
    struct fake_answer answers[] = {
        {HTTP_POST, "/ssh/config", 200, body, 0},
        {HTTP_POST, "/ssh/config", 200, body, 0},
        {HTTP_POST, "/ssh/config", 200, "{\"userTemplates\":[{\"path\":\"\"}]}", 0},
        {HTTP_POST, "/ssh/config", 200, "{\"userTemplates\":[{\"path\":\"a\\u0000b\"}]}", 0},
        {HTTP_POST, "/ssh/config", 200, "{\"userTemplates\":[{\"path\":\"p\",\"content\":\"*\"}]}",
         0},
        {0}};
    struct ca ca = ca_with(answers);
    struct ca_ssh_file *files;
    size_t n;

    (void)state;
    assert_true(ca_ssh_config(&ca, A, SSH_USER, SLICE("{\"User\":\"u\"}"), &files, &n, NULL));
    assert_slice(HTTP.calls[0].body, "{\"type\":\"user\",\"data\":{\"User\":\"u\"}}");
    assert_int_equal(n, 2);
    assert_slice(files[0].content, "content");
    assert_slice(files[0].path, "p");
    assert_int_equal(files[1].content.n, 0);
    assert_true(ca_ssh_config(&ca, A, SSH_HOST, SLICE_NONE, &files, &n, NULL));
    assert_slice(HTTP.calls[1].body, "{\"type\":\"host\"}");
    assert_int_equal(n, 0);
    for (size_t i = 0; i < 3; i++)
        assert_false(ca_ssh_config(&ca, A, SSH_USER, SLICE_NONE, &files, &n, NULL));
}

static void hosts_are_asked_for(void **state)
{
    struct fake_answer answers[] = {
        {HTTP_POST, "/ssh/check-host", 200, "{\"exists\":true}", 0},
        {HTTP_POST, "/ssh/check-host", 200, "{\"exists\":false}", 0},
        {HTTP_POST, "/ssh/check-host", 200, "{\"exists\":\"yes\"}", 0},
        {HTTP_GET, "/ssh/hosts", 200,
         "{\"hosts\":[{\"hid\":\"1\",\"hostname\":\"a\",\"host_tags\":[{\"Name\":\"x\",\"Value\":"
         "\"1\"},{\"Name\":\"y\",\"Value\":\"2\"}]},{\"hid\":\"\",\"hostname\":\"b\","
         "\"host_tags\":null}]}",
         0},
        {HTTP_GET, "/ssh/hosts", 200, "{\"hosts\":null}", 0},
        {0}};
    struct ca ca = ca_with(answers);
    struct ca_ssh_host *hosts;
    bool exists;
    size_t n;

    (void)state;
    assert_true(ca_ssh_check_host(&ca, A, SLICE("a"), SLICE_NONE, &exists, NULL) && exists);
    assert_slice(HTTP.calls[0].body, "{\"type\":\"host\",\"principal\":\"a\"}");
    assert_true(ca_ssh_check_host(&ca, A, SLICE("a"), SLICE("t"), &exists, NULL) && !exists);
    assert_slice(HTTP.calls[1].body, "{\"type\":\"host\",\"principal\":\"a\",\"token\":\"t\"}");
    assert_false(ca_ssh_check_host(&ca, A, SLICE("a"), SLICE_NONE, &exists, NULL));
    assert_true(ca_ssh_hosts(&ca, A, &hosts, &n, NULL));
    assert_int_equal(n, 2);
    assert_slice(hosts[0].tags, "x=1,y=2");
    assert_slice(hosts[0].id, "1");
    assert_slice(hosts[1].name, "b");
    assert_int_equal(hosts[1].tags.n, 0);
    assert_true(ca_ssh_hosts(&ca, A, &hosts, &n, NULL));
    assert_int_equal(n, 0);
}

static void a_bastion_may_be_missing(void **state)
{
    struct fake_answer answers[] = {
        {HTTP_POST, "/ssh/bastion", 200,
         "{\"hostname\":\"h\",\"bastion\":{\"hostname\":\"b\",\"user\":\"u\",\"port\":\"22\","
         "\"cmd\":\"nc %h %p\",\"flags\":\"-v\"}}",
         0},
        {HTTP_POST, "/ssh/bastion", 200, "{\"hostname\":\"h\",\"bastion\":null}", 0},
        {HTTP_GET, "/ssh/krl", 200, "the list", 0},
        {0}};
    struct ca ca = ca_with(answers);
    struct ca_ssh_bastion b;
    struct slice krl;

    (void)state;
    assert_true(ca_ssh_bastion(&ca, A, SLICE("me"), SLICE("h"), &b, NULL));
    assert_slice(HTTP.calls[0].body, "{\"user\":\"me\",\"hostname\":\"h\"}");
    assert_slice(b.hostname, "b");
    assert_slice(b.cmd, "nc %h %p");
    assert_slice(b.port, "22");
    assert_true(ca_ssh_bastion(&ca, A, SLICE("me"), SLICE("h"), &b, NULL));
    assert_int_equal(b.hostname.n, 0);
    assert_true(ca_ssh_krl(&ca, A, &krl, NULL));
    assert_slice(krl, "the list");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(sign_sends_what_was_wished),
        T(an_answer_without_a_certificate_is_an_error),
        T(renewal_and_rekey_differ_by_the_key),
        T(keys_are_read_strictly),
        T(files_of_either_side_are_read),
        T(hosts_are_asked_for),
        T(a_bastion_may_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
