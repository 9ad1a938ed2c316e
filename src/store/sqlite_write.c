/*
 * One batch on one connection, inside the writer's transaction.  First every expectation, then
 * every write: a refused batch has written nothing, so no savepoint is needed to take it back.
 *
 * Certificates make three tables special.  A key of x509_certs, x509_certs_data or ssh_certs is
 * looked for in the row of that serial first, then among the keys and values; a put changes the row
 * if there is one; a remove takes both away.
 */
#include "store/sqlite.h"

/* Where a table's rows stand besides its keys and values: in certificates, or nowhere. */
static bool in_certificates(enum table t)
{
    return t == TABLE_X509_CERTS || t == TABLE_X509_CERTS_DATA || t == TABLE_SSH_CERTS;
}

bool sqlite_is_ssh(enum table t)
{
    return t == TABLE_SSH_CERTS || t == TABLE_REVOKED_SSH_CERTS;
}

static bool is_revoked_table(enum table t)
{
    return t == TABLE_REVOKED_X509_CERTS || t == TABLE_REVOKED_SSH_CERTS;
}

static bool find_bound(struct conn *c, sqlite3_stmt *st, sqlite3_stmt **out, struct slice *found,
                       struct err *e)
{
    bool row;

    if (!sqlite_conn_step(c, st, &row, e))
        return false;
    if (!row)
        return true;
    *out = st;
    *found = sqlite_column(st, 0);
    return true;
}

static bool find_in_row(struct conn *c, enum table t, struct slice key, sqlite3_stmt **out,
                        struct slice *found, struct err *e)
{
    bool data = t == TABLE_X509_CERTS_DATA;
    sqlite3_stmt *st = sqlite_conn_stmt(c, data ? ST_DATA_GET : ST_CERT_GET, e);

    if (!st)
        return false;
    sqlite_bind_text(st, 1, key);
    if (!data)
        sqlite3_bind_int(st, 2, sqlite_is_ssh(t));
    return find_bound(c, st, out, found, e);
}

bool sqlite_find(struct conn *c, enum table t, struct slice key, sqlite3_stmt **out,
                 struct slice *found, struct err *e)
{
    const struct table_info *info = &TABLE_INFO[t];

    *out = NULL;
    *found = SLICE_NONE;
    if (in_certificates(t) && !find_in_row(c, t, key, out, found, e))
        return false;
    if (*out)
        return true;
    sqlite3_stmt *st = sqlite_conn_stmt(c, info->big ? ST_BIG_GET : ST_KV_GET, e);
    if (!st)
        return false;
    sqlite3_bind_int(st, 1, info->id);
    sqlite_bind_blob(st, 2, key);
    return find_bound(c, st, out, found, e);
}

/* --- Expectations -------------------------------------------------------------------------- */

static bool check(struct conn *c, const struct store_op *op, bool *holds, struct err *e)
{
    sqlite3_stmt *st;
    struct slice found;

    *holds = true;
    if (op->expect == EXPECT_ANY)
        return true;
    if (!sqlite_find(c, op->table, op->key, &st, &found, e))
        return false;
    *holds = batch_op_holds(op, found);
    if (st)
        sqlite3_reset(st);
    return true;
}

/* --- Keys and values ----------------------------------------------------------------------- */

static bool kv_put(struct conn *c, const struct store_op *op, struct err *e)
{
    const struct table_info *info = &TABLE_INFO[op->table];
    sqlite3_stmt *st = sqlite_conn_stmt(c, info->big ? ST_BIG_PUT : ST_KV_PUT, e);

    if (!st)
        return false;
    sqlite3_bind_int(st, 1, info->id);
    sqlite_bind_blob(st, 2, op->key);
    sqlite_bind_blob(st, 3, op->value);
    if (op->expires)
        sqlite3_bind_int64(st, 4, op->expires);
    else
        sqlite3_bind_null(st, 4);
    return sqlite_conn_run(c, st, e);
}

static bool kv_remove(struct conn *c, const struct store_op *op, struct err *e)
{
    const struct table_info *info = &TABLE_INFO[op->table];
    sqlite3_stmt *st = sqlite_conn_stmt(c, info->big ? ST_BIG_REMOVE : ST_KV_REMOVE, e);

    if (!st)
        return false;
    sqlite3_bind_int(st, 1, info->id);
    sqlite_bind_blob(st, 2, op->key);
    return sqlite_conn_run(c, st, e);
}

/* A statement that takes a serial of x509_certs or ssh_certs and no more. */
static bool by_serial(struct conn *c, enum stmt which, enum table t, struct slice serial,
                      struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, which, e);

    if (!st)
        return false;
    sqlite_bind_text(st, 1, serial);
    sqlite3_bind_int(st, 2, sqlite_is_ssh(t));
    return sqlite_conn_run(c, st, e);
}

/* --- Certificates -------------------------------------------------------------------------- */

static bool issue(struct conn *c, const struct issued *i, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_CERT_ISSUE, e);

    if (!st)
        return false;
    sqlite_bind_text(st, 1, i->serial);
    sqlite_bind_blob(st, 2, i->der);
    if (i->data.n)
        sqlite_bind_blob(st, 3, i->data);
    else
        sqlite3_bind_null(st, 3);
    for (int n = 3; n < ISSUED_TEXTS; n++)
        sqlite_bind_text_or_null(st, n + 1, *issued_text(i, (size_t)n));
    sqlite3_bind_int64(st, ISSUED_TEXTS + 1, i->not_before);
    sqlite3_bind_int64(st, ISSUED_TEXTS + 2, i->not_after);
    sqlite3_bind_int64(st, ISSUED_TEXTS + 3, i->issued_at);
    sqlite_bind_text(st, ISSUED_TEXTS + 4, slice_text(cert_kind_text(i->kind)));
    return sqlite_conn_run(c, st, e);
}

static bool mark_revoked(struct conn *c, enum table t, struct slice serial, const struct revoked *r,
                         struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_CERT_REVOKE, e);

    if (!st)
        return false;
    sqlite_bind_text(st, 1, serial);
    sqlite3_bind_int(st, 2, sqlite_is_ssh(t));
    sqlite3_bind_int64(st, 3, r->at > 0 ? r->at : 1); /* 0 would mean: not */
    sqlite3_bind_int(st, 4, r->reason_code);
    sqlite_bind_text_or_null(st, 5, r->reason);
    return sqlite_conn_run(c, st, e);
}

/* A revocation that comes as a bare record: the certificate's row shall show it too. */
static bool put_revocation(struct conn *c, const struct store_op *op, struct clock *clock,
                           struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct revoked r = {.serial = op->key};

    store_revoked_from_record(&r, a, op->value, clock->now(clock).sec);
    return kv_put(c, op, e) && mark_revoked(c, op->table, op->key, &r, e);
}

/* Who issued it, as the data record says; what cannot be read changes nothing. */
static bool set_provisioner(struct conn *c, struct slice serial, struct slice data, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct issued i = {0};

    if (!store_provisioner_from_data(&i, a, data))
        return true;
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_CERT_SET_PROVISIONER, e);
    if (!st)
        return false;
    sqlite_bind_text(st, 1, serial);
    sqlite_bind_text_or_null(st, 2, i.provisioner_id);
    sqlite_bind_text_or_null(st, 3, i.provisioner_name);
    sqlite_bind_text_or_null(st, 4, i.provisioner_type);
    return sqlite_conn_run(c, st, e);
}

/* Into the row of that serial if there is one, else as it came. */
static bool put_certificate(struct conn *c, const struct store_op *op, struct err *e)
{
    bool data = op->table == TABLE_X509_CERTS_DATA;
    sqlite3_stmt *st = sqlite_conn_stmt(c, data ? ST_DATA_SET : ST_CERT_SET_DER, e);

    if (!st)
        return false;
    sqlite_bind_text(st, 1, op->key);
    if (!data)
        sqlite3_bind_int(st, 2, sqlite_is_ssh(op->table));
    sqlite_bind_blob(st, data ? 2 : 3, op->value);
    if (!sqlite_conn_run(c, st, e))
        return false;
    if (sqlite3_changes(c->db) == 0)
        return kv_put(c, op, e);
    return !data || set_provisioner(c, op->key, op->value, e);
}

static bool unname(struct conn *c, enum table t, struct slice serial, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_CERT_NAMES, e);
    bool row;

    if (!st)
        return false;
    sqlite_bind_text(st, 1, serial);
    sqlite3_bind_int(st, 2, sqlite_is_ssh(t));
    if (!sqlite_conn_step(c, st, &row, e))
        return false;
    if (!row)
        return true;
    bool ok =
        sqlite_names_write(c, ST_NAME_REMOVE, sqlite3_column_int64(st, 0), sqlite_column(st, 1),
                           sqlite_column(st, 2), sqlite_column(st, 3), e);
    sqlite3_reset(st);
    return ok;
}

/* The data record is a row of another table to everybody else: it stays. */
static bool save_data(struct conn *c, const struct store_op *op, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_CERT_SAVE_DATA, e);

    if (!st)
        return false;
    sqlite_bind_text(st, 1, op->key);
    sqlite3_bind_int(st, 2, TABLE_INFO[TABLE_X509_CERTS_DATA].id);
    return sqlite_conn_run(c, st, e);
}

static bool remove_certificate(struct conn *c, const struct store_op *op, struct err *e)
{
    return (sqlite_is_ssh(op->table) || save_data(c, op, e)) && unname(c, op->table, op->key, e) &&
           by_serial(c, ST_CERT_REMOVE, op->table, op->key, e) &&
           sqlite_conn_do(c, ST_NAMES_STEP_BACK, e) && kv_remove(c, op, e);
}

static bool remove_data(struct conn *c, const struct store_op *op, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_DATA_SET, e);

    if (!st)
        return false;
    sqlite_bind_text(st, 1, op->key);
    sqlite3_bind_null(st, 2);
    return sqlite_conn_run(c, st, e) && kv_remove(c, op, e);
}

/* --- Ops ----------------------------------------------------------------------------------- */

static bool apply_put(struct conn *c, const struct store_op *op, struct clock *clock, struct err *e)
{
    if (is_revoked_table(op->table))
        return put_revocation(c, op, clock, e);
    return in_certificates(op->table) ? put_certificate(c, op, e) : kv_put(c, op, e);
}

static bool apply_remove(struct conn *c, const struct store_op *op, struct err *e)
{
    switch (op->table) {
    case TABLE_X509_CERTS:
    case TABLE_SSH_CERTS:
        return remove_certificate(c, op, e);
    case TABLE_X509_CERTS_DATA:
        return remove_data(c, op, e);
    case TABLE_REVOKED_X509_CERTS:
    case TABLE_REVOKED_SSH_CERTS:
        return kv_remove(c, op, e) && by_serial(c, ST_CERT_UNREVOKE, op->table, op->key, e);
    default:
        return kv_remove(c, op, e);
    }
}

static bool apply_op(struct conn *c, const struct store_op *op, struct clock *clock, struct err *e)
{
    switch (op->kind) {
    case OP_PUT:
        return apply_put(c, op, clock, e);
    case OP_REMOVE:
        return apply_remove(c, op, e);
    case OP_ISSUE:
        return issue(c, op->issued, e);
    case OP_REVOKE:
        return kv_put(c, op, e) && mark_revoked(c, op->table, op->key, op->revoked, e);
    case OP_ABSENT:
        return true;
    }
    return err_set(e, ERR_INTERNAL, "store %s: op %d does not exist", c->path, (int)op->kind);
}

bool sqlite_put(struct conn *c, enum table t, struct slice key, struct slice value,
                struct clock *clock, struct err *e)
{
    struct store_op op = {.kind = OP_PUT, .table = t, .key = key, .value = value};

    return apply_put(c, &op, clock, e);
}

bool sqlite_key_remove(struct conn *c, enum table t, struct slice key, struct err *e)
{
    struct store_op op = {.kind = OP_REMOVE, .table = t, .key = key};

    return kv_remove(c, &op, e);
}

/* --- Certificates that come late ------------------------------------------------------------- */

/* A copy, because statements are reset meanwhile. */
static bool find_copy(struct conn *c, enum table t, struct slice key, struct arena *a,
                      struct slice *found, struct err *e)
{
    sqlite3_stmt *st;
    struct slice value;

    *found = SLICE_NONE;
    if (!sqlite_find(c, t, key, &st, &value, e))
        return false;
    if (!st)
        return true;
    *found = arena_copy(a, value);
    sqlite3_reset(st);
    return true;
}

static bool mark_if_revoked(struct conn *c, const struct issued *i, struct arena *a,
                            struct clock *clock, struct err *e)
{
    bool ssh = i->kind != CERT_X509;
    enum table t = ssh ? TABLE_REVOKED_SSH_CERTS : TABLE_REVOKED_X509_CERTS;
    struct revoked r = {.serial = i->serial};
    struct slice record;

    if (!find_copy(c, t, i->serial, a, &record, e))
        return false;
    if (!record.p)
        return true;
    store_revoked_from_record(&r, a, record, clock->now(clock).sec);
    return mark_revoked(c, t, i->serial, &r, e);
}

bool sqlite_issue_late(struct conn *c, struct issued *i, struct clock *clock, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice data;

    if (i->kind != CERT_X509)
        return issue(c, i, e) && mark_if_revoked(c, i, a, clock, e);
    if (!find_copy(c, TABLE_X509_CERTS_DATA, i->serial, a, &data, e) || !issue(c, i, e) ||
        !mark_if_revoked(c, i, a, clock, e))
        return false;
    return !data.p || (sqlite_key_remove(c, TABLE_X509_CERTS_DATA, i->serial, e) &&
                       sqlite_put(c, TABLE_X509_CERTS_DATA, i->serial, data, clock, e));
}

enum applied batch_apply(struct conn *c, const struct store_batch *b, struct clock *clock,
                         const struct store_op **refused, struct err *e)
{
    bool holds = true;

    for (const struct store_op *op = b->first; op; op = op->next) {
        if (!check(c, op, &holds, e))
            return APPLIED_FAILED;
        if (!holds) {
            *refused = op;
            return APPLIED_REFUSED;
        }
    }
    for (const struct store_op *op = b->first; op; op = op->next) {
        if (!apply_op(c, op, clock, e))
            return APPLIED_FAILED;
    }
    return APPLIED;
}

/* --- The index of names -------------------------------------------------------------------- */

static bool name_write(struct conn *c, sqlite3_stmt *st, int64_t id, struct slice type,
                       struct slice value, struct err *e)
{
    if (slice_empty(value))
        return true;
    sqlite_bind_text(st, 1, value);
    sqlite_bind_text(st, 2, type);
    sqlite3_bind_int64(st, 3, id);
    return sqlite_conn_run(c, st, e);
}

bool sqlite_names_write(struct conn *c, enum stmt how, int64_t id, struct slice names,
                        struct slice common_name, struct slice subject, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, how, e);
    struct slice type, value;

    if (!st)
        return false;
    while (issued_name_next(&names, &type, &value)) {
        if (!name_write(c, st, id, type, value, e))
            return false;
    }
    return name_write(c, st, id, SLICE("cn"), common_name, e) &&
           name_write(c, st, id, SLICE("subject"), subject, e);
}
