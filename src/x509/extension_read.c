/*
 * Values of extensions that only some look at: where to ask for revocation, which policies.  They
 * come from anybody's certificates, so lists are bounded by what stands in the value and nothing
 * is taken for granted.
 */
#include "x509/extension.h"

#define URI_NAME DER_CONTEXT(6)

static size_t elements(struct der d)
{
    size_t n = 0;

    while (der_next(&d, NULL, NULL, NULL))
        n++;
    return n;
}

/* The value is one SEQUENCE, not empty. */
static bool list_open(struct slice value, struct der *list, size_t *n)
{
    struct der outer = der_reader(value);

    if (!der_enter(&outer, DER_SEQUENCE, list) || !der_done(&outer))
        return false;
    *n = elements(*list);
    return *n > 0;
}

static struct urls urls_new(struct arena *a, size_t room)
{
    return (struct urls){.v = arena_array(a, room ? room : 1, sizeof(struct slice))};
}

bool aia_read(struct arena *a, struct slice value, struct urls *ocsp, struct urls *issuers)
{
    struct der list, access;
    struct slice method, location;
    uint8_t tag;
    size_t n;

    if (!list_open(value, &list, &n))
        return false;
    *ocsp = urls_new(a, n);
    *issuers = urls_new(a, n);
    while (!der_done(&list)) {
        if (!der_enter(&list, DER_SEQUENCE, &access) || !der_take_oid(&access, &method) ||
            !der_next(&access, &tag, &location, NULL) || !der_done(&access))
            return false;
        if (tag != URI_NAME)
            continue;
        if (oid_eq(&OID_AD_OCSP, method))
            ocsp->v[ocsp->n++] = location;
        if (oid_eq(&OID_AD_CA_ISSUERS, method))
            issuers->v[issuers->n++] = location;
    }
    return true;
}

/* DistributionPoint: [0] { fullName [0] GeneralNames } and others. */
static bool point_read(struct arena *a, struct der *list, struct urls *out)
{
    struct der point, name, full;
    struct slice url;
    uint8_t tag;

    if (!der_enter(list, DER_SEQUENCE, &point))
        return false;
    if (!der_is(&point, DER_CONTEXT_CONSTRUCTED(0)))
        return true;
    if (!der_enter(&point, DER_CONTEXT_CONSTRUCTED(0), &name))
        return false;
    if (!der_is(&name, DER_CONTEXT_CONSTRUCTED(0)))
        return true;
    if (!der_enter(&name, DER_CONTEXT_CONSTRUCTED(0), &full))
        return false;
    struct urls all = urls_new(a, out->n + elements(full));
    if (out->n)
        memcpy(all.v, out->v, out->n * sizeof(*all.v));
    all.n = out->n;
    while (der_next(&full, &tag, &url, NULL)) {
        if (tag == URI_NAME)
            all.v[all.n++] = url;
    }
    *out = all;
    return der_done(&full);
}

#define POINTS_MAX 64

bool crl_points_read(struct arena *a, struct slice value, struct urls *out)
{
    struct der list;
    size_t n;

    *out = (struct urls){0};
    if (!list_open(value, &list, &n) || n > POINTS_MAX)
        return false;
    while (!der_done(&list)) {
        if (!point_read(a, &list, out))
            return false;
    }
    return true;
}

/* PolicyQualifierInfo of id-qt-cps (RFC 5280 4.2.1.4). */
static bool cps_read(struct der qualifiers, struct slice *cps)
{
    static const uint8_t CPS[] = {0x2b, 6, 1, 5, 5, 7, 2, 1};
    struct der info;
    struct slice oid;

    while (!der_done(&qualifiers)) {
        if (!der_enter(&qualifiers, DER_SEQUENCE, &info) || !der_take_oid(&info, &oid))
            return false;
        if (slice_eq(oid, slice_of(CPS, sizeof(CPS))) && !der_take(&info, DER_IA5_STRING, cps))
            return false;
    }
    return true;
}

bool policies_read(struct arena *a, struct slice value, struct policies *out)
{
    struct der list, info, qualifiers;
    size_t n;

    *out = (struct policies){0};
    if (!list_open(value, &list, &n))
        return false;
    out->v = arena_array(a, n, sizeof(*out->v));
    while (!der_done(&list)) {
        struct policy *p = &out->v[out->n++];
        if (!der_enter(&list, DER_SEQUENCE, &info) || !der_take_oid(&info, &p->oid))
            return false;
        if (der_done(&info))
            continue;
        if (!der_enter(&info, DER_SEQUENCE, &qualifiers) || !der_done(&info) ||
            !cps_read(qualifiers, &p->cps))
            return false;
    }
    return true;
}
