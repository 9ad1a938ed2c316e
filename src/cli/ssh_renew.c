/*
 * `step ssh renew`: a host's certificate asks for its own successor, by a token that is signed with
 * its key (SSHPOP).
 */
#include "cli/ssh_common.h"

static const char *const KEY_PASSWORDS[] = {"provisioner-password-file", "password-file", NULL};

bool ssh_pop_token(struct ssh_desk *d, enum token_kind kind, const struct ssh_held *held,
                   struct slice *ott)
{
    struct token_order order = {
        .kind = kind, .subject = ssh_serial_text(d->inv->arena, held->cert.serial), .held = held};

    return ssh_desk_token(d, &order, ott);
}

bool ssh_pair_differs(struct invocation *inv)
{
    return strcmp(arg_text(inv, 0), arg_text(inv, 1)) != 0 ||
           err_set(
               &inv->err, ERR_MALFORMED,
               "positional arguments <ssh-cert> and <ssh-key> cannot be equal in '%s <ssh-cert> "
               "<ssh-key>'",
               inv->path);
}

static bool renew(struct invocation *inv, struct ssh_desk *d, const char *out)
{
    struct ssh_answer answer;
    struct ssh_held held;
    struct slice ott;

    if (!ssh_held_mend(inv, arg_text(inv, 0), arg_text(inv, 1), KEY_PASSWORDS, &held) ||
        !may_write(inv, out, &inv->err) || !ssh_desk_open(inv, "password-file", d) ||
        !ssh_pop_token(d, TOKEN_SSH_RENEW, &held, &ott))
        return false;
    ssh_desk_note(d);
    if (!ssh_desk_renew(d, &held, ott, NULL, &answer) ||
        !ssh_line_write(inv, out, answer.cert.blob, answer.cert.key_id))
        return false;
    note_selected(inv, "Certificate", out);
    return true;
}

static int run_renew(struct invocation *inv)
{
    const char *out = ca_cmd_text(inv, "out");
    struct ssh_desk d = {0};

    if (!ssh_pair_differs(inv))
        return fail(inv);
    bool ok = renew(inv, &d, out ? out : arg_text(inv, 0));
    ssh_desk_close(&d);
    return ok ? 0 : fail(inv);
}

static const struct flag RENEW_FLAGS[] = {
    {"out,output-file", FLAG_FILE, "<file>",
     "Write the new certificate to <file> instead of <ssh-cert>.", NULL, 0},
    {0}};
static const struct flag *const RENEW_SETS[] = {
    RENEW_FLAGS, FLAGS_PROVISIONER, FLAGS_SSHPOP, FLAGS_OFFLINE, FLAGS_CA, FLAGS_FORCE, NULL};

const struct command CMD_SSH_RENEW = {
    .name = "renew",
    .summary = "renew the SSH certificate of a host",
    .synopsis = "<ssh-cert> <ssh-key>",
    .description =
        "Gets a new certificate for the same key and the same names, valid as long as the old one "
        "was. The old certificate and its key prove who asks; the CA needs a provisioner of type "
        "SSHPOP for that. It does so for certificates of hosts only: users log in again.",
    .arguments = "ssh-cert\tThe certificate to renew, which is replaced unless '--out' is given.\n"
                 "ssh-key\tIts private key.",
    .examples = "Renew the certificate of this host, and let sshd know:\n"
                "$ step ssh renew --force /etc/ssh/ssh_host_ed25519_key-cert.pub \\\n"
                "  /etc/ssh/ssh_host_ed25519_key && systemctl reload ssh\n\n"
                "Only when it is due:\n"
                "$ step ssh needs-renewal host-cert.pub && step ssh renew -f host-cert.pub host",
    .flag_sets = RENEW_SETS,
    .least = 2,
    .most = 2,
    .run = run_renew,
};
