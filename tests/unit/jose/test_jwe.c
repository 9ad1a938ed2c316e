/* JSON Web Encryption: other people's texts, our own, and damaged ones. */
#include "vectors.h"

#include "crypto/cipher.h"
#include "jose/jwe.h"

static struct jwe_key vector_jwe_key(const struct json *v)
{
    struct slice password = member(v, "password");

    if (password.p)
        return (struct jwe_key){.password = password};
    struct jwk jwk = vector_key(v);
    return (struct jwe_key){.octets = jwk.octets, .secret = jwk.secret, .key = jwk.key};
}

static void vectors_open(void **state)
{
    const char *const files[] = {"rfc.json", "vectors.json"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++)
        for (const struct json *v = fixture(files[i], "jwe")->first; v; v = v->next) {
            struct jwe jwe;
            struct slice plain = SLICE_NONE;
            struct err e = {0};
            struct jwe_key key = vector_jwe_key(v);
            assert_true(jwe_looks_like(member(v, "text")));
            if (!jwe_read(mem, member(v, "text"), &jwe, &e) ||
                !jwe_open(mem, &jwe, &key, &plain, &e))
                fail_msg("%.*s: %s", SLICE_ARG(member(v, "name")), e.text);
            assert_same(plain, member(v, "plain"));
        }
}

/* --- Every algorithm with every content encryption -------------------------------------------- */

static const char *const ENCS[] = {"A128GCM",       "A192GCM",       "A256GCM",
                                   "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"};
static const size_t CEKS[] = {16, 24, 32, 32, 48, 64};
static const struct {
    const char *alg;
    size_t octets;      /* of a shared key */
    enum key_type type; /* of a key pair */
} ALGS[] = {
    {"PBES2-HS256+A128KW", 0, KEY_NONE},
    {"PBES2-HS384+A192KW", 0, KEY_NONE},
    {"PBES2-HS512+A256KW", 0, KEY_NONE},
    {"dir", 1, KEY_NONE},
    {"A128KW", 16, KEY_NONE},
    {"A192KW", 24, KEY_NONE},
    {"A256KW", 32, KEY_NONE},
    {"A128GCMKW", 16, KEY_NONE},
    {"A192GCMKW", 24, KEY_NONE},
    {"A256GCMKW", 32, KEY_NONE},
    {"ECDH-ES", 0, KEY_P256},
    {"ECDH-ES+A128KW", 0, KEY_P384},
    {"ECDH-ES+A192KW", 0, KEY_P521},
    {"ECDH-ES+A256KW", 0, KEY_X25519},
    {"ECDH-ES", 0, KEY_X25519},
    {"RSA1_5", 0, KEY_RSA},
    {"RSA-OAEP", 0, KEY_RSA},
    {"RSA-OAEP-256", 0, KEY_RSA},
};

/* A key for algorithm i; different ones for different seeds. */
static struct jwe_key key_for(size_t i, size_t enc, uint8_t seed)
{
    struct jwe_key key = {.kid = SLICE("me")};
    size_t n = ALGS[i].octets == 1 ? CEKS[enc] : ALGS[i].octets;
    struct private_key *k;

    if (ALGS[i].type != KEY_NONE) {
        assert_true(private_key_generate(mem, ALGS[i].type, 2048, &k, NULL));
        key.secret = k;
        key.key = k->public_key;
        return key;
    }
    uint8_t *octets = arena_alloc(mem, n + 1);
    memset(octets, seed, n + 1);
    if (n)
        key.octets = slice_of(octets, n);
    else
        key.password = slice_of(octets, 1);
    return key;
}

static struct slice seal(size_t i, size_t enc, const struct jwe_key *key, struct slice plain,
                         enum jwe_form form)
{
    struct jwe_options o = {
        .alg = ALGS[i].alg, .enc = ENCS[enc], .typ = "t", .cty = "c", .p2c = 50};
    struct slice text;
    struct err e = {0};

    if (!jwe_seal(mem, &o, key, plain, form, &text, &e))
        fail_msg("%s %s: %s", ALGS[i].alg, ENCS[enc], e.text);
    return text;
}

static bool open_text(struct slice text, const struct jwe_key *key, struct slice *plain,
                      struct err *e)
{
    struct jwe jwe;

    return jwe_read(mem, text, &jwe, e) && jwe_open(mem, &jwe, key, plain, e);
}

static void what_is_sealed_opens(void **state)
{
    static const struct slice plains[] = {{(const uint8_t *)"", 0},
                                          {(const uint8_t *)"x", 1},
                                          {(const uint8_t *)"0123456789abcdef", 16}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ALGS); i++)
        for (size_t enc = 0; enc < COUNT_OF(ENCS); enc++) {
            struct jwe_key key = key_for(i, enc, 1);
            for (size_t p = 0; p < COUNT_OF(plains); p++) {
                struct slice plain, text = seal(i, enc, &key, plains[p], p == 1);
                struct err e = {0};
                if (!open_text(text, &key, &plain, &e))
                    fail_msg("%s %s: %s", ALGS[i].alg, ENCS[enc], e.text);
                assert_same(plain, plains[p]);
            }
        }
}

static void wrong_keys_are_one_error(void **state)
{
    char text[480] = "";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ALGS); i++)
        for (size_t enc = 0; enc < COUNT_OF(ENCS); enc += 5) {
            struct jwe_key key = key_for(i, enc, 1), other = key_for(i, enc, 2);
            struct slice plain, sealed = seal(i, enc, &key, SLICE("secret"), JWE_COMPACT);
            struct err e = {0};
            if (open_text(sealed, &other, &plain, &e))
                fail_msg("%s %s: opened with another key", ALGS[i].alg, ENCS[enc]);
            assert_int_equal(e.kind, ERR_UNAUTHORIZED);
            if (!text[0])
                memcpy(text, e.text, sizeof(text));
            assert_string_equal(e.text, text);
        }
}

static void missing_keys_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ALGS); i++) {
        struct jwe_key key = key_for(i, 0, 1), none = {SLICE_NONE};
        struct slice plain, sealed = seal(i, 0, &key, SLICE("secret"), JWE_COMPACT);
        struct jwe_options o = {.alg = ALGS[i].alg, .enc = ENCS[0]};
        struct err e = {0};
        assert_false(open_text(sealed, &none, &plain, &e));
        assert_int_equal(e.kind, ERR_UNAUTHORIZED);
        assert_non_null(strstr(e.text, "needs a"));
        assert_false(jwe_seal(mem, &o, &none, SLICE("x"), JWE_COMPACT, &sealed, &e));
        assert_non_null(strstr(e.text, "needs a"));
    }
}

/* Another character in every place: never opens, never crashes. */
static void altered_texts_do_not_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ALGS); i++) {
        size_t enc = i % COUNT_OF(ENCS);
        struct jwe_key key = key_for(i, enc, 1);
        struct slice text = seal(i, enc, &key, SLICE("secret"), JWE_COMPACT);
        uint8_t *p = (uint8_t *)(uintptr_t)arena_copy(mem, text).p;
        /* A private RSA operation for each place would take long. */
        for (size_t at = 0; at < text.n; at += ALGS[i].type == KEY_RSA ? 7 : 1) {
            struct arena_mark mark = arena_mark(mem);
            struct slice plain;
            struct err e = {0};
            p[at] = p[at] == 'A' ? 'B' : 'A';
            if (open_text(slice_of(p, text.n), &key, &plain, &e))
                fail_msg("%s: opened with byte %zu changed", ALGS[i].alg, at);
            assert_true(e.kind == ERR_MALFORMED || e.kind == ERR_UNAUTHORIZED);
            p[at] = text.p[at];
            arena_rewind(mem, mark);
        }
        for (size_t n = 0; n < text.n; n += 3) {
            struct slice plain;
            assert_false(open_text(slice_sub(text, 0, n), &key, &plain, NULL));
        }
    }
}

/* --- Headers ---------------------------------------------------------------------------------- */

static struct slice with_header(const char *header)
{
    return arena_format(mem, "%.*s.AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
                        SLICE_ARG(b64(header)));
}

static void bad_headers_are_refused(void **state)
{
#define PBES "\"alg\":\"PBES2-HS256+A128KW\",\"enc\":\"A256GCM\""
#define ECDH "\"alg\":\"ECDH-ES+A128KW\",\"enc\":\"A256GCM\""
    static const struct {
        const char *header, *why;
    } bad[] = {
        {"{}", "'alg' is missing"},
        {"[]", "expected a JSON object"},
        {"{\"alg\":\"dir\"}", "'enc' is missing"},
        {"{\"alg\":\"dir\",\"enc\":1}", "expected a text as 'enc'"},
        {"{\"alg\":\"none\",\"enc\":\"A256GCM\"}", "unknown algorithm 'none'"},
        {"{\"alg\":\"A128KW\",\"enc\":\"A256\"}", "unknown content encryption 'A256'"},
        {"{" PBES ",\"alg\":\"dir\"}", ""},
        {"{" PBES ",\"crit\":[\"x\"]}", "RFC 7515 4.1.11"},
        {"{" PBES ",\"zip\":\"DEF\"}", "compressed"},
        {"{" PBES ",\"kid\":1}", "expected a text as 'kid'"},
        {"{" PBES ",\"p2s\":\"AAAAAAAAAAAA\"}", "as 'p2c'"},
        {"{" PBES ",\"p2s\":\"AAAAAAAAAAAA\",\"p2c\":0}", "as 'p2c'"},
        {"{" PBES ",\"p2s\":\"AAAAAAAAAAAA\",\"p2c\":-1}", "as 'p2c'"},
        {"{" PBES ",\"p2s\":\"AAAAAAAAAAAA\",\"p2c\":1.5}", "as 'p2c'"},
        {"{" PBES ",\"p2s\":\"AAAAAAAAAAAA\",\"p2c\":\"9\"}", "as 'p2c'"},
        {"{" PBES ",\"p2s\":\"AAAAAAAAAAAA\",\"p2c\":1000001}", "as 'p2c'"},
        {"{" PBES ",\"p2s\":\"AAAAAAAAAAAA\",\"p2c\":4294967297}", "as 'p2c'"},
        {"{" PBES ",\"p2c\":9}", "'p2s'"},
        {"{" PBES ",\"p2c\":9,\"p2s\":\"AAAA\"}", "'p2s'"},
        {"{" PBES ",\"p2c\":9,\"p2s\":7}", "expected a text as 'p2s'"},
        {"{" PBES ",\"p2c\":9,\"p2s\":\"+AAAAAAAAAAA\"}", "not base64url"},
        {"{\"alg\":\"dir\",\"enc\":\"A256GCM\"}", "has no encrypted key"},
        {"{\"alg\":\"A128KW\",\"enc\":\"A128CBC-HS256\"}", "initialization vector"},
        {"{\"alg\":\"A128GCMKW\",\"enc\":\"A256GCM\"}", "'iv'"},
        {"{" ECDH "}", "'epk' is missing"},
        {"{" ECDH ",\"epk\":1}", "epk"},
        {"{" ECDH ",\"epk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}", "expected a public key, found 'k'"},
        {"{" ECDH ",\"epk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
         "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}",
         "expected a public EC or X25519"},
        /* A private epk. */
        {"{" ECDH ",\"epk\":{\"kty\":\"EC\",\"crv\":\"P-256\","
         "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
         "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\","
         "\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"}}",
         "expected a public key, found 'd'"},
        /* A point that is not on the curve: the invalid curve attack. */
        {"{" ECDH ",\"epk\":{\"kty\":\"EC\",\"crv\":\"P-256\","
         "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
         "\"y\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\"}}",
         "epk"},
    };
    struct private_key *k;
    struct jwe_key key = {.password = SLICE("p"), .octets = SLICE("0123456789abcdef")};

    (void)state;
    assert_true(private_key_generate(mem, KEY_P256, 0, &k, NULL));
    key.secret = k;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct slice plain;
        struct err e = {0};
        if (open_text(with_header(bad[i].header), &key, &plain, &e))
            fail_msg("opened: %s", bad[i].header);
        assert_int_equal(e.kind, ERR_MALFORMED);
        if (!strstr(e.text, bad[i].why))
            fail_msg("%s: expected \"%s\" in \"%s\"", bad[i].header, bad[i].why, e.text);
    }
}

static void bad_forms_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "....",
        "a.b.c",
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0.A.AA.AA.AA",
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0.AA.AA.AA",
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0.AA.AA.AA.AA.AA",
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0=.AA.AA.AA.AA",
        "{}",
        "{\"ciphertext\":\"AA\"}",
        "{\"ciphertext\":\"AA\",\"header\":1}",
        "{\"ciphertext\":\"AA\",\"header\":{\"alg\":\"dir\",\"enc\":\"A128GCM\",\"alg\":\"dir\"}}",
        /* A name in two headers. */
        "{\"ciphertext\":\"AA\",\"protected\":\"eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0\","
        "\"unprotected\":{\"alg\":\"dir\"}}",
        "{\"ciphertext\":\"AA\",\"unprotected\":{\"alg\":\"dir\"},\"header\":{\"alg\":\"dir\","
        "\"enc\":\"A128GCM\"}}",
        "{\"unprotected\":{\"alg\":\"dir\",\"enc\":\"A128GCM\"}}",
        "{\"ciphertext\":\"AA\",\"recipients\":[]}",
        "{\"ciphertext\":\"AA\",\"recipients\":[{},{}]}",
        "{\"ciphertext\":\"AA\",\"recipients\":[7]}",
        "{\"ciphertext\":\"AA\",\"recipients\":[{}],\"encrypted_key\":\"AA\"}",
        "{\"ciphertext\":\"AA\",\"unprotected\":{\"crit\":[\"a\"],\"alg\":\"dir\","
        "\"enc\":\"A128GCM\"}}",
        "{\"ciphertext\":7,\"unprotected\":{\"alg\":\"dir\",\"enc\":\"A128GCM\"}}",
        "{\"ciphertext\":\"AA\",\"aad\":\"+\",\"unprotected\":{\"alg\":\"dir\","
        "\"enc\":\"A128GCM\"}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct jwe jwe;
        struct err e = {0};
        if (jwe_read(mem, slice_text(bad[i]), &jwe, &e))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

static void what_looks_like_a_jwe(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"a.b.c.d.e", true},
        {"a....", true},
        {" a.b.c.d.e\n", true},
        {"a.b.c", false},
        {"a.b.c.d.e.f", false},
        {"a.b.c.d.\"e", false},
        {"", false},
        {"{\"ciphertext\":\"x\"}", true},
        {"{ \"a\":\"ciphertext\", \"ciphertext\" : \"x\"}", true},
        {"{\"kid\":\"ciphertext\"}", false},
        {"{\"kty\":\"EC\"}", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (jwe_looks_like(slice_text(cases[i].text)) != cases[i].is)
            fail_msg("%s", cases[i].text);
}

static struct slice header_of(struct slice text)
{
    struct slice header;

    assert_true(
        base64_read(mem, BASE64_URL_RAW, slice_sub(text, 0, slice_find(text, '.')), &header));
    return header;
}

static void header_members_are_sorted(void **state)
{
    struct jwe_key key = {.password = SLICE("p"), .kid = SLICE("me")};
    struct slice header = header_of(seal(0, 2, &key, SLICE("x"), JWE_COMPACT));
    struct slice start = SLICE("{\"alg\":\"PBES2-HS256+A128KW\",\"cty\":\"c\",\"enc\":\"A256GCM\","
                               "\"kid\":\"me\",\"p2c\":50,\"p2s\":\"");

    (void)state;
    assert_same(slice_sub(header, 0, start.n), start);
    assert_true(slice_ends(header, "\",\"typ\":\"t\"}"));
    /* 16 bytes of salt. */
    assert_int_equal(header.n, start.n + 22 + strlen("\",\"typ\":\"t\"}"));

    key = key_for(10, 0, 1);
    header = header_of(seal(10, 0, &key, SLICE("x"), JWE_COMPACT));
    start = SLICE("{\"alg\":\"ECDH-ES\",\"cty\":\"c\",\"enc\":\"A128GCM\",\"epk\":{\"kty\":\"EC\","
                  "\"crv\":\"P-256\",\"x\":\"");
    assert_same(slice_sub(header, 0, start.n), start);

    key = key_for(7, 0, 1);
    header = header_of(seal(7, 0, &key, SLICE("x"), JWE_COMPACT));
    start = SLICE("{\"alg\":\"A128GCMKW\",\"cty\":\"c\",\"enc\":\"A128GCM\",\"iv\":\"");
    assert_same(slice_sub(header, 0, start.n), start);
}

static void flattened_members(void **state)
{
    struct jwe_key key = key_for(4, 0, 1), shared = key_for(3, 0, 1);
    const struct json *v =
        json_read(mem, seal(4, 0, &key, SLICE("x"), JWE_FLATTENED), &JSON_JOSE, NULL, NULL);
    static const char *const names[] = {"protected", "encrypted_key", "iv", "ciphertext", "tag"};
    size_t i = 0;

    (void)state;
    assert_non_null(v);
    assert_int_equal(v->n, COUNT_OF(names));
    for (const struct json *m = v->first; m; m = m->next)
        assert_slice(m->name, names[i++]);
    v = json_read(mem, seal(3, 0, &shared, SLICE("x"), JWE_FLATTENED), &JSON_JOSE, NULL, NULL);
    assert_non_null(v);
    assert_null(json_get_exact(v, "encrypted_key"));
}

/* A text made from its parts, with content encrypted under cek. */
static struct slice assemble(const char *header, struct slice encrypted_key, struct slice cek)
{
    static const uint8_t IV[12];
    struct slice text = b64(header), sealed, iv = slice_of(IV, sizeof(IV));
    uint8_t tag[16];

    assert_true(aes_gcm_seal(mem, cek, iv, text, SLICE("hello"), &sealed, tag, NULL));
    const struct slice parts[] = {encrypted_key, iv, sealed, slice_of(tag, sizeof(tag))};
    struct buf b = buf_new(mem, 4096);
    buf_put(&b, text);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        buf_byte(&b, '.');
        base64_put(&b, BASE64_URL_RAW, parts[i]);
    }
    return buf_slice(&b);
}

/* RFC 7518 Appendix C: the key that Alice and Bob derive, with both names in the derivation. */
static void rfc_7518_key_agreement(void **state)
{
    struct slice cek, plain, text;
    struct jwk bob;
    struct err e = {0};

    (void)state;
    assert_true(jwk_read(mem,
                         SLICE("{\"kty\":\"EC\",\"crv\":\"P-256\","
                               "\"x\":\"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ\","
                               "\"y\":\"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck\","
                               "\"d\":\"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw\"}"),
                         &bob, &e));
    assert_true(base64_read(mem, BASE64_URL_RAW, SLICE("VqqN6vgjbSBcIijNcacQGg"), &cek));
    text = assemble("{\"alg\":\"ECDH-ES\",\"enc\":\"A128GCM\",\"apu\":\"QWxpY2U\",\"apv\":\"Qm9i\","
                    "\"epk\":{\"kty\":\"EC\",\"crv\":\"P-256\","
                    "\"x\":\"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0\","
                    "\"y\":\"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps\"}}",
                    SLICE(""), cek);
    struct jwe_key key = {.secret = bob.secret};
    if (!open_text(text, &key, &plain, &e))
        fail_msg("%s", e.text);
    assert_slice(plain, "hello");
}

/* AES-192 under the name of AES-128: everything decrypts, and must not. */
static void keys_of_the_wrong_length_are_refused(void **state)
{
    struct jwe_key key = {.octets = SLICE("0123456789abcdef")};
    struct slice cek = SLICE("0123456789abcdef01234567"), wrapped, plain;
    struct private_key *k;
    struct err e = {0};
    uint8_t tag[16];

    (void)state;
    assert_true(aes_wrap(mem, key.octets, cek, &wrapped, &e));
    assert_false(open_text(assemble("{\"alg\":\"A128KW\",\"enc\":\"A128GCM\"}", wrapped, cek), &key,
                           &plain, &e));
    assert_int_equal(e.kind, ERR_UNAUTHORIZED);
    assert_true(open_text(assemble("{\"alg\":\"A128KW\",\"enc\":\"A192GCM\"}", wrapped, cek), &key,
                          &plain, &e));

    assert_true(
        aes_gcm_seal(mem, key.octets, SLICE("abcdefghijkl"), SLICE(""), cek, &wrapped, tag, &e));
    struct slice tag_text = base64_text(mem, BASE64_URL_RAW, slice_of(tag, sizeof(tag)));
    for (unsigned i = 0; i < 2; i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "{\"alg\":\"A128GCMKW\",\"enc\":\"%s\",\"iv\":\"%.*s\",\"tag\":\"%.*s\"}",
                 i ? "A192GCM" : "A128GCM", SLICE_ARG(b64("abcdefghijkl")), SLICE_ARG(tag_text));
        assert_int_equal(open_text(assemble(text, wrapped, cek), &key, &plain, &e), i);
    }

    assert_true(private_key_generate(mem, KEY_RSA, 1024, &k, &e));
    key.secret = k;
    assert_true(key_rsa_encrypt(mem, k->public_key, RSA_PADDING_PKCS1, cek, &wrapped, &e));
    assert_false(open_text(assemble("{\"alg\":\"RSA1_5\",\"enc\":\"A128GCM\"}", wrapped, cek), &key,
                           &plain, &e));
    assert_int_equal(e.kind, ERR_UNAUTHORIZED);
    assert_true(open_text(assemble("{\"alg\":\"RSA1_5\",\"enc\":\"A192GCM\"}", wrapped, cek), &key,
                          &plain, &e));
}

static void seals_differ(void **state)
{
    struct jwe_key key = key_for(4, 0, 1);

    (void)state;
    assert_false(slice_eq(seal(4, 0, &key, SLICE("x"), JWE_COMPACT),
                          seal(4, 0, &key, SLICE("x"), JWE_COMPACT)));
}

static void too_much_is_refused(void **state)
{
    struct jwe_key key = key_for(4, 0, 1);
    struct jwe_options o = {.alg = "A128KW", .enc = "A128GCM"};
    struct jwe_options rounds = {.alg = "PBES2-HS256+A128KW", .enc = "A128GCM", .p2c = 1000001};
    uint8_t *much = arena_alloc(mem, JWE_MAX + 1);
    struct slice text;
    struct jwe jwe;
    struct err e = {0};

    (void)state;
    assert_false(jwe_seal(mem, &o, &key, slice_of(much, JWE_MAX), JWE_COMPACT, &text, &e));
    assert_int_equal(e.kind, ERR_TOO_LARGE);
    assert_false(jwe_read(mem, slice_of(much, JWE_MAX + 1), &jwe, &e));
    assert_int_equal(e.kind, ERR_TOO_LARGE);
    key.password = SLICE("p");
    assert_false(jwe_seal(mem, &rounds, &key, SLICE("x"), JWE_COMPACT, &text, &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(vectors_open),
        TEST(what_is_sealed_opens),
        TEST(wrong_keys_are_one_error),
        TEST(missing_keys_are_told),
        TEST(altered_texts_do_not_open),
        TEST(bad_headers_are_refused),
        TEST(bad_forms_are_refused),
        TEST(what_looks_like_a_jwe),
        TEST(header_members_are_sorted),
        TEST(flattened_members),
        TEST(rfc_7518_key_agreement),
        TEST(keys_of_the_wrong_length_are_refused),
        TEST(seals_differ),
        TEST(too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
