/*
 * A table of Badger.  The first byte says how: the file as it is, v1 or v2; or the rest as one
 * block of v2 with index and checksums made right, plain or as if it were compressed.
 */
#include "memory_file.h"

#include "base/buf.h"
#include "store/badger_part.h"
#include "store/checksum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void put_sum(struct buf *b, struct slice of)
{
    uint32_t sum = crc32c(0, of);
    struct buf message = buf_new(NULL, 64);

    buf_byte(&message, 0x10);
    for (; sum >= 0x80; sum >>= 7)
        buf_byte(&message, (uint8_t)(sum | 0x80));
    buf_byte(&message, (uint8_t)sum);
    buf_put(b, buf_slice(&message));
    buf_u32(b, (uint32_t)message.n);
    buf_free(&message);
}

static void put_varint(struct buf *b, size_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_byte(b, (uint8_t)(v | 0x80));
    buf_byte(b, (uint8_t)v);
}

/* One block, the first key of the index made up. */
static void frame(struct buf *b, struct slice body, bool sum)
{
    static const uint8_t KEY[9] = {'a'};
    struct buf offset = buf_new(NULL, 4096), index = buf_new(NULL, 4096);

    buf_put(b, body);
    if (sum)
        put_sum(b, body);
    size_t len = b->n;
    buf_byte(&offset, 0x0a);
    put_varint(&offset, sizeof(KEY));
    buf_put(&offset, slice_of(KEY, sizeof(KEY)));
    buf_byte(&offset, 0x18);
    put_varint(&offset, len);
    buf_byte(&index, 0x0a);
    put_varint(&index, offset.n);
    buf_put(&index, buf_slice(&offset));
    buf_put(b, buf_slice(&index));
    buf_u32(b, (uint32_t)index.n);
    put_sum(b, buf_slice(&index));
    buf_free(&offset);
    buf_free(&index);
}

static void walk(const char *path, int version, uint32_t compression)
{
    struct live_table live = {.compression = compression};
    struct err e = {0};
    struct source *s = table_open(version, &live, path, &e);

    if (!s)
        return;
    bool ok = s->seek(s, SLICE(""), &e);
    while (ok && s->valid)
        ok = s->next(s, &e);
    (void)!s->seek(s, SLICE("m"), &e);
    s->close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 4u << 20);

    if (n == 0)
        return 0;
    unsigned how = data[0] % 5;
    struct slice rest = slice_of(data + 1, n - 1);
    if (how < 2)
        buf_put(&b, rest);
    else
        frame(&b, rest, how == 2);
    if (!buf_ok(&b))
        return 0;
    struct memory_file f = memory_file_make(b.p ? (const void *)b.p : "", b.n);
    walk(f.path, how == 0 ? 1 : 2, how < 3 ? 0 : how - 2);
    close(f.fd);
    return 0;
}
