/*
 * A CA seen from outside: its HTTP API, for `step` and for a Registration Authority.
 */
#pragma once

#include "jose/jwe.h"
#include "jose/jws.h"
#include "net/http_client.h"
#include "x509/csr.h"

struct ca {
    struct http_client *http;
    struct slice url; /* "https://host:port": no path */
    struct trust trust;
    const struct identity *identity; /* client certificate or NULL */
    struct clock *clock;
    struct rng *rng;
    int64_t timeout_ns; /* 0: 60 s */
    size_t reply_max;   /* 0: 16 MiB */
};

/* "host", "host:port", "::1", "https://host/path" -> "https://host[:port]". Other schemes are
 * errors. */
bool ca_url_read(struct arena *a, struct slice text, struct slice *url, struct err *e) CHECKED;

/* One request: path "/health"; body absent for GET.  Status >= 400 becomes an error with the
 * envelope's message and the kind of the status.  Redirects are never followed. */
bool ca_call(struct ca *ca, struct arena *a, enum http_method method, const char *path,
             struct slice body, struct slice bearer, struct http_reply *reply,
             struct err *e) CHECKED;
/* The same and the reply read as JSON. */
bool ca_call_json(struct ca *ca, struct arena *a, enum http_method method, const char *path,
                  struct slice body, struct slice bearer, struct json **reply,
                  struct err *e) CHECKED;

bool ca_health(struct ca *ca, struct arena *a, struct slice *status, struct err *e) CHECKED;
/* Without TLS verification: GET /root/<fingerprint>; the certificate's SHA-256 must be the whole
 * fingerprint (blanks, '-' and case are forgiven). */
bool ca_root_by_fingerprint(struct http_client *http, struct arena *a, struct slice url,
                            struct slice fingerprint, struct cert **root, struct err *e) CHECKED;
bool ca_roots(struct ca *ca, struct arena *a, bool federation, struct cert_list *roots,
              struct err *e) CHECKED;
/* All pages. */
bool ca_provisioners(struct ca *ca, struct arena *a, const struct json ***list, size_t *n,
                     struct err *e) CHECKED;
bool ca_encrypted_key(struct ca *ca, struct arena *a, struct slice kid, struct slice *jwe,
                      struct err *e) CHECKED;

struct ca_sign_wish {
    struct slice csr_pem, ott;
    struct slice not_before, not_after; /* as typed; empty: unset */
    struct slice template_data;         /* JSON or empty */
};
/* certChain, or crt and ca. */
bool ca_sign(struct ca *ca, struct arena *a, const struct ca_sign_wish *wish,
             struct cert_list *chain, struct err *e) CHECKED;
/* With ca->identity, or with a renew token (bearer). */
bool ca_renew(struct ca *ca, struct arena *a, struct slice bearer, struct cert_list *chain,
              struct err *e) CHECKED;
bool ca_rekey(struct ca *ca, struct arena *a, struct slice csr_pem, struct cert_list *chain,
              struct err *e) CHECKED;
struct ca_revoke_wish {
    struct slice serial, ott, reason;
    int reason_code;
};
bool ca_revoke(struct ca *ca, struct arena *a, const struct ca_revoke_wish *wish,
               struct err *e) CHECKED;
