/*
 * What tests of provisioners share: a clock that stands still, randomness that repeats, keys made
 * on the spot, tokens and requests put together member by member.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"
#include "crypto/pem.h"
#include "jose/jws.h"
#include "provisioner/provisioner.h"

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)

#define ok(call)                                                                                   \
    do {                                                                                           \
        struct err err_ = {0}, *e = &err_;                                                         \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err_.text);                                                  \
    } while (0)

#define refused(call, wanted, what)                                                                \
    do {                                                                                           \
        struct err err_ = {0}, *e = &err_;                                                         \
        if (call)                                                                                  \
            fail_msg("%s was accepted", #call);                                                    \
        if (err_.kind != (wanted) || !strstr(err_.text, (what)))                                   \
            fail_msg("%s: %s \"%s\", not %s with \"%s\"", #call, err_kind_name(err_.kind),         \
                     err_.text, err_kind_name(wanted), what);                                      \
    } while (0)

#define assert_slice(got, expected)                                                                \
    do {                                                                                           \
        struct slice got_ = (got), expected_ = slice_text(expected);                               \
        if (!slice_eq(got_, expected_))                                                            \
            fail_msg("%s is \"%.*s\", not \"%.*s\"", #got, SLICE_ARG(got_), SLICE_ARG(expected_)); \
    } while (0)

/* --- Time and chance ---------------------------------------------------------------------------
 */

#define NOW_SEC INT64_C(1770114030) /* 2026-02-03T10:20:30Z */

static struct instant test_now = {NOW_SEC, 0};

static struct instant test_clock_now(struct clock *c)
{
    (void)c;
    return test_now;
}

static int64_t test_clock_mono(struct clock *c)
{
    (void)c;
    return test_now.sec * NS_PER_SEC + test_now.nsec;
}

UNUSED static struct clock TEST_CLOCK = {test_clock_now, test_clock_mono};

static void test_rng_fill(struct rng *r, void *p, size_t n)
{
    static uint8_t next = 1;
    uint8_t *out = p;

    (void)r;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(next += 37);
}

UNUSED static struct rng TEST_RNG = {test_rng_fill};

/* --- JSON in pieces ----------------------------------------------------------------------------
 */

UNUSED static struct json *json_of(const char *text)
{
    struct json *v = NULL;

    ok((v = json_read(A, arena_copy(A, slice_text(text)), &JSON_STRICT, NULL, e)));
    return json_copy(A, v);
}

UNUSED static struct slice json_line(const struct json *v)
{
    struct buf b = buf_new(A, 1u << 20);

    json_print(&b, v, NULL);
    assert_true(buf_ok(&b));
    return buf_slice(&b);
}

/* text: JSON, or NULL to take the member away. */
UNUSED static void json_change(struct json *object, const char *name, const char *text)
{
    if (!text)
        json_remove_exact(object, name);
    else
        json_set_exact(object, A, name, json_of(text));
}

UNUSED static struct slice quoted(struct slice text)
{
    struct buf b = buf_new(A, 1u << 20);

    json_put_text(&b, text);
    return buf_slice(&b);
}

/* --- Keys, certificates, requests, tokens
 * --------------------------------------------------------- */

UNUSED static struct private_key *key_new(enum key_type type, unsigned bits)
{
    struct private_key *key = NULL;

    ok(private_key_generate(A, type, bits, &key, e));
    return key;
}

UNUSED static struct jwk jwk_new(struct private_key *key)
{
    struct jwk jwk = {0};

    ok(jwk_of_key(A, key->public_key, key, &jwk, e));
    return jwk;
}

UNUSED static struct csr *csr_new(const struct private_key *key, const char *cn,
                                  const char *const *names)
{
    struct slice texts[16] = {{0}}, der;
    struct csr_wish wish = {.common_name = slice_text(cn)};
    struct csr *csr = NULL;
    size_t n = 0;

    for (; names && names[n]; n++)
        texts[n] = slice_text(names[n]);
    sans_split(A, texts, n, &wish.sans);
    ok(csr_make(A, &wish, signer_local(A, key, "test"), &der, e));
    ok(csr_read(A, der, &csr, e));
    return csr;
}

/* A certificate valid from an hour ago for a day, changed by the caller before it is signed. */
UNUSED static struct x509_leaf leaf_new(const struct private_key *key, const char *name)
{
    return (struct x509_leaf){.key = key->public_key,
                              .subject.common_name = slice_text(name),
                              .not_before = instant_sec(NOW_SEC - 3600),
                              .not_after = instant_sec(NOW_SEC + 86400),
                              .key_usage = KU_DIGITAL_SIGNATURE};
}

UNUSED static struct x509_leaf ca_leaf(const struct private_key *key, const char *name)
{
    struct x509_leaf leaf = leaf_new(key, name);

    leaf.not_before = instant_sec(NOW_SEC - 86400);
    leaf.not_after = instant_sec(NOW_SEC + INT64_C(3650) * 86400);
    leaf.key_usage = KU_CERT_SIGN | KU_CRL_SIGN;
    leaf.has_basic = true;
    leaf.basic = (struct basic_constraints){.ca = true, .path_len = -1};
    return leaf;
}

/* by NULL: self-signed. */
UNUSED static struct cert *cert_sign(const struct x509_leaf *leaf, const struct private_key *by_key,
                                     struct cert *by)
{
    struct issuer issuer = {.key = by_key->public_key, .signer = signer_local(A, by_key, "test")};
    struct buf der = buf_new(A, CERT_MAX);
    struct cert *c = NULL;

    if (by)
        cert_list_add(A, &issuer.chain, by);
    ok(x509_leaf_sign(leaf, &issuer, &TEST_RNG, &der, DEADLINE_NONE, e));
    ok(cert_read(A, buf_slice(&der), &c, e));
    return c;
}

UNUSED static void use_for(struct x509_leaf *leaf, const struct oid *oid)
{
    struct slice *eku = arena_alloc(A, sizeof(*eku));

    *eku = slice_of(oid->p, oid->n);
    leaf->eku = eku;
    leaf->n_eku = 1;
}

UNUSED static struct slice jws_raw(const char *header, struct slice payload, struct slice signature)
{
    struct slice h = base64_text(A, BASE64_URL_RAW, slice_text(header));
    struct slice p = base64_text(A, BASE64_URL_RAW, payload);
    struct slice s = base64_text(A, BASE64_URL_RAW, signature);

    return arena_format(A, "%.*s.%.*s.%.*s", SLICE_ARG(h), SLICE_ARG(p), SLICE_ARG(s));
}

/* header: whole JSON object text. */
UNUSED static struct slice token_sign(const struct private_key *key, enum jws_alg alg,
                                      const char *header, const struct json *claims)
{
    struct slice token = SLICE_NONE;

    ok(jws_sign(A, slice_text(header), json_line(claims), signer_local(A, key, "test"), alg,
                DEADLINE_NONE, &token, e));
    return token;
}

/* --- Provisioners --------------------------------------------------------------------------------
 */

UNUSED static struct provisioner_env env_new(void)
{
    static const char *const HOSTS[] = {"ca.test", "127.0.0.1"};
    struct audiences *audiences = arena_alloc(A, sizeof(*audiences));
    struct slice names[COUNT_OF(HOSTS)];

    for (size_t i = 0; i < COUNT_OF(HOSTS); i++)
        names[i] = slice_text(HOSTS[i]);
    audiences_build(A, names, COUNT_OF(HOSTS), audiences);
    return (struct provisioner_env){&TEST_CLOCK, audiences, &CLAIMS_BUILT_IN};
}

UNUSED static struct provisioner *provisioner_of(const struct json *object)
{
    struct provisioner_env env = env_new();
    struct provisioner *p = NULL;

    ok(provisioner_make(A, object, "authority.provisioners[0]", &env, &p, e));
    return p;
}

UNUSED static struct json *jwk_object(const char *name, const struct jwk *jwk)
{
    struct json *v = json_of("{\"type\":\"JWK\"}");

    json_set_exact(v, A, "name", json_make_text(A, slice_text(name)));
    json_set_exact(v, A, "key", jwk_json(A, jwk, false));
    return v;
}

UNUSED static struct json *x5c_object(const char *name, const struct cert *root)
{
    struct json *v = json_of("{\"type\":\"X5C\"}");
    struct slice roots = base64_text(A, BASE64_STD, cert_pem(A, root->der));

    json_set_exact(v, A, "name", json_make_text(A, slice_text(name)));
    json_set_exact(v, A, "roots", json_make_text(A, roots));
    return v;
}

/* What `authorize` says to a token's text. */
UNUSED static bool judge(const struct provisioner *p, struct slice text, enum method m,
                         struct grant *g, struct err *e)
{
    struct asking ask = {A, test_now, DEADLINE_NONE};
    struct token *t = arena_alloc(A, sizeof(*t));

    *g = (struct grant){.by = p, .token = t};
    if (!p->type->authorize[m])
        return err_set(e, ERR_UNAUTHORIZED, "no such method");
    return token_read(A, text, t, e) && p->type->authorize[m](p, t, &ask, g, e);
}
