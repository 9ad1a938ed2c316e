/* ca.json: reading with its tolerances, the table of what is refused, rewriting. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/config.h"
#include "base/duration.h"
#include "base/file.h"
#include "provisioner/provisioner_testing.h"

static const char GOOD[] = "{\"root\":\"r.crt\",\"crt\":\"i.crt\",\"key\":\"i.key\",\"address\":"
                           "\":8443\",\"dnsNames\":[\"ca.test\"],\"authority\":{}}";

static char warned[8192];

static void warn(void *arg, const char *text)
{
    size_t n = strlen(warned);

    (void)arg;
    snprintf(warned + n, sizeof(warned) - n, "%s\n", text);
}

static bool load(const char *text, struct config **c, struct err *e)
{
    warned[0] = 0;
    return config_read(A, arena_copy(A, slice_text(text)), "ca.json", c, warn, NULL, e);
}

static bool judge_text(const char *text, struct config **c, struct err *e)
{
    return load(text, c, e) && config_validate(A, *c, warn, NULL, e);
}

static struct config *good(const char *text)
{
    struct config *c = NULL;

    ok(judge_text(text, &c, e));
    return c;
}

/* GOOD with members set (json NULL: taken away); "authority.x" goes below authority. */
static const char *changed(const char *name, const char *json)
{
    struct json *v = json_of(GOOD);

    if (strncmp(name, "authority.", 10) == 0)
        json_change((struct json *)json_get(v, "authority"), name + 10, json);
    else
        json_change(v, name, json);
    return arena_cstr(A, json_line(v));
}

static void assert_texts(const struct texts *got, const char *want)
{
    struct buf b = buf_new(A, 4096);

    for (size_t i = 0; i < got->n; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", SLICE_ARG(got->v[i]));
    assert_slice(buf_slice(&b), want);
}

static void defaults_are_filled_in(void **state)
{
    struct config *c;

    (void)state;
    c = good("{\"root\":\"r\",\"crt\":\"c\",\"key\":\"k\",\"address\":\":1\"}");
    assert_string_equal(warned, "");
    assert_texts(&c->dns_names, "localhost 127.0.0.1 ::1");
    assert_false(c->dns_names_given);
    assert_texts(&c->tls.cipher_suites, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 "
                                        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    assert_true(c->tls.min_version == 1.2 && c->tls.max_version == 1.3);
    assert_false(c->tls.renegotiation);
    assert_slice(c->common_name, "Step Online CA");
    assert_int_equal(c->backdate, 60 * NS_PER_SEC);
    assert_null(c->db);
    assert_null(c->logger);
    assert_null(c->crl);
    c = good(changed("authority.backdate", "\"0s\""));
    assert_int_equal(c->backdate, 0);
    c = good(changed("dnsNames", "null"));
    assert_texts(&c->dns_names, "localhost 127.0.0.1 ::1");
    c = good(changed("tls", "{\"cipherSuites\":[],\"minVersion\":0,\"maxVersion\":0}"));
    assert_int_equal(c->tls.cipher_suites.n, 2);
    assert_true(c->tls.min_version == 1.2 && c->tls.max_version == 1.3);
}

static void crl_defaults_hang_together(void **state)
{
    static const struct {
        const char *crl;
        int64_t cache_h, renew_h;
    } ROWS[] = {
        {"{\"enabled\":true}", 24, 16},
        {"{\"enabled\":true,\"cacheDuration\":\"0s\",\"renewPeriod\":\"0s\"}", 24, 16},
        {"{\"enabled\":true,\"cacheDuration\":\"48h\"}", 48, 32},
        {"{\"enabled\":true,\"cacheDuration\":\"48h\",\"renewPeriod\":\"48h\"}", 48, 48},
        {"{\"enabled\":true,\"renewPeriod\":\"1h\"}", 24, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct json *v = json_of(changed("crl", ROWS[i].crl));
        json_change(v, "db", "{\"type\":\"sqlite\",\"dataSource\":\"db\"}");
        struct config *c = good(arena_cstr(A, json_line(v)));
        assert_int_equal(c->crl_cache, ROWS[i].cache_h * 3600 * NS_PER_SEC);
        assert_int_equal(c->crl_renew, ROWS[i].renew_h * 3600 * NS_PER_SEC);
    }
}

/* A value, or NULL for none, and what the message must say; its key is always named. */
static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *key, *json, *says;
    } ROWS[] = {
        {"address", NULL, "address"},
        {"address", "\"\"", "address"},
        {"address", "\"8443\"", "host:port"},
        {"address", "\":x\"", "number"},
        {"address", "\":65536\"", "65535"},
        {"address", "5", "address"},
        {"metricsAddress", "\"9001\"", "metricsAddress"},
        {"dnsNames", "[]", "dnsNames"},
        {"dnsNames", "5", "dnsNames"},
        {"dnsNames", "[5]", "dnsNames"},
        {"dnsNames", "[\"a.test\",\"b.test:9000\"]", "\"b.test:9000\": a port"},
        {"dnsNames", "\"10.0.0.1:443\"", "a port"},
        {"dnsNames", "[\"[::1]:443\"]", "a port"},
        {"dnsNames", "[\"b\u00fccher\"]", "xn--bcher-kva"},
        {"dnsNames", "[\"b\u00fccher_x y\"]", "not ASCII"},
        {"root", NULL, "root"},
        {"root", "\"\"", "root"},
        {"root", "[]", "root"},
        {"root", "[\"a\",\"\"]", "element 1"},
        {"root", "{}", "root"},
        {"federatedRoots", "[\"a\",\"\"]", "element 1"},
        {"federatedRoots", "[\"\"]", "element 0"},
        {"crt", NULL, "crt"},
        {"key", NULL, "key"},
        {"crt", "[\"a\"]", "crt"},
        {"tls", "{\"cipherSuites\":[\"FOO\"]}", "tls.cipherSuites: unknown cipher suite \"FOO\""},
        {"tls", "{\"cipherSuites\":\"TLS_AES_128_GCM_SHA256\"}", "tls.cipherSuites"},
        {"tls", "{\"minVersion\":1.25}", "tls.minVersion: 1.25"},
        {"tls", "{\"maxVersion\":2}", "tls.maxVersion: 2"},
        {"tls", "{\"minVersion\":\"1.2\"}", "tls.minVersion"},
        {"tls", "{\"minVersion\":1.3,\"maxVersion\":1.2}", "tls.minVersion: 1.3 exceeds"},
        {"tls", "{\"cipherSuites\":[\"TLS_RSA_WITH_RC4_128_SHA\"],\"maxVersion\":1.2}",
         "tls.cipherSuites"},
        {"tls", "{\"cipherSuites\":[\"TLS_RSA_WITH_AES_128_GCM_SHA256\"],\"maxVersion\":1.2}",
         "tls.cipherSuites: no usable"},
        {"tls",
         "{\"cipherSuites\":[\"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\","
         "\"TLS_AES_128_GCM_SHA256\"],\"maxVersion\":1.2}",
         "tls.cipherSuites: no usable"},
        {"tls",
         "{\"cipherSuites\":[\"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256\"],\"minVersion\":1,"
         "\"maxVersion\":1.1}",
         "tls.cipherSuites: no usable"},
        {"tls", "{\"minVersion\":1.0,\"maxVersion\":1.1}", "tls.maxVersion: no usable"},
        {"kms", "{\"type\":\"x\"}", "kms: unsupported kms type \"x\""},
        {"kms", "{\"type\":\"PKCS11\"}", "\"pkcs11\" is not supported by this version"},
        {"kms", "{\"uri\":\"yubikey:slot-id=9c\"}", "\"yubikey\" is not supported"},
        {"kms", "{\"uri\":\"foo:x\"}", "\"foo\""},
        {"kms", "{\"type\":5}", "kms"},
        {"kms", "\"softkms\"", "kms"},
        {"authority.type", "\"x\"", "authority.type"},
        {"authority.type", "\"StepCAS\"", "authority.type"},
        {"authority.backdate", "\"-1s\"", "authority.backdate"},
        {"authority.backdate", "\"60\"", "authority.backdate"},
        {"authority.backdate", "60", "authority.backdate"},
        {"authority.claims", "{\"maxTLSCertDuration\":\"1m\"}", "maxTLSCertDuration"},
        {"authority.claims", "{\"defaultTLSCertDuration\":\"24\"}", "defaultTLSCertDuration"},
        {"authority.provisioners", "{}", "authority.provisioners"},
        {"authority.provisioners", "\"x\"", "authority.provisioners"},
        {"authority.template", "\"x\"", "authority.template"},
        {"authority.template", "{\"country\":[\"DE\"]}", "authority.template.country"},
        {"authority.disableIssuedAtCheck", "\"true\"", "authority.disableIssuedAtCheck"},
        {"authority.deploymentType", "\"Linked\"", "authority.deploymentType"},
        {"authority.enableAdmin", "true", "authority.enableAdmin"},
        {"authority.policy", "5", "authority.policy"},
        {"authority", "5", "authority"},
        {"ssh", "5", "ssh"},
        {"ssh", "[]", "ssh"},
        {"ssh", "{\"hostKey\":5}", "ssh.hostKey"},
        {"ssh", "{\"hostkey\":{}}", "ssh.hostKey"},
        {"ssh", "{\"userKey\":[\"k\"]}", "ssh.userKey"},
        {"ssh", "{\"keys\":{}}", "ssh.keys"},
        {"ssh", "{\"keys\":[5]}", "ssh.keys"},
        {"ssh", "{\"keys\":[{\"type\":\"x\"}]}",
         "ssh.keys[0].type: \"x\" is neither host nor user"},
        {"ssh", "{\"keys\":[{}]}", "ssh.keys[0].type: \"\""},
        {"ssh", "{\"keys\":[{\"type\":\"Host\"}]}", "ssh.keys[0].type"},
        {"ssh", "{\"keys\":[{\"type\":\"host\"}]}",
         "ssh.keys[0].key: expected a public key as JWK"},
        {"ssh", "{\"keys\":[{\"type\":\"host\",\"key\":\"k\"}]}", "ssh.keys[0].key"},
        {"ssh", "{\"keys\":[{\"type\":\"host\",\"key\":{\"kty\":\"x\"}}]}", "ssh.keys[0].key"},
        {"ssh", "{\"keys\":[{\"type\":\"user\",\"federated\":\"yes\"}]}", "federated"},
        {"ssh",
         "{\"keys\":[{\"type\":\"user\",\"key\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
         "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}},{\"type\":\"user\",\"key\":{\"kty\":"
         "\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"d\":"
         "\"AAAA\"}}]}",
         "ssh.keys[1].key"},
        {"ssh",
         "{\"keys\":[{\"type\":\"user\",\"key\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":"
         "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}]}",
         "ssh.keys[0].key"},
        {"ssh", "{\"bastion\":{\"port\":22}}", "ssh.bastion.port"},
        {"ssh", "{\"bastion\":\"b\"}", "ssh.bastion"},
        {"ssh", "{\"addUserCommand\":1}", "ssh.addUserCommand"},
        {"templates", "5", "templates"},
        {"templates", "{\"ssh\":[]}", "templates.ssh"},
        {"templates", "{\"data\":{\"Step\":1}}", "templates.data.Step"},
        {"templates", "{\"data\":{\"User\":{}}}", "templates.data.User"},
        {"templates", "{\"data\":[]}", "templates.data: expected an object"},
        {"templates", "{\"ssh\":{\"user\":{}}}", "templates.ssh.user"},
        {"templates", "{\"ssh\":{\"user\":[{}]}}", "templates.ssh.user[0].name"},
        {"templates", "{\"ssh\":{\"host\":[{\"name\":\"n\",\"type\":\"fullSnippet\"}]}}",
         "templates.ssh.host[0].type: \"fullSnippet\""},
        {"templates", "{\"ssh\":{\"host\":[{\"name\":\"n\",\"type\":\"file\",\"path\":\"p\"}]}}",
         "templates.ssh.host[0].template"},
        {"templates",
         "{\"ssh\":{\"host\":[{\"name\":\"n\",\"type\":\"directory\",\"path\":\"p\",\"template\":"
         "\"t\"}]}}",
         "templates.ssh.host[0].template: a directory"},
        {"templates", "{\"ssh\":{\"user\":[{\"name\":\"n\",\"type\":\"directory\"}]}}",
         "templates.ssh.user[0].path"},
        {"templates",
         "{\"ssh\":{\"user\":[{\"name\":\"n\",\"type\":\"file\",\"requires\":\"K\"}]}}",
         "requires"},
        {"crl", "{\"enabled\":true}", "crl.enabled"},
        {"crl", "{\"cacheDuration\":\"-1h\"}", "crl.cacheDuration"},
        {"crl", "{\"renewPeriod\":\"-1h\"}", "crl.renewPeriod"},
        {"crl", "{\"cacheDuration\":\"1h\",\"renewPeriod\":\"2h\"}", "crl.renewPeriod"},
        {"logger", "{\"format\":\"x\"}", "logger.format"},
        {"logger", "\"text\"", "logger"},
        {"db", "{\"type\":\"x\"}", "db.type: \"x\""},
        {"db", "{\"type\":\"\",\"dataSource\":\"d\"}", "db.type"},
        {"db", "{\"type\":\"leveldb\",\"dataSource\":\"d\"}", "leveldb"},
        {"db", "{\"type\":\"badgerV2\"}", "db.dataSource"},
        {"db", "{\"type\":\"bbolt\",\"dataSource\":\"/\"}", "step-ca.db"},
        {"db", "{\"dataSource\":\"d\"}", "db"},
        {"db", "{\"type\":\"sqlite\"}", "db.dataSource"},
        {"db", "{\"type\":\"badger\",\"dataSource\":\"d\",\"badgerFileLoadingMode\":\"ram\"}",
         "db.badgerFileLoadingMode"},
        {"monitoring", "{\"type\":\"x\"}", "monitoring.type"},
        {"monitoring", "5", "monitoring"},
        {"password", "5", "password"},
        {"commonName", "5", "commonName"},
    };
    struct config *c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct err e = {0};
        if (judge_text(changed(ROWS[i].key, ROWS[i].json), &c, &e) || e.kind != ERR_MALFORMED ||
            !strstr(e.text, ROWS[i].says) || strncmp(e.text, "ca.json", 7) != 0)
            fail_msg("row %zu (%s): %s \"%s\"", i, ROWS[i].key, err_kind_name(e.kind), e.text);
    }
}

static void the_first_failure_wins(void **state)
{
    static const struct {
        const char *text, *says;
    } ROWS[] = {
        {"{}", "address"},
        {"{\"address\":\"x\",\"dnsNames\":[]}", "dnsNames"},
        {"{\"address\":\"x\"}", "root"},
        {"{\"address\":\"x\",\"root\":\"r\"}", "crt"},
        {"{\"address\":\"x\",\"root\":\"r\",\"crt\":\"c\"}", "key"},
        {"{\"address\":\"x\",\"root\":\"r\",\"crt\":\"c\",\"key\":\"k\",\"metricsAddress\":\"x\"}",
         ": address"},
        {"{\"address\":\":1\",\"root\":\"r\",\"crt\":\"c\",\"key\":\"k\",\"metricsAddress\":\"x\","
         "\"tls\":{\"minVersion\":9}}",
         "metricsAddress"},
        {"{\"address\":\":1\",\"root\":\"r\",\"crt\":\"c\",\"key\":\"k\",\"tls\":{\"minVersion\":9}"
         ","
         "\"kms\":{\"type\":\"x\"}}",
         "tls"},
        {"{\"address\":\":1\",\"root\":\"r\",\"crt\":\"c\",\"key\":\"k\",\"kms\":{\"type\":\"x\"},"
         "\"authority\":{\"type\":\"x\"}}",
         "kms"},
    };
    struct config *c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        refused(judge_text(ROWS[i].text, &c, e), ERR_MALFORMED, ROWS[i].says);
}

static void what_is_harmless_passes(void **state)
{
    static const struct {
        const char *key, *json, *warning;
    } ROWS[] = {
        {"kms", "{}", NULL},
        {"kms", "{\"type\":\"SoftKMS\"}", NULL},
        {"kms", "{\"uri\":\"softkms:\"}", NULL},
        {"kms", "null", NULL},
        {"ssh", "null", NULL},
        {"ssh", "{}", NULL},
        {"templates", "{}", NULL},
        {"ssh",
         "{\"hostKey\":\"h\",\"userKey\":\"softkms:u\",\"keys\":null,\"bastion\":{},"
         "\"addUserPrincipal\":\"p\"}",
         NULL},
        {"ssh",
         "{\"keys\":[{\"type\":\"host\",\"federated\":true,\"key\":{\"kty\":\"OKP\",\"crv\":"
         "\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"use\":\"sig\"}}]}",
         NULL},
        {"ssh", "{\"hostKeys\":1}", "unknown key \"ssh.hostKeys\""},
        {"templates", "{\"data\":{\"step\":1,\"Domain\":\"x\"}}", NULL},
        {"templates",
         "{\"ssh\":{\"user\":null,\"host\":[{\"name\":\"n\",\"type\":\"directory\",\"path\":\"p\"}]"
         "}}",
         NULL},
        {"authority.type", "\"SoftCAS\"", NULL},
        {"authority.policy", "null", NULL},
        {"authority.deploymentType", "\"standalone\"", NULL},
        {"authority.provisioners", "null", NULL},
        {"federatedRoots", "\"\"", NULL},
        {"address", "\"[::1]:443\"", NULL},
        {"insecureAddress", "\"\"", NULL},
        {"db", "{\"type\":\"SQLite\",\"dataSource\":\"d\",\"badgerFileLoadingMode\":\"fileio\"}",
         NULL},
        {"logger", "{\"format\":\"JSON\",\"traceHeader\":\"X-Id\"}", NULL},
        {"logger", "{}", NULL},
        {"_logger", "5", NULL}, /* renamed on purpose */
        {"//", "\"a note\"", NULL},
        {"x", "{}", "unknown key \"x\""},
        {"authority.x", "1", "unknown key \"authority.x\""},
        {"authority.policy", "{\"x508\":{}}", "unknown key \"authority.policy.x508\""},
        {"authority.policy", "{\"ssh\":{\"user\":{\"allow\":{\"dnsNames\":[]}}}}",
         "unknown key \"authority.policy.ssh.user.allow.dnsNames\""},
        {"authority.policy", "{\"ssh\":{\"host\":{\"allowWildcardNames\":true}}}",
         "unknown key \"authority.policy.ssh.host.allowWildcardNames\""},
        {"authority.provisioners", "[{\"type\":\"ACME\",\"name\":\"n\",\"_off\":1}]", NULL},
        {"authority.provisioners", "[null,{\"type\":\"acme\",\"name\":\"n\",\"requireEABs\":true}]",
         "unknown key \"authority.provisioners[1].requireEABs\""},
        {"authority.provisioners",
         "[{\"type\":\"JWK\",\"name\":\"n\",\"claims\":{\"disableRenewall\":true}}]",
         "unknown key \"authority.provisioners[0].claims.disableRenewall\""},
        {"authority.provisioners",
         "[{\"type\":\"X5C\",\"name\":\"n\",\"options\":{\"x509\":{\"templat\":\"x\","
         "\"templateData\":{\"mine\":1}}}}]",
         "unknown key \"authority.provisioners[0].options.x509.templat\""},
        {"authority.provisioners",
         "[{\"type\":\"X5C\",\"name\":\"n\",\"options\":{\"webhooks\":[{},{\"uri\":\"x\"}]}}]",
         "unknown key \"authority.provisioners[0].options.webhooks[1].uri\""},
        {"authority.provisioners",
         "[{\"type\":\"X5C\",\"name\":\"n\",\"options\":{\"policy\":{\"x509\":{\"alow\":{}}}}}]",
         "unknown key \"authority.provisioners[0].options.policy.x509.alow\""},
        {"authority.provisioners", "[{\"type\":\"SSHPOP\",\"name\":\"n\",\"options\":{}}]",
         "unknown key \"authority.provisioners[0].options\""},
        {"authority.provisioners",
         "[{\"type\":\"OIDC\",\"name\":\"n\",\"scopes\":[],\"domain\":[\"x\"]}]",
         "unknown key \"authority.provisioners[0].domain\""},
        {"authority.provisioners", "[{\"type\":\"SCEP\",\"name\":\"n\",\"Challenges\":\"x\"}]",
         "unknown key \"authority.provisioners[0].Challenges\""},
        {"authority.password", "\"p\"", "authority.password"},
        {"authority.claims", "{\"maxUserSSHCertDuration\":\"1m\"}", "maxUserSSHCertDuration"},
        {"monitoring", "{\"type\":\"newrelic\",\"key\":\"k\"}", "monitoring"},
        {"tls", "{\"cipherSuites\":[\"TLS_RSA_WITH_RC4_128_SHA\"]}", "TLS_RSA_WITH_RC4_128_SHA"},
        {"tls", "{\"cipherSuites\":[\"TLS_AES_128_GCM_SHA256\"],\"minVersion\":1}", NULL},
        {"tls",
         "{\"cipherSuites\":[\"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA\"],\"minVersion\":1,"
         "\"maxVersion\":1.1}",
         NULL},
        {"tls", "{\"cipherSuites\":[\"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\"]}", NULL},
        {"dnsNames", "[\"\",\"a.test\"]", "dnsNames"},
        {"dnsNames", "[\"::1\",\"[fe80::1]\",\"xn--bcher-kva\",\"spiffe://a.test/x\"]", NULL},
        {"insecureAddress", "\"x\"", NULL}, /* nothing is served there */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct config *c = good(changed(ROWS[i].key, ROWS[i].json));
        assert_non_null(c);
        if (ROWS[i].warning ? !strstr(warned, ROWS[i].warning) : warned[0] != 0)
            fail_msg("row %zu (%s): warned \"%s\"", i, ROWS[i].key, warned);
    }
}

static void every_suite_name_ever_known_is_accepted(void **state)
{
    static const char *const NAMES[] = {
        "TLS_RSA_WITH_RC4_128_SHA",
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_256_CBC_SHA",
        "TLS_RSA_WITH_AES_128_CBC_SHA256",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
        "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        assert_non_null(
            good(changed("tls", arena_printf(A, "{\"cipherSuites\":[\"%s\"]}", NAMES[i]))));
}

static void texts_stand_for_lists(void **state)
{
    static const struct {
        const char *json, *want;
    } NAMES[] = {
        {"\"a.test\"", "a.test"},
        {"\"a.test,b.test c.test\"", "a.test b.test c.test"},
        {"\" a.test ,, b.test \"", "a.test b.test"},
        {"\"[::1], 127.0.0.1\"", "::1 127.0.0.1"},
        {"[\"[::1]\",\"\",\"a.test\"]", "::1 a.test"},
        {"[\"\"]", "localhost 127.0.0.1 ::1"},
        {"\"\"", "localhost 127.0.0.1 ::1"},
        {"\", ,\"", "localhost 127.0.0.1 ::1"},
        {"[\"a.test\"]", "a.test"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        assert_texts(&good(changed("dnsNames", NAMES[i].json))->dns_names, NAMES[i].want);
    assert_texts(&good(changed("root", "\"a b,c\""))->root, "a b,c");
    assert_texts(&good(changed("root", "[\"a\",\"b\"]"))->root, "a b");
    assert_texts(&good(changed("federatedRoots", "\"a, b\""))->federated_roots, "a, b");
    assert_texts(&good(changed("federatedRoots", "[\"a\",\"b\"]"))->federated_roots, "a b");
}

static void names_match_ignoring_case(void **state)
{
    struct config *c;

    (void)state;
    c = good(
        "{\"ROOT\":\"r\",\"Crt\":\"c\",\"KEY\":\"k\",\"ADDRESS\":\":1\",\"DNSNAMES\":\"a.test\","
        "\"Authority\":{\"BackDate\":\"5m\",\"DISABLEISSUEDATCHECK\":true}}");
    assert_string_equal(warned, "");
    assert_texts(&c->dns_names, "a.test");
    assert_int_equal(c->backdate, 300 * NS_PER_SEC);
    assert_true(c->authority.disable_issued_at_check);
}

/* Trailing commas, text behind the value, and a byte order mark are the only tolerances. */
static void syntax_has_three_tolerances(void **state)
{
    static const struct {
        const char *text, *warning; /* NULL: refused */
    } ROWS[] = {
        {"{\"a\":1,}", "1 trailing comma "},
        {"{\"a\":[1,\n\t],\n}\n", "2 trailing commas"},
        {"{\"a\":[1 , ] , }", "2 trailing commas"},
        {"{\"a\":{\"b\":[[1,],],},}", "4 trailing commas"},
        {"{\"a\":\",]\"}", "unknown key \"a\""},
        {"{\"a\":\"\\\",}\"}", "unknown key \"a\""},
        {"{\"a\":\"\\\\\",}", "1 trailing comma "},
        {"\xef\xbb\xbf{}", ""},
        {"{},", "after the first JSON value"},
        {"{} }", "after the first JSON value"},
        {"{,}", NULL},
        {"{\"a\":[,]}", NULL},
        {"{\"a\":[1,,]}", NULL},
        {"{\"a\":1,,}", NULL},
        {"{\"a\":}", NULL},
        {"{\"a\" 1}", NULL},
        {"{\"a\":1 \"b\":2}", NULL},
        {"{\"a\":...}", NULL},
        {"{\"a\":\"x}", NULL},
        {"{\"a\":1", NULL},
        {"", NULL},
        {"[]", NULL},
        {"5", NULL},
    };
    struct config *c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct err e = {0};
        bool read = load(ROWS[i].text, &c, &e);
        if (read != (ROWS[i].warning != NULL) || (read && !strstr(warned, ROWS[i].warning)) ||
            (!read && (e.kind != ERR_MALFORMED || strncmp(e.text, "ca.json:1:", 10) != 0)))
            fail_msg("row %zu: \"%s\" %s", i, e.text, warned);
    }
}

static void comments_get_a_hint(void **state)
{
    static const char *const ROWS[] = {"{\n // x\n}", "{\n /* x */\n}", "{\n # x\n}"};
    struct config *c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct err e = {0};
        assert_false(load(ROWS[i], &c, &e));
        if (strncmp(e.text, "ca.json:2:2: ", 13) != 0 || !strstr(e.text, "comment"))
            fail_msg("row %zu: %s", i, e.text);
    }
}

static void positions_are_those_of_the_file(void **state)
{
    struct config *c;

    (void)state;
    refused(
        load("{\n\"db\": {\n  \"valueDir\": \"v\"\n  \"badgerFileLoadingMode\": \"x\"\n}}", &c, e),
        ERR_MALFORMED, "ca.json:4:3: expected ',' or '}'");
    /* Right also after a comma that was tolerated. */
    refused(load("{\n\"a\": [1,],\n\"b\": ]\n}", &c, e), ERR_MALFORMED, "ca.json:3:6: ");
    assert_true(load("{\n\"a\": [1,\n],\"b\":[2,]}", &c, NULL));
    assert_non_null(strstr(warned, "ca.json:2:8: 2 trailing commas"));
    refused(judge_text("{\"address\":\":1\",\"root\":\"r\",\"crt\":\"c\",\"key\":\"k\",\n  "
                       "\"crl\": {\"enabled\":false,\n    \"cacheDuration\": \"-1h\"}}",
                       &c, e),
            ERR_MALFORMED, "ca.json:3:");
    refused(judge_text("{\"address\":\":1\",\n \"authority\": {\"backdate\":\n  5}}", &c, e),
            ERR_MALFORMED, "authority.backdate (3:3)");
}

static void where_finds_elements(void **state)
{
    struct config *c = NULL;

    (void)state;
    ok(load("{\"authority\":{\"provisioners\":[\n{},\n {\"name\":\n\"x\"}]}}", &c, e));
    assert_string_equal(config_where(A, c, "authority.provisioners[1]"),
                        "ca.json:3:2: authority.provisioners[1]");
    assert_string_equal(config_where(A, c, "authority.provisioners[1].name"),
                        "ca.json:4:1: authority.provisioners[1].name");
    assert_string_equal(config_where(A, c, "authority.provisioners[7]"),
                        "ca.json: authority.provisioners[7]");
    assert_string_equal(config_where(A, c, "db.type"), "ca.json: db.type");
    assert_string_equal(config_where(A, c, "a[0x]"), "ca.json: a[0x]");
    assert_string_equal(config_where(A, c, "authority[.x"), "ca.json: authority[.x");
}

static void passwords_have_an_order(void **state)
{
    (void)state;
    assert_slice(good(changed("password", "\"top\""))->password, "top");
    assert_slice(good(changed("authority.password", "\"low\""))->password, "low");
    assert_non_null(strstr(warned, "top level"));
    assert_slice(good("{\"root\":\"r\",\"crt\":\"c\",\"key\":\"k\",\"address\":\":1\",\"password\":"
                      "\"top\",\"authority\":{\"password\":\"low\"}}")
                     ->password,
                 "top");
}

static void equal_databases_have_equal_texts(void **state)
{
    struct config *a, *b, *other;

    (void)state;
    a = good(changed("db", "{\"type\":\"sqlite\",\"dataSource\":\"d\"}"));
    b = good(changed("db", "{ \"dataSource\" : \"d\", \"type\":\"sqlite\", \"valueDir\":\"\" }"));
    other = good(changed("db", "{\"type\":\"sqlite\",\"dataSource\":\"e\"}"));
    assert_true(slice_eq(a->db_text, b->db_text));
    assert_false(slice_eq(a->db_text, other->db_text));
}

/* --- Rewriting ---------------------------------------------------------------------------------
 */

static char dir[64];

static int dir_setup(void **state)
{
    arena_setup(state);
    snprintf(dir, sizeof(dir), "/tmp/newel-config-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int dir_teardown(void **state)
{
    unlink(path_join(A, dir, "ca.json"));
    rmdir(dir);
    return arena_teardown(state);
}

static const char *saved(const char *text, struct slice *content)
{
    const char *path = path_join(A, dir, "ca.json");
    struct config *c = NULL;

    ok(file_write(path, slice_text(text), 0640, 0, e));
    ok(config_load(A, path, &c, NULL, NULL, e));
    ok(config_save(A, c, json_copy(A, c->tree), e));
    ok(file_read(A, path, false, FILE_MAX_USUAL, content, e));
    return path;
}

static void saving_keeps_unknown_members_and_order(void **state)
{
    static const char TEXT[] =
        "{\"zeta\":{\"b\":1.50,\"a\":[]},\"crl\":{\"enabled\":false},\"authority\":{\"claims\":{"
        "\"x\":1},\"own\":true,\"provisioners\":[{\"type\":\"jwk\",\"q\":1},{\"name\":\"b\"},],"
        "\"type\":\"\"},\"key\":\"k\",\"crt\":\"c\",\"root\":[\"r\"],\"federatedRoots\":\"f\","
        "\"address\":\":1\",\"dnsNames\":\"a, b\",\"alpha\":\"<&>\"}";
    static const char WANT[] = "{\n"
                               "\t\"root\": \"r\",\n"
                               "\t\"federatedRoots\": [\n"
                               "\t\t\"f\"\n"
                               "\t],\n"
                               "\t\"crt\": \"c\",\n"
                               "\t\"key\": \"k\",\n"
                               "\t\"address\": \":1\",\n"
                               "\t\"insecureAddress\": \"\",\n"
                               "\t\"dnsNames\": [\n"
                               "\t\t\"a\",\n"
                               "\t\t\"b\"\n"
                               "\t],\n"
                               "\t\"authority\": {\n"
                               "\t\t\"type\": \"\",\n"
                               "\t\t\"provisioners\": [\n"
                               "\t\t\t{\n"
                               "\t\t\t\t\"type\": \"jwk\",\n"
                               "\t\t\t\t\"q\": 1\n"
                               "\t\t\t},\n"
                               "\t\t\t{\n"
                               "\t\t\t\t\"name\": \"b\"\n"
                               "\t\t\t}\n"
                               "\t\t],\n"
                               "\t\t\"template\": {},\n"
                               "\t\t\"claims\": {\n"
                               "\t\t\t\"x\": 1\n"
                               "\t\t},\n"
                               "\t\t\"backdate\": \"1m0s\",\n"
                               "\t\t\"own\": true\n"
                               "\t},\n"
                               "\t\"tls\": {\n"
                               "\t\t\"cipherSuites\": [\n"
                               "\t\t\t\"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\",\n"
                               "\t\t\t\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\"\n"
                               "\t\t],\n"
                               "\t\t\"minVersion\": 1.2,\n"
                               "\t\t\"maxVersion\": 1.3,\n"
                               "\t\t\"renegotiation\": false\n"
                               "\t},\n"
                               "\t\"commonName\": \"Step Online CA\",\n"
                               "\t\"crl\": {\n"
                               "\t\t\"enabled\": false\n"
                               "\t},\n"
                               "\t\"zeta\": {\n"
                               "\t\t\"b\": 1.50,\n"
                               "\t\t\"a\": []\n"
                               "\t},\n"
                               "\t\"alpha\": \"\\u003c\\u0026\\u003e\"\n"
                               "}\n";
    struct slice content;
    struct stat st;
    const char *path = saved(TEXT, &content);

    (void)state;
    assert_slice(content, WANT);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
}

static void saving_again_changes_nothing(void **state)
{
    struct slice once, twice;

    (void)state;
    saved("{\"root\":[\"r\",\"s\"],\"authority\":null,\"federatedRoots\":\"\"}", &once);
    saved(arena_cstr(A, once), &twice);
    assert_true(slice_eq(once, twice));
    const struct json *v = json_of(arena_cstr(A, once));
    assert_slice(json_line(json_get(v, "root")), "[\"r\",\"s\"]");
    assert_slice(json_line(json_get(v, "federatedRoots")), "null");
    assert_slice(json_line(json_get(v, "dnsNames")), "[\"localhost\",\"127.0.0.1\",\"::1\"]");
    assert_slice(json_line(json_get(v, "crt")), "\"\"");
}

static void a_missing_file_is_not_found(void **state)
{
    struct config *c;

    (void)state;
    refused(config_load(A, path_join(A, dir, "none.json"), &c, NULL, NULL, e), ERR_NOT_FOUND,
            "none.json");
}

#define DIR_TEST(name) cmocka_unit_test_setup_teardown(name, dir_setup, dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_filled_in),
        TEST(crl_defaults_hang_together),
        TEST(what_is_wrong_is_named),
        TEST(the_first_failure_wins),
        TEST(what_is_harmless_passes),
        TEST(every_suite_name_ever_known_is_accepted),
        TEST(texts_stand_for_lists),
        TEST(names_match_ignoring_case),
        TEST(syntax_has_three_tolerances),
        TEST(comments_get_a_hint),
        TEST(positions_are_those_of_the_file),
        TEST(where_finds_elements),
        TEST(passwords_have_an_order),
        TEST(equal_databases_have_equal_texts),
        DIR_TEST(saving_keeps_unknown_members_and_order),
        DIR_TEST(saving_again_changes_nothing),
        DIR_TEST(a_missing_file_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
