/*
 * The end of every way to an SSH certificate: checks on what is about to be signed (never on what
 * was signed), nonce and serial number, signature, record.
 */
#include "authority/ssh_internal.h"

#define NONCE_SIZE 32

/* --- Checks ---------------------------------------------------------------------------------- */

bool ssh_key_check(const struct ssh_key *k, const char *member, struct err *e)
{
    return key_check_strength(k->key, 2048, e) || err_wrap(e, "%s", member);
}

/* Such names mean something else to the programs that read them: ssh-keygen splits at commas,
 * authorized_principals files are lines. */
static bool check_principal(struct slice name, struct err *e)
{
    if (name.n == 0)
        return err_set(e, ERR_MALFORMED, "a principal is empty");
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (c < 0x20 || c == 0x7f)
            return err_set(e, ERR_MALFORMED, "a principal holds a control character");
        if (c == ',')
            return err_set(e, ERR_MALFORMED, "principal \"%.*s\" holds a comma",
                           SLICE_ARG(slice_sub(name, 0, 128)));
    }
    return true;
}

static bool check_principals(const struct ssh_cert *c, struct err *e)
{
    if (c->n_principals > SSH_PRINCIPALS_MAX)
        return err_set(e, ERR_MALFORMED, "%zu principals are more than the %d that OpenSSH accepts",
                       c->n_principals, SSH_PRINCIPALS_MAX);
    for (size_t i = 0; i < c->n_principals; i++) {
        if (!check_principal(c->principals[i], e))
            return false;
    }
    return true;
}

bool ssh_cert_check(struct work *w, const struct ssh_cert *c, const struct provisioner *by)
{
    uint64_t now = (uint64_t)w->services->clock->now(w->services->clock).sec;
    struct ssh_times times = {c->valid_after, c->valid_before};
    struct err *e = &w->err;

    if (c->type != SSH_USER && c->type != SSH_HOST)
        return err_set(e, ERR_FORBIDDEN, "the certificate is neither of type user nor host");
    if (c->key_id.n == 0)
        return err_set(e, ERR_FORBIDDEN, "the certificate has no key id");
    return check_principals(c, e) &&
           ssh_times_check(&times, now,
                           c->type == SSH_HOST ? &by->claims.host_ssh : &by->claims.user_ssh,
                           w->authority->core->backdate, e);
}

const struct ssh_signer *ssh_signer_need(struct work *w, uint32_t type)
{
    const struct ssh_ca *ca = w->authority->core->ssh;

    if (ca && ssh_signer_for(ca, type)->signer)
        return ssh_signer_for(ca, type);
    err_set(&w->err, ERR_NOT_IMPLEMENTED, "SSH %s certificates are not configured: ssh.%sKey",
            ssh_cert_type_text(type), ssh_cert_type_text(type));
    w->err.tell = true;
    return NULL;
}

/* --- The record ------------------------------------------------------------------------------ */

struct slice ssh_name_key(struct arena *a, struct slice principal)
{
    struct slice copy = arena_copy(a, principal);
    uint8_t *p = (uint8_t *)copy.p;

    for (size_t i = 0; i < copy.n; i++) {
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (uint8_t)(p[i] + 32);
    }
    return copy;
}

static struct slice names_text(struct arena *a, const struct ssh_cert *c)
{
    struct buf b = buf_new(a, 1u << 20);

    for (size_t i = 0; i < c->n_principals; i++)
        buf_printf(&b, "%sprincipal:%.*s", b.n > 0 ? "\n" : "", SLICE_ARG(c->principals[i]));
    return buf_slice(&b);
}

static int64_t second(uint64_t sec)
{
    return sec > (uint64_t)CERT_NO_END ? CERT_NO_END : (int64_t)sec;
}

void ssh_inventory(struct arena *a, const struct ssh_cert *c, struct issued *out)
{
    struct slice key_type = key_describe(a, c->key.key);

    if (ssh_key_is_sk(c->key.kind))
        key_type = arena_format(a, "SK %.*s", SLICE_ARG(key_type));
    *out = (struct issued){
        .kind = c->type == SSH_HOST ? CERT_SSH_HOST : CERT_SSH_USER,
        .serial = ssh_serial_text(a, c->serial),
        .der = c->blob,
        .subject = c->key_id,
        .fingerprint = ssh_fingerprint(a, c->key.blob),
        .key_type = key_type,
        .names = names_text(a, c),
        .ca_key = ssh_fingerprint(a, c->ca.blob),
        .not_before = second(c->valid_after),
        .not_after = second(c->valid_before),
        .issued_at = second(c->valid_after),
    };
}

/* One batch may issue several certificates for a name: the last one counts. */
static void put_name(struct work *w, enum table t, struct slice key, struct slice value)
{
    for (struct store_op *op = w->batch.first; op; op = op->next) {
        if (op->kind == OP_PUT && op->table == t && slice_eq(op->key, key)) {
            op->value = value;
            return;
        }
    }
    batch_put(&w->batch, t, key, value);
}

static struct slice host_record(struct arena *a, struct slice serial, uint64_t end)
{
    struct buf b = buf_new(a, 256);
    struct json_writer j = json_writer(&b);

    json_open(&j, NULL);
    json_member_text(&j, "Serial", serial);
    json_member_uint(&j, "Expiry", end);
    json_close(&j);
    return buf_slice(&b);
}

static void put_names(struct work *w, const struct ssh_cert *c, struct slice serial)
{
    struct slice record = host_record(w->arena, serial, c->valid_before);

    for (size_t i = 0; i < c->n_principals; i++) {
        struct slice key = ssh_name_key(w->arena, c->principals[i]);
        if (c->type == SSH_USER) {
            put_name(w, TABLE_SSH_USERS, key, serial);
            continue;
        }
        put_name(w, TABLE_SSH_HOSTS, key, serial);
        put_name(w, TABLE_SSH_HOST_PRINCIPALS, key, record);
    }
}

static void record(struct work *w, const struct ssh_cert *c, const struct provisioner *by,
                   struct slice renewed_from)
{
    struct issued *row = arena_alloc(w->arena, sizeof(*row));

    if (!services_durable(w->services))
        return;
    ssh_inventory(w->arena, c, row);
    row->issued_at = w->services->clock->now(w->services->clock).sec;
    row->renewed_from = renewed_from;
    row->provisioner_id = by->id;
    row->provisioner_name = by->name;
    row->provisioner_type = slice_text(by->type->data_name);
    batch_issue(&w->batch, row);
    put_names(w, c, row->serial);
}

/* --- The signature --------------------------------------------------------------------------- */

static void draw(struct work *w, struct ssh_cert *c)
{
    struct rng *rng = w->services->rng;

    if (c->nonce.n == 0) {
        uint8_t *nonce = arena_alloc(w->arena, NONCE_SIZE);
        rng->fill(rng, nonce, NONCE_SIZE);
        c->nonce = slice_of(nonce, NONCE_SIZE);
    }
    while (c->serial == 0)
        rng->fill(rng, &c->serial, sizeof(c->serial));
}

bool ssh_issue(struct work *w, struct ssh_cert *c, const struct provisioner *by,
               struct slice renewed_from, struct ssh_issued *out)
{
    const struct ssh_signer *ca = ssh_signer_need(w, c->type);
    struct buf blob = buf_new(w->arena, SSH_BLOB_MAX);

    if (!ca)
        return false;
    draw(w, c);
    if (!ssh_cert_sign(c, ca->signer, w->arena, &blob, w->deadline, &w->err))
        return false;
    c->ca = ca->key;
    c->blob = buf_slice(&blob);
    *out = (struct ssh_issued){.cert = *c, .by = by};
    if (c->n_principals == 0)
        log_warn("SSH certificate %.*s has no principals: sshd may take it for any",
                 SLICE_ARG(ssh_serial_text(w->arena, c->serial)));
    record(w, c, by, renewed_from);
    return true;
}
