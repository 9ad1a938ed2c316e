/* Keys as operators keep them: provisioner keys, JWK files, PEM. */
#include "vectors.h"

#include "crypto/keyfile.h"
#include "jose/jwe.h"

static void provisioner_keys_open(void **state)
{
    (void)state;
    for (const struct json *v = fixture("vectors.json", "provisioners")->first; v; v = v->next) {
        struct password_fixed p;
        struct jwk jwk;
        struct err e = {0};
        struct password_source *source = password_fixed_init(&p, member(v, "password"));
        if (!jwk_open(mem, member(v, "text"), "test", source, &jwk, &e))
            fail_msg("%.*s: %s", SLICE_ARG(member(v, "name")), e.text);
        assert_non_null(jwk.secret);
        assert_same(jwk_text(mem, &jwk, false), member(v, "public"));
        assert_same(jwk_thumbprint(mem, jwk.key), jwk.kid);
    }
}

static void sealed_keys_have_the_provisioner_form(void **state)
{
    struct private_key *k;
    struct jwk jwk, again;
    struct jwe jwe;
    struct slice text;
    struct password_fixed p;
    struct err e = {0};
    uint64_t rounds;

    (void)state;
    assert_true(private_key_generate(mem, KEY_P256, 0, &k, &e));
    assert_true(jwk_of_key(mem, k->public_key, k, &jwk, &e));
    assert_true(jwe_seal_jwk(mem, &jwk, SLICE("pass"), JWE_COMPACT, &text, &e));
    assert_true(jwe_read(mem, text, &jwe, &e));
    assert_slice(jwe.alg, "PBES2-HS256+A128KW");
    assert_slice(jwe.enc, "A256GCM");
    assert_slice(jwe.cty, "jwk+json");
    assert_true(json_uint(json_get_exact(jwe.header, "p2c"), &rounds));
    assert_int_equal(rounds, 600000);
    assert_int_equal(jwe.header->n, 5);
    assert_true(jwk_open(mem, text, "test", password_fixed_init(&p, SLICE("pass")), &again, &e));
    assert_same(jwk_text(mem, &again, true), jwk_text(mem, &jwk, true));
}

static void sealing_needs_a_password_and_a_secret(void **state)
{
    struct private_key *k;
    struct jwk jwk;
    struct slice text;
    struct err e = {0};

    (void)state;
    assert_true(private_key_generate(mem, KEY_P256, 0, &k, &e));
    assert_true(jwk_of_key(mem, k->public_key, k, &jwk, &e));
    assert_false(jwe_seal_jwk(mem, &jwk, SLICE(""), JWE_COMPACT, &text, &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
    assert_true(jwk_of_key(mem, k->public_key, NULL, &jwk, &e));
    assert_false(jwe_seal_jwk(mem, &jwk, SLICE("pass"), JWE_COMPACT, &text, &e));
}

struct guesses {
    struct password_source source;
    const char *const *passwords;
    unsigned asked;
};

static bool guess(struct password_source *source, const char *what, unsigned attempt,
                  struct arena *secrets, struct slice *password, struct err *e)
{
    struct guesses *g = (struct guesses *)source;

    (void)attempt;
    assert_string_equal(what, "key.json");
    if (!g->passwords[g->asked])
        return err_set(e, ERR_UNAVAILABLE, "nobody is there");
    *password = arena_copy(secrets, slice_text(g->passwords[g->asked++]));
    return true;
}

/* A key that opens at once: few rounds. */
static struct slice sealed_key(void)
{
    struct private_key *k;
    struct jwk jwk;
    struct slice text;
    struct jwe_options o = {
        .alg = "PBES2-HS512+A256KW", .enc = "A128CBC-HS256", .cty = "jwk+json", .p2c = 10};
    struct jwe_key key = {.password = SLICE("right")};

    assert_true(private_key_generate(mem, KEY_ED25519, 0, &k, NULL));
    assert_true(jwk_of_key(mem, k->public_key, k, &jwk, NULL));
    assert_true(jwe_seal(mem, &o, &key, jwk_text(mem, &jwk, true), JWE_FLATTENED, &text, NULL));
    return text;
}

static void passwords_are_asked_again(void **state)
{
    static const char *const second[] = {"wrong", "right", NULL};
    static const char *const never[] = {"a", "b", "c", "d", NULL};
    static const char *const gone[] = {"a", NULL};
    struct slice text = sealed_key();
    struct guesses g = {{guess, 3}, second, 0};
    struct jwk jwk;
    struct err e = {0};

    (void)state;
    assert_true(jwk_open(mem, text, "key.json", &g.source, &jwk, &e));
    assert_int_equal(g.asked, 2);
    g = (struct guesses){{guess, 3}, never, 0};
    assert_false(jwk_open(mem, text, "key.json", &g.source, &jwk, &e));
    assert_int_equal(g.asked, 3);
    assert_int_equal(e.kind, ERR_UNAUTHORIZED);
    assert_string_equal(e.text, "error decrypting key.json: password incorrect");
    g = (struct guesses){{guess, 3}, gone, 0};
    assert_false(jwk_open(mem, text, "key.json", &g.source, &jwk, &e));
    assert_int_equal(e.kind, ERR_UNAVAILABLE);
    assert_false(jwk_open(mem, text, "key.json", NULL, &jwk, &e));
    assert_int_equal(e.kind, ERR_UNAUTHORIZED);
    assert_string_equal(e.text, "key.json is encrypted");
}

static void broken_files_are_not_asked_about_twice(void **state)
{
    static const char *const passwords[] = {"a", "b", "c", NULL};
    struct guesses g = {{guess, 3}, passwords, 0};
    struct jwk jwk;
    struct err e = {0};
    struct slice text =
        arena_format(mem, "%.*s.AA.AA.AA.AA",
                     SLICE_ARG(b64("{\"alg\":\"PBES2-HS256+A128KW\",\"enc\":\"A128GCM\"}")));

    (void)state;
    assert_false(jwk_open(mem, text, "key.json", &g.source, &jwk, &e));
    assert_int_equal(g.asked, 1);
    assert_int_equal(e.kind, ERR_MALFORMED);
    g.asked = 0;
    text = arena_format(mem, "%.*s.AA.AA.AA.AA",
                        SLICE_ARG(b64("{\"alg\":\"A128KW\",\"enc\":\"A128GCM\"}")));
    assert_false(jwk_open(mem, text, "key.json", &g.source, &jwk, &e));
    assert_int_equal(g.asked, 0);
}

static void every_kind_of_key_file_is_read(void **state)
{
    struct private_key *k;
    struct jwk jwk, found;
    struct slice pem;
    struct password_fixed p;
    struct err e = {0};

    (void)state;
    assert_true(private_key_generate(mem, KEY_P256, 0, &k, &e));
    assert_true(jwk_of_key(mem, k->public_key, k, &jwk, &e));

    assert_true(private_key_pem(mem, k, KEY_TRADITIONAL, &pem, &e));
    assert_true(jose_key_read(mem, pem, "k", NULL, &found, &e));
    assert_non_null(found.secret);
    assert_same(found.kid, jwk.kid);
    assert_slice(found.alg, "ES256");

    assert_true(private_key_pem(mem, k, KEY_PKCS8, &pem, &e));
    assert_true(jose_key_read(mem, arena_format(mem, "\xef\xbb\xbf%.*s\n", SLICE_ARG(pem)), "k",
                              NULL, &found, &e));
    assert_non_null(found.secret);

    assert_true(private_key_pem_encrypted(mem, k, SLICE("pass"), &pem, &e));
    assert_true(jose_key_read(mem, pem, "k", password_fixed_init(&p, SLICE("pass")), &found, &e));
    assert_same(found.kid, jwk.kid);
    assert_false(jose_key_read(mem, pem, "k", NULL, &found, &e));
    assert_int_equal(e.kind, ERR_UNAUTHORIZED);

    assert_true(jose_key_read(mem, public_key_pem(mem, k->public_key), "k", NULL, &found, &e));
    assert_null(found.secret);
    assert_same(found.kid, jwk.kid);

    struct slice text = jwk_text(mem, &jwk, true);
    assert_true(jose_key_read(mem, arena_format(mem, "\xef\xbb\xbf\n%.*s\n", SLICE_ARG(text)), "k",
                              NULL, &found, &e));
    assert_non_null(found.secret);
    assert_true(
        jose_key_read(mem, sealed_key(), "k", password_fixed_init(&p, SLICE("right")), &found, &e));
    assert_int_equal(found.key->type, KEY_ED25519);
}

static void other_files_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "hello",
        "{}",
        "-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN "};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct jwk jwk;
        struct err e = {0};
        if (jose_key_read(mem, slice_text(bad[i]), "k", NULL, &jwk, &e))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
        assert_true(e.text[0] != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(provisioner_keys_open),
        TEST(sealed_keys_have_the_provisioner_form),
        TEST(sealing_needs_a_password_and_a_secret),
        TEST(passwords_are_asked_again),
        TEST(broken_files_are_not_asked_about_twice),
        TEST(every_kind_of_key_file_is_read),
        TEST(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
