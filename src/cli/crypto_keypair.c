/* step crypto keypair: a new key pair, or that of a JWK, as two PEM files. */
#include <unistd.h>

#include "base/file.h"
#include "cli/crypto.h"
#include "cli/key_choice.h"
#include "cli/key_files.h"

struct keypair {
    const struct key *key;
    struct private_key *secret; /* NULL: there is only a public key */
};

static bool take_from_jwk(struct invocation *inv, const char *path, struct keypair *pair)
{
    struct key_file file;

    if (!key_file_load(inv, path, "password-file", &file))
        return false;
    if (file.origin != ORIGIN_JOSE)
        return err_set(&inv->err, ERR_MALFORMED, "%s: expected a JWK", path);
    if (!file.key)
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: a JWK of type oct is no key pair and has no PEM form", path);
    *pair = (struct keypair){file.key, file.secret};
    return true;
}

static bool generate(struct invocation *inv, struct keypair *pair)
{
    enum key_type type;
    unsigned bits;

    if (!key_choice(inv, flag_bool(inv, "insecure"), &type, &bits, &inv->err) ||
        !private_key_generate(inv->secrets, type, bits, &pair->secret, &inv->err))
        return false;
    pair->key = pair->secret->public_key;
    return true;
}

static bool write_private(struct invocation *inv, const char *path, const struct private_key *key)
{
    struct slice password, pem;

    return key_new_password(inv, "password-file", "the private key", &password) &&
           key_pem(inv->secrets, key, password, KEY_TRADITIONAL, &pem, &inv->err) &&
           write_result(inv, path, pem, 0600, &inv->err);
}

static int run_keypair(struct invocation *inv)
{
    const char *pub = arg_text(inv, 0), *priv = arg_text(inv, 1);
    const char *jwk = flag_text(inv, "from-jwk");
    struct keypair pair = {0};

    if (!arguments_differ(inv, 0, "pub_file", 1, "priv_file"))
        return fail(inv);
    if (jwk && *jwk ? !take_from_jwk(inv, jwk, &pair) : !generate(inv, &pair))
        return fail(inv);
    if (!may_write(inv, pub, &inv->err) || (pair.secret && !may_write(inv, priv, &inv->err)))
        return fail(inv);
    bool fresh = !file_exists(priv);
    /* The private key first: a public one without it is of no use to anybody. */
    if (pair.secret && !write_private(inv, priv, pair.secret))
        return fail(inv);
    if (!write_result(inv, pub, public_key_pem(inv->arena, pair.key), 0600, &inv->err)) {
        if (pair.secret && fresh)
            unlink(priv);
        return fail(inv);
    }
    note(inv, "Your public key has been saved in %s.", pub);
    if (pair.secret)
        note(inv, "Your private key has been saved in %s.", priv);
    else
        note(inv, "Only the public key was written: %s holds no private key.", jwk);
    return 0;
}

static const struct flag KEYPAIR_FLAGS[] = {
    {"from-jwk", FLAG_FILE, "<file>",
     "Take the key of this JWK <file> (plain, or encrypted as JWE) instead of making one.", NULL,
     0},
    {"password-file", FLAG_FILE, "<file>",
     "The <file> with the password that encrypts the private key.", NULL, 0},
    {"no-password", FLAG_BOOL, NULL,
     "Write the private key without a password. Requires --insecure.", NULL, 0},
    {0}};
static const struct flag *const KEYPAIR_SETS[] = {FLAGS_KEY, KEYPAIR_FLAGS, FLAGS_FORCE,
                                                  FLAGS_INSECURE, NULL};
static const struct flag_rule KEYPAIR_RULES[] = {
    {RULE_INSECURE, "no-password", NULL}, {RULE_EXCLUDES, "no-password", "password-file"},
    {RULE_EXCLUDES, "from-jwk", "kty"},   {RULE_EXCLUDES, "from-jwk", "curve"},
    {RULE_EXCLUDES, "from-jwk", "size"},  {0},
};

const struct command CMD_CRYPTO_KEYPAIR = {
    .name = "keypair",
    .summary = "make a public and private key pair in PEM format",
    .synopsis = "<pub_file> <priv_file>",
    .description = "Makes a key pair and writes the public key (PKIX, PEM) and the private key "
                   "(PEM) into two files. The private key is encrypted with a password, which is "
                   "asked for unless --password-file gives it.",
    .arguments = "pub_file\tThe file for the public key.\n"
                 "priv_file\tThe file for the private key.",
    .examples = "A key pair on the curve P-256:\n"
                "$ step crypto keypair foo.pub foo.key\n"
                "\n"
                "An RSA key of 4096 bits, its password from a file:\n"
                "$ step crypto keypair foo.pub foo.key --kty RSA --size 4096 \\\n"
                "    --password-file password.txt\n"
                "\n"
                "An Ed25519 key that is not encrypted:\n"
                "$ step crypto keypair foo.pub foo.key --kty OKP --no-password --insecure\n"
                "\n"
                "The key of a JWK as PEM:\n"
                "$ step crypto keypair foo.pub foo.key --from-jwk jwk.json",
    .flag_sets = KEYPAIR_SETS,
    .rules = KEYPAIR_RULES,
    .least = 2,
    .most = 2,
    .run = run_keypair,
};
