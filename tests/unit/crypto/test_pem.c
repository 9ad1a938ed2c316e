/* PEM: blocks, headers, junk between them, and what is broken. */
#include "crypto/pem.h"
#include "crypto_testing.h"

struct arena *arena;

static void finds_blocks_and_skips_text_between(void **state)
{
    struct slice text = SLICE("subject=CN = x\n"
                              "-----BEGIN CERTIFICATE-----\n"
                              "AAEC\n"
                              "-----END CERTIFICATE-----\n"
                              "more -----BEGIN X----- not at the start of a line\r\n"
                              "-----BEGIN EMPTY-----\r\n"
                              "-----END EMPTY-----  \r\n"
                              "-----BEGIN LAST-----\n"
                              "Aw\n==\n"
                              "-----END LAST-----");
    struct slice rest = text;
    struct pem block;
    struct err e = {0};

    (void)state;
    assert_good(pem_next(arena, &rest, &block, &e), &e);
    assert_text(block.label, "CERTIFICATE");
    assert_slice(block.der, hex("000102"));
    assert_text(block.text, "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n");
    assert_good(pem_next(arena, &rest, &block, &e), &e);
    assert_text(block.label, "EMPTY");
    assert_int_equal(block.der.n, 0);
    assert_good(pem_next(arena, &rest, &block, &e), &e);
    assert_slice(block.der, hex("03"));
    assert_int_equal(rest.n, 0);
    e.kind = ERR_INTERNAL;
    assert_false(pem_next(arena, &rest, &block, &e));
    assert_int_equal(e.kind, ERR_NONE);
    assert_true(pem_looks_like(text));
    assert_false(pem_looks_like(SLICE("-----BEGIN")));
}

static void reads_headers(void **state)
{
    struct slice rest = SLICE("-----BEGIN EC PRIVATE KEY-----\n"
                              "Proc-Type: 4,ENCRYPTED\n"
                              "DEK-Info:AES-256-CBC,00ff\r\n"
                              "\n"
                              "AAEC\n"
                              "-----END EC PRIVATE KEY-----\n");
    struct pem block;
    struct err e = {0};

    (void)state;
    assert_good(pem_next(arena, &rest, &block, &e), &e);
    assert_int_equal(block.n_headers, 2);
    assert_text(pem_header_get(&block, "Proc-Type"), "4,ENCRYPTED");
    assert_text(pem_header_get(&block, "DEK-Info"), "AES-256-CBC,00ff");
    assert_null(pem_header_get(&block, "X").p);
    assert_slice(block.der, hex("000102"));
}

#define NINE_HEADERS                                                                               \
    "-----BEGIN A-----\na: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\nh: 8\ni: 9\n\n"                  \
    "AAEC\n-----END A-----\n"

static void refuses_broken_blocks(void **state)
{
    static const char *const CASES[] = {
        "-----BEGIN A-----\nAAEC\n",
        "-----BEGIN A-----\nAAEC\n-----END B-----\n",
        "-----BEGIN A-----\nAAEC\n-----END A----\n",
        "-----BEGIN A\nAAEC\n-----END A-----\n",
        "-----BEGIN A-----\nAA*C\n-----END A-----\n",
        "-----BEGIN A-----\nAAE\n-----END A-----\n",
        "-----BEGIN A-----\nAAEC\n-----BEGIN B-----\nAAEC\n-----END B-----\n",
        NINE_HEADERS,
        "-----BEGIN A\x01-----\nAAEC\n-----END A\x01-----\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice rest = slice_text(CASES[i]);
        struct pem block;
        struct err e = {0};
        if (pem_next(arena, &rest, &block, &e) || e.kind != ERR_MALFORMED)
            fail_msg("%zu: accepted", i);
    }
}

static void writes_64_columns(void **state)
{
    static const struct {
        size_t n;
        const char *text;
    } CASES[] = {
        {0, "-----BEGIN X-----\n-----END X-----\n"},
        {1, "-----BEGIN X-----\nAA==\n-----END X-----\n"},
        {48, "-----BEGIN X-----\n"
             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
             "-----END X-----\n"},
        {49, "-----BEGIN X-----\n"
             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
             "AA==\n"
             "-----END X-----\n"},
    };
    static const uint8_t ZEROS[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice text = pem_text(arena, "X", slice_of(ZEROS, CASES[i].n)), rest = text;
        struct pem block;
        struct err e = {0};
        assert_text(text, CASES[i].text);
        assert_good(pem_next(arena, &rest, &block, &e), &e);
        assert_slice(block.der, slice_of(ZEROS, CASES[i].n));
    }
}

static void skips_byte_order_marks(void **state)
{
    (void)state;
    assert_text(bom_skip(SLICE("\xef\xbb\xbf"
                               "a")),
                "a");
    assert_text(bom_skip(SLICE("\xff\xfe"
                               "a")),
                "a");
    assert_text(bom_skip(SLICE("\xfe\xff"
                               "a")),
                "a");
    assert_text(bom_skip(SLICE("\xef\xbb")), "\xef\xbb");
    assert_text(bom_skip(SLICE("")), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finds_blocks_and_skips_text_between),
        TEST(reads_headers),
        TEST(refuses_broken_blocks),
        TEST(writes_64_columns),
        TEST(skips_byte_order_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
