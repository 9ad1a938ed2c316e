/* Data source strings: any bytes are read or refused, and an error never repeats a long piece. */
#include <stdlib.h>

#include "store/dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_pairs(const struct dsn_pairs *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strlen(p->v[i].name) > DSN_MAX || strlen(p->v[i].value) > 4 * DSN_MAX)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct slice text = slice_of(data, n);
    struct dsn_mysql m;
    struct dsn_postgresql p;
    struct err e = {0};

    if (dsn_mysql_read(a, text, &m, &e)) {
        if (strlen(m.user) + strlen(m.password) + strlen(m.database) > n)
            abort();
        check_pairs(&m.variables);
        check_pairs(&m.attributes);
    } else if (e.kind != ERR_MALFORMED) {
        abort();
    }
    if (dsn_postgresql_read(a, text, &p, &e))
        check_pairs(&p.keywords);
    else if (e.kind != ERR_MALFORMED && e.kind != ERR_TOO_LARGE)
        abort();
    arena_free(a);
    return 0;
}
