/*
 * `step ca init`: asks or is told what the authority is called, makes its certificates, keys and
 * first provisioner, and writes configuration and defaults.  Everything is made before the first
 * file is written, and every existing file is asked about before anything is made.
 */
#include <unistd.h>

#include "base/file.h"
#include "base/uri.h"
#include "cli/cli.h"
#include "cli/pki.h"
#include "cli/terminal.h"
#include "cli/tree.h"
#include "client/contexts.h"
#include "crypto/digest.h"
#include "crypto/keyfile.h"
#include "x509/names.h"
#include "json/shape.h"

static const struct flag FLAGS_INIT[] = {
    {"root", FLAG_FILE, "<file>",
     "The path of an existing root certificate <file> to use instead of a new one.", NULL,
     FLAG_NO_ENV},
    {"key", FLAG_FILE, "<file>",
     "The path of the private key <file> of that root certificate. It is used once and not copied.",
     NULL, FLAG_NO_ENV},
    {"key-password-file", FLAG_FILE, "<file>", "The <file> with the password of --key.", NULL, 0},
    {"pki", FLAG_BOOL, NULL, "Make certificates and keys only, no configuration.", NULL, 0},
    {"deployment-type", FLAG_TEXT, "<type>",
     "The <type> of deployment: standalone. Others need their vendor's service and are refused.",
     NULL, 0},
    {"name", FLAG_TEXT, "<name>", "The <name> of the new authority.", NULL, 0},
    {"dns", FLAG_TEXTS, "<name>",
     "DNS <name> or IP address of the new authority. Can be given several times, or as a list "
     "separated by commas.",
     NULL, 0},
    {"address", FLAG_TEXT, "<address>", "The <address> (host:port) that it listens on.", NULL, 0},
    {"provisioner", FLAG_TEXT, "<name>", "The <name> of the first provisioner.", NULL, 0},
    {"password-file", FLAG_FILE, "<file>",
     "The <file> with the password that encrypts the new keys, and the provisioner's key unless "
     "--provisioner-password-file is given.",
     NULL, 0},
    {"provisioner-password-file", FLAG_FILE, "<file>",
     "The <file> with the password that encrypts the provisioner's key.", NULL, 0},
    {"with-ca-url", FLAG_TEXT, "<uri>", "The <uri> of the authority in the written defaults.", NULL,
     0},
    {"no-db", FLAG_BOOL, NULL,
     "Configure no database: nothing that is issued is kept, and nothing can be revoked.", NULL, 0},
    {"acme", FLAG_BOOL, NULL, "Add an ACME provisioner.", NULL, 0},
    {"context", FLAG_TEXT, "<name>", "The <name> of a context to create for the authority.", NULL,
     0},
    {"profile", FLAG_TEXT, "<name>", "The <name> of the context's profile.", NULL, 0},
    {"authority", FLAG_TEXT, "<name>", "The <name> of the context's authority.", NULL, 0},
    {0}};
static const struct flag *const INIT_SETS[] = {FLAGS_INIT, FLAGS_FORCE, NULL};
static const struct flag_rule INIT_RULES[] = {{RULE_NEEDS, "root", "key"},
                                              {RULE_NEEDS, "key", "root"},
                                              {RULE_EXCLUSIVE, "pki", "no-db"},
                                              {RULE_EXCLUSIVE, "acme", "no-db"},
                                              {RULE_NEEDS, "key-password-file", "key"},
                                              {0}};

/* The paths of what is written; NULL: not written. */
struct target {
    const char *path;
    struct slice content;
    unsigned mode;
    const char *label;
};
enum target_kind {
    ROOT_CERT,
    ROOT_KEY,
    INTERMEDIATE_CERT,
    INTERMEDIATE_KEY,
    CONFIGURATION,
    DEFAULTS,
    TARGETS
};

struct init {
    struct invocation *inv;
    struct arena *a;
    struct slice name, address, provisioner;
    struct texts dns;
    struct slice password, provisioner_password;
    struct contexts contexts;
    bool use_context;
    struct context context;
    struct target targets[TARGETS];
    struct pki_pair root, intermediate;
    struct slice fingerprint;
};

/* --- Answers ---------------------------------------------------------------------------------- */

static bool not_empty(struct slice text, struct err *e)
{
    return text.n > 0 || err_set(e, ERR_MALFORMED, "a value is needed");
}

static bool valid_address(struct slice text, struct err *e)
{
    struct slice host, port;
    uint64_t n;

    if (!host_port_split(text, &host, &port, e))
        return false;
    if (!slice_to_u64(port, &n) || n > 65535)
        return err_set(e, ERR_MALFORMED, "the port must be a number from 0 to 65535");
    return true;
}

static bool valid_dns_part(struct slice part, struct err *e)
{
    struct ip ip;

    if (ip_read(part, &ip) || slice_find(part, ':') == part.n)
        return true;
    return err_set(e, ERR_MALFORMED, "\"%.*s\" is neither a DNS name nor an IP address",
                   SLICE_ARG(part));
}

/* Commas and blanks separate; brackets of IPv6 literals go. */
static bool split_dns(struct arena *a, struct slice text, struct texts *out, struct err *e)
{
    for (size_t i = 0; i < text.n;) {
        size_t start = i;
        while (i < text.n && text.p[i] != ',' && text.p[i] != ' ' && text.p[i] != '\t')
            i++;
        struct slice part = slice_sub(text, start, i - start);
        i++;
        if (part.n > 2 && part.p[0] == '[' && part.p[part.n - 1] == ']')
            part = slice_sub(part, 1, part.n - 2);
        if (part.n == 0)
            continue;
        if (!valid_dns_part(part, e))
            return false;
        if (out->n >= SANS_MAX)
            return err_set(e, ERR_MALFORMED, "more than %d names", SANS_MAX);
        if (!out->v)
            out->v = arena_array(a, SANS_MAX, sizeof(*out->v));
        out->v[out->n++] = arena_copy(a, part);
    }
    return true;
}

static bool valid_dns(struct slice text, struct err *e)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct texts names = {0};
    bool ok = split_dns(a, text, &names, e);

    if (ok && names.n == 0)
        ok = err_set(e, ERR_MALFORMED, "at least one name is needed");
    arena_free(a);
    return ok;
}

/* The flag's value, checked, or the answer to the question. */
static bool ask_text(struct init *i, const char *flag, const char *label,
                     bool (*valid)(struct slice, struct err *), struct slice *out)
{
    struct invocation *inv = i->inv;
    const char *given = flag_text(inv, flag);

    if (given && given[0] != '\0') {
        *out = slice_text(given);
        if (valid(*out, &inv->err))
            return true;
        return err_wrap(&inv->err, "invalid value '%s' for flag '--%s'", given, flag);
    }
    return inv->terminal->text(inv->terminal, i->a, label, NULL, arena_printf(i->a, "--%s", flag),
                               valid, out, &inv->err);
}

static bool ask_dns(struct init *i)
{
    struct invocation *inv = i->inv;
    struct slice answer;
    size_t n;
    const struct slice *given = flag_texts(inv, "dns", &n);

    for (size_t k = 0; k < n; k++) {
        if (!split_dns(i->a, given[k], &i->dns, &inv->err))
            return err_wrap(&inv->err, "invalid value '%.*s' for flag '--dns'",
                            SLICE_ARG(given[k]));
    }
    if (i->dns.n > 0)
        return true;
    if (n > 0)
        return err_set(&inv->err, ERR_MALFORMED, "invalid value '' for flag '--dns'");
    return inv->terminal->text(inv->terminal, i->a,
                               "What DNS names or IP addresses will clients use to reach the CA?",
                               NULL, "--dns", valid_dns, &answer, &inv->err) &&
           split_dns(i->a, answer, &i->dns, &inv->err);
}

static bool ask_passwords(struct init *i)
{
    struct invocation *inv = i->inv;

    if (!password_flag(inv, "password-file", &i->password, &inv->err) ||
        !password_flag(inv, "provisioner-password-file", &i->provisioner_password, &inv->err))
        return false;
    if (i->password.n == 0 &&
        !terminal_password_or_generate(
            inv->terminal, inv->secrets,
            "Choose a password for the CA keys and the first provisioner (empty: generate one)",
            "--password-file", &i->password, &inv->err))
        return false;
    if (i->provisioner_password.n == 0)
        i->provisioner_password = i->password;
    return true;
}

static bool check_deployment(struct invocation *inv)
{
    const char *type = flag_text(inv, "deployment-type");

    if (!type || type[0] == '\0' || slice_is_case(slice_text(type), "standalone"))
        return true;
    if (slice_is_case(slice_text(type), "linked") || slice_is_case(slice_text(type), "hosted"))
        return err_set(&inv->err, ERR_MALFORMED,
                       "'--deployment-type %s' needs its vendor's service and is not supported; "
                       "options are standalone",
                       type);
    return err_set(&inv->err, ERR_MALFORMED,
                   "invalid value '%s' for flag '--deployment-type'; options are standalone", type);
}

static bool gather(struct init *i)
{
    struct invocation *inv = i->inv;

    if (!check_deployment(inv) ||
        !ask_text(i, "name", "What would you like to name your new PKI?", not_empty, &i->name))
        return false;
    if (!flag_bool(inv, "pki") &&
        (!ask_dns(i) ||
         !ask_text(i, "address", "What IP and port will your new CA bind to (host:port)?",
                   valid_address, &i->address) ||
         !ask_text(i, "provisioner", "What would you like to name the CA's first provisioner?",
                   not_empty, &i->provisioner)))
        return false;
    return ask_passwords(i);
}

/* --- Where it goes -----------------------------------------------------------------------------
 */

static bool settle_context(struct init *i)
{
    struct invocation *inv = i->inv;
    const char *name = flag_text(inv, "context"), *profile = flag_text(inv, "profile"),
               *authority = flag_text(inv, "authority");

    if (!steppath_base(i->a, &inv->steppath, &inv->err) ||
        !contexts_load(i->a, &inv->steppath, &i->contexts, &inv->err))
        return false;
    i->use_context =
        !flag_bool(inv, "pki") && (i->contexts.enabled || name || profile || authority);
    if (!i->use_context)
        return true;
    i->context.name = name ? slice_text(name) : i->dns.v[0];
    i->context.authority = authority ? slice_text(authority) : i->context.name;
    i->context.profile = profile ? slice_text(profile) : i->context.name;
    return steppath_select(i->a, &inv->steppath, arena_cstr(i->a, i->context.name),
                           arena_cstr(i->a, i->context.authority),
                           arena_cstr(i->a, i->context.profile), &inv->err);
}

static bool settle_paths(struct init *i)
{
    static const struct {
        const char *path;
        unsigned mode;
        const char *label;
    } FILES[TARGETS] = {
        [ROOT_CERT] = {"certs/root_ca.crt", 0600, "Root certificate"},
        [ROOT_KEY] = {"secrets/root_ca_key", 0600, "Root private key"},
        [INTERMEDIATE_CERT] = {"certs/intermediate_ca.crt", 0600, "Intermediate certificate"},
        [INTERMEDIATE_KEY] = {"secrets/intermediate_ca_key", 0600, "Intermediate private key"},
        [CONFIGURATION] = {"config/ca.json", 0644, "Certificate Authority configuration"},
        [DEFAULTS] = {"config/defaults.json", 0644, "Default configuration"},
    };
    struct invocation *inv = i->inv;
    char *base;

    if (!path_absolute(i->a, inv->steppath.path, &base, &inv->err))
        return false;
    for (size_t k = 0; k < TARGETS; k++) {
        bool configuration = k == CONFIGURATION || k == DEFAULTS;
        if ((configuration && flag_bool(inv, "pki")) || (k == ROOT_KEY && flag_set(inv, "root")))
            continue;
        i->targets[k] = (struct target){
            path_join(i->a, base, FILES[k].path), {0}, FILES[k].mode, FILES[k].label};
    }
    for (size_t k = 0; k < TARGETS; k++) {
        if (i->targets[k].path && !may_write(inv, i->targets[k].path, &inv->err))
            return false;
    }
    return true;
}

static bool make_directories(struct init *i)
{
    static const char *const NAMES[] = {"certs", "secrets", "config", "templates"};
    struct invocation *inv = i->inv;

    for (size_t k = 0; k < COUNT_OF(NAMES); k++) {
        if (!dir_make(path_join(i->a, inv->steppath.path, NAMES[k]), 0700, &inv->err))
            return false;
    }
    if (i->use_context &&
        !dir_make(path_join(i->a, inv->steppath.profile_path, "config"), 0700, &inv->err))
        return false;
    return flag_bool(inv, "pki") || flag_bool(inv, "no-db") ||
           dir_make(path_join(i->a, inv->steppath.path, "db"), 0700, &inv->err);
}

/* --- Certificates and keys ----------------------------------------------------------------------
 */

static bool load_root(struct init *i)
{
    struct invocation *inv = i->inv;
    const char *cert_path = flag_text(inv, "root"), *key_path = flag_text(inv, "key");
    struct cert_list list = {0};
    struct slice password = SLICE_NONE;

    if (!password_flag(inv, "key-password-file", &password, &inv->err) ||
        !cert_list_load(i->a, cert_path, &list, &inv->err))
        return false;
    if (list.n != 1)
        return err_set(&inv->err, ERR_MALFORMED, "%s holds %zu certificates; expected one",
                       cert_path, list.n);
    struct password_source *source =
        terminal_password_source(i->a, inv->terminal, password, "--key-password-file", 1);
    if (!private_key_load(inv->secrets, key_path, source, &i->root.key, &inv->err))
        return false;
    i->root.cert = list.v[0];
    if (!i->root.cert->key || !key_eq(i->root.cert->key, i->root.key->public_key))
        return err_set(&inv->err, ERR_MALFORMED,
                       "the private key in %s does not belong to the certificate in %s", key_path,
                       cert_path);
    if (!i->root.cert->has_basic || !i->root.cert->basic.ca)
        return err_set(&inv->err, ERR_MALFORMED, "the certificate in %s is not a CA certificate",
                       cert_path);
    return true;
}

static bool make_certificates(struct init *i)
{
    struct invocation *inv = i->inv;
    struct instant now = inv->clock->now(inv->clock);
    bool cut = false;

    if (flag_set(inv, "root")
            ? !load_root(i)
            : !pki_root(i->a, inv->secrets, i->name, now, inv->rng, &i->root, &inv->err))
        return false;
    if (!pki_intermediate(i->a, inv->secrets, i->name, &i->root, now, inv->rng, &i->intermediate,
                          &cut, &inv->err))
        return false;
    if (cut)
        note(inv, "The intermediate certificate ends with the root certificate, on %s.",
             arena_cstr(i->a, rfc3339(i->a, i->root.cert->not_after)));
    i->fingerprint = cert_fingerprint(i->a, i->root.cert->der);
    return true;
}

static bool encrypt_key(struct init *i, enum target_kind kind, const struct private_key *key)
{
    struct target *t = &i->targets[kind];

    return !t->path ||
           private_key_pem_encrypted(i->inv->secrets, key, i->password, &t->content, &i->inv->err);
}

/* --- Configuration ------------------------------------------------------------------------------
 */

static struct json *text(struct init *i, const char *value)
{
    return json_make_text(i->a, slice_text(value));
}

static struct json *json_list_of(struct init *i, const struct texts *texts)
{
    struct json *list = json_make_list(i->a);

    for (size_t k = 0; k < texts->n; k++)
        json_append(list, json_make_text(i->a, texts->v[k]));
    return list;
}

static struct json *tls_object(struct init *i)
{
    struct slice suites[] = {SLICE("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
                             SLICE("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")};
    struct texts list = {suites, COUNT_OF(suites)};
    struct json *tls = json_make_object(i->a);

    json_set(tls, i->a, "cipherSuites", json_list_of(i, &list));
    json_set(tls, i->a, "minVersion", json_read(i->a, SLICE("1.2"), &JSON_STRICT, NULL, NULL));
    json_set(tls, i->a, "maxVersion", json_read(i->a, SLICE("1.3"), &JSON_STRICT, NULL, NULL));
    json_set(tls, i->a, "renegotiation", json_make_bool(i->a, false));
    return tls;
}

static bool provisioners_list(struct init *i, struct json *list)
{
    struct json *jwk;

    if (!pki_jwk_provisioner(i->a, i->inv->secrets, i->provisioner, i->provisioner_password, &jwk,
                             &i->inv->err))
        return false;
    json_append(list, jwk);
    if (!flag_bool(i->inv, "acme"))
        return true;
    struct json *acme = json_make_object(i->a);
    json_set(acme, i->a, "type", text(i, "ACME"));
    json_set(acme, i->a, "name", text(i, slice_is(i->provisioner, "acme") ? "acme-1" : "acme"));
    json_append(list, acme);
    return true;
}

static bool print_target(struct init *i, enum target_kind kind, const struct json *tree)
{
    struct buf b = buf_new(i->a, 4u << 20);

    json_print(&b, tree, "\t");
    i->targets[kind].content = buf_slice(&b);
    return buf_done(&b, i->targets[kind].label, &i->inv->err);
}

static bool make_configuration(struct init *i)
{
    struct json *top = json_make_object(i->a), *authority = json_make_object(i->a);
    struct json *list = json_make_list(i->a), *logger = json_make_object(i->a);
    const char *intermediate_key = i->targets[INTERMEDIATE_KEY].path;

    if (!provisioners_list(i, list))
        return false;
    json_set(top, i->a, "root", text(i, i->targets[ROOT_CERT].path));
    json_set(top, i->a, "federatedRoots", json_make_null(i->a));
    json_set(top, i->a, "crt", text(i, i->targets[INTERMEDIATE_CERT].path));
    json_set(top, i->a, "key", text(i, intermediate_key));
    json_set(top, i->a, "address", json_make_text(i->a, i->address));
    json_set(top, i->a, "insecureAddress", text(i, ""));
    json_set(top, i->a, "dnsNames", json_list_of(i, &i->dns));
    json_set(logger, i->a, "format", text(i, "text"));
    json_set(top, i->a, "logger", logger);
    if (!flag_bool(i->inv, "no-db")) {
        struct json *db = json_make_object(i->a);
        char *base;
        if (!path_absolute(i->a, i->inv->steppath.path, &base, &i->inv->err))
            return false;
        json_set(db, i->a, "type", text(i, "sqlite"));
        json_set(db, i->a, "dataSource", text(i, path_join(i->a, base, "db/newel.sqlite")));
        json_set(top, i->a, "db", db);
    }
    json_set(authority, i->a, "provisioners", list);
    json_set(top, i->a, "authority", authority);
    json_set(top, i->a, "tls", tls_object(i));
    return print_target(i, CONFIGURATION, top);
}

static struct slice default_url(struct init *i)
{
    const char *given = flag_text(i->inv, "with-ca-url");
    struct slice port = slice_from(i->address, slice_rfind(i->address, ':') + 1);
    struct slice host = i->dns.v[0];
    struct ip ip;

    if (given && given[0] != '\0')
        return slice_text(given);
    if (ip_read(host, &ip) && slice_find(host, ':') < host.n)
        host = arena_format(i->a, "[%.*s]", SLICE_ARG(host));
    if (slice_is(port, "443"))
        return arena_format(i->a, "https://%.*s", SLICE_ARG(host));
    return arena_format(i->a, "https://%.*s:%.*s", SLICE_ARG(host), SLICE_ARG(port));
}

static bool make_defaults(struct init *i)
{
    struct json *top = json_make_object(i->a);

    json_set(top, i->a, "ca-url", json_make_text(i->a, default_url(i)));
    json_set(top, i->a, "ca-config", text(i, i->targets[CONFIGURATION].path));
    json_set(top, i->a, "fingerprint", json_make_text(i->a, i->fingerprint));
    json_set(top, i->a, "root", text(i, i->targets[ROOT_CERT].path));
    return print_target(i, DEFAULTS, top);
}

static bool make_all(struct init *i)
{
    if (!make_certificates(i) || !encrypt_key(i, ROOT_KEY, i->root.key) ||
        !encrypt_key(i, INTERMEDIATE_KEY, i->intermediate.key))
        return false;
    i->targets[ROOT_CERT].content = cert_pem(i->a, i->root.cert->der);
    i->targets[INTERMEDIATE_CERT].content = cert_pem(i->a, i->intermediate.cert->der);
    return flag_bool(i->inv, "pki") || (make_configuration(i) && make_defaults(i));
}

/* --- Writing ------------------------------------------------------------------------------------
 */

static bool write_profile_defaults(struct init *i)
{
    const char *path = path_join(i->a, i->inv->steppath.profile_path, "config/defaults.json");

    if (!i->use_context || file_exists(path))
        return true;
    return file_write(path, SLICE("{}"), 0600, FILE_EXCLUSIVE, &i->inv->err);
}

static bool write_all(struct init *i)
{
    struct invocation *inv = i->inv;

    if (!make_directories(i))
        return false;
    for (size_t k = 0; k < TARGETS; k++) {
        struct target *t = &i->targets[k];
        if (t->path && !write_result(inv, t->path, t->content, t->mode, &inv->err))
            return false;
    }
    if (!write_profile_defaults(i))
        return false;
    if (!i->use_context)
        return true;
    return contexts_put(i->a, &inv->steppath, &i->contexts, &i->context, &inv->err) &&
           contexts_select(i->a, &inv->steppath, &i->contexts, i->context.name, &inv->err);
}

static void summarize(struct init *i)
{
    struct invocation *inv = i->inv;
    static const enum target_kind ORDER[] = {ROOT_CERT, ROOT_KEY, INTERMEDIATE_CERT,
                                             INTERMEDIATE_KEY};

    note_selected(inv, "Deployment Type", "Standalone");
    for (size_t k = 0; k < COUNT_OF(ORDER); k++) {
        const struct target *t = &i->targets[ORDER[k]];
        if (t->path)
            note_selected(inv, t->label, t->path);
        if (ORDER[k] == ROOT_CERT && flag_set(inv, "root"))
            note_selected(inv, "Root fingerprint", arena_cstr(i->a, i->fingerprint));
        if (ORDER[k] == ROOT_KEY && t->path)
            note_selected(inv, "Root fingerprint", arena_cstr(i->a, i->fingerprint));
    }
    if (flag_bool(inv, "pki")) {
        note(inv, "Your PKI is ready to go.");
        return;
    }
    if (!flag_bool(inv, "no-db"))
        note_selected(inv, "Database folder", path_join(i->a, inv->steppath.path, "db"));
    note_selected(inv, i->targets[DEFAULTS].label, i->targets[DEFAULTS].path);
    if (i->use_context)
        note_selected(inv, "Default profile configuration",
                      path_join(i->a, inv->steppath.profile_path, "config/defaults.json"));
    note_selected(inv, i->targets[CONFIGURATION].label, i->targets[CONFIGURATION].path);
    note(inv, "Your PKI is ready to go. Start the authority with: step-ca %s",
         i->targets[CONFIGURATION].path);
    note(inv, "Keep a copy of the root private key offline; the authority does not need it.");
}

static int run(struct invocation *inv)
{
    struct init i = {.inv = inv, .a = inv->arena};

    if (!gather(&i) || !settle_context(&i) || !settle_paths(&i))
        return fail(inv);
    note(inv, "Generating root and intermediate certificates...");
    if (!make_all(&i) || !write_all(&i))
        return fail(inv);
    summarize(&i);
    return 0;
}

const struct command CMD_CA_INIT = {
    .name = "init",
    .summary = "initialize a new certificate authority",
    .synopsis = "[--name=<name>] [--dns=<name>] [--address=<address>] [--provisioner=<name>] "
                "[--password-file=<file>] [--provisioner-password-file=<file>] "
                "[--root=<file> --key=<file>] [--pki] [--acme] [--no-db] [--with-ca-url=<uri>] "
                "[--context=<name>] [--force]",
    .description =
        "Makes a root certificate, an intermediate certificate that issues, their private keys "
        "(encrypted), a first JWK provisioner, and the configuration of the authority below the "
        "step path.\n\n"
        "What no flag answers is asked on the terminal. With --name, --dns, --address, "
        "--provisioner and --password-file nothing is asked.",
    .examples = "Answer questions:\n$ step ca init\n\n"
                "Ask nothing:\n$ step ca init --name Smith --dns ca.internal --address :443 "
                "--provisioner ops --password-file password.txt\n",
    .flag_sets = INIT_SETS,
    .rules = INIT_RULES,
    .least = 0,
    .most = 0,
    .run = run,
    .no_defaults = true,
};
