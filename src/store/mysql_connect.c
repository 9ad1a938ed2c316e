/*
 * MySQL connections: the data source's options in the client library's words, and the session.
 *
 * The client library continues without TLS when the server has none, unless it verifies; so we look
 * afterwards.  Which ways to send a password it may use is listed: in the clear only when the
 * data source says so, never because a server asks for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <errmsg.h>

#include "base/file.h"
#include "store/mysql_driver.h"

static bool fail(MYSQL *my, const struct dsn_mysql *d, struct err *e)
{
    const char *text = mysql_error(my);

    text = *text ? text : "no connection";
    if (mysql_errno(my) < CR_MIN_ERROR)
        return err_set(e, ERR_UNAVAILABLE, "mysql: %s", text);
    if (!d->host)
        return err_set(e, ERR_UNAVAILABLE, "mysql: %s: %s", d->socket, text);
    return err_set(e, ERR_UNAVAILABLE, "mysql: %s port %u: %s", d->host, d->port, text);
}

/* The library says only that there was no such file. */
static bool files_are_there(const struct dsn_mysql *d, struct err *e)
{
    const struct {
        const char *name, *path;
    } files[] = {{"tls-ca", d->tls_ca}, {"tls-cert", d->tls_cert}, {"tls-key", d->tls_key}};

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (files[i].path && access(files[i].path, R_OK) != 0)
            return err_set(e, ERR_UNAVAILABLE, "mysql: %s: %s: %s", files[i].name, files[i].path,
                           strerror(errno));
    }
    return true;
}

/* --- Options --------------------------------------------------------------------------------- */

static void set_times(MYSQL *my, const struct dsn_mysql *d)
{
    unsigned connect = d->connect_seconds ? d->connect_seconds : SQL_CONNECT_SECONDS;
    unsigned reading = d->read_seconds ? d->read_seconds : SQL_ANSWER_SECONDS;
    unsigned writing = d->write_seconds ? d->write_seconds : SQL_ANSWER_SECONDS;

    mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &connect);
    mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &reading);
    mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &writing);
}

static void set_passwords(MYSQL *my, const struct dsn_mysql *d)
{
    char list[160];

    snprintf(list, sizeof(list), "client_ed25519,caching_sha2_password,sha256_password%s%s",
             d->native_passwords ? ",mysql_native_password" : "",
             d->cleartext_passwords ? ",mysql_clear_password,dialog" : "");
    mysql_options(my, MARIADB_OPT_RESTRICTED_AUTH, list);
}

static const char *system_roots(void)
{
    static const char *const FILES[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

    for (size_t i = 0; i < COUNT_OF(FILES); i++) {
        if (file_exists(FILES[i]))
            return FILES[i];
    }
    return NULL;
}

static void set_tls(MYSQL *my, const struct dsn_mysql *d)
{
    my_bool verify = d->tls == DSN_TLS_VERIFIED, enforce = d->tls != DSN_TLS_OFF;
    const char *ca = d->tls_ca ? d->tls_ca : verify ? system_roots() : NULL;

    mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (!enforce)
        return;
    mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_ssl_set(my, d->tls_key, d->tls_cert, ca, NULL, NULL);
}

static void set_options(MYSQL *my, const struct dsn_mysql *d)
{
    unsigned int no = 0;
    unsigned int protocol = d->host ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
    unsigned long packet = d->max_packet ? (unsigned long)d->max_packet : 64ul << 20;

    set_times(my, d);
    set_passwords(my, d);
    mysql_options(my, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &no);
    mysql_options(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (d->compress)
        mysql_options(my, MYSQL_OPT_COMPRESS, NULL);
    mysql_options4(my, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "step-ca");
    for (size_t i = 0; i < d->attributes.n; i++)
        mysql_options4(my, MYSQL_OPT_CONNECT_ATTR_ADD, d->attributes.v[i].name,
                       d->attributes.v[i].value);
}

/* --- One connection -------------------------------------------------------------------------- */

static bool is_safe_enough(MYSQL *my, const struct dsn_mysql *d, struct err *e)
{
    bool wanted = d->tls == DSN_TLS_UNVERIFIED || d->tls == DSN_TLS_VERIFIED;

    if (!wanted || d->plaintext_too || mysql_get_ssl_cipher(my))
        return true;
    return err_set(e, ERR_UNAVAILABLE, "mysql: the server offers no TLS, and tls asks for it");
}

static MYSQL *dial(const struct dsn_mysql *d, const char *database, unsigned *number, struct err *e)
{
    *number = 0;
    if (d->tls != DSN_TLS_OFF && !files_are_there(d, e))
        return NULL;
    MYSQL *my = mysql_init(NULL);
    if (!my) {
        err_set(e, ERR_UNAVAILABLE, "mysql: out of memory");
        return NULL;
    }
    set_options(my, d);
    set_tls(my, d);
    if (mysql_real_connect(my, d->host, d->user, d->password, database, d->port, d->socket, 0) &&
        is_safe_enough(my, d, e))
        return my;
    *number = mysql_errno(my);
    if (*number)
        fail(my, d, e);
    mysql_close(my);
    return NULL;
}

/* tls=true with allowFallbackToPlaintext: the library refuses a server without TLS by itself, when
 * it was told to verify. */
static MYSQL *dial_again(const struct dsn_mysql *d, const char *database, unsigned *number,
                         struct err *e)
{
    struct dsn_mysql plain = *d;
    struct err why = {0};
    MYSQL *my = dial(d, database, number, &why);

    if (my)
        return my;
    if (d->tls == DSN_TLS_VERIFIED && d->plaintext_too &&
        strstr(why.text, "server does not support")) {
        plain.tls = DSN_TLS_OFF;
        return dial(&plain, database, number, e);
    }
    if (e)
        err_move(e, &why);
    return NULL;
}

/* --- The session ----------------------------------------------------------------------------- */

static bool run(struct my_conn *c, const char *sql, struct err *e)
{
    unsigned number;

    return my_plain(c, sql, &number, NULL, e) == SQL_DONE;
}

/* As run, without the server's words, which quote what it does not take.  name: what it is; of a
 * parameter that may be none not even that is repeated. */
static bool run_quietly(struct my_conn *c, const char *sql, const char *name, struct err *e)
{
    unsigned number;

    if (my_plain(c, sql, &number, NULL, e) == SQL_DONE)
        return true;
    if (number >= CR_MIN_ERROR)
        return false;
    if (number == MY_UNKNOWN_VARIABLE || number == MY_SYNTAX)
        return err_set(e, ERR_MALFORMED,
                       "mysql: the data source has a parameter that is no variable of the server, "
                       "or whose value cannot be read (text is quoted with %%27)");
    return err_set(e, ERR_MALFORMED,
                   "mysql: %s of the data source: the server does not take the value (error %u)",
                   name, number);
}

/* The first of the list that the server knows. */
static bool set_charset(struct my_conn *c, const struct dsn_mysql *d, struct arena *a,
                        struct err *e)
{
    struct slice rest = slice_text(d->charset ? d->charset : "utf8mb4"), one;

    if (!d->charset && !d->collation)
        return true;
    while (slice_split(&rest, ',', &one)) {
        const char *sql =
            arena_printf(a, "SET NAMES %.*s%s%s", SLICE_ARG(one), d->collation ? " COLLATE " : "",
                         d->collation ? d->collation : "");
        if (run_quietly(c, sql, "charset or collation", e))
            return true;
    }
    return false;
}

static bool set_variables(struct my_conn *c, const struct dsn_mysql *d, struct arena *a,
                          struct err *e)
{
    for (size_t i = 0; i < d->variables.n; i++) {
        const struct dsn_pair *v = &d->variables.v[i];
        if (!run_quietly(c, arena_printf(a, "SET %s = %s", v->name, v->value), v->name, e))
            return false;
    }
    return true;
}

/* A value that is too long must be an error, not a shorter value. */
static bool set_ours(struct my_conn *c, const struct my_store *s, struct arena *a, struct err *e)
{
    const struct dsn_pairs *v = &s->dsn.variables;
    bool isolation = dsn_pairs_get(v, "tx_isolation") || dsn_pairs_get(v, "transaction_isolation");

    if (!run(c,
             "SET SESSION autocommit=1,"
             " sql_mode=CONCAT_WS(',', NULLIF(@@sql_mode,''), 'STRICT_TRANS_TABLES')",
             e))
        return false;
    if (!dsn_pairs_get(v, "innodb_lock_wait_timeout") &&
        !run(c, arena_printf(a, "SET SESSION innodb_lock_wait_timeout=%d", SQL_LOCK_SECONDS), e))
        return false;
    return !s->read_committed || isolation ||
           run(c, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", e);
}

struct my_conn *my_open(const struct my_store *s, const char *database, unsigned *number,
                        struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    MYSQL *my = dial_again(&s->dsn, database, number, e);

    if (!my)
        return NULL;
    struct my_conn *c = xcalloc(1, sizeof(*c));
    c->my = my;
    if (set_charset(c, &s->dsn, a, e) && set_variables(c, &s->dsn, a, e) && set_ours(c, s, a, e))
        return c;
    my_close(&c->base);
    return NULL;
}

void my_close(struct sql_conn *base)
{
    struct my_conn *c = (struct my_conn *)base;

    for (size_t i = 0; i < SQL_STMTS; i++) {
        for (size_t t = 0; t < TABLES; t++) {
            if (c->stmts[i][t])
                mysql_stmt_close(c->stmts[i][t]);
        }
    }
    if (c->passing)
        mysql_stmt_close(c->passing);
    mysql_close(c->my);
    free(c);
}
