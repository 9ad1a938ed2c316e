/* Certificates as rows of the inventory. */
#include "authority/inventory.h"

#include "authority/ssh_internal.h"
#include "authority/work.h"

static const char *const KIND_NAMES[SAN_KINDS] = {
    [SAN_DNS] = "dns", [SAN_EMAIL] = "email", [SAN_IP] = "ip", [SAN_URI] = "uri"};

struct slice inventory_names(struct arena *a, const struct sans *names)
{
    struct buf b = buf_new(a, 1u << 20);

    for (size_t i = 0; i < names->n; i++) {
        if (KIND_NAMES[names->v[i].kind])
            buf_printf(&b, "%s%s:%.*s", b.n > 0 ? "\n" : "", KIND_NAMES[names->v[i].kind],
                       SLICE_ARG(names->v[i].text));
    }
    return buf_slice(&b);
}

static void put_provisioner(struct arena *a, const struct cert *c, struct issued *out)
{
    struct provisioner_extension x;
    bool present;

    if (!cert_provisioner(a, c, &x, &present) || !present)
        return;
    const struct provisioner_type *type = provisioner_type_numbered(x.type);
    out->provisioner_name = x.name;
    if (type && type->data_name)
        out->provisioner_type = slice_text(type->data_name);
}

static bool describe_x509(struct arena *a, struct slice key, struct slice der, struct issued *out)
{
    struct cert *c;

    if (der.n == 0 || der.n > CERT_MAX || !cert_read(a, der, &c, NULL) ||
        !slice_eq(serial_decimal(a, c->serial), key))
        return false;
    *out = (struct issued){
        .serial = key,
        .der = der,
        .subject = dn_text(a, &c->subject),
        .common_name = dn_common_name(&c->subject),
        .fingerprint = cert_fingerprint(a, der),
        .key_type = c->key ? key_describe(a, c->key) : SLICE_NONE,
        .names = inventory_names(a, &c->sans),
        .not_before = c->not_before.sec,
        .not_after = c->not_after.sec,
        .issued_at = c->not_before.sec,
    };
    put_provisioner(a, c, out);
    return true;
}

static bool describe_ssh(struct arena *a, struct slice key, struct slice blob, struct issued *out)
{
    struct ssh_cert c;

    if (blob.n == 0 || blob.n > CERT_MAX || !ssh_cert_read(a, blob, &c, NULL) ||
        !slice_eq(ssh_serial_text(a, c.serial), key))
        return false;
    ssh_inventory(a, &c, out);
    return true;
}

bool inventory_describe(struct arena *a, enum table t, struct slice key, struct slice der,
                        struct issued *out)
{
    return t == TABLE_SSH_CERTS ? describe_ssh(a, key, der, out) : describe_x509(a, key, der, out);
}
