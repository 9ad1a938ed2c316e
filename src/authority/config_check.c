/*
 * Validation of ca.json, first failure first: the order of docs/reference/configuration.md.
 * What belongs to a later version is refused by name, never ignored.
 */
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "authority/config.h"
#include "base/file.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/uri.h"
#include "net/tls.h"
#include "store/store.h"
#include "template/template.h"
#include "x509/idna.h"

struct checker {
    struct arena *a;
    const struct config *c;
    config_warn_fn *warn;
    void *arg;
    struct err *e;
};

#define wrong(k, key, ...) config_wrong((k)->a, (k)->c, key, (k)->e, __VA_ARGS__)

bool config_wrong(struct arena *a, const struct config *c, const char *key, struct err *e,
                  const char *fmt, ...)
{
    char text[300];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return err_set(e, ERR_MALFORMED, "%s: %s", config_where(a, c, key), text);
}

static void warn(const struct checker *k, const char *key, const char *text)
{
    if (k->warn)
        k->warn(k->arg, arena_printf(k->a, "%s: %s", config_where(k->a, k->c, key), text));
}

static bool present(const struct json *v)
{
    return v && v->kind != JSON_NULL;
}

static bool is_list(const struct json *v)
{
    return v && v->kind == JSON_LIST;
}

/* A member that is there is a text. */
static bool is_text(const struct json *object, const char *name)
{
    const struct json *v = json_get(object, name);

    return !present(v) || v->kind == JSON_TEXT;
}

static bool check_address(const struct checker *k, const char *key, struct slice text,
                          bool numeric_port)
{
    struct slice host, port;
    struct err why = {0};
    uint64_t n;

    if (!host_port_split(text, &host, &port, &why))
        return wrong(k, key, "\"%.*s\" is not host:port (%s)", SLICE_ARG(text), why.text);
    if (numeric_port && (!slice_to_u64(port, &n) || n > 65535))
        return wrong(k, key, "\"%.*s\": the port must be a number from 0 to 65535",
                     SLICE_ARG(text));
    return true;
}

static bool check_required(const struct checker *k)
{
    const struct config *c = k->c;
    const struct json *names = json_get(c->tree, "dnsNames");
    const struct json *federated = json_get(c->tree, "federatedRoots");

    if (c->address.n == 0)
        return wrong(k, "address", "is missing or empty; expected host:port such as \":443\"");
    if (is_list(names) && names->n == 0)
        return wrong(k, "dnsNames", "an empty list; name the CA or leave the key out");
    if (c->authority.type.n > 0 && !slice_is_case(c->authority.type, "softcas"))
        return true;
    if (c->root.n == 0 || (c->root.n == 1 && c->root.v[0].n == 0))
        return wrong(k, "root", "is missing or empty; expected the path of the root certificate");
    for (size_t i = 0; i < c->root.n; i++) {
        if (c->root.v[i].n == 0)
            return wrong(k, "root", "element %zu is empty", i);
    }
    for (size_t i = 0; is_list(federated) && i < c->federated_roots.n; i++) {
        if (c->federated_roots.v[i].n == 0)
            return wrong(k, "federatedRoots", "element %zu is empty", i);
    }
    if (c->crt.n == 0)
        return wrong(k, "crt", "is missing or empty; expected the path of the issuing certificate");
    if (c->key.n == 0)
        return wrong(k, "key", "is missing or empty; expected the path of the issuing key");
    return true;
}

/* "name:9000", "10.0.0.1:9000", "[::1]:9000"; a URI is none. */
static bool has_port(struct slice name)
{
    size_t colon = slice_rfind(name, ':');
    struct slice host = slice_sub(name, 0, colon), port = slice_from(name, colon + 1);
    struct ip ip;

    if (colon >= name.n || ip_read(name, &ip))
        return false;
    for (size_t i = 0; i < port.n; i++) {
        if (port.p[i] < '0' || port.p[i] > '9')
            return false;
    }
    return slice_find(host, ':') == host.n || host.p[0] == '[';
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] >= 0x80)
            return false;
    }
    return true;
}

/* They become names in the server's own certificate, which know neither (RFC 5280, 4.2.1.6). */
static bool check_names(const struct checker *k)
{
    const struct texts *names = &k->c->dns_names;

    for (size_t i = 0; i < names->n; i++) {
        struct slice name = names->v[i], ascii;
        if (has_port(name))
            return wrong(k, "dnsNames",
                         "\"%.*s\": a port does not belong here; it stands in address",
                         SLICE_ARG(name));
        if (is_ascii(name))
            continue;
        if (!idna_lookup(k->a, name, &ascii))
            return wrong(k, "dnsNames", "\"%.*s\" is not ASCII", SLICE_ARG(name));
        return wrong(k, "dnsNames", "\"%.*s\" is not ASCII; write \"%.*s\" (RFC 5891)",
                     SLICE_ARG(name), SLICE_ARG(ascii));
    }
    return true;
}

static int version_number(double v)
{
    static const struct {
        double text;
        int number;
    } KNOWN[] = {{1.0, 10}, {1.1, 11}, {1.2, 12}, {1.3, 13}};

    for (size_t i = 0; i < COUNT_OF(KNOWN); i++) {
        if (v == KNOWN[i].text)
            return KNOWN[i].number;
    }
    return 0;
}

static bool ends_with(struct slice text, const char *tail)
{
    size_t n = strlen(tail);

    return text.n >= n && slice_is(slice_from(text, text.n - n), tail);
}

/* The server's own key is ECDSA; what TLS 1.2 brought (RFC 5246, RFC 5289) needs it. */
static bool is_for_this_server(struct slice suite, double max_version)
{
    return slice_starts(suite, "TLS_ECDHE_ECDSA_") &&
           (max_version >= 1.2 || ends_with(suite, "_SHA"));
}

/* Without TLS 1.3 a suite must be left that a handshake can end with. */
static bool check_tls_serves(const struct checker *k, bool served)
{
    const struct config_tls *t = &k->c->tls;
    bool given = present(json_get(json_get(k->c->tree, "tls"), "cipherSuites"));

    if (served || t->max_version >= 1.3)
        return true;
    if (!given)
        return wrong(k, "tls.maxVersion",
                     "no usable cipher suite remains: those in force need TLS 1.2, and %.1f "
                     "excludes it; name others in tls.cipherSuites",
                     t->max_version);
    return wrong(k, "tls.cipherSuites",
                 "no usable cipher suite remains: none is available that goes with the server's "
                 "ECDSA key and TLS %.1f, and tls.maxVersion excludes TLS 1.3",
                 t->max_version);
}

static bool check_tls(const struct checker *k)
{
    const struct config_tls *t = &k->c->tls;
    bool served = false;

    for (size_t i = 0; i < t->cipher_suites.n; i++) {
        const char *openssl;
        enum tls_suite_use use = tls_suite_find(t->cipher_suites.v[i], &openssl);
        if (use == TLS_SUITE_UNKNOWN)
            return wrong(k, "tls.cipherSuites", "unknown cipher suite \"%.*s\"",
                         SLICE_ARG(t->cipher_suites.v[i]));
        if (use == TLS_SUITE_KNOWN)
            warn(k, "tls.cipherSuites",
                 arena_printf(k->a, "%.*s is not available here and has no effect",
                              SLICE_ARG(t->cipher_suites.v[i])));
        served |=
            use == TLS_SUITE_USABLE && is_for_this_server(t->cipher_suites.v[i], t->max_version);
    }
    if (version_number(t->min_version) == 0)
        return wrong(k, "tls.minVersion", "%g is not a TLS version; expected 1.0, 1.1, 1.2 or 1.3",
                     t->min_version);
    if (version_number(t->max_version) == 0)
        return wrong(k, "tls.maxVersion", "%g is not a TLS version; expected 1.0, 1.1, 1.2 or 1.3",
                     t->max_version);
    if (t->min_version > t->max_version)
        return wrong(k, "tls.minVersion", "%g exceeds tls.maxVersion %g", t->min_version,
                     t->max_version);
    return check_tls_serves(k, served);
}

static bool check_kms(const struct checker *k)
{
    static const char *const LATER[] = {"pkcs11",   "yubikey",  "tpmkms", "sshagentkms", "awskms",
                                        "cloudkms", "azurekms", "capi",   "mackms",      "kms"};
    struct slice type = json_text(json_get(k->c->kms, "type"));
    struct slice uri = json_text(json_get(k->c->kms, "uri"));

    if (!present(k->c->kms))
        return true;
    if (k->c->kms->kind != JSON_OBJECT)
        return wrong(k, "kms", "expected an object");
    if (!is_text(k->c->kms, "type") || !is_text(k->c->kms, "uri"))
        return wrong(k, "kms", "type and uri: expected texts");
    if (type.n == 0 && uri.n > 0)
        type = slice_sub(uri, 0, slice_find(uri, ':'));
    if (type.n == 0 || slice_is_case(type, "softkms"))
        return true;
    for (size_t i = 0; i < COUNT_OF(LATER); i++) {
        if (slice_is_case(type, LATER[i]))
            return wrong(k, "kms", "key store type \"%s\" is not supported by this version",
                         LATER[i]);
    }
    return wrong(k, "kms", "unsupported kms type \"%.*s\"", SLICE_ARG(type));
}

static bool check_authority_type(const struct checker *k)
{
    static const char *const LATER[] = {"stepcas", "cloudcas", "vaultcas"};
    struct slice type = k->c->authority.type;

    if (type.n == 0 || slice_is_case(type, "softcas"))
        return true;
    for (size_t i = 0; i < COUNT_OF(LATER); i++) {
        if (slice_is_case(type, LATER[i]))
            return wrong(k, "authority.type", "\"%s\" is not supported by this version", LATER[i]);
    }
    return wrong(k, "authority.type", "unsupported cas type \"%.*s\"", SLICE_ARG(type));
}

/* Members that a later version brings. */
static bool check_later(const struct checker *k)
{
    const struct config *c = k->c;
    const struct {
        const char *key;
        bool there;
    } later[] = {
        {"authority.enableAdmin", c->authority.enable_admin},
        {"authority.certificateAuthority", c->authority.certificate_authority.n > 0},
        {"authority.certificateAuthorityFingerprint",
         c->authority.certificate_authority_fingerprint.n > 0},
        {"authority.certificateIssuer", present(c->authority.certificate_issuer)},
        {"authority.credentialsFile", c->authority.credentials_file.n > 0},
        {"authority.config", present(c->authority.cas_config)},
    };

    for (size_t i = 0; i < COUNT_OF(later); i++) {
        if (later[i].there)
            return wrong(k, later[i].key, "is not supported by this version; remove it");
    }
    return true;
}

static bool check_crl(const struct checker *k)
{
    const struct config *c = k->c;

    if (!c->crl)
        return true;
    if (c->crl->cache_duration.set && c->crl->cache_duration.ns < 0)
        return wrong(k, "crl.cacheDuration", "must not be negative");
    if (c->crl->renew_period.set && c->crl->renew_period.ns < 0)
        return wrong(k, "crl.renewPeriod", "must not be negative");
    if (c->crl_renew > c->crl_cache)
        return wrong(k, "crl.renewPeriod", "exceeds crl.cacheDuration");
    if (c->crl->enabled && !c->db)
        return wrong(k, "crl.enabled", "a CRL needs a database: configure db");
    return true;
}

static bool check_loading_mode(const struct checker *k)
{
    struct slice mode = k->c->db->badger_file_loading_mode;

    if (mode.n == 0 || slice_is_case(mode, "MemoryMap") || slice_is_case(mode, "mmap") ||
        slice_is_case(mode, "FileIO"))
        return true;
    return wrong(k, "db.badgerFileLoadingMode", "\"%.*s\" is neither MemoryMap nor FileIO",
                 SLICE_ARG(mode));
}

static bool others_may_read(const char *path)
{
    struct stat st;

    return path && stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0;
}

static bool check_db_numbers(const struct checker *k)
{
    const struct config_db *db = k->c->db;

    if (db->max_open < 0 || db->max_open > 1000)
        return wrong(k, "db.maxOpenConns", "expected a number from 1 to 1000, found %lld",
                     (long long)db->max_open);
    if (db->max_idle < 0 || db->max_idle > 1000)
        return wrong(k, "db.maxIdleConns", "expected a number from 1 to 1000, found %lld",
                     (long long)db->max_idle);
    if (db->lifetime.set && db->lifetime.ns <= 0)
        return wrong(k, "db.connMaxLifetime", "expected a duration above 0, such as 30m");
    return !db->retention.set || db->retention.ns >= 0 ||
           wrong(k, "db.retention", "must not be negative");
}

static bool check_db_server(const struct checker *k)
{
    const struct config_db *db = k->c->db;
    struct store_source source;

    if (!store_source_check(db->type, db->data_source, db->database, &source, k->e)) {
        bool built = k->e && k->e->kind != ERR_NOT_IMPLEMENTED;
        return err_wrap(k->e, "%s", config_where(k->a, k->c, built ? "db.dataSource" : "db.type"));
    }
    if (source.warning)
        warn(k, "db.dataSource", source.warning);
    if (source.password && others_may_read(k->c->path))
        warn(k, "db.dataSource", "has a password in it, and everybody can read this file");
    return true;
}

static bool check_db(const struct checker *k)
{
    static const char *const WHAT[] = {[DB_SQLITE] = "the path of a file",
                                       [DB_BADGER] = "the path of a directory",
                                       [DB_BBOLT] = "the path of a file"};
    const struct config_db *db = k->c->db;
    enum db_kind kind = db ? db_kind_of(db->type) : DB_UNKNOWN;

    if (!db)
        return true;
    if (!check_db_numbers(k))
        return false;
    if (kind == DB_MYSQL || kind == DB_POSTGRESQL)
        return check_db_server(k);
    if (kind == DB_UNKNOWN)
        return wrong(k, "db.type",
                     "\"%.*s\" is not supported; expected sqlite, mysql, postgresql, badger, "
                     "badgerV1, badgerV2 or bbolt",
                     SLICE_ARG(db->type));
    if (db->data_source.n == 0)
        return wrong(k, "db.dataSource", "is missing or empty; expected %s", WHAT[kind]);
    const char *path = arena_cstr(k->a, db->data_source);
    if (kind == DB_BBOLT && file_is_dir(path))
        return wrong(k, "db.dataSource", "%s is a directory; bbolt expects a file, for example %s",
                     path, path_join(k->a, path, "step-ca.db"));
    return kind != DB_BADGER || check_loading_mode(k);
}

/* Without the vendor's token such a CA is not configured at all: an error of the command line. */
static bool check_deployment(const struct checker *k)
{
    if (!slice_is_case(k->c->authority.deployment_type, "linked"))
        return true;
    wrong(k, "authority.deploymentType",
          "\"linked\" deployments need their vendor's service and are not supported");
    if (k->e)
        k->e->code = CONFIG_LINKED;
    return false;
}

static bool check_authority(const struct checker *k)
{
    const struct config_authority *au = &k->c->authority;
    struct claims claims;

    if (k->c->backdate < 0)
        return wrong(k, "authority.backdate", "must not be negative");
    claims_resolve(&CLAIMS_BUILT_IN, au->claims, &claims);
    if (!claims_check(&claims, k->e))
        return err_wrap(k->e, "%s", config_where(k->a, k->c, "authority.claims"));
    const char *ssh_trouble = claims_ssh_trouble(k->a, &claims);
    if (ssh_trouble)
        warn(k, "authority.claims", ssh_trouble);
    if (present(au->provisioners) && au->provisioners->kind != JSON_LIST)
        return wrong(k, "authority.provisioners", "expected a list");
    return true;
}

static void note_policy(void *arg, const char *text)
{
    warn(arg, "authority.policy", text);
}

static bool check_policy(const struct checker *k)
{
    struct policy_set policies;

    if (config_policies_read(k->a, k->c, &policies, k->e)) {
        policy_notes(k->a, k->c->authority.policy, "", note_policy, (void *)(uintptr_t)k);
        return true;
    }
    return err_wrap(k->e, "%s", config_where(k->a, k->c, "authority.policy"));
}

/* Functions of templates that are off unless they are named here. */
static bool check_template_functions(const struct checker *k)
{
    const struct texts *names = &k->c->authority.template_functions;

    for (size_t i = 0; i < names->n; i++)
        if (!template_function_is_off(names->v[i]))
            return wrong(k, "authority.templateFunctions",
                         "\"%.*s\" is no function that has to be allowed", SLICE_ARG(names->v[i]));
    return true;
}

static bool check_logger(const struct checker *k)
{
    enum log_format format;

    if (k->c->logger && !log_format_read(k->c->logger->format, &format))
        return wrong(k, "logger.format", "\"%.*s\" is none of text, json, common",
                     SLICE_ARG(k->c->logger->format));
    return true;
}

static bool check_monitoring(const struct checker *k)
{
    struct slice type = json_text(json_get(k->c->monitoring, "type"));

    if (!present(k->c->monitoring))
        return true;
    if (k->c->monitoring->kind != JSON_OBJECT)
        return wrong(k, "monitoring", "expected an object");
    if (!is_text(k->c->monitoring, "type"))
        return wrong(k, "monitoring.type", "expected a text");
    if (type.n > 0 && !slice_is_case(type, "newrelic"))
        return wrong(k, "monitoring.type", "\"%.*s\" is not supported", SLICE_ARG(type));
    warn(k, "monitoring",
         "is accepted but has no effect: no monitoring agent is built in; see "
         "metricsAddress");
    return true;
}

bool config_validate(struct arena *a, const struct config *c, config_warn_fn *warn_fn, void *arg,
                     struct err *e)
{
    struct checker k = {a, c, warn_fn, arg, e};

    /* The insecure listener is there for the CRL only. */
    bool insecure = c->insecure_address.n > 0 && c->crl && c->crl->enabled;

    return check_required(&k) && check_names(&k) &&
           check_address(&k, "address", c->address, true) &&
           (!insecure || check_address(&k, "insecureAddress", c->insecure_address, false)) &&
           (c->metrics_address.n == 0 ||
            check_address(&k, "metricsAddress", c->metrics_address, false)) &&
           check_tls(&k) && check_kms(&k) && check_authority_type(&k) && check_deployment(&k) &&
           check_later(&k) && check_crl(&k) && check_db(&k) && config_ssh_validate(a, c, e) &&
           check_authority(&k) && check_policy(&k) && check_template_functions(&k) &&
           check_logger(&k) && check_monitoring(&k);
}
