/* Writing and signing certificates: PROTOCOL.certkeys of OpenSSH. */
#include <stdlib.h>

#include "ssh/cert.h"
#include "ssh/key_private.h"

#define FLAG(name)                                                                                 \
    {                                                                                              \
        {(const uint8_t *)(name), sizeof(name) - 1},                                               \
        {                                                                                          \
            (const uint8_t *)"", 0                                                                 \
        }                                                                                          \
    }
static struct ssh_option user_extensions[] = {
    FLAG("permit-X11-forwarding"),  FLAG("permit-agent-forwarding"),
    FLAG("permit-port-forwarding"), FLAG("permit-pty"),
    FLAG("permit-user-rc"),
};
const struct ssh_options SSH_USER_EXTENSIONS = {user_extensions, COUNT_OF(user_extensions)};

const char *ssh_cert_type_text(uint32_t type)
{
    static const char *const TEXTS[] = {"unknown", "user", "host"};

    return TEXTS[type <= SSH_HOST ? type : 0];
}

struct slice ssh_serial_text(struct arena *a, uint64_t serial)
{
    return arena_format(a, "%llu", (unsigned long long)serial);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct ssh_option *)a)->name, ((const struct ssh_option *)b)->name);
}

static bool put_options(struct arena *a, struct buf *b, const struct ssh_options *options,
                        struct err *e)
{
    struct ssh_option *v = arena_array(a, options->n + 1, sizeof(*v));

    if (options->n > SSH_OPTIONS_MAX)
        return err_set(e, ERR_MALFORMED, "SSH certificate: more than %d options of one kind",
                       SSH_OPTIONS_MAX);
    size_t at = ssh_open_string(b);
    if (options->n > 0) {
        memcpy(v, options->v, options->n * sizeof(*v));
        qsort(v, options->n, sizeof(*v), by_name);
    }
    for (size_t i = 0; i < options->n; i++) {
        if (v[i].name.n > SSH_CERT_TEXT_MAX || v[i].value.n > SSH_CERT_TEXT_MAX)
            return err_set(e, ERR_MALFORMED, "SSH certificate: an option of more than %u bytes",
                           SSH_CERT_TEXT_MAX);
        if (i > 0 && slice_eq(v[i - 1].name, v[i].name))
            return err_set(e, ERR_MALFORMED, "SSH certificate: the option \"%.*s\" is there twice",
                           SLICE_ARG(v[i].name));
        ssh_put_string(b, v[i].name);
        size_t data = ssh_open_string(b);
        if (v[i].value.n > 0)
            ssh_put_string(b, v[i].value);
        ssh_close_string(b, data);
    }
    ssh_close_string(b, at);
    return true;
}

static bool put_principals(struct buf *b, const struct ssh_cert *c, struct err *e)
{
    size_t at = ssh_open_string(b);

    for (size_t i = 0; i < c->n_principals; i++) {
        if (c->principals[i].n > SSH_CERT_TEXT_MAX)
            return err_set(e, ERR_MALFORMED, "SSH certificate: a principal of more than %u bytes",
                           SSH_CERT_TEXT_MAX);
        ssh_put_string(b, c->principals[i]);
    }
    ssh_close_string(b, at);
    return true;
}

static bool check(const struct ssh_cert *c, struct err *e)
{
    if (c->type != SSH_USER && c->type != SSH_HOST)
        return err_set(e, ERR_MALFORMED, "SSH certificate: type %u is neither user nor host",
                       c->type);
    if (c->n_principals > SSH_PRINCIPALS_MAX)
        return err_set(e, ERR_MALFORMED, "SSH certificate: more than %d principals",
                       SSH_PRINCIPALS_MAX);
    if (c->key_id.n > SSH_CERT_TEXT_MAX)
        return err_set(e, ERR_MALFORMED, "SSH certificate: a key id of more than %u bytes",
                       SSH_CERT_TEXT_MAX);
    return true;
}

bool ssh_cert_sign(const struct ssh_cert *c, struct signer *ca, struct arena *a, struct buf *b,
                   struct deadline d, struct err *e)
{
    struct ssh_key ca_key;
    size_t start = b->n;

    if (!check(c, e) || !ssh_key_from(a, ca->public_key, &ca_key, e))
        return false;
    ssh_put_string(b, slice_text(ssh_cert_type_name(c->key.kind)));
    ssh_put_string(b, c->nonce);
    ssh_key_put_fields(b, &c->key);
    buf_u64(b, c->serial);
    buf_u32(b, c->type);
    ssh_put_string(b, c->key_id);
    if (!put_principals(b, c, e))
        return false;
    buf_u64(b, c->valid_after);
    buf_u64(b, c->valid_before);
    if (!put_options(a, b, &c->critical, e) || !put_options(a, b, &c->extensions, e))
        return false;
    ssh_put_string(b, c->reserved);
    ssh_put_string(b, ca_key.blob);
    if (!buf_done(b, "SSH certificate", e))
        return false;
    struct slice signed_part = slice_of(b->p + start, b->n - start);
    struct buf signature = buf_new(a, 4u << 10);
    if (!ssh_signature_make(ca, c->rsa_512, signed_part, &signature, d, e) ||
        !buf_done(&signature, "SSH signature", e))
        return false;
    ssh_put_string(b, buf_slice(&signature));
    return buf_done(b, "SSH certificate", e);
}
