/* An old database becomes a file of ours, whole or not at all. */
#pragma once

#include "crypto/digest.h"
#include "store/legacy.h"
#include "store/store.h"

/* Rows and their digest, told in the order of tables and keys: the same on both sides when every
 * byte of every row is. */
struct content_sum {
    struct digest_run run;
    uint64_t rows, tables;
};
void content_sum_begin(struct content_sum *s);
void content_sum_row(struct content_sum *s, struct slice table, struct slice key,
                     struct slice value);
struct slice content_sum_end(struct content_sum *s, struct arena *a); /* hex */

/* The longest key that the store takes; 0: any.  A row with a longer one is not given to it:
 * whoever imports says so and counts it. */
size_t store_key_max(const struct store *s);

struct import_report {
    const char *format; /* what the source was */
    uint64_t tables, rows, certificates;
    struct slice sha256;
};
/* The record of an import as it stands in TABLE_IMPORTS under "last". */
struct slice import_record(struct arena *a, const struct import_report *r, struct slice source,
                           struct slice fingerprint, struct instant at);
/* The fingerprint of the source in a record; p == NULL: there is none. */
struct slice import_record_fingerprint(struct arena *a, struct slice record);

/* Reads everything and writes it in one transaction into a new file beside `path`, compares both
 * sides by count and digest, and only then gives it its name.  ERR_EXISTS: path is there. */
bool store_sqlite_from_legacy(const char *path, const struct legacy_place *from,
                              describe_fn *describe, struct clock *clock, struct arena *a,
                              struct import_report *report, struct err *e) CHECKED;
