/* The JSON form of a certificate: what templates make (docs/reference/templates.md "SSH"). */
#pragma once

#include "base/duration.h"
#include "ssh/cert.h"
#include "json/json.h"

struct ssh_cert_json {
    struct ssh_cert cert; /* type, key_id, principals, options, serial, nonce, reserved as found */
    bool has_serial;
    int64_t valid_after, valid_before; /* Unix seconds; 0: not set */
};
/* type (required, "user" or "host" in any case), keyId, principals (list of texts or null),
 * validAfter, validBefore (RFC 3339), criticalOptions, extensions (text -> text, or null), serial
 * (number), nonce, reserved (base64).  Unknown members are ignored; a wrong type or value is
 * ERR_MALFORMED and names the member.  Key and issuer are not in it. */
bool ssh_cert_from_json(struct arena *a, const struct json *v, struct ssh_cert_json *out,
                        struct err *e) CHECKED;
