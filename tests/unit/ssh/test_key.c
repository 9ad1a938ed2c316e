/* Public keys: those of ssh-keygen, our own, and what is nearly one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "crypto/ssh_wire.h"
#include "ssh/cert.h"

static int setup(void **state)
{
    *state = arena_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static struct ssh_line line_of(struct arena *a, const char *name)
{
    struct ssh_line line;
    struct slice text;
    struct err e = {0};

    if (!file_read(a, arena_printf(a, "%s%s.pub", FIXTURES, name), false, 1u << 16, &text, &e) ||
        !ssh_line_read(a, text, &line, &e))
        fail_msg("%s: %s", name, e.text);
    return line;
}

/* What ssh-keygen -lf says. */
static const struct {
    const char *name;
    enum ssh_key_kind kind;
    unsigned bits;
    const char *fingerprint, *label, *type;
} KEYS[] = {
    {"rsa", SSH_KEY_RSA, 2048, "SHA256:BfJryUyBPnBTA2iKE1byC3mVAGGSpmZYliBfaJVweVs", "RSA",
     "ssh-rsa"},
    {"p256", SSH_KEY_P256, 256, "SHA256:BKmZx/I3M8euj/yNWn/zqwXmIy5dhrm+2ysehH4utmw", "ECDSA",
     "ecdsa-sha2-nistp256"},
    {"p384", SSH_KEY_P384, 384, "SHA256:2upsNrrVcBxpNZTSDDZSSn9ntLXjgdTHX3g/5Xewk14", "ECDSA",
     "ecdsa-sha2-nistp384"},
    {"p521", SSH_KEY_P521, 521, "SHA256:xI0ajCmITCNqGhEB+w8mfIHMVCQl10J6fdCgWxBy+eQ", "ECDSA",
     "ecdsa-sha2-nistp521"},
    {"ed25519", SSH_KEY_ED25519, 256, "SHA256:+u9KtdJL+F5snI1v6A1+V0lWAFmCpAzG8Jj9y9++P3U",
     "ED25519", "ssh-ed25519"},
    {"sk-p256", SSH_KEY_SK_P256, 256, "SHA256:KPceuee1hVAzGrypk4mZMmsRY/jJ4hk9G9GIH0TqFm4",
     "SK-ECDSA", "sk-ecdsa-sha2-nistp256@openssh.com"},
    {"sk-ed25519", SSH_KEY_SK_ED25519, 256, "SHA256:SUuXrUJtRvKBA1KyVW4YdM9nmaRauLLqiT5UfrrHBM0",
     "SK-ED25519", "sk-ssh-ed25519@openssh.com"},
};

static void keys_of_openssh_are_read(void **state)
{
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        struct ssh_line line = line_of(*state, KEYS[i].name);
        struct ssh_key k, again;
        struct err e = {0};
        if (!ssh_key_read(*state, line.blob, &k, &e))
            fail_msg("%s: %s", KEYS[i].name, e.text);
        assert_int_equal(k.kind, KEYS[i].kind);
        assert_int_equal(ssh_key_bits(&k), KEYS[i].bits);
        assert_true(slice_is(ssh_fingerprint(*state, k.blob), KEYS[i].fingerprint));
        assert_string_equal(ssh_key_label(k.kind), KEYS[i].label);
        assert_string_equal(ssh_key_type_name(k.kind), KEYS[i].type);
        assert_true(slice_is(line.type, KEYS[i].type));
        assert_true(slice_is(line.comment, KEYS[i].name));
        if (ssh_key_is_sk(k.kind)) {
            assert_true(slice_is(k.application, "ssh:"));
            continue;
        }
        assert_true(ssh_key_from(*state, k.key, &again, NULL));
        assert_true(slice_eq(again.blob, k.blob));
    }
}

static void every_shorter_and_longer_key_is_refused(void **state)
{
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        struct slice blob = line_of(*state, KEYS[i].name).blob;
        uint8_t *longer = arena_alloc(*state, blob.n + 1);
        struct ssh_key k;
        memcpy(longer, blob.p, blob.n);
        assert_false(ssh_key_read(*state, slice_of(longer, blob.n + 1), &k, NULL));
        for (size_t n = 0; n < blob.n; n++) {
            if (ssh_key_read(*state, slice_of(longer, n), &k, NULL))
                fail_msg("%s: %zu bytes of %zu", KEYS[i].name, n, blob.n);
        }
    }
}

static void other_keys_have_no_form(void **state)
{
    static const enum key_type OTHERS[] = {KEY_P224, KEY_X25519};

    for (size_t i = 0; i < COUNT_OF(OTHERS); i++) {
        struct private_key *secret;
        struct ssh_key k;
        assert_true(private_key_generate(*state, OTHERS[i], 0, &secret, NULL));
        assert_false(ssh_key_from(*state, secret->public_key, &k, NULL));
    }
}

static void other_blobs_are_told_by_name(void **state)
{
    static const struct {
        const char *name, *said;
    } CASES[] = {{"dsa", "ssh-dss"},
                 {"user-rsa-cert", "certificate"},
                 {"user-sk-ed25519-cert", "certificate"}};

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        struct ssh_key k;
        assert_false(ssh_key_read(*state, line_of(*state, CASES[i].name).blob, &k, &e));
        assert_int_equal(e.kind, ERR_MALFORMED);
        if (!strstr(e.text, CASES[i].said))
            fail_msg("%s: %s", CASES[i].name, e.text);
    }
}

/* --- RSA ------------------------------------------------------------------------------------- */

static struct slice rsa_blob(struct arena *a, struct slice e, struct slice n)
{
    struct buf b = buf_new(a, 1u << 16);

    ssh_put_string(&b, SLICE("ssh-rsa"));
    ssh_put_string(&b, e);
    ssh_put_string(&b, n);
    return buf_slice(&b);
}

static void rsa_exponents_have_bounds(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        bool good;
    } CASES[] = {
        {"\x03", 1, true},
        {"\x05", 1, true},
        {"\x01\x00\x01", 3, true},
        {"\x7f\xff\xff", 3, true},
        {"\x00\xff\xff\xff", 4, true},
        {"\x01\x00\x00\x01", 4, false}, /* 2^24 + 1 */
        {"", 0, false},
        {"\x01", 1, false},
        {"\x02", 1, false},
        {"\x04", 1, false},
        {"\x01\x00\x00", 3, false},
        {"\x00\x03", 2, false},         /* not the shortest */
        {"\x00\x01\x00\x01", 4, false}, /* the same */
        {"\xff", 1, false},             /* -1 */
        {"\x83", 1, false},
    };
    struct slice blob = line_of(*state, "rsa").blob, type, e, n;

    assert_true(ssh_take_string(&blob, &type) && ssh_take_string(&blob, &e) &&
                ssh_take_string(&blob, &n));
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ssh_key k;
        struct slice made = rsa_blob(*state, slice_of(CASES[i].bytes, CASES[i].n), n);
        if (ssh_key_read(*state, made, &k, NULL) != CASES[i].good)
            fail_msg("case %zu", i);
    }
}

static void rsa_moduli_have_bounds(void **state)
{
    static const struct {
        size_t bytes;
        uint8_t first, second;
        bool good;
    } CASES[] = {
        {65, 0x00, 0x80, true},    /* 512 bits */
        {64, 0x7f, 0x00, false},   /* 511 */
        {2049, 0x00, 0x80, true},  /* 16384 */
        {2049, 0x01, 0x00, false}, /* 16385 */
        {257, 0x00, 0x7f, false},  /* not the shortest */
        {256, 0x80, 0x00, false},  /* negative */
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        uint8_t *n = arena_alloc(*state, CASES[i].bytes);
        struct ssh_key k;
        n[0] = CASES[i].first;
        n[1] = CASES[i].second;
        n[CASES[i].bytes - 1] = 1;
        struct slice made = rsa_blob(*state, SLICE("\x01\x00\x01"), slice_of(n, CASES[i].bytes));
        if (ssh_key_read(*state, made, &k, NULL) != CASES[i].good)
            fail_msg("case %zu", i);
    }
}

/* --- Curves ---------------------------------------------------------------------------------- */

struct parts {
    struct slice curve, point;
};

static struct parts parts_of(struct arena *a, const char *name)
{
    struct slice blob = line_of(a, name).blob, type;
    struct parts p;

    assert_true(ssh_take_string(&blob, &type) && ssh_take_string(&blob, &p.curve) &&
                ssh_take_string(&blob, &p.point));
    return p;
}

static bool reads(struct arena *a, const char *type, struct slice curve, struct slice point)
{
    struct buf b = buf_new(a, 1u << 16);
    struct ssh_key k;

    ssh_put_string(&b, slice_text(type));
    ssh_put_string(&b, curve);
    ssh_put_string(&b, point);
    if (slice_starts(slice_text(type), "sk-"))
        ssh_put_string(&b, SLICE("ssh:"));
    return ssh_key_read(a, buf_slice(&b), &k, NULL);
}

static void points_are_on_the_curve_of_the_type(void **state)
{
    static const char *const TYPES[] = {"ecdsa-sha2-nistp256",
                                        "sk-ecdsa-sha2-nistp256@openssh.com"};
    struct parts p256 = parts_of(*state, "p256"), p384 = parts_of(*state, "p384");
    uint8_t off[65], compressed[33], infinity[1] = {0}, hybrid[65];

    memcpy(off, p256.point.p, sizeof(off));
    off[64] ^= 1;
    memcpy(hybrid, p256.point.p, sizeof(hybrid));
    hybrid[0] = (uint8_t)(6 | (hybrid[64] & 1));
    memcpy(compressed, p256.point.p, sizeof(compressed));
    compressed[0] = (uint8_t)(2 | (p256.point.p[64] & 1));
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        const char *t = TYPES[i];
        assert_true(reads(*state, t, p256.curve, p256.point));
        assert_false(reads(*state, t, p384.curve, p384.point));
        assert_false(reads(*state, t, p384.curve, p256.point));
        assert_false(reads(*state, t, p256.curve, p384.point));
        assert_false(reads(*state, t, SLICE("nistp2567"), p256.point));
        assert_false(reads(*state, t, p256.curve, slice_of(off, sizeof(off))));
        assert_false(reads(*state, t, p256.curve, slice_of(compressed, sizeof(compressed))));
        assert_false(reads(*state, t, p256.curve, slice_of(infinity, sizeof(infinity))));
        assert_false(reads(*state, t, p256.curve, slice_of(hybrid, sizeof(hybrid))));
        assert_false(reads(*state, t, p256.curve, SLICE("")));
    }
}

static void ed25519_keys_have_32_bytes(void **state)
{
    static const char *const TYPES[] = {"ssh-ed25519", "sk-ssh-ed25519@openssh.com"};
    static const uint8_t BYTES[33] = {5};

    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        for (size_t n = 31; n <= 33; n++) {
            struct buf b = buf_new(*state, 256);
            struct ssh_key k;
            ssh_put_string(&b, slice_text(TYPES[i]));
            ssh_put_string(&b, slice_of(BYTES, n));
            if (i == 1)
                ssh_put_string(&b, SLICE("ssh:"));
            assert_int_equal(ssh_key_read(*state, buf_slice(&b), &k, NULL), n == 32);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_of_openssh_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(every_shorter_and_longer_key_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(other_keys_have_no_form, setup, teardown),
        cmocka_unit_test_setup_teardown(other_blobs_are_told_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(rsa_exponents_have_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(rsa_moduli_have_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(points_are_on_the_curve_of_the_type, setup, teardown),
        cmocka_unit_test_setup_teardown(ed25519_keys_have_32_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
