/* Tokens: claims and their types, times, certificate chains in headers. */
#include "vectors.h"

#include "jose/jws.h"

static bool read_claims(const char *claims, struct token *t, struct err *e)
{
    struct slice text = arena_format(mem, "eyJhbGciOiJFUzI1NiJ9.%.*s.AA", SLICE_ARG(b64(claims)));

    return token_read(mem, text, t, e);
}

static struct token must_read(const char *claims)
{
    struct token t;
    struct err e = {0};

    if (!read_claims(claims, &t, &e))
        fail_msg("%s: %s", claims, e.text);
    return t;
}

static void claims_are_read(void **state)
{
    struct token t =
        must_read("{\"iss\":\"i\",\"sub\":\"s\",\"jti\":\"j\",\"aud\":[\"a\",\"b\"],\"exp\":3,"
                  "\"nbf\":2,\"iat\":1,\"sans\":[\"x\"]}");

    (void)state;
    assert_slice(t.iss, "i");
    assert_slice(t.sub, "s");
    assert_slice(t.jti, "j");
    assert_int_equal(t.n_aud, 2);
    assert_slice(t.aud[0], "a");
    assert_slice(t.aud[1], "b");
    assert_true(t.exp.set && t.exp.sec == 3);
    assert_true(t.nbf.set && t.nbf.sec == 2);
    assert_true(t.iat.set && t.iat.sec == 1);
    assert_int_equal(json_get_exact(t.claims, "sans")->n, 1);
    assert_int_equal(t.jws.alg, JWS_ES256);
}

static void absent_and_null_claims_are_absent(void **state)
{
    static const char *const texts[] = {
        "{}", "{\"iss\":null,\"aud\":null,\"exp\":null,\"nbf\":null,\"iat\":null}",
        "{\"ISS\":\"x\",\"Aud\":\"x\",\"EXP\":1}", "{\"aud\":[]}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct token t = must_read(texts[i]);
        assert_null(t.iss.p);
        assert_int_equal(t.n_aud, 0);
        assert_false(t.exp.set || t.nbf.set || t.iat.set);
    }
}

static void aud_may_be_one_text(void **state)
{
    struct token t = must_read("{\"aud\":\"https://ca.example/1.0/sign\"}");

    (void)state;
    assert_int_equal(t.n_aud, 1);
    assert_slice(t.aud[0], "https://ca.example/1.0/sign");
}

static void bad_claims_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "\"x\"",
        "{",
        "{}x",
        "{\"iss\":1}",
        "{\"sub\":[\"s\"]}",
        "{\"jti\":true}",
        "{\"aud\":1}",
        "{\"aud\":{\"a\":1}}",
        "{\"aud\":[\"a\",1]}",
        "{\"aud\":[null]}",
        "{\"exp\":\"1\"}",
        "{\"nbf\":true}",
        "{\"iat\":[1]}",
        "{\"exp\":1e400}",
        "{\"exp\":1e19}",
        "{\"exp\":9223372036854775808}",
        "{\"nbf\":-1e300}",
        "{\"iss\":\"a\",\"iss\":\"b\"}",
        "{\"exp\":1,\"exp\":2}",
        "{\"user\":{\"a\":1,\"a\":2}}",
        "{\"exp\":01}",
        "{\"exp\":1,}",
        "{\"iss\":\"\xff\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct token t;
        struct err e = {0};
        if (read_claims(bad[i], &t, &e))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
        assert_true(e.text[0] != 0);
    }
}

static void times_are_cut_to_seconds(void **state)
{
    static const struct {
        const char *text;
        int64_t sec;
    } times[] = {
        {"0", 0},
        {"1790000000", 1790000000},
        {"1790000000.0", 1790000000},
        {"1790000000.999", 1790000000},
        {"1.79e9", 1790000000},
        {"17900000001e-1", 1790000000},
        {"-1", -1},
        {"-1.5", -1},
        {"1e18", 1000000000000000000},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        struct token t = must_read(arena_printf(mem, "{\"exp\":%s}", times[i].text));
        assert_true(t.exp.set);
        if (t.exp.sec != times[i].sec)
            fail_msg("%s: found %lld", times[i].text, (long long)t.exp.sec);
    }
}

static void times_are_judged_with_leeway(void **state)
{
    static const struct {
        const char *claims;
        int64_t now;
        uint32_t nsec;
        const char *why; /* NULL: passes */
    } cases[] = {
        {"{}", 1000, 0, NULL},
        {"{\"nbf\":1060}", 1000, 0, NULL},
        {"{\"nbf\":1061}", 1000, 999999999, "token not valid before 1970-01-01T00:17:41Z"},
        {"{\"nbf\":1061}", 1001, 0, NULL},
        {"{\"exp\":940}", 1000, 0, NULL},
        {"{\"exp\":940}", 1000, 1, "token expired at 1970-01-01T00:15:40Z"},
        {"{\"exp\":939}", 1000, 0, "token expired at 1970-01-01T00:15:39Z"},
        {"{\"iat\":1060}", 1000, 0, NULL},
        {"{\"iat\":1061}", 1000, 0, "token issued in the future: 1970-01-01T00:17:41Z"},
        {"{\"exp\":9223372036854775807}", 1000, 0, NULL},
        {"{\"exp\":-9223372036854775808}", 1000, 0, "token expired at -9223372036854775808"},
        {"{\"nbf\":9223372036854775807}", 1000, 0, "token not valid before 9223372036854775807"},
        {"{\"nbf\":-9223372036854775808}", 1000, 0, NULL},
        {"{\"iat\":9223372036854775807}", 1000, 0,
         "token issued in the future: 9223372036854775807"},
        {"{\"exp\":0}", INT64_MIN, 0, NULL},
        {"{\"exp\":0}", INT64_MAX, 0, "token expired at 1970-01-01T00:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct token t = must_read(cases[i].claims);
        struct err e = {0};
        bool good = token_times(&t, (struct instant){cases[i].now, cases[i].nsec}, 60, &e);
        if (good != !cases[i].why)
            fail_msg("%s: %s", cases[i].claims, good ? "accepted" : e.text);
        if (good)
            continue;
        assert_string_equal(e.text, cases[i].why);
        assert_int_equal(e.kind, ERR_UNAUTHORIZED);
    }
}

static void long_tokens_are_refused(void **state)
{
    struct buf b = buf_new(mem, TOKEN_MAX + 1);
    struct token t;
    struct err e = {0};

    (void)state;
    buf_text(&b, "eyJhbGciOiJFUzI1NiJ9.e30.AA");
    while (b.n < TOKEN_MAX)
        buf_byte(&b, ' ');
    assert_true(token_read(mem, buf_slice(&b), &t, &e));
    buf_byte(&b, ' ');
    assert_false(token_read(mem, buf_slice(&b), &t, &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
}

static void texts_of_claims(void **state)
{
    struct token t = must_read("{\"one\":\"a\",\"many\":[\"a\",\"\"],\"bad\":[1],\"no\":1}");
    struct slice *v;
    size_t n;

    (void)state;
    assert_true(token_texts(mem, t.claims, "one", &v, &n, NULL));
    assert_int_equal(n, 1);
    assert_true(token_texts(mem, t.claims, "many", &v, &n, NULL));
    assert_int_equal(n, 2);
    assert_slice(v[1], "");
    assert_true(token_texts(mem, t.claims, "absent", &v, &n, NULL));
    assert_int_equal(n, 0);
    assert_false(token_texts(mem, t.claims, "bad", &v, &n, NULL));
    assert_false(token_texts(mem, t.claims, "no", &v, &n, NULL));
}

static void chains_are_lists_of_base64(void **state)
{
    static const struct {
        const char *header;
        size_t n; /* 0: refused */
    } cases[] = {
        {"{\"x5c\":[\"AAAA\"]}", 1},
        {"{\"x5c\":[\"AAAA\",\"+/A=\"]}", 2},
        {"{}", 0},
        {"{\"X5C\":[\"AAAA\"]}", 0},
        {"{\"x5c\":[]}", 0},
        {"{\"x5c\":null}", 0},
        {"{\"x5c\":\"AAAA\"}", 0},
        {"{\"x5c\":[1]}", 0},
        {"{\"x5c\":[\"\"]}", 0},
        {"{\"x5c\":[\"AAAA\",\"-_A=\"]}", 0},
        {"{\"x5c\":[\"AAA\"]}", 0},
        {"{\"x5c\":[\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\","
         "\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\"]}",
         16},
        {"{\"x5c\":[\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\","
         "\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\"]}",
         0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct json *v = json_read(mem, slice_text(cases[i].header), &JSON_JOSE, NULL, NULL);
        struct slice *ders;
        size_t n;
        struct err e = {0};
        bool good = token_chain(mem, v, "x5c", &ders, &n, &e);
        if (good != (cases[i].n > 0))
            fail_msg("%s: %s", cases[i].header, good ? "accepted" : e.text);
        if (good)
            assert_int_equal(n, cases[i].n);
        else
            assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(claims_are_read),
        TEST(absent_and_null_claims_are_absent),
        TEST(aud_may_be_one_text),
        TEST(bad_claims_are_refused),
        TEST(times_are_cut_to_seconds),
        TEST(times_are_judged_with_leeway),
        TEST(long_tokens_are_refused),
        TEST(texts_of_claims),
        TEST(chains_are_lists_of_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
