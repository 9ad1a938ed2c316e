/*
 * step certificate p12: key and certificates, or certificates to trust, in one file under a
 * password (PKCS #12).
 */
#include "cli/certificate.h"
#include "cli/certificate_common.h"
#include "cli/key_files.h"
#include "cli/terminal.h"
#include "crypto/pkcs12.h"

#define CERTS_MAX 1000u

struct packing {
    struct invocation *inv;
    struct private_key *key;
    struct cert_list certs;
};

static bool load_identity(struct packing *p, struct cert_list *chain)
{
    struct invocation *inv = p->inv;
    const char *crt = arg_text(inv, 1), *path = arg_text(inv, 2);
    struct key_file file;

    if (!cert_list_load(inv->arena, crt, chain, &inv->err) ||
        !key_file_load(inv, path, NULL, &file))
        return false;
    if (!file.secret)
        return err_set(&inv->err, ERR_MALFORMED, "%s holds no private key", path);
    p->key = file.secret;
    return (chain->v[0]->key && key_eq(chain->v[0]->key, file.key)) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "the private key in %s does not belong to the certificate in %s", path, crt);
}

static bool add_all(struct packing *p, const struct cert_list *list, size_t from, size_t to)
{
    for (size_t i = from; i < list->n && i < to; i++) {
        if (p->certs.n == CERTS_MAX)
            return err_set(&p->inv->err, ERR_TOO_LARGE, "more than %u certificates", CERTS_MAX);
        cert_list_add(p->inv->arena, &p->certs, list->v[i]);
    }
    return true;
}

/* The leaf, what --ca names, and what else came with the leaf. */
static bool gather(struct packing *p)
{
    struct invocation *inv = p->inv;
    struct cert_list chain = {0}, list;
    size_t n;
    const struct slice *cas = flag_texts(inv, "ca", &n);

    if (inv->n_args == 3 && (!load_identity(p, &chain) || !add_all(p, &chain, 0, 1)))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!cert_list_load(inv->arena, arena_cstr(inv->arena, cas[i]), &list, &inv->err) ||
            !add_all(p, &list, 0, SIZE_MAX))
            return false;
    }
    return add_all(p, &chain, 1, SIZE_MAX);
}

static bool check_arguments(struct invocation *inv)
{
    size_t n;

    flag_texts(inv, "ca", &n);
    if (inv->n_args == 2)
        return err_set(&inv->err, ERR_MALFORMED,
                       "not enough positional arguments were provided in '%s': expected a "
                       "certificate and its key, or neither",
                       arguments_usage(inv));
    return inv->n_args == 3 || n ||
           err_set(&inv->err, ERR_MALFORMED,
                   "'%s' requires the '--ca' flag, or a certificate and its key", inv->path);
}

/* Unlike the one of a key file it may be empty: some programs ask for that. */
static bool get_password(struct invocation *inv, struct slice *password)
{
    *password = SLICE_NONE;
    if (flag_bool(inv, "no-password"))
        return true;
    if (!password_flag(inv, "password-file", password, &inv->err))
        return false;
    return password->p ||
           inv->terminal->password(inv->terminal, inv->secrets,
                                   "Please enter a password to encrypt the .p12 file",
                                   "--password-file", password, &inv->err);
}

/* By this name a key store of Java shows the certificate. */
static struct slice entry_name(struct arena *a, const struct cert *c)
{
    return arena_format(a, "%.*s - %.*s", SLICE_ARG(dn_text(a, &c->subject)),
                        SLICE_ARG(cert_fingerprint(a, c->der)));
}

static bool pack(struct packing *p, struct slice password, struct slice *der)
{
    struct arena *a = p->inv->arena;
    struct pkcs12_cert *certs = arena_array(a, p->certs.n, sizeof(*certs));
    const struct pkcs12_order order = {
        .key = p->key,
        .certs = certs,
        .n = p->certs.n,
        .password = password,
        .legacy = flag_bool(p->inv, "legacy"),
    };

    for (size_t i = 0; i < p->certs.n; i++) {
        certs[i].der = p->certs.v[i]->der;
        certs[i].trusted = !p->key;
        if (!p->key)
            certs[i].name = entry_name(a, p->certs.v[i]);
    }
    return pkcs12_make(p->inv->secrets, &order, der, &p->inv->err);
}

static int run_p12(struct invocation *inv)
{
    const char *path = arg_text(inv, 0);
    struct packing p = {.inv = inv};
    struct slice password, der;

    if (!check_arguments(inv) || !may_write(inv, path, &inv->err) || !gather(&p) ||
        !get_password(inv, &password) || !pack(&p, password, &der) ||
        !write_result(inv, path, der, 0600, &inv->err))
        return fail(inv);
    note(inv, "Your .p12 bundle has been saved as %s.", path);
    return 0;
}

static const struct flag P12_FLAGS[] = {
    {"ca", FLAG_TEXTS, "<file>",
     "A <file> with certificates of CAs to put in. Can be given several times.", NULL, 0},
    {"password-file", FLAG_FILE, "<file>", "The <file> with the password of the .p12 file.", NULL,
     0},
    {"no-password", FLAG_BOOL, NULL, "Use an empty password. Requires --insecure.", NULL, 0},
    {"legacy", FLAG_BOOL, NULL,
     "Use the weak ciphers of old times (RC2 with 40 bits, 3DES, SHA-1), for programs that read "
     "nothing else.",
     NULL, 0},
    {0}};
static const struct flag *const P12_SETS[] = {P12_FLAGS, FLAGS_FORCE, FLAGS_INSECURE, NULL};
static const struct flag_rule P12_RULES[] = {
    {RULE_EXCLUDES, "no-password", "password-file"}, {RULE_INSECURE, "no-password", NULL}, {0}};

const struct command CMD_CERTIFICATE_P12 = {
    .name = "p12",
    .summary = "put a certificate and its key into a .p12 file",
    .synopsis = "<p12-path> <crt-path> <key-path>\n<p12-path> --ca=<file>",
    .description =
        "Packs a certificate with its private key, and the certificates of CAs, into one file that "
        "is encrypted with a password (PKCS #12): browsers, Windows and Java import it.\n\n"
        "Without a certificate and a key the file is a trust store: the certificates of --ca, "
        "marked so that Java trusts them.",
    .arguments = "p12-path\tThe file to write.\n"
                 "crt-path\tThe file with the certificate first, and perhaps its chain.\n"
                 "key-path\tThe file with its private key.",
    .examples = "A certificate with its chain:\n"
                "$ step certificate p12 web.p12 web.crt web.key --ca intermediate_ca.crt\n"
                "\n"
                "A trust store for Java:\n"
                "$ step certificate p12 trust.p12 --ca root_ca.crt --password-file password.txt",
    .flag_sets = P12_SETS,
    .rules = P12_RULES,
    .least = 1,
    .most = 3,
    .run = run_p12,
};
