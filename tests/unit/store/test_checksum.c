/* Checksums against vectors that their authors published. */
#include "store_testing.h"

#include "store/checksum.h"

static void crc32c_of_rfc_3720(void **state UNUSED)
{
    uint8_t bytes[32] = {0};

    assert_int_equal(crc32c(0, SLICE("123456789")), 0xe3069283);
    assert_int_equal(crc32c(0, slice_of(bytes, 32)), 0x8a9136aa); /* B.4: zeros */
    memset(bytes, 0xff, 32);
    assert_int_equal(crc32c(0, slice_of(bytes, 32)), 0x62a8ab43); /* ones */
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, slice_of(bytes, 32)), 0x46dd794e); /* rising */
    assert_int_equal(crc32c(crc32c(0, slice_of(bytes, 5)), slice_of(bytes + 5, 27)), 0x46dd794e);
}

static void fnv_1a_64(void **state UNUSED)
{
    assert_true(fnv1a64(SLICE("")) == UINT64_C(0xcbf29ce484222325));
    assert_true(fnv1a64(SLICE("a")) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(fnv1a64(SLICE("foobar")) == UINT64_C(0x85944171f73967e8));
}

static void xxh64(void **state UNUSED)
{
    assert_true(xxhash64(SLICE("")) == UINT64_C(0xef46db3751d8e999));
    assert_true(xxhash64(SLICE("a")) == UINT64_C(0xd24ec4f1a98c6e5b));
    assert_true(xxhash64(SLICE("abc")) == UINT64_C(0x44bc2cf5ad770999));
    assert_true(xxhash64(SLICE("Nobody inspects the spammish repetition")) ==
                UINT64_C(0xfbcea83c8a378bf1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_of_rfc_3720),
        cmocka_unit_test(fnv_1a_64),
        cmocka_unit_test(xxh64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
