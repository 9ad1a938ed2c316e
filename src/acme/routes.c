/* The routes of ACME, below /acme and, identically, below /2.0/acme. */
#include "acme/handlers.h"

#define BODY_MAX (1u << 20)

#define AT_BOTH(entry, tail)                                                                       \
    entry("/acme/{provisioner}" tail), entry("/2.0/acme/{provisioner}" tail)
#define PUBLIC(where, handler)                                                                     \
    {                                                                                              \
        .method = "GET", .path = (where), .flags = ROUTE_QUICK,                                    \
        .authorize = acme_authorize_public, .act = (handler), .voice = &VOICE_ACME                 \
    }
#define SIGNED_AND(extra, where, who, handler, after)                                              \
    {                                                                                              \
        .method = "POST", .path = (where), .flags = (extra), .body_max = BODY_MAX,                 \
        .authorize = (who), .act = (handler), .then = (after), .voice = &VOICE_ACME                \
    }
#define SIGNED(where, who, handler, after) SIGNED_AND(0, where, who, handler, after)
/* What clients ask for again and again. */
#define QUICK(where, handler) SIGNED_AND(ROUTE_QUICK, where, acme_authorize_kid, handler, NULL)
#define DIRECTORY(where)      PUBLIC(where, acme_act_directory)
#define NEW_NONCE(where)      PUBLIC(where, acme_act_new_nonce)
#define RENEWAL(where)        PUBLIC(where, acme_act_renewal_info)
#define NEW_ACCOUNT(where)    SIGNED(where, acme_authorize_jwk, acme_act_new_account, NULL)
#define ACCOUNT(where)        SIGNED(where, acme_authorize_kid, acme_act_account, NULL)
#define ORDERS(where)         SIGNED(where, acme_authorize_kid, acme_act_orders, NULL)
#define KEY_CHANGE(where)     SIGNED(where, acme_authorize_kid, acme_act_key_change, NULL)
#define NEW_ORDER(where)      SIGNED(where, acme_authorize_kid, acme_act_new_order, NULL)
#define ORDER(where)          QUICK(where, acme_act_order)
#define FINALIZE(where)       SIGNED(where, acme_authorize_kid, acme_act_finalize, NULL)
#define AUTHZ(where)          QUICK(where, acme_act_authz)
#define CHALLENGE(where)      QUICK(where, acme_act_challenge)
#define CERTIFICATE(where)    QUICK(where, acme_act_certificate)
#define REVOKE(where)         SIGNED(where, acme_authorize_either, acme_act_revoke, acme_then_revoke)

const struct route ACME_ROUTES[] = {
    AT_BOTH(DIRECTORY, "/directory"),
    AT_BOTH(NEW_NONCE, "/new-nonce"),
    AT_BOTH(RENEWAL, "/renewal-info/{id}"),
    AT_BOTH(NEW_ACCOUNT, "/new-account"),
    AT_BOTH(ACCOUNT, "/account/{account}"),
    AT_BOTH(ORDERS, "/account/{account}/orders"),
    AT_BOTH(KEY_CHANGE, "/key-change"),
    AT_BOTH(NEW_ORDER, "/new-order"),
    AT_BOTH(ORDER, "/order/{order}"),
    AT_BOTH(FINALIZE, "/order/{order}/finalize"),
    AT_BOTH(AUTHZ, "/authz/{authz}"),
    AT_BOTH(CHALLENGE, "/challenge/{authz}/{challenge}"),
    AT_BOTH(CERTIFICATE, "/certificate/{certificate}"),
    AT_BOTH(REVOKE, "/revoke-cert"),
    {0},
};
