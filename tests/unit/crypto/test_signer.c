/* What signer_sign lets through: backends here lie, fail, are slow or sign with another key. */
#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "crypto/signer.h"
#include "crypto_testing.h"

struct arena *arena;

static struct private_key *generate(enum key_type type)
{
    struct private_key *k;
    struct err e = {0};

    assert_good(private_key_generate(arena, type, 2048, &k, &e), &e);
    return k;
}

static const enum key_type TYPES[] = {KEY_P224, KEY_P256, KEY_P384, KEY_P521, KEY_RSA, KEY_ED25519};

static void a_local_key_signs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        struct private_key *k = generate(TYPES[i]);
        struct signer *s = signer_local(arena, k, "soft");
        struct buf sig = buf_new(arena, 4096);
        struct err e = {0};
        buf_text(&sig, "before");
        assert_good(signer_sign(s, (struct sig_alg){SIG_ANY, DIGEST_NONE}, SLICE("m"), &sig,
                                DEADLINE_NONE, &e),
                    &e);
        assert_text(slice_sub(buf_slice(&sig), 0, 6), "before");
        assert_good(key_verify(k->public_key, sig_alg_usual(k->public_key), SLICE("m"),
                               slice_from(buf_slice(&sig), 6), &e),
                    &e);
        assert_ptr_equal(s->public_key, k->public_key);
        s->ops->release(s);
    }
    struct signer *s = signer_local(arena, generate(KEY_RSA), "soft");
    struct buf sig = buf_new(arena, 4096);
    struct err e = {0};
    assert_good(signer_sign(s, (struct sig_alg){SIG_RSA_PSS, DIGEST_SHA512}, SLICE("m"), &sig,
                            DEADLINE_NONE, &e),
                &e);
    assert_int_equal(sig.n, 256);
}

/* --- A backend that does what the test wants ---------------------------------------------- */

struct fake {
    struct signer signer;
    const struct private_key *key; /* signs with it */
    const char *hex;               /* or returns that */
    enum err_kind kind;            /* or fails so */
    bool silent;                   /* or fails without an error */
    unsigned sleep_us;
    atomic_uint inside, most, calls;
    struct slice digest_seen;
};

static bool fake_sign(struct signer *s, struct sig_alg alg, struct slice message,
                      struct slice digest, struct buf *sig, struct deadline d, struct err *e)
{
    struct fake *f = s->state;
    unsigned now = atomic_fetch_add(&f->inside, 1) + 1, most = atomic_load(&f->most);

    (void)d;
    while (now > most && !atomic_compare_exchange_weak(&f->most, &most, now))
        ;
    atomic_fetch_add(&f->calls, 1);
    if (f->sleep_us)
        usleep(f->sleep_us);
    atomic_fetch_sub(&f->inside, 1);
    if (f->silent)
        return false;
    if (f->kind) {
        buf_text(sig, "half a signature");
        return err_set(e, f->kind, "the card says no");
    }
    if (f->hex) {
        buf_put(sig, hex(f->hex));
        return true;
    }
    if (f->digest_seen.p)
        f->digest_seen = digest.p ? arena_copy(arena, digest) : SLICE_NONE;
    return private_key_sign(f->key, alg, message, sig, e);
}

static void fake_release(struct signer *s)
{
    (void)s;
}

static const struct signer_ops FAKE_OPS = {fake_sign, fake_release};

static struct fake *fake_new(const struct private_key *claimed)
{
    struct fake *f = arena_alloc(arena, sizeof(*f));

    f->signer = (struct signer){.ops = &FAKE_OPS,
                                .public_key = claimed->public_key,
                                .name = "pkcs11:token=x;pin-value=***",
                                .state = f};
    f->key = claimed;
    return f;
}

static bool sign(struct fake *f, struct sig_alg alg, struct buf *sig, struct err *e)
{
    *sig = buf_new(arena, 4096);
    *e = (struct err){0};
    return signer_sign(&f->signer, alg, SLICE("message"), sig, DEADLINE_NONE, e);
}

static const struct sig_alg ANY = {SIG_ANY, DIGEST_NONE};

static void garbage_is_not_a_signature(void **state)
{
    static const struct {
        enum key_type type;
        const char *hex;
    } CASES[] = {
        {KEY_P256, ""},
        {KEY_P256, "00"},
        {KEY_P256, "3006020101020101 00"},
        {KEY_P256, "3006020100020101"}, /* r = 0 */
        {KEY_P256, "3006020101020100"}, /* s = 0 */
        {KEY_P256, "30060201010201ff"}, /* s < 0 */
        {KEY_P256, "3026 022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
                   "020101"},           /* r = order */
        {KEY_P256, "3006020101020101"}, /* in range, but of nothing */
        {KEY_ED25519, "00"},
        {KEY_RSA, "0102"},
    };
    uint64_t made, failed, made2, failed2;

    (void)state;
    signer_counts(&made, &failed);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct fake *f = fake_new(generate(CASES[i].type));
        struct buf sig;
        struct err e;
        f->hex = CASES[i].hex;
        assert_error(sign(f, ANY, &sig, &e), &e, ERR_INTERNAL, "signer pkcs11:token=x");
        assert_int_equal(sig.n, 0);
        assert_int_equal(ERR_peek_error(), 0);
        /* The flag spares the verification only. */
        f->signer.flags = SIGNER_LOCAL;
        if (i < 7)
            assert_error(sign(f, ANY, &sig, &e), &e, ERR_INTERNAL, "not a signature of its key");
    }
    signer_counts(&made2, &failed2);
    assert_int_equal(made2, made);
    assert_int_equal(failed2, failed + COUNT_OF(CASES) + 7);
}

static void another_keys_signature_is_found_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        struct fake *f = fake_new(generate(TYPES[i]));
        struct buf sig;
        struct err e;
        assert_good(sign(f, ANY, &sig, &e), &e);
        f->key = generate(TYPES[i]);
        assert_error(sign(f, ANY, &sig, &e), &e, ERR_INTERNAL, "does not verify");
        assert_int_equal(sig.n, 0);
    }
    /* Ed25519 is verified even when it was made here. */
    struct fake *f = fake_new(generate(KEY_ED25519));
    struct buf sig;
    struct err e;
    f->signer.flags = SIGNER_LOCAL;
    f->key = generate(KEY_ED25519);
    assert_error(sign(f, ANY, &sig, &e), &e, ERR_INTERNAL, "does not verify");
}

static void a_failure_is_never_the_clients_fault(void **state)
{
    struct fake *f = fake_new(generate(KEY_P256));
    struct buf sig;
    struct err e;

    (void)state;
    for (unsigned kind = ERR_MALFORMED; kind < ERR_KINDS; kind++) {
        bool passes = kind == ERR_UNAVAILABLE || kind == ERR_TIMEOUT;
        f->kind = kind;
        assert_error(sign(f, ANY, &sig, &e), &e, passes ? kind : ERR_INTERNAL,
                     "signer pkcs11:token=x;pin-value=***: the card says no");
        assert_int_equal(sig.n, 0);
    }
    f->kind = ERR_NONE;
    f->silent = true;
    assert_error(sign(f, ANY, &sig, &e), &e, ERR_INTERNAL, "without a reason");
    /* Nobody wants to know. */
    sig = buf_new(arena, 4096);
    assert_false(signer_sign(&f->signer, ANY, SLICE("m"), &sig, DEADLINE_NONE, NULL));
}

static void the_algorithm_must_be_the_keys(void **state)
{
    struct fake *f = fake_new(generate(KEY_P256));
    struct buf sig;
    struct err e;

    (void)state;
    assert_error(sign(f, (struct sig_alg){SIG_RSA_PKCS1, DIGEST_SHA256}, &sig, &e), &e,
                 ERR_INTERNAL, "algorithm");
    assert_int_equal(atomic_load(&f->calls), 0);
    f->signer.only = (struct sig_alg){SIG_ECDSA, DIGEST_SHA384};
    assert_error(sign(f, (struct sig_alg){SIG_ECDSA, DIGEST_SHA256}, &sig, &e), &e, ERR_INTERNAL,
                 "bound to another");
    assert_good(sign(f, ANY, &sig, &e), &e);
    assert_good(
        key_verify(f->signer.public_key, f->signer.only, SLICE("message"), buf_slice(&sig), &e),
        &e);
}

static void the_backend_gets_digest_and_message(void **state)
{
    struct fake *f = fake_new(generate(KEY_P384)), *ed = fake_new(generate(KEY_ED25519));
    struct buf sig;
    struct err e;

    (void)state;
    f->digest_seen = ed->digest_seen = SLICE("");
    assert_good(sign(f, ANY, &sig, &e), &e);
    assert_slice(f->digest_seen, digest_bytes(arena, DIGEST_SHA384, SLICE("message")));
    assert_good(sign(ed, ANY, &sig, &e), &e);
    assert_null(ed->digest_seen.p);
}

static void *sign_in_a_thread(void *arg)
{
    struct fake *f = arg;
    struct buf sig = buf_new(NULL, 4096);

    (void)!signer_sign(&f->signer, ANY, SLICE("message"), &sig, DEADLINE_NONE, NULL);
    buf_free(&sig);
    return NULL;
}

static void the_gate_lets_few_in(void **state)
{
    struct fake *f = fake_new(generate(KEY_P256));
    pthread_t threads[6];

    (void)state;
    f->sleep_us = 2000;
    f->signer.gate_limit = 2;
    gate_init(&f->signer.gate, 2);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_in_a_thread, f), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&f->calls), 6);
    assert_true(atomic_load(&f->most) <= 2);
    gate_destroy(&f->signer.gate);
}

static void a_passed_deadline_does_not_reach_the_backend(void **state)
{
    struct fake *f = fake_new(generate(KEY_P256));
    struct buf sig = buf_new(arena, 4096);
    struct err e = {0};

    (void)state;
    assert_error(signer_sign(&f->signer, ANY, SLICE("m"), &sig, deadline_in(&CLOCK_SYSTEM, -1), &e),
                 &e, ERR_TIMEOUT, "signer");
    assert_int_equal(atomic_load(&f->calls), 0);
}

int main(void)
{
    secret_init();
    const struct CMUnitTest tests[] = {
        TEST(a_local_key_signs),
        TEST(garbage_is_not_a_signature),
        TEST(another_keys_signature_is_found_out),
        TEST(a_failure_is_never_the_clients_fault),
        TEST(the_algorithm_must_be_the_keys),
        TEST(the_backend_gets_digest_and_message),
        TEST(the_gate_lets_few_in),
        TEST(a_passed_deadline_does_not_reach_the_backend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
