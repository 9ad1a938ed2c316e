/*
 * The CA that a command below `step ssh` talks to: a server, or with --offline this process.  What
 * comes back is looked at before anybody uses it.
 */
#include "cli/ssh_identity.h"

const struct flag FLAGS_SSHPOP[] = {
    {"sshpop-cert", FLAG_FILE, "<file>",
     "The SSH certificate <file> that goes into the token of an SSHPOP provisioner.", NULL, 0},
    {"sshpop-key", FLAG_FILE, "<file>", "The private key <file> that belongs to --sshpop-cert.",
     NULL, 0},
    {0}};

/* --- Where it is ----------------------------------------------------------------------------- */

bool ssh_desk_open(struct invocation *inv, const char *password_flag, struct ssh_desk *d)
{
    *d = (struct ssh_desk){.inv = inv};
    return !flag_bool(inv, "offline") || ca_offline_open_by(inv, password_flag, &d->offline);
}

void ssh_desk_close(struct ssh_desk *d)
{
    ca_offline_close(&d->offline);
}

/* Who has an identity shows it. */
static bool connected(struct ssh_desk *d, bool ok)
{
    d->connected = ok;
    if (ok)
        d->ca.identity = ssh_identity_load(d->inv);
    return ok;
}

bool ssh_desk_connect(struct ssh_desk *d)
{
    if (d->offline.open || d->connected)
        return true;
    return connected(d, ca_cmd_connect(d->inv, &d->ca, &d->roots));
}

void ssh_desk_note(struct ssh_desk *d)
{
    struct slice url = d->offline.open ? ca_offline_url(&d->offline) : d->ca.url;

    note_selected(d->inv, "CA", arena_cstr(d->inv->arena, url));
}

/* --- Tokens ---------------------------------------------------------------------------------- */

bool ssh_desk_token(struct ssh_desk *d, const struct token_order *order, struct slice *ott)
{
    struct invocation *inv = d->inv;
    struct token_source source;

    if (d->offline.open)
        return token_source_offline(inv, &source) && token_flow(inv, &source, order, ott);
    return ssh_desk_connect(d) && token_source_online(inv, &d->ca, &d->roots, &source) &&
           token_flow(inv, &source, order, ott);
}

bool ssh_desk_take_token(struct ssh_desk *d, const char *text)
{
    struct invocation *inv = d->inv;

    d->has_given = ott_read(inv->arena, slice_text(text), &d->given, &d->given_kind, &inv->err);
    if (!d->has_given || d->offline.open)
        return d->has_given;
    return connected(d, ca_cmd_connect_for(inv, &d->given, &d->ca));
}

/* A token that names principals itself leaves nothing to name. */
static bool check_named(const struct ssh_desk *d, const struct ca_ssh_sign_wish *wish)
{
    bool binds = d->given_kind == OTT_JWK || d->given_kind == OTT_OIDC;

    return !binds || wish->n_principals == 0 ||
           err_set(&d->inv->err, ERR_MALFORMED,
                   "flag '--principal' is incompatible with '--token': the token says which "
                   "principals there are");
}

static void name_principals(struct arena *a, struct ca_ssh_sign_wish *wish)
{
    uint32_t type = slice_is(wish->type, "host") ? SSH_HOST : SSH_USER;
    struct slice *v = arena_array(a, SSH_USUAL_MAX, sizeof(*v));

    if (wish->n_principals > 0 || !wish->key_id.n)
        return;
    wish->principals = v;
    wish->n_principals = ssh_usual_principals(a, type, wish->key_id, v);
}

static bool obtain(struct ssh_desk *d, const char *const *passwords, struct ca_ssh_sign_wish *wish,
                   struct token *t)
{
    struct invocation *inv = d->inv;
    struct token_order order = {
        .kind = TOKEN_SSH_SIGN, .subject = wish->key_id, .ssh = wish, .passwords = passwords};

    if (d->has_given) {
        *t = d->given;
        return check_named(d, wish);
    }
    name_principals(inv->arena, wish);
    return ssh_desk_token(d, &order, &wish->ott) && token_read(inv->arena, wish->ott, t, &inv->err);
}

bool ssh_desk_grant(struct ssh_desk *d, const char *const *passwords, struct ca_ssh_sign_wish *wish)
{
    struct token t;

    if (!obtain(d, passwords, wish, &t))
        return false;
    enum ott_kind kind = ott_kind_of(&t);
    struct slice email = json_text(json_get_exact(t.claims, "email"));
    wish->ott = t.jws.text;
    if (kind == OTT_OIDC && email.n)
        wish->key_id = email;
    if (!wish->key_id.n)
        wish->key_id = t.sub;
    /* What a token of ours binds is taken from there. */
    if (!d->has_given || kind != OTT_JWK)
        name_principals(d->inv->arena, wish);
    return ssh_name_check("the key id", wish->key_id, &d->inv->err) &&
           ssh_identity_request(d, &t, wish, &d->identity_key);
}

/* --- Answers --------------------------------------------------------------------------------- */

static bool check_cert(struct invocation *inv, struct slice blob, struct slice key,
                       struct ssh_cert *cert)
{
    struct err *e = &inv->err;

    if (!ssh_cert_read(inv->arena, blob, cert, e) || !ssh_cert_verify(inv->arena, cert, e))
        return err_wrap(e, "the certificate in the CA's answer");
    return slice_eq(cert->key.blob, key) ||
           err_set(e, ERR_MALFORMED, "the certificate in the CA's answer is for another key");
}

static bool check_type(struct invocation *inv, const struct ssh_cert *cert, struct slice wanted)
{
    const char *type = ssh_cert_type_text(cert->type);

    return !wanted.n || slice_is(wanted, type) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "the CA answered with a %s certificate instead of one "
                   "for a %.*s",
                   type, SLICE_ARG(wanted));
}

bool ssh_desk_sign(struct ssh_desk *d, const struct ca_ssh_sign_wish *wish,
                   struct ssh_answer *answer)
{
    struct invocation *inv = d->inv;
    struct ca_ssh_reply reply = {0};
    bool asked = d->offline.open ? ca_offline_ssh_sign(&d->offline, wish, &reply, &inv->err)
                                 : ca_ssh_sign(&d->ca, inv->arena, wish, &reply, &inv->err);

    *answer = (struct ssh_answer){0};
    if (!asked || !check_cert(inv, reply.crt, wish->public_key, &answer->cert) ||
        !check_type(inv, &answer->cert, wish->type))
        return false;
    if (wish->add_user_key.n && reply.add_user_crt.n &&
        !check_cert(inv, reply.add_user_crt, wish->add_user_key, &answer->add_user))
        return false;
    return !d->identity_key || !reply.identity.n ||
           ssh_identity_write(inv, d->identity_key, &reply.identity);
}

static bool ask_renewal(struct ssh_desk *d, struct slice ott, const struct ssh_key *key,
                        struct ca_ssh_reply *reply)
{
    struct invocation *inv = d->inv;
    struct slice blob = key ? key->blob : SLICE_NONE;

    if (d->offline.open)
        return ca_offline_ssh_renew(&d->offline, ott, blob, reply, &inv->err);
    return key ? ca_ssh_rekey(&d->ca, inv->arena, ott, blob, reply, &inv->err)
               : ca_ssh_renew(&d->ca, inv->arena, ott, reply, &inv->err);
}

bool ssh_desk_renew(struct ssh_desk *d, const struct ssh_held *held, struct slice ott,
                    const struct ssh_key *key, struct ssh_answer *answer)
{
    struct slice blob = key ? key->blob : held->cert.key.blob;
    struct ca_ssh_reply reply = {0};

    *answer = (struct ssh_answer){0};
    if (!ask_renewal(d, ott, key, &reply) || !check_cert(d->inv, reply.crt, blob, &answer->cert))
        return false;
    if (!check_type(d->inv, &answer->cert, slice_text(ssh_cert_type_text(held->cert.type))))
        return false;
    return !d->ca.identity || !reply.identity.n ||
           ssh_identity_write(d->inv, NULL, &reply.identity);
}

bool ssh_desk_revoke(struct ssh_desk *d, const struct ca_revoke_wish *wish)
{
    struct invocation *inv = d->inv;

    if (d->offline.open)
        return ca_offline_ssh_revoke(&d->offline, wish, &inv->err);
    return ca_ssh_revoke(&d->ca, inv->arena, wish, &inv->err) ||
           (ssh_again(d) && ca_ssh_revoke(&d->ca, inv->arena, wish, &inv->err));
}

bool ssh_desk_roots(struct ssh_desk *d, struct ssh_trust *trust, struct err *e)
{
    if (d->offline.open)
        return ca_offline_ssh_roots(&d->offline, trust, e);
    if (ssh_desk_connect(d))
        return ca_ssh_roots(&d->ca, d->inv->arena, false, trust, e);
    if (e != &d->inv->err)
        err_move(e, &d->inv->err);
    return false;
}

bool ssh_desk_bastion(struct ssh_desk *d, struct slice user, struct slice host,
                      struct ca_ssh_bastion *out, struct err *e)
{
    if (d->offline.open)
        return ca_offline_ssh_bastion(&d->offline, host, out, e);
    return ca_ssh_bastion(&d->ca, d->inv->arena, user, host, out, e);
}
