/*
 * The JSON form of a certificate that a template yields (docs/reference/templates.md
 * "Certificate JSON"), read into what will be signed.
 */
#pragma once

#include "x509/cert.h"
#include "json/json.h"

/* Public key and issuer are not in it.  Unknown members are ignored; a wrong type or value is
 * ERR_MALFORMED and names the member.  *has_before and *has_after say which times were given. */
struct leaf_json {
    struct x509_leaf leaf;
    bool has_before, has_after;
};
bool leaf_json_read(struct arena *a, const struct json *v, struct leaf_json *out,
                    struct err *e) CHECKED;
/* "digitalSignature" -> its bit; any case, '_' ignored.  "serverAuth" -> its OID. */
bool key_usage_find(struct slice name, uint32_t *bit) CHECKED;
bool ext_usage_find(struct slice name, struct oid *oid) CHECKED;
/* "SHA256-RSA", "ECDSA-SHA384", "Ed25519", …; what cannot be signed with is refused. */
bool sig_alg_find(struct slice name, struct sig_alg *alg) CHECKED;
/* A text is a common name; an object has the members of the subject. */
bool subject_json_read(struct arena *a, const struct json *v, const char *path, struct subject *out,
                       struct err *e) CHECKED;
