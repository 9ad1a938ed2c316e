/*
 * step crypto jwe: bytes that only the owner of a key or a password can read (RFC 7516); and
 * step crypto jose, which turns one serialization into the other.
 */
#include "cli/crypto.h"
#include "cli/jtool.h"
#include "cli/key_files.h"
#include "cli/tool_input.h"

static const char *const ALGS[] = {
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "A128KW",
    "A192KW",
    "A256KW",
    "dir",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "A128GCMKW",
    "A192GCMKW",
    "A256GCMKW",
    "PBES2-HS256+A128KW",
    "PBES2-HS384+A192KW",
    "PBES2-HS512+A256KW",
};
static const char *const ENCS[] = {"A256GCM",       "A128GCM",       "A192GCM",
                                   "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"};

static bool is_one(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static const char *given(const struct invocation *inv, const char *flag)
{
    const char *text = flag_text(inv, flag);

    return text && *text ? text : NULL;
}

static bool key_flags(struct invocation *inv)
{
    if (given(inv, "key") || given(inv, "jwks"))
        return true;
    return err_set(&inv->err, ERR_MALFORMED, "one of flag --key or --jwks is required");
}

/* --- encrypt ------------------------------------------------------------------------------ */

static bool recipient(struct invocation *inv, const char **alg, struct jwe_key *key)
{
    static const char *const FLAGS[] = {"key", "jwks"};
    struct jtool_key loaded;
    bool password = *alg && strncmp(*alg, "PBES2-", 6) == 0;

    for (size_t i = 0; password && i < COUNT_OF(FLAGS); i++) {
        if (given(inv, FLAGS[i]))
            return err_set(&inv->err, ERR_MALFORMED,
                           "flag '--alg %s' and flag '--%s' are mutually exclusive", *alg,
                           FLAGS[i]);
    }
    if (password)
        return key_new_password(inv, "password-file", "the content", &key->password);
    if (!key_flags(inv) || !jtool_key_load(inv, JTOOL_ENCRYPT, SLICE_NONE, &loaded))
        return false;
    *alg = loaded.alg;
    *key =
        (struct jwe_key){.octets = loaded.jwk.octets, .key = loaded.jwk.key, .kid = loaded.jwk.kid};
    return true;
}

static int run_encrypt(struct invocation *inv)
{
    const char *alg = given(inv, "alg"), *enc = flag_text(inv, "enc");
    struct jwe_key key = {SLICE_NONE};
    struct slice plain, text;

    if (alg && !is_one(alg, ALGS, COUNT_OF(ALGS)))
        return fail_value(inv, "alg", alg, NULL);
    if (!is_one(enc, ENCS, COUNT_OF(ENCS)))
        return fail_value(inv, "enc", enc, NULL);
    if (!recipient(inv, &alg, &key) || !tool_read(inv, NULL, TOOL_INPUT_MAX, &plain))
        return fail(inv);
    const struct jwe_options options = {
        .alg = alg, .enc = enc, .typ = given(inv, "typ"), .cty = given(inv, "cty")};
    if (!jwe_seal(inv->arena, &options, &key, plain, JWE_FLATTENED, &text, &inv->err))
        return fail(inv);
    out_line(inv, "%.*s", SLICE_ARG(text));
    return 0;
}

static const struct flag ENCRYPT_FLAGS[] = {
    {"alg,algorithm", FLAG_TEXT, "<algorithm>",
     "How the content's key travels: RSA1_5, RSA-OAEP, RSA-OAEP-256, A128KW, A192KW, A256KW, dir, "
     "ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A192KW, ECDH-ES+A256KW, A128GCMKW, A192GCMKW, A256GCMKW, "
     "PBES2-HS256+A128KW, PBES2-HS384+A192KW or PBES2-HS512+A256KW. Default: what the key says, or "
     "the usual one of its type.",
     NULL, 0},
    {"enc,encryption-algorithm", FLAG_TEXT, "<algorithm>",
     "How the content is encrypted: A128GCM, A192GCM, A256GCM, A128CBC-HS256, A192CBC-HS384 or "
     "A256CBC-HS512.",
     "A256GCM", 0},
    {"typ,type", FLAG_TEXT, "<type>", "The header typ: what the whole is.", NULL, 0},
    {"cty,content-type", FLAG_TEXT, "<type>", "The header cty: what the content is.", NULL, 0},
    {0}};
static const struct flag *const ENCRYPT_SETS[] = {ENCRYPT_FLAGS, JTOOL_KEY_FLAGS,
                                                  JTOOL_SUBTLE_FLAGS, NULL};
static const struct flag_rule EXCLUSIVE_RULES[] = {{RULE_EXCLUSIVE, "key", "jwks"}, {0}};

static const struct command ENCRYPT = {
    .name = "encrypt",
    .summary = "encrypt bytes as a JWE",
    .synopsis = "",
    .description = "Encrypts what stands on standard input for the owner of a key, and prints a "
                   "JWE as one line of JSON. The PBES2 algorithms need no key but a password.",
    .examples = "For the owner of a key:\n"
                "$ step crypto jwe encrypt --key jwk.pub.json < message.txt > message.jwe\n"
                "\n"
                "With a password:\n"
                "$ step crypto jwe encrypt --alg PBES2-HS256+A128KW < message.txt",
    .flag_sets = ENCRYPT_SETS,
    .rules = EXCLUSIVE_RULES,
    .run = run_encrypt,
};

/* --- decrypt ------------------------------------------------------------------------------ */

static bool open_with_key(struct invocation *inv, const struct jwe *jwe, struct slice *plain)
{
    struct jtool_key loaded;

    if (!key_flags(inv) || !jtool_key_load(inv, JTOOL_DECRYPT, jwe->kid, &loaded))
        return false;
    const struct jwe_key key = {.octets = loaded.jwk.octets, .secret = loaded.jwk.secret};
    return jwe_open(inv->secrets, jwe, &key, plain, &inv->err) ||
           err_wrap(&inv->err, "error decrypting data");
}

static int run_decrypt(struct invocation *inv)
{
    struct slice text, plain;
    struct jwe jwe;

    if (!tool_read(inv, NULL, TOOL_TOKEN_MAX, &text))
        return fail(inv);
    if (!jwe_read(inv->arena, text, &jwe, &inv->err)) {
        err_wrap(&inv->err, "error parsing data");
        return fail(inv);
    }
    bool password = slice_starts(jwe.alg, "PBES2-");
    if (!(password ? jtool_open(inv, &jwe, "the data", &plain) : open_with_key(inv, &jwe, &plain)))
        return fail(inv);
    out_put(inv, plain);
    return 0;
}

static const struct flag *const DECRYPT_SETS[] = {JTOOL_KEY_FLAGS, NULL};

static const struct command DECRYPT = {
    .name = "decrypt",
    .summary = "decrypt a JWE",
    .synopsis = "",
    .description = "Reads a JWE, compact or JSON, from standard input and prints its content. One "
                   "that was encrypted with a password (PBES2) asks for it, unless --password-file "
                   "gives it; any other needs the private key or the shared secret.",
    .examples = "With a private key:\n"
                "$ step crypto jwe decrypt --key jwk.json < message.jwe\n"
                "\n"
                "The key of a provisioner:\n"
                "$ step crypto jwe decrypt --password-file pass < key.jwe",
    .flag_sets = DECRYPT_SETS,
    .rules = EXCLUSIVE_RULES,
    .run = run_decrypt,
};

static const struct command *const JWE_COMMANDS[] = {&ENCRYPT, &DECRYPT, NULL};
const struct command CMD_CRYPTO_JWE = {
    .name = "jwe",
    .summary = "encrypt and decrypt JWEs (JSON Web Encryption)",
    .description = "Encrypts and decrypts bytes (JSON Web Encryption, RFC 7516).",
    .sub = JWE_COMMANDS,
};

/* --- jose format -------------------------------------------------------------------------- */

static int run_format(struct invocation *inv)
{
    struct slice text, swapped;

    if (!tool_read(inv, NULL, 2 * TOOL_INPUT_MAX, &text) ||
        !jtool_swap(inv->secrets, text, &swapped, &inv->err))
        return fail(inv);
    out_line(inv, "%.*s", SLICE_ARG(swapped));
    return 0;
}

static const struct command FORMAT = {
    .name = "format",
    .summary = "turn compact into JSON and back",
    .synopsis = "",
    .description = "Reads a JWT, JWS or JWE from standard input: what is compact becomes JSON, "
                   "what is JSON becomes compact. Nothing is verified.",
    .examples = "A compact JWE:\n"
                "$ step crypto jwe encrypt --key jwk.pub.json < message | step crypto jose format\n"
                "\n"
                "A token as JSON:\n"
                "$ step crypto jose format < token",
    .run = run_format,
};

static const struct command *const JOSE_COMMANDS[] = {&FORMAT, NULL};
const struct command CMD_CRYPTO_JOSE = {
    .name = "jose",
    .summary = "rewrite JOSE objects",
    .description = "Changes the serialization of JWSs and JWEs.",
    .sub = JOSE_COMMANDS,
};
