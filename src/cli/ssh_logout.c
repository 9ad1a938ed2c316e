/*
 * `step ssh logout`: certificates of the CA leave the SSH agent; --all goes further.
 *
 *                 without an identity          with an identity
 *  (nothing)      the CA's certificates        the CA's certificates under that comment
 *  --all          every key                    every key under that comment
 */
#include "cli/ssh_common.h"

/* Whose certificates count.  Without the CA every certificate does. */
static bool fetch_roots(struct invocation *inv, struct ssh_trust *trust)
{
    struct ssh_desk d;
    struct err why = {0};
    bool known = ssh_desk_open(inv, "password-file", &d) && ssh_desk_roots(&d, trust, &why);

    ssh_desk_close(&d);
    err_clear(&inv->err);
    return known;
}

static bool is_meant(struct invocation *inv, const struct ssh_identity *id, struct slice identity,
                     const struct ssh_keys *keys)
{
    struct ssh_login login = {.comment = id->comment};

    if (identity.n && !slice_eq(id->comment, identity))
        return false;
    if (flag_bool(inv, "all"))
        return true;
    if (!ssh_blob_is_cert(id->blob) || !ssh_cert_read(inv->arena, id->blob, &login.cert, NULL))
        return false;
    return !keys || ssh_login_by(inv, &login, keys);
}

static bool drop_meant(struct invocation *inv, struct agent *agent, struct slice identity,
                       size_t *dropped)
{
    struct ssh_trust trust = {0};
    struct ssh_identity *v;
    size_t n;
    bool known = !flag_bool(inv, "all") && fetch_roots(inv, &trust);

    *dropped = 0;
    if (!agent_list(agent, inv->arena, &v, &n, &inv->err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_meant(inv, &v[i], identity, known ? &trust.user : NULL))
            continue;
        if (!agent_remove(agent, v[i].blob, &inv->err))
            return false;
        ++*dropped;
    }
    return true;
}

static int run_logout(struct invocation *inv)
{
    const char *text = inv->n_args ? arg_text(inv, 0) : ca_cmd_text(inv, "identity");
    struct slice identity = slice_text(text);
    struct agent agent;
    size_t dropped;

    if (!ssh_agent_connect(inv, &agent, &inv->err))
        return fail(inv);
    if (flag_bool(inv, "all") && !identity.n) {
        if (!agent_remove_all(&agent, &inv->err))
            return fail(inv);
        out_line(inv, "All identities removed.");
        return 0;
    }
    if (!drop_meant(inv, &agent, identity, &dropped))
        return fail(inv);
    if (identity.n)
        out_line(inv, dropped ? "Identity removed: %.*s" : "Identity not found: %.*s",
                 SLICE_ARG(identity));
    else
        out_line(inv, dropped ? "Identities removed: %zu" : "No identities found.", dropped);
    return 0;
}

static const struct flag LOGOUT_FLAGS[] = {
    {"all", FLAG_BOOL, NULL,
     "Remove whatever key there is (with an identity: under it), be it from the CA or not.", NULL,
     0},
    {"identity", FLAG_TEXT, "<identity>",
     "The <identity> when it is no argument: for the file of defaults.", NULL, 0},
    {0}};
static const struct flag *const LOGOUT_SETS[] = {LOGOUT_FLAGS, FLAGS_PASSWORD, FLAGS_OFFLINE,
                                                 FLAGS_CA, NULL};

const struct command CMD_SSH_LOGOUT = {
    .name = "logout",
    .summary = "remove certificates from the SSH agent",
    .synopsis = "[<identity>]",
    .description = "Removes the certificates that the CA signed from the SSH agent, or only those "
                   "under the given identity. When the CA cannot be asked for its keys, every "
                   "certificate counts as its. '--all' removes other keys, too.",
    .arguments = "identity\tThe identity of the login, which is the comment in the agent.",
    .examples = "Log out:\n"
                "$ step ssh logout\n\n"
                "Remove one login:\n"
                "$ step ssh logout alice@example.com\n\n"
                "Empty the agent:\n"
                "$ step ssh logout --all",
    .flag_sets = LOGOUT_SETS,
    .least = 0,
    .most = 1,
    .run = run_logout,
};
