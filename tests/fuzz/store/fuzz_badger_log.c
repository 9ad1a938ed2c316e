/*
 * A value log of Badger.  The first byte says how: the file as it is; or the rest as a list of
 * entries (meta, lengths, bytes) with their checksums made right.
 */
#include <fcntl.h>

#include "memory_file.h"

#include "base/buf.h"
#include "store/badger_part.h"
#include "store/checksum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void put_entry(struct buf *b, int version, uint8_t meta, struct slice key,
                      struct slice value)
{
    size_t from = b->n;

    if (version == 1) {
        buf_u32(b, (uint32_t)key.n);
        buf_u32(b, (uint32_t)value.n);
        buf_u64(b, 0);
        buf_byte(b, meta);
        buf_byte(b, 0);
    } else {
        buf_byte(b, meta);
        buf_byte(b, 0);
        buf_byte(b, (uint8_t)key.n);
        buf_byte(b, (uint8_t)value.n);
        buf_byte(b, 0);
    }
    buf_put(b, key);
    buf_put(b, value);
    if (buf_ok(b))
        buf_u32(b, crc32c(0, slice_of(b->p + from, b->n - from)));
}

static void put_entries(struct buf *b, int version, struct slice rest)
{
    while (rest.n >= 3) {
        size_t klen = rest.p[1] & 0x7f, vlen = rest.p[2] & 0x7f;
        struct slice key = slice_sub(rest, 3, klen);
        struct slice value = slice_sub(rest, 3 + key.n, vlen);
        put_entry(b, version, rest.p[0], key, value);
        rest = slice_from(rest, 3 + key.n + value.n);
    }
}

static void run(const char *dir, int version)
{
    struct legacy_place place = {.path = dir};
    struct arena *a = arena_new(&HEAP_USUAL);
    struct err e = {0};
    struct logs logs;

    if (logs_open(&logs, &place, version, dir, a, &e)) {
        struct source *s = replay(&logs, NULL, &e);
        bool ok = s && s->seek(s, SLICE(""), &e);
        while (ok && s->valid) {
            struct log_entry entry;
            bool missing;
            if (s->at.meta & META_POINTER)
                (void)!log_resolve(&logs, s->at.where, s->at.key, s->at.version, &entry, &missing,
                                   &e);
            ok = s->next(s, &e);
        }
        if (s)
            s->close(s);
    }
    logs_close(&logs);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static char dir[] = "/tmp/newel-fuzz-log-XXXXXX";
    static char path[64];
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 4u << 20);

    if (n == 0)
        return 0;
    if (!path[0]) {
        if (!mkdtemp(dir))
            abort();
        snprintf(path, sizeof(path), "%s/000000.vlog", dir);
    }
    int version = data[0] & 1 ? 2 : 1;
    struct slice rest = slice_of(data + 1, n - 1);
    for (int i = 0; version == 2 && i < LOG_HEAD_V2; i++)
        buf_byte(&b, 0);
    if (data[0] & 2)
        buf_put(&b, rest);
    else
        put_entries(&b, version, rest);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (fd < 0 || !buf_ok(&b) || (b.n && write(fd, b.p, b.n) != (ssize_t)b.n))
        abort();
    close(fd);
    run(dir, version);
    return 0;
}
