/*
 * Extensions as they stand: OID, critical, value.  What a value means is read where it is needed
 * (cert_read.c for what every certificate has, show_extension.c for looking at).
 */
#include "x509/extension.h"

#define CE(last)                                                                                   \
    {                                                                                              \
        (const uint8_t[]){0x55, 0x1d, last}, 3                                                     \
    }
#define KP(last)                                                                                   \
    {                                                                                              \
        (const uint8_t[]){0x2b, 6, 1, 5, 5, 7, 3, last}, 8                                         \
    }
#define SMALLSTEP(x)                                                                               \
    {                                                                                              \
        (const uint8_t[]){0x2b, 6, 1, 4, 1, 0x82, 0xa4, 0x64, 0xc6, 0x28, 0x40, x}, 12             \
    }

const struct oid OID_EXT_SKI = CE(14), OID_EXT_KEY_USAGE = CE(15), OID_EXT_SAN = CE(17),
                 OID_EXT_BASIC = CE(19), OID_EXT_CRL_NUMBER = CE(20), OID_EXT_REASON = CE(21),
                 OID_EXT_IDP = CE(28), OID_EXT_NAME_CONSTRAINTS = CE(30),
                 OID_EXT_CRL_POINTS = CE(31), OID_EXT_POLICIES = CE(32), OID_EXT_AKI = CE(35),
                 OID_EXT_EKU = CE(37);
const struct oid OID_EXT_AIA = {(const uint8_t[]){0x2b, 6, 1, 5, 5, 7, 1, 1}, 8};
const struct oid OID_AD_OCSP = {(const uint8_t[]){0x2b, 6, 1, 5, 5, 7, 48, 1}, 8},
                 OID_AD_CA_ISSUERS = {(const uint8_t[]){0x2b, 6, 1, 5, 5, 7, 48, 2}, 8};
/* 1.3.6.1.4.1.37476.9000.64.1 and .2 */
const struct oid OID_EXT_PROVISIONER = SMALLSTEP(1), OID_EXT_AUTHORITY = SMALLSTEP(2);

const struct oid OID_EKU_ANY = {(const uint8_t[]){0x55, 0x1d, 37, 0}, 4};
const struct oid OID_EKU_SERVER = KP(1), OID_EKU_CLIENT = KP(2), OID_EKU_CODE = KP(3),
                 OID_EKU_EMAIL = KP(4), OID_EKU_TIME = KP(8), OID_EKU_OCSP = KP(9);

const struct extension *extensions_get(const struct extensions *x, const struct oid *oid)
{
    for (size_t i = 0; i < x->n; i++) {
        if (oid_eq(oid, x->v[i].oid))
            return &x->v[i];
    }
    return NULL;
}

/* Extension: OID, BOOLEAN DEFAULT FALSE, OCTET STRING.  An explicit FALSE is not DER but met. */
static bool extension_take(struct der *list, struct extension *x)
{
    struct der inside;
    struct slice content;

    if (!der_is(list, DER_SEQUENCE) || !der_next(list, NULL, &content, &x->raw))
        return false;
    inside = der_reader(content);
    if (!der_take_oid(&inside, &x->oid))
        return false;
    if (der_is(&inside, DER_BOOLEAN) && !der_take_bool(&inside, &x->critical))
        return false;
    return der_take(&inside, DER_OCTET_STRING, &x->value) && der_done(&inside);
}

bool extensions_read(struct arena *a, struct slice der, struct extensions *x, struct err *e)
{
    struct der outer = der_reader(der), list, count;
    size_t n = 0;

    *x = (struct extensions){0};
    if (!der_enter(&outer, DER_SEQUENCE, &list) || !der_done(&outer))
        return err_set(e, ERR_MALFORMED, "extensions: expected one SEQUENCE (RFC 5280 4.1)");
    for (count = list; !der_done(&count); n++) {
        if (!der_next(&count, NULL, NULL, NULL))
            return err_set(e, ERR_MALFORMED, "extension %zu is not DER (RFC 5280 4.1)", n + 1);
    }
    if (n > EXTENSIONS_MAX)
        return err_set(e, ERR_MALFORMED, "%zu extensions, at most %d are read", n, EXTENSIONS_MAX);
    x->v = arena_array(a, n ? n : 1, sizeof(*x->v));
    for (; !der_done(&list); x->n++) {
        struct extension *new = &x->v[x->n];
        if (!extension_take(&list, new))
            return err_set(e, ERR_MALFORMED,
                           "extension %zu is not an OID, a BOOLEAN and an OCTET STRING (RFC 5280 "
                           "4.1)",
                           x->n + 1);
        if (extensions_get(x, &(struct oid){new->oid.p, new->oid.n}))
            return err_set(e, ERR_MALFORMED, "extension %zu is there twice (RFC 5280 4.2)",
                           x->n + 1);
    }
    return true;
}

void extension_put(struct buf *b, const struct extension *x)
{
    size_t at;

    der_open(b, DER_SEQUENCE, &at);
    der_oid_content(b, x->oid);
    if (x->critical)
        der_bool(b, true);
    der_octets(b, x->value);
    der_close(b, at);
}

/* --- The provisioner extension ------------------------------------------------------------ */

void provisioner_extension_put(struct buf *b, const struct provisioner_extension *p)
{
    size_t at, pairs;

    der_open(b, DER_SEQUENCE, &at);
    der_int(b, p->type);
    der_octets(b, p->name);
    der_octets(b, p->credential_id);
    if (p->n_pairs) {
        der_open(b, DER_SEQUENCE, &pairs);
        for (size_t i = 0; i < p->n_pairs; i++)
            der_directory_string(b, p->pairs[i]);
        der_close(b, pairs);
    }
    der_close(b, at);
}

#define PAIR_TEXTS_MAX 64

static bool pairs_read(struct arena *a, struct der *in, struct provisioner_extension *p)
{
    struct der list, count;
    size_t n = 0;

    if (!der_enter(in, DER_SEQUENCE, &list))
        return false;
    for (count = list; der_next(&count, NULL, NULL, NULL); n++)
        ;
    if (n > PAIR_TEXTS_MAX)
        return false;
    p->pairs = arena_array(a, n ? n : 1, sizeof(*p->pairs));
    for (; p->n_pairs < n; p->n_pairs++) {
        if (!der_take_string(&list, a, &p->pairs[p->n_pairs]))
            return false;
    }
    return der_done(&list);
}

bool provisioner_extension_read(struct arena *a, struct slice value,
                                struct provisioner_extension *p, struct err *e)
{
    struct der outer = der_reader(value), in;

    *p = (struct provisioner_extension){0};
    if (!der_enter(&outer, DER_SEQUENCE, &in))
        return err_set(e, ERR_MALFORMED, "provisioner extension: expected a SEQUENCE");
    if (!der_take_int(&in, &p->type) || !der_take(&in, DER_OCTET_STRING, &p->name) ||
        !der_take(&in, DER_OCTET_STRING, &p->credential_id))
        return err_set(e, ERR_MALFORMED,
                       "provisioner extension: expected a type, a name and a credential id");
    /* What a later version may append is not ours to judge. */
    if (der_is(&in, DER_SEQUENCE) && !pairs_read(a, &in, p))
        return err_set(e, ERR_MALFORMED,
                       "provisioner extension: expected at most %d texts after the credential id",
                       PAIR_TEXTS_MAX);
    return true;
}
