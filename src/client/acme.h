/*
 * ACME from the client's side (RFC 8555): one order, from the directory to the chain; and those
 * who prove control of a name: a server for http-01, a folder of somebody else's server, a server
 * for tls-alpn-01.
 */
#pragma once

#include "client/ca.h"

/* What a challenge asks for. */
struct acme_proof {
    bool ip;
    struct slice name;
    struct slice token, key_authorization;
};
/* Makes a proof visible and takes it away again; end is called after every begin that was
 * successful, and also after a validation that failed. */
struct acme_responder {
    const char *challenge; /* "http-01" */
    const char *mode;      /* "standalone": for messages */
    bool (*begin)(struct acme_responder *, const struct acme_proof *, struct err *);
    void (*end)(struct acme_responder *);
    /* What the challenge is answered with, a JSON object; NULL: {}. */
    bool (*answer)(struct acme_responder *, struct arena *a, const struct acme_proof *,
                   struct slice *json, struct err *);
};
/* All live in a; listen is "host:port", host may be empty.  clock, rng as in acme_client. */
struct acme_responder *acme_respond_standalone(struct arena *a, const char *listen);
struct acme_responder *acme_respond_webroot(struct arena *a, const char *folder);
struct acme_responder *acme_respond_tls_alpn(struct arena *a, const char *listen,
                                             struct clock *clock, struct rng *rng);

struct acme_client {
    struct http_client *http;
    struct trust trust;
    struct clock *clock;
    struct rng *rng;
    int64_t timeout_ns; /* of one request; 0: 60 s */
    /* Told about each name: before its validation, and how it ended.  NULL: nobody is told. */
    void (*tell)(void *arg, const struct acme_proof *proof, bool ended, bool ok);
    void *tell_arg;
    void (*sleep)(int64_t ns); /* between polls; NULL: really */
};
struct acme_wish {
    struct slice directory;       /* URL */
    const struct sans *names;     /* DNS names and addresses: acme_names_check */
    struct slice device;          /* instead of names: a permanent identifier */
    const struct slice *contacts; /* "mailto:…" */
    size_t n_contacts;
    struct instant not_before, not_after; /* INSTANT_ZERO_GO: the CA's choice */
    struct slice csr;                     /* DER */
};
/* https://host[:port]/acme/NAME/directory */
struct slice acme_directory_url(struct arena *a, struct slice ca_url, struct slice provisioner);
/* Every name can be had by ACME and proven by `challenge`: no email addresses, URIs or wildcards.
 */
bool acme_names_check(const struct sans *names, const char *challenge, struct err *e) CHECKED;
/* A fresh account, an order, its proofs, the chain (leaf first).  Errors carry the problem's
 * detail and those of its sub-problems. */
bool acme_client_order(struct acme_client *c, struct arena *a, const struct acme_wish *wish,
                       struct acme_responder *responder, struct cert_list *chain,
                       struct err *e) CHECKED;
