/* step certificate fingerprint: the digest of a certificate or request, in several notations. */
#include "cli/certificate.h"
#include "cli/certificate_common.h"
#include "cli/notation.h"
#include "crypto/digest.h"

#define LINES_MAX (1u << 20)

static void fingerprint_put(struct buf *b, const struct notation *n, enum digest digest,
                            struct slice der)
{
    uint8_t hash[DIGEST_MAX];

    digest_of(digest, der, hash);
    buf_put(b, notation_text(b->arena, n, slice_of(hash, digest_size(digest))));
    buf_byte(b, '\n');
}

static int run_fingerprint(struct invocation *inv)
{
    const char *place = inv->n_args ? arg_text(inv, 0) : "-";
    const char *format = flag_text(inv, "format");
    const struct notation *n = notation_named(format);
    enum digest digest = flag_bool(inv, "sha1") ? DIGEST_SHA1 : DIGEST_SHA256;
    struct buf b = buf_new(inv->arena, LINES_MAX);
    struct cert_list list;
    struct csr *csr;

    if (!n)
        return fail_value(inv, "format", format, NOTATION_NAMES);
    if (!cert_source(inv, place, flag_bool(inv, "insecure"), &list, &csr))
        return fail(inv);
    bool bundle = flag_bool(inv, "bundle");
    for (size_t i = 0; i < (csr ? 1 : list.n) && (i == 0 || bundle); i++) {
        if (bundle)
            buf_printf(&b, "%zu: ", i);
        fingerprint_put(&b, n, digest, csr ? csr->der : list.v[i]->der);
    }
    if (!buf_done(&b, "fingerprints", &inv->err))
        return fail(inv);
    out_put(inv, buf_slice(&b));
    return 0;
}

static const struct flag FINGERPRINT_FLAGS[] = {
    {"format", FLAG_TEXT, "<format>",
     "How to print it: hex, base64, base64-url, base64-raw, base64-url-raw (raw: without "
     "padding), or emoji.",
     "hex", 0},
    {"bundle", FLAG_BOOL, NULL, "Print the fingerprints of all certificates, each with its number.",
     NULL, 0},
    {"sha1", FLAG_BOOL, NULL, "Use SHA-1 instead of SHA-256. Requires --insecure.", NULL, 0},
    {"insecure", FLAG_BOOL, NULL,
     "Do not verify the certificate of a server; also confirms --sha1.", NULL, FLAG_NO_DEFAULTS},
    {0}};
static const struct flag *const FINGERPRINT_SETS[] = {FINGERPRINT_FLAGS, FLAGS_PEER, NULL};
static const struct flag_rule FINGERPRINT_RULES[] = {{RULE_INSECURE, "sha1", NULL}, {0}};

const struct command CMD_CERTIFICATE_FINGERPRINT = {
    .name = "fingerprint",
    .summary = "print the fingerprint of a certificate",
    .synopsis = "[<crt-file>]",
    .description = "Prints the SHA-256 digest of a certificate, or of a certificate request. Of "
                   "several certificates it is the first, unless --bundle is given.",
    .arguments = "crt-file\tA file with certificates or a request (PEM or DER), a URL, or \"-\", "
                 "the default, for standard input.",
    .examples = "The fingerprint of a root, for 'step ca bootstrap':\n"
                "$ step certificate fingerprint root_ca.crt\n"
                "\n"
                "All certificates that a server shows:\n"
                "$ step certificate fingerprint --bundle https://example.com",
    .flag_sets = FINGERPRINT_SETS,
    .rules = FINGERPRINT_RULES,
    .most = 1,
    .run = run_fingerprint,
};
