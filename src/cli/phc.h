/*
 * Hashes of passwords as text: PHC strings ("$argon2id$v=19$m=65536,t=1,p=4$salt$hash",
 * "$scrypt$ln=15,r=8,p=1$salt$hash"), and bcrypt's own form ("$2a$10$…").
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum phc_alg { PHC_SCRYPT, PHC_ARGON2I, PHC_ARGON2ID, PHC_BCRYPT, PHC_ALGS };
struct phc {
    enum phc_alg alg;
    uint32_t ln, r, p;       /* scrypt: 2^ln; p also of Argon2 */
    uint32_t t, m;           /* Argon2: rounds, KiB */
    uint32_t version;        /* Argon2: 19; 0 when the text has none */
    uint32_t cost;           /* bcrypt: 2^cost */
    struct slice salt, hash; /* bytes; bcrypt: absent */
    struct slice text;
};
/* Costs are bounded: ln 1-20, r 1-32, p 1-32, t 1-128, m 8-16777216, cost 4-20. */
bool phc_read(struct arena *a, struct slice text, struct phc *phc, struct err *e) CHECKED;
struct slice phc_text(struct arena *a, const struct phc *phc); /* not bcrypt */
const char *phc_name(enum phc_alg alg);
bool phc_named(const char *name, enum phc_alg *alg);
