/* What tokens grant of SSH, and how requests are held against it. */
#include "provisioner_testing.h"

static struct private_key *KEY, *ROOT_KEY, *LEAF_KEY;
static struct jwk JWK;
static struct cert *ROOT, *LEAF;

static int setup(void **state)
{
    struct x509_leaf leaf;

    arena_setup(state);
    test_now = instant_sec(NOW_SEC);
    KEY = key_new(KEY_P256, 0);
    JWK = jwk_new(KEY);
    ROOT_KEY = key_new(KEY_P256, 0);
    LEAF_KEY = key_new(KEY_P256, 0);
    leaf = ca_leaf(ROOT_KEY, "partner root");
    ROOT = cert_sign(&leaf, ROOT_KEY, NULL);
    leaf = leaf_new(LEAF_KEY, "device 7");
    LEAF = cert_sign(&leaf, ROOT_KEY, ROOT);
    return 0;
}

static struct provisioner *make(struct json *object, const char *claims)
{
    json_change(object, "claims", claims);
    struct provisioner *p = provisioner_of(object);
    if (p->trouble)
        fail_msg("%s", p->trouble);
    return p;
}

static struct provisioner *ops(void)
{
    return make(jwk_object("ops", &JWK), "{\"enableSSHCA\":true}");
}

static struct json *claims_of(const char *iss, const char *aud, const char *ssh)
{
    struct json *c = json_of("{\"sub\":\"alice@x.io\",\"jti\":\"once\"}");

    json_set_exact(c, A, "iss", json_make_text(A, slice_text(iss)));
    json_set_exact(c, A, "aud", json_make_text(A, slice_text(aud)));
    json_set_exact(c, A, "exp", json_make_int(A, NOW_SEC + 300));
    if (ssh)
        json_change(c, "step", arena_printf(A, "{\"ssh\":%s}", ssh));
    return c;
}

static struct slice ops_token(const char *ssh)
{
    const char *header =
        arena_printf(A, "{\"alg\":\"ES256\",\"kid\":\"%.*s\"}", SLICE_ARG(JWK.kid));

    return token_sign(KEY, JWS_ES256, header, claims_of("ops", "https://ca.test/ssh/sign", ssh));
}

static const char *wish_text(const struct ssh_wish *w)
{
    struct buf b = buf_new(A, 4096);

    buf_printf(&b, "%.*s|%.*s|", SLICE_ARG(w->type), SLICE_ARG(w->key_id));
    for (size_t i = 0; i < w->n_principals; i++)
        buf_printf(&b, "%s%.*s", i ? "," : "", SLICE_ARG(w->principals[i]));
    buf_printf(&b, "|%d|%d", w->valid_after.set, w->valid_before.set);
    return arena_cstr(A, buf_slice(&b));
}

static void tokens_grant_what_their_claim_says(void **state)
{
    static const struct {
        const char *ssh, *granted, *match;
    } ROWS[] = {
        {"{}", "user|alice@x.io|alice@x.io|0|0", "|||0|0"},
        {"{\"certType\":null,\"principals\":null,\"keyID\":null,\"validAfter\":null}",
         "user|alice@x.io|alice@x.io|0|0", "|||0|0"},
        {"{\"certType\":\"host\",\"keyID\":\"k\",\"principals\":[\"a\",\"b\"],\"validAfter\":\"\","
         "\"validBefore\":\"2h\"}",
         "host|k|a,b|0|1", "host|k|a,b|0|1"},
        {"{\"certType\":\"user\",\"principals\":[],\"validAfter\":\"2026-02-03T10:20:30Z\"}",
         "user|alice@x.io|alice@x.io|1|0", "user|||1|0"},
        {"{\"certType\":\"Host\",\"templateData\":{\"x\":1},\"validBefore\":\"0s\"}",
         "host|alice@x.io|alice@x.io|0|0", "host|||0|0"},
        /* Names of claims have case. */
        {"{\"CertType\":\"host\",\"Principals\":[\"root\"],\"keyid\":\"root\"}",
         "user|alice@x.io|alice@x.io|0|0", "|||0|0"},
    };
    struct provisioner *p = ops();
    struct grant g;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        ok(judge(p, ops_token(ROWS[i].ssh), METHOD_SSH_SIGN, &g, e));
        if (strcmp(wish_text(&g.ssh.data), ROWS[i].granted) != 0)
            fail_msg("row %zu: %s", i, wish_text(&g.ssh.data));
        assert_non_null(g.ssh.match);
        if (strcmp(wish_text(g.ssh.match), ROWS[i].match) != 0)
            fail_msg("row %zu: match %s", i, wish_text(g.ssh.match));
        assert_int_equal(g.ssh.fallback, SSH_AS_GRANTED);
        assert_false(g.ssh.required || g.ssh.limited || g.ssh.held);
        assert_int_equal(g.ssh.valid_before.set, g.ssh.match->valid_before.set);
        assert_slice(g.subject, "alice@x.io");
        assert_slice(g.use_key, "once");
        assert_false(g.reusable);
    }
}

static void bad_claims_are_refused(void **state)
{
    static const struct {
        const char *ssh, *says;
        enum err_kind kind;
    } ROWS[] = {
        {NULL, "step.ssh", ERR_UNAUTHORIZED},
        {"null", "step.ssh", ERR_UNAUTHORIZED},
        {"[]", "step.ssh", ERR_UNAUTHORIZED},
        {"\"user\"", "step.ssh", ERR_UNAUTHORIZED},
        {"{\"certType\":\"foo\"}", "foo", ERR_MALFORMED},
        {"{\"certType\":1}", "certType", ERR_UNAUTHORIZED},
        {"{\"keyID\":[]}", "keyID", ERR_UNAUTHORIZED},
        {"{\"principals\":\"a\"}", "principals", ERR_UNAUTHORIZED},
        {"{\"principals\":[1]}", "principals", ERR_UNAUTHORIZED},
        {"{\"principals\":[\"a\",\"\"]}", "principals", ERR_UNAUTHORIZED},
        {"{\"validAfter\":5}", "validAfter", ERR_UNAUTHORIZED},
        {"{\"validBefore\":\"tomorrow\"}", "validBefore", ERR_UNAUTHORIZED},
    };
    struct provisioner *p = ops();
    struct grant g;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        refused(judge(p, ops_token(ROWS[i].ssh), METHOD_SSH_SIGN, &g, e), ROWS[i].kind,
                ROWS[i].says);
}

static void ssh_has_to_be_enabled(void **state)
{
    struct provisioner *off = make(jwk_object("ops", &JWK), NULL);
    struct grant g;

    (void)state;
    refused(judge(off, ops_token("{}"), METHOD_SSH_SIGN, &g, e), ERR_UNAUTHORIZED, "enableSSHCA");
    /* Revocation does not ask for it. */
    const char *header =
        arena_printf(A, "{\"alg\":\"ES256\",\"kid\":\"%.*s\"}", SLICE_ARG(JWK.kid));
    struct json *c = claims_of("ops", "https://ca.test/1.0/ssh/revoke", NULL);
    ok(judge(off, token_sign(KEY, JWS_ES256, header, c), METHOD_SSH_REVOKE, &g, e));
    assert_slice(g.subject, "alice@x.io");
    refused(judge(off, ops_token("{}"), METHOD_SSH_REVOKE, &g, e), ERR_UNAUTHORIZED, "audience");
    refused(judge(off, ops_token("{}"), METHOD_SSH_RENEW, &g, e), ERR_UNAUTHORIZED, "");
    refused(judge(off, ops_token("{}"), METHOD_SSH_REKEY, &g, e), ERR_UNAUTHORIZED, "");
}

static struct slice edge_token(const char *aud, const char *ssh)
{
    struct slice der = base64_text(A, BASE64_STD, LEAF->der);
    const char *header = arena_printf(A, "{\"alg\":\"ES256\",\"x5c\":[\"%.*s\"]}", SLICE_ARG(der));

    return token_sign(LEAF_KEY, JWS_ES256, header, claims_of("edge", aud, ssh));
}

static void a_certificates_end_limits_what_it_grants(void **state)
{
    struct provisioner *p = make(x5c_object("edge", ROOT), "{\"enableSSHCA\":true}");
    struct grant g;

    (void)state;
    ok(judge(p, edge_token("https://ca.test/ssh/sign#x5c/edge", "{\"certType\":\"host\"}"),
             METHOD_SSH_SIGN, &g, e));
    assert_string_equal(wish_text(&g.ssh.data), "host|alice@x.io|alice@x.io|0|0");
    assert_true(g.ssh.limited);
    assert_int_equal(g.ssh.ceiling.sec, LEAF->not_after.sec);
    assert_ptr_not_equal(g.credential, NULL);
    refused(judge(p, edge_token("https://ca.test/ssh/sign", "{}"), METHOD_SSH_SIGN, &g, e),
            ERR_UNAUTHORIZED, "audience");
    refused(judge(p, edge_token("https://ca.test/ssh/sign#x5c/edge", NULL), METHOD_SSH_SIGN, &g, e),
            ERR_UNAUTHORIZED, "step.ssh");
    refused(judge(make(x5c_object("edge", ROOT), NULL),
                  edge_token("https://ca.test/ssh/sign#x5c/edge", "{}"), METHOD_SSH_SIGN, &g, e),
            ERR_UNAUTHORIZED, "enableSSHCA");
    assert_null(p->type->authorize[METHOD_SSH_REVOKE]);
}

/* --- Rules ----------------------------------------------------------------------------------- */

/* "type|keyID|p1,p2|validAfter|validBefore" */
static struct ssh_wish wish_of(const char *text)
{
    struct slice rest = slice_text(text), part[5] = {{0}}, name;
    struct ssh_wish w = {0};

    for (size_t i = 0; i < COUNT_OF(part); i++)
        (void)!slice_split(&rest, '|', &part[i]);
    struct slice *names = arena_array(A, 16, sizeof(*names));
    while (part[2].n > 0 && slice_split(&part[2], ',', &name))
        names[w.n_principals++] = name;
    w.type = part[0];
    w.key_id = part[1];
    w.principals = names;
    ok(time_or_duration_read(part[3], &w.valid_after, e));
    ok(time_or_duration_read(part[4], &w.valid_before, e));
    return w;
}

static void requests_must_match_the_token(void **state)
{
    static const struct {
        const char *token, *request, *says; /* NULL: fits */
    } ROWS[] = {
        {"||||", "user|k|a|1h|2h", NULL},
        {"user|k|a|1h|2h", "||||", NULL},
        {"user||||", "user||||", NULL},
        {"user||||", "host||||", "certType: wanted user, got host"},
        {"|k|||", "|other|||", NULL}, /* the key id is not compared */
        {"||a,b||", "||b||", NULL},
        {"||a,b||", "||b,a||", NULL},
        {"||a,b||", "||B,A||", NULL},
        {"||alice||", "||root||", "principals: wanted [alice], got [root]"},
        {"||a,b||", "||a,b,c||", "got [a, b, c]"},
        {"||a||", "||a,a||", "principals"}, /* more than there are */
        {"||a,b||", "||a,c||", "principals"},
        {"|||1h|", "|||60m|", NULL},
        {"|||1h|", "|||61m|", "validAfter"},
        {"||||2026-02-03T10:20:30Z", "||||2026-02-03T11:20:30+01:00", NULL},
        {"||||2026-02-03T10:20:30Z", "||||2026-02-03T10:20:31Z", "validBefore"},
        {"||||2026-02-03T10:20:30Z", "||||1h", "validBefore"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_wish want = wish_of(ROWS[i].token), got = wish_of(ROWS[i].request);
        struct grant_ssh g = {.match = &want};
        struct err e = {0};
        bool good = ssh_rules_check(&g, &got, &e);
        if (good != !ROWS[i].says ||
            (!good && (e.kind != ERR_FORBIDDEN || !strstr(e.text, ROWS[i].says))))
            fail_msg("row %zu: %s %s", i, err_kind_name(e.kind), e.text);
    }
}

static void what_is_required_must_be_there(void **state)
{
    static const struct {
        const char *request, *says;
    } ROWS[] = {{"user|k|a||", NULL},
                {"|k|a||", "certType"},
                {"user||a||", "keyID"},
                {"user|k|||", "principals"}};
    struct grant_ssh g = {.required = true};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_wish got = wish_of(ROWS[i].request);
        struct err e = {0};
        bool good = ssh_rules_check(&g, &got, &e);
        if (good != !ROWS[i].says ||
            (!good && (e.kind != ERR_MALFORMED || !strstr(e.text, ROWS[i].says))))
            fail_msg("row %zu: %s", i, e.text);
    }
}

static void messages_stay_short(void **state)
{
    struct slice many[200];
    struct ssh_wish want = wish_of("||a||"), got = {.principals = many, .n_principals = 200};
    struct grant_ssh g = {.match = &want};
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = SLICE("a principal with a name");
    assert_false(ssh_rules_check(&g, &got, &e));
    assert_non_null(strstr(e.text, "…]"));
    many[0] = slice_of(arena_alloc(A, 5000), 5000);
    assert_false(ssh_rules_check(&g, &got, &e));
}

#define SSH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, arena_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SSH_TEST(tokens_grant_what_their_claim_says),
        SSH_TEST(bad_claims_are_refused),
        SSH_TEST(ssh_has_to_be_enabled),
        SSH_TEST(a_certificates_end_limits_what_it_grants),
        SSH_TEST(requests_must_match_the_token),
        SSH_TEST(what_is_required_must_be_there),
        SSH_TEST(messages_stay_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
