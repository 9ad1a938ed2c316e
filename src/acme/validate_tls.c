/*
 * tls-alpn-01 (RFC 8737; addresses: RFC 8738 6): the name's TLS server speaks "acme-tls/1" and
 * shows a certificate for just that name, with the digest of the key authorization in a critical
 * extension.  Who signed it and when it ends does not matter.
 */
#include "acme/validate_internal.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "net/tls_alpn.h"
#include "x509/cert.h"

#define PROTOCOL      "acme-tls/1"
#define ADDRESSES_MAX 8u
#define PATIENCE_NS   (5 * NS_PER_SEC) /* with an address when there is another one */

/* 1.3.6.1.5.5.7.1.31, and what the drafts had before RFC 8737: 1.3.6.1.5.5.7.1.30.1 */
static const uint8_t IDENTIFIER[] = {0x2b, 6, 1, 5, 5, 7, 1, 31};
static const uint8_t OBSOLETE[] = {0x2b, 6, 1, 5, 5, 7, 1, 30, 1};
static const struct oid OID_IDENTIFIER = {IDENTIFIER, sizeof(IDENTIFIER)};
static const struct oid OID_OBSOLETE = {OBSOLETE, sizeof(OBSOLETE)};

/* --- The certificate ----------------------------------------------------------------------------
 */

static struct slice without_dot(struct slice name)
{
    if (slice_ends(name, "."))
        name.n--;
    return name;
}

static bool check_name(const struct cert *c, const struct acme_validation *v, const struct ip *ip,
                       struct err *e)
{
    const struct san *san = c->sans.v;

    if (c->sans.n != 1)
        return err_set(e, ERR_MALFORMED,
                       "expected exactly one subject alternative name, found %zu (RFC 8737 3)",
                       c->sans.n);
    bool same = v->ip ? san->kind == SAN_IP && ip_eq(&san->ip, ip)
                      : san->kind == SAN_DNS && slice_eq_case(san->text, without_dot(v->value));
    return same ||
           err_set(e, ERR_MALFORMED, "the subject alternative name is not \"%.*s\" (RFC 8737 3)",
                   SLICE_ARG(v->value));
}

static bool check_extension(const struct cert *c, struct slice key_authorization, struct err *e)
{
    const struct extension *x = extensions_get(&c->extensions, &OID_IDENTIFIER);
    uint8_t digest[DIGEST_MAX];
    struct slice found;

    if (!x && extensions_get(&c->extensions, &OID_OBSOLETE))
        return err_set(e, ERR_MALFORMED,
                       "the extension has the identifier of an old draft, 1.3.6.1.5.5.7.1.30.1; "
                       "expected 1.3.6.1.5.5.7.1.31 (RFC 8737 3)");
    if (!x)
        return err_set(e, ERR_MALFORMED, "no acmeIdentifier extension (RFC 8737 3)");
    if (!x->critical)
        return err_set(e, ERR_MALFORMED,
                       "the acmeIdentifier extension is not critical (RFC 8737 3)");
    struct der in = der_reader(x->value);
    if (!der_take(&in, DER_OCTET_STRING, &found) || !der_done(&in) ||
        found.n != digest_size(DIGEST_SHA256))
        return err_set(e, ERR_MALFORMED,
                       "acmeIdentifier: expected an OCTET STRING of 32 bytes (RFC 8737 3)");
    digest_of(DIGEST_SHA256, key_authorization, digest);
    return secret_equal(found, slice_of(digest, digest_size(DIGEST_SHA256))) ||
           err_set(e, ERR_MALFORMED,
                   "acmeIdentifier is not the digest of the key authorization of this account "
                   "(RFC 8737 3)");
}

static bool check_certificate(struct arena *a, struct slice der, const struct acme_validation *v,
                              const struct ip *ip, struct err *e)
{
    struct cert *c;

    if (cert_read(a, der, &c, e) && check_name(c, v, ip, e) &&
        check_extension(c, v->key_authorization, e))
        return true;
    return err_wrap(e, "certificate");
}

/* --- The connection -----------------------------------------------------------------------------
 */

/* RFC 8738 6: the name of the reverse lookup, because an address is no server name. */
static const char *server_name(struct arena *a, const struct acme_validation *v,
                               const struct ip *ip)
{
    const uint8_t *b = ip->bytes;
    struct buf out = buf_new(a, 128);

    if (!v->ip)
        return arena_cstr(a, without_dot(v->value));
    if (ip->n == 4)
        return arena_printf(a, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
    for (size_t i = 16; i-- > 0;)
        buf_printf(&out, "%x.%x.", b[i] & 15u, b[i] >> 4);
    buf_text(&out, "ip6.arpa");
    return arena_cstr(a, buf_slice(&out));
}

static bool find_addresses(struct arena *a, const struct acme_validation *v,
                           const struct acme_validation_settings *s, const struct ip *ip,
                           struct ip_list *list, struct deadline d, struct err *e)
{
    if (!v->ip)
        return s->resolver->addresses(s->resolver, validation_rooted(a, v->value, s->strict_fqdn),
                                      a, list, d, e);
    *list = (struct ip_list){.v = arena_alloc(a, sizeof(*ip)), .n = 1};
    *list->v = *ip;
    return true;
}

/* The first address that a connection stands to decides. */
static bool shake_hands(struct arena *a, const struct acme_validation_settings *s,
                        const struct ip_list *list, const char *sni, struct slice *leaf,
                        struct slice *protocol, const struct ip **who, struct deadline d,
                        struct err *e)
{
    size_t n = list->n < ADDRESSES_MAX ? list->n : ADDRESSES_MAX;
    uint16_t port = s->tls_port ? s->tls_port : 443;

    for (size_t i = 0; i < n; i++) {
        struct deadline until = d;
        if (i + 1 < n && deadline_left(d) > PATIENCE_NS) {
            until = deadline_in(s->clock, PATIENCE_NS);
            until.cancelled = d.cancelled;
        }
        *who = &list->v[i];
        if (tls_alpn_peer(a, &list->v[i], port, sni, PROTOCOL, leaf, protocol, until, e))
            return true;
        if ((e->kind != ERR_UNAVAILABLE && e->kind != ERR_TIMEOUT) || !deadline_ok(d, NULL))
            return false;
    }
    return n != 0 ? false : err_set(e, ERR_UNAVAILABLE, "the name has no address");
}

static struct acme_result no_handshake(struct arena *a, const struct err *e)
{
    if (e->kind == ERR_NOT_IMPLEMENTED)
        return validation_failed(a, ACME_INVALID, "rejectedIdentifier", e);
    return validation_failed(a, ACME_RETRY, e->kind == ERR_MALFORMED ? "tls" : "connection", e);
}

struct acme_result acme_validate_tls_alpn01(struct arena *a, const struct acme_validation *v,
                                            const struct acme_validation_settings *s,
                                            struct deadline d)
{
    struct err e = {0};
    struct ip ip;
    const struct ip *who = NULL;
    struct ip_list list;
    struct slice leaf, protocol;

    if (!validation_name_ok(v, &ip, &e))
        return validation_failed(a, ACME_INVALID, "rejectedIdentifier", &e);
    d = validation_deadline(s, d);
    if (!find_addresses(a, v, s, &ip, &list, d, &e))
        return validation_failed(a, ACME_RETRY, "connection", &e);
    if (!shake_hands(a, s, &list, server_name(a, v, &ip), &leaf, &protocol, &who, d, &e))
        return no_handshake(a, &e);
    if (!slice_is(protocol, PROTOCOL))
        return validation_result(a, ACME_INVALID, "rejectedIdentifier",
                                 "%.*s (%.*s): the server did not choose the protocol " PROTOCOL
                                 " (RFC 8737 3)",
                                 SLICE_ARG(v->value), SLICE_ARG(ip_text(a, who)));
    if (!check_certificate(a, leaf, v, &ip, &e)) {
        err_wrap(&e, "%.*s (%.*s)", SLICE_ARG(v->value), SLICE_ARG(ip_text(a, who)));
        return validation_failed(a, ACME_INVALID, "rejectedIdentifier", &e);
    }
    return validation_valid();
}
