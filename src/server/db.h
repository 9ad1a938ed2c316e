/*
 * step-ca db: what an operator does with the database.
 *
 *   db.c           flags, help, which command
 *   db_open.c      TYPE:SOURCE and the configuration's database as something to read from
 *   db_import.c    import, dump
 *   db_lineage.c   what only an inventory knows, at the end of an import
 *   db_list.c      list, show, export, stats
 *   db_care.c      check, backup, reindex, prune
 *   db_aside.c     set-aside
 */
#pragma once

#include "authority/config.h"
#include "store/legacy.h"
#include "store/store.h"

extern const char DB_HELP[];

struct db_flags {
    const char *config, *context, *db, *from, *to, *value_dir, *format, *expiring_in, *since,
        *provisioner, *san, *subject, *limit, *certificates;
    bool revoked, active, ssh, x509, dry_run, help;
};
struct db_call {
    struct arena *a;
    struct clock *clock;
    struct db_flags flags;
    const char *words[3]; /* behind the command's name */
    size_t n_words;
    const char *config_path; /* where it is, whether it exists or not */
    bool understood;         /* flags and words are right: what fails now is something else */
    bool changes;            /* the command writes to the database that it opens, unless a target */
    struct err e;
};

/* The command with its words and flags; the exit code. */
int db_command(int argc, char **argv, const char *context);
/* The parser alone: for tests.  *command: NULL for help. */
struct db_command;
bool db_read(struct db_call *call, int argc, char **argv, const struct db_command **command,
             struct err *e) CHECKED;
const char *db_command_name(const struct db_command *c);

/* --- A database as a source ------------------------------------------------------------------ */

struct db_source {
    struct store *store;     /* or */
    struct legacy *legacy;   /* an old one */
    const char *type, *name; /* "sqlite"; without passwords */
    struct slice state;      /* of an old one: its fingerprint */
};
/* "badgerv2:/path". */
bool db_source_open(struct db_call *c, const char *spec, struct db_source *s) CHECKED;
/* The one of --db, else of the configuration; the file must be there. */
bool db_source_configured(struct db_call *c, struct db_source *s) CHECKED;
/* renewed_from, issued_at and the provisioner of each certificate, where both have an inventory. */
bool db_lineage_carry(struct store *from, struct store *to, struct err *e) CHECKED;
/* The target of an import: made when it is not there. */
bool db_target_open(struct db_call *c, struct db_source *s) CHECKED;
void db_source_close(struct db_source *s);
/* As legacy_visit; tables of our own are left out. */
bool db_source_visit(struct db_source *s, legacy_row_fn *visit, void *arg, struct err *e) CHECKED;
/* "sqlite cannot do this"; false unless op. */
bool db_can(struct db_call *c, const struct db_source *s, bool op, const char *what) CHECKED;

/* --- The JSON shape of a dump ------------------------------------------------------------------
 * {"note": …, "tables": {"<table>": [{"k": base64, "v": base64}, …]}}, written piece by piece.
 */
struct db_dump {
    struct buf text;
    bool any_table, any_row;
};
/* note + type: JSON text as it is. */
void db_dump_begin(struct db_dump *d, const char *note, const char *type);
/* key.p NULL: the table itself begins. */
void db_dump_row(struct db_dump *d, struct slice table, struct slice key, struct slice value);
void db_dump_end(struct db_dump *d);

/* --- Times --------------------------------------------------------------------------------- */

/* "7d", "2w", "36h": nanoseconds; not negative. */
bool db_duration(const char *flag, const char *text, int64_t *ns, struct err *e) CHECKED;
/* A date, a time (RFC 3339), or how long ago: Unix seconds. */
bool db_since(const char *flag, const char *text, struct clock *clock, int64_t *at,
              struct err *e) CHECKED;

/* --- Commands: an exit code, the error in c->e ----------------------------------------------- */

bool db_import(struct db_call *c) CHECKED;
bool db_dump(struct db_call *c) CHECKED;
bool db_list(struct db_call *c) CHECKED;
bool db_show(struct db_call *c) CHECKED;
bool db_export(struct db_call *c) CHECKED;
bool db_stats(struct db_call *c) CHECKED;
bool db_check(struct db_call *c) CHECKED;
bool db_backup(struct db_call *c) CHECKED;
bool db_reindex(struct db_call *c) CHECKED;
bool db_prune(struct db_call *c) CHECKED;
bool db_set_aside(struct db_call *c) CHECKED;

/* Everything that was printed left. */
bool db_flush(struct db_call *c) CHECKED;
