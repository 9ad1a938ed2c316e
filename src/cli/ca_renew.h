/*
 * Keeping a certificate fresh: what `step ca renew` and `step ca rekey` share.  When to act is a
 * few pure functions (ca_renew_plan.c), what happens afterwards another few (ca_after.c); the loop
 * between them is ca_renew_daemon.c.
 */
#pragma once

#include "cli/ca_offline.h"

/* --- ca_renew_plan.c: when ------------------------------------------------------------------- */

struct renew_timing {
    bool has_expires_in;
    int64_t expires_in; /* ns: renew when that much or less is left */
    int64_t period;     /* ns: renew that often; 0: by what is left */
};
/* Uniform in [0, x); 0 for x <= 0. */
int64_t renew_random(struct rng *rng, int64_t x);
/* One run with --expires-in: little enough is left. */
bool renew_due(const struct cert *leaf, int64_t expires_in, struct instant now, struct rng *rng);
/* The daemon's next renewal: ns from now. */
int64_t renew_next(const struct cert *leaf, const struct renew_timing *t, struct instant now,
                   struct rng *rng);
/* After so many failures in a row (1, 2, …): ns until the next attempt.  A minute, twice as long
 * each time, at most a 20th of the validity, and before the certificate expires. */
int64_t renew_retry(const struct cert *leaf, struct instant now, unsigned failures);
/* Whole seconds, for people. */
int64_t renew_rounded(int64_t ns);

/* --- ca_after.c: what then ------------------------------------------------------------------- */

struct renew_after {
    int64_t pid; /* 0: none */
    const char *pid_file;
    int signal;
    char **argv; /* NULL-terminated; NULL: no command */
};
/* Flags pid, pid-file, signal, exec. */
bool renew_after_flags(struct invocation *inv, struct renew_after *after);
/* Process id in a pid file: at least 2.  As root: not a file that somebody else may write. */
bool pid_file_read(struct arena *a, const char *path, int64_t *pid, struct err *e) CHECKED;
/* Signals, then runs the command and waits for it. */
bool renew_after_run(struct arena *a, const struct renew_after *after, struct err *e) CHECKED;

/* --- ca_pair.c: key and certificate that belong together ------------------------------------- */

/* Replaces both so that a crash leaves the old pair, the new pair, or a new key whose certificate
 * waits in <crt>.rekey, where pair_mend finds it. */
bool pair_write(struct arena *a, const char *key, struct slice key_pem, const char *crt,
                struct slice crt_pem, struct err *e) CHECKED;
/* The certificate of a pair that was interrupted, when it is there and fits the key: moved into
 * place.  False without an error: there is none. */
bool pair_mend(struct arena *a, const struct private_key *key, const char *crt,
               struct cert_list *chain, struct err *e) CHECKED;

/* --- The renewer ----------------------------------------------------------------------------- */

struct renewer;
struct renew_kind {
    const char *done;    /* "renewed" */
    const char *process; /* "renewal" */
    /* Asks the CA and writes the files.  The key of the new certificate: made in keep, or the old
     * one. */
    bool (*once)(struct renewer *r, struct arena *keep, struct private_key **key, struct err *e);
};
struct renewer {
    struct invocation *inv;
    const struct renew_kind *kind;
    const char *crt, *key;         /* read at the start */
    const char *crt_out, *key_out; /* written; key_out NULL: never */
    struct slice url;
    struct cert_list roots;
    bool mtls, daemon, offline;
    struct renew_timing timing;
    struct renew_after after;
    struct ca_held held;
    struct arena *held_arena; /* of the daemon; NULL: inv->arena */
    /* rekey */
    enum key_type key_type;
    unsigned key_bits;
    const char *new_key; /* --private-key */
};
/* Reads files and flags that both commands have; period_flag: "renew-period" or "rekey-period". */
bool renewer_init(struct renewer *r, const char *period_flag);
/* One request: a new certificate for the same key (csr empty), or for that of a request.  key: of
 * the request.  By token where the certificate cannot or must not be shown. */
bool renewer_ask(struct renewer *r, struct slice csr, const struct key *key, bool by_token,
                 struct cert_list *chain, struct err *e) CHECKED;
/* One run, or the daemon; exit code. */
int renewer_run(struct renewer *r);
/* Writes a file of a result: asks, unless this is the daemon. */
bool renewer_write(struct renewer *r, const char *path, struct slice content,
                   struct err *e) CHECKED;
bool renewer_expired(const struct renewer *r);
/* The loop: until SIGTERM. */
int renew_daemon(struct renewer *r);
extern const struct flag FLAGS_AFTER[]; /* pid, pid-file, signal, exec */
