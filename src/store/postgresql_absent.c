/* A build without PostgreSQL's client library says so. */
#include "store/sql.h"

struct store *store_postgresql_open(const char *source UNUSED, const char *database UNUSED,
                                    const struct store_source_options *o UNUSED,
                                    struct clock *clock UNUSED, struct err *e)
{
    err_set(e, ERR_NOT_IMPLEMENTED,
            "this build has no PostgreSQL engine (it was built without libpq)");
    return NULL;
}

const bool STORE_HAS_POSTGRESQL = false;
