/*
 * step crypto jwt: tokens of claims (RFC 7519).
 *
 * Signing: the registered claims from flags, then the payload's members over them.  Verifying: the
 * signature first, then every claim that is wrong is told at once.
 */
#include "base/encode.h"
#include "cli/crypto.h"
#include "cli/jtool.h"
#include "cli/tool_input.h"

#define PAYLOAD_MAX (1u << 20)
#define JTI_BYTES   32
#define JTI_OTHER   20 /* for --jti "" */

#define ALG_FLAG                                                                                   \
    {                                                                                              \
        "alg,algorithm", FLAG_TEXT, "<algorithm>",                                                 \
            "The <algorithm>: ES256, ES384, ES512, EdDSA, RS256, RS384, RS512, PS256, PS384, "     \
            "PS512, HS256, HS384 or HS512. Default: what the key says, or the usual one of its "   \
            "type.",                                                                               \
            NULL, 0                                                                                \
    }

/* --- sign: claims ------------------------------------------------------------------------- */

static bool required_flags(struct invocation *inv)
{
    static const char *const REQUIRED[] = {"iss", "aud", "sub", "exp"};
    int64_t exp = flag_int(inv, "exp");

    if (flag_bool(inv, "subtle"))
        return true;
    for (size_t i = 0; i < COUNT_OF(REQUIRED); i++) {
        const char *text = flag_text(inv, REQUIRED[i]);
        if (!text || !*text)
            return err_set(&inv->err, ERR_MALFORMED,
                           "flag '--%s' is required unless '--subtle' is used", REQUIRED[i]);
    }
    return exp > inv->clock->now(inv->clock).sec ||
           err_set(&inv->err, ERR_MALFORMED,
                   "flag '--exp' must be in the future unless the '--subtle' flag is provided");
}

static void put_text(struct invocation *inv, struct json *claims, const char *name)
{
    const char *text = flag_text(inv, name);

    if (text && *text)
        json_set_exact(claims, inv->arena, name, json_make_text(inv->arena, slice_text(text)));
}

static void put_audience(struct invocation *inv, struct json *claims)
{
    size_t n;
    const struct slice *aud = flag_texts(inv, "aud", &n);

    if (n == 1)
        json_set_exact(claims, inv->arena, "aud", json_make_text(inv->arena, aud[0]));
    if (n < 2)
        return;
    struct json *list = json_make_list(inv->arena);
    for (size_t i = 0; i < n; i++)
        json_append(list, json_make_text(inv->arena, aud[i]));
    json_set_exact(claims, inv->arena, "aud", list);
}

static void put_time(struct invocation *inv, struct json *claims, const char *name, int64_t usual)
{
    int64_t given = flag_set(inv, name) ? flag_int(inv, name) : 0, sec = given ? given : usual;

    if (sec)
        json_set_exact(claims, inv->arena, name, json_make_int(inv->arena, sec));
}

static void put_jti(struct invocation *inv, struct json *claims)
{
    uint8_t bytes[JTI_BYTES];
    const char *given = flag_text(inv, "jti");

    if (given && *given) {
        put_text(inv, claims, "jti");
        return;
    }
    size_t n = flag_set(inv, "jti") ? JTI_OTHER : JTI_BYTES;
    inv->rng->fill(inv->rng, bytes, n);
    json_set_exact(claims, inv->arena, "jti",
                   json_make_text(inv->arena, hex_text(inv->arena, slice_of(bytes, n))));
}

static bool read_payload(struct invocation *inv, struct json **payload)
{
    const char *file = arg_text(inv, 0);
    const char *name = file && strcmp(file, "-") != 0 ? file : "standard input";
    struct slice text = SLICE_NONE;

    *payload = NULL;
    if (!file && !tool_piped())
        return true;
    if (!tool_read(inv, file, PAYLOAD_MAX, &text))
        return false;
    if (!file && !text.n)
        return true;
    *payload = json_read(inv->secrets, text, &JSON_JOSE, NULL, &inv->err);
    if (!*payload)
        return err_wrap(&inv->err, "error decoding JSON from %s", name);
    return (*payload)->kind == JSON_OBJECT ||
           err_set(&inv->err, ERR_MALFORMED,
                   "error decoding JSON from %s: expected an object of claims (RFC 7519 7.1)",
                   name);
}

static bool make_claims(struct invocation *inv, struct slice *text)
{
    struct json *claims = json_make_object(inv->arena), *payload;
    int64_t now = inv->clock->now(inv->clock).sec;
    struct buf b = buf_new(inv->secrets, 2 * PAYLOAD_MAX);

    if (!read_payload(inv, &payload))
        return false;
    put_text(inv, claims, "iss");
    put_text(inv, claims, "sub");
    put_audience(inv, claims);
    put_time(inv, claims, "exp", 0);
    put_time(inv, claims, "nbf", now);
    put_time(inv, claims, "iat", now);
    put_jti(inv, claims);
    for (const struct json *m = payload ? payload->first : NULL; m; m = m->next)
        json_set_exact(claims, inv->secrets, arena_cstr(inv->secrets, m->name),
                       json_copy(inv->secrets, m));
    jtool_sort(inv->secrets, claims);
    json_print(&b, claims, NULL);
    *text = buf_slice(&b);
    return buf_done(&b, "payload", &inv->err);
}

/* What the command itself decides, or what changes how a token is verified. */
static bool is_ours(struct slice name)
{
    static const char *const OURS[] = {"alg", "b64", "crit", "x5c", "x5cInsecure", "x5t"};

    for (size_t i = 0; i < COUNT_OF(OURS); i++) {
        if (slice_is(name, OURS[i]))
            return true;
    }
    return false;
}

static bool make_header(struct invocation *inv, struct json *header)
{
    size_t n;
    const struct slice *members = flag_texts(inv, "header", &n);

    json_set_exact(header, inv->arena, "typ", json_make_text(inv->arena, SLICE("JWT")));
    for (size_t i = 0; i < n; i++) {
        size_t equals = slice_find(members[i], '=');
        struct slice name = slice_sub(members[i], 0, equals);
        if (equals == members[i].n || !name.n || is_ours(name))
            return err_set(&inv->err, ERR_MALFORMED, "invalid value '%.*s' for flag '--header'",
                           SLICE_ARG(members[i]));
        json_set_exact(header, inv->arena, arena_cstr(inv->arena, name),
                       json_make_text(inv->arena, slice_from(members[i], equals + 1)));
    }
    return true;
}

static int run_sign(struct invocation *inv)
{
    struct json *header = json_make_object(inv->arena);
    struct jtool_key key;
    struct slice claims, token;

    if (!jtool_kid_given(inv) || !required_flags(inv) || !make_header(inv, header) ||
        !jtool_key_load(inv, JTOOL_SIGN, SLICE_NONE, &key) || !make_claims(inv, &claims) ||
        !jtool_sign(inv, &key, header, claims, &token))
        return fail(inv);
    out_line(inv, "%.*s", SLICE_ARG(token));
    return 0;
}

static const struct flag SIGN_FLAGS[] = {
    ALG_FLAG,
    {"iss,issuer", FLAG_TEXT, "<issuer>", "Who made the token: the claim iss.", NULL, 0},
    {"aud,audience", FLAG_TEXTS, "<audience>",
     "For whom it is: the claim aud. Can be given several times.", NULL, 0},
    {"sub,subject", FLAG_TEXT, "<subject>", "Whom it is about: the claim sub.", NULL, 0},
    {"exp,expiration", FLAG_INT, "<seconds>", "When it expires, in <seconds> since 1970.", NULL, 0},
    {"nbf,not-before", FLAG_INT, "<seconds>",
     "Before when it does not count, in <seconds> since 1970. Default, and 0: now.", NULL, 0},
    {"iat,issued-at", FLAG_INT, "<seconds>",
     "When it was made, in <seconds> since 1970. Default, and 0: now.", NULL, 0},
    {"jti,jwt-id", FLAG_TEXT, "<text>", "The token's identifier. Default: a random one.", NULL, 0},
    {"header", FLAG_TEXTS, "<name=text>",
     "A further member of the header. Can be given several times.", NULL, 0},
    {"x5c-insecure", FLAG_BOOL, NULL,
     "Put the chain of --x5c-cert into the header x5cInsecure, for programs that do not check x5c.",
     NULL, 0},
    {0}};
static const struct flag *const SIGN_SETS[] = {SIGN_FLAGS, JTOOL_KEY_FLAGS, JTOOL_SIGN_FLAGS,
                                               JTOOL_SUBTLE_FLAGS, NULL};
static const struct flag_rule SIGN_RULES[] = {JTOOL_SIGN_RULES, JTOOL_KEY_RULES, {0}};

static const struct command SIGN = {
    .name = "sign",
    .summary = "make a signed JWT",
    .synopsis = "[- | <filename>]",
    .description = "Prints a signed token with the claims of the flags and of a JSON object, read "
                   "from the file or, when something is piped in, from standard input; the "
                   "object's members replace those of flags.\n\n"
                   "A token without issuer, audience, subject or expiry is easily misused: leaving "
                   "one out needs --subtle.",
    .arguments = "filename\tA file with a JSON object of claims; \"-\": standard input.",
    .examples =
        "A token for ten minutes:\n"
        "$ step crypto jwt sign --key jwk.json --iss me@example.com --aud api.example.com \\\n"
        "    --sub alice --exp $(date -d '10 minutes' +%s)\n"
        "\n"
        "With claims of our own, and the certificate of the key in the header:\n"
        "$ echo '{\"role\":\"admin\"}' | step crypto jwt sign --x5c-cert leaf.crt \\\n"
        "    --x5c-key leaf.key --iss me --aud you --sub alice --exp 1900000000",
    .flag_sets = SIGN_SETS,
    .rules = SIGN_RULES,
    .most = 1,
    .run = run_sign,
};

/* --- verify ------------------------------------------------------------------------------- */

static bool expected_flags(struct invocation *inv)
{
    static const char *const REQUIRED[] = {"iss", "aud"};

    for (size_t i = 0; i < COUNT_OF(REQUIRED) && !flag_bool(inv, "subtle"); i++) {
        const char *text = flag_text(inv, REQUIRED[i]);
        if (!text || !*text)
            return err_set(&inv->err, ERR_MALFORMED,
                           "flag '--%s' is required unless the '--subtle' flag is provided",
                           REQUIRED[i]);
    }
    return true;
}

static bool has_audience(const struct token *t, const char *aud)
{
    for (size_t i = 0; i < t->n_aud; i++) {
        if (slice_is(t->aud[i], aud))
            return true;
    }
    return false;
}

static void wrong(struct buf *b, struct slice what)
{
    buf_text(b, b->n ? ", " : "");
    buf_put(b, what);
}

static void expired(struct invocation *inv, const struct token *t, struct buf *problems)
{
    struct instant now = inv->clock->now(inv->clock), exp = instant_sec(t->exp.sec);

    if (!t->exp.set || flag_bool(inv, "no-exp-check") || instant_cmp(now, exp) <= 0)
        return;
    int64_t late = instant_sub(now, exp) / NS_PER_MS * NS_PER_MS;
    wrong(problems, arena_format(inv->arena, "token is expired by %.*s (exp)",
                                 SLICE_ARG(duration_text(inv->arena, late))));
}

/* RFC 7519 4.1; no leeway. */
static bool claims_hold(struct invocation *inv, const struct token *t)
{
    const char *iss = flag_text(inv, "iss"), *aud = flag_text(inv, "aud");
    struct buf problems = buf_new(inv->arena, 4096);

    if (iss && *iss && !slice_is(t->iss, iss))
        wrong(&problems, SLICE("invalid issuer claim (iss)"));
    if (aud && *aud && !has_audience(t, aud))
        wrong(&problems, SLICE("invalid audience claim (aud)"));
    if (t->nbf.set && inv->clock->now(inv->clock).sec < t->nbf.sec)
        wrong(&problems, SLICE("token not valid yet (nbf)"));
    expired(inv, t, &problems);
    return !problems.n || err_set(&inv->err, ERR_UNAUTHORIZED, "validation failed: %.*s",
                                  SLICE_ARG(buf_slice(&problems)));
}

/* token_read wants compact text; what came as JSON is the same three parts. */
static bool token_of(struct invocation *inv, const struct jws *jws, struct token *t)
{
    struct slice signature = base64_text(inv->arena, BASE64_URL_RAW, jws->signature);
    struct slice text =
        arena_format(inv->arena, "%.*s.%.*s", SLICE_ARG(jws->signing_input), SLICE_ARG(signature));

    return token_read(inv->arena, text, t, &inv->err) || err_wrap(&inv->err, "error parsing token");
}

static int run_verify(struct invocation *inv)
{
    struct slice text;
    struct jws jws;
    struct token token;
    struct jtool_key key;

    if (!expected_flags(inv) || !tool_read(inv, NULL, TOOL_TOKEN_MAX, &text) ||
        !jtool_jws_read(inv->arena, text, &jws, &inv->err) ||
        !jtool_key_load(inv, JTOOL_VERIFY, jws.kid, &key) ||
        !jtool_verify(&jws, &key, "JWT", &inv->err) || !token_of(inv, &jws, &token) ||
        !claims_hold(inv, &token))
        return fail(inv);
    out_put(inv, jtool_show(inv->arena, &token.jws, token.claims));
    return 0;
}

static const struct flag VERIFY_FLAGS[] = {
    ALG_FLAG,
    {"iss,issuer", FLAG_TEXT, "<issuer>", "Who must have made the token.", NULL, 0},
    {"aud,audience", FLAG_TEXT, "<audience>", "For whom it must be.", NULL, 0},
    {"no-exp-check", FLAG_BOOL, NULL, "Accept an expired token. Requires --insecure.", NULL,
     FLAG_HIDDEN | FLAG_NO_DEFAULTS},
    {0}};
static const struct flag *const VERIFY_SETS[] = {VERIFY_FLAGS, JTOOL_KEY_FLAGS, JTOOL_SUBTLE_FLAGS,
                                                 FLAGS_INSECURE, NULL};
static const struct flag_rule VERIFY_RULES[] = {
    JTOOL_KEY_RULES, {RULE_INSECURE, "no-exp-check", NULL}, {0}};

static const struct command VERIFY = {
    .name = "verify",
    .summary = "verify a JWT",
    .synopsis = "",
    .description =
        "Reads a token from standard input, verifies its signature with the key and the algorithm "
        "that the key or --alg names, compares issuer and audience, looks at its times, and "
        "prints header, payload and signature as JSON.\n\n"
        "A token whose issuer or audience is not compared may be meant for somebody else: that "
        "needs --subtle. An RSA key or a shared secret that does not say its algorithm needs "
        "--alg.",
    .examples =
        "With a public JWK:\n"
        "$ step crypto jwt verify --key jwk.pub.json --iss me --aud you < token\n"
        "\n"
        "With a set of keys, one of which has the name that the token says:\n"
        "$ step crypto jwt verify --jwks https://example.com/keys --iss me --aud you < token",
    .exit_codes = "0 when the token is valid, else 1.",
    .flag_sets = VERIFY_SETS,
    .rules = VERIFY_RULES,
    .run = run_verify,
};

/* --- inspect ------------------------------------------------------------------------------ */

static int run_inspect(struct invocation *inv)
{
    struct slice text;
    struct jws jws;

    if (!tool_read(inv, NULL, TOOL_TOKEN_MAX, &text) ||
        !jtool_jws_look(inv->arena, text, &jws, &inv->err))
        return fail(inv);
    const struct json *claims = json_read(inv->arena, jws.payload, &JSON_JOSE, NULL, &inv->err);
    if (!claims) {
        err_wrap(&inv->err, "error parsing token: claims");
        return fail(inv);
    }
    out_put(inv, jtool_show(inv->arena, &jws, claims));
    return 0;
}

static const struct flag *const INSPECT_SETS[] = {FLAGS_INSECURE, NULL};
static const struct flag_rule INSPECT_RULES[] = {{RULE_REQUIRED, "insecure", NULL}, {0}};

static const struct command INSPECT = {
    .name = "inspect",
    .summary = "show what is in a JWT, without verifying it",
    .synopsis = "",
    .description = "Reads a token from standard input and prints header, payload and signature as "
                   "JSON. Nothing is verified: anybody can have written it. Hence --insecure must "
                   "be given.",
    .examples = "What a token says:\n"
                "$ step crypto jwt inspect --insecure < token\n"
                "\n"
                "The subject of a one-time token:\n"
                "$ step ca token web.internal | step crypto jwt inspect --insecure | \\\n"
                "    jq -r .payload.sub",
    .flag_sets = INSPECT_SETS,
    .rules = INSPECT_RULES,
    .run = run_inspect,
};

static const struct command *const JWT_COMMANDS[] = {&SIGN, &VERIFY, &INSPECT, NULL};
const struct command CMD_CRYPTO_JWT = {
    .name = "jwt",
    .summary = "sign and verify JWTs (JSON Web Tokens)",
    .description = "Makes, verifies and shows JSON Web Tokens (RFC 7519).",
    .sub = JWT_COMMANDS,
};
