/*
 * Tokens from an OAuth 2.0 or OpenID Connect provider (RFC 6749, 7636, 8252, 8628), for `step
 * oauth` and for whoever needs an identity token.
 *
 * Functions that return bool leave their error in inv->err.
 */
#pragma once

#include "cli/cli.h"
#include "net/http_client.h"

#define OAUTH_WAIT_NS (120 * NS_PER_SEC) /* for a human at a browser */
#define OAUTH_HTTP_NS (60 * NS_PER_SEC)

enum oauth_flow { OAUTH_BROWSER, OAUTH_DEVICE, OAUTH_OOB };
struct oauth_wish {
    enum oauth_flow flow;
    const char *provider; /* "google", "github", an https:// address; NULL: only the endpoints */
    const char *authorization, *device, *token; /* endpoints; NULL: the provider's */
    const char *client_id, *client_secret;      /* secret: "" when there is none */
    const char *email, *prompt;                 /* NULL: none */
    const struct slice *scopes, *params;        /* params: "key=value" */
    size_t n_scopes, n_params;
    const char *listen;       /* "host:port"; NULL: 127.0.0.1, a free port */
    const char *listen_url;   /* what the provider redirects to; NULL: by the listener */
    const char *redirect_url; /* where the browser goes afterwards; NULL: a page of ours */
    const char *browser;      /* program; NULL: the system's */
};
struct oauth_token {
    struct slice access, id, refresh, type, scope;
    int64_t expires_in;
};
bool oauth_get(struct invocation *inv, const struct oauth_wish *wish, struct oauth_token *token);

/* --- Between the files of the flow --------------------------------------------------------- */

struct oauth {
    struct invocation *inv;
    const struct oauth_wish *wish;
    struct http_client *http;
    const char *authorization, *device, *token; /* endpoints in force; NULL: none */
    const char *scope;                          /* blank between them */
    const char *redirect_uri;
    const char *state, *verifier, *nonce;
};
/* oauth_flow.c */
/* The address that the user's browser has to visit (RFC 6749 4.1.1, RFC 7636 4.3). */
struct slice oauth_visit_url(struct oauth *o);
/* Trades a code for a token (RFC 6749 4.1.3); checks nonce and audience of an identity token. */
bool oauth_trade(struct oauth *o, struct slice code, struct oauth_token *token);
/* POST of a form; *object is NULL when the answer is no JSON object. */
bool oauth_post(struct oauth *o, const char *url, struct slice form, int *status,
                const struct json **object);
/* name=value, escaped, with '&' before all but the first. */
void oauth_form(struct buf *b, struct arena *a, const char *name, struct slice value);
/* "invalid_grant: text" of an answer; false when it has no error. */
bool oauth_told(const struct json *object, struct err *e);
/* A token out of an answer. */
bool oauth_token_read(const struct json *object, struct oauth_token *token, struct err *e) CHECKED;
/* oauth_browser.c */
bool oauth_by_browser(struct oauth *o, struct oauth_token *token);
/* oauth_device.c */
bool oauth_by_device(struct oauth *o, struct oauth_token *token);

/* --- A service account ---------------------------------------------------------------------- */

struct oauth_account { /* file of Google's console; NULL: not in it */
    bool service;
    const char *authorization, *token, *client_id, *client_secret; /* of an application */
    const char *email, *key_id;                                    /* of a service */
    struct slice key;                                              /* PEM */
};
bool oauth_account_load(struct invocation *inv, const char *path, struct oauth_account *account);
/* RFC 7523: trades a JWT of the account for a token, or with self_signed is that JWT. */
bool oauth_by_account(struct invocation *inv, const struct oauth_account *account,
                      const char *scope, bool self_signed, struct oauth_token *token);
/* Every address that gets a secret: https, or http on this machine. */
bool oauth_endpoint_ok(struct arena *a, const char *what, const char *url, struct err *e) CHECKED;
