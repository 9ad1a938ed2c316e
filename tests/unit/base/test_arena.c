/* Arenas and the buffers that grow in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* A heap that counts, hands out dirty memory, and looks whether it comes back wiped. */
static size_t taken, given, dirty;

static void *counting_take(size_t n)
{
    taken += n;
    return memset(xmalloc(n), 0xa5, n);
}

static void counting_give(void *p, size_t n)
{
    given += n;
    for (size_t i = 0; i < n; i++)
        dirty += ((uint8_t *)p)[i] != 0;
    free(p);
}

static const struct heap COUNTING = {counting_take, counting_give, true};

static void memory_is_zeroed_aligned_and_disjoint(void **state UNUSED)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&COUNTING);
    static const size_t SIZES[] = {1, 7, 8, 16, 100, 4000, 5000, 70000, 300000, 3, 0};
    uint8_t *p[COUNT_OF(SIZES)];

    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        p[i] = arena_alloc(a, SIZES[i]);
        assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < SIZES[i]; k++)
            assert_int_equal(p[i][k], 0);
        memset(p[i], (int)i + 1, SIZES[i]);
    }
    for (size_t i = 0; i < COUNT_OF(SIZES); i++)
        for (size_t k = 0; k < SIZES[i]; k++)
            assert_int_equal(p[i][k], i + 1);
}

static void a_wiping_heap_gets_its_blocks_back_wiped(void **state UNUSED)
{
    taken = given = dirty = 0;
    struct arena *a = arena_new(&COUNTING);
    for (int i = 0; i < 100; i++)
        memset(arena_alloc(a, 1000), 'k', 1000);
    struct arena_mark mark = arena_mark(a);
    memset(arena_alloc(a, 500000), 'k', 500000);
    arena_rewind(a, mark);
    arena_free(a);
    assert_true(taken > 600000);
    assert_int_equal(taken, given);
    assert_int_equal(dirty, 0);
}

static char calls[32];

static void note(void *p)
{
    size_t n = strlen(calls);

    calls[n] = *(char *)p;
    calls[n + 1] = 0;
}

static void deferred_calls_run_last_first(void **state UNUSED)
{
    static char A = 'a', B = 'b', C = 'c';
    struct arena *a = arena_new(&HEAP_USUAL);

    calls[0] = 0;
    arena_defer(a, note, &A);
    struct arena_mark mark = arena_mark(a);
    arena_defer(a, note, &B);
    arena_alloc(a, 100000);
    arena_defer(a, note, &C);
    arena_rewind(a, mark);
    assert_string_equal(calls, "cb");
    arena_rewind(a, mark);
    assert_string_equal(calls, "cb");
    arena_free(a);
    assert_string_equal(calls, "cba");
}

static void rewound_memory_is_used_again_and_zero(void **state UNUSED)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct arena_mark mark = arena_mark(a);
    uint8_t *first = arena_alloc(a, 64);

    memset(first, 'x', 64);
    arena_alloc(a, 1 << 20);
    arena_rewind(a, mark);
    uint8_t *again = arena_alloc(a, 64);
    assert_ptr_equal(again, first);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(again[i], 0);
}

static void copies_and_texts_end_in_nul(void **state UNUSED)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    char long_text[1000];

    struct slice copy = arena_copy(a, SLICE("abc"));
    assert_int_equal(copy.n, 3);
    assert_string_equal((const char *)copy.p, "abc");
    assert_non_null(arena_copy(a, SLICE_NONE).p);
    assert_string_equal(arena_cstr(a, SLICE_NONE), "");
    assert_string_equal(arena_printf(a, "%s-%d", "x", 42), "x-42");
    memset(long_text, 'y', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = 0;
    assert_string_equal(arena_printf(a, "%s", long_text), long_text);
    struct slice s = arena_format(a, "%s!", long_text);
    assert_int_equal(s.n, sizeof(long_text));
    for (size_t n = 250; n < 260; n++) /* around the size of the first try */
        assert_int_equal(arena_format(a, "%.*s", (int)n, long_text).n, n);
}

static void a_buffer_past_its_maximum_fails_and_stays_failed(void **state UNUSED)
{
    struct arena *arenas[] = {NULL, arena_new(&HEAP_USUAL)};
    struct err e = {0};

    for (size_t i = 0; i < COUNT_OF(arenas); i++) {
        CLEANUP(buf_free) struct buf b = buf_new(arenas[i], 10);
        assert_true(slice_is(buf_slice(&b), ""));
        buf_text(&b, "0123456789");
        assert_true(buf_done(&b, "test", &e));
        buf_put(&b, SLICE("")); /* nothing always fits */
        assert_true(buf_ok(&b));
        buf_byte(&b, 'x');
        assert_false(buf_ok(&b));
        assert_int_equal(b.n, 10);
        assert_null(buf_room(&b, 0));
        assert_false(buf_done(&b, "test", &e));
        assert_int_equal(e.kind, ERR_TOO_LARGE);
        assert_string_equal(e.text, "test: more than 10 bytes");
        buf_reset(&b);
        buf_text(&b, "again");
        assert_true(buf_ok(&b) && slice_is(buf_slice(&b), "again"));
        assert_null(buf_room(&b, SIZE_MAX));
    }
    arena_free(arenas[1]);
}

static void a_buffer_grows_and_keeps_what_it_had(void **state UNUSED)
{
    struct arena *arenas[] = {NULL, arena_new(&HEAP_USUAL)};

    for (size_t k = 0; k < COUNT_OF(arenas); k++) {
        CLEANUP(buf_free) struct buf b = buf_new(arenas[k], 1 << 20);
        for (size_t i = 0; i < 100000; i++)
            buf_byte(&b, (uint8_t)i);
        assert_true(buf_ok(&b) && b.n == 100000);
        for (size_t i = 0; i < 100000; i++)
            assert_int_equal(b.p[i], (uint8_t)i);
    }
    arena_free(arenas[1]);
}

static void numbers_are_written_big_endian(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 100);

    buf_u16(&b, 0x0102);
    buf_u32(&b, 0x03040506);
    buf_u64(&b, UINT64_C(0x0708090a0b0c0d0e));
    assert_int_equal(b.n, 14);
    for (size_t i = 0; i < b.n; i++)
        assert_int_equal(b.p[i], i + 1);
}

static void printf_writes_long_texts_too(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 4000);

    buf_printf(&b, "%s=%d;", "x", 1);
    buf_printf(&b, "%0300d", 7);
    assert_int_equal(b.n, 304);
    assert_int_equal(b.p[303], '7');
    uint8_t *room = buf_room(&b, 3);
    assert_non_null(room);
    memcpy(room, "abc", 3);
    buf_used(&b, 2);
    assert_int_equal(b.n, 306);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_disjoint),
        cmocka_unit_test(a_wiping_heap_gets_its_blocks_back_wiped),
        cmocka_unit_test(deferred_calls_run_last_first),
        cmocka_unit_test(rewound_memory_is_used_again_and_zero),
        cmocka_unit_test(copies_and_texts_end_in_nul),
        cmocka_unit_test(a_buffer_past_its_maximum_fails_and_stays_failed),
        cmocka_unit_test(a_buffer_grows_and_keeps_what_it_had),
        cmocka_unit_test(numbers_are_written_big_endian),
        cmocka_unit_test(printf_writes_long_texts_too),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
