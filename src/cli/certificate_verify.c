/*
 * step certificate verify: path validation (RFC 5280 6) of a file or a server, and on demand
 * whether its issuer has revoked the certificate.
 */
#include "cli/certificate_verify.h"
#include "base/file.h"
#include "cli/certificate.h"
#include "cli/internal.h"
#include "crypto/pem.h"
#include "x509/chain.h"
#include "x509/show.h"

/* --- The certificate ---------------------------------------------------------------------- */

/* Stricter than other readers of bundles: who verifies a file wants to know that it is whole. */
static bool read_file(struct verifying *v)
{
    struct invocation *inv = v->inv;
    struct err *e = &inv->err;
    struct slice rest;
    struct pem block;
    struct cert *c;

    if (!file_read(inv->arena, v->place, true, FILE_MAX_USUAL, &rest, e))
        return false;
    rest = bom_skip(rest);
    do {
        if (!pem_next(inv->arena, &rest, &block, e))
            return err_set(e, ERR_MALFORMED, "%s contains an invalid PEM block", v->place);
        if (!slice_is(block.label, "CERTIFICATE"))
            continue;
        if (!cert_read(inv->arena, block.der, &c, e))
            return err_wrap(e, "error parsing %s", v->place);
        if (v->leaf)
            cert_list_add(inv->arena, &v->others, c);
        else
            v->leaf = c;
    } while (slice_trim(rest).n);
    return v->leaf || err_set(e, ERR_MALFORMED, "%s contains no certificate", v->place);
}

static bool read_peer(struct verifying *v)
{
    struct cert_list list;

    if (!cert_peer(v->inv, v->place, false, &list))
        return false;
    v->leaf = list.v[0];
    v->others = (struct cert_list){list.v + 1, list.n - 1};
    return true;
}

static bool find_path(struct verifying *v)
{
    struct invocation *inv = v->inv;
    const struct chain_rules rules = {
        .anchors = v->roots,
        .intermediates = v->others,
        .at = inv->clock->now(inv->clock),
        .use = CHAIN_ANY,
        .host = slice_text(flag_text(inv, "host")),
    };

    return chain_verify(inv->arena, v->leaf, &rules, &v->path, &inv->err) ||
           err_wrap(&inv->err, "failed to verify certificate");
}

/* --- The command -------------------------------------------------------------------------- */

static void tell_path(struct verifying *v)
{
    const char *host = flag_text(v->inv, "host");
    struct arena *a = v->inv->arena;

    for (size_t i = 0; i < v->path.n; i++)
        out_line(v->inv, "%zu: %.*s", i,
                 SLICE_ARG(printable(a, dn_text(a, &v->path.v[i]->subject))));
    out_line(v->inv, "certificate chain is valid");
    if (host && *host)
        out_line(v->inv, "certificate is for %s", host);
}

static int run_verify(struct invocation *inv)
{
    struct verifying v = {.inv = inv, .place = arg_text(inv, 0)};
    bool url = cert_url_looks_like(slice_text(v.place));

    if (!(url ? read_peer(&v) : read_file(&v)) || !cert_roots(inv, &v.roots) || !find_path(&v))
        return fail(inv);
    if (flag_bool(inv, "verbose"))
        tell_path(&v);
    const char *issuer = flag_text(inv, "issuing-ca");
    if (issuer && *issuer && !flag_bool(inv, "verify-crl") && !flag_bool(inv, "verify-ocsp"))
        return fail_with(inv,
                         "flag '--issuing-ca' requires the '--verify-crl' or '--verify-ocsp' flag");
    if (flag_bool(inv, "verify-ocsp") && !verify_ocsp(&v))
        return fail(inv);
    if (flag_bool(inv, "verify-crl") && !verify_crl(&v))
        return fail(inv);
    return 0;
}

static const struct flag VERIFY_FLAGS[] = {
    {"host", FLAG_TEXT, "<host>",
     "The certificate must be for this <host>: a DNS name or an IP address.", NULL, 0},
    {"verify-crl", FLAG_BOOL, NULL,
     "Also check that the certificate is not on its issuer's revocation list.", NULL, 0},
    {"crl-endpoint", FLAG_TEXT, "<url>",
     "The <url> of the revocation list. Default: the distribution points in the certificate.", NULL,
     0},
    {"verify-ocsp", FLAG_BOOL, NULL,
     "Also ask the issuer's OCSP responder whether the certificate was revoked.", NULL, 0},
    {"ocsp-endpoint", FLAG_TEXT, "<url>",
     "The <url> of the OCSP responder. Default: those that the certificate names.", NULL, 0},
    {"issuing-ca", FLAG_FILE, "<file>",
     "The <file> with the certificate of the issuer, who is asked about revocation. Default: the "
     "issuer in the verified chain, else the one that the certificate names.",
     NULL, 0},
    {"verbose,v", FLAG_BOOL, NULL, "Say what was checked.", NULL, 0},
    {"insecure", FLAG_BOOL, NULL,
     "Do not verify the signature of the revocation list or the OCSP answer.", NULL,
     FLAG_HIDDEN | FLAG_NO_DEFAULTS},
    {0}};
static const struct flag *const VERIFY_SETS[] = {VERIFY_FLAGS, FLAGS_PEER, NULL};
static const struct flag_rule VERIFY_RULES[] = {
    {RULE_NEEDS, "crl-endpoint", "verify-crl"}, {RULE_NEEDS, "ocsp-endpoint", "verify-ocsp"}, {0}};

const struct command CMD_CERTIFICATE_VERIFY = {
    .name = "verify",
    .summary = "verify a certificate",
    .synopsis = "<crt-file>",
    .description = "Verifies that a certificate is valid now and that a chain leads from it to a "
                   "certificate that is trusted (RFC 5280). The other certificates in the file "
                   "help to find the chain. Every certificate of --roots is trusted, also one that "
                   "is not self-signed.\n\n"
                   "Success is silent.",
    .arguments = "crt-file\tA PEM file with the certificate first, or a URL.",
    .examples = "A certificate of one's own authority:\n"
                "$ step certificate verify web.crt --roots $(step path)/certs/root_ca.crt\n"
                "\n"
                "What a server shows, for another name:\n"
                "$ step certificate verify https://10.0.0.7 --servername web.internal \\\n"
                "    --host web.internal --roots root_ca.crt\n"
                "\n"
                "Valid and not revoked:\n"
                "$ step certificate verify web.crt --roots root_ca.crt --verify-crl",
    .exit_codes = "0 the certificate is valid, 1 it is not or cannot be checked.",
    .flag_sets = VERIFY_SETS,
    .rules = VERIFY_RULES,
    .least = 1,
    .most = 1,
    .run = run_verify,
};
