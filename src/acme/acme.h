/*
 * ACME (RFC 8555, 8737, 8738, 9773): the protocol's records, its service, and what the handlers
 * share (docs/reference/acme.md).
 *
 * The records are the reference's, byte for byte: whoever updates one swaps the bytes that were
 * read.  `processing` is never stored: it is what is shown while the validator works.
 */
#pragma once

#include "acme/attest.h"
#include "acme/validate.h"
#include "api/route.h"
#include "provisioner/acme.h"

#define ACME_ERROR_PREFIX "urn:ietf:params:acme:error:"
#define ACME_ID_LENGTH    32

/* --- The service: one per process ------------------------------------------------------------- */

struct acme_nonces;
struct acme_account_cache;
struct acme_service {
    struct services *services;
    struct acme_nonces *nonces;
    struct acme_account_cache *accounts;
    struct acme_validation_settings validation;
    struct acme_validator *validator;
};
struct acme_service *acme_service_new(struct services *s,
                                      const struct acme_validation_settings *settings);
void acme_service_stop(struct acme_service *a); /* validations end; then acme_service_free */
void acme_service_free(struct acme_service *a);
struct acme_account_cache *acme_account_cache_new(void);
void acme_account_cache_free(struct acme_account_cache *c);

/* Nonces live in memory for an hour; whose was lost by a restart gets badNonce once and repeats.
 * On a store with STORE_SHARED they live there: another server may be asked next. */
struct acme_nonces *acme_nonces_new(struct clock *clock, struct rng *rng, struct store *store);
void acme_nonces_free(struct acme_nonces *n);
bool acme_nonce_make(struct acme_nonces *n, struct arena *a, struct deadline d, struct slice *nonce,
                     struct err *e) CHECKED;
/* ERR_NOT_FOUND: unknown or spent. */
bool acme_nonce_spend(struct acme_nonces *n, struct arena *a, struct slice nonce, struct deadline d,
                      struct err *e) CHECKED;

/* --- Records ------------------------------------------------------------------------------------
 */

struct acme_identifier {
    struct slice type, value;
};
struct acme_subproblem {
    struct slice type, detail;
    struct acme_identifier *identifier;
};
struct acme_problem {
    struct slice type, detail;
    struct objects subproblems; /* struct acme_subproblem */
};
struct acme_account {
    struct slice id;
    const struct json *key;
    struct texts contact;
    struct slice status, location_prefix, provisioner_id, provisioner_name;
    struct instant created, deactivated;
    struct slice raw; /* as it stands in the store */
};
struct acme_order {
    struct slice id, account, provisioner_id;
    struct objects identifiers; /* struct acme_identifier */
    struct texts authorizations;
    struct slice status;
    struct instant not_before, not_after, created, expires;
    struct slice certificate;
    struct acme_problem *error;
    struct slice raw;
};
struct acme_authz {
    struct slice id, account;
    struct acme_identifier identifier;
    struct slice status, token, fingerprint;
    struct texts challenges;
    bool wildcard;
    struct instant created, expires;
    struct acme_problem *error;
    struct slice raw;
};
struct acme_challenge {
    struct slice id, account, type, status, token, value, target, validated;
    struct instant created;
    struct acme_problem *error;
    struct slice raw;
};
struct acme_cert {
    struct slice id;
    struct instant created;
    struct slice account, order, leaf, intermediates; /* PEM */
    struct slice raw;
};
struct acme_eab_key {
    struct slice id, provisioner_id, reference, account, key;
    struct instant created, bound;
    const struct json *policy; /* {"x509":…} as in ca.json; NULL: none */
    struct slice raw;
};
extern const struct shape ACME_ACCOUNT_SHAPE, ACME_ORDER_SHAPE, ACME_AUTHZ_SHAPE,
    ACME_CHALLENGE_SHAPE, ACME_CERT_SHAPE, ACME_EAB_SHAPE;

/* *found false: no such row.  An unreadable record is INTERNAL.  out->raw is set. */
bool acme_load(struct work *w, enum table t, const struct shape *shape, struct slice key,
               size_t raw_offset, void *out, bool *found) CHECKED;
#define ACME_LOAD(w, table, shape, key, out, found)                                                \
    acme_load(w, table, &(shape), key, (size_t)((char *)&(out)->raw - (char *)(out)), out, found)
/* Reads a row that stands under that key; out points into a and raw.  INTERNAL: unreadable. */
bool acme_record_read(struct arena *a, const struct shape *shape, struct slice key,
                      struct slice raw, void *out, struct err *e) CHECKED;
/* The record as the reference's encoder writes it. */
struct slice acme_record(struct arena *a, const struct shape *shape, const void *record);
/* Index of texts: a JSON list; absent, empty, null and [] are the empty list. */
bool acme_load_list(struct work *w, enum table t, struct slice key, struct texts *list,
                    struct slice *raw) CHECKED;
void acme_swap_list(struct work *w, enum table t, struct slice key, struct slice raw,
                    const struct texts *list); /* an empty list removes the row */
struct slice acme_random_id(struct arena *a, struct rng *rng);
/* For rows that come and go together: six letters for the second, so that what was made at about
 * the same time stands side by side in a sorted store, and 154 random bits. */
struct slice acme_row_id(struct work *w);

/* --- One request ---------------------------------------------------------------------------------
 */

struct acme_request {
    struct acme_service *service;
    struct provisioner *provisioner;
    const struct acme_detail *detail;
    struct slice base;  /* "https://HOST/acme/NAME": what links begin with */
    struct slice nonce; /* fresh, for the answer */
    struct jws jws;
    struct jwk jwk;      /* of the header, when it has one */
    struct slice key_id; /* thumbprint of that key */
    struct acme_account *account;
    const struct key *account_key;
    struct slice payload;
};
static inline struct acme_request *acme_of(const struct request *r)
{
    return r->who;
}
struct slice acme_link(struct request *r, const char *fmt, ...) PRINTF(2, 3); /* below base */
/* One behind the other. */
struct slice acme_join(struct arena *a, struct slice first, struct slice second,
                       struct slice third);

/* Errors with one of RFC 8555's types (static text, without the prefix).  Return false. */
bool acme_error(struct request *r, enum err_kind kind, const char *type, const char *fmt, ...)
    PRINTF(4, 5);
/* Adds a sub-problem to the error that is set. */
void acme_error_about(struct request *r, const char *type, const struct acme_identifier *id,
                      const char *detail);
/* One that is none of RFC 8555's: its type is "urn:smallstep:acme:error:CODE". */
void acme_error_foreign(struct request *r, struct slice code, struct slice detail);
extern const struct voice VOICE_ACME;
/* Headers of every answer to a POST, and of new-nonce. */
void acme_headers(struct request *r);
void acme_respond(struct request *r, int status, struct slice json);
void acme_location(struct request *r, struct slice url);
/* Problem of a validation or of the state machine, for a record. */
struct acme_problem *acme_problem_make(struct arena *a, const char *type, struct slice detail);
void acme_put_problem(struct json_writer *j, const char *name, const struct acme_problem *p);

/* The provisioner of the path: NOT_FOUND, or UNAUTHORIZED when it is no usable ACME one. */
bool acme_authorize_public(struct request *r);
bool acme_authorize_kid(struct request *r); /* a valid account of this provisioner */
bool acme_authorize_jwk(struct request *r);
bool acme_authorize_either(struct request *r);
/* RFC 8555 6.3: the payload must be empty. */
bool acme_post_as_get(struct request *r) CHECKED;
/* The payload as an object; an empty payload is an error. */
bool acme_payload(struct request *r, const struct json **object) CHECKED;
/* By provisioner and thumbprint; NULL when there is none. */
bool acme_account_by_key(struct request *r, struct slice thumbprint,
                         struct acme_account **account) CHECKED;
struct slice acme_index_key(struct request *r, struct slice thumbprint, bool fallback);
/* From the commit on the key leads to that account; what the index said of the key must be nothing,
 * or untrue.  The plain entry may be another provisioner's: then ours stands under its own name. */
bool acme_account_index(struct request *r, struct slice thumbprint, struct slice account,
                        const struct refusal *taken) CHECKED;
/* From the store's bytes, with its key; what was read lately is not taken apart again.  NULL: there
 * is none. */
bool acme_account_known(struct request *r, struct slice id, struct acme_account **account,
                        const struct key **key) CHECKED;
/* The request's account as it stands now, whatever authorize saw: UNAUTHORIZED when it is not
 * active any more, or has another key than the one that signed. */
bool acme_account_again(struct request *r, struct acme_account **account) CHECKED;
void acme_put_account(struct request *r, const struct acme_account *account,
                      const struct json *binding, struct buf *out);

/* --- States (states.c): records in, records out
 * ---------------------------------------------------- */

/* What a finished validation does to a challenge and its authorization. */
void acme_apply_result(struct arena *a, const struct acme_result *result, struct instant now,
                       struct acme_challenge *challenge, struct acme_authz *authz);
/* Expiry.  True: changed. */
bool acme_authz_refresh(struct arena *a, struct acme_authz *authz, struct instant now);
/* From its authorizations and the time.  True: changed. */
bool acme_order_refresh(struct arena *a, struct acme_order *order, const struct acme_authz *authzs,
                        size_t n, struct instant now);

/* Loads, refreshes and puts changes into the batch. */
bool acme_order_load(struct request *r, struct slice id, struct acme_order **order,
                     struct acme_authz **authzs) CHECKED;
/* A certificate cannot begin when those that sign it have ended. */
bool acme_order_may_begin(struct request *r, const struct acme_order *order) CHECKED;
bool acme_authz_load(struct request *r, struct slice id, struct acme_authz **authz) CHECKED;
bool acme_challenge_load(struct request *r, struct slice id,
                         struct acme_challenge **challenge) CHECKED;
void acme_put_order(struct request *r, const struct acme_order *order, struct slice replaces,
                    struct buf *out);
void acme_put_challenge(struct request *r, struct json_writer *j, const struct acme_authz *authz,
                        const struct acme_challenge *c);
/* Rows of a request are kept this long after what they are about has ended. */
#define ACME_KEEP_PENDING (7 * 24 * 3600)
#define ACME_KEEP_ISSUED  (30 * 24 * 3600)

/* --- External account binding (eab.c)
 * --------------------------------------------------------------- */

bool acme_eab_verify(struct request *r, const struct json *binding,
                     struct acme_eab_key **key) CHECKED;
bool acme_eab_bind(struct request *r, struct acme_eab_key *key, struct slice account) CHECKED;
/* Management, for the command line and the admin API.  provisioner_id: "" for ca.json's. */
bool acme_eab_add(struct work *w, const struct provisioner *p, struct slice reference,
                  struct acme_eab_key *out) CHECKED;
bool acme_eab_list(struct work *w, const struct provisioner *p, struct acme_eab_key **keys,
                   size_t *n) CHECKED;
bool acme_eab_remove(struct work *w, const struct provisioner *p, struct slice id) CHECKED;
/* By its id, or when that is empty by its reference.  NOT_FOUND. */
bool acme_eab_find(struct work *w, const struct provisioner *p, struct slice id,
                   struct slice reference, struct acme_eab_key *key) CHECKED;

/* --- Their policies (eab_policy.c) --------------------------------------------------------------
 */

/* The row that leads from the account to its key, put into the batch or taken away. */
bool acme_eab_link(struct work *w, const struct acme_eab_key *key) CHECKED;
bool acme_eab_unlink(struct work *w, const struct acme_eab_key *key) CHECKED;
bool acme_eab_has_policy(const struct acme_eab_key *key);
bool acme_eab_policy_read(struct arena *a, const struct acme_eab_key *key,
                          const struct policy **policy, struct err *e) CHECKED;
/* Replaces the policy (NULL: takes it away) of a key that nobody changed since it was read. */
bool acme_eab_set_policy(struct work *w, struct acme_eab_key *key,
                         const struct json *policy) CHECKED;
/* What the account's key allows; *policy NULL: everything. */
bool acme_eab_policy(struct request *r, const struct policy **policy) CHECKED;

/* certID of RFC 9773 4.1: base64url(AKI).base64url(serial). */
struct slice acme_cert_id(struct arena *a, const struct cert *c);
/* The certificate with that id, or NULL. */
bool acme_cert_by_id(struct work *w, struct slice id, struct cert **cert) CHECKED;

extern const struct route ACME_ROUTES[];
