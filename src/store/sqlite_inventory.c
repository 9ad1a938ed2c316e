/*
 * Questions about certificates: which expire, who issued them, what was revoked.  The SQL is put
 * together from the fixed pieces below, one for each filter that is set; values are always bound.
 * Rows come in the order of notAfter, then serial, and a page goes on behind the last of the one
 * before.
 */
#include "store/sqlite.h"

#define COLUMNS                                                                                    \
    "SELECT serial,subject,common_name,names,fingerprint,key_type,provisioner_id,"                 \
    "provisioner_name,provisioner_type,renewed_from,reason,der,"                                   \
    "not_before,not_after,issued_at,revoked_at,reason_code,kind,ca_key FROM certificates"

/* How far the index of names is; what is behind it is looked at by itself. */
#define NAMED "(SELECT value FROM meta WHERE name='names_indexed')"

/* The numbers of the values in every statement that is made here. */
enum {
    V_AFTER_TIME = 1,
    V_AFTER_SERIAL,
    V_BEFORE,
    V_SINCE,
    V_PROVISIONER,
    V_SERIAL,
    V_NOW,
    V_SAN,
    V_SAN_TYPE,
    V_SAN_VALUE,
    V_SUBJECT,
    V_LIMIT,
    V_AFTER_SSH
};

/* Which index: with a name the few certificates that have it, with only_revoked those; else the
 * order of notAfter is what costs. */
static const char *source(const struct inventory_query *q, const struct conn *c)
{
    if (c->older && c->older < 3) /* a view */
        return "";
    if (q->san.n || q->subject.n)
        return " NOT INDEXED";
    if (q->serial.n)
        return "";
    return q->only_revoked ? " INDEXED BY certificates_revoked"
                           : " INDEXED BY certificates_not_after";
}

static void put_sql(struct buf *sql, const struct inventory_query *q, const struct conn *c)
{
    const struct {
        bool set;
        const char *text;
    } FILTERS[] = {
        {q->after.n > 0, " AND not_after>=?1 AND (not_after>?1 OR serial>?2"
                         " OR (serial=?2 AND ssh>?13))"},
        {q->expiring_before != 0, " AND not_after<?3"},
        {q->issued_since != 0, " AND issued_at>=?4"},
        {q->provisioner.n > 0, " AND ?5 IN (provisioner_id,provisioner_name)"},
        {q->serial.n > 0, " AND ssh IN (0,1) AND serial=?6"},
        {q->only_x509, " AND kind='x509'"},
        {q->only_ssh, " AND kind<>'x509'"},
        {q->only_active, " AND not_after>?7 AND revoked_at IS NULL"},
        {q->only_revoked, " AND revoked_at IS NOT NULL"},
        {q->san.n > 0,
         " AND id IN (SELECT certificate FROM certificate_names"
         " WHERE value=?8 AND type NOT IN ('cn','subject')"
         " UNION SELECT certificate FROM certificate_names"
         " WHERE value=?10 AND type=?9"
         " UNION SELECT id FROM certificates WHERE id>" NAMED " AND newel_has_name(names,?8))"},
        {q->subject.n > 0, " AND id IN (SELECT certificate FROM certificate_names"
                           " WHERE value=?11 AND type IN ('cn','subject')"
                           " UNION SELECT id FROM certificates WHERE id>" NAMED
                           " AND ?11 COLLATE NOCASE IN (common_name,subject))"},
    };

    buf_text(sql, COLUMNS);
    buf_text(sql, source(q, c));
    buf_text(sql, " WHERE not_after IS NOT NULL");
    for (size_t i = 0; i < COUNT_OF(FILTERS); i++) {
        if (FILTERS[i].set)
            buf_text(sql, FILTERS[i].text);
    }
    buf_text(sql, " ORDER BY not_after,serial,ssh LIMIT ?12");
}

static void bind_query(sqlite3_stmt *st, const struct inventory_query *q, int64_t now)
{
    size_t colon = slice_find(q->san, ':');
    bool typed = colon < q->san.n;

    sqlite3_bind_int64(st, V_AFTER_TIME, q->after_not_after);
    sqlite_bind_text(st, V_AFTER_SERIAL, q->after);
    sqlite3_bind_int64(st, V_BEFORE, q->expiring_before);
    sqlite3_bind_int64(st, V_SINCE, q->issued_since);
    sqlite_bind_text(st, V_PROVISIONER, q->provisioner);
    sqlite_bind_text(st, V_SERIAL, q->serial);
    sqlite3_bind_int64(st, V_NOW, now);
    sqlite_bind_text(st, V_SAN, q->san);
    sqlite_bind_text(st, V_SAN_TYPE, typed ? slice_sub(q->san, 0, colon) : SLICE_NONE);
    sqlite_bind_text(st, V_SAN_VALUE, typed ? slice_from(q->san, colon + 1) : SLICE_NONE);
    sqlite_bind_text(st, V_SUBJECT, q->subject);
    sqlite3_bind_int64(st, V_LIMIT, q->limit ? (int64_t)q->limit : -1);
    sqlite3_bind_int(st, V_AFTER_SSH, q->after_ssh);
}

enum cert_kind sqlite_kind(sqlite3_stmt *st, int at)
{
    struct slice text = sqlite_column(st, at);
    enum cert_kind k = CERT_X509;

    while (k < CERT_SSH_HOST && !slice_is(text, cert_kind_text(k)))
        k++;
    return k;
}

static struct inventory_row row_of(sqlite3_stmt *st)
{
    return (struct inventory_row){
        .serial = sqlite_column(st, 0),
        .subject = sqlite_column(st, 1),
        .common_name = sqlite_column(st, 2),
        .names = sqlite_column(st, 3),
        .fingerprint = sqlite_column(st, 4),
        .key_type = sqlite_column(st, 5),
        .provisioner_id = sqlite_column(st, 6),
        .provisioner_name = sqlite_column(st, 7),
        .provisioner_type = sqlite_column(st, 8),
        .renewed_from = sqlite_column(st, 9),
        .reason = sqlite_column(st, 10),
        .der = sqlite_column(st, 11),
        .not_before = sqlite3_column_int64(st, 12),
        .not_after = sqlite3_column_int64(st, 13),
        .issued_at = sqlite3_column_int64(st, 14),
        .revoked_at = sqlite3_column_int64(st, 15),
        .reason_code = sqlite3_column_int(st, 16),
        .kind = sqlite_kind(st, 17),
        .ca_key = sqlite_column(st, 18),
    };
}

static bool walk(struct conn *c, sqlite3_stmt *st, inventory_fn *visit, void *arg, struct err *e)
{
    bool more;

    while (sqlite_conn_step(c, st, &more, e)) {
        if (!more)
            return true;
        struct inventory_row row = row_of(st);
        if (!visit(&row, arg))
            return true;
    }
    return false;
}

static bool ask(struct conn *c, const struct inventory_query *q, int64_t now, inventory_fn *visit,
                void *arg, struct err *e)
{
    CLEANUP(buf_free) struct buf sql = buf_new(NULL, 8192);
    sqlite3_stmt *st = NULL;

    put_sql(&sql, q, c);
    if (!buf_done(&sql, "inventory query", e))
        return false;
    int code = sqlite3_prepare_v2(c->db, (const char *)sql.p, (int)sql.n, &st, NULL);
    if (code != SQLITE_OK)
        return sqlite_conn_fail(c, code, e);
    bind_query(st, q, now);
    bool ok = walk(c, st, visit, arg, e);
    sqlite3_finalize(st);
    return ok;
}

bool sqlite_inventory(struct store *s, const struct inventory_query *q, inventory_fn *visit,
                      void *arg, struct deadline d, struct err *e)
{
    struct sqlite_store *store = (struct sqlite_store *)s;

    if ((q->san.n || q->subject.n) && store->writer && !sqlite_names_catch_up(store, d, e))
        return false;
    struct conn *c = sqlite_reader_take(&store->readers, d, e);
    if (!c)
        return false;
    sqlite_conn_deadline(c, d);
    bool ok = ask(c, q, store->clock->now(store->clock).sec, visit, arg, e);
    sqlite_conn_deadline(c, DEADLINE_NONE);
    sqlite_reader_give(&store->readers, c);
    return ok;
}
