/* step crypto key sign, verify: signatures over files, without a container. */
#include "base/encode.h"
#include "base/file.h"
#include "cli/crypto.h"
#include "cli/key_files.h"
#include "cli/tool_input.h"
#include "crypto/tool.h"

#define SIGNATURE_MAX 4096u
#define MESSAGE_MAX   (1u << 30)
#define ALG_USUAL     "sha256"

static const struct flag ALG_FLAGS[] = {
    {"alg,algorithm", FLAG_TEXT, "<digest>",
     "The <digest> for an RSA key: sha1, sha224, sha256, sha384, sha512, sha512-224, sha512-256 or "
     "md5. EC and Ed25519 keys have theirs.",
     ALG_USUAL, 0},
    {"pss", FLAG_BOOL, NULL, "RSA: use PSS (RFC 8017 8.1) instead of PKCS#1 v1.5.", NULL, 0},
    {0}};

static bool digest_wanted(struct invocation *inv, enum digest *d)
{
    const char *alg = flag_text(inv, "alg");

    if (!*alg)
        alg = ALG_USUAL;
    return tool_digest_named(alg, d) ||
           err_set(&inv->err, ERR_MALFORMED, "invalid value '%s' for flag '--alg'; options are %s",
                   alg, TOOL_DIGESTS);
}

/* Scripts say --alg for every key; who says it to an EC key should know that it changes nothing. */
static void tell_unused(struct invocation *inv, const struct key *k)
{
    static const char *const FLAGS[] = {"alg", "pss"};

    for (size_t i = 0; k->type != KEY_RSA && i < COUNT_OF(FLAGS); i++) {
        if (flag_set(inv, FLAGS[i]))
            note(inv, "flag '--%s' changes nothing for a key of type %.*s", FLAGS[i],
                 SLICE_ARG(key_describe(inv->arena, k)));
    }
}

/* Not a secret, and larger than their heap. */
static bool message_read(struct invocation *inv, struct slice *message)
{
    const char *path = arg_text(inv, 0);

    return file_read(inv->arena, path ? path : "-", true, MESSAGE_MAX, message, &inv->err);
}

/* --- sign --------------------------------------------------------------------------------- */

static int run_sign(struct invocation *inv)
{
    const char *path = flag_text(inv, "key");
    struct buf sig = buf_new(inv->arena, SIGNATURE_MAX);
    struct key_file file;
    struct slice message;
    enum digest d;

    if (!digest_wanted(inv, &d) || !key_file_load(inv, path, "password-file", &file))
        return fail(inv);
    if (!file.secret)
        return fail_with(inv, "key %s is not a signer", path);
    tell_unused(inv, file.key);
    if (!message_read(inv, &message) ||
        !tool_sign(file.secret, d, flag_bool(inv, "pss"), message, &sig, &inv->err))
        return fail(inv);
    if (flag_bool(inv, "raw"))
        out_put(inv, buf_slice(&sig));
    else
        out_line(inv, "%.*s", SLICE_ARG(base64_text(inv->arena, BASE64_STD, buf_slice(&sig))));
    return 0;
}

static const struct flag SIGN_FLAGS[] = {
    {"key", FLAG_FILE, "<file>", "The <file> with the private key.", NULL, 0},
    {"raw", FLAG_BOOL, NULL, "Print the signature's bytes instead of base64.", NULL, 0},
    {"password-file", FLAG_FILE, "<file>", "The <file> with the password that decrypts the key.",
     NULL, 0},
    {0}};
static const struct flag *const SIGN_SETS[] = {SIGN_FLAGS, ALG_FLAGS, NULL};
static const struct flag_rule SIGN_RULES[] = {{RULE_REQUIRED, "key", NULL}, {0}};

const struct command CMD_CRYPTO_KEY_SIGN = {
    .name = "sign",
    .summary = "sign a file",
    .synopsis = "[<file>]",
    .description = "Signs a file, or standard input, and prints the signature: of an RSA key "
                   "PKCS#1 v1.5 or PSS with the longest salt, of an EC key in ASN.1 with the "
                   "digest of its curve, of an Ed25519 key its 64 bytes.",
    .arguments = "file\tThe file to sign; standard input when there is none, or \"-\".",
    .examples = "A file:\n"
                "$ step crypto key sign --key priv.key file.txt\n"
                "\n"
                "For openssl dgst:\n"
                "$ step crypto key sign --key rsa.key --alg sha512 --raw file.txt > file.sig",
    .flag_sets = SIGN_SETS,
    .rules = SIGN_RULES,
    .most = 1,
    .run = run_sign,
};

/* --- verify ------------------------------------------------------------------------------- */

static int run_verify(struct invocation *inv)
{
    struct key_file file;
    struct slice message, sig;
    enum digest d;

    if (!digest_wanted(inv, &d))
        return fail(inv);
    if (!base64_read(inv->arena, BASE64_PEM, slice_text(flag_text(inv, "signature")), &sig))
        return fail_with(inv, "error decoding base64 signature: RFC 4648 4: not base64");
    if (!key_file_load(inv, flag_text(inv, "key"), NULL, &file))
        return fail(inv);
    if (!file.key)
        return fail_with(inv, "a shared secret (oct) verifies no signature");
    tell_unused(inv, file.key);
    if (!message_read(inv, &message))
        return fail(inv);
    if (!tool_verify(file.key, d, flag_bool(inv, "pss"), message, sig, &inv->err))
        return inv->err.kind == ERR_UNAUTHORIZED ? fail_with(inv, "false") : fail(inv);
    out_line(inv, "true");
    return 0;
}

static const struct flag VERIFY_FLAGS[] = {
    {"key", FLAG_FILE, "<file>", "The <file> with the public key.", NULL, 0},
    {"signature,sig", FLAG_TEXT, "<base64>", "The signature, in <base64>.", NULL, 0},
    {0}};
static const struct flag *const VERIFY_SETS[] = {VERIFY_FLAGS, ALG_FLAGS, NULL};
static const struct flag_rule VERIFY_RULES[] = {
    {RULE_REQUIRED, "key", NULL}, {RULE_REQUIRED, "signature", NULL}, {0}};

const struct command CMD_CRYPTO_KEY_VERIFY = {
    .name = "verify",
    .summary = "verify the signature of a file",
    .synopsis = "[<file>]",
    .description = "Verifies a signature as 'step crypto key sign' makes it; of PSS with a salt of "
                   "any length.",
    .arguments = "file\tThe file that was signed; standard input when there is none, or \"-\".",
    .examples =
        "A file:\n"
        "$ step crypto key verify --key pub.pem --sig \"MEUC…\" file.txt\n"
        "\n"
        "With RSA-PSS:\n"
        "$ step crypto key verify --key rsa.pub --pss --sig \"$(base64 -w0 file.sig)\" file.txt",
    .exit_codes = "0 and \"true\" when the signature verifies; 1 and \"false\" on standard error "
                  "when it does not.",
    .flag_sets = VERIFY_SETS,
    .rules = VERIFY_RULES,
    .most = 1,
    .run = run_verify,
};
