/*
 * `step ssh login`: a key and a user's certificate that exist nowhere but in the agent, which
 * forgets them when the certificate ends.
 */
#include "cli/key_choice.h"
#include "cli/ssh_common.h"

#define EARLIER 60 /* seconds: clocks of servers may be a little late */

/* --- What the certificate is asked for --------------------------------------------------------
 */

static bool add_to_agent(struct invocation *inv, struct agent *agent, const struct ssh_pair *pair,
                         const struct ssh_cert *cert, struct slice comment)
{
    return agent_add(agent, pair->secret, cert, comment, inv->clock->now(inv->clock), &inv->err);
}

static struct slice usual_begin(struct invocation *inv)
{
    struct instant now = inv->clock->now(inv->clock);

    return rfc3339(inv->arena, instant_sec(now.sec - EARLIER));
}

/* Without '--principal' it is good for the identity and for nobody else.  What a token binds, or
 * who the provider says it is, is named by the desk. */
static void name_principal(const struct ssh_desk *d, struct ca_ssh_sign_wish *ask)
{
    bool told = d->has_given && (d->given_kind == OTT_JWK || d->given_kind == OTT_OIDC);
    struct slice *only;

    if (told || ask->n_principals > 0 || !ask->key_id.n)
        return;
    only = arena_alloc(d->inv->arena, sizeof(*only));
    *only = ask->key_id;
    ask->principals = only;
    ask->n_principals = 1;
}

bool ssh_login_run(struct ssh_desk *d, struct agent *agent, const struct ssh_login_wish *wish)
{
    struct invocation *inv = d->inv;
    struct ca_ssh_sign_wish ask = {.type = SLICE("user"),
                                   .key_id = wish->identity,
                                   .principals = wish->principals,
                                   .n_principals = wish->n_principals,
                                   .valid_after = wish->valid_after,
                                   .valid_before = wish->valid_before,
                                   .template_data = wish->template_data};
    struct ssh_pair own, other;
    struct ssh_answer answer;

    if (!ssh_pair_make(inv, wish->type, wish->bits, &own) ||
        (wish->add_user && !ssh_pair_make(inv, wish->type, wish->bits, &other)))
        return false;
    ask.public_key = own.key.blob;
    if (wish->add_user)
        ask.add_user_key = other.key.blob;
    name_principal(d, &ask);
    if (!ask.valid_after.n && !d->has_given)
        ask.valid_after = usual_begin(inv);
    if (!ssh_desk_grant(d, NULL, &ask))
        return false;
    ssh_desk_note(d);
    struct slice comment = wish->comment.n ? wish->comment : ask.key_id;
    if (!ssh_desk_sign(d, &ask, &answer) || !add_to_agent(inv, agent, &own, &answer.cert, comment))
        return false;
    return !answer.add_user.blob.n ||
           add_to_agent(inv, agent, &other, &answer.add_user,
                        arena_format(inv->arena, "%.*s-provisioner",
                                     SLICE_ARG(ssh_account(inv->arena, ask.key_id))));
}

/* --- What is there already ------------------------------------------------------------------- */

static bool has_ended(const struct ssh_cert *cert, int64_t now)
{
    return cert->valid_before != SSH_FOREVER && now >= 0 && (uint64_t)now >= cert->valid_before;
}

/* Drops what has ended under that comment, and tells whether something good is left. */
static bool tidy(struct ssh_desk *d, struct agent *agent, struct slice comment, bool *there)
{
    struct invocation *inv = d->inv;
    int64_t now = inv->clock->now(inv->clock).sec;
    struct ssh_trust trust = {0};
    struct ssh_login *v;
    size_t n;

    *there = false;
    if (!ssh_logins(inv, agent, &v, &n, &inv->err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (slice_eq(v[i].comment, comment) && has_ended(&v[i].cert, now) &&
            !agent_remove(agent, v[i].cert.blob, &inv->err))
            return false;
    if (!ssh_desk_roots(d, &trust, &inv->err)) {
        if (inv->err.kind != ERR_NOT_FOUND)
            return false;
        err_clear(&inv->err); /* no keys: nothing can be from here */
    }
    *there = ssh_login_find(inv, v, n, &trust.user, comment) != NULL;
    return true;
}

/* --- The command ----------------------------------------------------------------------------- */

static bool read_flags(struct invocation *inv, struct ssh_login_wish *wish)
{
    const char *identity = inv->n_args ? arg_text(inv, 0) : ca_cmd_text(inv, "identity");

    *wish = (struct ssh_login_wish){.identity = slice_text(identity),
                                    .comment = slice_text(ca_cmd_text(inv, "comment")),
                                    .add_user = flag_bool(inv, "add-user"),
                                    .valid_after = slice_text(ca_cmd_text(inv, "not-before")),
                                    .valid_before = slice_text(ca_cmd_text(inv, "not-after"))};
    wish->principals = flag_texts(inv, "principal", &wish->n_principals);
    if (wish->add_user && wish->n_principals > 1)
        return err_set(&inv->err, ERR_MALFORMED,
                       "flag '--add-user' is incompatible with more than one principal");
    for (size_t i = 0; i < wish->n_principals; i++)
        if (!ssh_name_check("a principal", wish->principals[i], &inv->err))
            return false;
    return (!wish->identity.n || ssh_name_check("the identity", wish->identity, &inv->err)) &&
           key_choice(inv, flag_bool(inv, "insecure"), &wish->type, &wish->bits, &inv->err) &&
           ca_cmd_template_data(inv, &wish->template_data);
}

static bool login(struct ssh_desk *d, struct ssh_login_wish *wish)
{
    struct invocation *inv = d->inv;
    const char *token = ca_cmd_text(inv, "token");
    struct slice comment = wish->comment.n ? wish->comment : wish->identity;
    struct agent agent;
    bool there = false;

    if (!ssh_agent_connect(inv, &agent, &inv->err) || (token && !ssh_desk_take_token(d, token)))
        return false;
    if (!flag_bool(inv, "force") && comment.n && !tidy(d, &agent, comment, &there))
        return false;
    if (there) {
        note(inv, "The key %.*s is already present in the SSH agent.", SLICE_ARG(comment));
        return true;
    }
    if (!ssh_login_run(d, &agent, wish))
        return false;
    note_selected(inv, "SSH Agent", "yes");
    return true;
}

static int run_login(struct invocation *inv)
{
    struct ssh_login_wish wish;
    struct ssh_desk d;

    if (!read_flags(inv, &wish))
        return fail(inv);
    bool ok = ssh_desk_open(inv, "password-file", &d) && login(&d, &wish);
    ssh_desk_close(&d);
    return ok ? 0 : fail(inv);
}

static const struct flag LOGIN_FLAGS[] = {
    {"token", FLAG_TEXT, "<token>",
     "The one-time <token> that grants the certificate. Without it one is made.", NULL, 0},
    {"principal,n", FLAG_TEXTS, "<name>",
     "An account <name> that the certificate is good for. Default: the identity. Can be given "
     "several times.",
     NULL, 0},
    {"identity", FLAG_TEXT, "<identity>",
     "The <identity> when it is no argument: for the file of defaults.", NULL, 0},
    {"comment", FLAG_TEXT, "<text>",
     "The <text> under which the agent keeps the key. Default: the identity.", NULL, 0},
    {"add-user", FLAG_BOOL, NULL,
     "Get a second certificate, too, with which a host makes the account.", NULL, 0},
    {0}};
static const struct flag *const LOGIN_SETS[] = {
    LOGIN_FLAGS,   FLAGS_KEY, FLAGS_VALIDITY, FLAGS_PROVISIONER, FLAGS_X5C,      FLAGS_TEMPLATE,
    FLAGS_OFFLINE, FLAGS_CA,  FLAGS_LOGIN,    FLAGS_FORCE,       FLAGS_INSECURE, NULL};
static const struct flag_rule LOGIN_RULES[] = {
    {RULE_EXCLUDES, "token", "provisioner-password-file"},
    {RULE_NEEDS, "x5c-cert", "x5c-key"},
    {RULE_NEEDS, "x5c-key", "x5c-cert"},
    {0}};

const struct command CMD_SSH_LOGIN = {
    .name = "login",
    .summary = "get a user's certificate into the SSH agent",
    .synopsis = "[<identity>]",
    .description =
        "Makes a key, gets a certificate for it, and puts both into the SSH agent (its socket is "
        "named by the variable SSH_AUTH_SOCK). Nothing is written to a disk, and the agent "
        "forgets the key when the certificate ends.\n\n"
        "When the agent holds a valid certificate of the CA under that name already, nothing is "
        "done unless '--force' says so. With a provisioner of type OIDC the identity is the "
        "e-mail address of whoever logs in at the provider.",
    .arguments =
        "identity\tFor whom the certificate is: its key id and, without '--principal', the "
        "account that it is good for.",
    .examples = "Log in for the day:\n"
                "$ step ssh login alice\n\n"
                "For one hour, under an e-mail address and as another account:\n"
                "$ step ssh login --not-after 1h --principal deploy alice@example.com",
    .flag_sets = LOGIN_SETS,
    .rules = LOGIN_RULES,
    .least = 0,
    .most = 1,
    .run = run_login,
};
