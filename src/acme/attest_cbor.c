/*
 * See attest_cbor.h.  The scan is without recursion: a stack of open containers, each with the
 * number of items that it still wants, or "until the break".  Every item is at least one byte, so a
 * count above what is left is a lie, and libcbor never allocates more than a small multiple of the
 * input.
 */
#include "acme/attest_cbor.h"

#include <cbor.h>

#include "base/buf.h"

/* --- The scan -----------------------------------------------------------------------------------
 */

enum major {
    MAJOR_UINT,
    MAJOR_NEGATIVE,
    MAJOR_BYTES,
    MAJOR_TEXT,
    MAJOR_ARRAY,
    MAJOR_MAP,
    MAJOR_TAG,
    MAJOR_SIMPLE
};

#define UNTIL_BREAK UINT64_MAX
#define BREAK       0xff

struct open_item {
    uint64_t want; /* items; UNTIL_BREAK */
    enum major major;
    bool odd; /* of an indefinite map: a key without its value */
};
struct scan {
    const uint8_t *p, *end;
    struct open_item stack[CBOR_DEPTH_MAX];
    size_t depth;
};
struct head {
    enum major major;
    bool indefinite;
    uint64_t argument;
};

static bool take_head(struct scan *s, struct head *h)
{
    uint8_t first = *s->p++, info = first & 31;
    size_t n = info < 24 ? 0 : (size_t)1 << (info - 24);

    *h = (struct head){.major = (enum major)(first >> 5), .argument = info};
    if (info == 31) {
        h->indefinite = true;
        return h->major >= MAJOR_BYTES && h->major <= MAJOR_MAP;
    }
    if (info > 27 || n > (size_t)(s->end - s->p))
        return false;
    if (n)
        h->argument = 0;
    for (size_t i = 0; i < n; i++)
        h->argument = h->argument << 8 | *s->p++;
    /* RFC 8949 3.3: simple values below 32 have one byte only. */
    return h->major != MAJOR_SIMPLE || info != 24 || h->argument >= 32;
}

static bool push(struct scan *s, enum major major, uint64_t want)
{
    if (s->depth == CBOR_DEPTH_MAX)
        return false;
    s->stack[s->depth++] = (struct open_item){want, major, false};
    return true;
}

/* An item is complete: so may be what holds it. */
static void count(struct scan *s)
{
    while (s->depth) {
        struct open_item *top = &s->stack[s->depth - 1];
        if (top->want == UNTIL_BREAK) {
            top->odd = !top->odd;
            return;
        }
        if (--top->want)
            return;
        s->depth--;
    }
}

static bool take_break(struct scan *s)
{
    struct open_item *top = s->depth ? &s->stack[s->depth - 1] : NULL;

    if (!top || top->want != UNTIL_BREAK || (top->major == MAJOR_MAP && top->odd))
        return false;
    s->p++;
    s->depth--;
    count(s);
    return true;
}

/* Inside a string of indefinite length only definite ones of its type may stand (RFC 8949 3.2.3).
 */
static bool fits_inside(const struct scan *s, const struct head *h)
{
    const struct open_item *top = s->depth ? &s->stack[s->depth - 1] : NULL;

    if (!top || (top->major != MAJOR_BYTES && top->major != MAJOR_TEXT))
        return true;
    return h->major == top->major && !h->indefinite;
}

static bool take_string(struct scan *s, const struct head *h)
{
    if (h->indefinite)
        return push(s, h->major, UNTIL_BREAK);
    if (h->argument > (uint64_t)(s->end - s->p))
        return false;
    if (h->major == MAJOR_TEXT && !slice_is_utf8(slice_of(s->p, h->argument)))
        return false; /* each piece by itself: RFC 8949 3.2.3 */
    s->p += h->argument;
    count(s);
    return true;
}

static bool take_container(struct scan *s, const struct head *h)
{
    uint64_t each = h->major == MAJOR_MAP ? 2 : 1;

    if (h->indefinite)
        return push(s, h->major, UNTIL_BREAK);
    if (h->argument > (uint64_t)(s->end - s->p) / each)
        return false;
    if (h->argument)
        return push(s, h->major, h->argument * each);
    count(s);
    return true;
}

static bool take_item(struct scan *s)
{
    struct head h;

    if (*s->p == BREAK)
        return take_break(s);
    if (!take_head(s, &h) || !fits_inside(s, &h))
        return false;
    switch (h.major) {
    case MAJOR_BYTES:
    case MAJOR_TEXT:
        return take_string(s, &h);
    case MAJOR_ARRAY:
    case MAJOR_MAP:
        return take_container(s, &h);
    case MAJOR_TAG:
        return push(s, h.major, 1);
    default:
        count(s);
        return true;
    }
}

bool attest_cbor_scan(struct slice in, struct err *e)
{
    struct scan s = {.p = in.p, .end = in.p + in.n};

    if (!in.n || in.n > CBOR_BYTES_MAX)
        return err_set(e, ERR_MALFORMED, "CBOR: expected 1 to %u bytes, found %zu", CBOR_BYTES_MAX,
                       in.n);
    do {
        size_t at = (size_t)(s.p - in.p);
        if (s.p == s.end)
            return err_set(e, ERR_MALFORMED, "CBOR: ends within an item (RFC 8949 3)");
        if (!take_item(&s))
            return err_set(e, ERR_MALFORMED,
                           "CBOR: not well-formed, or deeper than %u levels, at offset %zu "
                           "(RFC 8949 appendix C)",
                           CBOR_DEPTH_MAX, at);
    } while (s.depth);
    if (s.p != s.end)
        return err_set(e, ERR_MALFORMED, "CBOR: %zu bytes behind the item", (size_t)(s.end - s.p));
    return true;
}

/* --- Values -------------------------------------------------------------------------------------
 */

static void item_undo(void *p)
{
    cbor_item_t *item = p;

    cbor_decref(&item);
}

bool attest_cbor_open(struct arena *a, struct slice in, struct cbor_item_t **item, struct err *e)
{
    struct cbor_load_result result;

    *item = NULL;
    if (!attest_cbor_scan(in, e))
        return false;
    cbor_item_t *found = cbor_load(in.p, in.n, &result);
    if (!found)
        return err_set(e, ERR_MALFORMED, "CBOR: cannot be decoded (offset %zu)",
                       result.error.position);
    arena_defer(a, item_undo, found);
    if (result.read != in.n)
        return err_set(e, ERR_MALFORMED, "CBOR: %zu bytes behind the item", in.n - result.read);
    *item = found;
    return true;
}

static bool join(struct arena *a, cbor_item_t *const *chunks, size_t n, bool text,
                 struct slice *out)
{
    struct buf b = buf_new(a, CBOR_BYTES_MAX);

    for (size_t i = 0; i < n; i++)
        buf_put(&b, text ? slice_of(cbor_string_handle(chunks[i]), cbor_string_length(chunks[i]))
                         : slice_of(cbor_bytestring_handle(chunks[i]),
                                    cbor_bytestring_length(chunks[i])));
    *out = buf_slice(&b);
    return buf_ok(&b);
}

bool attest_cbor_text(struct arena *a, const struct cbor_item_t *item, struct slice *text)
{
    if (!item || !cbor_isa_string(item))
        return false;
    if (cbor_string_is_definite(item))
        *text = slice_of(cbor_string_handle(item), cbor_string_length(item));
    else if (!join(a, cbor_string_chunks_handle(item), cbor_string_chunk_count(item), true, text))
        return false;
    if (!text->n)
        *text = SLICE("");
    return slice_is_utf8(*text);
}

bool attest_cbor_bytes(struct arena *a, const struct cbor_item_t *item, struct slice *bytes)
{
    if (!item || !cbor_isa_bytestring(item))
        return false;
    if (cbor_bytestring_is_definite(item))
        *bytes = slice_of(cbor_bytestring_handle(item), cbor_bytestring_length(item));
    else if (!join(a, cbor_bytestring_chunks_handle(item), cbor_bytestring_chunk_count(item), false,
                   bytes))
        return false;
    if (!bytes->n)
        *bytes = SLICE("");
    return true;
}

bool attest_cbor_number(const struct cbor_item_t *item, int64_t *value)
{
    if (!item || !cbor_is_int(item))
        return false;
    uint64_t n = cbor_get_int(item);
    if (n > INT64_MAX)
        return false;
    *value = cbor_isa_negint(item) ? -1 - (int64_t)n : (int64_t)n;
    return true;
}

bool attest_cbor_is_map(const struct cbor_item_t *item)
{
    return item && cbor_isa_map(item);
}

bool attest_cbor_member(struct arena *a, const struct cbor_item_t *map, const char *key,
                        struct cbor_item_t **value)
{
    struct slice name;

    *value = NULL;
    if (!attest_cbor_is_map(map))
        return false;
    const struct cbor_pair *pairs = cbor_map_handle(map);
    for (size_t i = 0; i < cbor_map_size(map); i++) {
        if (!attest_cbor_text(a, pairs[i].key, &name) || !slice_is(name, key))
            continue;
        if (*value)
            return false;
        *value = pairs[i].value;
    }
    return true;
}

bool attest_cbor_elements(const struct cbor_item_t *item, struct cbor_item_t ***v, size_t *n)
{
    if (!item || !cbor_isa_array(item))
        return false;
    *v = cbor_array_handle(item);
    *n = cbor_array_size(item);
    return true;
}
