/* Key files of other programs, our own, and everything that can be wrong with one. */
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/der.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"
#include "crypto_testing.h"

#define PASSWORD "correct horse"

struct arena *arena;

static struct password_source *right(void)
{
    struct password_fixed *p = arena_alloc(arena, sizeof(*p));

    return password_fixed_init(p, SLICE(PASSWORD));
}

static struct password_source *wrong(void)
{
    struct password_fixed *p = arena_alloc(arena, sizeof(*p));

    return password_fixed_init(p, SLICE("incorrect horse"));
}

/* A file that other programs wrote, and the public key that they say it has. */
static const struct {
    const char *file, *public_key;
    bool encrypted;
} FILES[] = {
    {"p224.pem", "p224.pub.pem", false},
    {"p256.pem", "p256.pub.pem", false},
    {"p384.pem", "p384.pub.pem", false},
    {"p521.pem", "p521.pub.pem", false},
    {"rsa.pem", "rsa.pub.pem", false},
    {"rsa.pem", "rsa-pkcs1.pub.pem", false},
    {"ed25519.pem", "ed25519.pub.pem", false},
    {"x25519.pem", "x25519.pub.pem", false},
    {"p224-pkcs8.pem", "p224.pub.pem", false},
    {"p256-pkcs8.pem", "p256.pub.pem", false},
    {"p384-pkcs8.pem", "p384.pub.pem", false},
    {"p521-pkcs8.pem", "p521.pub.pem", false},
    {"rsa-pkcs8.pem", "rsa.pub.pem", false},
    {"p256-with-parameters.pem", "p256.pub.pem", false},
    {"p256-no-public.pem", "p256.pub.pem", false},
    {"p256-compressed.pem", "p256.pub.pem", false},
    {"p256-dek-aes128.pem", "p256.pub.pem", true},
    {"p256-dek-aes192.pem", "p256.pub.pem", true},
    {"p256-dek-aes256.pem", "p256.pub.pem", true},
    {"p256-dek-des3.pem", "p256.pub.pem", true},
    {"p256-dek-des.pem", "p256.pub.pem", true},
    {"rsa-dek-aes256.pem", "rsa.pub.pem", true},
    {"p256-pbes2-aes-128-cbc.pem", "p256.pub.pem", true},
    {"p256-pbes2-aes-192-cbc.pem", "p256.pub.pem", true},
    {"p256-pbes2-aes-256-cbc.pem", "p256.crt.pem", true},
    {"p256-pbes2-des3.pem", "p256.csr.pem", true},
    {"p256-pbes2-des.pem", "p256.pub.pem", true},
    {"p256-pbes2-SHA1.pem", "p256.pub.pem", true},
    {"p256-pbes2-SHA224.pem", "p256.pub.pem", true},
    {"p256-pbes2-SHA256.pem", "p256.pub.pem", true},
    {"p256-pbes2-SHA384.pem", "p256.pub.pem", true},
    {"p256-pbes2-SHA512.pem", "p256.pub.pem", true},
    {"p256-scrypt.pem", "p256.pub.pem", true},
    {"rsa-pbes2.pem", "rsa.pub.pem", true},
    {"ed25519-pbes2.pem", "ed25519.pub.pem", true},
    {"ssh-rsa", "ssh-rsa.pub", false},
    {"ssh-p256", "ssh-p256.pub", false},
    {"ssh-p384", "ssh-p384.pub", false},
    {"ssh-p521", "ssh-p521.pub", false},
    {"ssh-ed25519", "ssh-ed25519.pub", false},
    {"ssh-rsa-encrypted", "ssh-rsa.pub", true},
    {"ssh-p256-encrypted", "ssh-p256.pub", true},
    {"ssh-p384-encrypted", "ssh-p384.pub", true},
    {"ssh-p521-encrypted", "ssh-p521.pub", true},
    {"ssh-ed25519-encrypted", "ssh-ed25519.pub", true},
    {"ssh-ed25519-cbc", "ssh-ed25519.pub", true},
    {"ssh-ed25519-128", "ssh-ed25519.pub", true},
};

static const struct key *public_fixture(const char *name)
{
    struct slice text = fixture(name);
    const struct key *k;
    struct err e = {0};

    if (slice_ends(slice_text(name), ".pem"))
        assert_good(public_key_read(arena, text, name, NULL, &k, &e), &e);
    else
        assert_good(public_key_from_openssh(arena, text, &k, &e), &e);
    return k;
}

static struct private_key *private_fixture(const char *name)
{
    struct private_key *k;
    struct err e = {0};

    assert_good(private_key_read(arena, fixture(name), name, right(), &k, &e), &e);
    return k;
}

static void files_of_other_programs_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(FILES); i++) {
        struct private_key *k;
        struct err e = {0};
        struct slice text = fixture(FILES[i].file);
        const struct key *expected = public_fixture(FILES[i].public_key), *pub;
        assert_good(private_key_read(arena, text, FILES[i].file, right(), &k, &e), &e);
        if (!key_eq(k->public_key, expected))
            fail_msg("%s: another key", FILES[i].file);
        assert_good(public_key_read(arena, text, FILES[i].file, right(), &pub, &e), &e);
        assert_true(key_eq(pub, expected));
        assert_int_equal(private_key_is_encrypted(text), FILES[i].encrypted);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void a_wrong_password_has_one_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(FILES); i++) {
        struct slice text = fixture(FILES[i].file);
        struct private_key *k;
        struct err e = {0};
        if (!FILES[i].encrypted) {
            assert_good(private_key_read(arena, text, "k", wrong(), &k, &e), &e);
            continue;
        }
        assert_error(private_key_read(arena, text, "k", wrong(), &k, &e), &e, ERR_UNAUTHORIZED,
                     "error decrypting k: password incorrect");
        assert_error(private_key_read(arena, text, "k", NULL, &k, &e), &e, ERR_UNAUTHORIZED,
                     "k is encrypted");
        assert_int_equal(ERR_peek_error(), 0);
    }
}

struct asking {
    struct password_source source;
    unsigned asked, right_at;
};

static bool ask(struct password_source *source, const char *what, unsigned attempt,
                struct arena *secrets, struct slice *password, struct err *e)
{
    struct asking *a = (struct asking *)source;

    assert_string_equal(what, "k");
    assert_int_equal(attempt, a->asked);
    if (a->asked++ == 7)
        return err_set(e, ERR_UNAVAILABLE, "no terminal");
    *password = arena_copy(secrets, attempt == a->right_at ? SLICE(PASSWORD) : SLICE("no"));
    return true;
}

static void the_password_is_asked_again(void **state)
{
    struct slice text = fixture("p256-dek-aes256.pem");
    struct private_key *k;
    struct err e = {0};
    struct asking a = {{ask, 3}, 0, 2};

    (void)state;
    assert_good(private_key_read(arena, text, "k", &a.source, &k, &e), &e);
    assert_int_equal(a.asked, 3);
    a = (struct asking){{ask, 2}, 0, 2};
    assert_error(private_key_read(arena, text, "k", &a.source, &k, &e), &e, ERR_UNAUTHORIZED,
                 "password incorrect");
    assert_int_equal(a.asked, 2);
    a = (struct asking){{ask, 0}, 0, 0};
    assert_error(private_key_read(arena, text, "k", &a.source, &k, &e), &e, ERR_UNAUTHORIZED,
                 "no password");
    a = (struct asking){{ask, 10}, 0, 10};
    assert_error(private_key_read(arena, text, "k", &a.source, &k, &e), &e, ERR_UNAVAILABLE,
                 "no terminal");
    /* Nobody is asked for a plain key, and not again for a file that no password opens. */
    a = (struct asking){{ask, 3}, 0, 0};
    assert_good(private_key_read(arena, fixture("p256.pem"), "k", &a.source, &k, &e), &e);
    assert_int_equal(a.asked, 0);
    assert_error(private_key_read(arena, fixture("p256-pbes1.pem"), "k", &a.source, &k, &e), &e,
                 ERR_MALFORMED, "error decrypting k: PKCS#8");
    assert_int_equal(a.asked, 1);
}

static struct slice joined(struct slice a, struct slice b)
{
    struct buf out = buf_new(arena, 1 << 20);

    buf_put(&out, a);
    buf_put(&out, b);
    return buf_slice(&out);
}

static void files_that_are_no_single_key_are_refused(void **state)
{
    struct slice p256 = fixture("p256.pem");
    const struct {
        struct slice text;
        const char *error;
    } CASES[] = {
        {joined(p256, p256), "error decoding k: contains more than one PEM encoded block"},
        {joined(p256, fixture("p256.crt.pem")), "contains more than one PEM encoded block"},
        {joined(p256, SLICE("junk\n")), "contains more than one PEM encoded block"},
        {SLICE(""), "error decoding k: not a valid PEM encoded block"},
        {SLICE("junk"), "error decoding k: not a valid PEM encoded block"},
        {slice_sub(p256, 0, p256.n - 20), "error decoding k: not a valid PEM encoded block"},
        {fixture("ssh-p256.pub"), "not a valid PEM encoded block"},
        {SLICE("-----BEGIN FOO PRIVATE KEY-----\nAAEC\n-----END FOO PRIVATE KEY-----\n"),
         "error decoding k: contains an unexpected header 'FOO PRIVATE KEY'"},
        {SLICE("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"),
         "not a valid PEM encoded block"},
        {fixture("p256.crt.pem"), "k is not a signer: it holds a certificate"},
        {fixture("p256.csr.pem"), "k is not a signer"},
        {fixture("p256.pub.pem"), "k is not a signer: it holds a public key"},
        {fixture("rsa-pkcs1.pub.pem"), "k is not a signer"},
        {fixture("p256-explicit.pem"), "named curve"},
        {fixture("secp256k1.pem"), "unsupported curve"},
        {fixture("rsa-three-primes.pem"), "two primes"},
        {SLICE("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAEC\n-----END EC "
               "PRIVATE KEY-----\n"),
         "DEK-Info"},
        {SLICE("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: RC2-CBC,00\n\n"
               "AAEC\n-----END EC PRIVATE KEY-----\n"),
         "unsupported cipher"},
        {SLICE("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n"
               "\nAAEC\n-----END EC PRIVATE KEY-----\n"),
         "no IV of 16 bytes"},
        {SLICE("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
               "DES-CBC,0011223344556677\n\nAAEC\n-----END EC PRIVATE KEY-----\n"),
         "whole blocks"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct private_key *k;
        struct err e = {0};
        assert_error(private_key_read(arena, CASES[i].text, "k", right(), &k, &e), &e,
                     ERR_MALFORMED, CASES[i].error);
    }
}

static void what_stands_around_a_key_is_skipped(void **state)
{
    struct slice p256 = fixture("p256.pem");
    const struct slice cases[] = {
        joined(SLICE("\xef\xbb\xbf"), p256),
        joined(SLICE("some text\nand more\n"), p256),
        joined(p256, SLICE(" \r\n\t\n")),
        slice_trim(p256),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct private_key *k;
        struct err e = {0};
        assert_good(private_key_read(arena, cases[i], "k", NULL, &k, &e), &e);
    }
}

/* Every prefix of the DER of every kind is refused, and so is a byte more. */
static void cut_off_keys_are_refused(void **state)
{
    static const char *const NAMES[] = {"p256.pem", "p256-pkcs8.pem", "ed25519.pem"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        struct slice rest = fixture(NAMES[i]), der;
        struct private_key *k;
        struct pem block;
        struct err e = {0};
        assert_good(pem_next(arena, &rest, &block, &e), &e);
        der = block.der;
        for (size_t n = 0; n < der.n; n++)
            assert_error(private_key_from_der(arena, slice_sub(der, 0, n), &k, &e), &e,
                         ERR_MALFORMED, "");
        assert_error(private_key_from_der(arena, joined(der, SLICE("x")), &k, &e), &e,
                     ERR_MALFORMED, "not DER");
        assert_good(private_key_from_der(arena, der, &k, &e), &e);
    }
}

static void damaged_files_never_become_another_key(void **state)
{
    struct slice rest = fixture("ssh-ed25519");
    struct pem block;
    struct err e = {0};

    (void)state;
    assert_good(pem_next(arena, &rest, &block, &e), &e);
    for (size_t n = 0; n < block.der.n; n++) {
        struct private_key *k;
        struct slice text = pem_text(arena, "OPENSSH PRIVATE KEY", slice_sub(block.der, 0, n));
        assert_error(private_key_read(arena, text, "k", right(), &k, &e), &e, ERR_MALFORMED, "k");
    }
}

/* An EncryptedPrivateKeyInfo with these costs and nothing in it. */
static struct slice costly(bool scrypt, int64_t rounds)
{
    struct buf b = buf_new(arena, 4096);
    size_t outer, alg, params, derivation, values, scheme;

    der_open(&b, DER_SEQUENCE, &outer);
    der_open(&b, DER_SEQUENCE, &alg);
    der_raw(&b, hex("06092a864886f70d01050d"));
    der_open(&b, DER_SEQUENCE, &params);
    der_open(&b, DER_SEQUENCE, &derivation);
    der_raw(&b, hex(scrypt ? "06092b06010401da47040b" : "06092a864886f70d01050c"));
    der_open(&b, DER_SEQUENCE, &values);
    der_octets(&b, SLICE("salt"));
    der_int(&b, rounds);
    if (scrypt) {
        der_int(&b, 8);
        der_int(&b, 1);
    }
    der_close(&b, values);
    der_close(&b, derivation);
    der_open(&b, DER_SEQUENCE, &scheme);
    der_raw(&b, hex("060960864801650304012a"));
    der_octets(&b, SLICE("sixteen bytes iv"));
    der_close(&b, scheme);
    der_close(&b, params);
    der_close(&b, alg);
    der_octets(&b, SLICE("sixteen bytes of"));
    der_close(&b, outer);
    return pem_text(arena, "ENCRYPTED PRIVATE KEY", buf_slice(&b));
}

static void costs_are_bounded(void **state)
{
    static const struct {
        bool scrypt;
        int64_t rounds;
        enum err_kind kind;
        const char *error;
    } CASES[] = {
        {false, 1, ERR_UNAUTHORIZED, "password incorrect"},
        {false, 10000001, ERR_MALFORMED, "10000001 rounds"},
        {false, INT64_MAX, ERR_MALFORMED, "rounds"},
        {false, 0, ERR_MALFORMED, "0 rounds"},
        {false, -1, ERR_MALFORMED, "-1 rounds"},
        {true, 1024, ERR_UNAUTHORIZED, "password incorrect"},
        {true, 1 << 24, ERR_MALFORMED, "1 GiB"},
        {true, 1000, ERR_MALFORMED, "parameters"},
        {true, 0, ERR_MALFORMED, "parameters"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice text = costly(CASES[i].scrypt, CASES[i].rounds);
        struct private_key *k;
        struct err e = {0};
        assert_error(private_key_read(arena, text, "k", right(), &k, &e), &e, CASES[i].kind,
                     CASES[i].error);
    }
}

static bool reads_back(const struct private_key *k, struct slice pem, struct password_source *p)
{
    struct private_key *again;
    struct err e = {0};

    assert_good(private_key_read(arena, pem, "k", p, &again, &e), &e);
    return key_eq(again->public_key, k->public_key);
}

static void what_we_write_is_read_back(void **state)
{
    static const char *const NAMES[] = {"rsa.pem",  "p224.pem",    "p256.pem",  "p384.pem",
                                        "p521.pem", "ed25519.pem", "x25519.pem"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        struct private_key *k = private_fixture(NAMES[i]);
        struct slice pem, der, again;
        struct private_key *k2;
        struct err e = {0};
        for (unsigned form = KEY_TRADITIONAL; form <= KEY_PKCS8; form++) {
            assert_good(private_key_pem(arena, k, form, &pem, &e), &e);
            assert_true(reads_back(k, pem, NULL));
            assert_good(private_key_der(arena, k, form, &der, &e), &e);
            assert_good(private_key_from_der(arena, der, &k2, &e), &e);
            assert_good(private_key_der(arena, k2, form, &again, &e), &e);
            assert_slice(again, der);
        }
        assert_good(private_key_pem_encrypted(arena, k, SLICE(PASSWORD), &pem, &e), &e);
        assert_true(slice_starts(pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert_true(private_key_is_encrypted(pem));
        assert_true(reads_back(k, pem, right()));
        assert_error(private_key_read(arena, pem, "k", wrong(), &k2, &e), &e, ERR_UNAUTHORIZED,
                     "password incorrect");
        struct slice pub = public_key_pem(arena, k->public_key);
        const struct key *pub2;
        assert_good(public_key_read(arena, pub, "k", NULL, &pub2, &e), &e);
        assert_true(key_eq(pub2, k->public_key));
    }
}

/* Other programs' files are written by us octet by octet the same (where nothing is random). */
static void plain_forms_are_those_of_openssl(void **state)
{
    static const struct {
        const char *file;
        enum key_encoding form;
    } CASES[] = {
        {"p224.pem", KEY_TRADITIONAL},    {"p256.pem", KEY_TRADITIONAL},
        {"p384.pem", KEY_TRADITIONAL},    {"p521.pem", KEY_TRADITIONAL},
        {"rsa.pem", KEY_TRADITIONAL},     {"p256-pkcs8.pem", KEY_PKCS8},
        {"p521-pkcs8.pem", KEY_PKCS8},    {"rsa-pkcs8.pem", KEY_PKCS8},
        {"ed25519.pem", KEY_TRADITIONAL}, {"x25519.pem", KEY_PKCS8},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice pem;
        struct err e = {0};
        assert_good(private_key_pem(arena, private_fixture(CASES[i].file), CASES[i].form, &pem, &e),
                    &e);
        if (!slice_eq(pem, fixture(CASES[i].file)))
            fail_msg("%s: got\n%.*s", CASES[i].file, SLICE_ARG(pem));
    }
    assert_true(
        slice_eq(public_key_pem(arena, public_fixture("p256.pub.pem")), fixture("p256.pub.pem")));
}

static void openssh_forms_are_written_and_read_back(void **state)
{
    static const char *const NAMES[] = {"ssh-rsa", "ssh-p256", "ssh-p384", "ssh-p521",
                                        "ssh-ed25519"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        struct private_key *k = private_fixture(NAMES[i]), *k2;
        struct slice pem, line, text = fixture(arena_printf(arena, "%s.pub", NAMES[i]));
        struct err e = {0};
        assert_good(private_key_openssh(arena, k, SLICE_NONE, "a comment", &pem, &e), &e);
        assert_false(private_key_is_encrypted(pem));
        assert_true(reads_back(k, pem, NULL));
        assert_good(private_key_openssh(arena, k, SLICE(PASSWORD), NULL, &pem, &e), &e);
        assert_true(private_key_is_encrypted(pem));
        assert_true(reads_back(k, pem, right()));
        assert_error(private_key_read(arena, pem, "k", wrong(), &k2, &e), &e, ERR_UNAUTHORIZED,
                     "password incorrect");
        /* "type base64 fixture" */
        line = public_key_openssh(arena, k->public_key);
        assert_slice(line, slice_sub(text, 0, line.n));
        assert_text(slice_trim(slice_from(text, line.n)), "fixture");
    }
    struct slice pem;
    struct err e = {0};
    assert_error(private_key_openssh(arena, private_fixture("p224.pem"), SLICE_NONE, "", &pem, &e),
                 &e, ERR_MALFORMED, "P-224");
    assert_null(public_key_openssh(arena, public_fixture("x25519.pub.pem")).p);
}

static void openssh_public_lines_are_checked(void **state)
{
    static const char *const BAD[] = {
        "",
        "ssh-dss AAAA",
        "ssh-ed25519",
        "ssh-ed25519 !!!!",
        "ssh-ed25519 AAAA",
        /* the right blob under another name */
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        /* a byte too many */
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        const struct key *k;
        struct err e = {0};
        assert_error(public_key_from_openssh(arena, slice_text(BAD[i]), &k, &e), &e, ERR_MALFORMED,
                     "SSH public key");
    }
}

static void private_key_load_reads_files(void **state)
{
    struct private_key *k;
    struct err e = {0};
    char *path = arena_printf(arena, "%s/p256-pbes2-SHA256.pem", FIXTURES);

    (void)state;
    assert_good(private_key_load(arena, path, right(), &k, &e), &e);
    assert_true(key_eq(k->public_key, public_fixture("p256.pub.pem")));
    assert_error(private_key_load(arena, "/nowhere/key", right(), &k, &e), &e, ERR_NOT_FOUND,
                 "open /nowhere/key failed: no such file or directory");
}

static void an_empty_password_encrypts_nothing(void **state)
{
    struct slice pem;
    struct err e = {0};

    (void)state;
    assert_error(private_key_pem_encrypted(arena, private_fixture("p256.pem"), SLICE(""), &pem, &e),
                 &e, ERR_MALFORMED, "empty");
}

int main(void)
{
    secret_init();
    const struct CMUnitTest tests[] = {
        TEST(files_of_other_programs_are_read),
        TEST(a_wrong_password_has_one_class),
        TEST(the_password_is_asked_again),
        TEST(files_that_are_no_single_key_are_refused),
        TEST(what_stands_around_a_key_is_skipped),
        TEST(cut_off_keys_are_refused),
        TEST(damaged_files_never_become_another_key),
        TEST(costs_are_bounded),
        TEST(what_we_write_is_read_back),
        TEST(plain_forms_are_those_of_openssl),
        TEST(openssh_forms_are_written_and_read_back),
        TEST(openssh_public_lines_are_checked),
        TEST(private_key_load_reads_files),
        TEST(an_empty_password_encrypts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
