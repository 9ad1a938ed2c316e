/*
 * step crypto jwk: JSON Web Keys.  `create` joins three decisions: which key (type, curve, size),
 * what it is for (use), and with which algorithm; a table says which algorithms fit which keys.
 */
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "cli/crypto.h"
#include "cli/jwk_choice.h"
#include "cli/jwk_files.h"
#include "cli/key_files.h"
#include "crypto/digest.h"
#include "x509/cert.h"

/* --- create: the key ---------------------------------------------------------------------- */

static bool make_octets(struct invocation *inv, size_t size, struct jwk *jwk)
{
    uint8_t *octets = arena_alloc(inv->secrets, size);

    inv->rng->fill(inv->rng, octets, size);
    *jwk = (struct jwk){.kty = JWK_OCT, .octets = slice_of(octets, size)};
    return true;
}

static bool make_key(struct invocation *inv, struct jwk *jwk)
{
    const char *crv = flag_text(inv, "crv");
    const struct jwk_wish wish = {
        .kty = flag_text(inv, "kty"),
        .crv = crv && *crv ? crv : NULL,
        .size_given = flag_set(inv, "size"),
        .size = flag_set(inv, "size") ? flag_int(inv, "size") : 0,
        .insecure = flag_bool(inv, "insecure"),
    };
    struct private_key *secret;
    struct jwk_kind kind;

    if (!jwk_choose(&wish, &kind, &inv->err))
        return false;
    if (kind.kty == JWK_OCT)
        return make_octets(inv, kind.size, jwk);
    return private_key_generate(inv->secrets, kind.type, (unsigned)kind.size, &secret, &inv->err) &&
           jwk_of_key(inv->secrets, secret->public_key, secret, jwk, &inv->err);
}

/* What a certificate's key usage says the key is for. */
static bool use_of_certificate(struct invocation *inv, const char *path, const struct cert *c,
                               const char **use)
{
    static const uint32_t SIGNS = KU_DIGITAL_SIGNATURE | KU_CONTENT_COMMITMENT | KU_CERT_SIGN |
                                  KU_CRL_SIGN,
                          ENCRYPTS = KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT | KU_KEY_AGREEMENT;
    bool sig = c->key_usage & SIGNS, enc = c->key_usage & ENCRYPTS;

    if (flag_bool(inv, "subtle"))
        return true;
    if (sig == enc)
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: the key usage of the certificate allows %s; flag '--from-pem' requires "
                       "the '--subtle' flag to take '--use %s'",
                       path, sig ? "both signing and encrypting" : "neither signing nor encrypting",
                       *use);
    if (flag_set(inv, "use") && strcmp(*use, sig ? "sig" : "enc") != 0)
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: '--use %s' contradicts the key usage of the certificate; flag '--use' "
                       "requires the '--subtle' flag",
                       path, *use);
    *use = sig ? "sig" : "enc";
    return true;
}

static bool take_certificate(struct invocation *inv, const char *path, struct slice text,
                             struct jwk *jwk, const char **use)
{
    struct cert_list list;

    if (!cert_list_read(inv->arena, text, path, &list, &inv->err))
        return false;
    const struct cert *c = list.v[0];
    if (!c->key)
        return err_set(&inv->err, ERR_MALFORMED, "%s: a key of this type has no JWK form", path);
    if (!jwk_of_key(inv->arena, c->key, NULL, jwk, &inv->err))
        return false;
    jwk->x5c_first = c->der;
    return use_of_certificate(inv, path, c, use);
}

static bool take_pem(struct invocation *inv, const char *path, struct jwk *jwk, const char **use)
{
    struct key_file file;
    struct slice text;
    const char *name;

    if (!key_text_load(inv, path, &text, &name))
        return false;
    if (slice_search(text, SLICE("-----BEGIN CERTIFICATE-----")) < text.n)
        return take_certificate(inv, name, text, jwk, use);
    if (!key_file_read(inv, text, name, "password-file", &file))
        return false;
    if (file.origin != ORIGIN_PEM)
        return err_set(&inv->err, ERR_MALFORMED, "error decoding %s: not a valid PEM encoded block",
                       name);
    return jwk_of_key(inv->secrets, file.key, file.secret, jwk, &inv->err);
}

/* --- create ------------------------------------------------------------------------------- */

static bool describe(struct invocation *inv, struct jwk *jwk, const char *use)
{
    const char *alg = flag_text(inv, "alg"), *kid = flag_text(inv, "kid");

    if (jwk->key && jwk->key->type == KEY_RSA && jwk->key->bits < 2048)
        return err_set(&inv->err, ERR_MALFORMED,
                       "the size of the RSA key should be at least 2048 bits");
    if (!jwk_alg_choose(jwk, use, alg && *alg ? alg : NULL, &alg, &inv->err))
        return false;
    jwk->use = slice_text(use);
    jwk->alg = slice_text(alg);
    if (kid && flag_set(inv, "kid"))
        jwk->kid = slice_text(kid);
    return true;
}

static bool write_private_jwk(struct invocation *inv, const char *path, const struct jwk *jwk)
{
    struct slice password, text;

    return key_new_password(inv, "password-file", "the private JWK", &password) &&
           jwk_private_text(inv->secrets, jwk, password, &text, &inv->err) &&
           write_result(inv, path, text, 0600, &inv->err);
}

static int run_create(struct invocation *inv)
{
    const char *pub = arg_text(inv, 0), *priv = arg_text(inv, 1);
    const char *pem = flag_text(inv, "from-pem"), *use = flag_text(inv, "use");
    struct jwk jwk = {0};

    if (!arguments_differ(inv, 0, "public-jwk-file", 1, "private-jwk-file"))
        return fail(inv);
    if (!(pem && *pem ? take_pem(inv, pem, &jwk, &use) : make_key(inv, &jwk)) ||
        !describe(inv, &jwk, use))
        return fail(inv);
    bool has_private = jwk.secret || jwk.octets.n, fresh = !file_exists(priv);
    if (!may_write(inv, pub, &inv->err) || (has_private && !may_write(inv, priv, &inv->err)))
        return fail(inv);
    if (has_private && !write_private_jwk(inv, priv, &jwk))
        return fail(inv);
    if (!write_result(inv, pub, jwk_public_text(inv->secrets, &jwk), 0600, &inv->err)) {
        /* Half of a pair helps nobody; what it replaced is gone already. */
        if (has_private && fresh)
            unlink(priv);
        return fail(inv);
    }
    note(inv, "Your public key has been saved in %s.", pub);
    if (has_private)
        note(inv, "Your private key has been saved in %s.", priv);
    else
        note(inv, "Only the public key was written: %s holds no private key.", pem);
    return 0;
}

static const struct flag CREATE_FLAGS[] = {
    {"kty,type", FLAG_TEXT, "<type>", "The <type> of key: EC, OKP, RSA or oct.", "EC", 0},
    {"size", FLAG_INT, "<size>",
     "The <size> of an RSA key in bits (2048 by default) or of an oct key in bytes (32 by "
     "default).",
     NULL, 0},
    {"crv,curve", FLAG_TEXT, "<curve>",
     "The <curve> of an EC key, P-256 (the default), P-384 or P-521, or of an OKP key: Ed25519.",
     NULL, 0},
    {"alg,algorithm", FLAG_TEXT, "<algorithm>",
     "The <algorithm> that the key is for. The default depends on type, curve and --use.", NULL, 0},
    {"use", FLAG_TEXT, "<use>",
     "What the key is for: sig (signatures), enc (encryption), or another text, which is written "
     "as it is.",
     "sig", 0},
    {"kid", FLAG_TEXT, "<text>",
     "The key's name; \"\": none. By default its thumbprint (RFC 7638); an oct key has none.", NULL,
     0},
    {"from-pem", FLAG_FILE, "<file>",
     "Take the key of this PEM <file> instead of making one. A certificate also goes into x5c, and "
     "its key usage decides about --use.",
     NULL, 0},
    {"password-file", FLAG_FILE, "<file>",
     "The <file> with the password that encrypts the private JWK.", NULL, 0},
    {"no-password", FLAG_BOOL, NULL,
     "Write the private JWK without a password. Requires --insecure.", NULL, 0},
    {"subtle", FLAG_BOOL, NULL, "Confirm a choice that is easily made wrong.", NULL,
     FLAG_HIDDEN | FLAG_NO_DEFAULTS},
    {0}};
static const struct flag *const CREATE_SETS[] = {CREATE_FLAGS, FLAGS_FORCE, FLAGS_INSECURE, NULL};
static const struct flag_rule CREATE_RULES[] = {
    {RULE_INSECURE, "no-password", NULL}, {RULE_EXCLUDES, "no-password", "password-file"},
    {RULE_EXCLUDES, "from-pem", "kty"},   {RULE_EXCLUDES, "from-pem", "crv"},
    {RULE_EXCLUDES, "from-pem", "size"},  {0},
};

static const struct command CREATE = {
    .name = "create",
    .summary = "make a JWK (JSON Web Key)",
    .synopsis = "<public-jwk-file> <private-jwk-file>",
    .description = "Makes a key and writes its public and its private JWK into two files. The "
                   "private one is encrypted with a password (as a JWE, RFC 7516), which is asked "
                   "for unless --password-file gives it. The public file of an oct key holds the "
                   "whole key.",
    .arguments = "public-jwk-file\tThe file for the public JWK.\n"
                 "private-jwk-file\tThe file for the private JWK.",
    .examples = "A key on P-256 for signatures:\n"
                "$ step crypto jwk create jwk.pub.json jwk.json\n"
                "\n"
                "An RSA key for encryption:\n"
                "$ step crypto jwk create jwk.pub.json jwk.json --kty RSA --use enc\n"
                "\n"
                "The JWK of a PEM key:\n"
                "$ step crypto jwk create jwk.pub.json jwk.json --from-pem key.pem",
    .flag_sets = CREATE_SETS,
    .rules = CREATE_RULES,
    .least = 2,
    .most = 2,
    .run = run_create,
};

/* --- public, thumbprint ------------------------------------------------------------------- */

static bool read_input(struct invocation *inv, struct jwk *jwk)
{
    struct key_file file;

    if (!key_file_load(inv, "-", "password-file", &file))
        return false;
    *jwk = file.jwk;
    return file.origin == ORIGIN_JOSE ||
           err_set(&inv->err, ERR_MALFORMED, "expected a JWK on standard input");
}

static const struct flag INPUT_FLAGS[] = {
    {"password-file", FLAG_FILE, "<file>",
     "The <file> with the password of an encrypted JWK on standard input.", NULL, 0},
    {0}};
static const struct flag *const INPUT_SETS[] = {INPUT_FLAGS, NULL};

static int run_public(struct invocation *inv)
{
    struct jwk jwk;

    if (!read_input(inv, &jwk))
        return fail(inv);
    out_put(inv, jwk_public_text(inv->secrets, &jwk));
    return 0;
}

static const struct command PUBLIC = {
    .name = "public",
    .summary = "print the public part of a JWK",
    .synopsis = "",
    .description = "Reads a JWK from standard input and prints it without its private members. A "
                   "public JWK and one of type oct are printed as they are.",
    .examples = "The public key of an encrypted JWK:\n"
                "$ step crypto jwk public < jwk.json",
    .flag_sets = INPUT_SETS,
    .run = run_public,
};

/* RFC 7638 3.2 for a secret: who knows the thumbprint of a weak one can guess at it. */
static struct slice oct_thumbprint(struct invocation *inv, const struct jwk *jwk)
{
    uint8_t hash[DIGEST_MAX];
    struct slice k = base64_text(inv->secrets, BASE64_URL_RAW, jwk->octets);
    struct slice text =
        arena_format(inv->secrets, "{\"k\":\"%.*s\",\"kty\":\"oct\"}", SLICE_ARG(k));

    digest_of(DIGEST_SHA256, text, hash);
    return base64_text(inv->arena, BASE64_URL_RAW, slice_of(hash, digest_size(DIGEST_SHA256)));
}

static int run_thumbprint(struct invocation *inv)
{
    struct jwk jwk;

    if (!read_input(inv, &jwk))
        return fail(inv);
    struct slice print = jwk.key ? jwk_thumbprint(inv->arena, jwk.key) : oct_thumbprint(inv, &jwk);
    out_line(inv, "%.*s", SLICE_ARG(print));
    return 0;
}

static const struct command THUMBPRINT = {
    .name = "thumbprint",
    .summary = "print the thumbprint of a JWK",
    .synopsis = "",
    .description = "Reads a JWK from standard input and prints its thumbprint (RFC 7638, SHA-256, "
                   "base64url).",
    .examples = "The name that a JWK gets by default:\n"
                "$ step crypto jwk thumbprint < jwk.pub.json",
    .flag_sets = INPUT_SETS,
    .run = run_thumbprint,
};

static const struct command *const JWK_COMMANDS[] = {&CREATE, &CMD_CRYPTO_KEYSET, &PUBLIC,
                                                     &THUMBPRINT, NULL};
const struct command CMD_CRYPTO_JWK = {
    .name = "jwk",
    .summary = "make and look at JWKs (JSON Web Keys)",
    .description = "Makes JSON Web Keys (RFC 7517), and shows what is public in them.",
    .sub = JWK_COMMANDS,
};
