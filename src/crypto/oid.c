/*
 * Object identifiers: content octets (X.690 8.19) and dotted text.  Each arc is a base-128 number,
 * the first one packs two.  An arc must fit 64 bits to have a text; no registered one comes near.
 */
#include "crypto/der.h"

#include "base/arena.h"

#define OID_ARCS_MAX 128u
#define OID_TEXT_MAX 2048u

bool oid_eq(const struct oid *a, struct slice content)
{
    return a->n == content.n && memcmp(a->p, content.p, a->n) == 0;
}

/* One base-128 number, minimal, below 2^64. */
static bool arc_take(struct slice *s, uint64_t *arc)
{
    uint64_t v = 0;

    if (!s->n || s->p[0] == 0x80)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        if (v >> 57)
            return false;
        v = v << 7 | (s->p[i] & 0x7f);
        if (s->p[i] & 0x80)
            continue;
        *s = slice_from(*s, i + 1);
        *arc = v;
        return true;
    }
    return false;
}

struct slice oid_text(struct arena *a, struct slice content)
{
    struct buf b = buf_new(a, OID_TEXT_MAX);
    uint64_t arc;

    if (!arc_take(&content, &arc))
        return SLICE("");
    uint64_t first = arc < 80 ? arc / 40 : 2;
    buf_printf(&b, "%llu.%llu", (unsigned long long)first, (unsigned long long)(arc - first * 40));
    for (size_t n = 2; content.n; n++) {
        if (n == OID_ARCS_MAX || !arc_take(&content, &arc))
            return SLICE("");
        buf_printf(&b, ".%llu", (unsigned long long)arc);
    }
    return buf_ok(&b) ? buf_slice(&b) : SLICE("");
}

static void arc_put(struct buf *b, uint64_t arc)
{
    uint8_t octets[10];
    size_t at = sizeof(octets);

    octets[--at] = arc & 0x7f;
    while (arc >>= 7)
        octets[--at] = (uint8_t)(0x80 | (arc & 0x7f));
    buf_put(b, slice_of(octets + at, sizeof(octets) - at));
}

/* Decimal without superfluous zeros: two texts of one identifier would not compare equal. */
static bool arc_read(struct slice text, uint64_t *arc)
{
    if (text.n > 1 && text.p[0] == '0')
        return false;
    return slice_to_u64(text, arc);
}

bool oid_read(struct arena *a, struct slice text, struct slice *content)
{
    struct buf b = buf_new(a, OID_TEXT_MAX);
    struct slice rest = text, part;
    uint64_t first, second, arc;

    if (text.n > OID_TEXT_MAX)
        return false;
    if (!slice_split(&rest, '.', &part) || !arc_read(part, &first) || first > 2)
        return false;
    if (!slice_split(&rest, '.', &part) || !arc_read(part, &second))
        return false;
    if (first < 2 ? second > 39 : second > UINT64_MAX - 80)
        return false;
    arc_put(&b, first * 40 + second);
    for (size_t n = 2; slice_split(&rest, '.', &part); n++) {
        if (n == OID_ARCS_MAX || !arc_read(part, &arc))
            return false;
        arc_put(&b, arc);
    }
    *content = buf_slice(&b);
    return buf_ok(&b);
}
