/*
 * Writing certificates: our own DER around signer_sign, top to bottom as RFC 5280 4.1 has it.
 * Extensions come from a table in their order; each writes its value or nothing.  An extension
 * that the caller hands over finished wins over the one we would make, so that a template has the
 * last word, except for the provisioner extension, which only the CA decides about.
 */
#include "x509/cert.h"
#include "x509/sigalg.h"

#define SERIAL_RANDOM 16
#define SERIAL_OCTETS 20 /* RFC 5280 4.1.2.2 */

struct making {
    const struct x509_leaf *leaf;
    struct slice subject; /* DER */
    struct slice aki;     /* key identifier of the issuer; empty: no extension */
    struct slice ski;
};

static bool subject_is_nothing(const struct making *m)
{
    return m->subject.n == 2;
}

/* --- Values of extensions ----------------------------------------------------------------- */

typedef bool value_fn(struct buf *b, const struct making *m, bool *critical, struct err *e);

static bool key_usage_put(struct buf *b, const struct making *m, bool *critical, struct err *e)
{
    (void)e;
    *critical = true;
    if (m->leaf->key_usage)
        der_named_bits(b, m->leaf->key_usage);
    return true;
}

static void oids_put(struct buf *b, const struct slice *oids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        der_oid_content(b, oids[i]);
}

static bool eku_put(struct buf *b, const struct making *m, bool *critical, struct err *e)
{
    size_t at;

    (void)e;
    (void)critical;
    if (!m->leaf->n_eku)
        return true;
    der_open(b, DER_SEQUENCE, &at);
    oids_put(b, m->leaf->eku, m->leaf->n_eku);
    der_close(b, at);
    return true;
}

static bool basic_put(struct buf *b, const struct making *m, bool *critical, struct err *e)
{
    const struct basic_constraints *basic = &m->leaf->basic;
    size_t at;

    (void)e;
    *critical = true;
    if (!m->leaf->has_basic)
        return true;
    der_open(b, DER_SEQUENCE, &at);
    if (basic->ca)
        der_bool(b, true);
    if (basic->ca && basic->path_len >= 0)
        der_int(b, basic->path_len);
    der_close(b, at);
    return true;
}

static bool ski_put(struct buf *b, const struct making *m, bool *critical, struct err *e)
{
    (void)e;
    (void)critical;
    if (slice_empty(m->ski))
        return true;
    der_octets(b, m->ski);
    return true;
}

static bool aki_put(struct buf *b, const struct making *m, bool *critical, struct err *e)
{
    size_t at;

    (void)e;
    (void)critical;
    if (slice_empty(m->aki))
        return true;
    der_open(b, DER_SEQUENCE, &at);
    der_put(b, DER_CONTEXT(0), m->aki);
    der_close(b, at);
    return true;
}

/* uniformResourceIdentifier [6]. */
static bool url_put(struct buf *b, struct slice url, const char *what, struct err *e)
{
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] <= 0x20 || url.p[i] >= 0x7f)
            return err_set(e, ERR_MALFORMED, "%s: \"%.*s\" is not an ASCII URL (RFC 5280 4.2.1.6)",
                           what, SLICE_ARG(url));
    }
    der_put(b, DER_CONTEXT(6), url);
    return true;
}

static bool access_put(struct buf *b, const struct oid *method, const struct slice *urls, size_t n,
                       struct err *e)
{
    size_t at;

    for (size_t i = 0; i < n; i++) {
        der_open(b, DER_SEQUENCE, &at);
        der_oid(b, method);
        if (!url_put(b, urls[i], "authority information access", e))
            return false;
        der_close(b, at);
    }
    return true;
}

static bool aia_put(struct buf *b, const struct making *m, bool *critical, struct err *e)
{
    const struct x509_leaf *leaf = m->leaf;
    size_t at;

    (void)critical;
    if (!leaf->n_ocsp && !leaf->n_ca_issuers)
        return true;
    der_open(b, DER_SEQUENCE, &at);
    if (!access_put(b, &OID_AD_OCSP, leaf->ocsp, leaf->n_ocsp, e) ||
        !access_put(b, &OID_AD_CA_ISSUERS, leaf->ca_issuers, leaf->n_ca_issuers, e))
        return false;
    der_close(b, at);
    return true;
}

static bool san_put(struct buf *b, const struct making *m, bool *critical, struct err *e)
{
    /* RFC 5280 4.2.1.6: critical when the subject says nothing. */
    *critical = m->leaf->san_critical || subject_is_nothing(m);
    return !m->leaf->sans.n || sans_put(b, &m->leaf->sans, e) ||
           err_wrap(e, "subject alternative name");
}

static bool policies_put(struct buf *b, const struct making *m, bool *critical, struct err *e)
{
    size_t at, info;

    (void)e;
    (void)critical;
    if (!m->leaf->n_policies)
        return true;
    der_open(b, DER_SEQUENCE, &at);
    for (size_t i = 0; i < m->leaf->n_policies; i++) {
        der_open(b, DER_SEQUENCE, &info);
        der_oid_content(b, m->leaf->policies[i]);
        der_close(b, info);
    }
    der_close(b, at);
    return true;
}

static bool constraints_put(struct buf *b, const struct making *m, bool *critical, struct err *e)
{
    (void)e;
    *critical = m->leaf->name_constraints_critical;
    der_raw(b, m->leaf->name_constraints);
    return true;
}

/* One DistributionPoint a URL, as RFC 5280 4.2.1.13 wants it for different places. */
static bool crl_points_put(struct buf *b, const struct making *m, bool *critical, struct err *e)
{
    size_t list, point, name, full;

    (void)critical;
    if (!m->leaf->n_crl_points)
        return true;
    der_open(b, DER_SEQUENCE, &list);
    for (size_t i = 0; i < m->leaf->n_crl_points; i++) {
        der_open(b, DER_SEQUENCE, &point);
        der_open(b, DER_CONTEXT_CONSTRUCTED(0), &name);
        der_open(b, DER_CONTEXT_CONSTRUCTED(0), &full);
        if (!url_put(b, m->leaf->crl_points[i], "CRL distribution point", e))
            return false;
        der_close(b, full);
        der_close(b, name);
        der_close(b, point);
    }
    der_close(b, list);
    return true;
}

static const struct made {
    const struct oid *oid;
    value_fn *put;
    bool when_copying; /* also made by renew and rekey */
    bool in_request;   /* what a request may ask for */
} MADE[] = {
    {&OID_EXT_KEY_USAGE, key_usage_put, false, true},
    {&OID_EXT_EKU, eku_put, false, true},
    {&OID_EXT_BASIC, basic_put, false, true},
    {&OID_EXT_SKI, ski_put, true, false},
    {&OID_EXT_AKI, aki_put, true, false},
    {&OID_EXT_AIA, aia_put, false, false},
    {&OID_EXT_SAN, san_put, false, true},
    {&OID_EXT_POLICIES, policies_put, false, false},
    {&OID_EXT_NAME_CONSTRAINTS, constraints_put, false, false},
    {&OID_EXT_CRL_POINTS, crl_points_put, false, false},
};

/* --- The list of extensions --------------------------------------------------------------- */

static bool is_made(const struct making *m, const struct made *made)
{
    if (!m->leaf->copy_extensions)
        return !extensions_get(&m->leaf->raw, made->oid);
    return made->when_copying && !(made->put == ski_put && slice_empty(m->leaf->ski));
}

static bool made_put(struct buf *b, const struct making *m, struct err *e)
{
    CLEANUP(buf_free) struct buf value = buf_new(NULL, CERT_MAX);

    for (size_t i = 0; i < COUNT_OF(MADE); i++) {
        struct extension x = {.oid = slice_of(MADE[i].oid->p, MADE[i].oid->n)};
        if (!is_made(m, &MADE[i]))
            continue;
        buf_reset(&value);
        if (!MADE[i].put(&value, m, &x.critical, e) || !buf_done(&value, "extension", e))
            return false;
        if (!value.n)
            continue;
        x.value = buf_slice(&value);
        extension_put(b, &x);
    }
    return true;
}

/* What a renewed certificate does not take over from the old one. */
static bool is_left_behind(const struct x509_leaf *leaf, const struct extension *x)
{
    if (!leaf->copy_extensions)
        return false;
    return oid_eq(&OID_EXT_AKI, x->oid) ||
           (oid_eq(&OID_EXT_SKI, x->oid) && !slice_empty(leaf->ski));
}

static void raw_put(struct buf *b, const struct x509_leaf *leaf)
{
    struct extension provisioner = {
        .oid = slice_of(OID_EXT_PROVISIONER.p, OID_EXT_PROVISIONER.n),
        .value = leaf->provisioner,
    };
    bool ours = leaf->provisioner.p != NULL, placed = false;

    for (size_t i = 0; i < leaf->raw.n; i++) {
        const struct extension *x = &leaf->raw.v[i];
        if (is_left_behind(leaf, x))
            continue;
        if (!oid_eq(&OID_EXT_PROVISIONER, x->oid)) {
            extension_put(b, x);
            continue;
        }
        /* A request cannot bring its own: only renewing keeps the one that is there. */
        if (ours || leaf->copy_extensions)
            extension_put(b, ours ? &provisioner : x);
        placed = true;
    }
    if (ours && !placed)
        extension_put(b, &provisioner);
}

static bool raw_ok(const struct extensions *raw, struct err *e)
{
    if (raw->n > EXTENSIONS_MAX)
        return err_set(e, ERR_MALFORMED, "%zu extensions, at most %d are written", raw->n,
                       EXTENSIONS_MAX);
    for (size_t i = 0; i < raw->n; i++) {
        struct oid oid = {raw->v[i].oid.p, raw->v[i].oid.n};
        if (extensions_get(raw, &oid) != &raw->v[i])
            return err_set(e, ERR_MALFORMED, "extension %zu is there twice (RFC 5280 4.2)", i + 1);
    }
    return true;
}

static bool extensions_put(struct buf *b, const struct making *m, struct err *e)
{
    size_t outer, list;

    if (!raw_ok(&m->leaf->raw, e))
        return false;
    size_t start = b->n;
    der_open(b, DER_CONTEXT_CONSTRUCTED(3), &outer);
    der_open(b, DER_SEQUENCE, &list);
    size_t empty = b->n;
    if (!made_put(b, m, e))
        return false;
    raw_put(b, m->leaf);
    bool nothing = b->n == empty;
    der_close(b, list);
    der_close(b, outer);
    if (nothing && buf_ok(b))
        b->n = start; /* SIZE (1..MAX) */
    return true;
}

/* --- Subject, serial, algorithm ------------------------------------------------------------- */

static bool name_put(struct buf *b, const struct x509_leaf *leaf, struct err *e)
{
    if (!slice_empty(leaf->raw_subject)) {
        der_raw(b, leaf->raw_subject);
        return true;
    }
    if (!subject_ok(&leaf->subject, e))
        return false;
    subject_put(b, &leaf->subject);
    return true;
}

static void serial_random(struct rng *rng, uint8_t serial[SERIAL_RANDOM])
{
    uint8_t any;

    do {
        any = 0;
        rng->fill(rng, serial, SERIAL_RANDOM);
        for (size_t i = 0; i < SERIAL_RANDOM; i++)
            any |= serial[i];
    } while (!any);
}

static bool serial_put(struct buf *b, struct slice serial, struct rng *rng, struct err *e)
{
    uint8_t random[SERIAL_RANDOM];

    if (slice_empty(serial)) {
        serial_random(rng ? rng : &RNG_SYSTEM, random);
        der_uint(b, slice_of(random, sizeof(random)));
        return true;
    }
    while (serial.n && serial.p[0] == 0)
        serial = slice_from(serial, 1);
    if (!serial.n || serial.n > SERIAL_OCTETS || (serial.n == SERIAL_OCTETS && serial.p[0] & 0x80))
        return err_set(e, ERR_MALFORMED,
                       "serial number: expected a positive number of at most 20 octets (RFC 5280 "
                       "4.1.2.2)");
    der_uint(b, serial);
    return true;
}

struct sig_alg issuer_alg(const struct issuer *i)
{
    if (i->signer && i->signer->only.scheme != SIG_ANY)
        return i->signer->only;
    if (i->alg.scheme != SIG_ANY)
        return i->alg;
    if (!i->chain.n || i->key->type != KEY_RSA)
        return sig_alg_usual(i->key);
    struct sig_alg own = i->chain.v[0]->sig_alg;
    bool rsa = own.scheme == SIG_RSA_PKCS1 || own.scheme == SIG_RSA_PSS;
    bool strong =
        own.digest == DIGEST_SHA256 || own.digest == DIGEST_SHA384 || own.digest == DIGEST_SHA512;
    return rsa && strong ? own : sig_alg_usual(i->key);
}

static bool alg_choose(const struct x509_leaf *leaf, const struct issuer *issuer,
                       struct sig_alg *alg, struct err *e)
{
    *alg = leaf->alg.scheme == SIG_ANY ? issuer_alg(issuer) : leaf->alg;
    if (alg->digest == DIGEST_MD5 || alg->digest == DIGEST_SHA1)
        return err_set(e, ERR_MALFORMED, "signature algorithm: %s is too weak to sign with",
                       digest_name(alg->digest));
    return sig_alg_fits(issuer->key, *alg) ||
           err_set(e, ERR_MALFORMED, "signature algorithm does not fit the issuer's key");
}

/* --- The certificate ---------------------------------------------------------------------- */

static bool tbs_put(struct buf *b, const struct making *m, struct slice issuer_name,
                    struct sig_alg alg, struct rng *rng, struct err *e)
{
    const struct x509_leaf *leaf = m->leaf;
    size_t tbs, version, validity;

    der_open(b, DER_SEQUENCE, &tbs);
    der_open(b, DER_CONTEXT_CONSTRUCTED(0), &version);
    der_int(b, 2);
    der_close(b, version);
    if (!serial_put(b, leaf->serial, rng, e))
        return false;
    if (!sig_alg_put(b, alg))
        return err_set(e, ERR_INTERNAL, "signature algorithm has no OID");
    der_raw(b, issuer_name);
    der_open(b, DER_SEQUENCE, &validity);
    der_time(b, leaf->not_before);
    der_time(b, leaf->not_after);
    der_close(b, validity);
    der_raw(b, m->subject);
    der_raw(b, leaf->key->spki);
    if (!extensions_put(b, m, e))
        return false;
    der_close(b, tbs);
    return buf_done(b, "certificate", e);
}

bool signed_object_put(struct buf *der, struct slice body, struct sig_alg alg,
                       struct signer *signer, struct deadline d, struct err *e)
{
    CLEANUP(buf_free) struct buf sig = buf_new(NULL, 8192);
    size_t at;

    if (!signer_sign(signer, alg, body, &sig, d, e))
        return false;
    der_open(der, DER_SEQUENCE, &at);
    der_raw(der, body);
    if (!sig_alg_put(der, alg))
        return err_set(e, ERR_INTERNAL, "signature algorithm has no OID");
    der_bits(der, buf_slice(&sig));
    der_close(der, at);
    return buf_done(der, "signed object", e);
}

/* RFC 5280 4.2.1.1: absent when self-signed, unless it is asked for. */
static struct slice aki_of(const struct x509_leaf *leaf, const struct issuer *issuer,
                           struct slice subject)
{
    if (!issuer->chain.n || slice_eq(issuer->chain.v[0]->subject.raw, subject))
        return leaf->aki;
    return issuer->chain.v[0]->ski;
}

bool x509_leaf_sign(const struct x509_leaf *leaf, const struct issuer *issuer, struct rng *rng,
                    struct buf *der, struct deadline d, struct err *e)
{
    CLEANUP(buf_free) struct buf name = buf_new(NULL, CERT_MAX);
    CLEANUP(buf_free) struct buf tbs = buf_new(NULL, CERT_MAX);
    struct making m = {.leaf = leaf};
    struct sig_alg alg;

    if (!leaf->key)
        return err_set(e, ERR_INTERNAL, "certificate: no public key");
    if (!issuer->chain.n && !key_eq(leaf->key, issuer->key))
        return err_set(e, ERR_INTERNAL, "certificate: self-signed with another key");
    if (instant_cmp(leaf->not_after, leaf->not_before) < 0)
        return err_set(e, ERR_MALFORMED, "certificate: ends before it begins (RFC 5280 4.1.2.5)");
    if (!alg_choose(leaf, issuer, &alg, e) || !name_put(&name, leaf, e) ||
        !buf_done(&name, "subject", e))
        return false;
    m.subject = buf_slice(&name);
    m.aki = aki_of(leaf, issuer, m.subject);
    m.ski = leaf->no_ski && !leaf->basic.ca ? SLICE_NONE
            : slice_empty(leaf->ski)        ? slice_of(leaf->key->ski, sizeof(leaf->key->ski))
                                            : leaf->ski;
    struct slice issuer_name = issuer->chain.n ? issuer->chain.v[0]->subject.raw : m.subject;
    return tbs_put(&tbs, &m, issuer_name, alg, rng, e) &&
           signed_object_put(der, buf_slice(&tbs), alg, issuer->signer, d, e);
}

bool x509_leaf_names(struct arena *a, const struct x509_leaf *leaf, struct sans *names,
                     struct err *e)
{
    const struct extension *raw = extensions_get(&leaf->raw, &OID_EXT_SAN);

    if (!raw) {
        *names = leaf->copy_extensions ? (struct sans){0} : leaf->sans;
        return true;
    }
    return sans_read(a, raw->value, names, e) || err_wrap(e, "subject alternative name");
}

bool x509_leaf_wishes(struct arena *a, const struct x509_leaf *leaf, struct extensions *out,
                      struct err *e)
{
    CLEANUP(buf_free) struct buf name = buf_new(NULL, CERT_MAX);
    struct making m = {.leaf = leaf};

    if (!raw_ok(&leaf->raw, e) || !name_put(&name, leaf, e) || !buf_done(&name, "subject", e))
        return false;
    m.subject = buf_slice(&name);
    *out = (struct extensions){.v = arena_array(a, COUNT_OF(MADE) + leaf->raw.n, sizeof(*out->v))};
    for (size_t i = 0; i < COUNT_OF(MADE); i++) {
        struct buf value = buf_new(a, CERT_MAX);
        struct extension x = {.oid = slice_of(MADE[i].oid->p, MADE[i].oid->n)};
        if (!MADE[i].in_request || extensions_get(&leaf->raw, MADE[i].oid))
            continue;
        if (!MADE[i].put(&value, &m, &x.critical, e) || !buf_done(&value, "extension", e))
            return false;
        x.value = buf_slice(&value);
        if (x.value.n)
            out->v[out->n++] = x;
    }
    for (size_t i = 0; i < leaf->raw.n; i++)
        out->v[out->n++] = leaf->raw.v[i];
    return true;
}
