/*
 * A CA that wants client certificates answers 401 to whoever shows none.  Then the user logs in at
 * the provider of an OIDC provisioner, gets an identity certificate for it, and what was asked for
 * is asked once more (docs/reference/ssh-client.md "Identity").
 *
 * The identity comes with an SSH certificate; that one, and its key, go no further than here.
 */
#include "cli/ssh_identity.h"

static bool is_oidc(const struct json *provisioner)
{
    const char *type = provisioner_type_name(provisioner);

    return type && strcmp(type, "OIDC") == 0;
}

static bool choose(struct invocation *inv, const struct json **v, size_t n,
                   const struct json **chosen)
{
    struct slice *items = arena_array(inv->arena, n + 1, sizeof(*items));
    struct terminal *t = inv->terminal;
    size_t i = 0;

    for (size_t k = 0; k < n; k++)
        items[k] = provisioner_label(inv->arena, v[k]);
    if (n > 1 && !t->choose(t, "What provisioner do you want to use?\tProvisioner", items, n, NULL,
                            &i, &inv->err))
        return false;
    *chosen = v[i];
    if (n == 1)
        note_selected(inv, "Provisioner", arena_cstr(inv->arena, items[0]));
    return true;
}

static bool find_provisioner(struct ssh_desk *d, const struct json **chosen)
{
    struct invocation *inv = d->inv;
    const struct json **v;
    size_t n, kept = 0;

    if (!ca_provisioners(&d->ca, inv->arena, &v, &n, &inv->err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (is_oidc(v[i]))
            v[kept++] = v[i];
    return kept > 0 ? choose(inv, v, kept, chosen)
                    : err_set(&inv->err, ERR_UNAUTHORIZED,
                              "the CA has no provisioner of type OIDC: get an identity with 'step "
                              "ssh login' or 'step ssh certificate' by one that it has");
}

static bool log_in(struct ssh_desk *d, struct ssh_desk *login)
{
    struct invocation *inv = d->inv;
    const struct json *provisioner = NULL;
    struct slice text;

    login->has_given = find_provisioner(d, &provisioner) &&
                       token_by_login(inv, provisioner, &text) &&
                       ott_read(inv->arena, text, &login->given, &login->given_kind, &inv->err);
    return login->has_given;
}

static bool get_identity(struct ssh_desk *d)
{
    struct invocation *inv = d->inv;
    /* Connected like d, but with nothing to show. */
    struct ssh_desk login = {.inv = inv, .ca = d->ca, .roots = d->roots, .connected = true};
    struct ca_ssh_sign_wish wish = {.type = SLICE("user")};
    struct ssh_answer answer;
    struct ssh_pair pair;

    login.ca.identity = NULL;
    if (!log_in(d, &login) || !ssh_pair_make(inv, KEY_P256, 0, &pair) ||
        !ca_cmd_template_data(inv, &wish.template_data))
        return false;
    wish.public_key = pair.key.blob;
    if (!ssh_desk_grant(&login, NULL, &wish) || !ssh_desk_sign(&login, &wish, &answer))
        return false;
    d->ca.identity = ssh_identity_load(inv);
    return d->ca.identity || err_set(&inv->err, ERR_UNAUTHORIZED,
                                     "the CA's answer has no certificate for the identity");
}

bool ssh_again(struct ssh_desk *d)
{
    struct err *e = &d->inv->err, first = *e;

    if (d->offline.open || d->again || e->kind != ERR_UNAUTHORIZED || !ssh_identity_wanted(d))
        return false;
    d->again = true;
    note(d->inv, "The CA wants to know who asks: log in.");
    err_clear(e);
    if (get_identity(d))
        return true;
    return err_wrap(e, "%s; then, to log in", first.text);
}
