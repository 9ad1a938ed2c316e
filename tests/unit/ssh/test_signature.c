/* Signature blobs: ours verify, and nothing that differs from them does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/ssh_wire.h"
#include "ssh/key.h"

static const struct kind {
    enum key_type type;
    unsigned bits;
    const char *format;
} KINDS[] = {
    {KEY_RSA, 2048, "rsa-sha2-256"},      {KEY_P256, 0, "ecdsa-sha2-nistp256"},
    {KEY_P384, 0, "ecdsa-sha2-nistp384"}, {KEY_P521, 0, "ecdsa-sha2-nistp521"},
    {KEY_ED25519, 0, "ssh-ed25519"},
};
#define MESSAGE SLICE("what is signed")

struct one {
    struct arena *a;
    struct signer *signer;
    struct ssh_key key;
    struct slice blob, format, bytes;
};

static void make(struct arena *a, const struct kind *kind, struct one *o)
{
    struct private_key *secret;
    struct buf b = buf_new(a, 1u << 14);

    o->a = a;
    assert_true(private_key_generate(a, kind->type, kind->bits, &secret, NULL));
    o->signer = signer_local(a, secret, "test");
    assert_true(ssh_key_from(a, secret->public_key, &o->key, NULL));
    assert_true(ssh_signature_make(o->signer, false, MESSAGE, &b, DEADLINE_NONE, NULL));
    o->blob = buf_slice(&b);
    assert_true(ssh_signature_read(o->blob, &o->format, &o->bytes, NULL));
}

static bool verifies(const struct one *o, struct slice blob)
{
    return ssh_signature_verify(o->a, &o->key, MESSAGE, blob, NULL);
}

static struct slice blob_of(struct arena *a, const char *format, struct slice bytes)
{
    struct buf b = buf_new(a, 1u << 14);

    ssh_put_string(&b, slice_text(format));
    ssh_put_string(&b, bytes);
    return buf_slice(&b);
}

static void signatures_of_all_kinds_verify(void **state)
{
    struct arena *a = arena_new(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        struct one o;
        make(a, &KINDS[i], &o);
        assert_true(slice_is(o.format, KINDS[i].format));
        assert_true(verifies(&o, o.blob));
        assert_false(ssh_signature_verify(a, &o.key, SLICE("what was not"), o.blob, NULL));
        for (size_t n = 0; n < o.blob.n; n++)
            assert_false(verifies(&o, slice_sub(o.blob, 0, n)));
        uint8_t *copy = arena_alloc(a, o.blob.n + 1);
        memcpy(copy, o.blob.p, o.blob.n);
        assert_false(verifies(&o, slice_of(copy, o.blob.n + 1)));
        for (size_t k = 0; k < o.blob.n; k++) {
            copy[k] ^= 1;
            if (verifies(&o, slice_of(copy, o.blob.n)))
                fail_msg("%s: byte %zu may be anything", KINDS[i].format, k);
            copy[k] ^= 1;
        }
    }
    arena_free(a);
}

static void only_the_format_of_the_key_counts(void **state)
{
    static const char *const FORMATS[] = {"ssh-rsa",
                                          "rsa-sha2-512",
                                          "rsa-sha2-256-cert-v01@openssh.com",
                                          "ecdsa-sha2-nistp256",
                                          "ecdsa-sha2-nistp384",
                                          "ecdsa-sha2-nistp521",
                                          "ssh-ed25519",
                                          "sk-ssh-ed25519@openssh.com",
                                          ""};
    struct arena *a = arena_new(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        struct one o;
        make(a, &KINDS[i], &o);
        for (size_t k = 0; k < COUNT_OF(FORMATS); k++) {
            if (slice_is(o.format, FORMATS[k]))
                continue;
            if (verifies(&o, blob_of(a, FORMATS[k], o.bytes)))
                fail_msg("%s as %s", KINDS[i].format, FORMATS[k]);
        }
    }
    arena_free(a);
}

static void rsa_may_use_sha512_but_not_sha1(void **state)
{
    static const struct {
        const char *format;
        enum digest digest;
        bool good;
    } CASES[] = {{"rsa-sha2-512", DIGEST_SHA512, true},
                 {"rsa-sha2-256", DIGEST_SHA512, false},
                 {"rsa-sha2-512", DIGEST_SHA1, false},
                 {"ssh-rsa", DIGEST_SHA1, false}};
    struct arena *a = arena_new(NULL);
    struct one o;

    (void)state;
    make(a, &KINDS[0], &o);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf sig = buf_new(a, 1u << 12);
        struct sig_alg alg = {SIG_RSA_PKCS1, CASES[i].digest};
        assert_true(signer_sign(o.signer, alg, MESSAGE, &sig, DEADLINE_NONE, NULL));
        assert_int_equal(verifies(&o, blob_of(a, CASES[i].format, buf_slice(&sig))), CASES[i].good);
    }
    arena_free(a);
}

/* RFC 5656 3.1.2: r and s, each in its shortest form and not negative. */
static void ecdsa_numbers_have_one_form(void **state)
{
    struct arena *a = arena_new(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        struct one o;
        struct slice r, s, in;
        if (KINDS[i].type == KEY_RSA || KINDS[i].type == KEY_ED25519)
            continue;
        make(a, &KINDS[i], &o);
        in = o.bytes;
        assert_true(ssh_take_mpint(&in, &r) && ssh_take_mpint(&in, &s) && in.n == 0);
        size_t field = key_field_size(KINDS[i].type);
        uint8_t *huge = arena_alloc(a, field + 1);
        memset(huge, 0x7f, field + 1);
        uint8_t *padded = arena_alloc(a, s.n + 2);
        memcpy(padded + 2, s.p, s.n);
        uint8_t *negative = arena_alloc(a, s.n + 1);
        negative[0] = 0xff;
        memcpy(negative + 1, s.p, s.n);
        const struct slice WRONG[] = {SLICE(""), slice_of(huge, field + 1),
                                      slice_of(padded, s.n + 2), slice_of(negative, s.n + 1)};
        for (size_t k = 0; k < COUNT_OF(WRONG); k++) {
            struct buf b = buf_new(a, 1u << 12);
            ssh_put_mpint(&b, r);
            ssh_put_string(&b, WRONG[k]);
            if (verifies(&o, blob_of(a, KINDS[i].format, buf_slice(&b))))
                fail_msg("%s, case %zu", KINDS[i].format, k);
        }
        struct buf b = buf_new(a, 1u << 12);
        buf_put(&b, o.bytes);
        buf_byte(&b, 0);
        assert_false(verifies(&o, blob_of(a, KINDS[i].format, buf_slice(&b))));
    }
    arena_free(a);
}

/* Short numbers come by chance: enough signatures have some. */
static void short_ecdsa_numbers_verify_as_well(void **state)
{
    struct arena *a = arena_new(NULL);
    struct one o;

    (void)state;
    make(a, &KINDS[1], &o);
    for (unsigned i = 0; i < 600; i++) {
        struct arena_mark mark = arena_mark(a);
        struct buf b = buf_new(a, 1u << 12);
        assert_true(ssh_signature_make(o.signer, false, MESSAGE, &b, DEADLINE_NONE, NULL));
        assert_true(verifies(&o, buf_slice(&b)));
        arena_rewind(a, mark);
    }
    arena_free(a);
}

static void security_keys_sign_no_certificates(void **state)
{
    struct arena *a = arena_new(NULL);
    struct one o;
    struct slice format, bytes;
    struct buf b = buf_new(a, 1u << 12);

    (void)state;
    make(a, &KINDS[4], &o);
    o.key.kind = SSH_KEY_SK_ED25519;
    buf_put(&b, blob_of(a, "sk-ssh-ed25519@openssh.com", o.bytes));
    assert_false(ssh_signature_read(buf_slice(&b), &format, &bytes, NULL));
    buf_byte(&b, 1);
    buf_u32(&b, 7);
    assert_true(ssh_signature_read(buf_slice(&b), &format, &bytes, NULL));
    assert_true(slice_eq(bytes, o.bytes));
    assert_false(verifies(&o, buf_slice(&b)));
    buf_byte(&b, 0);
    assert_false(ssh_signature_read(buf_slice(&b), &format, &bytes, NULL));
    arena_free(a);
}

static void an_rsa_key_may_sign_with_the_longer_digest(void **state)
{
    static const struct kind RSA = {KEY_RSA, 2048, "rsa-sha2-256"};
    struct arena *a = arena_new(NULL);
    struct buf b = buf_new(a, 1u << 14);
    struct slice format, bytes;
    struct one o;

    (void)state;
    make(a, &RSA, &o);
    assert_true(ssh_signature_make(o.signer, true, MESSAGE, &b, DEADLINE_NONE, NULL));
    assert_true(ssh_signature_read(buf_slice(&b), &format, &bytes, NULL));
    assert_true(slice_is(format, "rsa-sha2-512"));
    assert_true(verifies(&o, buf_slice(&b)));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_rsa_key_may_sign_with_the_longer_digest),
        cmocka_unit_test(signatures_of_all_kinds_verify),
        cmocka_unit_test(only_the_format_of_the_key_counts),
        cmocka_unit_test(rsa_may_use_sha512_but_not_sha1),
        cmocka_unit_test(ecdsa_numbers_have_one_form),
        cmocka_unit_test(short_ecdsa_numbers_verify_as_well),
        cmocka_unit_test(security_keys_sign_no_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
