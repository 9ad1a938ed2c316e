/* Tokens that a client makes itself (docs/reference/tokens.md). */
#pragma once

#include "client/ca.h"

struct token_wish {
    struct slice issuer, audience, subject, kid;
    struct slice root_fingerprint; /* claim sha; empty: none */
    struct slice *sans;            /* claim sans; n_sans 0 with has_sans: [subject] */
    size_t n_sans;
    bool has_sans;
    struct slice cnf;  /* claim cnf."x5rt#S256"; empty: none */
    struct slice user; /* JSON object of claim user; empty: none */
    struct slice step; /* JSON object of claim step; empty: none */
    struct instant not_before, not_after;
    struct instant issued_at; /* claim iat; the zero value {0, 0}: not_before */
    struct slice *x5c;        /* DER chain for the x5c header */
    size_t n_x5c;
    bool x5c_insecure; /* header x5cInsecure instead */
    bool no_jti;
    struct slice header_extra_name, header_extra_value; /* e.g. sshpop; empty: none */
};
/* Header: alg, kid, typ; claims sorted by name.  alg by the key unless alg says so. */
bool token_make(struct arena *a, const struct token_wish *wish, const struct private_key *key,
                enum jws_alg alg, struct rng *rng, struct slice *token, struct err *e) CHECKED;
/* iss step-ca-client/1.0, sub the leaf's common name, 5 minutes, header x5cInsecure. */
bool renew_token_make(struct arena *a, struct slice audience, const struct cert_list *chain,
                      const struct private_key *key, struct instant now, struct rng *rng,
                      struct slice *token, struct err *e) CHECKED;
