/*
 * step crypto key format: a key in another format.  What comes in is told by its content; what goes
 * out is a table by format, for public and for private keys.  Private keys leave encrypted where
 * the format can, which DER cannot.
 */
#include <sys/stat.h>

#include "cli/crypto.h"
#include "cli/key_files.h"
#include "jose/jwe.h"

enum format { FORMAT_PEM, FORMAT_DER, FORMAT_SSH, FORMAT_JWK, FORMATS };

/* --- Public keys -------------------------------------------------------------------------- */

static struct slice with_newline(struct arena *a, struct slice s)
{
    return s.n ? arena_format(a, "%.*s\n", SLICE_ARG(s)) : s;
}

static bool public_pem(struct arena *a, const struct key *k, struct slice *out, struct err *e)
{
    (void)e;
    *out = public_key_pem(a, k);
    return true;
}

static bool public_der(struct arena *a, const struct key *k, struct slice *out, struct err *e)
{
    (void)a;
    (void)e;
    *out = k->spki;
    return true;
}

static bool public_ssh(struct arena *a, const struct key *k, struct slice *out, struct err *e)
{
    *out = with_newline(a, public_key_openssh(a, k));
    return out->n || err_set(e, ERR_MALFORMED, "OpenSSH has no keys of type %.*s",
                             SLICE_ARG(key_describe(a, k)));
}

/* Only what the key is: other formats say nothing about its use or name. */
static bool bare_jwk(struct arena *a, const struct key *k, struct private_key *secret,
                     struct jwk *jwk, struct err *e)
{
    if (!jwk_of_key(a, k, secret, jwk, e))
        return false;
    jwk->kid = jwk->use = jwk->alg = SLICE_NONE;
    return true;
}

static bool public_jwk(struct arena *a, const struct key *k, struct slice *out, struct err *e)
{
    struct jwk jwk;

    if (!bare_jwk(a, k, NULL, &jwk, e))
        return false;
    *out = with_newline(a, jwk_text(a, &jwk, false));
    return true;
}

/* --- Private keys ------------------------------------------------------------------------- */

struct sealing {
    struct slice password; /* empty: plain */
    enum key_encoding encoding;
};

static bool private_pem(struct arena *a, struct private_key *k, const struct sealing *s,
                        struct slice *out, struct err *e)
{
    return key_pem(a, k, s->password, s->encoding, out, e);
}

static bool private_der(struct arena *a, struct private_key *k, const struct sealing *s,
                        struct slice *out, struct err *e)
{
    return private_key_der(a, k, s->encoding, out, e);
}

static bool private_ssh(struct arena *a, struct private_key *k, const struct sealing *s,
                        struct slice *out, struct err *e)
{
    return private_key_openssh(a, k, s->password, "", out, e);
}

static bool private_jwk(struct arena *a, struct private_key *k, const struct sealing *s,
                        struct slice *out, struct err *e)
{
    struct jwk jwk;
    struct slice text;

    if (!bare_jwk(a, k->public_key, k, &jwk, e))
        return false;
    if (!s->password.n)
        text = jwk_text(a, &jwk, true);
    else if (!jwe_seal_jwk(a, &jwk, s->password, JWE_FLATTENED, &text, e))
        return false;
    *out = with_newline(a, text);
    return true;
}

static const struct {
    const char *flag;
    bool (*of_public)(struct arena *, const struct key *, struct slice *, struct err *);
    bool (*of_private)(struct arena *, struct private_key *, const struct sealing *, struct slice *,
                       struct err *);
    bool sealed; /* a private key can be encrypted */
} OUT[FORMATS] = {
    [FORMAT_PEM] = {"pem", public_pem, private_pem, true},
    [FORMAT_DER] = {"der", public_der, private_der, false},
    [FORMAT_SSH] = {"ssh", public_ssh, private_ssh, true},
    [FORMAT_JWK] = {"jwk", public_jwk, private_jwk, true},
};

/* --- The command -------------------------------------------------------------------------- */

static enum format wanted(const struct invocation *inv, const struct key_file *file)
{
    for (unsigned f = 0; f < FORMATS; f++) {
        if (flag_bool(inv, OUT[f].flag))
            return (enum format)f;
    }
    return file->origin == ORIGIN_PEM ? FORMAT_DER : FORMAT_PEM;
}

static bool format_private(struct invocation *inv, struct private_key *key, enum format f,
                           struct slice *out)
{
    struct sealing s = {.encoding = flag_bool(inv, "pkcs8") ? KEY_PKCS8 : KEY_TRADITIONAL};

    return (!OUT[f].sealed ||
            key_new_password(inv, "password-file", "the private key", &s.password)) &&
           OUT[f].of_private(inv->secrets, key, &s, out, &inv->err);
}

/* As the input has it; what is private is for nobody else, whatever the input was. */
static unsigned mode_of(const char *path, bool is_private)
{
    struct stat st;
    bool file = path && strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);

    return (file ? (unsigned)st.st_mode & 0777 : 0600) & (is_private ? 0700 : 0777);
}

static int run_format(struct invocation *inv)
{
    const char *path = arg_text(inv, 0), *out = flag_text(inv, "out");
    bool to_file = out && *out;
    struct key_file file;
    struct slice text;

    if (!key_file_load(inv, path, "password-file", &file))
        return fail(inv);
    if (!file.key)
        return fail_with(inv, "a JWK of type oct has no other format");
    enum format f = wanted(inv, &file);
    if (to_file && !may_write(inv, out, &inv->err))
        return fail(inv);
    if (file.secret ? !format_private(inv, file.secret, f, &text)
                    : !OUT[f].of_public(inv->arena, file.key, &text, &inv->err))
        return fail(inv);
    if (!to_file) {
        out_put(inv, text);
        return 0;
    }
    if (!write_result(inv, out, text, mode_of(path, file.secret), &inv->err))
        return fail(inv);
    note(inv, "Your key has been saved in %s.", out);
    return 0;
}

static const struct flag FORMAT_FLAGS[] = {
    {"pem", FLAG_BOOL, NULL, "Write PEM.", NULL, 0},
    {"der", FLAG_BOOL, NULL, "Write DER, which is never encrypted.", NULL, 0},
    {"ssh", FLAG_BOOL, NULL, "Write OpenSSH's format.", NULL, 0},
    {"jwk", FLAG_BOOL, NULL, "Write a JWK; a private one inside a JWE.", NULL, 0},
    {"pkcs8", FLAG_BOOL, NULL,
     "Write RSA and EC private keys as PKCS#8 (PEM and DER). Encrypted PEM is always PKCS#8, other "
     "formats never.",
     NULL, 0},
    {"out,output-file", FLAG_FILE, "<file>", "Write into this <file>, not to standard output.",
     NULL, 0},
    {"password-file", FLAG_FILE, "<file>",
     "The <file> with the password that decrypts the key and encrypts the result.", NULL, 0},
    {"no-password", FLAG_BOOL, NULL, "Write a private key without a password. Requires --insecure.",
     NULL, 0},
    {0}};
static const struct flag *const FORMAT_SETS[] = {FORMAT_FLAGS, FLAGS_FORCE, FLAGS_INSECURE, NULL};
static const struct flag_rule FORMAT_RULES[] = {
    {RULE_INSECURE, "no-password", NULL}, {RULE_EXCLUDES, "pem", "der"},
    {RULE_EXCLUDES, "pem", "ssh"},        {RULE_EXCLUDES, "pem", "jwk"},
    {RULE_EXCLUDES, "der", "ssh"},        {RULE_EXCLUDES, "der", "jwk"},
    {RULE_EXCLUDES, "ssh", "jwk"},        {0},
};

static const struct command FORMAT = {
    .name = "format",
    .summary = "reformat a public or private key",
    .synopsis = "[<key-file>]",
    .description = "Reads a key as PEM, DER, OpenSSH, JWK or JWE and writes it in another format: "
                   "PEM becomes DER and everything else PEM, unless a flag says otherwise. A "
                   "certificate or a request gives its public key.\n\n"
                   "A private key is encrypted with a password, which is asked for unless "
                   "--password-file gives it; DER is never encrypted.",
    .arguments = "key-file\tThe file with the key; standard input when there is none, or \"-\".",
    .examples = "PEM to DER:\n"
                "$ step crypto key format foo-key.pem --out foo-key.der\n"
                "\n"
                "A public key for authorized_keys:\n"
                "$ step crypto key format foo.pub --ssh\n"
                "\n"
                "The encrypted key of a provisioner as PKCS#8:\n"
                "$ jq -r '.authority.provisioners[] | select(.type == \"JWK\").encryptedKey' \\\n"
                "    $(step path)/config/ca.json | step crypto key format --pkcs8 > ra.key\n"
                "\n"
                "A private key as PKCS#8 without a password:\n"
                "$ step crypto key format --pem --pkcs8 --no-password --insecure foo-key.der",
    .flag_sets = FORMAT_SETS,
    .rules = FORMAT_RULES,
    .most = 1,
    .run = run_format,
};

static const struct command *const KEY_COMMANDS[] = {
    &CMD_CRYPTO_KEY_FINGERPRINT,
    &FORMAT,
    &CMD_CRYPTO_KEY_INSPECT,
    &CMD_CRYPTO_KEY_PUBLIC,
    &CMD_CRYPTO_KEY_SIGN,
    &CMD_CRYPTO_KEY_VERIFY,
    NULL,
};
const struct command CMD_CRYPTO_KEY = {
    .name = "key",
    .summary = "work with key files",
    .description = "Works with files of public and private keys.",
    .sub = KEY_COMMANDS,
};
