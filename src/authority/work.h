/* What every step of a request or background job shares.  No HTTP in it: the command line and the
 * keeper use the same steps. */
#pragma once

#include "authority/services.h"
#include "base/duration.h"

struct work {
    struct authority *authority;
    struct services *services;
    struct arena *arena;
    struct deadline deadline;
    struct store_batch batch;
    struct err err; /* a function that takes a work puts its error there */
    struct log_fields log;
    struct slice request_id;
    bool committed; /* something left the batch for good: nothing is run again */
};
void work_init(struct work *w, struct services *s, struct authority *a, struct arena *arena,
               struct deadline d);
/* Commits what is in the batch now; from here on nothing is run again. */
bool work_commit(struct work *w) CHECKED;

/* Token -> provisioner -> grant, verified; the use of the token is put into the batch as a kept
 * insert (docs/reference/tokens.md).  ERR_UNAUTHORIZED mostly. */
bool authorize_token(struct work *w, struct slice ott, enum method method,
                     struct grant **g) CHECKED;

/* The token counts once, by this key; one without jti also by that under which the reference
 * looks for it (docs/decisions/0006-key-of-tokens-without-jti.md). */
void token_spend(struct work *w, const struct token *t, struct slice key,
                 const struct refusal *used);

/* The same token for another method too, in the same request: its use is recorded already. */
bool authorize_token_again(struct work *w, struct slice ott, enum method method,
                           struct grant **g) CHECKED;

/* Who holds the certificate that asks for renewal. */
struct renewal {
    struct cert *cert;
    struct provisioner *by; /* NULL: the certificate has no provisioner extension */
    struct slice data;      /* its x509_certs_data record, or absent */
    int64_t length;         /* ns of the new one; 0: that of the certificate */
};
/* docs/reference/x509.md "Renewal": revoked, provisioner, claims, validity. */
bool authorize_renewal(struct work *w, struct cert *cert, struct renewal *r) CHECKED;
/* Bearer renew token: chain, signature, claims; then authorize_renewal; use recorded. */
bool authorize_renew_token(struct work *w, struct slice token, struct renewal *r) CHECKED;

struct validity_wish {
    struct time_or_duration not_before, not_after;
    /* Of an SSH identity certificate: these times whatever the claims say. */
    bool forced;
    struct instant forced_before, forced_after;
};
/* What was issued, as the log and the record want to know it. */
struct issued_cert {
    struct slice der, serial; /* serial: decimal */
    struct slice common_name;
    const struct sans *sans;
    struct instant not_before, not_after;
    const struct key *key;
    struct slice provisioner_name, credential_id; /* empty when there is no extension */
};
/* docs/reference/x509.md "Issuance", step by step; the record is put into the batch.  user: the
 * request's templateData (`.Insecure.User`) or NULL. */
bool sign_x509(struct work *w, const struct grant *g, const struct csr *csr,
               const struct validity_wish *wish, const struct json *user,
               struct issued_cert *out) CHECKED;
/* key: NULL for renewal, the request's for rekey. */
bool renew_x509(struct work *w, const struct renewal *r, const struct key *key,
                struct issued_cert *out) CHECKED;

struct revocation {
    struct slice serial; /* decimal */
    int reason_code;
    struct slice reason;
    const struct grant *grant; /* by token, or NULL */
    struct cert *cert;         /* by mTLS or ACME, or NULL */
    bool acme;                 /* by ACME */
};
/* NOT_IMPLEMENTED without a database; already revoked: the batch is refused with MALFORMED. */
bool revoke_x509(struct work *w, const struct revocation *r) CHECKED;

/* The stored CRL record; *der absent when there is none yet. */
bool crl_load(struct work *w, struct slice *der, struct instant *next_update) CHECKED;
/* Builds the next one from everything revoked and commits it.  Serialised by a lock. */
bool crl_generate(struct work *w) CHECKED;

/* The server's own leaf: fresh P-256 key in memory. docs/reference/x509.md "Server certificate".
 * Puts it into s->tls; *renew_in: ns until the next renewal should run. */
bool server_cert_issue(struct services *s, const struct core *core, int64_t *renew_in,
                       struct instant *not_after, struct err *e) CHECKED;
/* Adds serial, subject, issuer, sans, … of docs/reference/logging.md; nothing when there is no
 * access log. */
void log_issued(struct work *w, const struct issued_cert *c);
/* The same of a client's certificate. */
void log_certificate(struct work *w, const struct cert *c);
/* The certificate carries the provisioner extension; false when it is absent or unreadable. */
bool cert_provisioner(struct arena *a, const struct cert *c, struct provisioner_extension *p,
                      bool *present);
