/* The routes of the CA's own API. */
#include "api/routes.h"

#define BODY_API (1u << 20)
#define BOTH     ROUTE_ALIAS_1_0

#define GET_ROUTE(where, bits, handler)                                                            \
    {                                                                                              \
        .method = "GET", .path = (where), .flags = (bits), .act = (handler), .voice = &VOICE_API   \
    }
#define POST_ROUTE(where, who, handler, after)                                                     \
    {                                                                                              \
        .method = "POST", .path = (where), .flags = BOTH, .body_max = BODY_API,                    \
        .authorize = (who), .act = (handler), .then = (after), .voice = &VOICE_API                 \
    }

const struct route API_ROUTES[] = {
    GET_ROUTE("/health", BOTH, act_health),
    GET_ROUTE("/health/ready", BOTH, act_ready),
    GET_ROUTE("/version", BOTH, act_version),
    GET_ROUTE("/root/{sha}", BOTH, act_root),
    GET_ROUTE("/roots", BOTH, act_roots),
    GET_ROUTE("/roots.pem", BOTH, act_roots_pem),
    GET_ROUTE("/intermediates", BOTH, act_intermediates),
    GET_ROUTE("/intermediates.pem", BOTH, act_intermediates_pem),
    GET_ROUTE("/federation", BOTH, act_federation),
    GET_ROUTE("/provisioners", BOTH, act_provisioners),
    GET_ROUTE("/provisioners/{kid}/encrypted-key", BOTH, act_encrypted_key),
    GET_ROUTE("/crl", BOTH | ROUTE_INSECURE_TOO, act_crl),
    POST_ROUTE("/sign", authorize_sign, act_sign, NULL),
    POST_ROUTE("/renew", authorize_renew, act_renew, NULL),
    POST_ROUTE("/re-sign", authorize_renew, act_renew, NULL),
    POST_ROUTE("/rekey", authorize_rekey, act_rekey, NULL),
    POST_ROUTE("/revoke", authorize_revoke, act_revoke, then_revoke),
    POST_ROUTE("/ssh/sign", authorize_ssh_sign, act_ssh_sign, NULL),
    POST_ROUTE("/sign-ssh", authorize_ssh_sign, act_ssh_sign, NULL),
    POST_ROUTE("/ssh/renew", authorize_ssh_renew, act_ssh_renew, NULL),
    POST_ROUTE("/ssh/rekey", authorize_ssh_rekey, act_ssh_rekey, NULL),
    POST_ROUTE("/ssh/revoke", authorize_ssh_revoke, act_ssh_revoke, NULL),
    GET_ROUTE("/ssh/roots", BOTH, act_ssh_roots),
    GET_ROUTE("/ssh/federation", BOTH, act_ssh_federation),
    POST_ROUTE("/ssh/config", NULL, act_ssh_config, NULL),
    POST_ROUTE("/ssh/config/{type}", NULL, act_ssh_config, NULL),
    POST_ROUTE("/ssh/check-host", NULL, act_ssh_check_host, NULL),
    GET_ROUTE("/ssh/hosts", BOTH, act_ssh_hosts),
    GET_ROUTE("/ssh/get-hosts", BOTH, act_ssh_hosts),
    POST_ROUTE("/ssh/bastion", NULL, act_ssh_bastion, NULL),
    GET_ROUTE("/ssh/krl", BOTH, act_ssh_krl),
    {0},
};

const struct route METRICS_ROUTES[] = {
    {.method = "GET",
     .path = "/metrics",
     .seconds = METRICS_SECONDS,
     .act = act_metrics,
     .voice = &VOICE_API},
    {0},
};
