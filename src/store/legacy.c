/*
 * The two readers behind one door, and what can be told from outside: is there anything, and is it
 * still what it was.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "crypto/digest.h"
#include "store/badger.h"
#include "store/bbolt.h"
#include "store/legacy_file.h"

struct legacy {
    enum legacy_kind kind;
    struct badger *badger;
    struct bbolt *bbolt;
};

bool legacy_exists(enum legacy_kind kind, const char *path)
{
    struct stat st;

    if (kind == LEGACY_BADGER)
        return badger_exists(path);
    /* bbolt takes an empty file for a database that is to be made. */
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

bool legacy_fingerprint(const struct legacy_place *p, struct arena *a, struct slice *hex,
                        struct err *e)
{
    struct slice state;

    if (p->kind == LEGACY_BADGER ? !badger_state(p, a, &state, e)
                                 : !bbolt_state(p->path, a, &state, e))
        return false;
    *hex = sha256_hex(a, state);
    return true;
}

struct legacy *legacy_open(const struct legacy_place *p, struct err *e)
{
    struct legacy *l = xcalloc(1, sizeof(*l));

    l->kind = p->kind;
    if (p->kind == LEGACY_BADGER)
        l->badger = badger_open(p, e);
    else
        l->bbolt = bbolt_open(p, e);
    if (l->badger || l->bbolt)
        return l;
    free(l);
    return NULL;
}

void legacy_close(struct legacy *l)
{
    if (l->badger)
        badger_close(l->badger);
    if (l->bbolt)
        bbolt_close(l->bbolt);
    free(l);
}

const char *legacy_format(const struct legacy *l)
{
    return l->badger ? badger_format(l->badger) : "bbolt";
}

bool legacy_visit(struct legacy *l, legacy_row_fn *visit, void *arg, struct err *e)
{
    return l->badger ? badger_visit(l->badger, visit, arg, e)
                     : bbolt_visit(l->bbolt, visit, arg, e);
}
