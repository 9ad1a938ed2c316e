/*
 * Data source strings: what MySQL's and PostgreSQL's mean, and that no error repeats them.
 */
#include "store_testing.h"

#include "store/dsn.h"

/* --- MySQL --------------------------------------------------------------------------------- */

static void a_mysql_source_is_read_from_the_right(void **state UNUSED)
{
    static const struct {
        const char *text, *user, *password, *host, *socket, *database;
        unsigned port;
    } CASES[] = {
        {"", "", "", "127.0.0.1", NULL, "", 3306},
        {"/", "", "", "127.0.0.1", NULL, "", 3306},
        {"/ca", "", "", "127.0.0.1", NULL, "ca", 3306},
        {"user@/ca", "user", "", "127.0.0.1", NULL, "ca", 3306},
        {"user:password@tcp(127.0.0.1:3306)/", "user", "password", "127.0.0.1", NULL, "", 3306},
        {"u:p@tcp(db.example)/ca", "u", "p", "db.example", NULL, "ca", 3306},
        {"u:p@tcp(db.example:33061)/ca", "u", "p", "db.example", NULL, "ca", 33061},
        {"u:p@tcp/ca", "u", "p", "127.0.0.1", NULL, "ca", 3306},
        {"u:p@tcp()/ca", "u", "p", "127.0.0.1", NULL, "ca", 3306},
        {"u:p@(h:1)/ca", "u", "p", "h", NULL, "ca", 1},
        {"u:p@tcp([::1]:3307)/ca", "u", "p", "::1", NULL, "ca", 3307},
        {"u:p@tcp([fe80::2])/ca", "u", "p", "fe80::2", NULL, "ca", 3306},
        {"u:p@tcp(::1)/ca", "u", "p", "::1", NULL, "ca", 3306},
        {"u:p@:/(w)@tcp(h)/ca", "u", "p@:/(w)", "h", NULL, "ca", 3306},
        {"u:100%25@tcp(h)/ca", "u", "100%25", "h", NULL, "ca", 3306},
        {":p@tcp(h)/ca", "", "p", "h", NULL, "ca", 3306},
        {"u@unix(/run/mysqld/mysqld.sock)/step_ca", "u", "", NULL, "/run/mysqld/mysqld.sock",
         "step_ca", 3306},
        {"u@unix/step_ca", "u", "", NULL, "/tmp/mysql.sock", "step_ca", 3306},
        {"u:p@tcp(h)/a%2Fb%3F", "u", "p", "h", NULL, "a/b?", 3306},
        {"u:p@tcp(h)/ca?parseTime=true&noequals&", "u", "p", "h", NULL, "ca", 3306},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct dsn_mysql d;
        struct err e = {0};
        if (!dsn_mysql_read(a, slice_text(CASES[i].text), &d, &e))
            fail_msg("%s: %s", CASES[i].text, e.text);
        assert_string_equal(d.user, CASES[i].user);
        assert_string_equal(d.password, CASES[i].password);
        assert_string_equal(d.database, CASES[i].database);
        assert_int_equal(d.port, CASES[i].port);
        assert_int_equal(d.host != NULL, CASES[i].host != NULL);
        if (d.host)
            assert_string_equal(d.host, CASES[i].host);
        else
            assert_string_equal(d.socket, CASES[i].socket);
    }
    arena_free(a);
}

static void a_wrong_mysql_source_is_refused_without_being_shown(void **state UNUSED)
{
    static const struct {
        const char *text, *says;
    } CASES[] = {
        {"user:secret@tcp(127.0.0.1:3306)", "slash"},
        {"secret", "user:password@tcp(127.0.0.1:3306)/database"},
        {"u:secret@tcp(h/ca", "not closed"},
        {"u:secret@tcp(h)x/ca", "between"},
        {"u:secret@tcp(h:0)/ca", "port"},
        {"u:secret@tcp(h:70000)/ca", "port"},
        {"u:secret@tcp(h:secret)/ca", "port"},
        {"u:secret@udp(h)/ca", "neither tcp nor unix"},
        {"u:secret@tcp(h)/c%zza", "escape"},
        {"u:secret@tcp(h)/c%00a", "escape"},
        {"u:secret@tcp(h)/ca?tls=secret", "tls"},
        {"u:secret@tcp(h)/ca?timeout=5", "timeout"},
        {"u:secret@tcp(h)/ca?readTimeout=-5s", "readTimeout"},
        {"u:secret@tcp(h)/ca?compress=secret", "compress"},
        {"u:secret@tcp(h)/ca?parseTime=2", "parseTime"},
        {"u:secret@tcp(h)/ca?maxAllowedPacket=1m", "maxAllowedPacket"},
        {"u:secret@tcp(h)/ca?strict=true", "strict"},
        {"u:secret@tcp(h)/ca?serverPubKey=secret", "serverPubKey"},
        {"u:secret@tcp(h)/ca?x-secret=1", "no name"},
        {"u:secret@tcp(h)/ca?x=%zz", "escape"},
        {"u:secret@tcp(h)/ca?tls-ca=/secret", "%2F"},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct dsn_mysql d;
        struct err e = {0};
        if (dsn_mysql_read(a, slice_text(CASES[i].text), &d, &e))
            fail_msg("%s was read", CASES[i].text);
        assert_int_equal(e.kind, ERR_MALFORMED);
        if (!strstr(e.text, CASES[i].says) || strstr(e.text, "secret"))
            fail_msg("%s: %s", CASES[i].text, e.text);
    }
    arena_free(a);
}

static void mysql_parameters_are_read(void **state UNUSED)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct dsn_mysql d;

    assert_true(dsn_mysql_read(
        a,
        SLICE("u:p@tcp(h)/ca?tls=skip-verify&allowFallbackToPlaintext=True&timeout=1500ms&"
              "readTimeout=1m30s&writeTimeout=5s&charset=utf8mb4,utf8&collation=utf8mb4_bin&"
              "allowCleartextPasswords=1&allowNativePasswords=false&compress=true&"
              "maxAllowedPacket=1024&tls-ca=%2Fetc%2Fca.pem&connectionAttributes=a:1,b%3A2&"
              "rejectReadOnly=true&tx_isolation=%27READ-COMMITTED%27&foo.bar=1+2"),
        &d, NULL));
    assert_int_equal(d.tls, DSN_TLS_UNVERIFIED);
    assert_true(d.plaintext_too && d.cleartext_passwords && !d.native_passwords && d.compress);
    assert_true(d.reject_read_only && d.check_liveness);
    assert_int_equal(d.connect_seconds, 2);
    assert_int_equal(d.read_seconds, 90);
    assert_int_equal(d.write_seconds, 5);
    assert_int_equal(d.max_packet, 1024);
    assert_string_equal(d.charset, "utf8mb4,utf8");
    assert_string_equal(d.collation, "utf8mb4_bin");
    assert_string_equal(d.tls_ca, "/etc/ca.pem");
    assert_string_equal(dsn_pairs_get(&d.attributes, "a"), "1");
    assert_string_equal(dsn_pairs_get(&d.attributes, "b"), "2");
    assert_int_equal(d.variables.n, 2);
    assert_string_equal(dsn_pairs_get(&d.variables, "tx_isolation"), "'READ-COMMITTED'");
    assert_string_equal(dsn_pairs_get(&d.variables, "foo.bar"), "1 2");

    static const struct {
        const char *value;
        enum dsn_tls tls;
    } TLS[] = {{"true", DSN_TLS_VERIFIED},
               {"1", DSN_TLS_VERIFIED},
               {"False", DSN_TLS_OFF},
               {"preferred", DSN_TLS_PREFERRED},
               {"Skip-Verify", DSN_TLS_UNVERIFIED}};
    for (size_t i = 0; i < COUNT_OF(TLS); i++) {
        assert_true(dsn_mysql_read(a, arena_format(a, "/ca?tls=%s", TLS[i].value), &d, NULL));
        assert_int_equal(d.tls, TLS[i].tls);
    }
    arena_free(a);
}

/* --- PostgreSQL ------------------------------------------------------------------------------ */

static const char *keywords(struct arena *a, const struct dsn_postgresql *d)
{
    struct buf b = buf_new(a, 1 << 16);

    for (size_t i = 0; i < d->keywords.n; i++)
        buf_printf(&b, "%s%s=%s", i ? "|" : "", d->keywords.v[i].name, d->keywords.v[i].value);
    return arena_cstr(a, buf_slice(&b));
}

static void a_postgresql_source_becomes_keywords(void **state UNUSED)
{
    static const struct {
        const char *text, *keywords;
    } CASES[] = {
        {"", ""},
        {"   ", ""},
        {"postgresql://", ""},
        {"postgres://h", "host=h"},
        {"postgresql://u:p@h:5433/ca", "user=u|password=p|host=h|port=5433|dbname=ca"},
        {"postgresql://u@h/ca", "user=u|host=h|dbname=ca"},
        {"postgresql://u:@h/", "user=u|password=|host=h"},
        {"postgresql:///ca", "dbname=ca"},
        {"postgresql://u%40x:p%2F%3A%20q@h/c%2Fa", "user=u@x|password=p/: q|host=h|dbname=c/a"},
        {"postgresql://u:p@x@h/ca", "user=u|password=p@x|host=h|dbname=ca"},
        {"postgresql://[::1]:5433/ca", "host=::1|port=5433|dbname=ca"},
        {"postgresql://[::1]/ca", "host=::1|dbname=ca"},
        {"postgresql://h1:1,h2,h3:3/ca", "host=h1,h2,h3|port=1,,3|dbname=ca"},
        {"postgresql://%2Frun%2Fpostgresql/ca", "host=/run/postgresql|dbname=ca"},
        {"postgresql://h/ca?sslmode=verify-full&application_name=a%20b+c",
         "host=h|dbname=ca|sslmode=verify-full|application_name=a b c"},
        {"postgresql://h/ca?dbname=other", "host=h|dbname=ca|dbname=other"},
        {"postgresql://h/?search_path=ca&statement_timeout=5s",
         "host=h|options=-c search_path=ca -c statement_timeout=5s"},
        {"postgresql://h/?search_path=a\\b%20c", "host=h|options=-c search_path=a\\\\b\\ c"},
        {"postgresql://h/?options=-c%20x%3D1&y=2", "host=h|options=-c x=1 -c y=2"},
        {"postgresql://h/?pool_max_conns=5&default_query_exec_mode=exec#fragment", "host=h"},
        {"host=h user=u dbname=ca", "host=h|user=u|dbname=ca"},
        {" host = h\tuser='u v' password='a\\'b\\\\c' ", "host=h|user=u v|password=a'b\\c"},
        {"password=a\\ b user=", "password=a b|user="},
        {"host='' timezone='UTC+1'", "host=|options=-c timezone=UTC+1"},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct dsn_postgresql d;
        struct err e = {0};
        if (!dsn_postgresql_read(a, slice_text(CASES[i].text), &d, &e))
            fail_msg("%s: %s", CASES[i].text, e.text);
        if (strcmp(keywords(a, &d), CASES[i].keywords) != 0)
            fail_msg("%s: %s", CASES[i].text, keywords(a, &d));
    }
    arena_free(a);
}

static void a_wrong_postgresql_source_is_refused_without_being_shown(void **state UNUSED)
{
    static const char *const CASES[] = {
        "host=h password=secret secret",
        "secret",
        "=secret",
        "password='secret",
        "postgresql://u:sec%zzret@h/ca",
        "postgresql://u:sec%00ret@h/ca",
        "postgresql://u:secret@[::1/ca",
        "postgresql://u:secret@[::1]x/ca",
        "postgresql://u:secret@h:1:2/ca",
        "postgresql://u:secret/x@h/ca",
        "postgresql://u:12/secret@h/ca",
        "postgresql://u:12?secret@h/ca",
        "postgresql://u:12?x=secret@h/ca",
        "postgresql://u:12#secret@h/ca",
        "postgresql://u@h:12/secret@h/ca",
        "postgresql://u:secret",
        "postgresql://u@h:secret/ca",
        "postgresql://u@h:0/secret",
        "postgresql://u@h1:1,h2:65536/secret",
        "host=h port=secret",
        "host=h connect_timeout=secret",
        "host=h keepalives=1secret",
        "host=h target_session_attrs='a \"secret'",
        "host=h ssl_min_protocol_version=sec=ret",
        "postgresql://u:secret@h/ca?x%zz=1",
        "postgresql://u:secret@h/ca?sslmode=secret",
        "postgresql://u:secret@h/ca?x-secret=1",
        "postgresql://u:secret@h/ca?servicefile=secret",
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct dsn_postgresql d;
        struct err e = {0};
        if (dsn_postgresql_read(a, slice_text(CASES[i]), &d, &e))
            fail_msg("%s was read", CASES[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
        if (strstr(e.text, "secret"))
            fail_msg("%s: %s", CASES[i], e.text);
    }
    arena_free(a);
}

static void very_long_sources_and_nul_bytes_are_refused(void **state UNUSED)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    char *long_text = arena_alloc(a, 2 * DSN_MAX);
    struct dsn_mysql m;
    struct dsn_postgresql p;

    memset(long_text, '/', 2 * DSN_MAX);
    assert_false(dsn_mysql_read(a, slice_of(long_text, 2 * DSN_MAX), &m, NULL));
    assert_false(dsn_postgresql_read(a, slice_of(long_text, 2 * DSN_MAX), &p, NULL));
    assert_false(dsn_mysql_read(a, SLICE("u:p\0@/ca"), &m, NULL));
    assert_false(dsn_postgresql_read(a, SLICE("host=\0"), &p, NULL));
    arena_free(a);
}

/* --- What a configuration is told ---------------------------------------------------------------
 */

static void a_source_is_judged_without_connecting(void **state UNUSED)
{
    static const struct {
        const char *type, *source, *database;
        bool ok, password, warned;
    } CASES[] = {
        {"MySQL", "u:p@tcp(127.0.0.1:3306)/", "ca", true, true, false},
        {"mysql", "u:p@tcp(127.0.0.1:3306)/", "", false, false, false},
        {"mysql", "u@unix(/s)/ca", "", true, false, false},
        {"mysql", "u:p@tcp(db.example)/ca", "", true, true, true},
        {"mysql", "u:p@tcp(db.example)/ca?tls=preferred", "", true, true, true},
        {"mysql", "u:p@tcp(db.example)/ca?tls=true", "", true, true, false},
        {"mysql", "u:p@tcp(db.example)/ca?tls=true&allowFallbackToPlaintext=1", "", true, true,
         true},
        {"mysql", "u:p@tcp(db.example)", "ca", false, false, false},
        {"PostgreSQL", "", "", true, false, false},
        {"postgresql", "postgresql://u:p@db.example/ca?sslmode=prefer", "", true, true, true},
        {"postgresql", "postgresql://u:p@db.example/ca?sslmode=verify-full", "", true, true, false},
        {"postgresql", "host=/run/postgresql user=u", "", true, false, false},
        {"postgresql", "postgresql://h?sslmode=bogus", "", false, false, false},
        {"leveldb", "", "", false, false, false},
    };

    unsetenv("PGHOST");
    unsetenv("PGSSLMODE");
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct store_source s;
        struct err e = {0};
        bool ok = store_source_check(slice_text(CASES[i].type), slice_text(CASES[i].source),
                                     slice_text(CASES[i].database), &s, &e);
        if (!ok && e.kind == ERR_NOT_IMPLEMENTED)
            continue; /* a build without that library */
        if (ok != CASES[i].ok ||
            (ok && (s.password != CASES[i].password || (s.warning != NULL) != CASES[i].warned)))
            fail_msg("%s %s: %s", CASES[i].type, CASES[i].source, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mysql_source_is_read_from_the_right),
        cmocka_unit_test(a_wrong_mysql_source_is_refused_without_being_shown),
        cmocka_unit_test(mysql_parameters_are_read),
        cmocka_unit_test(a_postgresql_source_becomes_keywords),
        cmocka_unit_test(a_wrong_postgresql_source_is_refused_without_being_shown),
        cmocka_unit_test(very_long_sources_and_nul_bytes_are_refused),
        cmocka_unit_test(a_source_is_judged_without_connecting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
