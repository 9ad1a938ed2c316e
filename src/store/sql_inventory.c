/*
 * Questions about certificates on a server.  The rows are those of sql_ledger.c; the certificate
 * itself and its revocation are joined from the reference's tables, whoever wrote there: so a row
 * whose certificate is gone is not shown, and what the reference revoked is.
 *
 * The SQL is put together from the fixed pieces below, values are always parameters.  Rows come
 * page by page in the order of notAfter, serial number and kind, and between two pages no
 * connection is held.
 */
#include <stdio.h>

#include "store/sql_ledger.h"

#define PAGE_ROWS 256

static const char *const TEXT_COLUMNS[] = {
    "kind",         "serial",   "subject",        "common_name",      "names",
    "fingerprint",  "key_type", "provisioner_id", "provisioner_name", "provisioner_type",
    "renewed_from", "ca_key",
};
static const char *const NUMBER_COLUMNS[] = {"not_before", "not_after", "issued_at"};
enum {
    CELL_KIND,
    CELL_SERIAL,
    CELL_SUBJECT,
    CELL_COMMON_NAME,
    CELL_NAMES,
    CELL_FINGERPRINT,
    CELL_KEY_TYPE,
    CELL_PROVISIONER_ID,
    CELL_PROVISIONER_NAME,
    CELL_PROVISIONER_TYPE,
    CELL_RENEWED_FROM,
    CELL_CA_KEY,
    CELL_NOT_BEFORE,
    CELL_NOT_AFTER,
    CELL_ISSUED_AT,
    CELL_DER,
    CELL_REVOKED,
    CELL_RECORD,
    CELLS
};

/* --- The statement --------------------------------------------------------------------------- */

#define VALUES_MAX 16
struct question {
    const struct sql_store *s;
    const struct inventory_query *q;
    struct buf sql;
    struct sql_value values[VALUES_MAX];
    size_t n;
    uint8_t san[SQL_KEY_MAX], san_value[SQL_KEY_MAX], subject[SQL_KEY_MAX];
};

static void add(struct question *k, const char *sql)
{
    buf_text(&k->sql, sql);
}

static void add_value(struct question *k, struct sql_value v)
{
    k->values[k->n++] = v;
}

static void add_columns(struct question *k)
{
    const struct sql_dialect *d = k->s->driver->dialect;

    for (size_t i = 0; i < COUNT_OF(TEXT_COLUMNS); i++)
        buf_printf(&k->sql, "%s%sc.%s%s", i > 0 ? "," : "SELECT ", d->text_out[0], TEXT_COLUMNS[i],
                   d->text_out[1]);
    for (size_t i = 0; i < COUNT_OF(NUMBER_COLUMNS); i++)
        buf_printf(&k->sql, ",%sc.%s%s", d->number_out[0], NUMBER_COLUMNS[i], d->number_out[1]);
}

/* With only_revoked what was revoked comes first, since it is less. */
static void add_tables(struct question *k)
{
    const struct sql_dialect *d = k->s->driver->dialect;
    const char *open = d->key_of_text[0], *close = d->key_of_text[1];

    if (k->q->only_revoked)
        buf_printf(&k->sql,
                   ",COALESCE(x.nvalue,s.nvalue),r.revoked,r.nvalue FROM"
                   " (SELECT nkey,nvalue,0 AS ssh,'1' AS revoked FROM revoked_x509_certs UNION ALL"
                   " SELECT nkey,nvalue,1 AS ssh,'1' AS revoked FROM revoked_ssh_certs) r"
                   " JOIN " SQL_LEDGER " c ON c.ssh=r.ssh AND c.serial=%sr.nkey%s",
                   d->text_of_key[0], d->text_of_key[1]);
    else
        buf_printf(&k->sql,
                   ",COALESCE(x.nvalue,s.nvalue),CASE WHEN COALESCE(rx.nkey,rs.nkey) IS NULL"
                   " THEN '0' ELSE '1' END,COALESCE(rx.nvalue,rs.nvalue) FROM " SQL_LEDGER " c"
                   " LEFT JOIN revoked_x509_certs rx ON c.ssh=0 AND rx.nkey=%sc.serial%s"
                   " LEFT JOIN revoked_ssh_certs rs ON c.ssh=1 AND rs.nkey=%sc.serial%s",
                   open, close, open, close);
    buf_printf(&k->sql,
               " LEFT JOIN x509_certs x ON c.ssh=0 AND x.nkey=%sc.serial%s"
               " LEFT JOIN ssh_certs s ON c.ssh=1 AND s.nkey=%sc.serial%s",
               open, close, open, close);
}

static void add_names(struct question *k)
{
    const struct inventory_query *q = k->q;
    size_t colon = slice_find(q->san, ':');
    bool typed = colon < q->san.n;

    if (q->san.n) {
        add(k, " JOIN (SELECT ssh,serial FROM " SQL_LEDGER_NAMES
               " WHERE value=? AND type NOT IN ('cn','subject') UNION SELECT ssh,serial FROM"
               " " SQL_LEDGER_NAMES " WHERE value=? AND type=?) n"
               " ON n.ssh=c.ssh AND n.serial=c.serial");
        add_value(k, sql_bytes(sql_ledger_name(k->san, q->san)));
        add_value(k, sql_bytes(sql_ledger_name(k->san_value,
                                               typed ? slice_from(q->san, colon + 1) : SLICE(""))));
        add_value(k, sql_text(typed && colon <= 16 ? slice_sub(q->san, 0, colon) : SLICE("")));
    }
    if (q->subject.n) {
        add(k, " JOIN (SELECT DISTINCT ssh,serial FROM " SQL_LEDGER_NAMES
               " WHERE value=? AND type IN ('cn','subject')) m"
               " ON m.ssh=c.ssh AND m.serial=c.serial");
        add_value(k, sql_bytes(sql_ledger_name(k->subject, q->subject)));
    }
}

static void add_conditions(struct question *k, int64_t now)
{
    const struct inventory_query *q = k->q;

    add(k, " WHERE (x.nkey IS NOT NULL OR s.nkey IS NOT NULL)");
    if (q->expiring_before) {
        add(k, " AND c.not_after<?");
        add_value(k, sql_number(q->expiring_before));
    }
    if (q->issued_since) {
        add(k, " AND c.issued_at>=?");
        add_value(k, sql_number(q->issued_since));
    }
    if (q->provisioner.n) {
        add(k, " AND (c.provisioner_name=? OR c.provisioner_id=?)");
        add_value(k, sql_text(q->provisioner));
        add_value(k, sql_text(q->provisioner));
    }
    if (q->serial.n) {
        add(k, " AND c.ssh IN (0,1) AND c.serial=?");
        add_value(k, sql_text(q->serial));
    }
    if (q->only_active) {
        add(k, " AND c.not_after>?");
        add_value(k, sql_number(now));
        if (!q->only_revoked)
            add(k, " AND rx.nkey IS NULL AND rs.nkey IS NULL");
        else
            add(k, " AND 1=0");
    }
    if (q->only_x509)
        add(k, " AND c.ssh=0");
    if (q->only_ssh)
        add(k, " AND c.ssh=1");
}

static void add_page(struct question *k, const struct inventory_query *at, uint64_t rows)
{
    if (at->after.n) {
        add(k, " AND c.not_after>=? AND (c.not_after>? OR c.serial>? OR (c.serial=? AND c.ssh>?))");
        add_value(k, sql_number(at->after_not_after));
        add_value(k, sql_number(at->after_not_after));
        add_value(k, sql_text(at->after));
        add_value(k, sql_text(at->after));
        add_value(k, sql_number(at->after_ssh));
    }
    buf_printf(&k->sql, " ORDER BY c.not_after,c.serial,c.ssh LIMIT %llu",
               (unsigned long long)rows);
}

static bool ask(struct sql_store *s, const struct inventory_query *q,
                const struct inventory_query *at, uint64_t rows, struct deadline d, struct arena *a,
                struct sql_cells *out, struct err *e)
{
    struct question k = {.s = s, .q = q, .sql = buf_new(a, 1u << 14)};

    add_columns(&k);
    add_tables(&k);
    add_names(&k);
    add_conditions(&k, s->clock->now(s->clock).sec);
    add_page(&k, at, rows);
    buf_byte(&k.sql, '\0');
    return buf_done(&k.sql, "inventory query", e) &&
           sql_query(s, (const char *)k.sql.p, k.values, k.n, d, a, out, e);
}

/* --- Rows ------------------------------------------------------------------------------------ */

static enum cert_kind kind_of(struct slice text)
{
    enum cert_kind kind = CERT_X509;

    while (kind < CERT_SSH_HOST && !slice_is(text, cert_kind_text(kind)))
        kind++;
    return kind;
}

static struct inventory_row row_of(const struct slice *cell, struct arena *a)
{
    struct inventory_row row = {
        .kind = kind_of(cell[CELL_KIND]),
        .serial = cell[CELL_SERIAL],
        .subject = cell[CELL_SUBJECT],
        .common_name = cell[CELL_COMMON_NAME],
        .names = cell[CELL_NAMES],
        .fingerprint = cell[CELL_FINGERPRINT],
        .key_type = cell[CELL_KEY_TYPE],
        .provisioner_id = cell[CELL_PROVISIONER_ID],
        .provisioner_name = cell[CELL_PROVISIONER_NAME],
        .provisioner_type = cell[CELL_PROVISIONER_TYPE],
        .renewed_from = cell[CELL_RENEWED_FROM],
        .ca_key = cell[CELL_CA_KEY],
        .not_before = sql_cell_number(cell[CELL_NOT_BEFORE]),
        .not_after = sql_cell_number(cell[CELL_NOT_AFTER]),
        .issued_at = sql_cell_number(cell[CELL_ISSUED_AT]),
        .der = cell[CELL_DER],
        .reason = SLICE(""),
    };
    struct revoked r = {.serial = row.serial};

    if (!slice_is(cell[CELL_REVOKED], "1"))
        return row;
    store_revoked_from_record(&r, a, cell[CELL_RECORD], 0);
    row.revoked_at = r.at > 0 ? r.at : INVENTORY_REVOKED_SOMETIME;
    row.reason_code = r.reason_code;
    row.reason = r.reason.n ? r.reason : SLICE("");
    return row;
}

/* The table of names has only the beginning of long ones. */
static bool really(const struct inventory_query *q, const struct inventory_row *row)
{
    return (!q->san.n || inventory_has_name(row->names, q->san)) &&
           (!q->subject.n || slice_eq_case(q->subject, row->subject) ||
            slice_eq_case(q->subject, row->common_name));
}

bool sql_inventory(struct store *base, const struct inventory_query *q, inventory_fn *visit,
                   void *arg, struct deadline d, struct err *e)
{
    struct sql_store *s = (struct sql_store *)base;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct inventory_query at = *q;
    uint8_t serial[SQL_KEY_MAX];
    uint64_t seen = 0;

    if (!(base->caps & STORE_INVENTORY))
        return err_set(e, ERR_NOT_IMPLEMENTED,
                       "%s: this database has no inventory of certificates: set db.inventory in "
                       "the configuration, start the service, and run `step-ca db reindex`",
                       base->name);
    for (;;) {
        struct arena_mark mark = arena_mark(a);
        struct sql_cells cells;
        if (!deadline_ok(d, e) || !ask(s, q, &at, PAGE_ROWS, d, a, &cells, e))
            return false;
        for (size_t i = 0; i < cells.rows; i++) {
            struct inventory_row row = row_of(&cells.v[i * cells.columns], a);
            at.after_not_after = row.not_after;
            at.after_ssh = row.kind != CERT_X509;
            size_t n = row.serial.n < sizeof(serial) ? row.serial.n : sizeof(serial);
            memcpy(serial, row.serial.p, n);
            at.after = slice_of(serial, n);
            if (!really(q, &row))
                continue;
            if (!visit(&row, arg) || ++seen == q->limit)
                return true;
        }
        if (cells.rows < PAGE_ROWS)
            return true;
        arena_rewind(a, mark);
    }
}
