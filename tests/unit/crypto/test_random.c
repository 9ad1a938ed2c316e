/* Few random bytes at a time: each byte of the source is handed out once at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/random.h"

/* Gives 1, 2, 3, … as 32-bit numbers. */
struct counting {
    struct rng base;
    uint32_t next;
    unsigned calls;
};

static void count_up(struct rng *r, void *p, size_t n)
{
    struct counting *c = (struct counting *)r;

    assert_int_equal(n % 4, 0);
    for (size_t i = 0; i < n; i += 4) {
        c->next++;
        memcpy((uint8_t *)p + i, &c->next, 4);
    }
    c->calls++;
}

static void no_byte_is_handed_out_twice(void **state)
{
    struct counting c = {.base.fill = count_up};
    bool seen[20000] = {false};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t four[16];
        size_t n = 1 + i % 16;
        random_few(&c.base, (uint8_t *)four, n * 4);
        for (size_t k = 0; k < n; k++) {
            assert_in_range(four[k], 1, 19999);
            assert_false(seen[four[k]]);
            seen[four[k]] = true;
        }
    }
    assert_true(c.calls < 200);
}

static void sources_are_not_mixed(void **state)
{
    struct counting a = {.base.fill = count_up}, b = {.base.fill = count_up, .next = 5000};
    uint32_t n;

    (void)state;
    random_few(&a.base, (uint8_t *)&n, 4);
    assert_true(n < 5000);
    random_few(&b.base, (uint8_t *)&n, 4);
    assert_true(n > 5000);
    random_few(&a.base, (uint8_t *)&n, 4);
    assert_true(n < 5000);
}

static void many_bytes_come_from_the_source(void **state)
{
    struct counting c = {.base.fill = count_up};
    uint32_t numbers[256];

    (void)state;
    random_few(&c.base, (uint8_t *)numbers, sizeof(numbers));
    assert_int_equal(c.calls, 1);
    for (uint32_t i = 0; i < COUNT_OF(numbers); i++)
        assert_int_equal(numbers[i], i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_is_handed_out_twice),
        cmocka_unit_test(sources_are_not_mixed),
        cmocka_unit_test(many_bytes_come_from_the_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
