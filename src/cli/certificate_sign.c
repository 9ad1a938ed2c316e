/*
 * step certificate sign: a certificate for a request, signed with the key of a CA that lies on this
 * machine.  What the certificate says comes from the profile, and only as much from the request as
 * the profile lets in.
 */
#include "authority/template_data.h"
#include "base/file.h"
#include "cli/certificate.h"
#include "cli/certificate_common.h"
#include "cli/certificate_issue.h"
#include "cli/certificate_template.h"
#include "cli/key_files.h"
#include "crypto/pem.h"
#include "x509/chain.h"

#define DAY_NS   (24 * 3600 * NS_PER_SEC)
#define PROFILES "leaf, intermediate-ca, csr"
#define RSA_MIN  2048u

struct signing {
    struct invocation *inv;
    const struct profile *profile;
    struct csr *csr;
    struct cert_list chain; /* the CA first */
    struct private_key *key;
    struct x509_leaf leaf;
    struct slice eku[2];
    int path_len;
};

/* --- Profiles ----------------------------------------------------------------------------- */

/* Names that a TLS certificate has; the others of a request are left out. */
static void take_names(struct signing *s)
{
    const struct sans *asked = &s->csr->sans;
    struct sans *names = &s->leaf.sans;
    struct slice cn = dn_common_name(&s->csr->subject);

    names->v = arena_array(s->inv->arena, asked->n + 1, sizeof(*names->v));
    for (size_t i = 0; i < asked->n; i++) {
        if (asked->v[i].kind <= SAN_URI)
            names->v[names->n++] = asked->v[i];
    }
    if (!names->n && cn.n && !flag_bool(s->inv, "omit-cn-san"))
        sans_split(s->inv->arena, &cn, 1, names);
}

static bool fill_leaf(struct signing *s)
{
    bool rsa = s->csr->key->type == KEY_RSA;

    take_names(s);
    s->leaf.key_usage = KU_DIGITAL_SIGNATURE | (rsa ? KU_KEY_ENCIPHERMENT : 0u);
    s->eku[0] = slice_of(OID_EKU_SERVER.p, OID_EKU_SERVER.n);
    s->eku[1] = slice_of(OID_EKU_CLIENT.p, OID_EKU_CLIENT.n);
    s->leaf.eku = s->eku;
    s->leaf.n_eku = COUNT_OF(s->eku);
    return s->csr->subject.n || s->leaf.sans.n ||
           err_set(&s->inv->err, ERR_MALFORMED,
                   "the request has neither a subject nor a name (RFC 5280 4.1.2.6)");
}

static bool fill_intermediate(struct signing *s)
{
    s->leaf.key_usage = KU_CERT_SIGN | KU_CRL_SIGN;
    s->leaf.has_basic = true;
    s->leaf.basic = (struct basic_constraints){true, s->path_len};
    return s->csr->subject.n || err_set(&s->inv->err, ERR_MALFORMED,
                                        "the subject of a CA must not be empty (RFC 5280 4.1.2.6)");
}

static bool csr_basic(const struct csr *csr, struct basic_constraints *basic)
{
    const struct extension *x = extensions_get(&csr->extensions, &OID_EXT_BASIC);
    struct der outer, in;
    int64_t length;

    *basic = (struct basic_constraints){false, -1};
    if (!x)
        return true;
    outer = der_reader(x->value);
    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer))
        return false;
    if (der_is(&in, DER_BOOLEAN) && !der_take_bool(&in, &basic->ca))
        return false;
    if (der_done(&in))
        return true;
    if (!der_take_int(&in, &length) || !der_done(&in) || length < 0 || length > 255)
        return false;
    basic->path_len = (int)length;
    return true;
}

/* Everything that the request asks for.  Only who the issuer is it cannot say. */
static bool fill_csr(struct signing *s)
{
    struct invocation *inv = s->inv;
    const struct extensions *asked = &s->csr->extensions;
    struct extensions *raw = &s->leaf.raw;
    struct basic_constraints basic;

    if (!csr_basic(s->csr, &basic))
        return err_set(&inv->err, ERR_MALFORMED,
                       "the request's basic constraints cannot be read (RFC 5280 4.2.1.9)");
    if (basic.ca && !issuing_path_ok(s->chain.v[0], basic.path_len, &inv->err))
        return err_wrap(&inv->err, "%s", arg_text(inv, 1));
    raw->v = arena_array(inv->arena, asked->n + 1, sizeof(*raw->v));
    for (size_t i = 0; i < asked->n; i++) {
        if (!oid_eq(&OID_EXT_AKI, asked->v[i].oid))
            raw->v[raw->n++] = asked->v[i];
    }
    return true;
}

/* The order that templates know: DNS, IP, email, URI. */
static void order_names(struct arena *a, struct sans *names)
{
    static const enum san_kind ORDER[] = {SAN_DNS, SAN_IP, SAN_EMAIL, SAN_URI};
    struct san *v = arena_array(a, names->n + 1, sizeof(*v));
    size_t n = 0;

    for (size_t k = 0; k < COUNT_OF(ORDER); k++)
        for (size_t i = 0; i < names->n; i++)
            if (names->v[i].kind == ORDER[k])
                v[n++] = names->v[i];
    names->v = v;
}

/* The template says everything but key, issuer, and the times of the command line. */
static bool fill_by_template(struct signing *s)
{
    struct invocation *inv = s->inv;
    struct instant not_before = s->leaf.not_before, not_after = s->leaf.not_after;
    struct subject *subject = subject_of_dn(inv->arena, &s->csr->subject);
    struct leaf_json read;

    subject->n_extra = 0;
    take_names(s);
    order_names(inv->arena, &s->leaf.sans);
    const struct template_view view = {
        .subject = subject, .sans = &s->leaf.sans, .csr = s->csr, .max_path_len = &s->path_len};
    if (!certificate_by_template(inv, &view, &read))
        return false;
    s->leaf = read.leaf;
    s->leaf.key = s->csr->key;
    if (!read.has_before || flag_time(inv, "not-before").set)
        s->leaf.not_before = not_before;
    if (!read.has_after || flag_time(inv, "not-after").set)
        s->leaf.not_after = not_after;
    return !s->leaf.basic.ca || issuing_path_ok(s->chain.v[0], s->leaf.basic.path_len, &inv->err) ||
           err_wrap(&inv->err, "%s", arg_text(inv, 1));
}

static const struct profile {
    const char *name;
    bool (*fill)(struct signing *);
    bool ca;
    int64_t life_ns;
} PROFILE[] =
    {
        {"leaf", fill_leaf, false, DAY_NS},
        {"intermediate-ca", fill_intermediate, true, 10 * 365 * DAY_NS},
        {"csr", fill_csr, false, DAY_NS},
},
  BY_TEMPLATE = {"template", fill_by_template, false, DAY_NS};

static bool choose_profile(struct signing *s)
{
    struct invocation *inv = s->inv;
    const char *name = flag_text(inv, "profile"), *by_template = flag_text(inv, "template");
    int64_t length = flag_int(inv, "path-len");

    for (size_t i = 0; i < COUNT_OF(PROFILE); i++) {
        if (strcmp(PROFILE[i].name, name) == 0)
            s->profile = &PROFILE[i];
    }
    if (by_template && *by_template)
        s->profile = &BY_TEMPLATE;
    if (!s->profile && !*name)
        return err_set(&inv->err, ERR_MALFORMED,
                       "missing value for flag '--profile'; options are " PROFILES);
    if (!s->profile)
        return err_set(&inv->err, ERR_MALFORMED,
                       "invalid value '%s' for flag '--profile'; options are " PROFILES, name);
    if (length < -1 || length > 255)
        return err_set(&inv->err, ERR_MALFORMED,
                       "invalid value '%lld' for flag '--path-len'; expected -1 (none) to 255",
                       (long long)length);
    s->path_len = (int)length;
    return true;
}

/* --- The request and the issuer ----------------------------------------------------------- */

static bool load_request(struct signing *s)
{
    struct invocation *inv = s->inv;
    const char *path = arg_text(inv, 0);
    struct slice text;
    struct err why = {0};

    if (!file_read(inv->arena, path, true, FILE_MAX_USUAL, &text, &inv->err))
        return false;
    if (!csr_read_text(inv->arena, text, path, true, &s->csr, &why))
        return err_set(&inv->err, ERR_MALFORMED,
                       "error parsing %s: error parsing certificate request as %s format: %s", path,
                       pem_looks_like(text) ? "PEM" : "DER", why.text);
    if (!s->csr->key) {
        err_move(&inv->err, &s->csr->key_error);
        return err_wrap(&inv->err, "%s", path);
    }
    return (csr_verify(s->csr, &inv->err) && key_check_strength(s->csr->key, RSA_MIN, &inv->err)) ||
           err_wrap(&inv->err, "%s", path);
}

static bool load_issuer(struct signing *s)
{
    struct invocation *inv = s->inv;
    const char *crt = arg_text(inv, 1), *path = arg_text(inv, 2);
    struct key_file file;

    if (!cert_list_load(inv->arena, crt, &s->chain, &inv->err))
        return false;
    if (!issuing_ca_ok(s->chain.v[0], &inv->err) ||
        (s->profile->ca && !issuing_path_ok(s->chain.v[0], s->path_len, &inv->err)))
        return err_wrap(&inv->err, "%s", crt);
    if (!key_file_load(inv, path, "password-file", &file))
        return false;
    if (!file.secret)
        return err_set(&inv->err, ERR_MALFORMED, "%s holds no private key", path);
    s->key = file.secret;
    return key_eq(s->chain.v[0]->key, file.key) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "the private key in %s does not belong to the certificate in %s", path, crt);
}

/* --- Signing ------------------------------------------------------------------------------ */

static bool fill(struct signing *s)
{
    struct invocation *inv = s->inv;
    struct x509_leaf *leaf = &s->leaf;
    struct sans names;

    leaf->raw_subject = s->csr->subject.raw;
    leaf->key = s->csr->key;
    if (!issuing_times(inv, s->profile->life_ns, &leaf->not_before, &leaf->not_after) ||
        !s->profile->fill(s) || !x509_leaf_names(inv->arena, leaf, &names, &inv->err))
        return false;
    issuing_fit(inv, s->chain.v[0], leaf->not_before, &leaf->not_after);
    return name_constraints_check(inv->arena, &s->chain, &names, &inv->err) ||
           err_wrap(&inv->err, "%s", arg_text(inv, 1));
}

static bool sign_certificate(struct signing *s, struct slice *pem)
{
    struct invocation *inv = s->inv;
    const struct issuer issuer = {
        .key = s->key->public_key,
        .signer = signer_local(inv->arena, s->key, "CA key"),
        .chain = s->chain,
    };
    struct buf der = buf_new(inv->arena, CERT_MAX);

    if (!x509_leaf_sign(&s->leaf, &issuer, inv->rng, &der, DEADLINE_NONE, &inv->err))
        return false;
    *pem = cert_pem(inv->arena, buf_slice(&der));
    return true;
}

static int run_sign(struct invocation *inv)
{
    struct signing s = {.inv = inv};
    struct slice pem;

    if (!choose_profile(&s) || !load_request(&s) || !load_issuer(&s) || !fill(&s) ||
        !sign_certificate(&s, &pem))
        return fail(inv);
    out_put(inv, pem);
    if (flag_bool(inv, "bundle"))
        out_put(inv, cert_list_pem(inv->arena, &s.chain));
    return 0;
}

static const struct flag SIGN_FLAGS[] = {
    {"profile", FLAG_TEXT, "<profile>",
     "What the certificate is for: leaf (a TLS server or client), intermediate-ca, or csr "
     "(everything that the request asks for).",
     "leaf", 0},
    {"template", FLAG_FILE, "<file>",
     "The <file> with a certificate template, which says in the place of --profile what the "
     "certificate holds.",
     NULL, 0},
    {"path-len", FLAG_INT, "<number>",
     "How many CAs may stand below an intermediate-ca; -1: any number. A template finds it as "
     ".MaxPathLen.",
     "0", 0},
    {"omit-cn-san", FLAG_BOOL, NULL,
     "Do not take the common name as a name when the request has no other.", NULL, 0},
    {"password-file", FLAG_FILE, "<file>", "The <file> with the password of the CA's key.", NULL,
     0},
    {"bundle", FLAG_BOOL, NULL, "Print the certificates of crt-file behind the new one.", NULL, 0},
    {0}};
static const struct flag *const SIGN_SETS[] = {SIGN_FLAGS, FLAGS_VALIDITY, FLAGS_TEMPLATE, NULL};
static const struct flag_rule SIGN_RULES[] = {{RULE_EXCLUDES, "profile", "template"}, {0}};

const struct command CMD_CERTIFICATE_SIGN = {
    .name = "sign",
    .summary = "sign a certificate signing request",
    .synopsis = "<csr-file> <crt-file> <key-file>",
    .description =
        "Signs a request with the key of a CA on this machine and prints the certificate (PEM). "
        "The request must be signed with its own key, and the CA must be allowed to sign what the "
        "profile stands for.\n\n"
        "A leaf and a certificate of the profile csr are valid for 24 hours, an intermediate for "
        "ten years, unless --not-before and --not-after say otherwise. Look at a request with "
        "'step certificate inspect' before it is signed with the profile csr: its extensions are "
        "taken over as they are.",
    .arguments = "csr-file\tA file with the request (PEM or DER), or \"-\" for standard input.\n"
                 "crt-file\tThe file with the certificate of the CA, and perhaps its chain.\n"
                 "key-file\tThe file with the private key of the CA.",
    .examples =
        "A certificate for a server:\n"
        "$ step certificate sign web.csr ca.crt ca.key --not-after 720h > web.crt\n"
        "\n"
        "An intermediate CA that may have one more level below it:\n"
        "$ step certificate sign --profile intermediate-ca --path-len 1 int.csr \\\n"
        "    root.crt root.key > int.crt\n"
        "\n"
        "What a template says (docs/reference/templates.md):\n"
        "$ step certificate sign --template code.tpl --set team=tools code.csr ca.crt ca.key",
    .flag_sets = SIGN_SETS,
    .rules = SIGN_RULES,
    .least = 3,
    .most = 3,
    .run = run_sign,
};
