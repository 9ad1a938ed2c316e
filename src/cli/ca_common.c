/*
 * Where a command's CA is, whom it believes, and the keys and certificates it brings along.
 *
 * The trust of a connection is always spelled out: the certificates of the root file, or the root
 * that hashes to a token's fingerprint.  Nothing here ever falls back to the system's store.
 */
#include "cli/ca_common.h"

#include "base/file.h"
#include "base/version.h"
#include "crypto/pem.h"

#define ROOT_FILE    "certs/root_ca.crt"
#define KEY_FILE_MAX (1u << 20)
#define DATA_MAX     (1u << 20)

/* --- Flags ----------------------------------------------------------------------------------- */

bool ca_cmd_bad_value(struct invocation *inv, const char *flag, const char *value, const char *why)
{
    return err_set(&inv->err, ERR_MALFORMED, "invalid value '%s' for flag '--%s'; %s", value, flag,
                   why);
}

bool ca_cmd_required(struct invocation *inv, const char *flag)
{
    return err_set(&inv->err, ERR_MALFORMED, "'%s' requires the '--%s' flag", inv->path, flag);
}

const char *ca_cmd_text(const struct invocation *inv, const char *flag)
{
    const char *text = flag_listed(inv, flag) ? flag_text(inv, flag) : NULL;

    return text && *text ? text : NULL;
}

/* --- The CA ---------------------------------------------------------------------------------- */

bool ca_cmd_url(struct invocation *inv, struct slice *url)
{
    const char *text = ca_cmd_text(inv, "ca-url");
    struct err why = {0};

    if (!text)
        return ca_cmd_required(inv, "ca-url");
    return ca_url_read(inv->arena, slice_text(text), url, &why) ||
           ca_cmd_bad_value(inv, "ca-url", text, why.text);
}

bool ca_cmd_roots(struct invocation *inv, struct cert_list *roots)
{
    const char *usual = path_join(inv->arena, inv->steppath.path, ROOT_FILE);
    const char *path = ca_cmd_text(inv, "root");

    if (!path && !file_exists(usual))
        return ca_cmd_required(inv, "root");
    return cert_list_load(inv->arena, path ? path : usual, roots, &inv->err);
}

struct trust ca_cmd_trust(struct arena *a, const struct cert_list *roots)
{
    struct trust t = {.kind = TRUST_ANCHORS,
                      .anchors = arena_array(a, roots->n + 1, sizeof(*t.anchors))};

    for (size_t i = 0; i < roots->n; i++)
        t.anchors[t.n++] = roots->v[i]->der;
    return t;
}

static void http_gone(void *client)
{
    http_client_free(client);
}

struct http_client *ca_cmd_http(struct invocation *inv)
{
    struct http_client *client = http_client_new(version_line(inv->arena, "Newel CLI"));

    arena_defer(inv->arena, http_gone, client);
    return client;
}

struct ca ca_cmd_ca(struct invocation *inv, struct slice url, const struct cert_list *roots)
{
    return (struct ca){
        .http = ca_cmd_http(inv),
        .url = url,
        .trust = ca_cmd_trust(inv->arena, roots),
        .clock = inv->clock,
        .rng = inv->rng,
        .timeout_ns = flag_listed(inv, "timeout") ? flag_duration(inv, "timeout") : 0,
    };
}

bool ca_cmd_connect(struct invocation *inv, struct ca *ca, struct cert_list *roots)
{
    struct cert_list own = {0};
    struct cert_list *list = roots ? roots : &own;
    struct slice url;

    if (!ca_cmd_url(inv, &url) || !ca_cmd_roots(inv, list))
        return false;
    *ca = ca_cmd_ca(inv, url, list);
    return true;
}

bool ca_cmd_connect_for(struct invocation *inv, const struct token *token, struct ca *ca)
{
    struct slice sha = json_text(json_get_exact(token->claims, "sha")), url;
    struct slice aud = token->n_aud ? token->aud[0] : SLICE_NONE;
    struct cert_list roots = {0};
    struct cert *root;

    if (!sha.n || !slice_starts(aud, "http"))
        return ca_cmd_connect(inv, ca, NULL);
    if (ca_cmd_text(inv, "ca-url")) {
        if (!ca_cmd_url(inv, &url))
            return false;
    } else if (!ca_url_read(inv->arena, aud, &url, &inv->err)) {
        return err_wrap(&inv->err, "audience '%.*s' of the token", SLICE_ARG(aud));
    }
    if (!ca_root_by_fingerprint(ca_cmd_http(inv), inv->arena, url, sha, &root, &inv->err))
        return false;
    cert_list_add(inv->arena, &roots, root);
    *ca = ca_cmd_ca(inv, url, &roots);
    return true;
}

/* --- Keys and certificates that are there ---------------------------------------------------- */

bool ca_cmd_password(struct invocation *inv, const char *const *flags, struct slice *password)
{
    *password = SLICE_NONE;
    for (; *flags; flags++) {
        if (!ca_cmd_text(inv, *flags))
            continue;
        if (!password_flag(inv, *flags, password, &inv->err))
            return false;
        if (password->n)
            return true;
    }
    return true;
}

/* The flag that a message names: the first that the command has. */
static const char *password_hint(const struct invocation *inv, const char *const *flags)
{
    for (; *flags; flags++)
        if (flag_listed(inv, *flags))
            return arena_printf(inv->arena, "--%s", *flags);
    return NULL;
}

bool ca_cmd_key_load(struct invocation *inv, const char *path, const char *const *password_flags,
                     struct jwk *jwk)
{
    struct slice password, text;

    if (!ca_cmd_password(inv, password_flags, &password) ||
        !file_read(inv->secrets, path, false, KEY_FILE_MAX, &text, &inv->err))
        return false;
    unsigned tries = pem_looks_like(text) ? 1 : 3;
    struct password_source *source = terminal_password_source(
        inv->arena, inv->terminal, password, password_hint(inv, password_flags), tries);
    if (!jose_key_read(inv->secrets, text, path, source, jwk, &inv->err))
        return false;
    return jwk->secret ||
           err_set(&inv->err, ERR_MALFORMED, "%s: cannot use a public key for signing", path);
}

bool ca_held_make(struct arena *a, const struct cert_list *chain, struct private_key *key,
                  const char *crt_name, const char *key_name, struct ca_held *held, struct err *e)
{
    const struct key *in_cert = chain->v[0]->key;
    struct slice *ders = arena_array(a, chain->n, sizeof(*ders));

    if (!in_cert || !key_eq(in_cert, key->public_key))
        return err_set(e, ERR_MALFORMED, "the key in %s does not belong to the certificate in %s",
                       key_name, crt_name);
    for (size_t i = 0; i < chain->n; i++)
        ders[i] = chain->v[i]->der;
    *held = (struct ca_held){*chain, key, {ders, chain->n, key}};
    return true;
}

bool ca_held_load(struct invocation *inv, const char *crt, const char *key,
                  const char *const *password_flags, struct ca_held *held)
{
    struct cert_list chain = {0};
    struct jwk jwk;

    return cert_list_load(inv->arena, crt, &chain, &inv->err) &&
           ca_cmd_key_load(inv, key, password_flags, &jwk) &&
           ca_held_make(inv->arena, &chain, jwk.secret, crt, key, held, &inv->err);
}

bool ca_cmd_csr(struct arena *a, const struct private_key *key, struct slice common_name,
                const struct sans *sans, struct slice *pem, struct err *e)
{
    struct csr_wish wish = {.common_name = common_name};
    struct slice der;

    if (sans)
        wish.sans = *sans;
    if (!csr_make(a, &wish, signer_local(a, key, "new key"), &der, e))
        return false;
    *pem = pem_text(a, "CERTIFICATE REQUEST", der);
    return true;
}

/* --- Template data --------------------------------------------------------------------------- */

static struct json *json_or_text(struct arena *a, struct slice value)
{
    struct json *v = json_read(a, value, &JSON_STRICT, NULL, NULL);

    return v ? v : json_make_text(a, value);
}

bool ca_template_data(struct arena *a, struct slice file, const char *file_name,
                      const struct slice *sets, size_t n_sets, struct slice *json, struct err *e)
{
    struct json *data = json_make_object(a);
    struct buf b = buf_new(a, DATA_MAX);

    if (file.n) {
        struct json *read = json_read(a, file, &JSON_STRICT, NULL, e);
        if (!read)
            return err_wrap(e, "%s", file_name);
        if (read->kind != JSON_OBJECT)
            return err_set(e, ERR_MALFORMED, "%s: expected a JSON object", file_name);
        data = json_copy(a, read);
    }
    for (size_t i = 0; i < n_sets; i++) {
        size_t equals = slice_find(sets[i], '=');
        const char *name = arena_cstr(a, slice_sub(sets[i], 0, equals));
        if (equals == sets[i].n || equals == 0)
            return err_set(e, ERR_MALFORMED,
                           "invalid value '%.*s' for flag '--set'; expected key=value",
                           SLICE_ARG(sets[i]));
        json_set_exact(data, a, name, json_or_text(a, slice_from(sets[i], equals + 1)));
    }
    json_print(&b, data, NULL);
    *json = buf_slice(&b);
    return buf_done(&b, "template data", e);
}

bool ca_cmd_template_data(struct invocation *inv, struct slice *json)
{
    const char *path = ca_cmd_text(inv, "set-file");
    struct slice file = SLICE_NONE;
    size_t n;
    const struct slice *sets = flag_texts(inv, "set", &n);

    *json = SLICE_NONE;
    if (!path && n == 0)
        return true;
    if (path && !file_read(inv->arena, path, true, DATA_MAX, &file, &inv->err))
        return false;
    if (path && !file.n)
        return err_set(&inv->err, ERR_MALFORMED, "%s: expected a JSON object, found nothing", path);
    return ca_template_data(inv->arena, file, path, sets, n, json, &inv->err);
}
