/*
 * Public keys: RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4, and OpenSSH's PROTOCOL.u2f.
 */
#include "base/encode.h"
#include "crypto/digest.h"
#include "ssh/key_private.h"

#define KEY_BLOB_MAX (16u << 10)
#define EXPONENT_MAX 3u /* bytes: below 2^24 */

static const struct {
    enum key_type type;
    const char *curve;
} KINDS[SSH_KEY_KINDS] = {
    [SSH_KEY_RSA] = {KEY_RSA, NULL},
    [SSH_KEY_P256] = {KEY_P256, "nistp256"},
    [SSH_KEY_P384] = {KEY_P384, "nistp384"},
    [SSH_KEY_P521] = {KEY_P521, "nistp521"},
    [SSH_KEY_ED25519] = {KEY_ED25519, NULL},
    [SSH_KEY_SK_P256] = {KEY_P256, "nistp256"},
    [SSH_KEY_SK_ED25519] = {KEY_ED25519, NULL},
};

enum ssh_key_kind ssh_key_kind_named(struct slice name)
{
    unsigned i = 0;

    while (i < SSH_KEY_KINDS && !slice_is(name, ssh_key_type_name((enum ssh_key_kind)i)))
        i++;
    return (enum ssh_key_kind)i;
}

enum ssh_key_kind ssh_cert_kind_named(struct slice name)
{
    unsigned i = 0;

    while (i < SSH_KEY_KINDS && !slice_is(name, ssh_cert_type_name((enum ssh_key_kind)i)))
        i++;
    return (enum ssh_key_kind)i;
}

/* --- Reading --------------------------------------------------------------------------------- */

static bool cut_off(enum ssh_key_kind kind, struct err *e)
{
    return err_set(e, ERR_MALFORMED, "SSH key: cut off, or not a key of type %s (RFC 4253 6.6)",
                   ssh_key_type_name(kind));
}

static bool rsa_numbers(struct slice *in, struct key_numbers *n, struct err *e)
{
    if (!ssh_take_mpint(in, &n->e) || !ssh_take_mpint(in, &n->n))
        return cut_off(SSH_KEY_RSA, e);
    bool small = n->e.n == 1 && n->e.p[0] < 3;
    if (n->e.n == 0 || n->e.n > EXPONENT_MAX || small || !(n->e.p[n->e.n - 1] & 1))
        return err_set(e, ERR_MALFORMED,
                       "SSH key: expected an odd RSA exponent from 3 to 2^24, found another one");
    return true;
}

static bool ec_numbers(enum ssh_key_kind kind, struct slice *in, struct key_numbers *n,
                       struct err *e)
{
    size_t field = key_field_size(KINDS[kind].type);
    struct slice curve, point;

    if (!ssh_take_string(in, &curve) || !ssh_take_string(in, &point))
        return cut_off(kind, e);
    if (!slice_is(curve, KINDS[kind].curve))
        return err_set(e, ERR_MALFORMED,
                       "SSH key: a key of type %s on another curve (RFC 5656 3.1)",
                       ssh_key_type_name(kind));
    if (point.n != 1 + 2 * field || point.p[0] != 4)
        return err_set(e, ERR_MALFORMED,
                       "SSH key: expected an uncompressed point of %zu bytes (SEC 1 2.3.3)",
                       1 + 2 * field);
    n->x = slice_sub(point, 1, field);
    n->y = slice_from(point, 1 + field);
    return true;
}

static bool take_numbers(enum ssh_key_kind kind, struct slice *in, struct key_numbers *n,
                         struct err *e)
{
    if (kind == SSH_KEY_RSA)
        return rsa_numbers(in, n, e);
    if (KINDS[kind].curve)
        return ec_numbers(kind, in, n, e);
    return ssh_take_string(in, &n->x) || cut_off(kind, e);
}

bool ssh_key_fields(struct arena *a, enum ssh_key_kind kind, struct slice *in, struct ssh_key *k,
                    struct err *e)
{
    struct key_numbers n = {0};

    *k = (struct ssh_key){.kind = kind};
    if (!take_numbers(kind, in, &n, e))
        return false;
    if (ssh_key_is_sk(kind) && !ssh_take_string(in, &k->application))
        return cut_off(kind, e);
    return key_from_numbers(a, KINDS[kind].type, &n, &k->key, e) || err_wrap(e, "SSH key");
}

static bool unknown_type(struct slice name, struct err *e)
{
    if (ssh_cert_kind_named(name) < SSH_KEY_KINDS)
        return err_set(e, ERR_MALFORMED, "SSH key: expected a key, found a certificate");
    if (slice_is(name, "ssh-dss"))
        return err_set(e, ERR_MALFORMED, "SSH key: DSA keys (ssh-dss) are not supported");
    return err_set(e, ERR_MALFORMED, "SSH key: the type is not supported");
}

bool ssh_key_read(struct arena *a, struct slice blob, struct ssh_key *k, struct err *e)
{
    struct slice rest = blob, name;

    if (blob.n > SSH_BLOB_MAX || !ssh_take_string(&rest, &name))
        return err_set(e, ERR_MALFORMED, "SSH key: not in the format of RFC 4253 6.6");
    enum ssh_key_kind kind = ssh_key_kind_named(name);
    if (kind == SSH_KEY_KINDS)
        return unknown_type(name, e);
    if (!ssh_key_fields(a, kind, &rest, k, e))
        return false;
    if (rest.n > 0)
        return err_set(e, ERR_MALFORMED, "SSH key: %zu bytes too many after the key", rest.n);
    k->blob = blob;
    return true;
}

/* --- Writing --------------------------------------------------------------------------------- */

bool ssh_key_from(struct arena *a, const struct key *key, struct ssh_key *k, struct err *e)
{
    struct buf b = buf_new(a, KEY_BLOB_MAX);
    struct key_numbers n;
    unsigned kind = 0;

    while (kind < SSH_KEY_SK_P256 && KINDS[kind].type != key->type)
        kind++;
    if (kind == SSH_KEY_SK_P256)
        return err_set(e, ERR_MALFORMED, "OpenSSH has no keys of type %.*s",
                       SLICE_ARG(key_describe(a, key)));
    if (!key_numbers(a, key, &n, e))
        return false;
    ssh_put_string(&b, slice_text(ssh_key_type_name((enum ssh_key_kind)kind)));
    if (kind == SSH_KEY_RSA) {
        ssh_put_mpint(&b, n.e);
        ssh_put_mpint(&b, n.n);
    } else {
        if (KINDS[kind].curve)
            ssh_put_string(&b, slice_text(KINDS[kind].curve));
        ssh_put_string(&b, key->point);
    }
    *k = (struct ssh_key){.kind = (enum ssh_key_kind)kind, .key = key, .blob = buf_slice(&b)};
    return buf_done(&b, "SSH key", e);
}

void ssh_key_put_fields(struct buf *b, const struct ssh_key *k)
{
    struct slice rest = k->blob, name;

    if (ssh_take_string(&rest, &name))
        buf_put(b, rest);
}

/* --- Names ----------------------------------------------------------------------------------- */

unsigned ssh_key_bits(const struct ssh_key *k)
{
    if (k->kind == SSH_KEY_RSA)
        return (k->key->bits + 7) / 8 * 8;
    return k->key->type == KEY_ED25519 ? 256 : k->key->bits;
}

struct slice ssh_fingerprint(struct arena *a, struct slice blob)
{
    struct buf b = buf_new(a, 64);

    buf_text(&b, "SHA256:");
    base64_put(&b, BASE64_STD_RAW, digest_bytes(a, DIGEST_SHA256, blob));
    return buf_slice(&b);
}
