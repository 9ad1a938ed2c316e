/* SSH certificates by template: what the provisioner's text makes of a grant, what webhooks see and
 * say, and what stays out of the requester's reach. */
#include "authority/webhook.h"
#include "client/fake_http.h"
#include "ssh_testing.h"

#define USUAL_TOKEN "{\"principals\":[\"alice\",\"alice@x.io\"]}"

/* options.ssh of "ops". */
static void use_template(const char *text, const char *data)
{
    struct json *options = json_of("{}"), *ssh = json_of("{}");

    if (text)
        json_set_exact(ssh, A, "template", json_make_text(A, slice_text(text)));
    if (data)
        json_set_exact(ssh, A, "templateData", json_of(data));
    json_set_exact(options, A, "ssh", ssh);
    json_set_exact(world_provisioner(0), A, "options", options);
}

static bool sign_with(const struct ssh_request *r, struct ssh_cert *c, struct err *why)
{
    struct work w = work_new();
    struct ssh_issued out;
    bool good = ssh_ask(&w, ssh_token("alice", USUAL_TOKEN), r, &out);

    err_move(why, &w.err);
    if (good)
        *c = ssh_seen(&out);
    return good;
}

static struct ssh_request asked_with(const char *user)
{
    struct ssh_request r = ssh_asked("user", "");

    r.wish.key_id = SLICE("asked");
    if (user)
        r.user = json_of(user);
    return r;
}

/* --- Without and with text ----------------------------------------------------------------------
 */

/* Grants as the types of provisioners make them. */
static struct grant grant_of(enum ssh_fallback fallback, const char *type, struct slice *names,
                             size_t n)
{
    struct grant g = {.by = W.s.current->registry->all[0]};

    g.ssh.fallback = fallback;
    g.ssh.data = (struct ssh_wish){.type = slice_text(type),
                                   .key_id = SLICE("key \"id\" <&>"),
                                   .principals = names,
                                   .n_principals = n};
    return g;
}

static const char *by_text(const struct grant *g, const struct ssh_request *r)
{
    struct template_inputs in = {.grant = g};
    struct template_options options = {.set = TEMPLATE_SSH};
    struct tvalue data = template_data_ssh(A, &in, &g->ssh.data);
    struct ssh_cert_json made;
    struct template *t = NULL;

    template_data_ssh_request(A, &data, r);
    ok((t = template_parse(A, "usual", slice_text(SSH_TEMPLATES[g->ssh.fallback]), &options, e)));
    ok(ssh_template_run(A, t, &data, &made, e));
    assert_false(made.has_serial || made.valid_after || made.valid_before);
    return ssh_text(&made.cert);
}

/* What makes skipping the text right: it would have said the same. */
static void the_usual_certificate_is_what_its_template_says(void **state)
{
    static const enum ssh_fallback HOW[] = {SSH_AS_GRANTED, SSH_AS_ASKED, SSH_PRINCIPALS_ASKED};
    static const char *const TYPES[] = {"user", "host"};
    static const char *const ASKED[] = {"", "b,a", "a,\"\\,<&>\xe2\x80\xa8"};
    static struct slice names[] = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"\xc3\xa4\"<", 4}};

    (void)state;
    ssh_start(true);
    for (size_t i = 0; i < 3 * 2 * 2 * 3 * 2; i++) {
        struct grant g = grant_of(HOW[i % 3], TYPES[i / 3 % 2], names, i / 36 % 2 ? 2 : 0);
        struct ssh_request r = ssh_asked(TYPES[i / 6 % 2], ASKED[i / 12 % 3]);
        struct ssh_cert_json direct;
        r.wish.key_id = SLICE("asked\\");
        ssh_from_grant(&g, &g.ssh.data, &r, &direct);
        const char *plain = ssh_text(&direct.cert), *text = by_text(&g, &r);
        if (strcmp(plain, text) != 0)
            fail_msg("%zu: %s, by text %s", i, plain, text);
    }
}

static void hosts_have_a_map_of_extensions_without_any(void **state)
{
    static const char TEXT[] = "{{printf \"%T %v\" .Extensions .Extensions}} {{len .Extensions}} "
                               "{{toJson .Extensions}} {{.Extensions.x}} {{.CriticalOptions.x}}";
    struct ssh_wish host = {.type = SLICE("host")};
    struct buf out = buf_new(A, 1024);
    struct template *t = NULL;

    (void)state;
    ssh_start(true);
    struct grant g = {.by = W.s.current->registry->all[0]};
    struct template_inputs in = {.grant = &g};
    struct tvalue data = template_data_ssh(A, &in, &host);
    ok((t = template_parse(A, "test", slice_text(TEXT), NULL, e)));
    ok(template_run(t, &data, A, NULL, &out, e));
    assert_slice(buf_slice(&out), "map[string]interface {} map[] 0 null <no value> <no value>");
}

static void data_that_changes_nothing_evaluates_nothing(void **state)
{
    static const struct {
        const char *data;
        bool wanted;
        const char *seen;
    } ROWS[] = {
        {NULL, false, "user|alice|alice,alice@x.io||" SSH_FIVE},
        {"{\"team\":1}", false, "user|alice|alice,alice@x.io||" SSH_FIVE},
        {"{\"KeyID\":\"k\"}", true, "user|k|alice,alice@x.io||" SSH_FIVE},
        {"{\"Extensions\":{\"permit-pty\":\"\"}}", true,
         "user|alice|alice,alice@x.io||permit-pty="},
        {"{\"CriticalOptions\":{\"force-command\":\"/bin/true\"}}", true,
         "user|alice|alice,alice@x.io|force-command=/bin/true|" SSH_FIVE},
        {"{\"Type\":\"host\",\"Principals\":[\"h\"],\"Extensions\":null}", true, "host|alice|h||"},
    };

    (void)state;
    world_services(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_request r = asked_with("{\"x\":1}");
        struct ssh_cert c;
        struct err why;
        use_template(NULL, ROWS[i].data);
        ssh_load();
        struct grant g = {.by = W.s.current->registry->all[0]};
        assert_int_equal(ssh_template_wanted(&g), ROWS[i].wanted);
        if (!sign_with(&r, &c, &why))
            fail_msg("row %zu: %s", i, why.text);
        if (strcmp(ssh_text(&c), ROWS[i].seen) != 0)
            fail_msg("row %zu: %s", i, ssh_text(&c));
    }
}

/* --- Texts --------------------------------------------------------------------------------------
 */

#define BODY(more)                                                                                 \
    "{\"type\":{{toJson .Type}},\"keyId\":{{toJson .KeyID}},\"principals\":{{toJson "              \
    ".Principals}}" more "}"

static void a_template_says_what_the_certificate_holds(void **state)
{
    static const struct {
        const char *text, *seen;
    } ROWS[] = {
        {BODY(",\"criticalOptions\":{\"force-command\":\"/bin/true\",\"source-address\":"
              "\"10.0.0.0/8\"},\"extensions\":{{toJson .Extensions}}"),
         "user|alice|alice,alice@x.io|force-command=/bin/true,source-address=10.0.0.0/8|" SSH_FIVE},
        {BODY(",\"criticalOptions\":{\"verify-required\":\"\"},\"extensions\":{\"login@github.com\""
              ":{{toJson .KeyID}},\"b\":\"\",\"a\":\"\"}"),
         "user|alice|alice,alice@x.io|verify-required=|a=,b=,login@github.com=alice"},
        {"{\"type\":\"HOST\",\"keyId\":\"k\",\"principals\":{{toJson (concat .Principals (list "
         "\"x\" \"alice\") | uniq)}}}",
         "host|k|alice,alice@x.io,x||"},
        {"{\"type\":\"user\",\"keyId\":{{printf \"%s/%s\" .Token.iss .Token.sub | toJson}},"
         "\"principals\":null}",
         "user|ops/alice|||"},
        {"{\"type\":{{toJson .Insecure.CR.Type}},\"keyId\":{{toJson .Insecure.CR.KeyID}},"
         "\"principals\":{{toJson .Insecure.User.names}}}",
         "user|asked|u1,u2||"},
        {"{\"type\":\"user\",\"keyId\":{{toJson .Insecure.CR.Key.Type}},\"principals\":"
         "[{{toJson (.Insecure.CR.Key.Marshal | toString | b64enc | substr 0 8)}}]}",
         "user|ecdsa-sha2-nistp256|AAAAE2Vj||"},
        {"{\"type\":\"user\",\"keyId\":\"a\",\"principals\":[],\"unknown\":1} and text behind",
         "user|a|||"},
        {"{{if eq .Type \"user\"}}" BODY("") "{{else}}{{fail \"no\"}}{{end}}",
         "user|alice|alice,alice@x.io||"},
    };

    (void)state;
    world_services(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_request r = asked_with("{\"names\":[\"u1\",\"u2\"]}");
        struct ssh_cert c;
        struct err why;
        use_template(ROWS[i].text, NULL);
        ssh_load();
        if (!sign_with(&r, &c, &why))
            fail_msg("row %zu: %s", i, why.text);
        if (strcmp(ssh_text(&c), ROWS[i].seen) != 0)
            fail_msg("row %zu: %s", i, ssh_text(&c));
        assert_true(slice_eq(c.key.blob, S.subject.blob));
    }
}

static void serial_nonce_and_times_may_be_the_templates(void **state)
{
    struct ssh_request r = asked_with(NULL);
    struct ssh_cert c;
    struct err why;

    (void)state;
    use_template(BODY(",\"serial\":18446744073709551615,\"nonce\":\"bm5ubm5ubm5ubm5ubm5ubg==\","
                      "\"reserved\":\"cg==\",\"validAfter\":\"2026-02-03T10:20:00Z\","
                      "\"validBefore\":\"2026-02-03T11:20:30Z\""),
                 NULL);
    ssh_start(true);
    if (!sign_with(&r, &c, &why))
        fail_msg("%s", why.text);
    assert_true(c.serial == UINT64_MAX);
    assert_slice(c.nonce, "nnnnnnnnnnnnnnnn");
    assert_slice(c.reserved, "r");
    assert_int_equal(c.valid_after, NOW_SEC - 30);
    assert_int_equal(c.valid_before, NOW_SEC + 3600);
    /* The request's times win, the limits hold. */
    ok(time_or_duration_read(SLICE("2h"), &r.wish.valid_before, e));
    assert_true(sign_with(&r, &c, &why));
    assert_int_equal(c.valid_before, NOW_SEC + 7200);
    use_template(BODY(",\"validBefore\":\"2027-01-01T00:00:00Z\""), NULL);
    ssh_load();
    r = asked_with(NULL);
    assert_false(sign_with(&r, &c, &why));
    assert_int_equal(why.kind, ERR_FORBIDDEN);
}

static void broken_templates_fail_as_they_should(void **state)
{
    static const struct {
        const char *text, *says;
        enum err_kind kind;
        bool told;
    } ROWS[] = {
        {"{{fail \"not today\"}}", "not today", ERR_MALFORMED, true},
        {BODY(","), "applying certificate template", ERR_INTERNAL, true},
        {"{{\"\"}}[]", "applying certificate template", ERR_INTERNAL, true},
        {"{{\"\"}}", "applying certificate template", ERR_INTERNAL, true},
        {"{\"keyId\":\"k\"}", "type", ERR_INTERNAL, true},
        {"{\"type\":\"both\",\"keyId\":\"k\"}", "type", ERR_INTERNAL, true},
        {"{\"type\":\"user\",\"keyId\":\"k\",\"principals\":\"alice\"}", "principals", ERR_INTERNAL,
         true},
        {"{\"type\":\"user\",\"keyId\":\"k\",\"extensions\":{\"a\":1}}", "extensions", ERR_INTERNAL,
         true},
        {"{{ .Type.x }}", "template", ERR_INTERNAL, false},
        {"{{ call }}", "template", ERR_INTERNAL, false},
        {"{{ unknown }}", "unknown", ERR_INTERNAL, false},
        {"{{ asn1Seq }}", "asn1Seq", ERR_INTERNAL, false}, /* of X.509 only */
        {"{{ env \"PATH\" }}", "env", ERR_INTERNAL, false},
        {"{\"type\":\"user\",\"keyId\":\"\",\"principals\":[\"a\"]}", "key id", ERR_FORBIDDEN,
         false},
        {"{\"type\":\"user\",\"keyId\":\"k\",\"principals\":[\"a\",\"\"]}", "empty", ERR_MALFORMED,
         false},
    };

    (void)state;
    world_services(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_request r = asked_with(NULL);
        struct ssh_cert c;
        struct err why;
        use_template(ROWS[i].text, NULL);
        ssh_load();
        if (sign_with(&r, &c, &why) || why.kind != ROWS[i].kind || why.tell != ROWS[i].told ||
            !strstr(why.text, ROWS[i].says))
            fail_msg("row %zu: %s %s (%d)", i, err_kind_name(why.kind), why.text, why.tell);
    }
}

/* A request cannot close the text that it is put into. */
static void data_stays_data(void **state)
{
    struct ssh_request r = ssh_asked("user", "");
    struct ssh_cert c;
    struct err why;

    (void)state;
    r.wish.key_id = SLICE("x\",\"principals\":[\"root\"],\"y\":\"");
    use_template("{\"type\":\"user\",\"principals\":{{toJson .Principals}},\"keyId\":{{toJson "
                 ".Insecure.CR.KeyID}}}",
                 NULL);
    ssh_start(true);
    if (!sign_with(&r, &c, &why))
        fail_msg("%s", why.text);
    assert_true(slice_eq(c.key_id, r.wish.key_id));
    assert_int_equal(c.n_principals, 2);
}

static void a_file_is_read_for_every_request(void **state)
{
    struct json *options = json_of("{\"ssh\":{}}");
    struct ssh_request r = asked_with(NULL);
    struct ssh_cert c;
    struct err why;

    (void)state;
    json_set_exact((struct json *)json_get(options, "ssh"), A, "templateFile",
                   json_make_text(A, slice_text(world_path("ssh.tpl"))));
    json_set_exact(world_provisioner(0), A, "options", options);
    world_services(true);
    struct steppath sp = {0};
    W.s.sp = &sp;
    ssh_load();
    assert_false(sign_with(&r, &c, &why));
    assert_int_equal(why.kind, ERR_INTERNAL);
    world_put("ssh.tpl", SLICE("{\"type\":\"user\",\"keyId\":\"one\"}"));
    assert_true(sign_with(&r, &c, &why));
    assert_slice(c.key_id, "one");
    world_put("ssh.tpl", SLICE("{\"type\":\"user\",\"keyId\":\"two\"}"));
    assert_true(sign_with(&r, &c, &why));
    assert_slice(c.key_id, "two");
}

/* --- Webhooks -----------------------------------------------------------------------------------
 */

static struct fake_http HTTP;

#define POST(path, status, body)                                                                   \
    {                                                                                              \
        HTTP_POST, path, status, body, 0                                                           \
    }
#define YES "{\"allow\":true}"
#define HOOK(name, kind, cert)                                                                     \
    "{\"name\":\"" name "\",\"kind\":\"" kind "\",\"certType\":\"" cert                            \
    "\",\"url\":\"https://hook.test/" name "\"}"

static void begin_hooks(const char *webhooks, const char *template, struct fake_answer *answers)
{
    use_template(template, NULL);
    json_set_exact((struct json *)json_get(world_provisioner(0), "options"), A, "webhooks",
                   json_of(arena_printf(A, "[%s]", webhooks)));
    ssh_start(true);
    fake_http_init(&HTTP, A, answers);
    W.s.http = &HTTP.client;
}

static void webhooks_for_ssh_are_asked(void **state)
{
    struct fake_answer answers[] = {
        POST("/a", 200, "{\"allow\":true,\"data\":{\"address\":\"10.0.0.0/8\"}}"),
        POST("/c", 200, YES),
        POST("/d", 200, YES),
        {0}};
    struct ssh_request r = ssh_asked("user", "alice");
    struct ssh_cert c;
    struct err why;

    (void)state;
    r.wish.key_id = SLICE("asked");
    begin_hooks(HOOK("a", "ENRICHING", "SSH") "," HOOK("b", "ENRICHING", "X509") "," HOOK(
                    "c", "ENRICHING", "ALL") "," HOOK("d", "AUTHORIZING", "SSH"),
                BODY(",\"criticalOptions\":{\"source-address\":{{toJson .Webhooks.a.address}}}"),
                answers);
    if (!sign_with(&r, &c, &why))
        fail_msg("%s", why.text);
    assert_string_equal(ssh_text(&c), "user|alice|alice|source-address=10.0.0.0/8|");
    assert_int_equal(HTTP.n_calls, 3);
    struct json *body = json_of(arena_cstr(A, HTTP.calls[0].body));
    const struct json *asked = json_get(body, "sshCertificateRequest");
    assert_slice(json_text(json_get(asked, "keyID")), "asked");
    assert_slice(json_text(json_get(asked, "publicKey")),
                 arena_cstr(A, base64_text(A, BASE64_STD, S.subject.blob)));
    body = json_of(arena_cstr(A, HTTP.calls[2].body));
    const struct json *cert = json_get(body, "sshCertificate");
    int64_t before = 0;
    assert_true(json_int(json_get(cert, "validBefore"), &before));
    assert_int_equal(before, c.valid_before);
    assert_slice(json_text(json_get(json_get(cert, "criticalOptions"), "source-address")),
                 "10.0.0.0/8");
    assert_slice(json_text(json_get(cert, "keyId")), "alice");
}

static void a_refusal_of_a_webhook_is_one(void **state)
{
    struct fake_answer answers[] = {
        POST("/a", 200, YES), POST("/d", 200, "{\"allow\":false}"), {0}};
    struct ssh_request r = ssh_asked("user", "");
    struct ssh_cert c;
    struct err why;

    (void)state;
    begin_hooks(HOOK("a", "ENRICHING", "") "," HOOK("d", "AUTHORIZING", ""), NULL, answers);
    assert_false(sign_with(&r, &c, &why));
    assert_int_equal(why.kind, ERR_FORBIDDEN);
    assert_string_equal(why.code, WEBHOOK_DENIED);
    assert_int_equal(HTTP.n_calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SSH_WORLD_TEST(the_usual_certificate_is_what_its_template_says),
        SSH_WORLD_TEST(hosts_have_a_map_of_extensions_without_any),
        SSH_WORLD_TEST(data_that_changes_nothing_evaluates_nothing),
        SSH_WORLD_TEST(a_template_says_what_the_certificate_holds),
        SSH_WORLD_TEST(serial_nonce_and_times_may_be_the_templates),
        SSH_WORLD_TEST(broken_templates_fail_as_they_should),
        SSH_WORLD_TEST(data_stays_data),
        SSH_WORLD_TEST(a_file_is_read_for_every_request),
        SSH_WORLD_TEST(webhooks_for_ssh_are_asked),
        SSH_WORLD_TEST(a_refusal_of_a_webhook_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
