/* The scan of CBOR: what RFC 8949 appendix A shows and appendix F refuses; limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "acme/attest_cbor.h"
#include "base/buf.h"
#include "base/encode.h"

static struct arena *A;

static struct slice bytes(const char *hex)
{
    struct slice out;

    if (!hex_read(A, slice_text(hex), &out))
        fail_msg("%s", hex);
    return out;
}

static void well_formed_items_are_taken(void **state)
{
    static const char *const GOOD[] = {
        "00",
        "17",
        "1818",
        "1903e8",
        "1a000f4240",
        "1bffffffffffffffff",
        "20",
        "3903e7",
        "3bffffffffffffffff",
        "f90000",
        "fb3ff199999999999a",
        "f4",
        "f6",
        "f7",
        "c074323031332d30332d32315432303a30343a30305a",
        "d74401020304",
        "40",
        "4401020304",
        "60",
        "62c3bc",
        "80",
        "83010203",
        "8301820203820405",
        "a0",
        "a201020304",
        "a26161016162820203",
        "5f42010243030405ff",
        "7f657374726561646d696e67ff",
        "9fff",
        "9f018202039f0405ffff",
        "bf61610161629f0203ffff",
        "826161bf61626163ff",
        "5fff",
        /* the worked example of docs/reference/acme.md */
        "a263666d7464737465706761747453746d74a363616c67266373696749483006020101020102637835638244"
        "30820001"
        "4430820002",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(GOOD); i++) {
        struct err e = {0};
        struct cbor_item_t *item;
        if (!attest_cbor_open(A, bytes(GOOD[i]), &item, &e))
            fail_msg("%s: %s", GOOD[i], e.text);
    }
}

static void others_are_refused(void **state)
{
    static const char *const BAD[] = {
        "",
        /* ends within a head, a string, a container */
        "18",
        "19",
        "1a0102",
        "1b01020304050607",
        "38",
        "58",
        "78",
        "98",
        "9a01ff00",
        "b8",
        "d8",
        "f8",
        "f900",
        "41",
        "61",
        "5affffffff00",
        "5bffffffffffffffff010203",
        "7bffffffffffffffff",
        "81",
        "8200",
        "a1",
        "a10102a1",
        "a100",
        "9f",
        "9f0102",
        "bf",
        "bf01020102",
        "5f4100",
        "5f",
        "819f",
        "9f80",
        "c0",
        "9f9f9f9f9fffffffff",
        /* counts that cannot be */
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "bb8000000000000000",
        "9a00010000",
        /* reserved */
        "1c",
        "1d",
        "1e",
        "3c",
        "5c",
        "7d",
        "9e",
        "bc",
        "dd",
        "fc",
        "fd",
        "fe",
        "f800",
        "f818",
        "f81f",
        /* strings inside of another kind */
        "5f00ff",
        "5f21ff",
        "5f6100ff",
        "5f80ff",
        "5fa0ff",
        "5fc000ff",
        "5fe0ff",
        "7f4100ff",
        "5f5f4100ffff",
        "7f7f6100ffff",
        /* breaks */
        "ff",
        "81ff",
        "8200ff",
        "a1ff",
        "a1ff00",
        "a100ff",
        "bf00ff",
        "bf000000ff",
        "c0ff",
        "9f81ff",
        "9fa0ffff",
        /* indefinite what cannot be */
        "1f",
        "3f",
        "df",
        /* no UTF-8 */
        "61ff",
        "7f61c361bcff",
        /* something behind */
        "0000",
        "a0f6",
        "9fff00",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct err e = {0};
        struct cbor_item_t *item;
        if (attest_cbor_open(A, bytes(BAD[i]), &item, &e))
            fail_msg("%s was accepted", BAD[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

static void depth_and_size_are_limited(void **state)
{
    static const uint8_t OPEN[] = {0x81, 0x9f, 0xc1}; /* arrays of both kinds, a tag */
    struct err e = {0};

    (void)state;
    for (size_t k = 0; k < COUNT_OF(OPEN); k++) {
        for (size_t depth = 31; depth <= 34; depth++) {
            struct buf b = buf_new(A, 256);
            for (size_t i = 0; i < depth; i++)
                buf_byte(&b, OPEN[k]);
            buf_byte(&b, 0);
            for (size_t i = 0; i < depth && OPEN[k] == 0x9f; i++)
                buf_byte(&b, 0xff);
            assert_int_equal(attest_cbor_scan(buf_slice(&b), &e), depth <= 32);
        }
    }
    struct buf b = buf_new(A, 70000);
    buf_put(&b, bytes("59fffd"));
    memset(buf_room(&b, 65533), 0, 65533);
    buf_used(&b, 65533);
    assert_true(attest_cbor_scan(buf_slice(&b), &e)); /* 64 KiB */
    b.p[2] = 0xfe;
    buf_byte(&b, 0);
    assert_false(attest_cbor_scan(buf_slice(&b), &e));
    assert_non_null(strstr(e.text, "65537"));
}

static void values_have_types(void **state)
{
    struct cbor_item_t *map, *v;
    struct slice s = SLICE_NONE;
    int64_t n;

    (void)state;
    /* {"t": "ab", "b": (_ h'01', h'02'), "n": -7, "x": 2^63, "d": 1, "d": 2, 1: 2, "u": h'ff'}
     */
    struct err e = {0};
    if (!attest_cbor_open(A,
                          bytes("a8617462616261625f41014102ff616e2661781b8000000000000000"
                                "61640161640201026175"
                                "41ff"),
                          &map, &e))
        fail_msg("%s", e.text);
    assert_true(attest_cbor_member(A, map, "t", &v) && attest_cbor_text(A, v, &s));
    assert_true(slice_is(s, "ab"));
    assert_false(attest_cbor_bytes(A, v, &s));
    assert_false(attest_cbor_number(v, &n));
    assert_false(attest_cbor_is_map(v));
    assert_true(attest_cbor_member(A, map, "b", &v) && attest_cbor_bytes(A, v, &s));
    assert_true(slice_eq(s, slice_of("\x01\x02", 2)));
    assert_false(attest_cbor_text(A, v, &s));
    assert_true(attest_cbor_member(A, map, "n", &v) && attest_cbor_number(v, &n));
    assert_int_equal(n, -7);
    assert_true(attest_cbor_member(A, map, "x", &v));
    assert_false(attest_cbor_number(v, &n));
    assert_false(attest_cbor_member(A, map, "d", &v)); /* twice there */
    assert_true(attest_cbor_member(A, map, "none", &v));
    assert_null(v);
    assert_false(attest_cbor_text(A, v, &s) || attest_cbor_bytes(A, v, &s) ||
                 attest_cbor_number(v, &n));
    assert_true(attest_cbor_member(A, map, "u", &v));
    assert_false(attest_cbor_text(A, v, &s));
    assert_false(attest_cbor_member(A, v, "t", &v)); /* no map */
}

static int group_up(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    arena_free(A);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_items_are_taken),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(depth_and_size_are_limited),
        cmocka_unit_test(values_have_types),
    };

    return cmocka_run_group_tests(tests, group_up, group_down);
}
