/*
 * Work behind the commits, in small pieces through the writer, so that nobody who wants to commit
 * waits for long: the index of names, rows whose time has passed, empty pages.
 */
#include "store/sqlite.h"

#define PIECE      500 /* rows in one transaction */
#define PIECES_MAX 20  /* of each kind in one call of prune */
#define NAMES_MAX  200 /* of the index of names: behind it every certificate is looked at */

/* --- The index of names -------------------------------------------------------------------- */

struct names_piece {
    unsigned done;
};

static bool names_rows(struct conn *c, sqlite3_stmt *st, struct names_piece *piece, int64_t *last,
                       struct err *e)
{
    bool row;

    for (piece->done = 0; sqlite_conn_step(c, st, &row, e); piece->done++) {
        if (!row)
            return true;
        *last = sqlite3_column_int64(st, 0);
        if (!sqlite_names_write(c, ST_NAME_ADD, *last, sqlite_column(st, 1), sqlite_column(st, 2),
                                sqlite_column(st, 3), e)) {
            sqlite3_reset(st);
            return false;
        }
    }
    return false;
}

static bool names_piece(struct conn *c, void *arg, struct err *e)
{
    struct names_piece *piece = arg;
    sqlite3_stmt *next = sqlite_conn_stmt(c, ST_NAMES_NEXT, e),
                 *done = sqlite_conn_stmt(c, ST_NAMES_DONE, e);
    int64_t last = 0;

    if (!next || !done)
        return false;
    sqlite3_bind_int(next, 1, PIECE);
    if (!names_rows(c, next, piece, &last, e))
        return false;
    if (!piece->done)
        return true;
    sqlite3_bind_int64(done, 1, last);
    return sqlite_conn_run(c, done, e);
}

static bool names_behind(struct sqlite_store *s, bool *behind, struct deadline d, struct err *e)
{
    struct conn *c = sqlite_reader_take(&s->readers, d, e);
    bool row = false;

    if (!c)
        return false;
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_NAMES_BEHIND, e);
    bool ok = st && sqlite_conn_step(c, st, &row, e);
    *behind = row && sqlite3_column_int(st, 0) != 0;
    if (row)
        sqlite3_reset(st);
    sqlite_reader_give(&s->readers, c);
    return ok;
}

bool sqlite_names_catch_up(struct sqlite_store *s, struct deadline d, struct err *e)
{
    struct names_piece piece = {0};
    bool behind;

    if (!names_behind(s, &behind, d, e))
        return false;
    while (behind) {
        if (!sqlite_writer_call(s->writer, names_piece, &piece, d, e))
            return err_wrap(e, "index of names");
        behind = piece.done == PIECE;
    }
    return true;
}

/* --- Pruning ------------------------------------------------------------------------------- */

struct prune_piece {
    int64_t now;
    unsigned removed;
};

struct expired {
    int tbl[PIECE];
    struct slice key[PIECE];
    unsigned n;
};

static bool find_expired(struct conn *c, int64_t now, struct arena *a, struct expired *found,
                         struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_KV_EXPIRED, e);
    bool row;

    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, now);
    sqlite3_bind_int(st, 2, PIECE);
    while (sqlite_conn_step(c, st, &row, e)) {
        if (!row)
            return true;
        found->tbl[found->n] = sqlite3_column_int(st, 0);
        found->key[found->n++] = arena_copy(a, sqlite_column(st, 1));
    }
    return false;
}

/* By whole keys: SQLite would look for a set of them by the table alone, and so go through all
 * tokens for every piece. */
static bool prune_kv(struct conn *c, struct prune_piece *piece, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct expired *found = arena_alloc(a, sizeof(*found));
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_KV_REMOVE, e);

    if (!st || !find_expired(c, piece->now, a, found, e))
        return false;
    for (unsigned i = 0; i < found->n; i++) {
        sqlite3_bind_int(st, 1, found->tbl[i]);
        sqlite_bind_blob(st, 2, found->key[i]);
        if (!sqlite_conn_run(c, st, e))
            return false;
    }
    piece->removed += found->n;
    return true;
}

static bool prune_big(struct conn *c, struct prune_piece *piece, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_BIG_PRUNE, e);

    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, piece->now);
    sqlite3_bind_int(st, 2, PIECE);
    if (!sqlite_conn_run(c, st, e))
        return false;
    piece->removed += (unsigned)sqlite3_changes(c->db);
    return true;
}

static bool prune_piece(struct conn *c, void *arg, struct err *e)
{
    struct prune_piece *piece = arg;

    piece->removed = 0; /* this may be the second run */
    return prune_kv(c, piece, e) && prune_big(c, piece, e);
}

/* Free pages are used again by what comes; given back is only what nobody will need soon. */
static bool vacuum_piece(struct conn *c, void *arg UNUSED, struct err *e)
{
    int64_t pages, unused;

    if (!sqlite_conn_number(c, "PRAGMA page_count", &pages, e) ||
        !sqlite_conn_number(c, "PRAGMA freelist_count", &unused, e))
        return false;
    return unused < 1000 || unused < pages / 4 ||
           sqlite_conn_exec(c, "PRAGMA incremental_vacuum(500)", e);
}

static bool index_some(struct sqlite_store *s, struct err *e)
{
    struct names_piece piece = {0};
    bool behind;

    if (!names_behind(s, &behind, DEADLINE_NONE, e))
        return false;
    for (unsigned n = 0; behind && n < NAMES_MAX; n++) {
        if (!sqlite_writer_call(s->writer, names_piece, &piece, DEADLINE_NONE, e))
            return false;
        behind = piece.done == PIECE;
    }
    return true;
}

bool sqlite_prune(struct store *base, int64_t now, uint64_t *removed, struct err *e)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct prune_piece piece = {.now = now, .removed = PIECE};

    *removed = 0;
    for (unsigned n = 0; piece.removed >= PIECE && n < PIECES_MAX; n++) {
        if (!sqlite_writer_call(s->writer, prune_piece, &piece, DEADLINE_NONE, e))
            return false;
        *removed += piece.removed;
    }
    return index_some(s, e) && sqlite_writer_call(s->writer, vacuum_piece, NULL, DEADLINE_NONE, e);
}
