/* What is looked at in any engine: are the records what their tables hold? */
#include <stdio.h>

#include "store/engine.h"
#include "json/json.h"

/*
 * Of some the CA cannot do without the form.  Others count as they are: a revocation by its key
 * alone, and a data record that says nothing only leaves the inventory poorer.
 */
static const struct record_table {
    enum table t;
    bool needed;
} RECORDS[] = {
    {TABLE_X509_CRL, true},
    {TABLE_ACME_ACCOUNTS, true},
    {TABLE_ACME_ORDERS, true},
    {TABLE_ACME_AUTHZS, true},
    {TABLE_ACME_CHALLENGES, true},
    {TABLE_ACME_CERTS, true},
    {TABLE_ACME_SERIAL_CERTS_INDEX, true},
    {TABLE_ACME_EAB_KEYS, true},
    {TABLE_ADMINS, true},
    {TABLE_PROVISIONERS, true},
    {TABLE_POLICIES, true},
    {TABLE_X509_CERTS_DATA, false},
    {TABLE_REVOKED_X509_CERTS, false},
    {TABLE_REVOKED_SSH_CERTS, false},
    {TABLE_SSH_HOST_PRINCIPALS, false},
    {TABLE_NONCES, false},
};

/* A JSON object or list; null and nothing at all are a record that is gone. */
static bool record_fits(struct slice value)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct json *v = value.n ? json_read(a, value, &JSON_RECORD, NULL, NULL) : NULL;

    return value.n == 0 ||
           (v && (v->kind == JSON_OBJECT || v->kind == JSON_LIST || v->kind == JSON_NULL));
}

/* --- Those that are not ------------------------------------------------------------------------
 */

struct looking {
    misfit_fn *found;
    void *arg;
    enum table t;
    bool stopped;
};

static bool look_at_row(struct slice key, struct slice value, void *arg)
{
    struct looking *l = arg;

    if (!record_fits(value))
        l->stopped = !l->found(l->t, key, value, l->arg);
    return !l->stopped;
}

/* By name: a table that nobody made has no rows. */
static bool look_at_table(struct store *s, struct looking *l, unsigned rows, struct err *e)
{
    return s->ops->scan_named(s, slice_text(table_name(l->t)), SLICE_NONE, rows, look_at_row, l,
                              DEADLINE_NONE, e);
}

bool store_misfits(struct store *s, unsigned rows, misfit_fn *found, void *arg, struct err *e)
{
    struct looking l = {.found = found, .arg = arg};

    for (size_t i = 0; s->ops->scan_named && i < COUNT_OF(RECORDS) && !l.stopped; i++) {
        l.t = RECORDS[i].t;
        if (RECORDS[i].needed && !look_at_table(s, &l, rows, e))
            return false;
    }
    return true;
}

/* --- For a check -------------------------------------------------------------------------------
 */

struct telling {
    problem_fn *tell;
    void *arg;
};

/* It may have come with an import, which keeps everything: the database is sound all the same. */
static bool tell_misfit(enum table t, struct slice key, struct slice value UNUSED, void *arg)
{
    const struct telling *k = arg;
    char text[300];

    snprintf(text, sizeof(text), "note: %s: the record of \"%.*s\" is not JSON", table_name(t),
             SLICE_ARG(slice_sub(key, 0, 100)));
    k->tell(text, k->arg);
    return true;
}

bool store_check_records(struct store *s, problem_fn *tell, void *arg, struct err *e)
{
    struct telling k = {tell, arg};
    struct looking l = {.found = tell_misfit, .arg = &k};

    for (size_t i = 0; i < COUNT_OF(RECORDS); i++) {
        l.t = RECORDS[i].t;
        if (!look_at_table(s, &l, 0, e))
            return false;
    }
    return true;
}
