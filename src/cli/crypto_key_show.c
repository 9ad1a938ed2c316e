/*
 * step crypto key public, inspect, fingerprint: what can be seen of a key.  Of several PEM blocks
 * it is the first that counts, so that a bundle tells about its leaf.
 */
#include "base/encode.h"
#include "cli/crypto.h"
#include "cli/key_files.h"
#include "cli/notation.h"
#include "crypto/pem.h"
#include "crypto/tool.h"

#define SHOWN_MAX  (256u << 10)
#define LINE_BYTES 16

/* --- Reading ------------------------------------------------------------------------------ */

/* Up to the end of the first block that holds a key. */
static struct slice first_block(struct invocation *inv, struct slice text)
{
    struct slice rest = bom_skip(text);
    struct pem block;

    do {
        if (!pem_next(inv->secrets, &rest, &block, NULL))
            return text; /* the reader will say what is wrong */
    } while (slice_is(block.label, "EC PARAMETERS"));
    return block.text;
}

static bool read_key(struct invocation *inv, struct key_file *file)
{
    const char *name;
    struct slice text;

    if (!key_text_load(inv, arg_text(inv, 0), &text, &name))
        return false;
    if (pem_looks_like(text))
        text = first_block(inv, text);
    if (!key_file_read(inv, text, name, "password-file", file))
        return false;
    return file->key || err_set(&inv->err, ERR_MALFORMED,
                                "%s is a shared secret (oct): it has no public key", name);
}

static const struct flag PASSWORD_FLAG[] = {
    {"password-file", FLAG_FILE, "<file>",
     "The <file> with the password that decrypts a private key.", NULL, 0},
    {0}};

/* --- public ------------------------------------------------------------------------------- */

static int run_public(struct invocation *inv)
{
    const char *out = flag_text(inv, "out");
    struct key_file file;

    if (!read_key(inv, &file))
        return fail(inv);
    struct slice pem = public_key_pem(inv->arena, file.key);
    if (!out || !*out) {
        out_put(inv, pem);
        return 0;
    }
    if (!write_result(inv, out, pem, 0600, &inv->err))
        return fail(inv);
    note(inv, "The public key has been saved in %s.", out);
    return 0;
}

static const struct flag PUBLIC_FLAGS[] = {{"out,output-file", FLAG_FILE, "<file>",
                                            "Write into this <file>, not to standard output.", NULL,
                                            0},
                                           {0}};
static const struct flag *const PUBLIC_SETS[] = {PUBLIC_FLAGS, PASSWORD_FLAG, FLAGS_FORCE, NULL};

const struct command CMD_CRYPTO_KEY_PUBLIC = {
    .name = "public",
    .summary = "print the public key of a key or certificate",
    .synopsis = "[<key-file>]",
    .description = "Prints the public key of a private or public key, a certificate or a request, "
                   "as PEM. Of several PEM blocks it is the first.",
    .arguments = "key-file\tThe file; standard input when there is none, or \"-\".",
    .examples = "Of a private key:\n"
                "$ step crypto key public priv.pem\n"
                "\n"
                "Of a certificate, into a file:\n"
                "$ step crypto key public foo.crt --out foo.pub",
    .flag_sets = PUBLIC_SETS,
    .most = 1,
    .run = run_public,
};

/* --- inspect ------------------------------------------------------------------------------ */

static void put_bytes(struct buf *b, const char *label, struct slice bytes)
{
    buf_printf(b, "%s:", label);
    for (size_t i = 0; i < bytes.n; i++)
        buf_printf(b, "%s%02x", i % LINE_BYTES ? ":" : i ? ":\n    " : "\n    ", bytes.p[i]);
    buf_byte(b, '\n');
}

/* Of RSA: without leading zeros, but never nothing. */
static void put_number(struct buf *b, const char *label, struct slice number)
{
    while (number.n > 1 && !number.p[0])
        number = slice_from(number, 1);
    put_bytes(b, label, number);
}

static void put_ec(struct buf *b, const struct key *k, const struct key_numbers *n, bool secret)
{
    buf_printf(b, "EC %s-Key: (%u bit)\n", secret ? "PrivateKey" : "Public", k->bits);
    put_bytes(b, "X", n->x);
    put_bytes(b, "Y", n->y);
    if (secret)
        put_bytes(b, "D", n->d);
    buf_printf(b, "Curve: %s\n", key_curve_name(k->type));
}

static void put_okp(struct buf *b, const struct key *k, const struct key_numbers *n, bool secret)
{
    buf_printf(b, "%s %s-Key: (%u bit)\n", key_curve_name(k->type), secret ? "Private" : "Public",
               secret ? 512 : 256);
    put_bytes(b, "Public", n->x);
    if (secret)
        put_bytes(b, "Private", n->d);
}

/* The private exponent takes as many bytes as the modulus. */
static void put_as_long(struct buf *b, struct arena *a, const char *label, struct slice number,
                        struct slice as)
{
    struct buf padded = buf_new(a, as.n + number.n);

    for (size_t i = number.n; i < as.n; i++)
        buf_byte(&padded, 0);
    buf_put(&padded, number);
    put_bytes(b, label, buf_slice(&padded));
}

static void put_exponent(struct buf *b, const char *label, struct slice e)
{
    uint64_t v = 0;

    for (size_t i = 0; i < e.n; i++)
        v = v << 8 | e.p[i]; /* at most 64 bits: key_from_spki */
    buf_printf(b, "%s: %llu (0x%llx)\n", label, (unsigned long long)v, (unsigned long long)v);
}

static void put_rsa(struct buf *b, const struct key *k, const struct key_numbers *n, bool secret)
{
    buf_printf(b, "RSA %s-Key: (%u bit)\n", secret ? "Private" : "Public", k->bits);
    put_number(b, "Modulus", n->n);
    put_exponent(b, secret ? "Public Exponent" : "Exponent", n->e);
    if (!secret)
        return;
    put_as_long(b, b->arena, "Private Exponent", n->d, n->n);
    put_number(b, "Prime #1", n->p);
    put_number(b, "Prime #2", n->q);
    put_number(b, "Exponent #1", n->dp);
    put_number(b, "Exponent #2", n->dq);
    put_number(b, "Coefficient", n->qi);
}

static int run_inspect(struct invocation *inv)
{
    struct buf b = buf_new(inv->secrets, SHOWN_MAX);
    struct key_numbers numbers = {0};
    struct key_file file;

    if (!read_key(inv, &file))
        return fail(inv);
    bool secret = file.secret;
    if (!(secret ? private_key_numbers(inv->secrets, file.secret, &numbers, &inv->err)
                 : key_numbers(inv->arena, file.key, &numbers, &inv->err)))
        return fail(inv);
    if (key_is_ec(file.key))
        put_ec(&b, file.key, &numbers, secret);
    else if (file.key->type == KEY_RSA)
        put_rsa(&b, file.key, &numbers, secret);
    else
        put_okp(&b, file.key, &numbers, secret);
    out_put(inv, buf_slice(&b));
    return 0;
}

static const struct flag *const INSPECT_SETS[] = {PASSWORD_FLAG, NULL};

const struct command CMD_CRYPTO_KEY_INSPECT = {
    .name = "inspect",
    .summary = "print the numbers of a key",
    .synopsis = "[<key-file>]",
    .description = "Prints type, size and numbers of a public or private key; those of a private "
                   "key are secret. A certificate or a request shows its public key.",
    .arguments = "key-file\tThe file; standard input when there is none, or \"-\".",
    .examples = "A public key:\n"
                "$ step crypto key inspect pub.pem\n"
                "\n"
                "The key of a certificate:\n"
                "$ step crypto key inspect foo.crt",
    .flag_sets = INSPECT_SETS,
    .most = 1,
    .run = run_inspect,
};

/* --- fingerprint -------------------------------------------------------------------------- */

/* The bytes of the key that are hashed. */
static bool key_bytes(struct invocation *inv, const struct key *k, struct slice *bytes)
{
    if (flag_bool(inv, "pkix")) {
        *bytes = k->spki;
        return true;
    }
    *bytes = k->point;
    if (!flag_bool(inv, "ssh"))
        return true;
    struct slice line = public_key_openssh(inv->arena, k), type, blob;
    if (!line.p || !slice_split(&line, ' ', &type) || !slice_split(&line, ' ', &blob) ||
        !base64_read(inv->arena, BASE64_STD, blob, bytes))
        return err_set(&inv->err, ERR_MALFORMED, "OpenSSH has no keys of type %.*s",
                       SLICE_ARG(key_describe(inv->arena, k)));
    return true;
}

static int run_fingerprint(struct invocation *inv)
{
    bool sha1 = flag_bool(inv, "sha1");
    enum digest d = sha1 ? DIGEST_SHA1 : DIGEST_SHA256;
    const char *format = flag_text(inv, "format");
    const struct notation *n = notation_named(format && *format ? format : sha1 ? "hex" : "base64");
    uint8_t hash[DIGEST_MAX];
    struct key_file file;
    struct slice bytes;

    if (!n)
        return fail_value(inv, "format", format, NOTATION_NAMES);
    if (!read_key(inv, &file) || !key_bytes(inv, file.key, &bytes))
        return fail(inv);
    if (flag_bool(inv, "raw")) {
        out_put(inv, bytes);
        return 0;
    }
    digest_of(d, bytes, hash);
    struct slice text = notation_text(inv->arena, n, slice_of(hash, digest_size(d)));
    out_line(inv, "%s:%.*s", digest_name(d), SLICE_ARG(text));
    return 0;
}

static const struct flag FINGERPRINT_FLAGS[] = {
    {"sha1", FLAG_BOOL, NULL,
     "Use SHA-1, in hexadecimal: the subject key identifier of most certificates.", NULL, 0},
    {"pkix", FLAG_BOOL, NULL, "Hash the whole SubjectPublicKeyInfo instead of the key's bits.",
     NULL, 0},
    {"ssh", FLAG_BOOL, NULL, "Hash the key as OpenSSH writes it.", NULL, 0},
    {"raw", FLAG_BOOL, NULL, "Print the bytes that would be hashed.", NULL, 0},
    {"format", FLAG_TEXT, "<format>",
     "How to print it: hex, base64, base64-url, base64-raw, base64-url-raw (raw: without "
     "padding), or emoji.",
     NULL, 0},
    {0}};
static const struct flag *const FINGERPRINT_SETS[] = {FINGERPRINT_FLAGS, PASSWORD_FLAG, NULL};
static const struct flag_rule FINGERPRINT_RULES[] = {{RULE_EXCLUSIVE, "pkix", "ssh"}, {0}};

const struct command CMD_CRYPTO_KEY_FINGERPRINT = {
    .name = "fingerprint",
    .summary = "print the fingerprint of a public key",
    .synopsis = "[<key-file>]",
    .description = "Prints the SHA-256 digest of a public key, or of the public half of a private "
                   "one: by default of the bits that stand in the subjectPublicKey of RFC 5280. "
                   "Of a certificate it is the fingerprint of its key; for its own see 'step "
                   "certificate fingerprint'.",
    .arguments = "key-file\tThe file; standard input when there is none, or \"-\".",
    .examples = "A public key:\n"
                "$ step crypto key fingerprint pub.pem\n"
                "\n"
                "As ssh-keygen -l shows it, but with padding:\n"
                "$ step crypto key fingerprint --ssh id_ed25519.pub",
    .flag_sets = FINGERPRINT_SETS,
    .rules = FINGERPRINT_RULES,
    .most = 1,
    .run = run_fingerprint,
};
