/* step crypto jws: any bytes under a signature (RFC 7515). */
#include "cli/crypto.h"
#include "cli/jtool.h"
#include "cli/tool_input.h"

#define JWS_TEXT_MAX (2 * TOOL_INPUT_MAX)

#define ALG_FLAG                                                                                   \
    {                                                                                              \
        "alg,algorithm", FLAG_TEXT, "<algorithm>",                                                 \
            "The <algorithm>: ES256, ES384, ES512, EdDSA, RS256, RS384, RS512, PS256, PS384, "     \
            "PS512, HS256, HS384 or HS512. Default: what the key says, or the usual one of its "   \
            "type.",                                                                               \
            NULL, 0                                                                                \
    }

/* --- sign --------------------------------------------------------------------------------- */

static void put_text(struct invocation *inv, struct json *header, const char *name)
{
    const char *text = flag_text(inv, name);

    if (text && flag_set(inv, name))
        json_set_exact(header, inv->arena, name, json_make_text(inv->arena, slice_text(text)));
}

static bool put_jwk(struct invocation *inv, const struct jtool_key *key, struct json *header)
{
    if (!flag_bool(inv, "jwk"))
        return true;
    if (!key->jwk.key)
        return err_set(&inv->err, ERR_MALFORMED,
                       "flag '--jwk' would publish the shared secret of %s", key->file);
    struct jwk jwk = key->jwk;
    jwk.use = SLICE("sig");
    jwk.alg = slice_text(key->alg);
    json_set_exact(header, inv->arena, "jwk", jwk_json(inv->arena, &jwk, false));
    return true;
}

static bool read_payload(struct invocation *inv, struct slice *payload)
{
    const char *file = arg_text(inv, 0);

    *payload = SLICE("");
    return (!file && !tool_piped()) || tool_read(inv, file, TOOL_INPUT_MAX, payload);
}

static int run_sign(struct invocation *inv)
{
    struct json *header = json_make_object(inv->arena);
    struct jtool_key key;
    struct slice payload, token;

    if (!jtool_key_load(inv, JTOOL_SIGN, SLICE_NONE, &key) || !put_jwk(inv, &key, header) ||
        !read_payload(inv, &payload))
        return fail(inv);
    put_text(inv, header, "jku");
    put_text(inv, header, "typ");
    put_text(inv, header, "cty");
    if (!jtool_sign(inv, &key, header, payload, &token))
        return fail(inv);
    out_line(inv, "%.*s", SLICE_ARG(token));
    return 0;
}

static const struct flag SIGN_FLAGS[] = {
    ALG_FLAG,
    {"jku", FLAG_TEXT, "<url>", "Where the signer's JWKs are: the header jku.", NULL, 0},
    {"jwk", FLAG_BOOL, NULL, "Put the public key into the header jwk.", NULL, 0},
    {"typ,type", FLAG_TEXT, "<type>", "The header typ: what the whole is.", NULL, 0},
    {"cty,content-type", FLAG_TEXT, "<type>", "The header cty: what the payload is.", NULL, 0},
    {0}};
static const struct flag *const SIGN_SETS[] = {SIGN_FLAGS, JTOOL_KEY_FLAGS, JTOOL_SIGN_FLAGS,
                                               JTOOL_SUBTLE_FLAGS, NULL};
static const struct flag_rule SIGN_RULES[] = {JTOOL_SIGN_RULES, JTOOL_KEY_RULES, {0}};

static const struct command SIGN = {
    .name = "sign",
    .summary = "sign bytes as a JWS",
    .synopsis = "[- | <filename>]",
    .description = "Signs the bytes of a file, or of standard input when something is piped in, "
                   "and prints a JWS in the compact form.",
    .arguments = "filename\tThe file to sign; \"-\": standard input.",
    .examples = "A message:\n"
                "$ echo hello | step crypto jws sign --key jwk.json\n"
                "\n"
                "With an RSA key and another algorithm than the usual one:\n"
                "$ step crypto jws sign --key rsa.pem --alg PS512 message.txt",
    .flag_sets = SIGN_SETS,
    .rules = SIGN_RULES,
    .most = 1,
    .run = run_sign,
};

/* --- verify, inspect ---------------------------------------------------------------------- */

static int show(struct invocation *inv, const struct jws *jws)
{
    out_put(inv, flag_bool(inv, "json") ? jtool_show(inv->secrets, jws, NULL) : jws->payload);
    return 0;
}

static int run_verify(struct invocation *inv)
{
    struct slice text;
    struct jws jws;
    struct jtool_key key;

    if (!tool_read(inv, NULL, JWS_TEXT_MAX, &text) ||
        !jtool_jws_read(inv->secrets, text, &jws, &inv->err) ||
        !jtool_key_load(inv, JTOOL_VERIFY, jws.kid, &key) ||
        !jtool_verify(&jws, &key, "JWS", &inv->err))
        return fail(inv);
    return show(inv, &jws);
}

static const struct flag JSON_FLAG[] = {
    {"json", FLAG_BOOL, NULL, "Print header, payload and signature as JSON.", NULL, 0}, {0}};
static const struct flag VERIFY_FLAGS[] = {ALG_FLAG, {0}};
static const struct flag *const VERIFY_SETS[] = {
    VERIFY_FLAGS, JSON_FLAG, JTOOL_KEY_FLAGS, JTOOL_SUBTLE_FLAGS, FLAGS_INSECURE, NULL};
static const struct flag_rule VERIFY_RULES[] = {JTOOL_KEY_RULES, {0}};

static const struct command VERIFY = {
    .name = "verify",
    .summary = "verify a JWS and print its payload",
    .synopsis = "",
    .description = "Reads a JWS from standard input, verifies its signature with the key and the "
                   "algorithm that the key or --alg names, and prints the payload's bytes. An RSA "
                   "key or a shared secret that does not say its algorithm needs --alg.",
    .examples = "The payload:\n"
                "$ step crypto jws verify --key jwk.pub.json < message.jws\n"
                "\n"
                "All of it, with an RSA key as PEM:\n"
                "$ step crypto jws verify --key rsa.pub --alg RS256 --json < message.jws",
    .exit_codes = "0 when the signature verifies, else 1.",
    .flag_sets = VERIFY_SETS,
    .rules = VERIFY_RULES,
    .run = run_verify,
};

static int run_inspect(struct invocation *inv)
{
    struct slice text;
    struct jws jws;

    if (!tool_read(inv, NULL, JWS_TEXT_MAX, &text) ||
        !jtool_jws_look(inv->secrets, text, &jws, &inv->err))
        return fail(inv);
    return show(inv, &jws);
}

static const struct flag *const INSPECT_SETS[] = {JSON_FLAG, FLAGS_INSECURE, NULL};
static const struct flag_rule INSPECT_RULES[] = {{RULE_REQUIRED, "insecure", NULL}, {0}};

static const struct command INSPECT = {
    .name = "inspect",
    .summary = "show what is in a JWS, without verifying it",
    .synopsis = "",
    .description = "Reads a JWS from standard input and prints its payload. Nothing is verified: "
                   "anybody can have written it. Hence --insecure must be given.",
    .examples = "The header and all the rest:\n"
                "$ step crypto jws inspect --insecure --json < message.jws\n"
                "\n"
                "The payload:\n"
                "$ step crypto jws inspect --insecure < message.jws",
    .flag_sets = INSPECT_SETS,
    .rules = INSPECT_RULES,
    .run = run_inspect,
};

static const struct command *const JWS_COMMANDS[] = {&SIGN, &VERIFY, &INSPECT, NULL};
const struct command CMD_CRYPTO_JWS = {
    .name = "jws",
    .summary = "sign and verify JWSs (JSON Web Signatures)",
    .description = "Signs bytes and verifies signatures (JSON Web Signature, RFC 7515).",
    .sub = JWS_COMMANDS,
};
