/* The list of revoked SSH certificates: what is in it, its version, and when it is made anew. */
#include "ssh_testing.h"

#include "authority/revocations.h"
#include "ssh/krl.h"

static void revoke_at(const char *serial, int64_t at)
{
    struct work w = work_new();
    struct revocation_record r = {
        .serial = slice_text(serial), .at = instant_sec(at), .expires = INSTANT_ZERO_GO};

    work_ok(&w, revocation_put(&w, true, &r));
    work_ok(&w, work_commit(&w));
}

static struct ssh_krl_read *current(void)
{
    struct work w = work_new();
    struct ssh_krl_read *krl = NULL;
    struct slice bytes = SLICE_NONE;

    work_ok(&w, ssh_krl_current(&w, &bytes));
    ok(ssh_krl_read(A, bytes, &krl, e));
    return krl;
}

static bool has(const struct ssh_krl_read *krl, const struct private_key *by, uint64_t serial)
{
    return ssh_krl_has(krl, ssh_key_of(by).blob, serial);
}

static void later(int64_t ns)
{
    test_now = instant_add(test_now, ns);
}

static void every_serial_counts_under_every_root(void **state)
{
    struct ssh_krl_read *krl;

    (void)state;
    ssh_start(true);
    krl = current();
    assert_true(ssh_krl_version(krl) == 0);
    assert_false(has(krl, S.user, 7));
    revoke_at("7", 100);
    revoke_at("18446744073709551615", 50);
    revoke_at("10", 60);
    ssh_krl_revoked(&W.s);
    krl = current();
    assert_true(has(krl, S.user, 7) && has(krl, S.host, 7));
    assert_true(has(krl, S.user, 10) && has(krl, S.user, UINT64_MAX));
    assert_false(has(krl, S.user, 8));
    assert_false(has(krl, S.key, 7));
    assert_true(ssh_krl_version(krl) == UINT64_C(100) * UINT64_C(1000000000) + 3);
}

static void the_version_goes_up_with_every_revocation(void **state)
{
    static const int64_t AT[] = {1000, 1000, 900, 2000, 0};
    uint64_t last = 0;

    (void)state;
    ssh_start(true);
    for (size_t i = 0; i < COUNT_OF(AT); i++) {
        revoke_at(arena_printf(A, "%zu", i + 1), AT[i]);
        ssh_krl_revoked(&W.s);
        uint64_t version = ssh_krl_version(current());
        assert_true(version > last);
        last = version;
    }
}

static void rows_that_are_no_serials_are_left_out(void **state)
{
    static const char *const KEYS[] = {"x", "-1", "0", "18446744073709551616", " 5"};
    struct ssh_krl_read *krl;

    (void)state;
    ssh_start(true);
    for (size_t i = 0; i < COUNT_OF(KEYS); i++)
        revoke_at(KEYS[i], 10);
    struct work w = work_new();
    batch_put(&w.batch, TABLE_REVOKED_SSH_CERTS, SLICE("42"), SLICE("not a record"));
    work_ok(&w, work_commit(&w));
    krl = current();
    assert_true(has(krl, S.user, 42));
    assert_false(has(krl, S.user, 5));
    assert_true(ssh_krl_version(krl) == 1);
}

static void what_another_server_revoked_shows_after_a_while(void **state)
{
    (void)state;
    ssh_start(true);
    current();
    revoke_at("7", 100);
    assert_false(has(current(), S.user, 7)); /* nobody told this one */
    later(11 * NS_PER_SEC);
    assert_true(has(current(), S.user, 7));
}

static void a_revocation_here_shows_at_once(void **state)
{
    (void)state;
    ssh_start(true);
    current();
    ssh_krl_revoked(&W.s); /* the request has begun, its commit comes later */
    later(NS_PER_SEC);
    assert_false(has(current(), S.user, 7));
    revoke_at("7", 100);
    assert_true(has(current(), S.user, 7));
    later(6 * NS_PER_SEC);
    current();
    revoke_at("8", 100);
    assert_false(has(current(), S.user, 8)); /* kept again */
}

static void a_reload_with_other_keys_makes_it_anew(void **state)
{
    (void)state;
    ssh_start(true);
    S.ca.roots_json = SLICE("a");
    revoke_at("7", 100);
    assert_false(has(current(), S.key, 7));
    one_root(&S.ca.roots.host, S.key);
    S.ca.roots_json = SLICE("b");
    assert_true(has(current(), S.key, 7));
    assert_false(has(current(), S.host, 7));
}

static void many_are_no_trouble(void **state)
{
    struct ssh_krl_read *krl;

    (void)state;
    ssh_start(true);
    struct work w = work_new();
    for (unsigned i = 0; i < 100000; i++)
        batch_put(&w.batch, TABLE_REVOKED_SSH_CERTS,
                  arena_format(A, "%llu", 1 + 7919ull * ((i * 31ull) % 100000)), SLICE("{}"));
    work_ok(&w, work_commit(&w));
    krl = current();
    assert_true(ssh_krl_version(krl) == 100000);
    assert_true(has(krl, S.user, 1) && has(krl, S.host, 1 + 7919 * UINT64_C(99999)));
    assert_false(has(krl, S.user, 2));
}

static void without_keys_or_a_database_there_is_none(void **state)
{
    struct slice bytes;

    (void)state;
    ssh_start(false);
    struct work w = work_new();
    work_refused(&w, ssh_krl_current(&w, &bytes), ERR_NOT_IMPLEMENTED, "configure db");
    S.ca.roots_json = SLICE_NONE;
    work_refused(&w, ssh_krl_current(&w, &bytes), ERR_NOT_FOUND, "SSH is not configured");
    world_load();
    w = work_new();
    work_refused(&w, ssh_krl_current(&w, &bytes), ERR_NOT_FOUND, "SSH is not configured");
}

static int setup(void **state)
{
    int rc = ssh_begin(state);

    S.ca.roots_json = SLICE("keys");
    return rc;
}

int main(void)
{
#define KRL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_end)
    const struct CMUnitTest tests[] = {
        KRL_TEST(every_serial_counts_under_every_root),
        KRL_TEST(the_version_goes_up_with_every_revocation),
        KRL_TEST(rows_that_are_no_serials_are_left_out),
        KRL_TEST(what_another_server_revoked_shows_after_a_while),
        KRL_TEST(a_revocation_here_shows_at_once),
        KRL_TEST(a_reload_with_other_keys_makes_it_anew),
        KRL_TEST(many_are_no_trouble),
        KRL_TEST(without_keys_or_a_database_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
