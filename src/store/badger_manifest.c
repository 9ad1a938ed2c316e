/*
 * MANIFEST: a log of which tables came and went.  Records have a length, a CRC-32C and a protobuf
 * message; what is left at the end are the live tables.  A last record that was cut off by a crash
 * is left out, everything else that does not fit is damage.
 */
#include <stdlib.h>

#include "base/file.h"
#include "store/badger_part.h"
#include "store/checksum.h"

#define MANIFEST_MAX (256u << 20)
#define PREAMBLE     8
#define LEVEL_MAX    64

/* --- Protobuf ------------------------------------------------------------------------------ */

bool uvarint_read(struct slice s, size_t *at, uint64_t *value)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 10 && *at < s.n; i++) {
        uint8_t byte = s.p[(*at)++];
        if (i == 9 && byte > 1)
            return false;
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = v;
            return true;
        }
    }
    return false;
}

/* Wire types 1 and 5 do not occur in these messages; they are skipped all the same. */
static bool proto_value(struct slice s, size_t *at, unsigned wire, struct field *f)
{
    uint64_t n;

    if (wire == 0)
        return uvarint_read(s, at, &f->value);
    if (wire == 2 && !uvarint_read(s, at, &n))
        return false;
    if (wire != 2)
        n = wire == 1 ? 8 : 4;
    if ((wire != 1 && wire != 2 && wire != 5) || n > s.n - *at)
        return false;
    f->bytes = slice_of(s.p + *at, (size_t)n);
    *at += (size_t)n;
    return true;
}

bool proto_next(struct slice *rest, struct field *f, bool *ok)
{
    size_t at = 0;
    uint64_t tag;

    *f = (struct field){0};
    if (rest->n == 0)
        return false;
    if (!uvarint_read(*rest, &at, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX ||
        !proto_value(*rest, &at, (unsigned)(tag & 7), f)) {
        *ok = false;
        return false;
    }
    f->number = (uint32_t)(tag >> 3);
    *rest = slice_from(*rest, at);
    return true;
}

/* --- Changes ------------------------------------------------------------------------------- */

/* Where id stands, or would stand. */
static size_t place_of(const struct manifest *m, uint64_t id)
{
    size_t low = 0, high = m->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->v[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool create(struct manifest *m, const struct live_table *t, const char *path, struct err *e)
{
    size_t at = place_of(m, t->id);

    if (at < m->n && m->v[at].id == t->id)
        return legacy_damage(path, e, "table %llu is created twice", (unsigned long long)t->id);
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 64;
        m->v = xrealloc(m->v, m->cap * sizeof(*m->v));
    }
    memmove(m->v + at + 1, m->v + at, (m->n - at) * sizeof(*m->v));
    m->v[at] = *t;
    m->n++;
    return true;
}

static bool remove_table(struct manifest *m, uint64_t id, const char *path, struct err *e)
{
    size_t at = place_of(m, id);

    if (at >= m->n || m->v[at].id != id)
        return legacy_damage(path, e, "table %llu is deleted but does not exist",
                             (unsigned long long)id);
    m->n--;
    memmove(m->v + at, m->v + at + 1, (m->n - at) * sizeof(*m->v));
    return true;
}

static bool malformed(const char *path, struct err *e)
{
    return legacy_damage(path, e, "a record is not a list of changes");
}

/* Fields 4 to 6 mean other things in v1 and v2. */
static void take_field(const struct manifest *m, struct live_table *t, uint64_t *op,
                       const struct field *f)
{
    if (f->number == 1)
        t->id = f->value;
    if (f->number == 2)
        *op = f->value;
    if (f->number == 3)
        t->level = f->value < UINT32_MAX ? (uint32_t)f->value : UINT32_MAX;
    if (f->number == 4 && m->version == 1 && f->bytes.n == sizeof(t->sum)) {
        memcpy(t->sum, f->bytes.p, sizeof(t->sum));
        t->summed = true;
    }
    if (f->number == 4 && m->version == 2)
        t->encrypted = f->value != 0;
    if (f->number == 6 && m->version == 2)
        t->compression = f->value < UINT32_MAX ? (uint32_t)f->value : UINT32_MAX;
}

static bool apply_change(struct manifest *m, struct slice change, const char *path, struct err *e)
{
    struct live_table t = {0};
    struct field f;
    uint64_t op = 0;
    bool ok = true;

    while (proto_next(&change, &f, &ok))
        take_field(m, &t, &op, &f);
    if (!ok || op > 1)
        return malformed(path, e);
    if (op == 1)
        return remove_table(m, t.id, path, e);
    if (t.level >= LEVEL_MAX)
        return legacy_damage(path, e, "table %llu is on level %u", (unsigned long long)t.id,
                             t.level);
    return create(m, &t, path, e);
}

static bool apply_record(struct manifest *m, struct slice record, const char *path, struct err *e)
{
    struct field f;
    bool ok = true;

    while (proto_next(&record, &f, &ok)) {
        if (f.number == 1 && !f.bytes.p)
            return malformed(path, e);
        if (f.number == 1 && !apply_change(m, f.bytes, path, e))
            return false;
    }
    return ok || malformed(path, e);
}

/* --- The file ------------------------------------------------------------------------------ */

static bool preamble(struct manifest *m, struct slice text, const char *path, struct err *e)
{
    uint32_t version;

    if (text.n < PREAMBLE || memcmp(text.p, "Bdgr", 4) != 0)
        return legacy_damage(path, e, "not a manifest of Badger");
    version = read_be32(text.p + 4);
    m->version = version == 4 ? 1 : version == 7 ? 2 : 0;
    if (m->version)
        return true;
    return err_set(e, ERR_MALFORMED,
                   "%s: manifest version %u is not supported; 4 (Badger v1) and 7 (Badger v2) are",
                   path, version);
}

bool manifest_parse(struct manifest *m, const struct legacy_place *p, const char *path,
                    struct slice text, struct err *e)
{
    size_t at = PREAMBLE;

    if (!preamble(m, text, path, e))
        return false;
    while (at < text.n) {
        struct slice rest = slice_from(text, at);
        uint32_t n = rest.n >= 8 ? read_be32(rest.p) : 0;
        if (rest.n >= 8 && n > text.n)
            return legacy_damage(path, e, "a record of %u bytes at %zu is longer than the file", n,
                                 at);
        if (rest.n < 8 || n > rest.n - 8) {
            legacy_warn(p, "%s: the last record (%zu bytes) was cut off and is left out", path,
                        rest.n);
            return true;
        }
        struct slice record = slice_sub(rest, 8, n);
        if (crc32c(0, record) != read_be32(rest.p + 4))
            return legacy_damage(path, e, "checksum of the record at %zu", at);
        if (!apply_record(m, record, path, e))
            return false;
        at += 8 + (size_t)n;
    }
    return true;
}

bool manifest_read(struct manifest *m, const struct legacy_place *p, const char *path,
                   struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice text;

    return file_read(a, path, false, MANIFEST_MAX, &text, e) && manifest_parse(m, p, path, text, e);
}

void manifest_free(struct manifest *m)
{
    free(m->v);
    *m = (struct manifest){0};
}
