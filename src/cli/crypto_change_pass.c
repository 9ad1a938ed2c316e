/*
 * step crypto change-pass: the same key under another password, or under none.  The kind of file
 * stays: PEM stays PEM, OpenSSH stays OpenSSH, a JWK becomes or stays a JWE.
 */
#include "base/encode.h"
#include "cli/crypto.h"
#include "cli/jwk_files.h"
#include "cli/key_files.h"

static bool convert(struct invocation *inv, const struct key_file *file, struct slice password,
                    struct slice *text)
{
    if (file->origin == ORIGIN_JOSE)
        return jwk_private_text(inv->secrets, &file->jwk, password, text, &inv->err);
    if (file->openssh)
        return private_key_openssh(inv->secrets, file->secret, password, "", text, &inv->err);
    return key_pem(inv->secrets, file->secret, password, KEY_TRADITIONAL, text, &inv->err);
}

static bool is_private(const struct key_file *file)
{
    return file->secret || (file->origin == ORIGIN_JOSE && file->jwk.octets.n);
}

static int run_change_pass(struct invocation *inv)
{
    const char *path = arg_text(inv, 0), *out = flag_text(inv, "out");
    const char *target = out && *out ? out : path;
    struct key_file file;
    struct slice password, text;

    if (!key_file_load(inv, path, "password-file", &file))
        return fail(inv);
    if (!is_private(&file))
        return fail_with(inv, "%s holds a public key, which has no password", path);
    if (file.origin == ORIGIN_DER)
        return fail_with(inv, "%s is DER, which has no password: expected PEM or JWK", path);
    if (!may_write(inv, target, &inv->err) ||
        !key_new_password(inv, "new-password-file", target, &password) ||
        !convert(inv, &file, password, &text) || !write_result(inv, target, text, 0600, &inv->err))
        return fail(inv);
    note(inv, "Your key has been saved in %s.", target);
    return 0;
}

static const struct flag CHANGE_FLAGS[] = {
    {"password-file", FLAG_FILE, "<file>", "The <file> with the present password.", NULL, 0},
    {"new-password-file", FLAG_FILE, "<file>", "The <file> with the new password.", NULL, 0},
    {"no-password", FLAG_BOOL, NULL, "Write the key without a password. Requires --insecure.", NULL,
     0},
    {"out,output-file", FLAG_FILE, "<file>",
     "Write into this <file> and leave the other one as it is.", NULL, 0},
    {0}};
static const struct flag *const CHANGE_SETS[] = {CHANGE_FLAGS, FLAGS_FORCE, FLAGS_INSECURE, NULL};
static const struct flag_rule CHANGE_RULES[] = {
    {RULE_INSECURE, "no-password", NULL},
    {RULE_EXCLUDES, "no-password", "new-password-file"},
    {0},
};

const struct command CMD_CRYPTO_CHANGE_PASS = {
    .name = "change-pass",
    .summary = "change the password of an encrypted private key",
    .synopsis = "<key-file>",
    .description = "Decrypts a private key (PEM, OpenSSH or JWK) and writes it back encrypted with "
                   "another password. Passwords are asked for unless files give them. A key that "
                   "is not encrypted gets its first password.",
    .arguments = "key-file\tThe file with the private key.",
    .examples = "Change the password of a key in place:\n"
                "$ step crypto change-pass key.pem\n"
                "\n"
                "The same without questions, into another file:\n"
                "$ step crypto change-pass key.pem --out new-key.pem \\\n"
                "    --password-file old.txt --new-password-file new.txt\n"
                "\n"
                "Take the password off:\n"
                "$ step crypto change-pass key.pem --no-password --insecure",
    .flag_sets = CHANGE_SETS,
    .rules = CHANGE_RULES,
    .least = 1,
    .most = 1,
    .run = run_change_pass,
};
