/*
 * `step ssh rekey`: as `step ssh renew`, and the successor gets a new key.
 */
#include "cli/key_choice.h"
#include "cli/key_files.h"
#include "cli/ssh_common.h"

/* --password-file encrypts the new key. */
static const char *const OLD_PASSWORDS[] = {"provisioner-password-file", NULL};

struct rekey {
    struct invocation *inv;
    struct ssh_desk desk;
    struct ssh_held held;
    struct ssh_pair pair;
    struct slice password;
    struct ssh_paths paths;
};

/* Where the new files go: those of the old ones, or all under one name. */
static void name_files(struct rekey *r)
{
    struct arena *a = r->inv->arena;
    const char *out = ca_cmd_text(r->inv, "out"), *key = out ? out : arg_text(r->inv, 1);

    r->paths = (struct ssh_paths){.key = key, .pub = arena_printf(a, "%s.pub", key)};
    r->paths.crt = out ? arena_printf(a, "%s-cert.pub", out) : arg_text(r->inv, 0);
}

static bool prepare(struct rekey *r)
{
    struct invocation *inv = r->inv;
    enum key_type type;
    unsigned bits;

    name_files(r);
    return ssh_pair_differs(inv) &&
           key_choice(inv, flag_bool(inv, "insecure"), &type, &bits, &inv->err) &&
           ssh_held_mend(inv, arg_text(inv, 0), arg_text(inv, 1), OLD_PASSWORDS, &r->held) &&
           ssh_paths_may_write(inv, &r->paths) &&
           key_new_password(inv, "password-file", "the new private key", &r->password) &&
           ssh_pair_make(inv, type, bits, &r->pair);
}

static bool ask(struct rekey *r, struct ssh_answer *answer)
{
    struct ssh_desk *d = &r->desk;
    struct slice ott;

    if (!ssh_desk_open(r->inv, "provisioner-password-file", d) ||
        !ssh_pop_token(d, TOKEN_SSH_REKEY, &r->held, &ott))
        return false;
    ssh_desk_note(d);
    return ssh_desk_renew(d, &r->held, ott, &r->pair.key, answer);
}

static bool write_files(struct rekey *r, const struct ssh_cert *cert)
{
    struct invocation *inv = r->inv;

    if (!ssh_trio_write(inv, &r->paths, &r->pair, r->password, cert))
        return false;
    note_selected(inv, "Private Key", r->paths.key);
    note_selected(inv, "Public Key", r->paths.pub);
    note_selected(inv, "Certificate", r->paths.crt);
    return true;
}

static int run_rekey(struct invocation *inv)
{
    struct rekey r = {.inv = inv};
    struct ssh_answer answer;

    bool ok = prepare(&r) && ask(&r, &answer) && write_files(&r, &answer.cert);
    ssh_desk_close(&r.desk);
    return ok ? 0 : fail(inv);
}

static const struct flag REKEY_FLAGS[] = {
    {"out,output-file", FLAG_FILE, "<file>",
     "Write the private key to <file>, the public one to <file>.pub and the certificate to "
     "<file>-cert.pub, and leave the old files alone.",
     NULL, 0},
    {"no-password", FLAG_BOOL, NULL,
     "Write the private key without encryption. Requires --insecure.", NULL, FLAG_NO_DEFAULTS},
    {0}};
static const struct flag *const REKEY_SETS[] = {REKEY_FLAGS,  FLAGS_KEY,      FLAGS_PROVISIONER,
                                                FLAGS_SSHPOP, FLAGS_OFFLINE,  FLAGS_CA,
                                                FLAGS_FORCE,  FLAGS_INSECURE, NULL};
static const struct flag_rule REKEY_RULES[] = {
    {RULE_INSECURE, "no-password", NULL}, {RULE_EXCLUDES, "no-password", "password-file"}, {0}};

const struct command CMD_SSH_REKEY = {
    .name = "rekey",
    .summary = "give a host a new key and the SSH certificate for it",
    .synopsis = "<ssh-cert> <ssh-key>",
    .description =
        "Makes a new key and gets a certificate for it with the names of the old one, valid as "
        "long as that was. The old certificate and its key prove who asks; the CA needs a "
        "provisioner of type SSHPOP for that. The old certificate stays valid until it ends or is "
        "revoked.\n\n"
        "The new files are complete on disk before they take their places. The key changes first; "
        "when the others could not follow, the next 'step ssh renew' or 'rekey' puts them in "
        "place.\n\n"
        "'--password-file' is for the new key; the old one is opened with "
        "'--provisioner-password-file'.",
    .arguments =
        "ssh-cert\tThe certificate of the host, which is replaced unless '--out' is given.\n"
        "ssh-key\tIts private key, likewise.",
    .examples = "A new key for this host, where sshd expects it without a password:\n"
                "$ step ssh rekey --force --no-password --insecure \\\n"
                "  /etc/ssh/ssh_host_ecdsa_key-cert.pub /etc/ssh/ssh_host_ecdsa_key\n\n"
                "Files next.pub, next-cert.pub and next beside the old ones:\n"
                "$ step ssh rekey --out next host-cert.pub host",
    .flag_sets = REKEY_SETS,
    .rules = REKEY_RULES,
    .least = 2,
    .most = 2,
    .run = run_rekey,
};
