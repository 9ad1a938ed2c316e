/* What the objects of requests and of certificates share. */
#pragma once

#include "authority/template_data.h"

#define GET(name) static bool name(struct trun *run UNUSED, const void *self, struct tvalue *out)
#define FIELD(name, json_name, omit, function)                                                     \
    {                                                                                              \
        name, json_name, omit, function                                                            \
    }

/* nil when there is none. */
struct tvalue tobject_texts(struct trun *run, const struct slice *v, size_t n);
struct tvalue tobject_names_of(struct trun *run, const struct sans *s, enum san_kind kind);

/* --- template_key.c: public keys, and numbers that have a name of their own --------------------
 */

/* Templates ask for its type by name: typeIs "*rsa.PublicKey".  k NULL: nil. */
struct tvalue tobject_key(const struct key *k);
/* Numbers that print as words: 3 is ECDSA, 10 is ECDSA-SHA256. */
struct tvalue tobject_key_algorithm(const struct key *k);
struct tvalue tobject_signature_algorithm(struct sig_alg alg);
/* A list of its arcs that prints with dots.  content: as in DER. */
struct tvalue tobject_oid(struct arena *a, struct slice content);
/* n of them; nil when there is none. */
struct tvalue tobject_oids(struct arena *a, const struct slice *v, size_t n);
/* A whole number of any size, from its magnitude, which must live as long as the value. */
struct tvalue tobject_big(const struct slice *magnitude);

/* --- template_address.c ---------------------------------------------------------------------- */

/* Texts that can be asked about themselves; nil when there is none. */
struct tvalue tobject_addresses(struct arena *a, const struct slice *v, size_t n);
struct tvalue tobject_urls(struct arena *a, const struct slice *v, size_t n);
