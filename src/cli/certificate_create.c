/*
 * step certificate create: a new certificate or request from what the command line says.  A profile
 * is a row of a table: what the certificate may be used for, how long it lives, who signs it.
 * The rules of RFC 5280 for who may sign what are checked before anything is written.
 */
#include "cli/certificate.h"
#include "cli/certificate_common.h"
#include "cli/certificate_issue.h"
#include "cli/certificate_template.h"
#include "cli/key_choice.h"
#include "cli/key_files.h"
#include "x509/chain.h"

#define DAY_NS      (24 * 3600 * NS_PER_SEC)
#define CA_LIFE_NS  (10 * 365 * DAY_NS)
#define PROFILES    "leaf, intermediate-ca, root-ca, self-signed"
#define NO_PATH_LEN (-1)

struct profile {
    const char *name;
    bool signed_by_ca; /* --ca and --ca-key; else by its own key */
    bool ca;
    int path_len;
    int64_t life_ns;
};
static const struct profile PROFILE[] = {
    {"leaf", true, false, NO_PATH_LEN, DAY_NS},
    {"intermediate-ca", true, true, 0, CA_LIFE_NS},
    {"root-ca", false, true, 1, CA_LIFE_NS},
    {"self-signed", false, false, NO_PATH_LEN, DAY_NS},
};

/* With --template: the template says all but who signs. */
static const struct profile TEMPLATE_BY_CA = {"leaf", true, false, NO_PATH_LEN, DAY_NS},
                            TEMPLATE_BY_ITSELF = {"leaf", false, false, NO_PATH_LEN, DAY_NS};

struct creating {
    struct invocation *inv;
    const struct profile *profile;             /* NULL: a request */
    const char *subject, *crt_path, *key_path; /* key_path NULL: the key is in a file already */
    struct sans sans;
    struct instant not_before, not_after;
    const struct key *key;
    struct private_key *secret; /* NULL: only the public key is known */
    struct cert *ca;            /* NULL: self-signed */
    struct private_key *ca_key;
    struct slice eku[2];
};

/* --- What is asked for -------------------------------------------------------------------- */

static bool has(const struct invocation *inv, const char *flag)
{
    const char *value = flag_text(inv, flag);

    return value && *value;
}

static bool choose_profile(struct creating *c)
{
    struct invocation *inv = c->inv;
    const char *name = flag_text(inv, "profile");

    if (flag_bool(inv, "csr"))
        return true;
    if (has(inv, "template")) {
        c->profile = has(inv, "ca") ? &TEMPLATE_BY_CA : &TEMPLATE_BY_ITSELF;
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(PROFILE); i++) {
        if (strcmp(PROFILE[i].name, name) == 0)
            c->profile = &PROFILE[i];
    }
    if (c->profile)
        return true;
    if (!*name)
        return err_set(&inv->err, ERR_MALFORMED,
                       "missing value for flag '--profile'; options are " PROFILES);
    return err_set(&inv->err, ERR_MALFORMED,
                   "invalid value '%s' for flag '--profile'; options are " PROFILES, name);
}

static bool check_issuer_flags(struct creating *c)
{
    static const char *const FLAGS[] = {"ca", "ca-key"};

    if (!c->profile || !c->profile->signed_by_ca)
        return true;
    for (size_t i = 0; i < COUNT_OF(FLAGS); i++) {
        if (!has(c->inv, FLAGS[i]))
            return err_set(&c->inv->err, ERR_MALFORMED, "'--profile %s' requires the '--%s' flag",
                           c->profile->name, FLAGS[i]);
    }
    return true;
}

static bool check_arguments(struct creating *c)
{
    struct invocation *inv = c->inv;

    c->subject = arg_text(inv, 0);
    c->crt_path = arg_text(inv, 1);
    c->key_path = arg_text(inv, 2);
    if (!c->key_path && !has(inv, "key"))
        return err_set(&inv->err, ERR_MALFORMED,
                       "not enough positional arguments were provided in '%s'",
                       arguments_usage(inv));
    return arguments_differ(inv, 1, "crt-file", 2, "key-file");
}

static bool choose_names(struct creating *c)
{
    struct slice subject = slice_text(c->subject);
    size_t n;
    const struct slice *sans = flag_texts(c->inv, "san", &n);
    bool ca = c->profile && c->profile->ca;

    if (n == 0 && !ca) {
        sans = &subject;
        n = 1;
    }
    if (n > 0 && ca)
        note(c->inv, "The flag '--san' has no effect: certificates of CAs have no such names.");
    sans_split(c->inv->arena, sans, ca ? 0 : n, &c->sans);
    if (subject.n || c->sans.n)
        return true;
    return err_set(&c->inv->err, ERR_MALFORMED, "%s",
                   ca ? "the subject of a CA must not be empty (RFC 5280 4.1.2.6)"
                      : "there is neither a subject nor a '--san' (RFC 5280 4.1.2.6)");
}

static bool choose_times(struct creating *c)
{
    return !c->profile || issuing_times(c->inv, c->profile->life_ns, &c->not_before, &c->not_after);
}

/* --- The issuer --------------------------------------------------------------------------- */

static bool load_ca(struct creating *c)
{
    struct invocation *inv = c->inv;
    const char *crt = flag_text(inv, "ca"), *path = flag_text(inv, "ca-key");
    struct key_file file;
    struct cert_list list;

    if (!c->profile || !c->profile->signed_by_ca)
        return true;
    if (!cert_list_load(inv->arena, crt, &list, &inv->err))
        return false;
    if (list.n != 1)
        return err_set(&inv->err, ERR_MALFORMED, "%s: expected one certificate, found %zu", crt,
                       list.n);
    c->ca = list.v[0];
    if (!issuing_ca_ok(c->ca, &inv->err) ||
        (c->profile->ca && !issuing_path_ok(c->ca, c->profile->path_len, &inv->err)))
        return err_wrap(&inv->err, "%s", crt);
    if (!has(inv, "template") && !name_constraints_check(inv->arena, &list, &c->sans, &inv->err))
        return err_wrap(&inv->err, "%s", crt);
    if (!key_file_load(inv, path, "ca-password-file", &file))
        return false;
    if (!file.secret)
        return err_set(&inv->err, ERR_MALFORMED, "%s holds no private key", path);
    c->ca_key = file.secret;
    return key_eq(c->ca->key, file.key) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "the private key in %s does not belong to the certificate in %s", path, crt);
}

/* --- The key ------------------------------------------------------------------------------ */

static bool take_key(struct creating *c, const char *path)
{
    struct invocation *inv = c->inv;
    struct key_file file;

    if (!key_file_load(inv, path, "password-file", &file))
        return false;
    if (!file.key)
        return err_set(&inv->err, ERR_MALFORMED, "%s: a key of type oct cannot be certified", path);
    bool by_ca = c->profile && c->profile->signed_by_ca;
    if (!file.secret && !(by_ca && flag_bool(inv, "skip-csr-signature")))
        return err_set(&inv->err, ERR_MALFORMED, "%s holds a public key: expected a private key%s",
                       path, by_ca ? ", or the '--skip-csr-signature' flag" : "");
    if (!file.secret && c->key_path)
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s holds no private key that could be written to %s", path, c->key_path);
    c->key = file.key;
    c->secret = file.secret;
    return true;
}

/* Before anything is asked for. */
static bool check_key_flags(struct creating *c)
{
    struct invocation *inv = c->inv;
    enum key_type type;
    unsigned bits;

    return has(inv, "key") || key_choice(inv, flag_bool(inv, "insecure"), &type, &bits, &inv->err);
}

static bool make_key(struct creating *c)
{
    struct invocation *inv = c->inv;
    enum key_type type;
    unsigned bits;

    if (!key_choice(inv, flag_bool(inv, "insecure"), &type, &bits, &inv->err) ||
        !private_key_generate(inv->secrets, type, bits, &c->secret, &inv->err))
        return false;
    c->key = c->secret->public_key;
    return true;
}

static bool get_key(struct creating *c)
{
    return has(c->inv, "key") ? take_key(c, flag_text(c->inv, "key")) : make_key(c);
}

/* --- Signing ------------------------------------------------------------------------------ */

static bool sign_request(struct creating *c, struct slice *der)
{
    struct arena *a = c->inv->arena;
    const struct csr_wish wish = {.common_name = slice_text(c->subject), .sans = c->sans};

    return csr_make(a, &wish, signer_local(a, c->secret, "new key"), der, &c->inv->err);
}

/* Without a request the template sees one that says nothing but the key. */
static bool run_template(struct creating *c, struct slice request, struct leaf_json *read)
{
    const struct subject subject = {.common_name = slice_text(c->subject)};
    struct csr nothing = {.key = c->key}, *csr = &nothing;

    if (request.n && !csr_read(c->inv->arena, request, &csr, &c->inv->err))
        return false;
    const struct template_view view = {.subject = &subject, .sans = &c->sans, .csr = csr};
    return certificate_by_template(c->inv, &view, read);
}

/* A request that says what a template made of it. */
static bool request_by_template(struct creating *c, struct slice *der)
{
    struct arena *a = c->inv->arena;
    struct signer *signer = signer_local(a, c->secret, "new key");
    struct leaf_json read;

    if (!run_template(c, SLICE_NONE, &read))
        return false;
    struct csr_wish wish = {
        .subject = &read.leaf.subject, .raw_subject = read.leaf.raw_subject, .alg = read.leaf.alg};
    return (x509_leaf_wishes(a, &read.leaf, &wish.extra, &c->inv->err) &&
            csr_make(a, &wish, signer, der, &c->inv->err)) ||
           err_wrap(&c->inv->err, "%s", flag_text(c->inv, "template"));
}

/* A key that cannot sign is noticed here and not by the first who meets it. */
static bool prove_key(struct creating *c)
{
    struct slice der;

    return flag_bool(c->inv, "skip-csr-signature") || sign_request(c, &der);
}

static void fill_leaf(struct creating *c, struct x509_leaf *leaf)
{
    const struct profile *p = c->profile;

    c->eku[0] = slice_of(OID_EKU_SERVER.p, OID_EKU_SERVER.n);
    c->eku[1] = slice_of(OID_EKU_CLIENT.p, OID_EKU_CLIENT.n);
    *leaf = (struct x509_leaf){
        .subject = {.common_name = slice_text(c->subject)},
        .sans = c->sans,
        .not_before = c->not_before,
        .not_after = c->not_after,
        .key = c->key,
    };
    if (p->ca) {
        leaf->key_usage = KU_CERT_SIGN | KU_CRL_SIGN;
        leaf->has_basic = true;
        leaf->basic = (struct basic_constraints){true, p->path_len};
        return;
    }
    leaf->key_usage = KU_DIGITAL_SIGNATURE | (c->key->type == KEY_RSA ? KU_KEY_ENCIPHERMENT : 0u);
    leaf->eku = c->eku;
    leaf->n_eku = COUNT_OF(c->eku);
}

/* Times of the command line win, and a CA is held to what its own issuer allows. */
static bool take_template(struct creating *c, const struct leaf_json *read, struct x509_leaf *leaf)
{
    struct invocation *inv = c->inv;
    struct sans names;

    *leaf = read->leaf;
    leaf->key = c->key;
    if (!read->has_before || has(inv, "not-before"))
        leaf->not_before = c->not_before;
    if (!read->has_after || has(inv, "not-after"))
        leaf->not_after = c->not_after;
    if (instant_cmp(leaf->not_after, leaf->not_before) <= 0)
        return err_set(&inv->err, ERR_MALFORMED, "the certificate would end before it begins");
    if (!c->ca)
        return true;
    struct cert_list list = {0};
    cert_list_add(inv->arena, &list, c->ca);
    return (!leaf->basic.ca || issuing_path_ok(c->ca, leaf->basic.path_len, &inv->err)) &&
           x509_leaf_names(inv->arena, leaf, &names, &inv->err) &&
           name_constraints_check(inv->arena, &list, &names, &inv->err);
}

static bool leaf_by_template(struct creating *c, struct x509_leaf *leaf)
{
    struct leaf_json read;
    struct slice der = SLICE_NONE;
    bool request = !flag_bool(c->inv, "skip-csr-signature");

    if ((request && !sign_request(c, &der)) || !run_template(c, der, &read))
        return false;
    return take_template(c, &read, leaf) ||
           err_wrap(&c->inv->err, "%s", flag_text(c->inv, "template"));
}

static bool sign_certificate(struct creating *c, struct slice *der)
{
    struct invocation *inv = c->inv;
    const struct private_key *by = c->ca ? c->ca_key : c->secret;
    struct buf b = buf_new(inv->arena, CERT_MAX);
    struct x509_leaf leaf;
    struct issuer issuer = {
        .key = by->public_key,
        .signer = signer_local(inv->arena, by, c->ca ? "CA key" : "new key"),
    };

    if (c->ca)
        cert_list_add(inv->arena, &issuer.chain, c->ca);
    if (!prove_key(c))
        return false;
    if (!has(inv, "template"))
        fill_leaf(c, &leaf);
    else if (!leaf_by_template(c, &leaf))
        return false;
    if (!x509_leaf_sign(&leaf, &issuer, inv->rng, &b, DEADLINE_NONE, &inv->err))
        return false;
    *der = buf_slice(&b);
    return true;
}

/* --- Writing ------------------------------------------------------------------------------ */

static struct slice result_pem(const struct creating *c, struct slice der)
{
    struct arena *a = c->inv->arena;
    struct buf b = buf_new(a, 4 * CERT_MAX);

    pem_put(&b, c->profile ? "CERTIFICATE" : "CERTIFICATE REQUEST", der);
    if (flag_bool(c->inv, "bundle"))
        pem_put(&b, "CERTIFICATE", c->ca->der);
    return buf_slice(&b);
}

static bool may_write_all(struct creating *c)
{
    return may_write(c->inv, c->crt_path, &c->inv->err) &&
           (!c->key_path || may_write(c->inv, c->key_path, &c->inv->err));
}

static bool write_key(struct creating *c)
{
    struct invocation *inv = c->inv;
    struct slice password, pem;

    return !c->key_path ||
           (key_new_password(inv, "password-file", "the private key", &password) &&
            key_pem(inv->secrets, c->secret, password, KEY_TRADITIONAL, &pem, &inv->err) &&
            write_result(inv, c->key_path, pem, 0600, &inv->err));
}

static bool make_result(struct creating *c, struct slice *der)
{
    if (c->profile)
        return sign_certificate(c, der);
    return has(c->inv, "template") ? request_by_template(c, der) : sign_request(c, der);
}

static int run_create(struct invocation *inv)
{
    struct creating c = {.inv = inv};
    struct slice der;

    if (!check_arguments(&c) || !check_key_flags(&c) || !choose_profile(&c) ||
        !check_issuer_flags(&c) || !choose_names(&c) || !choose_times(&c) || !may_write_all(&c) ||
        !get_key(&c) || !load_ca(&c))
        return fail(inv);
    if (c.ca)
        issuing_fit(inv, c.ca, c.not_before, &c.not_after);
    if (!make_result(&c, &der) || !write_key(&c) ||
        !write_result(inv, c.crt_path, result_pem(&c, der), 0600, &inv->err))
        return fail(inv);
    note(inv, "Your certificate%s has been saved in %s.", c.profile ? "" : " signing request",
         c.crt_path);
    if (c.key_path)
        note(inv, "Your private key has been saved in %s.", c.key_path);
    return 0;
}

/* --- The command -------------------------------------------------------------------------- */

static const struct flag CREATE_FLAGS[] = {
    {"csr", FLAG_BOOL, NULL, "Make a certificate signing request instead of a certificate.", NULL,
     0},
    {"profile", FLAG_TEXT, "<profile>",
     "What the certificate is for: leaf (a TLS server or client), intermediate-ca, root-ca, or "
     "self-signed (a leaf that signs itself; requires --subtle).",
     "leaf", 0},
    {"template", FLAG_FILE, "<file>",
     "The <file> with a certificate template, which says in the place of --profile what the "
     "certificate holds, or with --csr the request. Without --ca a certificate signs itself.",
     NULL, 0},
    {"san", FLAG_TEXTS, "<name>",
     "A DNS name, IP address, e-mail address or URI that the certificate is for. Can be given "
     "several times. Default for everything but a CA: the subject.",
     NULL, 0},
    {"ca", FLAG_FILE, "<file>", "The certificate of the CA that signs.", NULL, 0},
    {"ca-key", FLAG_FILE, "<file>", "The private key of the CA that signs.", NULL, 0},
    {"ca-password-file", FLAG_FILE, "<file>", "The <file> with the password of --ca-key.", NULL, 0},
    {"key", FLAG_FILE, "<file>",
     "The private key to use instead of making one. With --skip-csr-signature it can also be a "
     "public key.",
     NULL, 0},
    {"password-file", FLAG_FILE, "<file>",
     "The <file> with the password that encrypts the new private key, and that decrypts --key.",
     NULL, 0},
    {"no-password", FLAG_BOOL, NULL,
     "Write the private key without a password. Requires --insecure.", NULL, 0},
    {"bundle", FLAG_BOOL, NULL, "Write the certificate of the CA behind the new one.", NULL, 0},
    {"skip-csr-signature", FLAG_BOOL, NULL,
     "Do not sign a request with the new key first: for keys that cannot sign.", NULL, 0},
    {"subtle", FLAG_BOOL, NULL, "Confirm a choice that is easily made wrong.", NULL,
     FLAG_HIDDEN | FLAG_NO_DEFAULTS},
    {0}};
static const struct flag *const CREATE_SETS[] = {
    FLAGS_KEY, CREATE_FLAGS, FLAGS_VALIDITY, FLAGS_FORCE, FLAGS_INSECURE, FLAGS_TEMPLATE, NULL};
static const struct flag_rule CREATE_RULES[] = {
    {RULE_INSECURE, "no-password", NULL},
    {RULE_EXCLUDES, "template", "profile"},
    {RULE_EXCLUDES, "skip-csr-signature", "csr"},
    {RULE_EXCLUDES, "bundle", "csr"},
    {RULE_EXCLUDES, "profile=intermediate-ca", "csr"},
    {RULE_EXCLUDES, "profile=root-ca", "csr"},
    {RULE_EXCLUDES, "profile=self-signed", "csr"},
    {RULE_EXCLUDES, "ca", "csr"},
    {RULE_EXCLUDES, "ca-key", "csr"},
    {RULE_EXCLUDES, "ca-password-file", "csr"},
    {RULE_EXCLUDES, "not-before", "csr"},
    {RULE_EXCLUDES, "not-after", "csr"},
    {RULE_EXCLUDES, "key", "kty"},
    {RULE_EXCLUDES, "key", "size"},
    {RULE_EXCLUDES, "key", "curve"},
    {RULE_NEEDS, "profile=self-signed", "subtle"},
    {RULE_EXCLUDES, "ca", "profile=root-ca"},
    {RULE_EXCLUDES, "ca-key", "profile=root-ca"},
    {RULE_EXCLUDES, "ca", "profile=self-signed"},
    {RULE_EXCLUDES, "ca-key", "profile=self-signed"},
    {RULE_EXCLUDES, "bundle", "profile=intermediate-ca"},
    {RULE_EXCLUDES, "bundle", "profile=root-ca"},
    {RULE_EXCLUDES, "bundle", "profile=self-signed"},
    {RULE_NEEDS, "ca-password-file", "ca-key"},
    {0},
};

const struct command CMD_CERTIFICATE_CREATE = {
    .name = "create",
    .summary = "make a certificate or a certificate signing request",
    .synopsis = "<subject> <crt-file> <key-file>\n<subject> <crt-file> [<key-file>] --key=<file>",
    .description =
        "Makes a key and a certificate for it, or a certificate signing request, without "
        "an authority's server. A leaf or an intermediate is signed with --ca and "
        "--ca-key; a root and a self-signed certificate sign themselves.\n\n"
        "A leaf is valid for 24 hours, a CA for ten years, unless --not-before and "
        "--not-after say otherwise. The private key is encrypted with a password, which "
        "is asked for unless --password-file gives it.",
    .arguments = "subject\tThe common name of the certificate.\n"
                 "crt-file\tThe file for the certificate or request.\n"
                 "key-file\tThe file for the private key. It can be left out with --key.",
    .examples =
        "A root, an intermediate and a leaf:\n"
        "$ step certificate create 'Example Root' root.crt root.key --profile root-ca\n"
        "$ step certificate create 'Example CA' ca.crt ca.key --profile intermediate-ca \\\n"
        "    --ca root.crt --ca-key root.key\n"
        "$ step certificate create web.internal web.crt web.key --ca ca.crt --ca-key ca.key "
        "\\\n"
        "    --bundle\n"
        "\n"
        "A certificate for signing code, by a template (docs/reference/templates.md):\n"
        "$ step certificate create 'Release Team' code.crt code.key --template code.tpl \\\n"
        "    --set organization=Example --ca ca.crt --ca-key ca.key\n"
        "\n"
        "A request, with a new key and with one that is there:\n"
        "$ step certificate create --csr web.internal web.csr web.key\n"
        "$ step certificate create --csr --key web.key web.internal web.csr\n"
        "\n"
        "A certificate for tests that signs itself:\n"
        "$ step certificate create localhost localhost.crt localhost.key \\\n"
        "    --profile self-signed --subtle --san localhost --san 127.0.0.1",
    .flag_sets = CREATE_SETS,
    .rules = CREATE_RULES,
    .least = 2,
    .most = 3,
    .run = run_create,
};
