/*
 * dns-01 (RFC 8555 8.4): the digest of the key authorization stands in a TXT record below the name.
 * Nothing is final here: a record may not have come to all name servers yet.
 */
#include "acme/validate_internal.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

struct acme_result acme_validate_dns01(struct arena *a, const struct acme_validation *v,
                                       const struct acme_validation_settings *s, struct deadline d)
{
    struct err e = {0};
    struct text_list records;
    struct ip ip;
    bool found = false;

    if (v->ip)
        return validation_result(a, ACME_INVALID, "rejectedIdentifier",
                                 "dns-01: not for IP addresses (RFC 8738 7)");
    if (!validation_name_ok(v, &ip, &e))
        return validation_failed(a, ACME_INVALID, "rejectedIdentifier", &e);
    struct slice name = arena_format(a, "_acme-challenge.%.*s", SLICE_ARG(v->value));
    struct slice asked = validation_rooted(a, name, s->strict_fqdn);
    if (!s->resolver->txt(s->resolver, asked, a, &records, validation_deadline(s, d), &e)) {
        err_wrap(&e, "TXT");
        return validation_failed(a, ACME_RETRY, "dns", &e);
    }
    struct slice digest = digest_bytes(a, DIGEST_SHA256, v->key_authorization);
    struct slice expected = base64_text(a, BASE64_URL_RAW, digest);
    for (size_t i = 0; i < records.n; i++)
        found |= secret_equal(records.v[i], expected);
    if (found)
        return validation_valid();
    return validation_result(a, ACME_RETRY, "incorrectResponse",
                             "%.*s: %zu TXT record(s), none is the digest of the key authorization "
                             "of this account (RFC 8555 8.4)",
                             SLICE_ARG(asked), records.n);
}
