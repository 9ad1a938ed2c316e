/*
 * `step ssh certificate`: a key pair and a certificate for it, or with --sign a certificate for a
 * public key that is there.
 *
 * Everything that can fail without the CA is tried before it is asked: whether the files may be
 * written, the password of the new key, whether --private-key is the other half.
 */
#include "cli/key_choice.h"
#include "cli/key_files.h"
#include "cli/ssh_common.h"

/* --password-file encrypts the new key here, and opens nothing. */
static const char *const PROVISIONER_PASSWORDS[] = {"provisioner-password-file",
                                                    "admin-password-file", NULL};
static const char *const KEY_PASSWORDS[] = {"password-file", NULL};

struct order {
    struct invocation *inv;
    uint32_t type;
    struct ca_ssh_sign_wish wish;
    bool sign, add_user;
    struct ssh_paths paths, add_paths; /* add_paths: of the key that makes an account */
    struct ssh_pair pair, add_pair;    /* pair.secret: NULL when it is not at hand */
    struct slice password;
};

/* --- Before the CA is asked ------------------------------------------------------------------ */

static bool is_uuid(struct slice text)
{
    if (text.n != 36)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.p[i] != '-' : !strchr("0123456789abcdefABCDEF", text.p[i]))
            return false;
    }
    return true;
}

static bool check_names(const struct order *o)
{
    struct err *e = &o->inv->err;
    const char *host_id = ca_cmd_text(o->inv, "host-id");

    if (!ssh_name_check("the key id", o->wish.key_id, e))
        return false;
    if (o->add_user && o->wish.n_principals > 1)
        return err_set(e, ERR_MALFORMED,
                       "flag '--add-user' is incompatible with more than one principal");
    if (o->wish.n_principals > SSH_PRINCIPALS_MAX)
        return err_set(e, ERR_MALFORMED, "a certificate has at most %d principals",
                       SSH_PRINCIPALS_MAX);
    for (size_t i = 0; i < o->wish.n_principals; i++)
        if (!ssh_name_check("a principal", o->wish.principals[i], e))
            return false;
    if (host_id && strcmp(host_id, "machine") != 0 && !is_uuid(slice_text(host_id)))
        return ca_cmd_bad_value(o->inv, "host-id", host_id, "expected a UUID or 'machine'");
    return true;
}

static void name_files(struct order *o)
{
    struct arena *a = o->inv->arena;
    const char *base = arg_text(o->inv, 1);

    o->paths = ssh_paths_of(a, base);
    if (!o->sign && strcmp(o->paths.key, base) != 0) {
        /* "id.pub" is the name of a private key here, odd as it is. */
        o->paths = ssh_paths_of(a, arena_printf(a, "%s.pub", base));
    }
    if (o->add_user)
        o->add_paths = ssh_paths_of(a, arena_printf(a, "%s-provisioner", o->paths.key));
}

static bool may_write_all(struct order *o)
{
    struct ssh_paths new = o->paths;

    if (o->sign)
        new.key = new.pub = NULL;
    return ssh_paths_may_write(o->inv, &new) && ssh_paths_may_write(o->inv, &o->add_paths);
}

/* The private half of a key that is signed, for the agent. */
static bool load_private(struct order *o, const char *path)
{
    struct invocation *inv = o->inv;
    struct ssh_key own;
    struct jwk jwk;

    if (!ca_cmd_key_load(inv, path, KEY_PASSWORDS, &jwk))
        return false;
    o->pair.secret = jwk.secret;
    return (ssh_key_from(inv->arena, jwk.secret->public_key, &own, NULL) &&
            slice_eq(own.blob, o->pair.key.blob)) ||
           err_set(&inv->err, ERR_MALFORMED, "the key in %s does not belong to the one in %s", path,
                   arg_text(inv, 1));
}

static bool load_public(struct order *o)
{
    struct invocation *inv = o->inv;
    const char *path = arg_text(inv, 1), *private_path = ca_cmd_text(inv, "private-key");
    struct ssh_line line;

    if (!ssh_input_line(inv, path, &line, &inv->err))
        return false;
    if (ssh_blob_is_cert(line.blob))
        return err_set(&inv->err, ERR_MALFORMED, "%s: expected a public key, found a certificate",
                       path);
    if (!ssh_key_read(inv->arena, line.blob, &o->pair.key, &inv->err))
        return err_wrap(&inv->err, "%s", path);
    return !private_path || load_private(o, private_path);
}

static bool check_length(struct invocation *inv, struct slice password)
{
    int64_t least = flag_int(inv, "min-password-length");

    return least <= 0 || password.n >= (uint64_t)least ||
           err_set(&inv->err, ERR_MALFORMED,
                   "the password is too short: '--min-password-length' wants %lld bytes",
                   (long long)least);
}

static bool make_keys(struct order *o)
{
    struct invocation *inv = o->inv;
    enum key_type type;
    unsigned bits;

    if (!key_choice(inv, flag_bool(inv, "insecure"), &type, &bits, &inv->err))
        return false;
    if (o->sign ? !load_public(o)
                : !key_new_password(inv, "password-file", "the private key", &o->password))
        return false;
    if (!o->sign && !flag_bool(inv, "no-password") && !check_length(inv, o->password))
        return false;
    return (o->sign || ssh_pair_make(inv, type, bits, &o->pair)) &&
           (!o->add_user || ssh_pair_make(inv, type, bits, &o->add_pair));
}

static bool prepare(struct order *o)
{
    struct invocation *inv = o->inv;

    o->type = flag_bool(inv, "host") ? SSH_HOST : SSH_USER;
    o->sign = flag_bool(inv, "sign");
    o->add_user = flag_bool(inv, "add-user");
    o->wish = (struct ca_ssh_sign_wish){
        .type = slice_text(ssh_cert_type_text(o->type)),
        .key_id = inv->args[0],
        .valid_after = slice_text(ca_cmd_text(inv, "not-before")),
        .valid_before = slice_text(ca_cmd_text(inv, "not-after")),
    };
    o->wish.principals = flag_texts(inv, "principal", &o->wish.n_principals);
    name_files(o);
    if (!check_names(o) || !ca_cmd_template_data(inv, &o->wish.template_data) ||
        !may_write_all(o) || !make_keys(o))
        return false;
    o->wish.public_key = o->pair.key.blob;
    if (o->add_user)
        o->wish.add_user_key = o->add_pair.key.blob;
    return true;
}

/* --- Afterwards ------------------------------------------------------------------------------ */

static bool write_own(struct order *o, const struct ssh_cert *cert)
{
    struct invocation *inv = o->inv;
    struct slice comment = inv->args[0];

    if (!o->sign && (!ssh_secret_write(inv, o->paths.key, o->pair.secret, o->password) ||
                     !ssh_line_write(inv, o->paths.pub, o->pair.key.blob, comment)))
        return false;
    if (!ssh_line_write(inv, o->paths.crt, cert->blob, comment))
        return false;
    if (!o->sign) {
        note_selected(inv, "Private Key", o->paths.key);
        note_selected(inv, "Public Key", o->paths.pub);
    }
    note_selected(inv, "Certificate", o->paths.crt);
    return true;
}

static bool write_add_user(struct order *o, const struct ssh_cert *cert)
{
    struct invocation *inv = o->inv;
    struct slice comment = arena_format(inv->arena, "%.*s-provisioner",
                                        SLICE_ARG(ssh_account(inv->arena, inv->args[0])));

    if (!o->add_user)
        return true;
    if (!cert->blob.n) {
        note(inv, "The CA gave no certificate that adds the user: it does so for a certificate of "
                  "one principal, or of a name and its e-mail address.");
        return true;
    }
    if (!ssh_secret_write(inv, o->add_paths.key, o->add_pair.secret, SLICE_NONE) ||
        !ssh_line_write(inv, o->add_paths.pub, o->add_pair.key.blob, comment) ||
        !ssh_line_write(inv, o->add_paths.crt, cert->blob, comment))
        return false;
    note_selected(inv, "Add User Private Key", o->add_paths.key);
    note_selected(inv, "Add User Public Key", o->add_paths.pub);
    note_selected(inv, "Add User Certificate", o->add_paths.crt);
    return true;
}

/* Without an agent everything is in the files all the same. */
static void tell_agent(struct order *o, const struct ssh_cert *cert)
{
    struct invocation *inv = o->inv;
    const char *comment = ca_cmd_text(inv, "comment");
    struct agent agent;
    struct err why = {0};

    if (o->type != SSH_USER || !o->pair.secret || flag_bool(inv, "no-agent"))
        return;
    if (ssh_agent_connect(inv, &agent, &why) &&
        agent_add(&agent, o->pair.secret, cert, comment ? slice_text(comment) : inv->args[0],
                  inv->clock->now(inv->clock), &why))
        note_selected(inv, "SSH Agent", "yes");
    else
        note(inv, "The certificate was not added to an SSH agent: %s", why.text);
}

static bool issue(struct order *o, struct ssh_desk *d)
{
    const char *token = ca_cmd_text(o->inv, "token");
    struct ssh_answer answer;

    if ((token && !ssh_desk_take_token(d, token)) ||
        !ssh_desk_grant(d, PROVISIONER_PASSWORDS, &o->wish))
        return false;
    ssh_desk_note(d);
    if (!ssh_desk_sign(d, &o->wish, &answer) || !write_own(o, &answer.cert) ||
        !write_add_user(o, &answer.add_user))
        return false;
    tell_agent(o, &answer.cert);
    return true;
}

static int run_certificate(struct invocation *inv)
{
    struct order o = {.inv = inv};
    struct ssh_desk d = {0};

    bool ok = prepare(&o) && ssh_desk_open(inv, "provisioner-password-file", &d) && issue(&o, &d);
    ssh_desk_close(&d);
    return ok ? 0 : fail(inv);
}

/* --- The command ----------------------------------------------------------------------------- */

static const struct flag CERTIFICATE_FLAGS[] = {
    {"host", FLAG_BOOL, NULL, "Get a certificate of a host instead of a user.", NULL, 0},
    {"host-id", FLAG_TEXT, "<uuid>",
     "The <uuid> by which the CA knows this machine, or \"machine\" to derive it from "
     "/etc/machine-id. Only a CA that wants client certificates of hosts takes notice.",
     NULL, 0},
    {"sign", FLAG_BOOL, NULL, "Sign the public key in <key-file> instead of making a key.", NULL,
     0},
    {"principal,n", FLAG_TEXTS, "<name>",
     "An account (or with --host a host name) that the certificate is good for. Without any they "
     "follow from the key id. Can be given several times.",
     NULL, 0},
    {"private-key", FLAG_FILE, "<file>",
     "With --sign: the <file> with the private key, so that it can go into the SSH agent.", NULL,
     0},
    {"no-password", FLAG_BOOL, NULL,
     "Write the private key without encryption. Requires --insecure.", NULL, FLAG_NO_DEFAULTS},
    {"min-password-length", FLAG_INT, "<length>",
     "The fewest bytes that the password of the private key may have.", NULL, 0},
    {"add-user", FLAG_BOOL, NULL,
     "Get a second key and certificate, too, with which a host makes the account.", NULL, 0},
    {"token", FLAG_TEXT, "<token>",
     "The one-time <token> that grants the certificate. Without it one is made.", NULL, 0},
    {"comment", FLAG_TEXT, "<text>",
     "The <text> under which the agent keeps the key. Default: the key id.", NULL, 0},
    {"no-agent", FLAG_BOOL, NULL, "Do not put the key into the SSH agent.", NULL, 0},
    {"k8ssa-token-path", FLAG_FILE, "<file>",
     "The <file> with the service account token, for a provisioner of type K8sSA.", NULL, 0},
    {0}};
static const struct flag *const CERTIFICATE_SETS[] = {
    CERTIFICATE_FLAGS, FLAGS_KEY, FLAGS_VALIDITY, FLAGS_PROVISIONER, FLAGS_X5C,      FLAGS_TEMPLATE,
    FLAGS_OFFLINE,     FLAGS_CA,  FLAGS_LOGIN,    FLAGS_FORCE,       FLAGS_INSECURE, NULL};
static const struct flag_rule CERTIFICATE_RULES[] = {
    {RULE_INSECURE, "no-password", NULL},
    {RULE_EXCLUDES, "no-password", "password-file"},
    {RULE_EXCLUDES, "no-password", "min-password-length"},
    {RULE_EXCLUDES, "token", "provisioner-password-file"},
    {RULE_EXCLUDES, "host", "add-user"},
    {RULE_NEEDS, "host-id", "host"},
    {RULE_NEEDS, "private-key", "sign"},
    {RULE_NEEDS, "x5c-cert", "x5c-key"},
    {RULE_NEEDS, "x5c-key", "x5c-cert"},
    {0}};

const struct command CMD_SSH_CERTIFICATE = {
    .name = "certificate",
    .summary = "make an SSH key and get a certificate for it",
    .synopsis = "<key-id> <key-file>",
    .description =
        "Makes a key pair and asks the CA for an SSH certificate of a user, or with '--host' of a "
        "host. The files are those of ssh-keygen: <key-file> with the private key in OpenSSH's "
        "format, <key-file>.pub and <key-file>-cert.pub. A user's key goes into the SSH agent as "
        "well, when there is one.\n\n"
        "With '--sign' the public key in <key-file> gets a certificate, and only that is "
        "written.\n\n"
        "'--password-file' is for the new key. The password of the provisioner's key comes from "
        "'--provisioner-password-file'.",
    .arguments =
        "key-id\tWhom the certificate is for: the text that servers log. Without '--principal' a "
        "user's accounts follow from it (alice@example.com may log in as alice), and the name of a "
        "host is the key id.\n"
        "key-file\tThe private key to write, or with '--sign' the public key to read.",
    .examples = "A key and a certificate of a user, for two hours:\n"
                "$ step ssh certificate --not-after 2h alice@example.com id_ecdsa\n\n"
                "A certificate for the key that a host has already:\n"
                "$ step ssh certificate --host --sign web.example.internal \\\n"
                "  /etc/ssh/ssh_host_ed25519_key.pub\n\n"
                "An Ed25519 key without a password, good for two accounts, kept from the agent:\n"
                "$ step ssh certificate --kty OKP --no-password --insecure --no-agent \\\n"
                "  -n deploy -n backup ci@example.com id_ci",
    .flag_sets = CERTIFICATE_SETS,
    .rules = CERTIFICATE_RULES,
    .least = 2,
    .most = 2,
    .run = run_certificate,
};
