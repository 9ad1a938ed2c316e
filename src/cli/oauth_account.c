/*
 * Accounts out of a file of Google's console: an application (its endpoints and secret, used like
 * flags) or a service, which has a key instead of a user (RFC 7523).
 */
#include "base/file.h"
#include "cli/download.h"
#include "cli/oauth.h"
#include "crypto/keyfile.h"
#include "jose/jws.h"

#define ACCOUNT_MAX (1u << 20)
#define FORM_MAX    (256u << 10)
#define CLAIMS_MAX  (64u << 10)
#define LIFE        3600 /* s */
#define GRANT       "urn:ietf:params:oauth:grant-type:jwt-bearer"

static const char *member(struct arena *a, const struct json *o, const char *name)
{
    struct slice text = json_text(json_get(o, name));

    return text.n && !slice_has_nul(text) ? arena_cstr(a, text) : NULL;
}

static bool service_read(struct arena *a, const struct json *o, struct oauth_account *account,
                         struct err *e)
{
    account->service = true;
    account->email = member(a, o, "client_email");
    account->key_id = member(a, o, "private_key_id");
    account->token = member(a, o, "token_uri");
    account->key = json_text(json_get(o, "private_key"));
    return (account->email && account->token && account->key.n) ||
           err_set(e, ERR_MALFORMED,
                   "expected client_email, private_key and token_uri of a service account");
}

static bool application_read(struct arena *a, const struct json *o, struct oauth_account *account,
                             struct err *e)
{
    account->authorization = member(a, o, "auth_uri");
    account->token = member(a, o, "token_uri");
    account->client_id = member(a, o, "client_id");
    account->client_secret = member(a, o, "client_secret");
    return (account->authorization && account->token && account->client_id) ||
           err_set(e, ERR_MALFORMED, "expected client_id, auth_uri and token_uri");
}

bool oauth_account_load(struct invocation *inv, const char *path, struct oauth_account *account)
{
    struct err *e = &inv->err;
    struct slice text;

    *account = (struct oauth_account){.service = false};
    if (!file_read(inv->secrets, path, true, ACCOUNT_MAX, &text, e))
        return false;
    struct json *o = json_read(inv->secrets, text, &JSON_STRICT, NULL, e);
    if (!o)
        return err_wrap(e, "error parsing %s", path);
    const struct json *installed = json_get(o, "installed");
    bool ok = slice_is(json_text(json_get(o, "type")), "service_account")
                  ? service_read(inv->secrets, o, account, e)
                  : application_read(inv->secrets, installed ? installed : json_get(o, "web"),
                                     account, e);
    return ok || err_wrap(e, "error parsing %s", path);
}

static bool make_jwt(struct invocation *inv, const struct oauth_account *account, const char *scope,
                     bool self_signed, struct slice *jwt)
{
    struct buf claims = buf_new(inv->arena, CLAIMS_MAX), header = buf_new(inv->arena, CLAIMS_MAX);
    int64_t now = inv->clock->now(inv->clock).sec;
    struct json_writer w = json_writer(&header);
    struct private_key *key;

    if (!private_key_read(inv->secrets, account->key, "private_key", NULL, &key, &inv->err))
        return false;
    if (!jws_alg_fits(JWS_RS256, key->public_key))
        return err_set(&inv->err, ERR_MALFORMED, "private_key: expected an RSA key");
    json_open(&w, NULL);
    json_member_text(&w, "alg", SLICE("RS256"));
    if (account->key_id)
        json_member_text(&w, "kid", slice_text(account->key_id));
    json_member_text(&w, "typ", SLICE("JWT"));
    json_close(&w);
    w = json_writer(&claims);
    json_open(&w, NULL);
    json_member_text(&w, "iss", slice_text(account->email));
    if (self_signed)
        json_member_text(&w, "sub", slice_text(account->email));
    json_member_text(&w, "aud", slice_text(self_signed ? scope : account->token));
    if (!self_signed)
        json_member_text(&w, "scope", slice_text(scope));
    json_member_int(&w, "iat", now);
    json_member_int(&w, "nbf", now);
    json_member_int(&w, "exp", now + LIFE);
    json_close(&w);
    return buf_done(&claims, "claims", &inv->err) && buf_done(&header, "header", &inv->err) &&
           jws_sign(inv->arena, buf_slice(&header), buf_slice(&claims),
                    signer_local(inv->arena, key, "account key"), JWS_RS256, DEADLINE_NONE, jwt,
                    &inv->err);
}

bool oauth_by_account(struct invocation *inv, const struct oauth_account *account,
                      const char *scope, bool self_signed, struct oauth_token *token)
{
    struct oauth o = {.inv = inv, .http = download_client(inv)};
    struct buf form = buf_new(inv->arena, FORM_MAX);
    const struct json *object = NULL;
    struct slice jwt;
    int status;

    if (!make_jwt(inv, account, scope, self_signed, &jwt))
        return false;
    if (self_signed) {
        *token = (struct oauth_token){.access = jwt, .type = SLICE("Bearer"), .expires_in = LIFE};
        return true;
    }
    oauth_form(&form, inv->arena, "grant_type", SLICE(GRANT));
    oauth_form(&form, inv->arena, "assertion", jwt);
    if (!oauth_endpoint_ok(inv->arena, "token_uri", account->token, &inv->err) ||
        !buf_done(&form, "request", &inv->err) ||
        !oauth_post(&o, account->token, buf_slice(&form), &status, &object))
        return false;
    if (oauth_told(object, &inv->err))
        return false;
    if (status >= 400)
        return err_set(&inv->err, ERR_UNAVAILABLE, "the provider answered with status %d", status);
    return oauth_token_read(object, token, &inv->err);
}
