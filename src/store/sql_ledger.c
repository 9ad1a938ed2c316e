/*
 * Writing the inventory on a server: the row of a certificate and its names, in the transaction
 * that issues it.  Revocations are not written here: the reference's tables say so, and are asked.
 *
 * Whoever finds the tables keeps them: so all our servers on one database are in step, whatever
 * their configurations say.  Tables that come or go while a service runs, and rows that are
 * missing, are the business of sql_tend.c.
 */
#include "store/sql_ledger.h"

#include <poll.h>
#include <stdio.h>

#include "base/log.h"

#define MAKE_TRIES 5

/* --- Values ------------------------------------------------------------------------------------
 */

struct sql_value sql_bytes(struct slice s)
{
    return (struct sql_value){.type = SQL_TYPE_BYTES, .bytes = s};
}

struct sql_value sql_text(struct slice s)
{
    return (struct sql_value){.type = SQL_TYPE_TEXT, .bytes = s};
}

struct sql_value sql_number(int64_t n)
{
    return (struct sql_value){.type = SQL_TYPE_NUMBER, .number = n};
}

/* A column of text takes UTF-8 without NUL; what is not is shown as good as it can be. */
static struct sql_value clean_text(struct arena *a, struct slice s)
{
    if (slice_is_utf8(s) && !slice_has_nul(s))
        return sql_text(s);
    struct buf b = buf_new(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        buf_byte(&b, s.p[i] == 0 || s.p[i] >= 0x80 ? '?' : s.p[i]);
    return sql_text(buf_slice(&b));
}

struct slice sql_ledger_name(uint8_t out[SQL_KEY_MAX], struct slice name)
{
    size_t n = name.n < SQL_KEY_MAX ? name.n : SQL_KEY_MAX;

    for (size_t i = 0; i < n; i++)
        out[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] | 0x20 : name.p[i];
    return slice_of(out, n);
}

int64_t sql_cell_number(struct slice text)
{
    bool minus = text.n > 0 && text.p[0] == '-';
    uint64_t n;

    if (!slice_to_u64(slice_from(text, minus), &n) || n > INT64_MAX)
        return 0;
    return minus ? -(int64_t)n : (int64_t)n;
}

bool sql_query(struct sql_store *s, const char *sql, const struct sql_value *values, size_t n,
               struct deadline d, struct arena *a, struct sql_cells *out, struct err *e)
{
    for (unsigned tries = 0; tries < 3; tries++) {
        struct sql_conn *c = sql_pool_take(s, d, e);
        if (!c)
            return false;
        pool_wait_begin();
        enum sql_result result = s->driver->query(c, sql, values, n, d, a, out, e);
        sql_pool_give(s, c, result == SQL_BROKEN);
        pool_wait_end();
        if (result == SQL_DONE || result == SQL_FAILED || !deadline_ok(d, NULL))
            return result == SQL_DONE;
    }
    return false;
}

/* --- The tables ----------------------------------------------------------------------------------
 */

static bool look(struct sql_store *s, struct sql_conn *c, struct deadline d, bool *there,
                 struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct sql_cells cells;

    if (s->driver->query(c, s->driver->dialect->ledger_there, NULL, 0, d, a, &cells, e) != SQL_DONE)
        return false;
    *there = cells.rows > 0;
    return true;
}

#define COLUMNS                                                                                    \
    "kind,ssh,serial,common_name,subject,names,provisioner_id,provisioner_name,provisioner_type,"  \
    "fingerprint,key_type,renewed_from,ca_key,not_before,not_after,issued_at"

/* They may be somebody else's: statements that change nothing show what is permitted. */
static bool may_write(struct sql_store *s, struct sql_conn *c, struct err *e)
{
    static const char *const TRIES[] = {
        "INSERT INTO " SQL_LEDGER "(" COLUMNS ") SELECT " COLUMNS " FROM " SQL_LEDGER " WHERE 1=0",
        "UPDATE " SQL_LEDGER " SET kind=kind WHERE 1=0",
        "DELETE FROM " SQL_LEDGER " WHERE 1=0",
        "INSERT INTO " SQL_LEDGER_NAMES "(value,type,ssh,serial) SELECT value,type,ssh,serial FROM"
        " " SQL_LEDGER_NAMES " WHERE 1=0",
        "DELETE FROM " SQL_LEDGER_NAMES " WHERE 1=0",
    };

    for (size_t i = 0; i < COUNT_OF(TRIES); i++) {
        if (s->driver->query(c, TRIES[i], NULL, 0, DEADLINE_NONE, NULL, NULL, e) != SQL_DONE)
            return false;
    }
    return true;
}

static bool make(struct sql_store *s, struct sql_conn *c, struct err *e)
{
    const char *const *sql = s->driver->dialect->ledger_tables;

    for (; *sql; sql++) {
        if (s->driver->query(c, *sql, NULL, 0, DEADLINE_NONE, NULL, NULL, e) != SQL_DONE)
            return err_wrap(e, "create the tables of the inventory");
    }
    s->ledger_made = true;
    log_line("%s: the tables of the inventory were created; %s", s->driver->name,
             s->options.describe
                 ? "the certificates that are there already are added meanwhile"
                 : "`step-ca db reindex` adds the certificates that are there already");
    return true;
}

/* Another server may be making them at this moment: then it fails here, and a little later they are
 * there. */
static bool ensure(struct sql_store *s, struct sql_conn *c, bool *there, struct err *e)
{
    struct err why = {0};

    for (int n = 0;; n++) {
        if (!look(s, c, DEADLINE_NONE, there, e))
            return false;
        if (*there || !s->options.make || !s->options.inventory)
            return true;
        if (n == MAKE_TRIES)
            break;
        if (make(s, c, &why)) {
            *there = true;
            return true;
        }
        poll(NULL, 0, 50 + 50 * n);
    }
    if (e)
        err_move(e, &why);
    return false;
}

bool sql_ledger_ready(struct sql_store *s, struct sql_conn *c, struct err *e)
{
    struct err why = {0};
    bool there;

    if (!ensure(s, c, &there, e))
        return false;
    if (there && s->options.make && !may_write(s, c, &why)) {
        log_error("%s; the inventory is not kept", why.text);
        there = false;
    }
    if (there)
        s->base.caps |= STORE_INVENTORY;
    return true;
}

static bool on_connection(struct sql_store *s, bool *there, struct deadline d, struct err *e)
{
    struct sql_conn *c = sql_pool_take(s, d, e);

    if (!c)
        return false;
    pool_wait_begin();
    bool ok = there ? look(s, c, d, there, e) : may_write(s, c, e);
    sql_pool_give(s, c, !ok);
    pool_wait_end();
    return ok;
}

bool sql_ledger_look(struct sql_store *s, bool *there, struct deadline d, struct err *e)
{
    return on_connection(s, there, d, e);
}

bool sql_ledger_writable(struct sql_store *s, struct err *e)
{
    return on_connection(s, NULL, DEADLINE_NONE, e);
}

void sql_ledger_forget(struct sql_store *s, const char *why)
{
    if (atomic_fetch_and(&s->base.caps, ~(unsigned)STORE_INVENTORY) & STORE_INVENTORY)
        log_error("%s: %s; certificates are issued without the inventory", s->driver->name,
                  why ? why : "its tables are gone");
}

bool sql_ledger_lost(struct sql_store *s, struct sql_conn *c)
{
    struct err why = {0};
    bool there;

    if (!look(s, c, DEADLINE_NONE, &there, NULL))
        return false;
    if (there && (may_write(s, c, &why) || why.kind == ERR_UNAVAILABLE))
        return false;
    sql_ledger_forget(s, there ? why.text : NULL);
    return true;
}

/* --- One certificate -----------------------------------------------------------------------------
 */

#define ROW_VALUES 16

static void row_values(struct arena *a, const struct issued *i, struct sql_value v[ROW_VALUES])
{
    const struct slice texts[] = {
        i->common_name,      i->subject,     i->names,    i->provisioner_id, i->provisioner_name,
        i->provisioner_type, i->fingerprint, i->key_type, i->renewed_from,   i->ca_key,
    };
    size_t n = 0;

    v[n++] = sql_text(slice_text(cert_kind_text(i->kind)));
    v[n++] = sql_number(i->kind != CERT_X509);
    v[n++] = sql_text(i->serial);
    for (size_t t = 0; t < COUNT_OF(texts); t++) {
        v[n] = clean_text(a, texts[t]);
        v[n++].null = texts[t].n == 0;
    }
    v[n++] = sql_number(i->not_before);
    v[n++] = sql_number(i->not_after);
    v[n++] = sql_number(i->issued_at);
}

#define NAMES_AT_ONCE 50

struct naming {
    struct arena *a;
    const struct issued *i;
    struct sql_value v[4 * NAMES_AT_ONCE];
    size_t n; /* names */
};

static void add_name(struct naming *k, struct slice type, struct slice value)
{
    uint8_t *room = arena_alloc(k->a, SQL_KEY_MAX);

    if (slice_empty(value))
        return;
    k->v[4 * k->n] = sql_bytes(sql_ledger_name(room, value));
    k->v[4 * k->n + 1] = sql_text(slice_sub(type, 0, type.n < 16 ? type.n : 16));
    k->v[4 * k->n + 2] = sql_number(k->i->kind != CERT_X509);
    k->v[4 * k->n + 3] = sql_text(k->i->serial);
    k->n++;
}

static enum sql_result put_names(struct sql_store *s, struct sql_conn *c, struct naming *k,
                                 struct deadline d, struct err *e)
{
    const struct sql_dialect *dialect = s->driver->dialect;
    struct buf sql = buf_new(k->a, 4096);

    if (k->n == 0)
        return SQL_DONE;
    buf_text(&sql, dialect->names_insert[0]);
    for (size_t i = 0; i < k->n; i++)
        buf_text(&sql, i > 0 ? ",(?,?,?,?)" : "(?,?,?,?)");
    buf_text(&sql, dialect->names_insert[1]);
    buf_byte(&sql, '\0');
    size_t n = 4 * k->n;
    k->n = 0;
    return s->driver->query(c, (const char *)sql.p, k->v, n, d, NULL, NULL, e);
}

static enum sql_result put_all_names(struct sql_store *s, struct sql_conn *c, struct naming *k,
                                     struct deadline d, struct err *e)
{
    struct slice rest = k->i->names, type, value;
    enum sql_result result = SQL_DONE;

    add_name(k, SLICE("cn"), k->i->common_name);
    add_name(k, SLICE("subject"), k->i->subject);
    while (result == SQL_DONE && issued_name_next(&rest, &type, &value)) {
        add_name(k, type, value);
        if (k->n == NAMES_AT_ONCE)
            result = put_names(s, c, k, d, e);
    }
    return result == SQL_DONE ? put_names(s, c, k, d, e) : result;
}

static enum sql_result put(struct sql_store *s, struct sql_conn *c, const char *row_sql,
                           const struct issued *i, struct deadline d, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct naming *names = arena_alloc(a, sizeof(*names));
    struct sql_value v[ROW_VALUES];

    names->a = a;
    names->i = i;
    row_values(a, i, v);
    enum sql_result result = s->driver->query(c, row_sql, v, ROW_VALUES, d, NULL, NULL, e);
    if (result == SQL_DONE)
        result = put_all_names(s, c, names, d, e);
    if (result != SQL_DONE)
        err_wrap(e, "inventory");
    return result;
}

enum sql_result sql_ledger_describe(struct sql_store *s, struct sql_conn *c, const struct issued *i,
                                    struct deadline d, struct err *e)
{
    return put(s, c, s->driver->dialect->ledger_describe, i, d, e);
}

enum sql_result sql_ledger_provisioner(struct sql_store *s, struct sql_conn *c, struct slice serial,
                                       struct slice data, struct deadline d, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct issued i = {0};

    if (!store_provisioner_from_data(&i, a, data))
        return SQL_DONE;
    struct sql_value v[] = {clean_text(a, i.provisioner_id), clean_text(a, i.provisioner_name),
                            clean_text(a, i.provisioner_type), clean_text(a, serial)};
    return s->driver->query(c,
                            "UPDATE " SQL_LEDGER
                            " SET provisioner_id=?,provisioner_name=?,provisioner_type=?"
                            " WHERE ssh=0 AND serial=?",
                            v, COUNT_OF(v), d, NULL, NULL, e);
}

enum sql_result sql_ledger_remove(struct sql_store *s, struct sql_conn *c, bool ssh,
                                  struct slice serial, struct deadline d, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct sql_value v[] = {sql_number(ssh), clean_text(a, serial)};
    enum sql_result result = s->driver->query(
        c, "DELETE FROM " SQL_LEDGER_NAMES " WHERE ssh=? AND serial=?", v, 2, d, NULL, NULL, e);

    if (result == SQL_DONE)
        result = s->driver->query(c, "DELETE FROM " SQL_LEDGER " WHERE ssh=? AND serial=?", v, 2, d,
                                  NULL, NULL, e);
    return result;
}

/* --- A batch -------------------------------------------------------------------------------------
 */

static bool is_certificates(enum table t)
{
    return t == TABLE_X509_CERTS || t == TABLE_SSH_CERTS;
}

bool sql_ledger_concerned(const struct store_batch *b)
{
    for (const struct store_op *op = b->first; op; op = op->next) {
        if (op->kind == OP_ISSUE || (op->kind == OP_REMOVE && is_certificates(op->table)))
            return true;
    }
    return false;
}

/* Counted first and looked at again: whoever sets the bit and then sees nobody has missed nobody.
 */
bool sql_ledger_begin(struct sql_store *s)
{
    if (s->base.caps & STORE_INVENTORY)
        return true;
    atomic_fetch_add(&s->unaware, 1);
    if (!(s->base.caps & STORE_INVENTORY))
        return false;
    atomic_fetch_sub(&s->unaware, 1);
    return true;
}

void sql_ledger_end(struct sql_store *s)
{
    atomic_fetch_sub(&s->unaware, 1);
}

enum sql_result sql_ledger_apply(struct sql_store *s, struct sql_conn *c,
                                 const struct store_batch *b, struct deadline d, struct err *e)
{
    const char *insert = s->driver->dialect->ledger_insert;
    enum sql_result result = SQL_DONE;

    for (const struct store_op *op = b->first; op && result == SQL_DONE; op = op->next) {
        if (op->kind == OP_ISSUE)
            result = put(s, c, insert, op->issued, d, e);
        else if (op->kind == OP_REMOVE && is_certificates(op->table))
            result = sql_ledger_remove(s, c, op->table == TABLE_SSH_CERTS, op->key, d, e);
    }
    return result;
}
