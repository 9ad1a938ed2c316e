/*
 * Yesterday's databases, read only: Badger v1 and v2 directories and bbolt files as the reference
 * leaves them (docs/reference/storage.md "Older databases").  A reader takes a shared lock, so it
 * is refused while a server of the reference runs, and never writes: no lock file, no truncation.
 *
 * Every length and checksum is verified.  What a crash leaves (an incomplete last transaction,
 * zero bytes behind it, one broken meta page) is left out with a warning.  Damage that loses
 * committed data is an error that names the file and the fault.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum legacy_kind { LEGACY_BADGER, LEGACY_BBOLT };

typedef void legacy_warn_fn(void *arg, const char *text);
struct legacy_place {
    enum legacy_kind kind;
    const char *path;      /* directory of Badger; file of bbolt */
    const char *value_dir; /* where Badger's value log lies; NULL: path */
    int64_t now;           /* Unix seconds: entries that expired are not there */
    legacy_warn_fn *warn;  /* may be NULL */
    void *arg;
};

/* Something stands there: a Badger directory with files of its own, or a bbolt file.  False also
 * when it cannot be told (no such directory). */
bool legacy_exists(enum legacy_kind kind, const char *path);
/* Says in 64 hexadecimal digits which state the files are in; whoever writes changes it, copying
 * them elsewhere does not. */
bool legacy_fingerprint(const struct legacy_place *p, struct arena *a, struct slice *hex,
                        struct err *e) CHECKED;

struct legacy;
/* ERR_UNAVAILABLE: a living process holds its lock.  ERR_NOT_FOUND, ERR_FORBIDDEN: the files.
 * ERR_MALFORMED: no such database, damaged, or encrypted.  *p is copied, its texts borrowed. */
struct legacy *legacy_open(const struct legacy_place *p, struct err *e) CHECKED;
void legacy_close(struct legacy *l);
/* "badgerv1", "badgerv2", "bbolt": what the files are, whatever the configuration says. */
const char *legacy_format(const struct legacy *l);

/* key.p == NULL: the table itself, once before its rows.  Slices are valid during the call.
 * False ends the visit; the error is the visitor's to fill. */
typedef bool legacy_row_fn(struct slice table, struct slice key, struct slice value, void *arg,
                           struct err *e);
/* Everything: tables in byte order of their names, rows in byte order of their keys.  Memory: a
 * block of each file, and the largest value. */
bool legacy_visit(struct legacy *l, legacy_row_fn *visit, void *arg, struct err *e) CHECKED;
