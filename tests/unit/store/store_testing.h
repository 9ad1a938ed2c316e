/*
 * What the tests of the store share: a clock that stands still, a scratch directory, and commits
 * in one line.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/store.h"

#define NOW INT64_C(1750000000)

static UNUSED struct instant still_now(struct clock *c UNUSED)
{
    return instant_sec(NOW);
}
static UNUSED int64_t still_mono(struct clock *c UNUSED)
{
    return 1000 * NS_PER_SEC;
}
static UNUSED struct clock STILL = {still_now, still_mono};

static UNUSED const struct refusal USED = {ERR_UNAUTHORIZED, "used", "token already used"};
static UNUSED const struct refusal REVOKED = {ERR_EXISTS, "revoked", "already revoked"};
static UNUSED const struct refusal NO_NONCE = {ERR_MALFORMED, "badNonce", "no such nonce"};

static inline char *scratch_make(void)
{
    char name[] = "/tmp/newel-store-XXXXXX";

    assert_non_null(mkdtemp(name));
    return xstrdup(name);
}

/* One level: files only. */
static inline void scratch_remove(char *dir)
{
    DIR *d = opendir(dir);
    char path[4096];

    for (struct dirent *f; d && (f = readdir(d));) {
        snprintf(path, sizeof(path), "%s/%s", dir, f->d_name);
        if (f->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
    free(dir);
}

static inline void assert_slice(struct slice got, struct slice expected)
{
    if (slice_eq(got, expected))
        return;
    fail_msg("got \"%.*s\" (%zu bytes), expected \"%.*s\" (%zu bytes)", SLICE_ARG(got), got.n,
             SLICE_ARG(expected), expected.n);
}

static inline void assert_row(struct store *s, enum table t, struct slice key,
                              struct slice expected)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice value;
    struct err e = {0};

    if (!store_get(s, t, key, a, &value, DEADLINE_NONE, &e))
        fail_msg("get failed: %s", e.text);
    if (expected.p && !value.p)
        fail_msg("no row \"%.*s\" in %s", SLICE_ARG(key), table_name(t));
    if (!expected.p && value.p)
        fail_msg("a row \"%.*s\" in %s", SLICE_ARG(key), table_name(t));
    assert_slice(value, expected);
}

static inline void assert_commit(struct store *s, struct store_batch *b)
{
    struct err e = {0};

    if (!store_commit(s, b, DEADLINE_NONE, &e))
        fail_msg("commit failed: %s", e.text);
    batch_clear(b);
}

static inline void put(struct store *s, enum table t, struct slice key, struct slice value)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct store_batch b = {.arena = a};

    batch_put(&b, t, key, value);
    assert_commit(s, &b);
}

/* What revoke_in says, as the reference records it. */
#define REVOCATION                                                                                 \
    SLICE("{\"Serial\":\"?\",\"ReasonCode\":1,\"Reason\":\"stolen\","                              \
          "\"RevokedAt\":\"2025-06-15T15:06:35Z\"}")

/* A certificate as far as a store is concerned. */
static inline struct issued certificate(const char *serial)
{
    return (struct issued){
        .serial = slice_text(serial),
        .der = SLICE("\x30\x03\x02\x01\x00"),
        .data = SLICE("{\"provisioner\":{\"id\":\"p1\",\"name\":\"admin\",\"type\":\"JWK\"}}"),
        .subject = SLICE("CN=host.example,O=Example"),
        .common_name = SLICE("host.example"),
        .names = SLICE("dns:host.example\nip:10.0.0.1\n"),
        .fingerprint = SLICE("00ff"),
        .key_type = SLICE("ECDSA P-256"),
        .provisioner_id = SLICE("p1"),
        .provisioner_name = SLICE("admin"),
        .provisioner_type = SLICE("JWK"),
        .not_before = NOW - 10,
        .not_after = NOW + 86400,
        .issued_at = NOW,
    };
}

static inline struct issued ssh_certificate(const char *serial)
{
    return (struct issued){
        .kind = CERT_SSH_USER,
        .serial = slice_text(serial),
        .der = SLICE("ssh-blob"),
        .subject = SLICE("ann@example.org"),
        .names = SLICE("principal:ann\nprincipal:root\n"),
        .fingerprint = SLICE("SHA256:aa"),
        .key_type = SLICE("ED25519"),
        .provisioner_id = SLICE("p9"),
        .provisioner_name = SLICE("people"),
        .provisioner_type = SLICE("OIDC"),
        .ca_key = SLICE("SHA256:bb"),
        .not_before = NOW - 10,
        .not_after = NOW + 86400,
        .issued_at = NOW,
    };
}

static inline void issue_one(struct store *s, const struct issued *i)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct store_batch b = {.arena = a};

    batch_issue(&b, i);
    assert_commit(s, &b);
}

static inline void revoke_in(struct store *s, bool ssh, const char *serial)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct store_batch b = {.arena = a};
    struct revoked r = {.ssh = ssh,
                        .serial = slice_text(serial),
                        .record = REVOCATION,
                        .at = NOW - 5,
                        .reason_code = 1,
                        .reason = SLICE("stolen")};

    batch_revoke(&b, &r, &REVOKED);
    assert_commit(s, &b);
}

static inline void revoke_serial(struct store *s, const char *serial)
{
    revoke_in(s, false, serial);
}

/* --- One test on one engine ------------------------------------------------------------------ */

struct ground {
    struct store *s;
    struct arena *a;
    struct store_batch b;
    char *dir;
    struct err e;
};
static UNUSED bool on_sqlite;
/* Or on a server, in a database that is made for the test and left behind. */
static UNUSED const char *on_server, *server_source;
static UNUSED bool server_inventory;

static inline struct store *open_on_server(struct err *e)
{
    static unsigned n;
    char name[64];

    snprintf(name, sizeof(name), "newel_%d_%u", (int)getpid(), ++n);
    struct store_source_options o = {.make = true, .inventory = server_inventory};
    return store_source_open_with(slice_text(on_server), slice_text(server_source),
                                  slice_text(name), &o, &STILL, e);
}

static UNUSED int begin(void **state)
{
    struct ground *g = xcalloc(1, sizeof(*g));
    char path[4096];

    g->a = arena_new(&HEAP_USUAL);
    g->b.arena = g->a;
    g->dir = scratch_make();
    snprintf(path, sizeof(path), "%s/store.sqlite", g->dir);
    if (on_server)
        g->s = open_on_server(&g->e);
    else if (on_sqlite)
        g->s = store_sqlite_open(path, &STILL, &g->e);
    else
        g->s = store_memory_open(true, &STILL);
    if (!g->s)
        fail_msg("%s", g->e.text);
    *state = g;
    return 0;
}

static UNUSED int end(void **state)
{
    struct ground *g = *state;

    store_close(g->s);
    arena_free(g->a);
    scratch_remove(g->dir);
    free(g);
    return 0;
}

static inline void assert_refused(struct ground *g, const struct refusal *why)
{
    assert_false(store_commit(g->s, &g->b, DEADLINE_NONE, &g->e));
    assert_int_equal(g->e.kind, why->kind);
    assert_string_equal(g->e.text, why->text);
    assert_ptr_equal(g->e.code, why->code);
    batch_clear(&g->b);
}

/* The same tests on each engine, with a store of its own for each of them. */
#define RUN_ON_BOTH(tests)                                                                         \
    ({                                                                                             \
        on_sqlite = false;                                                                         \
        int failed_ = cmocka_run_group_tests_name("memory", tests, NULL, NULL);                    \
        on_sqlite = true;                                                                          \
        failed_ + cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);                        \
    })
/* And on the servers that NEWEL_TEST_MYSQL and NEWEL_TEST_POSTGRESQL name, if any
 * (tests/integration/test_sql_databases.py starts some). */
static inline bool use_server(const char *type)
{
    const char *variable =
        strcmp(type, "mysql") == 0 ? "NEWEL_TEST_MYSQL" : "NEWEL_TEST_POSTGRESQL";

    server_source = getenv(variable);
    on_server = server_source ? type : NULL;
    return on_server != NULL;
}
#define RUN_ON_SERVERS(tests)                                                                      \
    ({                                                                                             \
        int failed_ = 0;                                                                           \
        if (use_server("mysql"))                                                                   \
            failed_ += cmocka_run_group_tests_name("mysql", tests, NULL, NULL);                    \
        if (use_server("postgresql"))                                                              \
            failed_ += cmocka_run_group_tests_name("postgresql", tests, NULL, NULL);               \
        on_server = NULL;                                                                          \
        failed_;                                                                                   \
    })
#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)
