/*
 * step certificate bundle, format and key: the same certificate in another form.
 */
#include <sys/stat.h>

#include "base/file.h"
#include "cli/certificate.h"
#include "cli/certificate_common.h"
#include "cli/key_files.h"
#include "cli/terminal.h"
#include "crypto/pem.h"

/* --- bundle ------------------------------------------------------------------------------- */

static bool first_certificate(struct invocation *inv, const char *path, struct buf *b)
{
    struct cert_list list;

    if (!cert_list_load(inv->arena, path, &list, &inv->err))
        return false;
    pem_put(b, "CERTIFICATE", list.v[0]->der);
    return true;
}

static int run_bundle(struct invocation *inv)
{
    const char *path = arg_text(inv, 2);
    struct buf b = buf_new(inv->arena, 4 * CERT_MAX);

    if (!first_certificate(inv, arg_text(inv, 0), &b) ||
        !first_certificate(inv, arg_text(inv, 1), &b) || !buf_done(&b, "bundle", &inv->err) ||
        !write_result(inv, path, buf_slice(&b), 0600, &inv->err))
        return fail(inv);
    note(inv, "Your certificate has been saved in %s.", path);
    return 0;
}

static const struct flag *const BUNDLE_SETS[] = {FLAGS_FORCE, NULL};

const struct command CMD_CERTIFICATE_BUNDLE = {
    .name = "bundle",
    .summary = "put a certificate and the one of its issuer into one file",
    .synopsis = "<crt-file> <ca> <bundle-file>",
    .description = "Writes the first certificate of one file and the first of another into a "
                   "third, as servers want them: the leaf first, its issuer behind it.",
    .arguments = "crt-file\tThe file with the leaf certificate (PEM or DER).\n"
                 "ca\tThe file with the certificate of its issuer (PEM or DER).\n"
                 "bundle-file\tThe file to write.",
    .examples = "A chain for a web server:\n"
                "$ step certificate bundle web.crt intermediate_ca.crt web-chain.crt\n"
                "\n"
                "The same over an older one:\n"
                "$ step certificate bundle --force web.crt intermediate_ca.crt web-chain.crt",
    .flag_sets = BUNDLE_SETS,
    .least = 3,
    .most = 3,
    .run = run_bundle,
};

/* --- format ------------------------------------------------------------------------------- */

static bool is_request(struct slice label)
{
    return slice_ends(label, "CERTIFICATE REQUEST");
}

static bool pem_to_der(struct invocation *inv, const char *name, struct slice text,
                       struct slice *der)
{
    struct err *e = &inv->err;
    struct pem block;

    while (pem_next(inv->arena, &text, &block, e)) {
        if (!slice_is(block.label, "CERTIFICATE") && !is_request(block.label))
            continue;
        *der = block.der;
        return true;
    }
    if (e->kind != ERR_NONE)
        return err_wrap(e, "error decoding %s", name);
    return err_set(e, ERR_MALFORMED,
                   "error decoding %s: expected a CERTIFICATE or CERTIFICATE REQUEST block", name);
}

/* Which of the two it is says the DER itself. */
static bool der_to_pem(struct invocation *inv, const char *name, struct slice text,
                       struct slice *pem)
{
    struct cert *c;
    struct csr *csr;
    struct err *e = &inv->err;

    if (cert_read(inv->arena, text, &c, NULL))
        *pem = pem_text(inv->arena, "CERTIFICATE", c->der);
    else if (csr_read(inv->arena, text, &csr, NULL))
        *pem = pem_text(inv->arena, "CERTIFICATE REQUEST", csr->der);
    else
        return err_set(e, ERR_MALFORMED,
                       "error decoding %s: expected a certificate or a certificate request as PEM "
                       "or DER",
                       name);
    return true;
}

/* What is readable for all stays so. */
static unsigned mode_of(const char *path)
{
    struct stat st;

    return strcmp(path, "-") != 0 && stat(path, &st) == 0 ? st.st_mode & 0777 : 0600;
}

static int run_format(struct invocation *inv)
{
    const char *place = inv->n_args ? arg_text(inv, 0) : "-", *out = flag_text(inv, "out");
    const char *name = strcmp(place, "-") == 0 ? "standard input" : place;
    struct slice text, result;

    if (!file_read(inv->arena, place, true, FILE_MAX_USUAL, &text, &inv->err))
        return fail(inv);
    text = bom_skip(text);
    bool pem = pem_looks_like(text);
    if (!(pem ? pem_to_der : der_to_pem)(inv, name, text, &result))
        return fail(inv);
    if (!out || !*out) {
        out_put(inv, result);
        return 0;
    }
    if (!write_result(inv, out, result, mode_of(place), &inv->err))
        return fail(inv);
    note(inv, "Your certificate has been saved in %s.", out);
    return 0;
}

static const struct flag FORMAT_FLAGS[] = {
    {"out", FLAG_FILE, "<file>", "The <file> to write. Default: standard output.", NULL, 0}, {0}};
static const struct flag *const FORMAT_SETS[] = {FORMAT_FLAGS, FLAGS_FORCE, NULL};

const struct command CMD_CERTIFICATE_FORMAT = {
    .name = "format",
    .summary = "convert a certificate between PEM and DER",
    .synopsis = "[<crt-file>]",
    .description = "Writes the first certificate or certificate request of a PEM file as DER, and "
                   "what is DER as PEM.",
    .arguments = "crt-file\tA file with a certificate or request, or \"-\", the default, for "
                 "standard input.",
    .examples = "From PEM to DER:\n"
                "$ step certificate format web.crt --out web.der\n"
                "\n"
                "And back, through a pipe:\n"
                "$ step certificate format < web.der > web.crt",
    .flag_sets = FORMAT_SETS,
    .most = 1,
    .run = run_format,
};

/* --- key ---------------------------------------------------------------------------------- */

/* Certificates and requests as DER; anything else is a file of a key. */
static bool read_public_key(struct invocation *inv, struct slice text, const char *name,
                            const struct key **key)
{
    struct password_source *source =
        terminal_password_source(inv->arena, inv->terminal, SLICE_NONE, NULL, 1);
    struct key_file file;
    struct cert *c;
    struct csr *csr;

    if (pem_looks_like(text))
        return public_key_read(inv->arena, text, name, source, key, &inv->err);
    if (cert_read(inv->arena, text, &c, NULL))
        *key = c->key;
    else if (csr_read(inv->arena, text, &csr, NULL))
        *key = csr->key;
    else if (key_file_read(inv, text, name, NULL, &file))
        *key = file.key;
    else
        return false;
    return *key || err_set(&inv->err, ERR_MALFORMED,
                           "%s: the key is of a type that is not supported", name);
}

static int run_key(struct invocation *inv)
{
    const char *out = flag_text(inv, "out"), *name;
    const struct key *key;
    struct slice text;

    if (!key_text_load(inv, arg_text(inv, 0), &text, &name) ||
        !read_public_key(inv, text, name, &key))
        return fail(inv);
    struct slice pem = public_key_pem(inv->arena, key);
    if (!out || !*out) {
        out_put(inv, pem);
        return 0;
    }
    if (!write_result(inv, out, pem, 0600, &inv->err))
        return fail(inv);
    note(inv, "Your public key has been saved in %s.", out);
    return 0;
}

static const struct flag KEY_FLAGS[] = {{"out,output-file", FLAG_FILE, "<file>",
                                         "The <file> to write. Default: standard output.", NULL, 0},
                                        {0}};
static const struct flag *const KEY_SETS[] = {KEY_FLAGS, FLAGS_FORCE, NULL};

const struct command CMD_CERTIFICATE_KEY = {
    .name = "key",
    .summary = "print the public key of a certificate",
    .synopsis = "<crt-file>",
    .description = "Prints the public key of a certificate or of a certificate request as PEM. Of "
                   "several it is the first.",
    .arguments = "crt-file\tA file with a certificate, a request or a key (PEM or DER), or \"-\" "
                 "for standard input.",
    .examples = "The key of a certificate:\n"
                "$ step certificate key web.crt\n"
                "\n"
                "Does a private key belong to it?\n"
                "$ diff <(step certificate key web.crt) <(step crypto key public web.key)",
    .flag_sets = KEY_SETS,
    .least = 1,
    .most = 1,
    .run = run_key,
};
