/* step ssh fingerprint: the digest of a key or certificate, in several notations. */
#include "cli/notation.h"
#include "cli/ssh.h"
#include "crypto/digest.h"

/* What is shown of a line. */
struct print {
    struct ssh_key key;
    bool is_cert;
};

static bool read_print(struct arena *a, struct slice blob, struct print *p, struct err *e)
{
    struct ssh_cert cert;

    p->is_cert = ssh_blob_is_cert(blob);
    if (!p->is_cert)
        return ssh_key_read(a, blob, &p->key, e);
    if (!ssh_cert_read(a, blob, &cert, e))
        return false;
    p->key = cert.key;
    return true;
}

static int run_fingerprint(struct invocation *inv)
{
    const char *path = inv->n_args ? arg_text(inv, 0) : "-", *format = flag_text(inv, "format");
    const struct notation *n = notation_named(format);
    bool whole = flag_bool(inv, "certificate");
    struct ssh_line line;
    struct print p;

    if (!n)
        return fail_value(inv, "format", format, NOTATION_NAMES);
    if (!ssh_input_line(inv, path, &line, &inv->err))
        return fail(inv);
    if (!read_print(inv->arena, line.blob, &p, &inv->err)) {
        (void)err_wrap(&inv->err, "%s", path);
        return fail(inv);
    }
    if (whole && !p.is_cert)
        return fail_with(inv, "%s: expected a certificate for --certificate, found a key", path);
    struct slice hash = digest_bytes(inv->arena, DIGEST_SHA256, whole ? line.blob : p.key.blob);
    struct slice comment = line.comment.n ? line.comment : SLICE("no comment");
    out_line(inv, "%u SHA256:%.*s %.*s (%s%s)", ssh_key_bits(&p.key),
             SLICE_ARG(notation_text(inv->arena, n, hash)), SLICE_ARG(comment),
             ssh_key_label(p.key.kind), p.is_cert ? "-CERT" : "");
    return 0;
}

static const struct flag FINGERPRINT_FLAGS[] = {
    {"format", FLAG_TEXT, "<format>",
     "How to print it: hex, base64, base64-url, base64-raw, base64-url-raw (raw: without "
     "padding), or emoji.",
     "base64-raw", 0},
    {"certificate", FLAG_BOOL, NULL,
     "Print the fingerprint of the whole certificate and not of the key that is in it.", NULL, 0},
    {0}};
static const struct flag *const FINGERPRINT_SETS[] = {FINGERPRINT_FLAGS, NULL};

const struct command CMD_SSH_FINGERPRINT = {
    .name = "fingerprint",
    .summary = "print the fingerprint of an SSH key or certificate",
    .synopsis = "[<file>]",
    .description = "Prints size, SHA-256 digest, comment and type of a public key as 'ssh-keygen "
                   "-l' does. Of a certificate it is the digest of the key that it is for.",
    .arguments = "file\tA file with a public key or a certificate, or \"-\", the default, for "
                 "standard input.",
    .examples = "The fingerprint of a key:\n"
                "$ step ssh fingerprint id_ecdsa.pub\n"
                "\n"
                "Of a certificate itself, in hexadecimal:\n"
                "$ step ssh fingerprint id_ecdsa-cert.pub --certificate --format hex",
    .flag_sets = FINGERPRINT_SETS,
    .most = 1,
    .run = run_fingerprint,
    .no_defaults = true,
};
