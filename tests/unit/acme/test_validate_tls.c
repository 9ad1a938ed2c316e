/* tls-alpn-01 against TLS servers in the test. */
#include "targets.h"

#include "crypto/digest.h"

#define KEY_AUTHORIZATION "token.MFxT_XxYjKTpO-jRdcfdtbaX6IaRxvm-jpk5t-Jv7Bo"
#define OID_ACME          "1.3.6.1.5.5.7.1.31"
#define OID_DRAFT         "1.3.6.1.5.5.7.1.30.1"

static const struct table_name TABLE[] = {
    {"web.test", {"127.0.0.1"}, {0}, ERR_NONE},
    {"web.test.", {"127.0.0.1"}, {0}, ERR_NONE},
    {"second.test", {"127.0.0.77", "127.0.0.1"}, {0}, ERR_NONE},
    {"empty.test", {0}, {0}, ERR_NONE},
    {"broken.test", {0}, {0}, ERR_UNAVAILABLE},
};

/* How a server answers the client's list of protocols. */
enum alpn { ALPN_ACME, ALPN_OTHER, ALPN_NONE, ALPN_ALERT };

static char seen_name[256];
static atomic_uint seen_protocols;

static int choose(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
                  unsigned n_in, void *arg)
{
    const enum alpn *alpn = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    snprintf(seen_name, sizeof(seen_name), "%s", name ? name : "");
    atomic_store(&seen_protocols, n_in);
    if (*alpn == ALPN_ALERT)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    if (*alpn == ALPN_NONE)
        return SSL_TLSEXT_ERR_NOACK;
    if (n_in != 11 || memcmp(in,
                             "\x0a"
                             "acme-tls/1",
                             11) != 0)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = *alpn == ALPN_ACME ? in + 1 : (const unsigned char *)"h2";
    *n = *alpn == ALPN_ACME ? 10 : 2;
    return SSL_TLSEXT_ERR_OK;
}

static struct slice digest_value(const char *key_authorization, size_t n)
{
    uint8_t *value = arena_alloc(A, 2 + DIGEST_MAX + 1);

    value[0] = 4;
    value[1] = (uint8_t)n;
    digest_of(DIGEST_SHA256, slice_text(key_authorization), value + 2);
    return slice_of(value, 2 + n);
}

struct server_case {
    struct server_cert cert;
    enum alpn alpn;
    const char *address; /* NULL: 127.0.0.1 */
    int version;         /* 0: any */
};

static struct acme_result validate_at(const struct server_case *c, const char *name, bool strict)
{
    struct table_resolver names = table_make(TABLE, COUNT_OF(TABLE));
    struct server s = {.ctx = server_context(&c->cert)};
    enum alpn alpn = c->alpn;
    struct ip ip;
    struct acme_validation v = {.type = ACME_TLS_ALPN_01,
                                .value = slice_text(name),
                                .ip = ip_read(slice_text(name), &ip),
                                .key_authorization = SLICE(KEY_AUTHORIZATION)};

    SSL_CTX_set_alpn_select_cb(s.ctx, choose, &alpn);
    if (c->version)
        SSL_CTX_set_max_proto_version(s.ctx, c->version);
    if (c->version && c->version < TLS1_2_VERSION) {
        SSL_CTX_set_min_proto_version(s.ctx, c->version);
        SSL_CTX_set_security_level(s.ctx, 0);
    }
    must(server_start(&s, c->address ? c->address : "127.0.0.1", 0));
    struct acme_validation_settings settings = {
        .resolver = &names.base, .clock = &CLOCK_SYSTEM, .tls_port = s.port, .strict_fqdn = strict};
    struct acme_result r = acme_validate_tls_alpn01(A, &v, &settings, soon());
    server_stop(&s);
    SSL_CTX_free(s.ctx);
    return r;
}

static struct server_case good_for(const char *san)
{
    return (struct server_case){.cert = {.sans = {san},
                                         .oid = OID_ACME,
                                         .critical = true,
                                         .value = digest_value(KEY_AUTHORIZATION, 32)}};
}

static void the_right_certificate_is_enough(void **state)
{
    struct server_case c = good_for("DNS:web.test");

    (void)state;
    struct acme_result r = validate_at(&c, "web.test", false);
    assert_result(&r, ACME_VALID, NULL, NULL);
    assert_string_equal(seen_name, "web.test");
    assert_int_equal(atomic_load(&seen_protocols), 11);
    c.version = TLS1_2_VERSION;
    r = validate_at(&c, "web.test", false);
    assert_result(&r, ACME_VALID, NULL, NULL);
    c.cert.until = -60; /* over */
    r = validate_at(&c, "web.test", false);
    assert_result(&r, ACME_VALID, NULL, NULL);
    c = good_for("DNS:WEB.test");
    r = validate_at(&c, "web.test", true);
    assert_result(&r, ACME_VALID, NULL, NULL);
    assert_string_equal(seen_name, "web.test");
    r = validate_at(&c, "web.test.", false);
    assert_result(&r, ACME_VALID, NULL, NULL);
    assert_string_equal(seen_name, "web.test");
}

static void certificates_that_do_not_fit_are_final(void **state)
{
    struct slice value = digest_value(KEY_AUTHORIZATION, 32);
    const struct {
        struct server_cert cert;
        const char *detail;
    } CASES[] = {
        {{{"DNS:web.test"}, NULL, false, {0}, 0}, "no acmeIdentifier"},
        {{{"DNS:web.test"}, OID_ACME, false, value, 0}, "not critical"},
        {{{"DNS:web.test"}, OID_DRAFT, true, value, 0}, "old draft"},
        {{{"DNS:web.test"}, OID_ACME, true, digest_value("another", 32), 0}, "not the digest"},
        {{{"DNS:web.test"}, OID_ACME, true, digest_value(KEY_AUTHORIZATION, 31), 0}, "32 bytes"},
        {{{"DNS:web.test"}, OID_ACME, true, digest_value(KEY_AUTHORIZATION, 33), 0}, "32 bytes"},
        {{{"DNS:web.test"}, OID_ACME, true, slice_of(value.p, 33), 0}, "32 bytes"},
        {{{"DNS:web.test"}, OID_ACME, true, slice_of(value.p + 2, 32), 0}, "32 bytes"},
        {{{"DNS:web.test", "DNS:other.test"}, OID_ACME, true, value, 0}, "found 2"},
        {{{"DNS:web.test", "IP:127.0.0.1"}, OID_ACME, true, value, 0}, "found 2"},
        {{{"DNS:web.test", "email:a@web.test"}, OID_ACME, true, value, 0}, "found 2"},
        {{{"DNS:other.test"}, OID_ACME, true, value, 0}, "is not \"web.test\""},
        {{{"DNS:*.test"}, OID_ACME, true, value, 0}, "is not \"web.test\""},
        {{{"IP:127.0.0.1"}, OID_ACME, true, value, 0}, "is not \"web.test\""},
        {{{0}, OID_ACME, true, value, 0}, "found 0"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct server_case c = {.cert = CASES[i].cert};
        struct acme_result r = validate_at(&c, "web.test", false);
        assert_result(&r, ACME_INVALID, "rejectedIdentifier", CASES[i].detail);
    }
}

static void the_protocol_must_be_chosen(void **state)
{
    static const struct {
        enum alpn alpn;
        const char *detail;
    } CASES[] = {{ALPN_NONE, "did not choose"}, {ALPN_ALERT, "no application protocol"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            struct server_case c = good_for("DNS:web.test");
            c.alpn = CASES[i].alpn;
            c.version = version;
            struct acme_result r = validate_at(&c, "web.test", false);
            assert_result(&r, ACME_INVALID, "rejectedIdentifier", CASES[i].detail);
        }
    }
}

static void an_old_version_or_a_strange_protocol_fails_the_handshake(void **state)
{
    struct server_case c = good_for("DNS:web.test");

    (void)state;
    c.version = TLS1_1_VERSION;
    struct acme_result r = validate_at(&c, "web.test", false);
    assert_result(&r, ACME_RETRY, "tls", "TLS handshake");
    c = good_for("DNS:web.test");
    c.alpn = ALPN_OTHER; /* libssl refuses what it did not offer, or we do */
    r = validate_at(&c, "web.test", false);
    assert_true(r.verdict != ACME_VALID);
}

static void addresses_have_a_reverse_name(void **state)
{
    struct server_case c = good_for("IP:127.0.0.1");

    (void)state;
    struct acme_result r = validate_at(&c, "127.0.0.1", false);
    assert_result(&r, ACME_VALID, NULL, NULL);
    assert_string_equal(seen_name, "1.0.0.127.in-addr.arpa");
    c = good_for("IP:127.0.0.2");
    r = validate_at(&c, "127.0.0.1", false);
    assert_result(&r, ACME_INVALID, "rejectedIdentifier", "is not \"127.0.0.1\"");
    c = good_for("DNS:127.0.0.1");
    r = validate_at(&c, "127.0.0.1", false);
    assert_result(&r, ACME_INVALID, "rejectedIdentifier", "is not \"127.0.0.1\"");
    struct server six = {.fd = -1};
    if (!server_bind(&six, "::1", 0)) {
        print_message("addresses_have_a_reverse_name: no IPv6 on this machine\n");
        return;
    }
    close(six.fd);
    c = good_for("IP:::1");
    c.address = "::1";
    r = validate_at(&c, "::1", false);
    assert_result(&r, ACME_VALID, NULL, NULL);
    assert_string_equal(seen_name,
                        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                        "ip6.arpa");
}

static void the_second_address_is_tried(void **state)
{
    struct server_case c = good_for("DNS:second.test");

    (void)state;
    struct acme_result r = validate_at(&c, "second.test", false);
    assert_result(&r, ACME_VALID, NULL, NULL);
}

static void hold(struct visit *v)
{
    visit_hold(v);
}

static void say_hello(struct visit *v)
{
    visit_reply(v, "200 OK", "", "this is not TLS");
}

static void trouble_with_the_connection_is_transient(void **state)
{
    struct table_resolver names = table_make(TABLE, COUNT_OF(TABLE));
    struct acme_validation v = {.value = SLICE("web.test"),
                                .key_authorization = SLICE(KEY_AUTHORIZATION)};
    struct acme_validation_settings s = {
        .resolver = &names.base, .clock = &CLOCK_SYSTEM, .tls_port = closed_port()};

    (void)state;
    struct acme_result r = acme_validate_tls_alpn01(A, &v, &s, soon());
    assert_result(&r, ACME_RETRY, "connection", "refused");
    struct server silent = {.answer = hold}, plain = {.answer = say_hello, .speaks_first = true};
    must(server_start(&silent, "127.0.0.1", 0) && server_start(&plain, "127.0.0.1", 0));
    s.tls_port = silent.port;
    struct deadline d = deadline_in(&CLOCK_SYSTEM, 200 * NS_PER_MS);
    r = acme_validate_tls_alpn01(A, &v, &s, d);
    assert_result(&r, ACME_RETRY, "connection", "in time");
    s.tls_port = plain.port;
    r = acme_validate_tls_alpn01(A, &v, &s, soon());
    assert_result(&r, ACME_RETRY, "tls", "TLS handshake");
    server_stop(&silent);
    server_stop(&plain);
    static const char *const NAMES_[] = {"nowhere.test", "broken.test", "empty.test"};
    for (size_t i = 0; i < COUNT_OF(NAMES_); i++) {
        v.value = slice_text(NAMES_[i]);
        r = acme_validate_tls_alpn01(A, &v, &s, soon());
        assert_result(&r, ACME_RETRY, "connection", "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_certificate_is_enough),
        cmocka_unit_test(certificates_that_do_not_fit_are_final),
        cmocka_unit_test(the_protocol_must_be_chosen),
        cmocka_unit_test(an_old_version_or_a_strange_protocol_fails_the_handshake),
        cmocka_unit_test(addresses_have_a_reverse_name),
        cmocka_unit_test(the_second_address_is_tried),
        cmocka_unit_test(trouble_with_the_connection_is_transient),
    };

    signal(SIGPIPE, SIG_IGN); /* of the servers */
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
