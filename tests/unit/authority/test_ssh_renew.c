/* Renewal, rekey and revocation of SSH certificates. */
#include "authority/revocations.h"
#include "ssh_testing.h"

static struct ssh_cert held(void)
{
    struct ssh_cert c = ssh_cert_new(S.key, SSH_HOST);

    return ssh_signed(&c, S.host);
}

static struct grant *granted_by(struct work *w, const struct ssh_cert *c, const char *name,
                                enum method method, const char *claims)
{
    struct grant *g = NULL;
    struct slice token = sshpop_token(S.key, c, name, claims ? json_of(claims) : NULL);

    work_ok(w, authorize_token(w, token, method, &g));
    return g;
}

static bool renew(struct work *w, const struct ssh_cert *c, struct ssh_issued *out)
{
    struct slice token = sshpop_token(S.key, c, "renew", NULL);
    struct grant *g;

    return authorize_token(w, token, METHOD_SSH_RENEW, &g) && ssh_renew(w, g, NULL, out);
}

static bool rekey(struct work *w, const struct ssh_cert *c, const struct ssh_key *key,
                  struct ssh_issued *out)
{
    struct slice token = sshpop_token(S.key, c, "rekey", NULL);
    struct grant *g;

    return authorize_token(w, token, METHOD_SSH_REKEY, &g) && ssh_renew(w, g, key, out);
}

static void a_renewed_certificate_is_the_same_later(void **state)
{
    static struct ssh_option options[] = {{{(const uint8_t *)"a", 1}, {(const uint8_t *)"b", 1}},
                                          {{(const uint8_t *)"c", 1}, {(const uint8_t *)"", 0}}};
    struct ssh_cert old = ssh_cert_new(S.key, SSH_HOST);
    struct ssh_issued out;
    struct work w;

    (void)state;
    ssh_start(true);
    old.critical = (struct ssh_options){options, 1};
    old.extensions = (struct ssh_options){options, 2};
    old.reserved = SLICE("r");
    old = ssh_signed(&old, S.host);
    w = work_new();
    work_ok(&w, renew(&w, &old, &out));
    struct ssh_cert c = ssh_seen(&out);
    assert_string_equal(ssh_text(&c), ssh_text(&old));
    assert_slice(c.reserved, "r");
    assert_true(slice_eq(c.key.blob, old.key.blob));
    assert_int_not_equal(c.serial, old.serial);
    assert_false(slice_eq(c.nonce, old.nonce));
    assert_int_equal(c.valid_after, NOW_SEC - 60);
    assert_int_equal(c.valid_before - c.valid_after, old.valid_before - old.valid_after);
    assert_slice(out.by->name, "sshpop");
    work_ok(&w, work_commit(&w));
    assert_true(slice_eq(stored(TABLE_SSH_CERTS, ssh_serial_text(A, c.serial)), out.cert.blob));
    assert_true(
        slice_eq(stored(TABLE_SSH_HOSTS, SLICE("web1.test")), ssh_serial_text(A, c.serial)));
    /* The token is used up. */
    w = work_new();
    work_ok(&w, renew(&w, &old, &out));
    work_refused(&w, work_commit(&w), ERR_UNAUTHORIZED, "used");
}

static void a_new_key_takes_the_place_of_the_old(void **state)
{
    struct ssh_key fresh = ssh_key_of(key_new(KEY_ED25519, 0));
    struct ssh_key weak = ssh_key_of(key_new(KEY_RSA, 1024));
    struct ssh_issued out;
    struct ssh_cert old;
    struct work w;

    (void)state;
    ssh_start(true);
    old = held();
    w = work_new();
    work_ok(&w, rekey(&w, &old, &fresh, &out));
    struct ssh_cert c = ssh_seen(&out);
    assert_true(slice_eq(c.key.blob, fresh.blob));
    assert_string_equal(ssh_text(&c), ssh_text(&old));
    w = work_new();
    work_refused(&w, rekey(&w, &old, &weak, &out), ERR_FORBIDDEN, "2048");
}

/* The claims of the SSHPOP provisioner limit a rekey, not a renewal. */
static void only_rekey_asks_for_the_length(void **state)
{
    struct ssh_key fresh = ssh_key_of(key_new(KEY_ED25519, 0));
    struct ssh_issued out;
    struct ssh_cert old;
    struct work w;

    (void)state;
    json_change(world_provisioner(2), "claims", "{\"maxHostSSHCertDuration\":\"1h\"}");
    ssh_start(true);
    old = held();
    w = work_new();
    work_ok(&w, renew(&w, &old, &out));
    w = work_new();
    work_refused(&w, rekey(&w, &old, &fresh, &out), ERR_FORBIDDEN, "more than the authorized 1h");
}

static void odd_lengths_are_not_renewed(void **state)
{
    static const struct {
        uint64_t after, before;
        enum err_kind kind;
    } ROWS[] = {
        {0, NOW_SEC + 100, ERR_MALFORMED},
        {NOW_SEC - 10, SSH_FOREVER, ERR_MALFORMED},
        {NOW_SEC - 10, NOW_SEC + 20, ERR_INTERNAL}, /* shorter than the backdating */
        {1, NOW_SEC + 10, ERR_NONE},
    };

    (void)state;
    ssh_start(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_cert c = ssh_cert_new(S.key, SSH_HOST);
        struct work w = work_new();
        struct ssh_issued out;
        c.valid_after = ROWS[i].after;
        c.valid_before = ROWS[i].before;
        c = ssh_signed(&c, S.host);
        bool good = renew(&w, &c, &out);
        if (good != !ROWS[i].kind || w.err.kind != ROWS[i].kind)
            fail_msg("row %zu: %s %s", i, err_kind_name(w.err.kind), w.err.text);
    }
}

/* validBefore of 2^63 - 1 is a time; its length is kept, without a wrap. */
static void very_long_ones_do_not_wrap(void **state)
{
    struct ssh_cert c = ssh_cert_new(S.key, SSH_HOST);
    struct work w;
    struct ssh_issued out;

    (void)state;
    ssh_start(true);
    c.valid_after = 1;
    c.valid_before = INT64_MAX;
    c = ssh_signed(&c, S.host);
    w = work_new();
    work_ok(&w, renew(&w, &c, &out));
    assert_true(out.cert.valid_before == (uint64_t)NOW_SEC - 60 + (uint64_t)INT64_MAX - 1);
}

static void old_keys_renew_to_the_new_one(void **state)
{
    struct private_key *former = key_new(KEY_P256, 0);
    struct ssh_cert c;
    struct work w;
    struct ssh_issued out;

    (void)state;
    S.ca.roots.host.v = arena_array(A, 2, sizeof(struct ssh_key));
    S.ca.roots.host.v[0] = ssh_key_of(S.host);
    S.ca.roots.host.v[1] = ssh_key_of(former);
    S.ca.roots.host.n = 2;
    ssh_start(true);
    c = ssh_cert_new(S.key, SSH_HOST);
    c = ssh_signed(&c, former);
    w = work_new();
    work_ok(&w, renew(&w, &c, &out));
    ssh_seen(&out);
}

/* --- Revocation ---------------------------------------------------------------------------------
 */

static struct grant *revoker(struct work *w, const char *serial, const char *jti)
{
    struct json *c = ops_claims();
    struct grant *g = NULL;

    json_change(c, "aud", "\"https://ca.test/ssh/revoke\"");
    json_change(c, "sub", arena_printf(A, "\"%s\"", serial));
    json_change(c, "jti", arena_printf(A, "\"%s\"", jti));
    work_ok(w, authorize_token(w, ops_token(c), METHOD_SSH_REVOKE, &g));
    return g;
}

static void a_revoked_certificate_is_not_renewed(void **state)
{
    struct ssh_key fresh = ssh_key_of(key_new(KEY_ED25519, 0));
    struct ssh_cert c;
    struct work w;
    struct ssh_issued out;
    struct revocation_entry entry;

    (void)state;
    ssh_start(true);
    c = held();
    w = work_new();
    struct ssh_revocation r = {SLICE("42"), 1, SLICE("lost"), revoker(&w, "42", "one")};
    work_ok(&w, ssh_revoke(&w, &r));
    work_ok(&w, work_commit(&w));
    struct slice record = stored(TABLE_REVOKED_SSH_CERTS, SLICE("42"));
    assert_true(revocation_read(A, record, &entry));
    assert_int_equal(entry.code, 1);
    assert_int_equal(entry.at.sec, NOW_SEC);
    assert_true(instant_is_zero(entry.expires)); /* nobody here knows it */
    struct json *v = json_of(arena_cstr(A, record));
    assert_slice(json_text(json_get(v, "Serial")), "42");
    assert_slice(json_text(json_get(v, "TokenID")), "one");
    assert_slice(json_text(json_get(v, "Reason")), "lost");
    assert_true(slice_eq(json_text(json_get(v, "ProvisionerID")),
                         registry_by_name(W.s.current->registry, SLICE("ops"))->id));
    assert_false(stored(TABLE_REVOKED_X509_CERTS, SLICE("42")).p != NULL);

    w = work_new();
    work_refused(&w, renew(&w, &c, &out), ERR_UNAUTHORIZED, "42 is revoked");
    w = work_new();
    work_refused(&w, rekey(&w, &c, &fresh, &out), ERR_UNAUTHORIZED, "42 is revoked");
    /* Twice is once too often. */
    w = work_new();
    r.grant = revoker(&w, "42", "two");
    work_ok(&w, ssh_revoke(&w, &r));
    work_refused(&w, work_commit(&w), ERR_MALFORMED, "already revoked");
}

/* Everything was looked at and signed when the revocation came. */
static void a_revocation_before_the_commit_is_not_overtaken(void **state)
{
    struct ssh_key fresh = ssh_key_of(key_new(KEY_ED25519, 0));

    (void)state;
    ssh_start(true);
    for (int with_key = 0; with_key < 2; with_key++) {
        struct ssh_cert c = ssh_cert_new(S.key, SSH_HOST);
        struct work w = work_new(), other = work_new();
        struct ssh_issued out;
        const char *serial = with_key ? "44" : "43";
        c.serial = with_key ? 44 : 43;
        c = ssh_signed(&c, S.host);
        work_ok(&w, with_key ? rekey(&w, &c, &fresh, &out) : renew(&w, &c, &out));
        struct ssh_revocation r = {slice_text(serial), 1, SLICE("lost"),
                                   revoker(&other, serial, serial)};
        work_ok(&other, ssh_revoke(&other, &r));
        work_ok(&other, work_commit(&other));
        work_refused(&w, work_commit(&w), ERR_UNAUTHORIZED,
                     with_key ? "SSH certificate 44 is revoked" : "SSH certificate 43 is revoked");
        assert_false(stored(TABLE_SSH_CERTS, ssh_serial_text(A, out.cert.serial)).p != NULL);
    }
}

static void what_is_known_gives_the_end(void **state)
{
    struct work w;
    struct ssh_request q = ssh_asked("", "");
    struct ssh_issued out;
    struct revocation_entry entry;

    (void)state;
    ssh_start(true);
    w = work_new();
    work_ok(&w, ssh_ask(&w, ssh_token("alice", "{}"), &q, &out));
    work_ok(&w, work_commit(&w));
    const char *serial = arena_cstr(A, ssh_serial_text(A, out.cert.serial));
    w = work_new();
    struct ssh_revocation r = {slice_text(serial), 0, SLICE(""), revoker(&w, serial, "r")};
    work_ok(&w, ssh_revoke(&w, &r));
    work_ok(&w, work_commit(&w));
    assert_true(revocation_read(A, stored(TABLE_REVOKED_SSH_CERTS, r.serial), &entry));
    assert_int_equal(entry.expires.sec, out.cert.valid_before);
}

static void tokens_are_for_one_serial(void **state)
{
    struct ssh_cert c;
    struct work w;

    (void)state;
    ssh_start(true);
    c = held();
    w = work_new();
    struct ssh_revocation r = {SLICE("43"), 0, SLICE(""), revoker(&w, "42", "one")};
    work_refused(&w, ssh_revoke(&w, &r), ERR_FORBIDDEN, "42");
    r.grant = granted_by(&w, &c, "revoke", METHOD_SSH_REVOKE, "{\"jti\":\"two\"}");
    work_refused(&w, ssh_revoke(&w, &r), ERR_FORBIDDEN, "42");
    r.serial = SLICE("42");
    work_ok(&w, ssh_revoke(&w, &r));
}

static void without_a_database_there_is_no_revocation(void **state)
{
    struct work w;
    struct ssh_issued out;
    struct ssh_cert c;

    (void)state;
    ssh_start(false);
    c = held();
    w = work_new();
    struct ssh_revocation r = {SLICE("42"), 0, SLICE(""), revoker(&w, "42", "one")};
    work_refused(&w, ssh_revoke(&w, &r), ERR_NOT_IMPLEMENTED, "database");
    w = work_new();
    work_ok(&w, renew(&w, &c, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SSH_WORLD_TEST(a_renewed_certificate_is_the_same_later),
        SSH_WORLD_TEST(a_new_key_takes_the_place_of_the_old),
        SSH_WORLD_TEST(only_rekey_asks_for_the_length),
        SSH_WORLD_TEST(odd_lengths_are_not_renewed),
        SSH_WORLD_TEST(very_long_ones_do_not_wrap),
        SSH_WORLD_TEST(old_keys_renew_to_the_new_one),
        SSH_WORLD_TEST(a_revoked_certificate_is_not_renewed),
        SSH_WORLD_TEST(a_revocation_before_the_commit_is_not_overtaken),
        SSH_WORLD_TEST(what_is_known_gives_the_end),
        SSH_WORLD_TEST(tokens_are_for_one_serial),
        SSH_WORLD_TEST(without_a_database_there_is_no_revocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
