/*
 * What another inventory knows of certificates and they do not say themselves, written into ours.
 * The same rows twice do no harm, so a connection that breaks is no riddle.
 */
#include "store/sql_ledger.h"

#define TRIES 5

/* What is empty, or no text to a server, says nothing. */
static struct sql_value known(struct slice s)
{
    struct sql_value v = sql_text(s);

    v.null = s.n == 0 || !slice_is_utf8(s) || slice_has_nul(s);
    return v;
}

static enum sql_result annotate_row(struct sql_store *s, struct sql_conn *c,
                                    const struct inventory_row *row, struct err *e)
{
    struct sql_value v[] = {
        known(row->renewed_from),     sql_number(row->issued_at),
        known(row->provisioner_id),   known(row->provisioner_name),
        known(row->provisioner_type), sql_number(row->kind != CERT_X509),
        sql_text(row->serial),
    };

    v[1].null = row->issued_at == 0;
    return s->driver->query(c,
                            "UPDATE " SQL_LEDGER " SET renewed_from=COALESCE(?,renewed_from),"
                            "issued_at=COALESCE(?,issued_at),"
                            "provisioner_id=COALESCE(?,provisioner_id),"
                            "provisioner_name=COALESCE(?,provisioner_name),"
                            "provisioner_type=COALESCE(?,provisioner_type)"
                            " WHERE ssh=? AND serial=?",
                            v, COUNT_OF(v), DEADLINE_NONE, NULL, NULL, e);
}

static enum sql_result annotate_all(struct sql_store *s, struct sql_conn *c,
                                    const struct inventory_row *rows, size_t n, struct err *e)
{
    enum sql_result result = s->driver->begin(c, DEADLINE_NONE, e);

    for (size_t i = 0; i < n && result == SQL_DONE; i++)
        result = annotate_row(s, c, &rows[i], e);
    if (result == SQL_DONE)
        result = s->driver->commit(c, DEADLINE_NONE, e);
    if (result == SQL_AGAIN || result == SQL_FAILED)
        s->driver->rollback(c);
    return result;
}

bool sql_annotate(struct store *base, const struct inventory_row *rows, size_t n, struct err *e)
{
    struct sql_store *s = (struct sql_store *)base;

    if (!(base->caps & STORE_INVENTORY))
        return true;
    for (int tries = 0; tries < TRIES; tries++) {
        struct sql_conn *c = sql_pool_take(s, DEADLINE_NONE, e);
        if (!c)
            return false;
        enum sql_result result = annotate_all(s, c, rows, n, e);
        sql_pool_give(s, c, result == SQL_BROKEN);
        if (result == SQL_DONE || result == SQL_FAILED)
            return result == SQL_DONE || err_wrap(e, "inventory");
    }
    return err_wrap(e, "inventory");
}
