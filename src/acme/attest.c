/*
 * Device attestation: from an attestation object to a verdict.
 *
 * What all formats share is here: CBOR, the format's name, the certificate chain to the roots that
 * the provisioner was given (no vendor's roots are built in), the identifier among the attested
 * ones, the fingerprint of the attested key.  The formats have a file each.
 */
#include "acme/attest_internal.h"
#include "acme/validate_internal.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "x509/chain.h"

#define X5C_MAX 16u

static const struct {
    const char *name;
    attest_format_fn *check;
} FORMATS[ACME_ATTESTS] = {
    [ACME_ATTEST_APPLE] = {"apple", attest_apple},
    [ACME_ATTEST_STEP] = {"step", attest_step},
    [ACME_ATTEST_TPM] = {"tpm", attest_tpm},
};

bool acme_attestation_find(struct slice name, enum acme_attestation_format *f)
{
    for (unsigned i = 0; i < ACME_ATTESTS; i++) {
        if (slice_is_case(name, FORMATS[i].name)) {
            *f = (enum acme_attestation_format)i;
            return true;
        }
    }
    return false;
}

/* --- The object ---------------------------------------------------------------------------------
 */

static bool read_format(struct statement *s, const struct cbor_item_t *object,
                        enum acme_attestation_format *f, struct err *e)
{
    struct cbor_item_t *item;
    struct slice name;

    if (!attest_cbor_member(s->arena, object, "fmt", &item) ||
        !attest_cbor_text(s->arena, item, &name))
        return err_set(e, ERR_MALFORMED, "attestation object: expected one text \"fmt\"");
    if (!acme_attestation_find(name, f))
        return err_set(e, ERR_MALFORMED, "attestation format \"%.*s\" is not one of ours",
                       SLICE_ARG(slice_sub(name, 0, 64)));
    if (!(s->order->formats & (1u << *f)))
        return err_set(e, ERR_MALFORMED, "attestation format \"%s\" is not enabled",
                       FORMATS[*f].name);
    return true;
}

static bool read_object(struct statement *s, enum acme_attestation_format *f, struct err *e)
{
    struct cbor_item_t *object, *statement;

    if (slice_empty(s->order->object) || slice_is(s->order->object, "{}"))
        return err_set(e, ERR_MALFORMED, "attestation object: empty");
    if (!attest_cbor_open(s->arena, s->order->object, &object, e))
        return err_wrap(e, "attestation object");
    if (!attest_cbor_is_map(object))
        return err_set(e, ERR_MALFORMED, "attestation object: expected a map");
    if (!read_format(s, object, f, e))
        return false;
    if (!attest_cbor_member(s->arena, object, "attStmt", &statement) ||
        !attest_cbor_is_map(statement))
        return err_set(e, ERR_MALFORMED, "attestation object: expected one map \"attStmt\"");
    s->map = statement;
    return true;
}

bool statement_bytes(struct statement *s, const char *name, struct slice *bytes, struct err *e)
{
    struct cbor_item_t *item;

    if (!attest_cbor_member(s->arena, s->map, name, &item) ||
        !attest_cbor_bytes(s->arena, item, bytes) || !bytes->n)
        return err_set(e, ERR_MALFORMED, "%s: expected one byte string that is not empty", name);
    return true;
}

void statement_id(struct statement *s, struct slice id)
{
    if (id.n && slice_is_utf8(id) && s->n_ids < COUNT_OF(s->ids))
        s->ids[s->n_ids++] = id;
}

/* --- The chain ----------------------------------------------------------------------------------
 */

static bool read_x5c(struct statement *s, struct err *e)
{
    struct cbor_item_t *item, **v;
    struct slice der;
    struct cert *c;
    size_t n;

    if (!attest_cbor_member(s->arena, s->map, "x5c", &item) || !attest_cbor_elements(item, &v, &n))
        return err_set(e, ERR_MALFORMED, "x5c: expected one array");
    if (!n || n > X5C_MAX)
        return err_set(e, ERR_MALFORMED, "x5c: expected 1 to %u certificates, found %zu", X5C_MAX,
                       n);
    for (size_t i = 0; i < n; i++) {
        if (!attest_cbor_bytes(s->arena, v[i], &der))
            return err_set(e, ERR_MALFORMED, "x5c: element %zu is not a byte string", i);
        if (!cert_read(s->arena, der, &c, e))
            return err_wrap(e, "x5c: element %zu", i);
        cert_list_add(s->arena, &s->x5c, c);
    }
    return true;
}

static bool verify_chain(struct statement *s, const char *format, struct err *e)
{
    struct chain_rules rules = {.at = s->order->now, .use = CHAIN_ANY};

    if (!s->order->roots || !s->order->roots->n)
        return err_set(e, ERR_MALFORMED,
                       "format \"%s\": the provisioner has no attestationRoots, and none are built "
                       "in",
                       format);
    rules.anchors = *s->order->roots;
    rules.intermediates = (struct cert_list){s->x5c.v + 1, s->x5c.n - 1};
    return chain_verify(s->arena, s->x5c.v[0], &rules, NULL, e) || err_wrap(e, "x5c");
}

static bool judge(struct statement *s, struct err *e)
{
    enum acme_attestation_format f;

    return read_object(s, &f, e) && read_x5c(s, e) && verify_chain(s, FORMATS[f].name, e) &&
           FORMATS[f].check(s, e);
}

/* --- The verdict --------------------------------------------------------------------------------
 */

static bool is_attested(const struct statement *s)
{
    for (size_t i = 0; i < s->n_ids; i++)
        if (slice_eq(s->ids[i], s->order->identifier))
            return true;
    return false;
}

/* Through struct err: one printable line, although devices chose the names. */
static struct slice mismatch_text(const struct statement *s)
{
    struct buf b = buf_new(s->arena, 4096);
    struct err e = {0};

    for (size_t i = 0; i < s->n_ids; i++)
        buf_printf(&b, "%s\"%.*s\"", i ? " " : "", SLICE_ARG(slice_sub(s->ids[i], 0, 128)));
    err_set(&e, ERR_MALFORMED,
            "challenge identifier \"%.*s\" doesn't match any of the attested hardware identifiers "
            "[%.*s]",
            SLICE_ARG(s->order->identifier), SLICE_ARG(buf_slice(&b)));
    return arena_copy(s->arena, slice_text(e.text));
}

static struct slice fingerprint(struct arena *a, const struct key *key)
{
    struct slice digest = digest_bytes(a, DIGEST_SHA256, key->point);

    return arena_format(a, "SHA256:%.*s", SLICE_ARG(base64_text(a, BASE64_STD, digest)));
}

struct acme_result acme_attest(struct arena *a, const struct acme_attestation_order *o,
                               struct acme_attestation *out, struct slice *mismatch)
{
    struct statement s = {.arena = a, .order = o};
    struct err e = {0};

    *out = (struct acme_attestation){.fingerprint = SLICE_NONE};
    *mismatch = SLICE_NONE;
    if (!judge(&s, &e))
        return validation_failed(a, ACME_INVALID, STATEMENT_BAD, &e);
    if (!is_attested(&s)) {
        *mismatch = mismatch_text(&s);
        return validation_result(a, ACME_INVALID, STATEMENT_BAD,
                                 "permanent identifier does not match");
    }
    out->fingerprint = fingerprint(a, s.attested);
    return validation_valid();
}
