/* What the x509 tests share: fixtures, keys and issuers made on the spot, libcrypto as the second
 * opinion. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/encode.h"
#include "base/file.h"
#include "crypto/pem.h"
#include "x509/chain.h"
#include "x509/crl.h"
#include "x509/show.h"

static struct arena *A;

static int arena_setup(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    return 0;
}

static int arena_teardown(void **state)
{
    (void)state;
    arena_free(A);
    return 0;
}

#define ok(call)                                                                                   \
    do {                                                                                           \
        struct err err_ = {0}, *e = &err_;                                                         \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err_.text);                                                  \
    } while (0)

#define refused(call, what)                                                                        \
    do {                                                                                           \
        struct err err_ = {0}, *e = &err_;                                                         \
        if (call)                                                                                  \
            fail_msg("%s was accepted", #call);                                                    \
        if (!strstr(err_.text, (what)))                                                            \
            fail_msg("%s: \"%s\" does not say \"%s\"", #call, err_.text, (what));                  \
    } while (0)

UNUSED static struct slice text(const char *s)
{
    return slice_text(s);
}

#define assert_slice(got, expected)                                                                \
    do {                                                                                           \
        struct slice got_ = (got);                                                                 \
        if (!slice_is(got_, expected))                                                             \
            fail_msg("%s is \"%.*s\", not \"%s\"", #got, SLICE_ARG(got_), expected);               \
    } while (0)

UNUSED static struct slice fixture(const char *name)
{
    struct slice content;

    ok(file_read(A, arena_printf(A, "%s%s", FIXTURES, name), false, FILE_MAX_USUAL, &content, e));
    return content;
}

UNUSED static struct slice fixture_der(const char *name)
{
    struct slice rest = fixture(name);
    struct pem block;

    ok(pem_next(A, &rest, &block, e));
    return block.der;
}

UNUSED static struct cert *cert_fixture(const char *name)
{
    struct cert *c = NULL;

    ok(cert_read(A, fixture_der(name), &c, e));
    return c;
}

UNUSED static struct csr *csr_fixture(const char *name)
{
    struct csr *c = NULL;

    ok(csr_read(A, fixture_der(name), &c, e));
    return c;
}

UNUSED static struct signer *signer_new(enum key_type type, unsigned bits)
{
    struct private_key *key = NULL;

    ok(private_key_generate(A, type, bits, &key, e));
    return signer_local(A, key, "test");
}

UNUSED static struct instant at(const char *rfc)
{
    struct instant t = {0};

    assert_true(rfc3339_read(slice_text(rfc), &t));
    return t;
}

UNUSED static X509 *openssl_cert(struct slice der)
{
    const unsigned char *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);

    assert_non_null(x);
    assert_ptr_equal(p, der.p + der.n);
    return x;
}

/* A leaf with what every test needs. */
UNUSED static struct x509_leaf leaf_new(const struct key *key, const char *name)
{
    struct x509_leaf leaf = {
        .key = key,
        .subject.common_name = slice_text(name),
        .not_before = at("2026-01-01T00:00:00Z"),
        .not_after = at("2027-01-01T00:00:00Z"),
        .key_usage = KU_DIGITAL_SIGNATURE,
    };
    return leaf;
}

UNUSED static struct cert *sign(const struct x509_leaf *leaf, const struct issuer *issuer)
{
    struct buf der = buf_new(A, CERT_MAX);
    struct cert *c = NULL;

    ok(x509_leaf_sign(leaf, issuer, &RNG_SYSTEM, &der, DEADLINE_NONE, e));
    ok(cert_read(A, buf_slice(&der), &c, e));
    return c;
}

/* A CA: self-signed when by is NULL. */
UNUSED static struct issuer ca_new(struct signer *s, const char *name, const struct issuer *by)
{
    struct x509_leaf leaf = leaf_new(s->public_key, name);
    struct issuer self = {.key = s->public_key, .signer = s};

    leaf.not_after = at("2036-01-01T00:00:00Z");
    leaf.key_usage = KU_CERT_SIGN | KU_CRL_SIGN;
    leaf.has_basic = true;
    leaf.basic = (struct basic_constraints){.ca = true, .path_len = -1};
    struct cert *c = sign(&leaf, by ? by : &self);
    struct cert_list chain = {0};
    cert_list_add(A, &chain, c);
    for (size_t i = 0; by && i < by->chain.n; i++)
        cert_list_add(A, &chain, by->chain.v[i]);
    self.chain = chain;
    return self;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)
