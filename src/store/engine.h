/*
 * What the engines share and nobody else needs: the list of tables, the judgement of an
 * expectation, the texts of a certificate, and waiting for a commit.
 */
#pragma once

#include <pthread.h>

#include "store/store.h"

struct table_info {
    const char *name;
    int id;   /* in files: fixed for ever, whatever becomes of the enum */
    bool big; /* values are often longer than a kilobyte, or many come and go together */
};
extern const struct table_info TABLE_INFO[TABLES];

/* What an engine relies on: every op has a key and a refusal, no (table, key) is named twice.
 * ERR_INTERNAL: the caller is wrong. */
bool batch_check(const struct store_batch *b, struct err *e) CHECKED;
/* found: what stands in the store now; p == NULL: no row. */
bool batch_op_holds(const struct store_op *op, struct slice found) CHECKED;

/* Where the texts of a struct issued stand, for those who copy or bind them all. */
#define ISSUED_TEXTS 13
extern const size_t ISSUED_TEXT_AT[ISSUED_TEXTS];
static inline struct slice *issued_text(const struct issued *i, size_t nth)
{
    return (struct slice *)((char *)(uintptr_t)i + ISSUED_TEXT_AT[nth]);
}

/* The next of issued.names: "dns:a.example" -> "dns", "a.example". */
bool issued_name_next(struct slice *rest, struct slice *type, struct slice *value) CHECKED;

/* san: "a.example", or with its kind, "dns:a.example"; names: as issued.names. */
bool inventory_has_name(struct slice names, struct slice san);
/* The records of all tables that have some, for a check. */
bool store_check_records(struct store *s, problem_fn *tell, void *arg, struct err *e) CHECKED;

/* A revocation that came as a bare record (an import): the members that the inventory shows.
 * What cannot be read becomes `now`, 0 and empty: it is revoked all the same. */
void store_revoked_from_record(struct revoked *r, struct arena *a, struct slice record,
                               int64_t now);

/* provisioner_* from an x509_certs_data record; false: it says nothing. */
bool store_provisioner_from_data(struct issued *i, struct arena *a, struct slice data) CHECKED;

/* Waits for one commit, with committed_fn commit_wait_done and the wait as its argument. */
struct commit_wait {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
    enum committed outcome;
    const struct store_op *refused;
    struct err why;
};
void commit_wait_begin(struct commit_wait *w);
void commit_wait_done(enum committed how, const struct store_op *refused, const struct err *why,
                      void *wait);
/* True when committed; the refusal or the loss becomes the error. */
bool commit_wait_end(struct commit_wait *w, struct err *e) CHECKED;
