/*
 * From a subject to a one-time token: the CA's provisioners, a choice, a key, a signature.
 *
 * Each type of provisioner that a client can sign for is one function and one line in KINDS; the
 * others are refused by name.  The CA itself never sees a password: the provisioner's key comes
 * from it encrypted and is opened here.
 */
#include "authority/config.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/uri.h"
#include "cli/ssh_common.h"

#define TOKEN_LIFETIME (5 * 60 * NS_PER_SEC)
#define TOKEN_SHORTEST (10 * NS_PER_SEC)
#define TOKEN_LONGEST  (3600 * NS_PER_SEC)
#define TOKEN_AHEAD    (30 * 60 * NS_PER_SEC)
#define K8SSA_TOKEN    "/var/run/secrets/kubernetes.io/serviceaccount/token"

static const char *const KEY_PASSWORDS[] = {"provisioner-password-file", "admin-password-file",
                                            "password-file", NULL};

/* --- Pure parts ------------------------------------------------------------------------------ */

bool token_validity(const struct token_order *order, struct instant now, struct instant *begin,
                    struct instant *end, struct err *e)
{
    *begin = time_or_duration_from(&order->not_before, now);
    *end = order->not_after.set ? time_or_duration_from(&order->not_after, now)
                                : instant_add(*begin, TOKEN_LIFETIME);
    int64_t length = instant_sub(*end, *begin);
    if (length < TOKEN_SHORTEST || length > TOKEN_LONGEST)
        return err_set(e, ERR_MALFORMED,
                       "a token is valid between 10 seconds and 1 hour: see '--not-before' and "
                       "'--not-after'");
    return instant_sub(*begin, now) <= TOKEN_AHEAD ||
           err_set(e, ERR_MALFORMED,
                   "a token's validity begins within 30 minutes from now: see '--not-before'");
}

struct slice token_audience(struct arena *a, struct slice base, enum token_kind kind,
                            struct slice fragment)
{
    static const char *const PATHS[] = {
        [TOKEN_SIGN] = "sign",
        [TOKEN_RENEW] = "renew",
        [TOKEN_REVOKE] = "revoke",
        [TOKEN_SSH_SIGN] = "ssh/sign",
        [TOKEN_SSH_RENEW] = "ssh/renew",
        [TOKEN_SSH_REKEY] = "ssh/rekey",
        [TOKEN_SSH_REVOKE] = "ssh/revoke",
    };
    struct slice text = arena_format(a, "%.*s/%s", SLICE_ARG(base), PATHS[kind]);
    struct uri u;

    if (!fragment.n || !uri_read(a, text, &u, NULL))
        return text;
    u.fragment = fragment;
    u.raw_fragment = SLICE_NONE;
    return uri_text(a, &u);
}

/* --- One type each --------------------------------------------------------------------------- */

struct flow {
    struct invocation *inv;
    const struct token_source *source;
    const struct token_order *order;
    const struct json *provisioner;
    struct slice name;
};

/* docs/reference/tokens.md "step.ssh" */
static struct slice ssh_claim(struct arena *a, const struct ca_ssh_sign_wish *ssh)
{
    struct buf b = buf_new(a, TOKEN_MAX);
    struct json_writer w = json_writer(&b);

    json_open(&w, NULL);
    json_open(&w, "ssh");
    json_member_text(&w, "certType", ssh->type);
    json_member_text(&w, "keyID", ssh->key_id);
    json_open_list(&w, "principals");
    for (size_t i = 0; i < ssh->n_principals; i++)
        json_member_text(&w, NULL, ssh->principals[i]);
    json_close(&w);
    json_member_text(&w, "validAfter", ssh->valid_after);
    json_member_text(&w, "validBefore", ssh->valid_before);
    json_close(&w);
    json_close(&w);
    return buf_slice(&b);
}

static const char *const *passwords_of(const struct flow *f)
{
    return f->order->passwords ? f->order->passwords : KEY_PASSWORDS;
}

static bool common_wish(const struct flow *f, struct slice fragment, struct token_wish *wish)
{
    struct invocation *inv = f->inv;
    const struct token_order *o = f->order;
    struct instant now = inv->clock->now(inv->clock);

    *wish = (struct token_wish){
        .issuer = f->name,
        .audience = token_audience(inv->arena, f->source->base, o->kind, fragment),
        .subject = o->subject,
        .root_fingerprint = f->source->root_fingerprint,
        .has_sans = o->kind == TOKEN_SIGN,
        .sans = arena_array(inv->arena, o->n_sans + 1, sizeof(*wish->sans)),
        .cnf = o->cnf,
        .user = o->user,
        .issued_at = now,
    };
    if (!o->subject.n)
        return err_set(&inv->err, ERR_MALFORMED, "token: the subject must not be empty");
    wish->n_sans = names_join(wish->sans, 0, o->sans, o->n_sans);
    if (o->ssh)
        wish->step = ssh_claim(inv->arena, o->ssh);
    return token_validity(o, now, &wish->not_before, &wish->not_after, &inv->err);
}

static bool encrypted_key(const struct flow *f, struct slice kid, struct slice *jwe)
{
    if (f->source->ca)
        return ca_encrypted_key(f->source->ca, f->inv->arena, kid, jwe, &f->inv->err);
    *jwe = json_text(json_get(f->provisioner, "encryptedKey"));
    return jwe->n > 0 ||
           err_set(&f->inv->err, ERR_NOT_FOUND,
                   "provisioner '%.*s' has no encryptedKey in the configuration: give its key "
                   "with '--key'",
                   SLICE_ARG(f->name));
}

/* The provisioner's own key, which the CA keeps in encrypted form. */
static bool open_key(const struct flow *f, struct slice kid, struct jwk *jwk)
{
    struct invocation *inv = f->inv;
    struct slice password, jwe;

    if (!ca_cmd_password(inv, passwords_of(f), &password) || !encrypted_key(f, kid, &jwe))
        return false;
    struct password_source *source = terminal_password_source(
        inv->arena, inv->terminal, password,
        flag_listed(inv, "provisioner-password-file") ? "--provisioner-password-file"
                                                      : "--password-file",
        3);
    return jwk_open(inv->secrets, jwe, "provisioner key", source, jwk, &inv->err) ||
           err_wrap(&inv->err, "provisioner '%.*s'", SLICE_ARG(f->name));
}

static bool belongs(const struct flow *f, const struct json *public_key, const struct jwk *jwk)
{
    struct jwk theirs;

    if (!jwk->secret)
        return err_set(&f->inv->err, ERR_MALFORMED, "cannot use a public key for signing");
    if (!public_key)
        return true; /* nothing to compare with: --offline without a configuration */
    if (!jwk_from_json(f->inv->arena, public_key, &theirs, &f->inv->err))
        return err_wrap(&f->inv->err, "key of provisioner '%.*s'", SLICE_ARG(f->name));
    return (theirs.key && key_eq(theirs.key, jwk->key)) ||
           err_set(&f->inv->err, ERR_MALFORMED,
                   "the key that was given is not the key of provisioner '%.*s'",
                   SLICE_ARG(f->name));
}

static bool make_jwk(const struct flow *f, struct slice *token)
{
    struct invocation *inv = f->inv;
    const struct json *key = json_get(f->provisioner, "key");
    const char *own = f->order->own_key ? ca_cmd_text(inv, "key") : NULL;
    struct slice kid = json_text(json_get_exact(key, "kid"));
    struct token_wish wish;
    struct jwk jwk = {0};

    if (!common_wish(f, SLICE_NONE, &wish))
        return false;
    if (!(own ? ca_cmd_key_load(inv, own, passwords_of(f), &jwk) : open_key(f, kid, &jwk)) ||
        !belongs(f, key, &jwk))
        return false;
    const char *kid_flag = ca_cmd_text(inv, "kid");
    wish.kid = kid.n ? kid : slice_text(kid_flag);
    enum jws_alg alg = jwk.alg.n ? jws_alg_of(jwk.alg) : JWS_NONE;
    return token_make(inv->arena, &wish, jwk.secret, alg, inv->rng, token, &inv->err);
}

static bool load_x5c(const struct flow *f, struct ca_held *held)
{
    struct invocation *inv = f->inv;
    const char *crt = ca_cmd_text(inv, "x5c-cert"), *key = ca_cmd_text(inv, "x5c-key");
    size_t n = 0;

    if (!crt || !key)
        return err_set(&inv->err, ERR_MALFORMED,
                       "a provisioner of type X5C requires the '--%s' flag",
                       crt ? "x5c-key" : "x5c-cert");
    if (!ca_held_load(inv, crt, key, passwords_of(f), held))
        return false;
    const struct slice *more = flag_texts(inv, "x5c-chain", &n);
    for (size_t i = 0; i < n; i++) {
        struct cert_list list = {0};
        if (!cert_list_load(inv->arena, arena_cstr(inv->arena, more[i]), &list, &inv->err))
            return false;
        for (size_t k = 0; k < list.n; k++)
            cert_list_add(inv->arena, &held->chain, list.v[k]);
    }
    return true;
}

static bool make_x5c(const struct flow *f, struct slice *token)
{
    struct invocation *inv = f->inv;
    struct ca_held held;
    struct token_wish wish;

    if (!common_wish(f, arena_format(inv->arena, "x5c/%.*s", SLICE_ARG(f->name)), &wish) ||
        !load_x5c(f, &held))
        return false;
    const struct cert *leaf = held.chain.v[0];
    if (!leaf->has_key_usage || !(leaf->key_usage & KU_DIGITAL_SIGNATURE))
        return err_set(&inv->err, ERR_MALFORMED,
                       "the certificate in %s may not sign: it lacks the key usage "
                       "digitalSignature (RFC 5280 4.2.1.3)",
                       flag_text(inv, "x5c-cert"));
    wish.x5c_insecure = flag_bool(inv, "x5c-insecure");
    wish.x5c = arena_array(inv->arena, held.chain.n, sizeof(*wish.x5c));
    for (size_t i = 0; i < held.chain.n; i++)
        wish.x5c[wish.n_x5c++] = held.chain.v[i]->der;
    return token_make(inv->arena, &wish, held.key, JWS_NONE, inv->rng, token, &inv->err);
}

/* The cluster made the token; it goes to the CA as it is. */
static bool make_k8ssa(const struct flow *f, struct slice *token)
{
    const char *given = ca_cmd_text(f->inv, "k8ssa-token-path");
    struct slice text;

    if (!file_read(f->inv->secrets, given ? given : K8SSA_TOKEN, false, TOKEN_MAX, &text,
                   &f->inv->err))
        return false;
    *token = slice_trim(text);
    return token->n > 0 || err_set(&f->inv->err, ERR_MALFORMED, "%s: expected a token, found none",
                                   given ? given : K8SSA_TOKEN);
}

static bool refuse(const struct flow *f, const char *why)
{
    return err_set(&f->inv->err, ERR_NOT_IMPLEMENTED, "provisioner '%.*s' is of type %s: %s",
                   SLICE_ARG(f->name), provisioner_type_name(f->provisioner), why);
}

static bool load_sshpop(const struct flow *f, struct ssh_held *held)
{
    struct invocation *inv = f->inv;
    const char *crt = ca_cmd_text(inv, "sshpop-cert"), *key = ca_cmd_text(inv, "sshpop-key");

    if (f->order->held) {
        *held = *f->order->held;
        return true;
    }
    if (!crt || !key)
        return err_set(&inv->err, ERR_MALFORMED,
                       "a provisioner of type SSHPOP requires the '--%s' flag",
                       crt ? "sshpop-key" : "sshpop-cert");
    return ssh_held_load(inv, crt, key, passwords_of(f), held);
}

/* An SSH certificate speaks for itself, and for nothing else. */
static bool make_sshpop(const struct flow *f, struct slice *token)
{
    struct invocation *inv = f->inv;
    struct ssh_held held;
    struct token_wish wish;

    if (f->order->kind < TOKEN_SSH_RENEW)
        return refuse(f, "it only renews, rekeys and revokes SSH certificates");
    if (!common_wish(f, arena_format(inv->arena, "sshpop/%.*s", SLICE_ARG(f->name)), &wish) ||
        !load_sshpop(f, &held))
        return false;
    wish.header_extra_name = SLICE("sshpop");
    wish.header_extra_value = base64_text(inv->arena, BASE64_STD, held.cert.blob);
    return token_make(inv->arena, &wish, held.key, JWS_NONE, inv->rng, token, &inv->err);
}

/* The provider made it. */
static bool make_oidc(const struct flow *f, struct slice *token)
{
    return token_by_login(f->inv, f->provisioner, token);
}

/* No token: whoever asks goes on by ACME. */
static bool leave_to_acme(const struct flow *f, struct slice *token)
{
    if (!f->order->acme || !f->source->ca)
        return refuse(f, "it does not support token flows");
    *f->order->acme = f->name;
    *token = SLICE_NONE;
    return true;
}

static bool refuse_scep(const struct flow *f, struct slice *token)
{
    (void)token;
    return refuse(f, "it does not support token flows");
}

static bool refuse_type(const struct flow *f, struct slice *token)
{
    (void)token;
    return refuse(f, "tokens of this type are not supported by this version");
}

static const struct {
    const char *type;
    bool (*make)(const struct flow *, struct slice *);
} KINDS[] = {
    {"JWK", make_jwk},     {"X5C", make_x5c},    {"K8sSA", make_k8ssa},   {"ACME", leave_to_acme},
    {"SCEP", refuse_scep}, {"OIDC", make_oidc},  {"SSHPOP", make_sshpop}, {"Nebula", refuse_type},
    {"AWS", refuse_type},  {"GCP", refuse_type}, {"Azure", refuse_type},
};

/* What cannot give such a token is not offered.  SSHPOP is for an SSH certificate that is there. */
static bool is_offered(struct invocation *inv, const struct token_order *order, const char *type)
{
    bool pop = strcmp(type, "SSHPOP") == 0;

    if (order->held || order->kind == TOKEN_SSH_RENEW || order->kind == TOKEN_SSH_REKEY)
        return pop;
    if (order->kind < TOKEN_SSH_SIGN)
        return !pop;
    if (order->kind == TOKEN_SSH_REVOKE && ca_cmd_text(inv, "sshpop-cert"))
        return pop;
    return !pop && strcmp(type, "ACME") != 0 && strcmp(type, "SCEP") != 0;
}

/* A provisioner that is named is taken at its word: the refusal tells more than "no such". */
static bool choose(struct flow *f)
{
    struct invocation *inv = f->inv;
    const struct token_source *s = f->source;
    const struct json **offered = arena_array(inv->arena, s->n + 1, sizeof(const struct json *));
    bool named = ca_cmd_text(inv, "provisioner") && !f->order->held;
    size_t n = 0;

    f->provisioner = s->only;
    if (f->provisioner)
        return true;
    for (size_t i = 0; i < s->n; i++) {
        const char *type = provisioner_type_name(s->provisioners[i]);
        if (named || !type || is_offered(inv, f->order, type))
            offered[n++] = s->provisioners[i];
    }
    if (n == 0 && s->n > 0)
        return err_set(&inv->err, ERR_NOT_FOUND,
                       "the CA has no provisioner that can make such a token");
    return provisioner_select(inv, offered, n, &f->provisioner);
}

bool token_flow(struct invocation *inv, const struct token_source *source,
                const struct token_order *order, struct slice *token)
{
    struct flow f = {.inv = inv, .source = source, .order = order};

    if (!choose(&f))
        return false;
    f.name = json_text(json_get(f.provisioner, "name"));
    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        if (strcmp(KINDS[i].type, provisioner_type_name(f.provisioner)) == 0)
            return KINDS[i].make(&f, token);
    return refuse(&f, "tokens of this type are not supported by this version");
}

/* --- Where provisioners come from ------------------------------------------------------------ */

bool token_source_online(struct invocation *inv, struct ca *ca, const struct cert_list *roots,
                         struct token_source *source)
{
    *source = (struct token_source){
        .ca = ca,
        .base = arena_format(inv->arena, "%.*s/1.0", SLICE_ARG(ca->url)),
        .root_fingerprint = cert_fingerprint(inv->arena, roots->v[0]->der),
    };
    return ca_provisioners(ca, inv->arena, &source->provisioners, &source->n, &inv->err);
}

static bool source_of_config(struct invocation *inv, const char *path, struct token_source *source)
{
    struct cert_list roots = {0};
    struct config *c;
    struct ip ip;

    if (!config_load(inv->secrets, path, &c, NULL, NULL, &inv->err))
        return false;
    const struct json *list = c->authority.provisioners;
    if (!list || list->kind != JSON_LIST || list->n == 0)
        return err_set(&inv->err, ERR_NOT_FOUND, "%s: authority.provisioners has no provisioner",
                       path);
    if (c->root.n == 0)
        return err_set(&inv->err, ERR_MALFORMED, "%s: expected a root certificate, found none",
                       path);
    if (c->dns_names.n == 0)
        return err_set(&inv->err, ERR_MALFORMED, "%s: dnsNames must not be empty", path);
    if (!cert_list_load(inv->arena, arena_cstr(inv->arena, c->root.v[0]), &roots, &inv->err))
        return false;
    source->provisioners = arena_array(inv->arena, list->n, sizeof(const struct json *));
    for (const struct json *v = list->first; v; v = v->next)
        source->provisioners[source->n++] = v;
    bool v6 = ip_read(c->dns_names.v[0], &ip) && ip.n == 16;
    source->base = arena_format(inv->arena, "https://%s%.*s%s", v6 ? "[" : "",
                                SLICE_ARG(c->dns_names.v[0]), v6 ? "]" : "");
    source->root_fingerprint = cert_fingerprint(inv->arena, roots.v[0]->der);
    return true;
}

/* Without a configuration the flags say what it would: one provisioner, which may not exist. */
static bool source_of_flags(struct invocation *inv, struct token_source *source)
{
    const char *name = ca_cmd_text(inv, "provisioner");
    bool x5c = ca_cmd_text(inv, "x5c-cert") != NULL;
    struct json *made = json_make_object(inv->arena);
    struct cert_list roots = {0};
    struct slice url;

    if (!name)
        return ca_cmd_required(inv, "provisioner");
    if (!x5c && !ca_cmd_text(inv, "key"))
        return ca_cmd_required(inv, "key");
    if (!ca_cmd_url(inv, &url) || !ca_cmd_roots(inv, &roots))
        return false;
    json_set(made, inv->arena, "type",
             json_make_text(inv->arena, x5c ? SLICE("X5C") : SLICE("JWK")));
    json_set(made, inv->arena, "name", json_make_text(inv->arena, slice_text(name)));
    source->only = made;
    source->base = arena_format(inv->arena, "%.*s/1.0", SLICE_ARG(url));
    source->root_fingerprint = cert_fingerprint(inv->arena, roots.v[0]->der);
    return true;
}

bool token_source_offline(struct invocation *inv, struct token_source *source)
{
    const char *given = ca_cmd_text(inv, "ca-config");
    const char *path = given ? given : path_join(inv->arena, inv->steppath.path, "config/ca.json");

    *source = (struct token_source){0};
    if (given || file_exists(path))
        return source_of_config(inv, path, source);
    return source_of_flags(inv, source);
}
