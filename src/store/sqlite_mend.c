/*
 * Care of the file: the inventory made anew, the check, the backup, and whether it can be written.
 *
 * What the commands change goes through the writer in small pieces, so that a server that uses the
 * same file is held up for milliseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/sqlite.h"

#define PIECE 200 /* rows in one transaction */

/* --- The inventory anew: rows that became certificates --------------------------------------- */

struct reindex {
    describe_fn *describe;
    struct clock *clock;
    struct arena *a;  /* of one piece */
    enum table t;     /* x509_certs or ssh_certs */
    struct buf after; /* key, in kvbig */
    int64_t id;       /* in certificates */
    bool end;
    int64_t last; /* id of the last row of the piece */
    unsigned n;
    struct pair rows[PIECE];
};

static bool collect_pair(struct reindex *r, struct conn *c, sqlite3_stmt *st, struct err *e)
{
    bool row;

    for (r->n = 0; r->n < PIECE; r->n++) {
        if (!sqlite_conn_step(c, st, &row, e))
            return false;
        if (!row) {
            r->end = true;
            return true;
        }
        r->rows[r->n] = (struct pair){arena_copy(r->a, sqlite_column(st, 0)),
                                      arena_copy(r->a, sqlite_column(st, 1))};
    }
    sqlite3_reset(st);
    return true;
}

static bool adopt(struct reindex *r, struct conn *c, const struct pair *p, struct err *e)
{
    struct issued i = {0};

    if (!r->describe(r->a, r->t, p->key, p->value, &i))
        return true;
    i.serial = p->key;
    i.der = p->value;
    return sqlite_key_remove(c, r->t, p->key, e) && sqlite_issue_late(c, &i, r->clock, e);
}

static bool adopt_piece(struct conn *c, void *arg, struct err *e)
{
    struct reindex *r = arg;
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_BIG_SCAN, e);

    r->end = false;
    if (!st)
        return false;
    sqlite3_bind_int(st, 1, TABLE_INFO[r->t].id);
    sqlite_bind_after(st, 2, buf_slice(&r->after));
    sqlite3_bind_int(st, 3, PIECE);
    if (!collect_pair(r, c, st, e))
        return false;
    for (unsigned i = 0; i < r->n; i++) {
        if (!adopt(r, c, &r->rows[i], e))
            return false;
    }
    return true;
}

static bool adopt_all(struct reindex *r, struct sqlite_store *s, enum table t, struct err *e)
{
    bool ok = true;

    r->t = t;
    r->after = buf_new(NULL, 1u << 20);
    for (r->end = false; ok && !r->end;) {
        r->a = arena_new(&HEAP_USUAL);
        ok = sqlite_writer_call(s->writer, adopt_piece, r, DEADLINE_NONE, e);
        if (ok && r->n > 0) {
            buf_reset(&r->after);
            buf_put(&r->after, r->rows[r->n - 1].key);
        }
        arena_free(r->a);
    }
    buf_free(&r->after);
    return ok;
}

/* --- The inventory anew: rows of certificates --------------------------------------------------
 */

/* The columns of ST_CERT_WALK. */
struct cert_row {
    int64_t id, not_before, not_after, revoked_at;
    struct slice serial, der, subject, common_name, names, fingerprint, key_type, data;
    struct slice provisioner_name, ca_key;
    enum cert_kind kind;
    bool has_data;
};

static enum table table_of(const struct cert_row *row)
{
    return row->kind == CERT_X509 ? TABLE_X509_CERTS : TABLE_SSH_CERTS;
}

static enum table revoked_table_of(const struct cert_row *row)
{
    return row->kind == CERT_X509 ? TABLE_REVOKED_X509_CERTS : TABLE_REVOKED_SSH_CERTS;
}

static struct cert_row cert_row_of(sqlite3_stmt *st, struct arena *a)
{
    return (struct cert_row){
        .id = sqlite3_column_int64(st, 0),
        .serial = arena_copy(a, sqlite_column(st, 1)),
        .der = arena_copy(a, sqlite_column(st, 2)),
        .subject = arena_copy(a, sqlite_column(st, 3)),
        .common_name = arena_copy(a, sqlite_column(st, 4)),
        .names = arena_copy(a, sqlite_column(st, 5)),
        .fingerprint = arena_copy(a, sqlite_column(st, 6)),
        .key_type = arena_copy(a, sqlite_column(st, 7)),
        .not_before = sqlite3_column_int64(st, 8),
        .not_after = sqlite3_column_int64(st, 9),
        .has_data = sqlite3_column_type(st, 10) != SQLITE_NULL,
        .data = arena_copy(a, sqlite_column(st, 10)),
        .revoked_at = sqlite3_column_int64(st, 11),
        .provisioner_name = arena_copy(a, sqlite_column(st, 12)),
        .kind = sqlite_kind(st, 13),
        .ca_key = arena_copy(a, sqlite_column(st, 14)),
    };
}

static bool same(const struct cert_row *row, const struct issued *i)
{
    return slice_eq(row->subject, i->subject) && slice_eq(row->common_name, i->common_name) &&
           slice_eq(row->names, i->names) && slice_eq(row->fingerprint, i->fingerprint) &&
           slice_eq(row->key_type, i->key_type) && row->not_before == i->not_before &&
           row->not_after == i->not_after && row->kind == i->kind &&
           slice_eq(row->ca_key, i->ca_key);
}

/* The index of names has those up to meta.names_indexed. */
static bool names_anew(struct conn *c, const struct cert_row *row, const struct issued *i,
                       struct err *e)
{
    int64_t indexed;

    if (!same(row, i) && !sqlite_names_write(c, ST_NAME_REMOVE, row->id, row->names,
                                             row->common_name, row->subject, e))
        return false;
    if (!sqlite_conn_number(c, "SELECT value FROM meta WHERE name='names_indexed'", &indexed, e))
        return false;
    return row->id > indexed ||
           sqlite_names_write(c, ST_NAME_ADD, row->id, i->names, i->common_name, i->subject, e);
}

static bool describe_anew(struct conn *c, const struct cert_row *row, const struct issued *i,
                          struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_CERT_DESCRIBE, e);

    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, row->id);
    sqlite_bind_text_or_null(st, 2, i->subject);
    sqlite_bind_text_or_null(st, 3, i->common_name);
    sqlite_bind_text_or_null(st, 4, i->names);
    sqlite_bind_text_or_null(st, 5, i->fingerprint);
    sqlite_bind_text_or_null(st, 6, i->key_type);
    sqlite3_bind_int64(st, 7, i->not_before);
    sqlite3_bind_int64(st, 8, i->not_after);
    sqlite_bind_text_or_null(st, 9, i->ca_key);
    sqlite_bind_text(st, 10, slice_text(cert_kind_text(i->kind)));
    return sqlite_conn_run(c, st, e);
}

static bool revocation_anew(struct reindex *r, struct conn *c, const struct cert_row *row,
                            struct err *e)
{
    enum table t = revoked_table_of(row);
    sqlite3_stmt *st;
    struct slice found;

    if (!sqlite_find(c, t, row->serial, &st, &found, e))
        return false;
    struct slice record = arena_copy(r->a, found);
    bool revoked = st != NULL;
    if (st)
        sqlite3_reset(st);
    if (revoked && row->revoked_at == 0)
        return sqlite_put(c, t, row->serial, record, r->clock, e);
    if (revoked || row->revoked_at == 0)
        return true;
    sqlite3_stmt *clear = sqlite_conn_stmt(c, ST_CERT_UNREVOKE, e);
    if (!clear)
        return false;
    sqlite_bind_text(clear, 1, row->serial);
    sqlite3_bind_int(clear, 2, sqlite_is_ssh(t));
    return sqlite_conn_run(c, clear, e);
}

/* What the certificate says; the data record has the last word on who issued it.  A row whose
 * certificate cannot be read stays as it is, for the check to name. */
static bool renew_row(struct reindex *r, struct conn *c, const struct cert_row *row, struct err *e)
{
    struct issued i = {0};

    if (!r->describe(r->a, table_of(row), row->serial, row->der, &i))
        return true;
    if (!names_anew(c, row, &i, e) || (!same(row, &i) && !describe_anew(c, row, &i, e)))
        return false;
    if (row->has_data && !sqlite_put(c, TABLE_X509_CERTS_DATA, row->serial, row->data, r->clock, e))
        return false;
    return revocation_anew(r, c, row, e);
}

static bool cert_rows(struct conn *c, int64_t after, struct arena *a, struct cert_row *rows,
                      unsigned *n, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_CERT_WALK, e);
    bool row;

    *n = 0;
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, after);
    sqlite3_bind_int(st, 2, PIECE);
    while (sqlite_conn_step(c, st, &row, e)) {
        if (!row)
            return true;
        rows[(*n)++] = cert_row_of(st, a);
    }
    return false;
}

static bool renew_piece(struct conn *c, void *arg, struct err *e)
{
    struct reindex *r = arg;
    struct cert_row *rows = arena_array(r->a, PIECE, sizeof(*rows));

    if (!cert_rows(c, r->id, r->a, rows, &r->n, e))
        return false;
    for (unsigned i = 0; i < r->n; i++) {
        if (!renew_row(r, c, &rows[i], e))
            return false;
    }
    if (r->n > 0)
        r->last = rows[r->n - 1].id; /* counts only after the commit */
    return true;
}

static bool renew_all(struct reindex *r, struct sqlite_store *s, uint64_t *count, struct err *e)
{
    bool ok = true;

    for (r->n = PIECE; ok && r->n == PIECE;) {
        r->a = arena_new(&HEAP_USUAL);
        ok = sqlite_writer_call(s->writer, renew_piece, r, DEADLINE_NONE, e);
        if (ok && r->n > 0)
            r->id = r->last;
        *count += ok ? r->n : 0;
        arena_free(r->a);
    }
    return ok;
}

bool sqlite_reindex(struct store *base, describe_fn *describe, uint64_t *certificates,
                    struct err *e)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct reindex *r = xcalloc(1, sizeof(*r));

    *certificates = 0;
    r->describe = describe;
    r->clock = s->clock;
    bool ok = adopt_all(r, s, TABLE_X509_CERTS, e) && adopt_all(r, s, TABLE_SSH_CERTS, e) &&
              renew_all(r, s, certificates, e) && sqlite_names_catch_up(s, DEADLINE_NONE, e);
    free(r);
    return ok;
}

/* --- The check ----------------------------------------------------------------------------- */

struct check {
    struct conn *c;
    describe_fn *describe;
    problem_fn *tell;
    void *arg;
    struct arena *a;
};

static void problem(const struct check *k, const char *fmt, ...) PRINTF(2, 3);
static void problem(const struct check *k, const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    k->tell(text, k->arg);
}

static bool check_file(const struct check *k, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row;
    int code = sqlite3_prepare_v2(k->c->db, "PRAGMA integrity_check(100)", -1, &st, NULL);

    if (code != SQLITE_OK)
        return sqlite_conn_fail(k->c, code, e);
    bool ok;
    while ((ok = sqlite_conn_step(k->c, st, &row, e)) && row) {
        if (!slice_is(sqlite_column(st, 0), "ok"))
            problem(k, "file: %.*s", SLICE_ARG(slice_sub(sqlite_column(st, 0), 0, 300)));
    }
    sqlite3_finalize(st);
    return ok;
}

static bool check_certificate(const struct check *k, const struct cert_row *row, struct err *e)
{
    struct issued i = {0};
    sqlite3_stmt *st;
    struct slice found;

    const char *what = row->kind == CERT_X509 ? "certificate" : "SSH certificate";
    if (!k->describe(k->a, table_of(row), row->serial, row->der, &i))
        problem(k, "%s %.*s cannot be read", what, SLICE_ARG(row->serial));
    else if (!slice_eq(i.fingerprint, row->fingerprint) || i.not_after != row->not_after ||
             !slice_eq(i.names, row->names))
        problem(k, "%s %.*s: the inventory says something else; run reindex", what,
                SLICE_ARG(row->serial));
    if (!sqlite_find(k->c, revoked_table_of(row), row->serial, &st, &found, e))
        return false;
    if (st)
        sqlite3_reset(st);
    if ((st != NULL) != (row->revoked_at != 0))
        problem(k, "%s %.*s: inventory and table disagree about its revocation; run reindex", what,
                SLICE_ARG(row->serial));
    return true;
}

static bool check_certificates(struct check *k, struct err *e)
{
    int64_t after = 0;
    unsigned n = PIECE;
    bool ok = true;

    while (ok && n == PIECE) {
        k->a = arena_new(&HEAP_USUAL);
        struct cert_row *rows = arena_array(k->a, PIECE, sizeof(*rows));
        ok = cert_rows(k->c, after, k->a, rows, &n, e);
        for (unsigned i = 0; ok && i < n; i++)
            ok = check_certificate(k, &rows[i], e);
        if (ok && n > 0)
            after = rows[n - 1].id;
        arena_free(k->a);
    }
    return ok;
}

bool sqlite_check(struct store *s, describe_fn *describe, problem_fn *tell, void *arg,
                  struct err *e)
{
    struct sqlite_store *q = (struct sqlite_store *)s;
    struct check k = {sqlite_reader_take(&q->readers, DEADLINE_NONE, e), describe, tell, arg, NULL};

    if (!k.c)
        return false;
    bool ok = check_file(&k, e) && check_certificates(&k, e);
    sqlite_reader_give(&q->readers, k.c);
    return ok && store_check_records(s, tell, arg, e);
}

/* --- Backup -------------------------------------------------------------------------------- */

/* All pages in one step: one state of the database, while the writer goes on in its log. */
static bool copy_pages(struct conn *c, sqlite3 *to, const char *path, struct err *e)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", c->db, "main");

    if (!b)
        return err_set(e, ERR_INTERNAL, "backup %s: %s", path, sqlite3_errmsg(to));
    int code;
    do { /* busy: somebody is about to reset the log */
        code = sqlite3_backup_step(b, -1);
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
            sqlite3_sleep(20);
    } while (code == SQLITE_BUSY || code == SQLITE_LOCKED);
    sqlite3_backup_finish(b);
    return code == SQLITE_DONE ||
           err_set(e, ERR_UNAVAILABLE, "backup %s: %s", path, sqlite3_errstr(code));
}

static bool copy_to(struct conn *c, const char *path, struct err *e)
{
    sqlite3 *to = NULL;
    int code = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    bool ok = code == SQLITE_OK;

    if (!ok)
        err_set(e, ERR_UNAVAILABLE, "backup %s: %s", path, sqlite3_errstr(code));
    ok = ok && copy_pages(c, to, path, e);
    if (sqlite3_close(to) != SQLITE_OK && ok)
        ok = err_set(e, ERR_INTERNAL, "backup %s: cannot be closed", path);
    return ok;
}

bool sqlite_backup(struct store *s, const char *path, struct err *e)
{
    struct sqlite_store *q = (struct sqlite_store *)s;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const char *part = arena_printf(a, "%s.part-%ld", path, (long)getpid());

    if (!sqlite_part_create(part, e))
        return false;
    struct conn *c = sqlite_reader_take(&q->readers, DEADLINE_NONE, e);
    bool ok = c && copy_to(c, part, e) && sqlite_unchanged(q, e);
    if (c)
        sqlite_reader_give(&q->readers, c);
    return sqlite_part_end(part, path, ok, e);
}

/* --- What another inventory knows ----------------------------------------------------------- */

struct annotating {
    const struct inventory_row *rows;
    size_t n;
};

static bool annotate_call(struct conn *c, void *arg, struct err *e)
{
    const struct annotating *k = arg;
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_CERT_ANNOTATE, e);

    for (size_t i = 0; st && i < k->n; i++) {
        const struct inventory_row *row = &k->rows[i];
        sqlite_bind_text(st, 1, row->serial);
        sqlite3_bind_int(st, 2, row->kind != CERT_X509);
        sqlite_bind_text_or_null(st, 3, row->renewed_from);
        if (row->issued_at)
            sqlite3_bind_int64(st, 4, row->issued_at);
        else
            sqlite3_bind_null(st, 4);
        sqlite_bind_text_or_null(st, 5, row->provisioner_id);
        sqlite_bind_text_or_null(st, 6, row->provisioner_name);
        sqlite_bind_text_or_null(st, 7, row->provisioner_type);
        if (!sqlite_conn_run(c, st, e))
            return false;
    }
    return st != NULL;
}

bool sqlite_annotate(struct store *s, const struct inventory_row *rows, size_t n, struct err *e)
{
    struct annotating k = {rows, n};

    return sqlite_writer_call(((struct sqlite_store *)s)->writer, annotate_call, &k, DEADLINE_NONE,
                              e);
}

/* --- Can it write? ------------------------------------------------------------------------- */

static bool probe_call(struct conn *c, void *arg, struct err *e)
{
    const int64_t *now = arg;
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_PROBE, e);

    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, *now);
    return sqlite_conn_run(c, st, e);
}

bool sqlite_probe(struct store *s, struct deadline d, struct err *e)
{
    struct sqlite_store *q = (struct sqlite_store *)s;
    int64_t at = q->clock->mono_ns(q->clock), now = q->clock->now(q->clock).sec;

    pthread_mutex_lock(&q->probe_lock);
    bool stale = q->probed.kind == ERR_NONE && !sqlite_writer_works(q->writer, NULL);
    if (q->probed_ns == 0 || at - q->probed_ns >= NS_PER_SEC || stale) {
        q->probed = (struct err){0};
        if (sqlite_writer_call(q->writer, probe_call, &now, d, &q->probed) &&
            sqlite_writer_works(q->writer, &q->probed))
            err_clear(&q->probed);
        q->probed_ns = at;
    }
    bool ok = q->probed.kind == ERR_NONE;
    if (!ok && e)
        err_move(e, &q->probed);
    pthread_mutex_unlock(&q->probe_lock);
    return ok;
}
