/*
 * One sorted table of Badger as a source: an index of blocks, entries with shared key beginnings.
 * v1 has end offsets of blocks and a SHA-256 of the file in the manifest; v2 has a protobuf index,
 * compressed blocks, and a checksum in each.
 *
 * Kept in memory: where each block is, its first key, and one block.  Entries must rise; a table
 * that is out of order is damaged.
 */
#include <stdlib.h>

#include <zstd.h>

#include "base/buf.h"
#include "crypto/digest.h"
#include "store/badger_part.h"
#include "store/checksum.h"
#include "store/snappy.h"

#define HEADER_V1 10
#define HEADER_V2 4
#define INDEX_MAX (1u << 30)

struct block {
    uint32_t offset, len;
    size_t key_at; /* of its first user key in keys */
    uint32_t key_n;
};

struct table {
    struct source base;
    int version;
    uint32_t compression;
    struct legacy_file file;
    struct block *blocks;
    size_t n_blocks;
    struct buf keys;

    /* The block that is loaded. */
    size_t block; /* n_blocks: none */
    struct room raw, plain;
    struct slice data; /* its entries; v2: without offsets and checksum */
    struct slice offsets;
    uint32_t n_entries, entry; /* v2: the next one */
    size_t pos;                /* v1: the next one */
    struct room key[2];        /* of the entry and of the one before */
    unsigned turn;
    bool any; /* an entry was read since the last seek */
    uint64_t last_version;
    size_t last_n;
};

bool internal_key(struct slice bytes, struct slice *key, uint64_t *version)
{
    if (bytes.n < 8)
        return false;
    *key = slice_sub(bytes, 0, bytes.n - 8);
    *version = ~read_be64(bytes.p + key->n);
    return true;
}

bool is_internal(struct slice key)
{
    return slice_starts(key, "!badger!");
}

int entry_cmp(const struct entry *a, const struct entry *b)
{
    int order = slice_cmp(a->key, b->key);

    if (order || a->version == b->version)
        return order;
    return a->version > b->version ? -1 : 1;
}

static bool damaged(const struct table *t, struct err *e, const char *what)
{
    return legacy_damage(t->file.path, e, "%s", what);
}

/* --- Checksums of v2 ----------------------------------------------------------------------- */

static bool sum_matches(struct slice message, struct slice bytes)
{
    uint64_t algorithm = 0, sum = 0;
    struct field f;
    bool ok = true;

    while (proto_next(&message, &f, &ok)) {
        algorithm = f.number == 1 ? f.value : algorithm;
        sum = f.number == 2 ? f.value : sum;
    }
    if (!ok || algorithm > 1)
        return false;
    return sum == (algorithm == 0 ? crc32c(0, bytes) : xxhash64(bytes));
}

/* --- Loading a block ----------------------------------------------------------------------- */

static bool unpack_snappy(struct table *t, struct slice raw, struct slice *out, struct err *e)
{
    struct err why = {0};
    size_t n;

    if (!snappy_size(raw, BLOCK_MAX, &n, &why))
        return why.kind == ERR_UNAVAILABLE ? err_set(e, why.kind, "%s", why.text)
                                           : damaged(t, e, why.text);
    uint8_t *to = room_for(&t->plain, n);
    if (!snappy_unpack(raw, to, n, &why))
        return damaged(t, e, why.text);
    *out = slice_of(to, n);
    return true;
}

static bool unpack_zstd(struct table *t, struct slice raw, struct slice *out, struct err *e)
{
    unsigned long long n = ZSTD_getFrameContentSize(raw.p, raw.n);

    if (n == ZSTD_CONTENTSIZE_ERROR || (n != ZSTD_CONTENTSIZE_UNKNOWN && n > BLOCK_MAX))
        return damaged(t, e, "a block is not compressed as it should be (Zstandard)");
    size_t room = n == ZSTD_CONTENTSIZE_UNKNOWN ? 1u << 20 : (size_t)n;
    for (;; room *= 4) {
        uint8_t *to = room_for(&t->plain, room);
        size_t got = ZSTD_decompress(to, t->plain.cap, raw.p, raw.n);
        if (!ZSTD_isError(got)) {
            *out = slice_of(to, got);
            return true;
        }
        if (n != ZSTD_CONTENTSIZE_UNKNOWN || room >= BLOCK_MAX)
            return damaged(t, e, "a block is not compressed as it should be (Zstandard)");
    }
}

/* Entries, their offsets, their number, the checksum and its length. */
static bool split_v2(struct table *t, struct slice block, struct err *e)
{
    if (block.n < 8)
        return damaged(t, e, "a block is too short");
    uint32_t c = read_be32(block.p + block.n - 4);
    if (c > block.n - 8)
        return damaged(t, e, "the checksum of a block is longer than the block");
    struct slice body = slice_sub(block, 0, block.n - 4 - c);
    if (!sum_matches(slice_sub(block, body.n, c), body))
        return damaged(t, e, "checksum of a block");
    uint64_t m = read_be32(body.p + body.n - 4);
    if (m == 0 || m * 4 > body.n - 4)
        return damaged(t, e, "a block has more entries than room");
    t->n_entries = (uint32_t)m;
    t->data = slice_sub(body, 0, body.n - 4 - (size_t)m * 4);
    t->offsets = slice_sub(body, t->data.n, (size_t)m * 4);
    return true;
}

static bool unpack(struct table *t, struct slice raw, struct err *e)
{
    struct slice block = raw;

    if (t->version == 1) {
        t->data = raw;
        return true;
    }
    if (t->compression == 1 && !unpack_snappy(t, raw, &block, e))
        return false;
    if (t->compression == 2 && !unpack_zstd(t, raw, &block, e))
        return false;
    return split_v2(t, block, e);
}

static bool load(struct table *t, size_t i, struct err *e)
{
    const struct block *b = &t->blocks[i];

    t->pos = 0;
    t->entry = 0;
    if (t->block == i)
        return true;
    t->block = t->n_blocks;
    uint8_t *to = room_for(&t->raw, b->len);
    if (!legacy_file_read(&t->file, b->offset, to, b->len, e) ||
        !unpack(t, slice_of(to, b->len), e))
        return false;
    t->block = i;
    return true;
}

/* --- Entries ------------------------------------------------------------------------------- */

struct parts {
    size_t shared;
    struct slice rest, value;
};

/* False at the end of the block, and with an error. */
static bool parts_v1(struct table *t, struct parts *parts, bool *end, struct err *e)
{
    if (t->pos >= t->data.n) {
        *end = true;
        return true;
    }
    if (t->data.n - t->pos < HEADER_V1)
        return damaged(t, e, "an entry is cut off");
    const uint8_t *p = t->data.p + t->pos;
    size_t klen = read_be16(p + 2), vlen = read_be16(p + 4);
    parts->shared = read_be16(p);
    if (parts->shared == 0 && klen == 0) {
        *end = true;
        return true;
    }
    if (klen + vlen > t->data.n - t->pos - HEADER_V1)
        return damaged(t, e, "an entry reaches beyond its block");
    parts->rest = slice_of(p + HEADER_V1, klen);
    parts->value = slice_of(p + HEADER_V1 + klen, vlen);
    t->pos += HEADER_V1 + klen + vlen;
    return true;
}

static bool parts_v2(struct table *t, struct parts *parts, bool *end, struct err *e)
{
    if (t->entry >= t->n_entries) {
        *end = true;
        return true;
    }
    uint32_t from = read_le32(t->offsets.p + 4 * (size_t)t->entry), to = (uint32_t)t->data.n;
    if (++t->entry < t->n_entries)
        to = read_le32(t->offsets.p + 4 * (size_t)t->entry);
    if (from > to || to > t->data.n || to - from < HEADER_V2)
        return damaged(t, e, "an entry reaches beyond its block");
    const uint8_t *p = t->data.p + from;
    size_t n = to - from - HEADER_V2, diff = read_le16(p + 2);
    parts->shared = read_le16(p);
    if (diff > n)
        return damaged(t, e, "a key reaches beyond its entry");
    parts->rest = slice_of(p + HEADER_V2, diff);
    parts->value = slice_of(p + HEADER_V2 + diff, n - diff);
    return true;
}

/* The first key of a block is whole; the others begin like it. */
static bool first_key(struct table *t, struct slice *key, struct err *e)
{
    size_t pos = t->pos;
    uint32_t entry = t->entry;
    struct parts parts;
    bool end = false;

    t->pos = 0;
    t->entry = 0;
    bool ok = t->version == 1 ? parts_v1(t, &parts, &end, e) : parts_v2(t, &parts, &end, e);
    t->pos = pos;
    t->entry = entry;
    if (!ok)
        return false;
    if (end || parts.shared != 0)
        return damaged(t, e, "the first key of a block is not whole");
    *key = parts.rest;
    return true;
}

/* u8 meta, u8 of the user, uvarint expiry, value. */
static bool value_struct(struct table *t, struct slice v, struct entry *out, struct err *e)
{
    size_t at = 2;

    if (v.n < 3 || !uvarint_read(v, &at, &out->expires))
        return damaged(t, e, "a value is cut off");
    out->meta = v.p[0];
    out->value = slice_from(v, at);
    if (!(out->meta & META_POINTER))
        return true;
    if (out->value.n != 12)
        return damaged(t, e, "a pointer into the value log is not twelve bytes long");
    const uint8_t *p = out->value.p;
    out->where = t->version == 1
                     ? (struct log_place){read_be32(p), read_be32(p + 4), read_be32(p + 8)}
                     : (struct log_place){read_le32(p), read_le32(p + 4), read_le32(p + 8)};
    return true;
}

static bool assemble(struct table *t, const struct parts *parts, struct slice first, struct err *e)
{
    struct entry before = {.key = slice_of(t->key[t->turn].p, t->last_n),
                           .version = t->last_version};
    size_t n = parts->shared + parts->rest.n;

    if (parts->shared > first.n)
        return damaged(t, e, "a key shares more than the first key has");
    t->turn ^= 1;
    uint8_t *key = room_for(&t->key[t->turn], n);
    memcpy(key, first.p, parts->shared);
    memcpy(key + parts->shared, parts->rest.p, parts->rest.n);
    if (!internal_key(slice_of(key, n), &t->base.at.key, &t->base.at.version))
        return damaged(t, e, "a key has no version");
    if (t->any && entry_cmp(&before, &t->base.at) >= 0)
        return damaged(t, e, "entries are out of order");
    t->any = true;
    t->last_n = t->base.at.key.n;
    t->last_version = t->base.at.version;
    return value_struct(t, parts->value, &t->base.at, e);
}

static bool table_next(struct source *s, struct err *e)
{
    struct table *t = (struct table *)s;
    struct parts parts;
    struct slice first = {0};

    s->valid = false;
    for (bool end = false;;) {
        end = false;
        if (!(t->version == 1 ? parts_v1(t, &parts, &end, e) : parts_v2(t, &parts, &end, e)))
            return false;
        if (!end)
            break;
        if (t->block + 1 >= t->n_blocks)
            return true;
        if (!load(t, t->block + 1, e))
            return false;
    }
    if (!first_key(t, &first, e) || !assemble(t, &parts, first, e))
        return false;
    s->valid = true;
    return true;
}

static struct slice block_key(const struct table *t, size_t i)
{
    return slice_sub(buf_slice(&t->keys), t->blocks[i].key_at, t->blocks[i].key_n);
}

/* The last block whose first key is smaller: older versions of the key may end it. */
static size_t block_for(const struct table *t, struct slice key)
{
    size_t low = 0, high = t->n_blocks;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_cmp(block_key(t, middle), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

static bool table_seek(struct source *s, struct slice key, struct err *e)
{
    struct table *t = (struct table *)s;

    t->any = false;
    s->valid = false;
    if (!load(t, block_for(t, key), e))
        return false;
    do {
        if (!table_next(s, e))
            return false;
    } while (s->valid && slice_cmp(s->at.key, key) < 0);
    return true;
}

/* --- Opening ------------------------------------------------------------------------------- */

static bool add_key(struct table *t, struct block *b, struct slice internal, struct err *e)
{
    struct slice key;
    uint64_t version;

    if (!internal_key(internal, &key, &version))
        return damaged(t, e, "a block begins with a key without version");
    b->key_at = t->keys.n;
    b->key_n = (uint32_t)key.n;
    buf_put(&t->keys, key);
    if (!buf_ok(&t->keys))
        return damaged(t, e, "its keys are too long");
    if (b > t->blocks && slice_cmp(block_key(t, (size_t)(b - t->blocks) - 1), key) > 0)
        return damaged(t, e, "blocks are out of order");
    return true;
}

static bool check_sum_v1(struct table *t, const struct live_table *live, struct err *e)
{
    uint8_t piece[65536], sum[DIGEST_MAX];
    struct digest_run run = digest_begin(DIGEST_SHA256);
    bool ok = true;

    for (uint64_t at = 0; ok && at < t->file.size;) {
        size_t n = t->file.size - at < sizeof(piece) ? (size_t)(t->file.size - at) : sizeof(piece);
        ok = legacy_file_read(&t->file, at, piece, n, e);
        digest_add(&run, slice_of(piece, n));
        at += n;
    }
    digest_end(&run, sum);
    if (!ok)
        return false;
    return memcmp(sum, live->sum, sizeof(live->sum)) == 0 ||
           damaged(t, e, "its checksum is not the one in the manifest");
}

static bool block_v1(struct table *t, struct block *b, struct err *e)
{
    uint8_t head[HEADER_V1];

    if (b->len < HEADER_V1)
        return damaged(t, e, "a block is too short");
    if (!legacy_file_read(&t->file, b->offset, head, sizeof(head), e))
        return false;
    size_t klen = read_be16(head + 2);
    if (read_be16(head) != 0 || klen > b->len - HEADER_V1)
        return damaged(t, e, "the first key of a block is not whole");
    uint8_t *key = room_for(&t->raw, klen);
    return legacy_file_read(&t->file, b->offset + HEADER_V1, key, klen, e) &&
           add_key(t, b, slice_of(key, klen), e);
}

/* From the end: length of the filter, the filter, number of blocks, their ends. */
static bool index_v1(struct table *t, struct err *e)
{
    uint8_t word[4];
    uint64_t end = t->file.size;

    if (end < 8 || end > UINT32_MAX || !legacy_file_read(&t->file, end - 4, word, 4, e))
        return damaged(t, e, "too short or too long for a table");
    uint64_t bloom = read_be32(word);
    if (bloom > end - 8)
        return damaged(t, e, "its filter is longer than the file");
    end -= 4 + bloom;
    if (!legacy_file_read(&t->file, end - 4, word, 4, e))
        return false;
    uint64_t n = read_be32(word);
    end -= 4;
    if (n == 0 || n > end / 4)
        return damaged(t, e, "the number of its blocks does not fit");
    CLEANUP(buf_free) struct buf ends = buf_new(NULL, INDEX_MAX);
    uint8_t *p = buf_room(&ends, (size_t)n * 4);
    end -= n * 4;
    if (!p || !legacy_file_read(&t->file, end, p, (size_t)n * 4, e))
        return damaged(t, e, "its index cannot be read");
    t->blocks = xcalloc((size_t)n, sizeof(*t->blocks));
    t->n_blocks = (size_t)n;
    uint32_t from = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t to = read_be32(p + 4 * i);
        if (to < from || to > end || (i + 1 == n && to != end) || to - from > BLOCK_MAX)
            return damaged(t, e, "its index does not fit the blocks");
        t->blocks[i] = (struct block){.offset = from, .len = to - from};
        if (!block_v1(t, &t->blocks[i], e))
            return false;
        from = to;
    }
    return true;
}

static bool block_v2(struct table *t, struct slice message, uint64_t limit, struct err *e)
{
    struct block *b = &t->blocks[t->n_blocks];
    struct slice key = SLICE("");
    uint64_t offset = 0, len = 0;
    struct field f;
    bool ok = true;

    while (proto_next(&message, &f, &ok)) {
        if (f.number == 1 && f.bytes.p)
            key = f.bytes;
        offset = f.number == 2 ? f.value : offset;
        len = f.number == 3 ? f.value : len;
    }
    if (!ok || len > BLOCK_MAX || offset > limit || len > limit - offset)
        return damaged(t, e, "its index does not fit the blocks");
    *b = (struct block){.offset = (uint32_t)offset, .len = (uint32_t)len};
    if (!add_key(t, b, key, e))
        return false;
    t->n_blocks++;
    return true;
}

static bool parse_index_v2(struct table *t, struct slice index, uint64_t limit, struct err *e)
{
    struct slice rest = index;
    struct field f;
    size_t n = 0;
    bool ok = true;

    while (proto_next(&rest, &f, &ok))
        n += f.number == 1 && f.bytes.p;
    if (!ok || n == 0)
        return damaged(t, e, "its index is not one");
    t->blocks = xcalloc(n, sizeof(*t->blocks));
    while (proto_next(&index, &f, &ok)) {
        if (f.number == 1 && f.bytes.p && !block_v2(t, f.bytes, limit, e))
            return false;
    }
    return true;
}

/* From the end: length of the checksum, the checksum, length of the index, the index. */
static bool index_v2(struct table *t, struct err *e)
{
    uint8_t word[4], sum[64];
    uint64_t end = t->file.size;

    if (end < 8 || end > UINT32_MAX || !legacy_file_read(&t->file, end - 4, word, 4, e))
        return damaged(t, e, "too short or too long for a table");
    uint64_t c = read_be32(word);
    if (c > sizeof(sum) || c > end - 8)
        return damaged(t, e, "the checksum of its index does not fit");
    end -= 4 + c;
    if (!legacy_file_read(&t->file, end, sum, (size_t)c, e) ||
        !legacy_file_read(&t->file, end - 4, word, 4, e))
        return false;
    uint64_t n = read_be32(word);
    end -= 4;
    if (n > end || n > INDEX_MAX)
        return damaged(t, e, "its index is longer than the file");
    CLEANUP(buf_free) struct buf index = buf_new(NULL, INDEX_MAX);
    uint8_t *p = buf_room(&index, (size_t)n);
    if (!p || !legacy_file_read(&t->file, end - n, p, (size_t)n, e))
        return damaged(t, e, "its index cannot be read");
    if (!sum_matches(slice_of(sum, (size_t)c), slice_of(p, (size_t)n)))
        return damaged(t, e, "checksum of its index");
    return parse_index_v2(t, slice_of(p, (size_t)n), end - n, e);
}

static void table_close(struct source *s)
{
    struct table *t = (struct table *)s;

    legacy_file_close(&t->file);
    free(t->blocks);
    buf_free(&t->keys);
    room_free(&t->raw);
    room_free(&t->plain);
    room_free(&t->key[0]);
    room_free(&t->key[1]);
    free(t);
}

static bool begin(struct table *t, const struct live_table *live, const char *path, struct err *e)
{
    if (live->compression > 2)
        return err_set(e, ERR_MALFORMED, "%s: compression %u is not known", path,
                       live->compression);
    if (!legacy_file_open(&t->file, path, e))
        return err_wrap(e, "a table that the manifest names");
    if (live->summed && !check_sum_v1(t, live, e))
        return false;
    if (!(t->version == 1 ? index_v1(t, e) : index_v2(t, e)))
        return false;
    t->block = t->n_blocks;
    return true;
}

struct source *table_open(int version, const struct live_table *live, const char *path,
                          struct err *e)
{
    struct table *t = xcalloc(1, sizeof(*t));

    t->base = (struct source){.seek = table_seek, .next = table_next, .close = table_close};
    t->version = version;
    t->compression = live->compression;
    t->file = LEGACY_FILE_NONE;
    t->keys = buf_new(NULL, INDEX_MAX);
    if (begin(t, live, path, e))
        return &t->base;
    table_close(&t->base);
    return NULL;
}
