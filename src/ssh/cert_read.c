/* Reading certificates: PROTOCOL.certkeys of OpenSSH, strictly. */
#include "ssh/cert.h"
#include "ssh/key_private.h"

static bool bad(const char *what, struct err *e)
{
    return err_set(e, ERR_MALFORMED, "SSH certificate: %s", what);
}

bool ssh_blob_is_cert(struct slice blob)
{
    struct slice name;

    return ssh_take_string(&blob, &name) && ssh_cert_kind_named(name) < SSH_KEY_KINDS;
}

static size_t count_strings(struct slice in)
{
    struct slice s;
    size_t n = 0;

    while (ssh_take_string(&in, &s))
        n++;
    return n;
}

static bool read_principals(struct arena *a, struct slice in, struct ssh_cert *c, struct err *e)
{
    size_t n = count_strings(in);

    if (n > SSH_PRINCIPALS_MAX)
        return err_set(e, ERR_MALFORMED, "SSH certificate: more than %d principals",
                       SSH_PRINCIPALS_MAX);
    c->principals = arena_array(a, n + 1, sizeof(*c->principals));
    while (in.n > 0) {
        if (!ssh_take_string(&in, &c->principals[c->n_principals]))
            return bad("the principals are damaged", e);
        c->n_principals++;
    }
    return true;
}

/* Data is nothing, or one string. */
static bool option_value(struct slice data, struct slice *value)
{
    *value = SLICE("");
    return data.n == 0 || (ssh_take_string(&data, value) && data.n == 0);
}

static bool read_options(struct arena *a, struct slice in, struct ssh_options *out,
                         const char *what, struct err *e)
{
    size_t n = count_strings(in) / 2;

    if (n > SSH_OPTIONS_MAX)
        return err_set(e, ERR_MALFORMED, "SSH certificate: more than %d %s", SSH_OPTIONS_MAX, what);
    out->v = arena_array(a, n + 1, sizeof(*out->v));
    while (in.n > 0) {
        struct ssh_option *o = &out->v[out->n];
        struct slice data;
        if (!ssh_take_string(&in, &o->name) || !ssh_take_string(&in, &data) ||
            !option_value(data, &o->value))
            return err_set(e, ERR_MALFORMED, "SSH certificate: the %s are damaged", what);
        if (out->n > 0 && slice_cmp(out->v[out->n - 1].name, o->name) >= 0)
            return err_set(e, ERR_MALFORMED,
                           "SSH certificate: the %s are out of order or there twice", what);
        out->n++;
    }
    return true;
}

static bool read_ca(struct arena *a, struct slice blob, struct ssh_key *ca, struct err *e)
{
    if (ssh_blob_is_cert(blob))
        return bad("it is signed by a certificate and not by a key", e);
    return ssh_key_read(a, blob, ca, e) || err_wrap(e, "SSH certificate: signature key");
}

/* The key alone, as others compare it. */
static void rebuild_key(struct arena *a, enum ssh_key_kind kind, struct slice fields,
                        struct ssh_key *k)
{
    struct buf b = buf_new(a, SSH_BLOB_MAX);

    ssh_put_string(&b, slice_text(ssh_key_type_name(kind)));
    buf_put(&b, fields);
    k->blob = buf_slice(&b);
}

bool ssh_cert_read(struct arena *a, struct slice blob, struct ssh_cert *c, struct err *e)
{
    struct slice in = blob, name, principals, critical, extensions, ca, format, bytes;

    *c = (struct ssh_cert){.blob = blob};
    if (blob.n > SSH_BLOB_MAX || !ssh_take_string(&in, &name))
        return bad("not in the format of PROTOCOL.certkeys", e);
    enum ssh_key_kind kind = ssh_cert_kind_named(name);
    if (kind == SSH_KEY_KINDS)
        return bad("expected the type of a certificate, found another", e);
    if (!ssh_take_string(&in, &c->nonce))
        return bad("cut off", e);
    struct slice before = in;
    if (!ssh_key_fields(a, kind, &in, &c->key, e))
        return err_wrap(e, "SSH certificate");
    rebuild_key(a, kind, slice_sub(before, 0, before.n - in.n), &c->key);
    if (!ssh_take_u64(&in, &c->serial) || !ssh_take_u32(&in, &c->type) ||
        !ssh_take_string(&in, &c->key_id) || !ssh_take_string(&in, &principals) ||
        !ssh_take_u64(&in, &c->valid_after) || !ssh_take_u64(&in, &c->valid_before) ||
        !ssh_take_string(&in, &critical) || !ssh_take_string(&in, &extensions) ||
        !ssh_take_string(&in, &c->reserved) || !ssh_take_string(&in, &ca))
        return bad("cut off", e);
    c->signed_part = slice_sub(blob, 0, blob.n - in.n);
    if (!ssh_take_string(&in, &c->signature))
        return bad("cut off", e);
    if (in.n > 0)
        return err_set(e, ERR_MALFORMED, "SSH certificate: %zu bytes too many", in.n);
    if (c->type != SSH_USER && c->type != SSH_HOST)
        return err_set(e, ERR_MALFORMED, "SSH certificate: type %u is neither user nor host",
                       c->type);
    return read_principals(a, principals, c, e) &&
           read_options(a, critical, &c->critical, "critical options", e) &&
           read_options(a, extensions, &c->extensions, "extensions", e) &&
           read_ca(a, ca, &c->ca, e) && ssh_signature_read(c->signature, &format, &bytes, e);
}

bool ssh_cert_verify(struct arena *a, const struct ssh_cert *c, struct err *e)
{
    return ssh_signature_verify(a, &c->ca, c->signed_part, c->signature, e) ||
           err_wrap(e, "SSH certificate");
}

bool ssh_cert_is_valid_at(const struct ssh_cert *c, int64_t now)
{
    const uint64_t beyond = (uint64_t)1 << 63;

    if (now < 0 || c->valid_after >= beyond || c->valid_after > (uint64_t)now)
        return false;
    if (c->valid_before == SSH_FOREVER)
        return true;
    return c->valid_before < beyond && (uint64_t)now < c->valid_before;
}
