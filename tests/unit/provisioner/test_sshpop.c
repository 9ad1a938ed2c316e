/* SSHPOP provisioners: whose certificates are believed, and for what. */
#include "ssh_certs.h"

static struct private_key *USER_CA, *HOST_CA, *FEDERATED, *KEY;
static struct ssh_trust ROOTS;
static struct provisioner *POP;

static struct provisioner *pop_with(const char *claims, const struct ssh_trust *roots)
{
    struct provisioner_env env = env_new();
    struct json *object = json_of("{\"type\":\"sshpop\",\"name\":\"sshpop\"}");
    struct provisioner *p = NULL;

    env.ssh_roots = roots;
    json_change(object, "claims", claims);
    ok(provisioner_make(A, object, "authority.provisioners[0]", &env, &p, e));
    if (p->trouble)
        fail_msg("%s", p->trouble);
    return p;
}

static int setup(void **state)
{
    arena_setup(state);
    test_now = instant_sec(NOW_SEC);
    USER_CA = key_new(KEY_P256, 0);
    HOST_CA = key_new(KEY_ED25519, 0);
    FEDERATED = key_new(KEY_P256, 0);
    KEY = key_new(KEY_P256, 0);
    ROOTS = (struct ssh_trust){0};
    ROOTS.user.v = arena_array(A, 1, sizeof(struct ssh_key));
    ROOTS.host.v = arena_array(A, 1, sizeof(struct ssh_key));
    ROOTS.user.v[ROOTS.user.n++] = ssh_key_of(USER_CA);
    ROOTS.host.v[ROOTS.host.n++] = ssh_key_of(HOST_CA);
    POP = pop_with("{\"enableSSHCA\":true}", &ROOTS);
    return 0;
}

static struct ssh_cert host_cert(void)
{
    struct ssh_cert c = ssh_cert_new(KEY, SSH_HOST);

    return ssh_signed(&c, HOST_CA);
}

static struct ssh_cert user_cert(void)
{
    struct ssh_cert c = ssh_cert_new(KEY, SSH_USER);

    return ssh_signed(&c, USER_CA);
}

static bool renew_says(const struct provisioner *p, const struct ssh_cert *c, struct err *e)
{
    struct grant g;

    return judge(p, sshpop_token(KEY, c, "renew", NULL), METHOD_SSH_RENEW, &g, e);
}

static void a_host_certificate_speaks_for_its_host(void **state)
{
    static const struct {
        const char *name;
        enum method method;
    } ROWS[] = {
        {"renew", METHOD_SSH_RENEW}, {"rekey", METHOD_SSH_REKEY}, {"revoke", METHOD_SSH_REVOKE}};
    struct ssh_cert c = host_cert();
    struct grant g;

    (void)state;
    assert_slice(POP->token_id, "sshpop/sshpop");
    assert_int_equal(POP->type->number, 9);
    assert_slice(POP->listing,
                 "{\"type\":\"sshpop\",\"name\":\"sshpop\",\"claims\":{\"enableSSHCA\":true}}");
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        ok(judge(POP, sshpop_token(KEY, &c, ROWS[i].name, NULL), ROWS[i].method, &g, e));
        assert_slice(g.subject, "42");
        assert_slice(g.use_key, "once");
        assert_non_null(g.ssh.held);
        assert_int_equal(g.ssh.held->serial, 42);
        /* A token is for one method. */
        for (size_t k = 0; k < COUNT_OF(ROWS); k++) {
            if (k != i)
                refused(
                    judge(POP, sshpop_token(KEY, &c, ROWS[i].name, NULL), ROWS[k].method, &g, e),
                    ERR_UNAUTHORIZED, "audience");
        }
    }
    for (size_t m = 0; m < METHODS; m++) {
        if (m < METHOD_SSH_REVOKE)
            assert_null(POP->type->authorize[m]);
    }
}

static void only_configured_keys_of_the_type_are_believed(void **state)
{
    struct ssh_cert host = ssh_cert_new(KEY, SSH_HOST), user = ssh_cert_new(KEY, SSH_USER);
    struct ssh_cert made;
    struct grant g;

    (void)state;
    made = ssh_signed(&host, USER_CA); /* the key for the other type */
    refused(renew_says(POP, &made, e), ERR_UNAUTHORIZED, "no key for host certificates");
    made = ssh_signed(&host, FEDERATED);
    refused(renew_says(POP, &made, e), ERR_UNAUTHORIZED, "no key for host certificates");
    made = ssh_signed(&host, KEY); /* by itself */
    refused(renew_says(POP, &made, e), ERR_UNAUTHORIZED, "no key for host certificates");
    made = ssh_signed(&user, HOST_CA);
    refused(judge(POP, sshpop_token(KEY, &made, "revoke", NULL), METHOD_SSH_REVOKE, &g, e),
            ERR_UNAUTHORIZED, "no key for user certificates");
    made = ssh_signed(&host, HOST_CA);
    refused(renew_says(pop_with(NULL, NULL), &made, e), ERR_UNAUTHORIZED, "no key for host");
}

/* The key is right, the signature is not. */
static void a_changed_certificate_is_refused(void **state)
{
    struct ssh_cert c = host_cert();
    struct slice copy = arena_copy(A, c.blob);
    size_t at = slice_search(copy, SLICE("web1.test"));

    (void)state;
    assert_true(at < copy.n);
    ((uint8_t *)copy.p)[at] = 'x';
    c.blob = copy;
    refused(renew_says(POP, &c, e), ERR_UNAUTHORIZED, "sshpop");
}

static void the_certificates_key_must_have_signed(void **state)
{
    struct ssh_cert c = host_cert();
    struct private_key *other = key_new(KEY_P256, 0);
    struct grant g;

    (void)state;
    refused(judge(POP, sshpop_token(other, &c, "renew", NULL), METHOD_SSH_RENEW, &g, e),
            ERR_UNAUTHORIZED, "");
    refused(judge(POP, sshpop_token(HOST_CA, &c, "renew", NULL), METHOD_SSH_RENEW, &g, e),
            ERR_UNAUTHORIZED, "");
}

static void headers_must_hold_a_certificate(void **state)
{
    struct ssh_cert c = host_cert();
    struct slice key = base64_text(A, BASE64_STD, c.key.blob);
    struct slice blob = base64_text(A, BASE64_STD, c.blob);
    const char *const HEADERS[] = {
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"sshpop\":\"\"}",
        "{\"alg\":\"ES256\",\"sshpop\":5}",
        "{\"alg\":\"ES256\",\"sshpop\":\"!\"}",
        "{\"alg\":\"ES256\",\"sshpop\":\"AAAA\"}",
        arena_printf(A, "{\"alg\":\"ES256\",\"sshpop\":\"%.*s\"}", SLICE_ARG(key)),
        arena_printf(A, "{\"alg\":\"ES256\",\"SSHPOP\":\"%.*s\"}", SLICE_ARG(blob)),
        arena_printf(A, "{\"alg\":\"ES256\",\"sshpop\":[\"%.*s\"]}", SLICE_ARG(blob)),
    };
    struct json *claims =
        json_of("{\"iss\":\"sshpop\",\"sub\":\"42\",\"aud\":\"https://ca.test/ssh/"
                "renew#sshpop/sshpop\"}");
    struct grant g;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(HEADERS); i++)
        refused(judge(POP, token_sign(KEY, JWS_ES256, HEADERS[i], claims), METHOD_SSH_RENEW, &g, e),
                ERR_UNAUTHORIZED, "sshpop");
}

static void claims_are_checked(void **state)
{
    static const char *const ROWS[] = {
        "{\"iss\":\"other\"}",
        "{\"sub\":\"\"}",
        "{\"exp\":1}",
        "{\"aud\":\"https://ca.test/ssh/renew\"}",
        "{\"aud\":\"https://ca.test/ssh/renew#sshpop/other\"}",
        "{\"aud\":\"https://ca.test/ssh/sign#sshpop/sshpop\"}",
        "{\"nbf\":99999999999}",
    };
    struct ssh_cert c = host_cert();
    struct grant g;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        refused(
            judge(POP, sshpop_token(KEY, &c, "renew", json_of(ROWS[i])), METHOD_SSH_RENEW, &g, e),
            ERR_UNAUTHORIZED, "");
    ok(judge(POP,
             sshpop_token(KEY, &c, "renew",
                          json_of("{\"aud\":\"https://ca.test:9000/ssh/renew#sshpop/sshpop\"}")),
             METHOD_SSH_RENEW, &g, e));
}

static void users_do_not_renew_themselves(void **state)
{
    struct ssh_cert c = user_cert();
    struct grant g;

    (void)state;
    refused(renew_says(POP, &c, e), ERR_MALFORMED, "host");
    refused(judge(POP, sshpop_token(KEY, &c, "rekey", NULL), METHOD_SSH_REKEY, &g, e),
            ERR_MALFORMED, "host");
    ok(judge(POP, sshpop_token(KEY, &c, "revoke", NULL), METHOD_SSH_REVOKE, &g, e));
}

static void revocation_is_of_itself(void **state)
{
    struct ssh_cert c = host_cert();
    struct grant g;

    (void)state;
    refused(judge(POP, sshpop_token(KEY, &c, "revoke", json_of("{\"sub\":\"43\"}")),
                  METHOD_SSH_REVOKE, &g, e),
            ERR_FORBIDDEN, "43");
    /* Renewal does not look at it. */
    ok(judge(POP, sshpop_token(KEY, &c, "renew", json_of("{\"sub\":\"43\"}")), METHOD_SSH_RENEW, &g,
             e));
}

/* From and until, in seconds from now; 1: accepted. */
static void times_decide_by_method_and_claim(void **state)
{
    static const struct {
        int64_t after, before;
        int renew, late, rekey; /* late: with allowRenewalAfterExpiry */
    } ROWS[] = {
        {-10, 10, 1, 1, 1},        {0, 1, 1, 1, 1},    {1, 10, 0, 0, 0}, {-10, 0, 0, 1, 0},
        {-10, -5, 0, 1, 0},        {-5, -10, 0, 0, 0}, /* ends before it begins */
        {-10, INT64_MAX, 1, 1, 1},                     /* for ever */
    };
    struct provisioner *late = pop_with("{\"allowRenewalAfterExpiry\":true}", &ROOTS);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_cert c = ssh_cert_new(KEY, SSH_HOST);
        struct err why[3] = {{0}};
        struct grant g;
        c.valid_after = (uint64_t)(NOW_SEC + ROWS[i].after);
        c.valid_before =
            ROWS[i].before == INT64_MAX ? SSH_FOREVER : (uint64_t)(NOW_SEC + ROWS[i].before);
        c = ssh_signed(&c, HOST_CA);
        int renew = renew_says(POP, &c, &why[0]);
        int lately = renew_says(late, &c, &why[1]);
        int rekey = judge(POP, sshpop_token(KEY, &c, "rekey", NULL), METHOD_SSH_REKEY, &g, &why[2]);
        if (renew != ROWS[i].renew || lately != ROWS[i].late || rekey != ROWS[i].rekey)
            fail_msg("row %zu: %d %d %d: %s; %s; %s", i, renew, lately, rekey, why[0].text,
                     why[1].text, why[2].text);
        for (size_t k = 0; k < 3; k++)
            assert_true(why[k].kind == ERR_NONE || why[k].kind == ERR_UNAUTHORIZED);
    }
}

/* 2^63 and more is no time, except the one that means for ever. */
static void absurd_times_are_never_valid(void **state)
{
    static const uint64_t ENDS[] = {UINT64_C(1) << 63, SSH_FOREVER - 1};
    struct provisioner *late = pop_with("{\"allowRenewalAfterExpiry\":true}", &ROOTS);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ENDS); i++) {
        struct ssh_cert c = ssh_cert_new(KEY, SSH_HOST);
        c.valid_before = ENDS[i];
        c = ssh_signed(&c, HOST_CA);
        refused(renew_says(POP, &c, e), ERR_UNAUTHORIZED, "not valid");
        refused(renew_says(late, &c, e), ERR_UNAUTHORIZED, "not valid");
    }
}

static void renewal_can_be_disabled(void **state)
{
    struct provisioner *off = pop_with("{\"disableRenewal\":true}", &ROOTS);
    struct ssh_cert c = host_cert();
    struct grant g;

    (void)state;
    refused(renew_says(off, &c, e), ERR_UNAUTHORIZED, "disableRenewal");
    refused(judge(off, sshpop_token(KEY, &c, "rekey", NULL), METHOD_SSH_REKEY, &g, e),
            ERR_UNAUTHORIZED, "disableRenewal");
    ok(judge(off, sshpop_token(KEY, &c, "revoke", NULL), METHOD_SSH_REVOKE, &g, e));
}

static void every_kind_of_key_proves_itself(void **state)
{
    static const struct {
        enum key_type type;
        unsigned bits;
    } ROWS[] = {{KEY_RSA, 2048}, {KEY_P256, 0}, {KEY_P384, 0}, {KEY_P521, 0}, {KEY_ED25519, 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        KEY = key_new(ROWS[i].type, ROWS[i].bits);
        struct ssh_cert c = host_cert();
        ok(renew_says(POP, &c, e));
    }
}

#define POP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, arena_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POP_TEST(a_host_certificate_speaks_for_its_host),
        POP_TEST(only_configured_keys_of_the_type_are_believed),
        POP_TEST(a_changed_certificate_is_refused),
        POP_TEST(the_certificates_key_must_have_signed),
        POP_TEST(headers_must_hold_a_certificate),
        POP_TEST(claims_are_checked),
        POP_TEST(users_do_not_renew_themselves),
        POP_TEST(revocation_is_of_itself),
        POP_TEST(times_decide_by_method_and_claim),
        POP_TEST(absurd_times_are_never_valid),
        POP_TEST(renewal_can_be_disabled),
        POP_TEST(every_kind_of_key_proves_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
