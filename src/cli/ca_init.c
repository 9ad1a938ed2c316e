/*
 * `step ca init`: asks or is told what the authority is called, makes its certificates, keys and
 * first provisioner, and writes configuration and defaults.  Everything is made before the first
 * file is written, and every existing file is asked about before anything is made.
 */
#include <unistd.h>

#include "base/file.h"
#include "base/ip.h"
#include "cli/ca_init.h"
#include "cli/terminal.h"
#include "cli/tree.h"
#include "crypto/keyfile.h"

#define LATER "Not supported yet, and refused: "
static const struct flag FLAGS_INIT[] = {
    {"root", FLAG_FILE, "<file>",
     "The path of an existing root certificate <file> to use instead of a new one.", NULL,
     FLAG_NO_ENV},
    {"key", FLAG_FILE, "<file>",
     "The path of the private key <file> of that root certificate. It is used once and not copied.",
     NULL, FLAG_NO_ENV},
    {"key-password-file", FLAG_FILE, "<file>", "The <file> with the password of --key.", NULL, 0},
    {"pki", FLAG_BOOL, NULL, "Make certificates and keys only, no configuration.", NULL, 0},
    {"ssh", FLAG_BOOL, NULL,
     "Make keys for SSH certificates of users and hosts too, switch SSH on for the first "
     "provisioner, add an SSHPOP provisioner, and write the templates of what 'step ssh config' "
     "installs.",
     NULL, 0},
    {"helm", FLAG_BOOL, NULL,
     "Print the values of a Helm chart to standard output and write no file.", NULL, 0},
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
    {"ra", FLAG_TEXT, "<type>", LATER "a registration authority of that <type>.", NULL,
     FLAG_NO_ENV},
    {"issuer", FLAG_TEXT, "<url>", LATER "the <url> of the authority behind --ra.", NULL,
     FLAG_NO_ENV},
    {"issuer-fingerprint", FLAG_TEXT, "<fingerprint>",
     LATER "the <fingerprint> of that authority's root.", NULL, FLAG_NO_ENV},
    {"issuer-provisioner", FLAG_TEXT, "<name>",
     LATER "the <name> of the provisioner that --ra uses there.", NULL, FLAG_NO_ENV},
    {"credentials-file", FLAG_FILE, "<file>", LATER "the <file> with credentials for --ra.", NULL,
     FLAG_NO_ENV},
    {"kms", FLAG_TEXT, "<type>", LATER "keys in a key management service.", NULL, FLAG_NO_ENV},
    {"kms-root", FLAG_TEXT, "<uri>", LATER "the <uri> of the root key there.", NULL, FLAG_NO_ENV},
    {"kms-intermediate", FLAG_TEXT, "<uri>", LATER "the <uri> of the intermediate key there.", NULL,
     FLAG_NO_ENV},
    {"kms-ssh-host", FLAG_TEXT, "<uri>", LATER "the <uri> of the SSH host key there.", NULL,
     FLAG_NO_ENV},
    {"kms-ssh-user", FLAG_TEXT, "<uri>", LATER "the <uri> of the SSH user key there.", NULL,
     FLAG_NO_ENV},
    {"remote-management", FLAG_BOOL, NULL, LATER "provisioners in the database.", NULL,
     FLAG_NO_ENV},
    {"admin-subject,admin-name", FLAG_TEXT, "<subject>",
     LATER "the <subject> of the first administrator.", NULL, FLAG_NO_ENV},
    {0}};
static const struct flag *const INIT_SETS[] = {FLAGS_INIT, FLAGS_FORCE, NULL};
static const struct flag_rule INIT_RULES[] = {{RULE_NEEDS, "root", "key"},
                                              {RULE_NEEDS, "key", "root"},
                                              {RULE_EXCLUSIVE, "pki", "no-db"},
                                              {RULE_EXCLUSIVE, "acme", "no-db"},
                                              {RULE_EXCLUSIVE, "pki", "helm"},
                                              {RULE_EXCLUSIVE, "kms", "ra"},
                                              {RULE_EXCLUSIVE, "remote-management", "no-db"},
                                              {RULE_EXCLUSIVE, "admin-subject", "helm"},
                                              {RULE_NEEDS, "admin-subject", "remote-management"},
                                              {RULE_NEEDS, "key-password-file", "key"},
                                              {0}};

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
    i->use_context = !flag_bool(inv, "pki") && !flag_bool(inv, "helm") &&
                     (i->contexts.enabled || name || profile || authority);
    if (!i->use_context)
        return true;
    i->context.name = name ? slice_text(name) : i->dns.v[0];
    i->context.authority = authority ? slice_text(authority) : i->context.name;
    i->context.profile = profile ? slice_text(profile) : i->context.name;
    return steppath_select(i->a, &inv->steppath, arena_cstr(i->a, i->context.name),
                           arena_cstr(i->a, i->context.authority),
                           arena_cstr(i->a, i->context.profile), &inv->err);
}

static bool is_wanted(const struct init *i, enum target_kind kind)
{
    const struct invocation *inv = i->inv;

    if (kind == CONFIGURATION || kind == DEFAULTS)
        return !flag_bool(inv, "pki");
    if (kind >= SSH_USER_LINE && kind <= SSH_HOST_KEY)
        return flag_bool(inv, "ssh");
    return kind != ROOT_KEY || !flag_set(inv, "root");
}

static void settle_templates(struct init *i)
{
    struct pki_ssh_template files[PKI_SSH_TEMPLATES];

    if (!flag_bool(i->inv, "ssh") || flag_bool(i->inv, "pki") || flag_bool(i->inv, "helm"))
        return;
    pki_ssh_templates(i->a, files);
    for (size_t k = 0; k < PKI_SSH_TEMPLATES; k++)
        i->templates[i->n_templates++] = (struct target){path_join(i->a, i->base, files[k].path),
                                                         files[k].content, 0644, "Template"};
}

static bool may_write_all(struct init *i, const struct target *targets, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (targets[k].path && !may_write(i->inv, targets[k].path, &i->inv->err))
            return false;
    }
    return true;
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
        [SSH_USER_LINE] = {"certs/ssh_user_ca_key.pub", 0600, "SSH user public key"},
        [SSH_USER_KEY] = {"secrets/ssh_user_ca_key", 0600, "SSH user private key"},
        [SSH_HOST_LINE] = {"certs/ssh_host_ca_key.pub", 0600, "SSH host public key"},
        [SSH_HOST_KEY] = {"secrets/ssh_host_ca_key", 0600, "SSH host private key"},
        [CONFIGURATION] = {"config/ca.json", 0644, "Certificate Authority configuration"},
        [DEFAULTS] = {"config/defaults.json", 0644, "Default configuration"},
    };
    struct invocation *inv = i->inv;
    bool helm = flag_bool(inv, "helm");
    char *base = NULL;

    if (!helm && !path_absolute(i->a, inv->steppath.path, &base, &inv->err))
        return false;
    i->base = helm ? HELM_BASE : base;
    for (size_t k = 0; k < TARGETS; k++) {
        if (is_wanted(i, (enum target_kind)k))
            i->targets[k] = (struct target){
                path_join(i->a, i->base, FILES[k].path), {0}, FILES[k].mode, FILES[k].label};
    }
    settle_templates(i);
    return helm || (may_write_all(i, i->targets, TARGETS) &&
                    may_write_all(i, i->templates, i->n_templates));
}

static bool make_directories(struct init *i)
{
    static const char *const NAMES[] = {"certs", "secrets", "config", "templates"};
    struct invocation *inv = i->inv;

    for (size_t k = 0; k < COUNT_OF(NAMES); k++) {
        if (!dir_make(path_join(i->a, inv->steppath.path, NAMES[k]), 0700, &inv->err))
            return false;
    }
    if (i->n_templates > 0 &&
        !dir_make(path_join(i->a, inv->steppath.path, "templates/ssh"), 0700, &inv->err))
        return false;
    if (i->use_context &&
        !dir_make(path_join(i->a, inv->steppath.profile_path, "config"), 0700, &inv->err))
        return false;
    return flag_bool(inv, "pki") || flag_bool(inv, "no-db") ||
           dir_make(path_join(i->a, inv->steppath.path, "db"), 0700, &inv->err);
}

/* --- Certificates and keys ----------------------------------------------------------------------
 */

/* What it signs must be worth something (RFC 5280, 4.2.1.3 and 4.2.1.9). */
static bool check_root(struct init *i, const char *path)
{
    struct err *e = &i->inv->err;
    const struct cert *root = i->root.cert;
    struct instant now = i->inv->clock->now(i->inv->clock);

    if (!root->has_basic || !root->basic.ca)
        return err_set(e, ERR_MALFORMED, "the certificate in %s is not a CA certificate", path);
    if (root->has_key_usage && !(root->key_usage & KU_CERT_SIGN))
        return err_set(e, ERR_MALFORMED,
                       "the certificate in %s must not sign certificates: its key usage lacks "
                       "keyCertSign",
                       path);
    if (root->basic.path_len == 0)
        return err_set(e, ERR_MALFORMED,
                       "the certificate in %s cannot have an intermediate certificate below it: "
                       "its path length is 0",
                       path);
    if (instant_cmp(now, root->not_after) >= 0)
        return err_set(e, ERR_MALFORMED, "the certificate in %s expired on %.*s", path,
                       SLICE_ARG(rfc3339(i->a, root->not_after)));
    return true;
}

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
    return check_root(i, cert_path);
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

static bool make_ssh_key(struct init *i, enum target_kind line, enum target_kind key)
{
    struct invocation *inv = i->inv;

    return !i->targets[key].path ||
           pki_ssh_key(i->a, inv->secrets, i->password, &i->targets[line].content,
                       &i->targets[key].content, &inv->err);
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
    if (flag_bool(i->inv, "acme")) {
        struct json *acme = json_make_object(i->a);
        json_set(acme, i->a, "type", text(i, "ACME"));
        json_set(acme, i->a, "name", text(i, slice_is(i->provisioner, "acme") ? "acme-1" : "acme"));
        json_append(list, acme);
    }
    if (flag_bool(i->inv, "ssh")) {
        bool taken = slice_is(i->provisioner, "sshpop");
        json_set(jwk, i->a, "claims", pki_ssh_claims(i->a));
        json_append(list, pki_sshpop_provisioner(i->a, taken ? "sshpop-1" : "sshpop"));
    }
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
    bool helm = flag_bool(i->inv, "helm");

    if (!provisioners_list(i, list))
        return false;
    json_set(top, i->a, "root", text(i, i->targets[ROOT_CERT].path));
    json_set(top, i->a, "federatedRoots", json_make_null(i->a));
    json_set(top, i->a, "crt", text(i, i->targets[INTERMEDIATE_CERT].path));
    json_set(top, i->a, "key", text(i, intermediate_key));
    json_set(top, i->a, "address", json_make_text(i->a, i->address));
    json_set(top, i->a, "insecureAddress", text(i, ""));
    json_set(top, i->a, "dnsNames", json_list_of(i, &i->dns));
    if (flag_bool(i->inv, "ssh"))
        json_set(
            top, i->a, "ssh",
            pki_ssh_object(i->a, i->targets[SSH_HOST_KEY].path, i->targets[SSH_USER_KEY].path));
    json_set(logger, i->a, "format", text(i, helm ? "json" : "text"));
    json_set(top, i->a, "logger", logger);
    if (!flag_bool(i->inv, "no-db")) {
        struct json *db = json_make_object(i->a);
        json_set(db, i->a, "type", text(i, "sqlite"));
        json_set(db, i->a, "dataSource", text(i, path_join(i->a, i->base, "db/newel.sqlite")));
        json_set(top, i->a, "db", db);
    }
    if (helm)
        json_set(authority, i->a, "enableAdmin", json_make_bool(i->a, false));
    json_set(authority, i->a, "provisioners", list);
    json_set(top, i->a, "authority", authority);
    json_set(top, i->a, "tls", tls_object(i));
    if (i->n_templates > 0)
        json_set(top, i->a, "templates", pki_ssh_templates_object(i->a));
    i->configuration = top;
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
    if (slice_is(port, "443") || flag_bool(i->inv, "helm"))
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
    i->defaults = top;
    return print_target(i, DEFAULTS, top);
}

static bool make_all(struct init *i)
{
    if (!make_certificates(i) || !encrypt_key(i, ROOT_KEY, i->root.key) ||
        !encrypt_key(i, INTERMEDIATE_KEY, i->intermediate.key) ||
        !make_ssh_key(i, SSH_USER_LINE, SSH_USER_KEY) ||
        !make_ssh_key(i, SSH_HOST_LINE, SSH_HOST_KEY))
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

static bool write_targets(struct init *i, const struct target *targets, size_t n)
{
    struct invocation *inv = i->inv;

    for (size_t k = 0; k < n; k++) {
        const struct target *t = &targets[k];
        if (t->path && !write_result(inv, t->path, t->content, t->mode, &inv->err))
            return false;
    }
    return true;
}

static bool write_all(struct init *i)
{
    struct invocation *inv = i->inv;

    if (!make_directories(i) || !write_targets(i, i->templates, i->n_templates) ||
        !write_targets(i, i->targets, TARGETS) || !write_profile_defaults(i))
        return false;
    if (!i->use_context)
        return true;
    return contexts_put(i->a, &inv->steppath, &i->contexts, &i->context, &inv->err) &&
           contexts_select(i->a, &inv->steppath, &i->contexts, i->context.name, &inv->err);
}

static void summarize(struct init *i)
{
    struct invocation *inv = i->inv;
    static const enum target_kind ORDER[] = {ROOT_CERT,        ROOT_KEY,      INTERMEDIATE_CERT,
                                             INTERMEDIATE_KEY, SSH_USER_LINE, SSH_USER_KEY,
                                             SSH_HOST_LINE,    SSH_HOST_KEY};

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
    if (i->n_templates > 0)
        note_selected(inv, "Templates folder", path_join(i->a, inv->steppath.path, "templates"));
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

    if (!init_ask(&i) || !settle_context(&i) || !settle_paths(&i))
        return fail(inv);
    note(inv, "Generating root and intermediate certificates...");
    if (!make_all(&i))
        return fail(inv);
    if (flag_bool(inv, "helm"))
        return init_print_values(&i) ? 0 : fail(inv);
    if (!write_all(&i))
        return fail(inv);
    summarize(&i);
    return 0;
}

const struct command CMD_CA_INIT = {
    .name = "init",
    .summary = "initialize a new certificate authority",
    .synopsis = "[--name=<name>] [--dns=<name>] [--address=<address>] [--provisioner=<name>] "
                "[--password-file=<file>] [--provisioner-password-file=<file>] "
                "[--root=<file> --key=<file>] [--pki] [--ssh] [--acme] [--no-db] [--helm] "
                "[--with-ca-url=<uri>] "
                "[--context=<name>] [--force]",
    .description =
        "Makes a root certificate, an intermediate certificate that issues, their private keys "
        "(encrypted), a first JWK provisioner, and the configuration of the authority below the "
        "step path.\n\n"
        "What no flag answers is asked on the terminal. With --name, --dns, --address, "
        "--provisioner and --password-file nothing is asked.",
    .examples = "Answer questions:\n$ step ca init\n\n"
                "Ask nothing:\n$ step ca init --name Smith --dns ca.internal --address :443 "
                "--provisioner ops --password-file password.txt\n\n"
                "An authority for SSH too:\n$ step ca init --ssh\n\n"
                "Values for a Helm chart:\n$ step ca init --helm > values.yaml\n",
    .flag_sets = INIT_SETS,
    .rules = INIT_RULES,
    .least = 0,
    .most = 0,
    .run = run,
    .no_defaults = true,
};
