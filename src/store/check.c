/* What a check of any engine looks at: are the records what their tables hold? */
#include <stdio.h>

#include "store/engine.h"
#include "json/json.h"

struct check {
    problem_fn *tell;
    void *arg;
    enum table t;
};

/* Records of the reference are JSON objects or lists.  What is none may have come with an import,
 * which keeps everything: the database is sound all the same. */
static bool check_record(struct slice key, struct slice value, void *arg)
{
    const struct check *k = arg;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct json *v = value.n ? json_read(a, value, &JSON_RECORD, NULL, NULL) : NULL;
    char text[300];

    if (!value.n || (v && (v->kind == JSON_OBJECT || v->kind == JSON_LIST || v->kind == JSON_NULL)))
        return true;
    snprintf(text, sizeof(text), "note: %s: the record of \"%.*s\" is not JSON", table_name(k->t),
             SLICE_ARG(slice_sub(key, 0, 100)));
    k->tell(text, k->arg);
    return true;
}

bool store_check_records(struct store *s, problem_fn *tell, void *arg, struct err *e)
{
    static const enum table RECORDS[] = {
        TABLE_X509_CERTS_DATA,
        TABLE_REVOKED_X509_CERTS,
        TABLE_X509_CRL,
        TABLE_REVOKED_SSH_CERTS,
        TABLE_SSH_HOST_PRINCIPALS,
        TABLE_ACME_ACCOUNTS,
        TABLE_ACME_ORDERS,
        TABLE_ACME_AUTHZS,
        TABLE_ACME_CHALLENGES,
        TABLE_ACME_CERTS,
        TABLE_ACME_SERIAL_CERTS_INDEX,
        TABLE_NONCES,
        TABLE_ACME_EAB_KEYS,
        TABLE_ADMINS,
        TABLE_PROVISIONERS,
        TABLE_POLICIES,
    };
    struct check k = {.tell = tell, .arg = arg};

    for (size_t i = 0; i < COUNT_OF(RECORDS); i++) {
        k.t = RECORDS[i];
        /* By name: one that nobody made has no rows. */
        if (!s->ops->scan_named(s, slice_text(table_name(k.t)), SLICE_NONE, 0, check_record, &k,
                                DEADLINE_NONE, e))
            return false;
    }
    return true;
}
