/* DER: what is written is canonical, what is read is strict. */
#include "crypto/der.h"
#include "crypto_testing.h"

struct arena *arena;

static struct buf out;

static void start(void)
{
    out = buf_new(arena, 1 << 20);
}

static void assert_written(const char *expected)
{
    assert_true(buf_ok(&out));
    assert_slice(buf_slice(&out), hex(expected));
    start();
}

static void writes_lengths_in_the_fewest_octets(void **state)
{
    static const struct {
        size_t n;
        const char *header;
    } CASES[] = {{0, "3000"},     {1, "3001"},       {127, "307f"},       {128, "308180"},
                 {255, "3081ff"}, {256, "30820100"}, {65535, "3082ffff"}, {65536, "3083010000"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        size_t at;
        start();
        uint8_t *content = arena_alloc(arena, CASES[i].n + 1);
        memset(content, 0xab, CASES[i].n + 1);
        der_open(&out, DER_SEQUENCE, &at);
        der_raw(&out, slice_of(content, CASES[i].n));
        der_close(&out, at);
        struct slice header = hex(CASES[i].header);
        assert_int_equal(out.n, header.n + CASES[i].n);
        assert_slice(slice_sub(buf_slice(&out), 0, header.n), header);
        assert_slice(slice_from(buf_slice(&out), header.n), slice_of(content, CASES[i].n));
        /* The same in one go. */
        struct buf whole = buf_new(arena, 1 << 20);
        der_put(&whole, DER_SEQUENCE, slice_of(content, CASES[i].n));
        assert_slice(buf_slice(&whole), buf_slice(&out));
    }
}

static void writes_nested_elements(void **state)
{
    size_t a, b, c;

    (void)state;
    start();
    der_open(&out, DER_SEQUENCE, &a);
    der_open(&out, DER_CONTEXT_CONSTRUCTED(3), &b);
    der_open(&out, DER_SEQUENCE, &c);
    der_null(&out);
    der_bool(&out, true);
    der_close(&out, c);
    der_close(&out, b);
    der_bool(&out, false);
    der_close(&out, a);
    assert_written("300c a3073005 0500 0101ff 010100");
}

static void a_full_buffer_stays_failed(void **state)
{
    size_t at;

    (void)state;
    struct buf small = buf_new(arena, 4);
    der_open(&small, DER_SEQUENCE, &at);
    der_octets(&small, SLICE("too long for it"));
    der_close(&small, at);
    assert_false(buf_ok(&small));
    der_open(&small, DER_SET, &at);
    der_close_set_of(&small, at);
    assert_false(buf_ok(&small));
}

static void writes_integers(void **state)
{
    static const struct {
        int64_t v;
        const char *der;
    } CASES[] = {{0, "020100"},
                 {1, "020101"},
                 {127, "02017f"},
                 {128, "02020080"},
                 {255, "020200ff"},
                 {256, "02020100"},
                 {-1, "0201ff"},
                 {-128, "020180"},
                 {-129, "0202ff7f"},
                 {INT64_MAX, "02087fffffffffffffff"},
                 {INT64_MIN, "02088000000000000000"}};

    (void)state;
    start();
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        int64_t v;
        der_int(&out, CASES[i].v);
        struct der d = der_reader(buf_slice(&out));
        assert_true(der_take_int(&d, &v));
        assert_true(der_done(&d) && v == CASES[i].v);
        assert_written(CASES[i].der);
    }
    der_uint(&out, hex("0000ff"));
    assert_written("020200ff");
    der_uint(&out, hex("7f"));
    assert_written("02017f");
    der_uint(&out, SLICE(""));
    assert_written("020100");
    der_uint(&out, hex("0000"));
    assert_written("020100");
}

static void writes_bits(void **state)
{
    static const struct {
        uint32_t bits;
        const char *der;
    } CASES[] = {
        {0, "030100"},
        {1, "03020780"},               /* digitalSignature */
        {1 | 1 << 2, "030205a0"},      /* and keyEncipherment */
        {1 << 5 | 1 << 6, "03020106"}, /* keyCertSign, cRLSign */
        {1 << 8, "0303070080"},        /* decipherOnly */
        {UINT32_C(1) << 31, "03050000000001"},
    };

    (void)state;
    start();
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        uint32_t bits;
        der_named_bits(&out, CASES[i].bits);
        struct der d = der_reader(buf_slice(&out));
        assert_true(der_take_named_bits(&d, &bits));
        assert_int_equal(bits, CASES[i].bits);
        assert_written(CASES[i].der);
    }
    der_bits(&out, hex("0102"));
    assert_written("0303000102");
}

static void writes_times_as_rfc_5280_wants(void **state)
{
    static const struct {
        struct civil civil;
        const char *der;
    } CASES[] = {
        {{1949, 12, 31, 23, 59, 59, 0}, "180f31393439313233313233353935395a"},
        {{1950, 1, 1, 0, 0, 0, 0}, "170d3530303130313030303030305a"},
        {{2026, 11, 24, 1, 2, 3, 0}, "170d3236313132343031303230335a"},
        {{2049, 12, 31, 23, 59, 59, 0}, "170d3439313233313233353935395a"},
        {{2050, 1, 1, 0, 0, 0, 0}, "180f32303530303130313030303030305a"},
        {{9999, 12, 31, 23, 59, 59, 0}, "180f39393939313233313233353935395a"},
    };

    (void)state;
    start();
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct instant t, again;
        assert_true(civil_instant(&CASES[i].civil, &t));
        der_time(&out, t);
        struct der d = der_reader(buf_slice(&out));
        assert_true(der_take_time(&d, &again));
        assert_int_equal(instant_cmp(t, again), 0);
        assert_written(CASES[i].der);
    }
    der_generalized_time(&out, instant_sec(0));
    assert_written("180f31393730303130313030303030305a");
}

static void writes_directory_strings(void **state)
{
    (void)state;
    start();
    der_directory_string(&out, SLICE("Newel CA (1), a+b"));
    assert_int_equal(out.p[0], DER_PRINTABLE_STRING);
    start();
    der_directory_string(&out, SLICE("a@b"));
    assert_int_equal(out.p[0], DER_UTF8_STRING);
    start();
    der_directory_string(&out, slice_of("a\0b", 3));
    assert_int_equal(out.p[0], DER_UTF8_STRING);
    start();
    der_directory_string(&out, SLICE(""));
    assert_written("1300");
}

static void sorts_a_set_of(void **state)
{
    size_t at;

    (void)state;
    start();
    der_bool(&out, true); /* what is before stays */
    der_open(&out, DER_SET, &at);
    der_octets(&out, hex("ff"));
    der_int(&out, 7);
    der_octets(&out, hex("00ff"));
    der_octets(&out, hex("01"));
    der_null(&out);
    der_int(&out, 5);
    der_close_set_of(&out, at);
    assert_written("0101ff 3112 020105 020107 040101 0401ff 040200ff 0500");
    der_open(&out, DER_SET, &at);
    der_raw(&out, hex("04ff"));
    der_close_set_of(&out, at);
    assert_false(buf_ok(&out));
}

/* --- Reading ------------------------------------------------------------------------------ */

static void refuses_what_is_not_der(void **state)
{
    static const char *const CASES[] = {
        "",             /* nothing */
        "30",           /* no length */
        "3001",         /* cut off */
        "300200",       /* cut off */
        "3080",         /* indefinite */
        "30800000",     /* indefinite, ended */
        "308100",       /* not minimal */
        "30817f",       /* not minimal */
        "3082007f",     /* leading zero */
        "308200ff",     /* leading zero */
        "30ff",         /* reserved */
        "3084ffffffff", /* longer than the input */
        "3085000000000100",
        "3088ffffffffffffffff",
        "1f8100", /* high tag number */
        "3f8100",
        "bf2000",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct der d = der_reader(hex(CASES[i])), before = d;
        struct slice content, whole;
        uint8_t tag;
        if (der_next(&d, &tag, &content, &whole))
            fail_msg("accepted %s", CASES[i]);
        assert_ptr_equal(d.p, before.p);
    }
}

static void walks_through_elements(void **state)
{
    struct der d = der_reader(hex("3003 020105 8101aa a2020500")), inside;
    struct slice content, whole;
    uint8_t tag;
    bool there;
    int64_t v;

    (void)state;
    assert_true(der_peek(&d, &tag));
    assert_int_equal(tag, DER_SEQUENCE);
    assert_false(der_take(&d, DER_SET, &content));
    assert_true(der_enter(&d, DER_SEQUENCE, &inside));
    assert_true(der_take_int(&inside, &v) && v == 5);
    assert_true(der_done(&inside));
    assert_true(der_optional(&d, DER_CONTEXT(0), &there, &content) && !there);
    assert_true(der_optional(&d, DER_CONTEXT(1), &there, &content) && there);
    assert_slice(content, hex("aa"));
    assert_true(der_next(&d, &tag, NULL, &whole));
    assert_slice(whole, hex("a2020500"));
    assert_true(der_done(&d) && !der_peek(&d, &tag));
}

static bool read_bool(struct der *d)
{
    bool v;
    return der_take_bool(d, &v);
}
static bool read_int(struct der *d)
{
    int64_t v;
    return der_take_int(d, &v);
}
static bool read_integer(struct der *d)
{
    struct slice m;
    bool negative;
    return der_take_integer(d, &m, &negative);
}
static bool read_oid(struct der *d)
{
    struct slice c;
    return der_take_oid(d, &c);
}
static bool read_bits(struct der *d)
{
    struct slice c;
    unsigned unused;
    return der_take_bits(d, &c, &unused);
}
static bool read_named_bits(struct der *d)
{
    uint32_t bits;
    return der_take_named_bits(d, &bits);
}
static bool read_time(struct der *d)
{
    struct instant t;
    return der_take_time(d, &t);
}
static bool read_string(struct der *d)
{
    struct slice s;
    return der_take_string(d, arena, &s);
}

static void typed_readers_are_strict(void **state)
{
    static const struct {
        bool (*read)(struct der *);
        const char *der;
        bool good;
    } CASES[] = {
        {read_bool, "0101ff", true},
        {read_bool, "010100", true},
        {read_bool, "010101", false},
        {read_bool, "0102ffff", false},
        {read_bool, "0100", false},
        {read_int, "0200", false},
        {read_int, "02020001", false},
        {read_int, "0202ffff", false},
        {read_int, "020200ff", true},
        {read_int, "0209 00ffffffffffffffff", false},
        {read_integer, "0209 00ffffffffffffffff", true},
        {read_integer, "0202007f", false},
        {read_integer, "0202ff80", false},
        {read_integer, "0a0101", false},
        {read_oid, "0600", false},
        {read_oid, "06032a0380", false},
        {read_oid, "06032a8003", false},
        {read_oid, "06028001", false},
        {read_oid, "06062a864886f70d", true},
        {read_bits, "0300", false},
        {read_bits, "030100", true},
        {read_bits, "030101", false},
        {read_bits, "03020880", false},
        {read_bits, "030207c0", false},
        {read_bits, "03020780", true},
        {read_named_bits, "030206c0", true},
        {read_named_bits, "03020080", true}, /* zeros at the end */
        {read_named_bits, "0306000000000000", true},
        {read_named_bits, "0306000000000080", false},
        {read_time, "170d3236313132343031303230335a", true},
        {read_time, "170b323631313234303130325a", false},              /* no seconds */
        {read_time, "171132363131323430313032303 32b30303030", false}, /* offset */
        {read_time, "170d3236313332343031303230335a", false},          /* month 13 */
        {read_time, "170d3236303233303031303230335a", false},          /* February 30 */
        {read_time, "170d3236313132343234303230335a", false},          /* hour 24 */
        {read_time, "170d32362b3132343031303230335a", false},          /* a sign */
        {read_time, "180f32303530303130313030303030305a", true},
        {read_time, "181132303530303130313030303030302e315a", false}, /* fraction */
        {read_time, "180f30303030303130313030303030305a", false},     /* year 0 */
        {read_string, "1303612a62", true},
        {read_string, "1303614062", false}, /* '@' */
        {read_string, "1301 00", false},
        {read_string, "1603614062", true},
        {read_string, "1601ff", false},
        {read_string, "0c02c3a4", true},
        {read_string, "0c01ff", false},
        {read_string, "1202 3120", true},
        {read_string, "120161", false},
        {read_string, "1a0161", true},
        {read_string, "1a010a", false},
        {read_string, "1e0100", false},
        {read_string, "1e02d800", false}, /* surrogate */
        {read_string, "1c0400110000", false},
        {read_string, "040161", false}, /* not a string */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct der d = der_reader(hex(CASES[i].der)), before = d;
        bool good = CASES[i].read(&d);
        if (good != CASES[i].good || (good && !der_done(&d)) || (!good && d.p != before.p))
            fail_msg("%zu: %s %s", i, CASES[i].der, good ? "accepted" : "refused");
    }
}

static void reads_strings_as_utf8(void **state)
{
    static const struct {
        const char *der, *text;
    } CASES[] = {
        {"0c03c3a461", "ä"
                       "a"},
        {"1402e461", "ä"
                     "a"},
        {"1e0400e42022", "ä•"},
        {"1c040001f600", "\xf0\x9f\x98\x80"},
        {"1303412042", "A B"},
        {"1600", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct der d = der_reader(hex(CASES[i].der));
        struct slice text;
        assert_true(der_take_string(&d, arena, &text));
        assert_text(text, CASES[i].text);
    }
}

static void reads_integers_of_any_size(void **state)
{
    struct der d = der_reader(hex("020100 0202 00ff 0201ff"));
    struct slice m;
    bool negative;

    (void)state;
    assert_true(der_take_integer(&d, &m, &negative) && !negative && m.n == 0);
    assert_true(der_take_integer(&d, &m, &negative) && !negative);
    assert_slice(m, hex("ff"));
    assert_true(der_take_integer(&d, &m, &negative) && negative);
}

static void identifiers_have_one_text(void **state)
{
    static const struct {
        const char *text, *content;
    } CASES[] = {
        {"1.2.840.10045.2.1", "2a8648ce3d0201"},
        {"2.5.29.17", "551d11"},
        {"0.0", "00"},
        {"0.39", "27"},
        {"1.0", "28"},
        {"2.0", "50"},
        {"2.999.3", "883703"},
        {"1.3.18446744073709551615", "2b81ffffffffffffffff7f"},
    };
    static const char *const BAD[] = {"",
                                      "1",
                                      "1.",
                                      ".1",
                                      "1.2.",
                                      "1..2",
                                      "3.1",
                                      "1.40",
                                      "0.40",
                                      "1.02",
                                      "01.2",
                                      "1.2.x",
                                      "-1.2",
                                      "1.-2",
                                      "1. 2",
                                      "+1.2",
                                      "1.2.18446744073709551616",
                                      "2.18446744073709551615"};
    static const char *const BAD_CONTENT[] = {"", "80", "2a80", "2a8001",
                                              "2b8380808080808080808000"};
    struct slice content;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_true(oid_read(arena, slice_text(CASES[i].text), &content));
        assert_slice(content, hex(CASES[i].content));
        assert_text(oid_text(arena, content), CASES[i].text);
        struct oid oid = {content.p, content.n};
        assert_true(oid_eq(&oid, hex(CASES[i].content)));
        assert_false(oid_eq(&oid, hex("2b")));
    }
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        if (oid_read(arena, slice_text(BAD[i]), &content))
            fail_msg("accepted '%s'", BAD[i]);
    }
    for (size_t i = 0; i < COUNT_OF(BAD_CONTENT); i++)
        assert_text(oid_text(arena, hex(BAD_CONTENT[i])), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_lengths_in_the_fewest_octets),
        TEST(writes_nested_elements),
        TEST(a_full_buffer_stays_failed),
        TEST(writes_integers),
        TEST(writes_bits),
        TEST(writes_times_as_rfc_5280_wants),
        TEST(writes_directory_strings),
        TEST(sorts_a_set_of),
        TEST(refuses_what_is_not_der),
        TEST(walks_through_elements),
        TEST(typed_readers_are_strict),
        TEST(reads_strings_as_utf8),
        TEST(reads_integers_of_any_size),
        TEST(identifiers_have_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
