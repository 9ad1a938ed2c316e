/*
 * Validation of ACME challenges (RFC 8555 8, RFC 8737, RFC 8738): functions from what is claimed
 * to a verdict, no storage in sight; and the threads that run them beside the requests.
 */
#pragma once

#include "base/clock.h"
#include "net/http_client.h"
#include "net/resolver.h"

enum acme_challenge_type {
    ACME_HTTP_01,
    ACME_DNS_01,
    ACME_TLS_ALPN_01,
    ACME_DEVICE_ATTEST_01,
    ACME_CHALLENGE_TYPES
};
const char *acme_challenge_name(enum acme_challenge_type t);                      /* "http-01" */
bool acme_challenge_find(struct slice name, enum acme_challenge_type *t) CHECKED; /* any case */

struct acme_validation {
    struct slice challenge, authorization, account; /* ids: for whoever applies the result */
    enum acme_challenge_type type;
    bool ip;            /* the identifier is an IP address */
    struct slice value; /* identifier value, wildcard prefix removed */
    struct slice token, key_authorization;
    /* The two records as they stood in the store; absent: to be read.  A result that is given again
     * comes without them. */
    struct slice challenge_record, authorization_record;
};

enum acme_verdict {
    ACME_VALID,
    ACME_INVALID, /* final */
    ACME_RETRY    /* transient: the challenge stays pending with the error */
};
struct acme_result {
    enum acme_verdict verdict;
    const char *problem; /* "connection", "dns", "incorrectResponse", "tls", …: RFC 8555 6.7 */
    struct slice detail; /* which address was tried and what came back; no secrets */
};
struct acme_validation_settings {
    struct http_client *http;
    struct resolver *resolver;
    struct clock *clock;
    uint16_t http_port, tls_port; /* 80, 443 */
    bool strict_fqdn;
};
/* At most 30 s each (the deadline may be shorter).  http-01: 10 redirects, 64 KiB, any address
 * family, private addresses allowed.  Results live in a. */
struct acme_result acme_validate_http01(struct arena *a, const struct acme_validation *v,
                                        const struct acme_validation_settings *s,
                                        struct deadline d);
struct acme_result acme_validate_dns01(struct arena *a, const struct acme_validation *v,
                                       const struct acme_validation_settings *s, struct deadline d);
struct acme_result acme_validate_tls_alpn01(struct arena *a, const struct acme_validation *v,
                                            const struct acme_validation_settings *s,
                                            struct deadline d);

/* --- The validator: own threads (grow to 256, leave when idle), at most 8 at a time on one
 * target, transient failures tried again for 30 s, one job per challenge. ------------------- */
struct acme_validator;
struct acme_validation_job;
/* Called on a validator's thread; r lives until it returns, v until it has called one of the two
 * below, or somebody else has later: only then is the job over. */
typedef void acme_validated_fn(void *arg, const struct acme_validation *v,
                               const struct acme_result *r, struct acme_validation_job *job);
void acme_validation_over(struct acme_validation_job *job);
/* The result shall be given once more.  False: that was often enough, and nothing is done. */
bool acme_validation_again(struct acme_validation_job *job, const struct acme_result *r) CHECKED;
struct acme_validator *acme_validator_new(const struct acme_validation_settings *s,
                                          acme_validated_fn *done, void *arg);
/* Copies v.  What fires when there is news (a reference of the caller's): the job is over and its
 * result applied, or a first try failed and others will follow.  When a job runs for this challenge
 * id already: that one's.  NULL: too many wait. */
struct latch *acme_validator_start(struct acme_validator *w,
                                   const struct acme_validation *v) CHECKED;
/* The "processing" that is shown and never stored. */
bool acme_validator_busy(struct acme_validator *w, struct slice challenge);
/* Waits for what runs (at most some seconds); what has not begun is dropped. */
void acme_validator_stop(struct acme_validator *w);
