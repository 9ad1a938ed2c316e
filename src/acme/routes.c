/* The routes of ACME, below /acme and, identically, below /2.0/acme. */
#include "acme/handlers.h"

#define BODY_MAX (1u << 20)

#define AT_BOTH(entry, tail)                                                                       \
    entry("/acme/{provisioner}" tail), entry("/2.0/acme/{provisioner}" tail)
#define PUBLIC(extra, where, handler)                                                              \
    {                                                                                              \
        .method = "GET", .path = (where), .flags = (extra), .authorize = acme_authorize_public,    \
        .act = (handler), .voice = &VOICE_ACME                                                     \
    }
#define SIGNED(where, who, handler, after)                                                         \
    {                                                                                              \
        .method = "POST", .path = (where), .body_max = BODY_MAX, .authorize = (who),               \
        .act = (handler), .then = (after), .voice = &VOICE_ACME                                    \
    }
/* Only what needs no store runs on the loop. */
#define DIRECTORY(where)   PUBLIC(ROUTE_QUICK, where, acme_act_directory)
#define NEW_NONCE(where)   PUBLIC(ROUTE_QUICK, where, acme_act_new_nonce)
#define RENEWAL(where)     PUBLIC(0, where, acme_act_renewal_info)
#define NEW_ACCOUNT(where) SIGNED(where, acme_authorize_jwk, acme_act_new_account, NULL)
#define ACCOUNT(where)     SIGNED(where, acme_authorize_kid, acme_act_account, NULL)
#define ORDERS(where)      SIGNED(where, acme_authorize_kid, acme_act_orders, NULL)
#define KEY_CHANGE(where)  SIGNED(where, acme_authorize_kid, acme_act_key_change, NULL)
#define NEW_ORDER(where)   SIGNED(where, acme_authorize_kid, acme_act_new_order, NULL)
#define ORDER(where)       SIGNED(where, acme_authorize_kid, acme_act_order, NULL)
#define FINALIZE(where)    SIGNED(where, acme_authorize_kid, acme_act_finalize, NULL)
#define AUTHZ(where)       SIGNED(where, acme_authorize_kid, acme_act_authz, NULL)
#define CHALLENGE(where)   SIGNED(where, acme_authorize_kid, acme_act_challenge, NULL)
#define CERTIFICATE(where) SIGNED(where, acme_authorize_kid, acme_act_certificate, NULL)
#define REVOKE(where)      SIGNED(where, acme_authorize_either, acme_act_revoke, acme_then_revoke)

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
