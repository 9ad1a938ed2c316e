/* Certificates: a fixed one byte for byte, and everything that is not quite one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"
#include "crypto/digest.h"
#include "ssh/cert.h"

struct state {
    struct arena *a;
    struct ssh_cert cert;
    struct slice blob;
};

static struct private_key *seeded(struct arena *a, uint8_t byte)
{
    struct key_numbers n = {0};
    struct private_key *k;
    uint8_t *seed = arena_alloc(a, 32);

    memset(seed, byte, 32);
    n.d = slice_of(seed, 32);
    assert_true(private_key_from_numbers(a, KEY_ED25519, &n, &k, NULL));
    return k;
}

static int setup(void **state)
{
    static struct slice principals[] = {{(const uint8_t *)"alice", 5},
                                        {(const uint8_t *)"alice@example.com", 17}};
    static struct ssh_option critical[] = {
        {{(const uint8_t *)"force-command", 13}, {(const uint8_t *)"/bin/true", 9}}};
    static struct ssh_option extensions[] = {
        {{(const uint8_t *)"permit-pty", 10}, {(const uint8_t *)"", 0}}};
    struct arena *a = arena_new(NULL);
    struct state *s = arena_alloc(a, sizeof(*s));
    struct buf b = buf_new(a, SSH_BLOB_MAX);
    struct signer *ca = signer_local(a, seeded(a, 1), "test");
    struct err e = {0};

    s->a = a;
    s->cert = (struct ssh_cert){.nonce = SLICE("NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN"),
                                .serial = 42,
                                .type = SSH_USER,
                                .key_id = SLICE("alice@example.com"),
                                .principals = principals,
                                .n_principals = 2,
                                .valid_after = 1700000000,
                                .valid_before = 1700057600,
                                .critical = {critical, 1},
                                .extensions = {extensions, 1}};
    assert_true(ssh_key_from(a, seeded(a, 2)->public_key, &s->cert.key, NULL));
    if (!ssh_cert_sign(&s->cert, ca, a, &b, DEADLINE_NONE, &e))
        fail_msg("%s", e.text);
    s->blob = buf_slice(&b);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    arena_free(((struct state *)*state)->a);
    return 0;
}

static void the_fixed_certificate_is_made_byte_for_byte(void **state)
{
    struct state *s = *state;
    struct ssh_cert c;

    assert_int_equal(s->blob.n, 397);
    assert_true(slice_is(sha256_hex(s->a, s->blob),
                         "7ac004009e1169220a362a4dc127a53afbc3b1b1babe118"
                         "b31c019e0a061718d"));
    assert_true(ssh_cert_read(s->a, s->blob, &c, NULL));
    assert_int_equal(c.signed_part.n, 310);
    assert_true(ssh_cert_verify(s->a, &c, NULL));
    assert_true(slice_is(ssh_fingerprint(s->a, c.key.blob),
                         "SHA256:4A9jyZBOhnKZvcGQ6TRFbf5Gymb41AfYvYaVmWHD+G4"));
    assert_true(slice_is(ssh_fingerprint(s->a, c.ca.blob),
                         "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8"));
    assert_true(slice_eq(c.key.blob, s->cert.key.blob));
    assert_int_equal(c.n_principals, 2);
    assert_true(slice_is(c.principals[1], "alice@example.com"));
    assert_true(slice_is(c.critical.v[0].value, "/bin/true"));
    assert_int_equal(c.extensions.v[0].value.n, 0);
}

static void every_changed_byte_is_noticed(void **state)
{
    struct state *s = *state;
    uint8_t *copy = memcpy(arena_alloc(s->a, s->blob.n), s->blob.p, s->blob.n);

    for (size_t i = 0; i < s->blob.n; i++) {
        struct arena_mark mark = arena_mark(s->a);
        struct ssh_cert c;
        copy[i] ^= 1;
        bool good = ssh_cert_read(s->a, slice_of(copy, s->blob.n), &c, NULL) &&
                    ssh_cert_verify(s->a, &c, NULL);
        copy[i] ^= 1;
        if (good)
            fail_msg("byte %zu may be anything", i);
        arena_rewind(s->a, mark);
    }
}

static void every_other_length_is_refused(void **state)
{
    struct state *s = *state;
    uint8_t *longer = arena_alloc(s->a, s->blob.n + 1);
    struct ssh_cert c;

    memcpy(longer, s->blob.p, s->blob.n);
    assert_false(ssh_cert_read(s->a, slice_of(longer, s->blob.n + 1), &c, NULL));
    for (size_t n = 0; n < s->blob.n; n++)
        assert_false(ssh_cert_read(s->a, slice_of(longer, n), &c, NULL));
}

static void a_certificate_is_no_key(void **state)
{
    struct state *s = *state;
    struct ssh_key k;
    struct err e = {0};

    assert_true(ssh_blob_is_cert(s->blob));
    assert_false(ssh_key_read(s->a, s->blob, &k, &e));
    assert_non_null(strstr(e.text, "found a certificate"));
}

static void validity_ends_at_the_edges(void **state)
{
    static const struct {
        uint64_t after, before;
        int64_t now;
        bool valid;
    } CASES[] = {
        {10, 20, 9, false},
        {10, 20, 10, true},
        {10, 20, 19, true},
        {10, 20, 20, false},
        {10, SSH_FOREVER, INT64_MAX, true},
        {10, (uint64_t)1 << 63, 11, false},
        {(uint64_t)1 << 63, SSH_FOREVER, INT64_MAX, false},
        {SSH_FOREVER, SSH_FOREVER, INT64_MAX, false},
        {0, 20, -1, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ssh_cert c = {.valid_after = CASES[i].after, .valid_before = CASES[i].before};
        if (ssh_cert_is_valid_at(&c, CASES[i].now) != CASES[i].valid)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_fixed_certificate_is_made_byte_for_byte, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_changed_byte_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(every_other_length_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_certificate_is_no_key, setup, teardown),
        cmocka_unit_test(validity_ends_at_the_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
