/*
 * Tables of Badger v2 that no sample has: blocks packed with Snappy, checksums by XXH64, entries
 * that lie.  They are put together here byte by byte.
 */
#include "store_testing.h"

#include <fcntl.h>

#include "base/buf.h"
#include "store/badger_part.h"
#include "store/checksum.h"

enum packing { PLAIN, SNAPPY };
struct recipe {
    enum packing packing;
    bool xxh64;
    bool wrong_sum, cut_pack, disorder;
};

static void put_varint(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_byte(b, (uint8_t)(v | 0x80));
    buf_byte(b, (uint8_t)v);
}

static void put_sum(struct buf *b, struct slice of, const struct recipe *r)
{
    uint64_t sum = r->xxh64 ? xxhash64(of) : crc32c(0, of);
    size_t from = b->n;

    if (r->xxh64) {
        buf_byte(b, 0x08); /* algorithm */
        buf_byte(b, 1);
    }
    buf_byte(b, 0x10);
    put_varint(b, sum ^ (r->wrong_sum ? 1 : 0));
    buf_u32(b, (uint32_t)(b->n - from));
}

static void put_le(struct buf *b, uint32_t v, int n)
{
    for (int i = 0; i < n; i++)
        buf_byte(b, (uint8_t)(v >> (8 * i)));
}

static void put_entry(struct buf *b, uint16_t shared, const char *rest, uint64_t version,
                      const char *value)
{
    put_le(b, shared, 2);
    put_le(b, (uint32_t)strlen(rest) + 8, 2);
    buf_text(b, rest);
    buf_u64(b, ~version);
    buf_put(b, SLICE("\0\0\0"));
    buf_text(b, value);
}

/* Two keys, "apple" and "apply" or "apple" and "append". */
static void put_block(struct buf *b, const struct recipe *r)
{
    put_entry(b, 0, "apple", 3, "first");
    uint32_t second = (uint32_t)b->n;
    put_entry(b, r->disorder ? 3 : 4, r->disorder ? "end" : "y", 2, "second");
    put_le(b, 0, 4);
    put_le(b, second, 4);
    buf_u32(b, 2);
    put_sum(b, buf_slice(b), r);
}

/* The format allows to pack nothing: a length, then runs of bytes as they are. */
static void pack(struct buf *to, struct slice block, const struct recipe *r)
{
    if (r->packing == PLAIN) {
        buf_put(to, block);
        return;
    }
    put_varint(to, block.n);
    while (block.n > 0) {
        struct slice piece = slice_sub(block, 0, 60);
        buf_byte(to, (uint8_t)((piece.n - 1) << 2));
        buf_put(to, piece);
        block = slice_from(block, piece.n);
    }
    if (r->cut_pack)
        to->n -= 5;
}

static void put_index(struct buf *b, uint32_t len, const struct recipe *r)
{
    struct buf offset = buf_new(b->arena, 4096), index = buf_new(b->arena, 4096);
    struct recipe sum = {.xxh64 = r->xxh64};

    buf_byte(&offset, 0x0a);
    buf_byte(&offset, 13);
    buf_text(&offset, "apple");
    buf_u64(&offset, ~UINT64_C(3));
    buf_byte(&offset, 0x18);
    put_varint(&offset, len);
    buf_byte(&index, 0x0a);
    put_varint(&index, offset.n);
    buf_put(&index, buf_slice(&offset));
    buf_put(b, buf_slice(&index));
    buf_u32(b, (uint32_t)index.n);
    put_sum(b, buf_slice(&index), &sum);
}

struct bench {
    struct arena *a;
    char *dir;
    char path[300];
    struct source *s;
    struct err e;
};

static bool open_table(struct bench *t, const struct recipe *r)
{
    struct live_table live = {.compression = r->packing == SNAPPY ? 1 : 0};

    *t = (struct bench){.a = arena_new(&HEAP_USUAL), .dir = scratch_make()};
    struct buf block = buf_new(t->a, 1u << 16), file = buf_new(t->a, 1u << 16);
    put_block(&block, r);
    pack(&file, buf_slice(&block), r);
    put_index(&file, (uint32_t)file.n, r);
    snprintf(t->path, sizeof(t->path), "%s/000001.sst", t->dir);
    int fd = open(t->path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, file.p, file.n), (ssize_t)file.n);
    close(fd);
    t->s = table_open(2, &live, t->path, &t->e);
    return t->s != NULL;
}

static void close_table(struct bench *t)
{
    if (t->s)
        t->s->close(t->s);
    scratch_remove(t->dir);
    arena_free(t->a);
}

static void assert_at(const struct bench *t, const char *key, uint64_t version, const char *value)
{
    assert_true(t->s->valid);
    assert_slice(t->s->at.key, slice_text(key));
    assert_true(t->s->at.version == version);
    assert_slice(t->s->at.value, slice_text(value));
}

static void every_packing_and_checksum_is_read(void **state UNUSED)
{
    for (int i = 0; i < 4; i++) {
        struct recipe r = {.packing = i & 1 ? SNAPPY : PLAIN, .xxh64 = i > 1};
        struct bench t;
        if (!open_table(&t, &r))
            fail_msg("%s", t.e.text);
        assert_true(t.s->seek(t.s, SLICE(""), &t.e));
        assert_at(&t, "apple", 3, "first");
        assert_true(t.s->next(t.s, &t.e));
        assert_at(&t, "apply", 2, "second");
        assert_true(t.s->next(t.s, &t.e));
        assert_false(t.s->valid);
        assert_true(t.s->seek(t.s, SLICE("applf"), &t.e));
        assert_at(&t, "apply", 2, "second");
        assert_true(t.s->seek(t.s, SLICE("b"), &t.e));
        assert_false(t.s->valid);
        close_table(&t);
    }
}

static void damage_is_found(void **state UNUSED)
{
    static const struct {
        struct recipe recipe;
        const char *why;
    } CASES[] = {
        {{.wrong_sum = true}, "checksum"},
        {{.xxh64 = true, .wrong_sum = true}, "checksum"},
        {{.packing = SNAPPY, .cut_pack = true}, "000001.sst"},
        {{.packing = SNAPPY, .wrong_sum = true}, "checksum"},
        {{.disorder = true}, "out of order"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct bench t;
        assert_true(open_table(&t, &CASES[i].recipe));
        bool ok = t.s->seek(t.s, SLICE(""), &t.e) && t.s->next(t.s, &t.e);
        if (ok || !strstr(t.e.text, CASES[i].why))
            fail_msg("case %zu: \"%s\"", i, t.e.text);
        close_table(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packing_and_checksum_is_read),
        cmocka_unit_test(damage_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
