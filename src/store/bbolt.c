/*
 * bbolt: a file of pages, a tree of buckets (docs/reference/storage.md "Older databases").
 *
 * Two meta pages hold the root of the newest transaction and of the one before; the valid one with
 * the higher transaction id counts.  A bucket is a tree of branch and leaf pages; a value flagged
 * as a bucket is a table, and a bucket inside a bucket is the table "outer/inner".
 *
 * The file is hostile until proven otherwise: pages are read one by one into memory of their own
 * size, every offset is checked against it, no page is visited twice, and depth is limited.
 */
#include "store/bbolt.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "store/checksum.h"
#include "store/legacy_file.h"

#define HEADER    16
#define ELEMENT   16
#define META_SIZE 64
#define MAGIC     0xED0CDAEDu
#define SWAPPED   0xEDDA0CEDu
#define DEPTH_MAX 64
#define PAGE_MIN  512
#define PAGE_MAX  (1u << 20)

enum page_flags { PAGE_BRANCH = 1, PAGE_LEAF = 2 };
#define LEAF_BUCKET 1u

struct meta {
    uint32_t page_size;
    uint64_t root, high, txid;
};

/* A bucket that was found: a table. */
struct table_root {
    struct slice name;
    uint64_t root;        /* page, or 0: inline */
    struct slice content; /* inline: the page; ours */
    struct table_root *next;
};

struct bbolt {
    struct legacy_place place;
    struct legacy_file file;
    struct meta meta;
    uint8_t *seen; /* one bit a page */
    uint64_t pages;
    struct arena *arena;
    struct table_root *tables;
    size_t n_tables;
};

/* --- Meta pages ---------------------------------------------------------------------------- */

enum meta_state { META_GOOD, META_BAD, META_SWAPPED };

static enum meta_state meta_parse(const uint8_t *p, struct meta *m)
{
    uint32_t magic = read_le32(p);

    if (magic == SWAPPED)
        return META_SWAPPED;
    *m = (struct meta){read_le32(p + 8), read_le64(p + 16), read_le64(p + 40), read_le64(p + 48)};
    bool good = magic == MAGIC && read_le32(p + 4) == 2 &&
                read_le64(p + 56) == fnv1a64(slice_of(p, META_SIZE - 8)) &&
                m->page_size >= PAGE_MIN && m->page_size <= PAGE_MAX &&
                (m->page_size & (m->page_size - 1)) == 0;
    return good ? META_GOOD : META_BAD;
}

static enum meta_state meta_at(const struct legacy_file *f, uint64_t at, struct meta *m)
{
    uint8_t p[META_SIZE];

    if (at + HEADER + META_SIZE > f->size || !legacy_file_read(f, at + HEADER, p, sizeof(p), NULL))
        return META_BAD;
    return meta_parse(p, m);
}

/* The second one when the first does not say how large a page is. */
static enum meta_state meta_probe(const struct legacy_file *f, struct meta *m)
{
    enum meta_state state = META_BAD;

    for (int i = 0; i <= 14 && state == META_BAD; i++) {
        uint64_t size = UINT64_C(1024) << i;
        state = meta_at(f, size, m);
        if (state == META_GOOD && m->page_size != size)
            state = META_BAD;
    }
    return state;
}

static bool choose_meta(struct bbolt *b, struct err *e)
{
    struct meta first, second;
    enum meta_state a = meta_at(&b->file, 0, &first), z;

    z = a == META_GOOD ? meta_at(&b->file, first.page_size, &second)
                       : meta_probe(&b->file, &second);
    if (a != META_GOOD && z != META_GOOD) {
        if (a == META_SWAPPED || z == META_SWAPPED)
            return err_set(e, ERR_MALFORMED,
                           "%s: written on a machine with the other byte order, which is not "
                           "supported",
                           b->file.path);
        return err_set(e, ERR_MALFORMED, "%s: not a bbolt database, or both meta pages are damaged",
                       b->file.path);
    }
    if (a != META_GOOD || z != META_GOOD)
        legacy_warn(&b->place,
                    "%s: meta page %d is damaged; the content of the other one (transaction %llu) "
                    "is used",
                    b->file.path, a != META_GOOD ? 0 : 1,
                    (unsigned long long)(a == META_GOOD ? first.txid : second.txid));
    bool newer = z == META_GOOD && (a != META_GOOD || second.txid > first.txid);
    b->meta = newer ? second : first;
    return true;
}

/* --- Pages --------------------------------------------------------------------------------- */

struct page {
    uint8_t *p; /* header and all, or an inline page without owner */
    size_t n;
    uint16_t flags, count;
};

static bool mark_seen(struct bbolt *b, uint64_t id, uint64_t n, struct err *e)
{
    for (uint64_t i = id; i < id + n; i++) {
        uint8_t bit = (uint8_t)(1u << (i & 7));
        if (b->seen[i >> 3] & bit)
            return legacy_damage(b->file.path, e, "page %llu is used twice", (unsigned long long)i);
        b->seen[i >> 3] |= bit;
    }
    return true;
}

static bool page_elements(const struct bbolt *b, struct page *page, uint64_t id, struct err *e)
{
    if (page->n < HEADER)
        return legacy_damage(b->file.path, e, "page %llu is too short", (unsigned long long)id);
    page->flags = read_le16(page->p + 8);
    page->count = read_le16(page->p + 10);
    if (page->flags != PAGE_BRANCH && page->flags != PAGE_LEAF)
        return legacy_damage(b->file.path, e, "page %llu is neither branch nor leaf (flags 0x%x)",
                             (unsigned long long)id, page->flags);
    if (HEADER + (size_t)page->count * ELEMENT > page->n)
        return legacy_damage(b->file.path, e, "page %llu has more elements (%u) than room",
                             (unsigned long long)id, page->count);
    return true;
}

static bool page_load(struct bbolt *b, uint64_t id, struct page *page, struct err *e)
{
    uint8_t head[HEADER];

    if (id < 2 || id >= b->meta.high || id >= b->pages)
        return legacy_damage(b->file.path, e, "page %llu does not exist", (unsigned long long)id);
    if (!legacy_file_read(&b->file, id * b->meta.page_size, head, sizeof(head), e))
        return false;
    uint64_t n = (uint64_t)read_le32(head + 12) + 1;
    if (read_le64(head) != id)
        return legacy_damage(b->file.path, e, "page %llu says that it is page %llu",
                             (unsigned long long)id, (unsigned long long)read_le64(head));
    if (n > b->pages - id)
        return legacy_damage(b->file.path, e, "page %llu reaches beyond the end of the file",
                             (unsigned long long)id);
    if (!mark_seen(b, id, n, e))
        return false;
    page->n = (size_t)n * b->meta.page_size;
    page->p = xmalloc(page->n);
    if (legacy_file_read(&b->file, id * b->meta.page_size, page->p, page->n, e) &&
        page_elements(b, page, id, e))
        return true;
    free(page->p);
    page->p = NULL;
    return false;
}

/* n bytes at pos behind the start of element i. */
static bool page_bytes(const struct bbolt *b, const struct page *page, size_t i, uint64_t pos,
                       uint64_t n, struct slice *out, struct err *e)
{
    uint64_t at = HEADER + (uint64_t)i * ELEMENT + pos;

    if (pos < ELEMENT || at > page->n || n > page->n - at)
        return legacy_damage(b->file.path, e, "element %zu of a page reaches beyond the page", i);
    *out = slice_of(page->p + at, (size_t)n);
    return true;
}

struct leaf {
    bool bucket;
    struct slice key, value;
};

static bool leaf_read(const struct bbolt *b, const struct page *page, size_t i, struct leaf *l,
                      struct err *e)
{
    const uint8_t *p = page->p + HEADER + i * ELEMENT;
    uint64_t pos = read_le32(p + 4), ksize = read_le32(p + 8), vsize = read_le32(p + 12);

    l->bucket = (read_le32(p) & LEAF_BUCKET) != 0;
    return page_bytes(b, page, i, pos, ksize, &l->key, e) &&
           page_bytes(b, page, i, pos + ksize, vsize, &l->value, e);
}

/* --- Walking a bucket ---------------------------------------------------------------------- */

typedef bool leaf_fn(struct bbolt *b, const struct leaf *l, void *arg, struct err *e);
struct walk {
    leaf_fn *each;
    void *arg;
    struct buf last; /* the key before: keys rise */
    bool any;
};

static bool walk_leaf(struct bbolt *b, const struct page *page, struct walk *w, struct err *e)
{
    struct leaf l;

    for (size_t i = 0; i < page->count; i++) {
        if (!leaf_read(b, page, i, &l, e))
            return false;
        if (w->any && slice_cmp(l.key, buf_slice(&w->last)) <= 0)
            return legacy_damage(b->file.path, e, "keys are out of order");
        w->any = true;
        buf_reset(&w->last);
        buf_put(&w->last, l.key);
        if (!w->each(b, &l, w->arg, e))
            return false;
    }
    return true;
}

static bool walk_page(struct bbolt *b, uint64_t id, unsigned depth, struct walk *w, struct err *e)
{
    struct page page = {0};

    if (depth > DEPTH_MAX)
        return legacy_damage(b->file.path, e, "a tree is deeper than %d pages", DEPTH_MAX);
    if (!page_load(b, id, &page, e))
        return false;
    bool ok = true;
    if (page.flags == PAGE_LEAF)
        ok = walk_leaf(b, &page, w, e);
    for (size_t i = 0; ok && page.flags == PAGE_BRANCH && i < page.count; i++)
        ok = walk_page(b, read_le64(page.p + HEADER + i * ELEMENT + 8), depth + 1, w, e);
    free(page.p);
    return ok;
}

static bool walk_bucket(struct bbolt *b, uint64_t root, struct slice content, leaf_fn *each,
                        void *arg, struct err *e)
{
    struct walk w = {.each = each, .arg = arg, .last = buf_new(NULL, SIZE_MAX / 2)};
    struct page page = {.p = (uint8_t *)(uintptr_t)content.p, .n = content.n};
    bool ok;

    if (root != 0)
        ok = walk_page(b, root, 0, &w, e);
    else if (!page_elements(b, &page, 0, e))
        ok = false;
    else
        ok = page.flags == PAGE_LEAF
                 ? walk_leaf(b, &page, &w, e)
                 : legacy_damage(b->file.path, e, "an inline bucket is a branch");
    buf_free(&w.last);
    return ok;
}

/* --- Tables -------------------------------------------------------------------------------- */

struct finder {
    struct slice prefix;
    unsigned depth;
};

static bool find_tables(struct bbolt *b, const struct table_root *in, unsigned depth,
                        struct err *e);

static bool add_table(struct bbolt *b, const struct finder *f, const struct leaf *l, struct err *e)
{
    struct table_root *t = arena_alloc(b->arena, sizeof(*t));
    struct buf name = buf_new(b->arena, SIZE_MAX / 2);

    if (l->value.n < 16)
        return legacy_damage(b->file.path, e, "the head of a bucket is %zu bytes, expected 16",
                             l->value.n);
    buf_put(&name, f->prefix);
    buf_put(&name, l->key);
    t->name = buf_slice(&name);
    t->root = read_le64(l->value.p);
    if (t->root == 0)
        t->content = arena_copy(b->arena, slice_from(l->value, 16));
    t->next = b->tables;
    b->tables = t;
    b->n_tables++;
    return find_tables(b, t, f->depth + 1, e);
}

static bool find_leaf(struct bbolt *b, const struct leaf *l, void *arg, struct err *e)
{
    const struct finder *f = arg;

    if (l->bucket)
        return add_table(b, f, l, e);
    if (f->depth == 0)
        return legacy_damage(b->file.path, e, "a row stands outside all buckets");
    return true;
}

static bool find_tables(struct bbolt *b, const struct table_root *in, unsigned depth, struct err *e)
{
    struct buf prefix = buf_new(b->arena, SIZE_MAX / 2);

    if (depth > DEPTH_MAX)
        return legacy_damage(b->file.path, e, "buckets are nested deeper than %d", DEPTH_MAX);
    if (depth > 0) {
        buf_put(&prefix, in->name);
        buf_byte(&prefix, '/');
    }
    struct finder f = {buf_slice(&prefix), depth};
    return walk_bucket(b, in->root, in->content, find_leaf, &f, e);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp((*(const struct table_root *const *)a)->name,
                     (*(const struct table_root *const *)b)->name);
}

/* --- Visiting ------------------------------------------------------------------------------ */

struct visitor {
    legacy_row_fn *visit;
    void *arg;
    struct slice table;
};

static bool visit_leaf(struct bbolt *b UNUSED, const struct leaf *l, void *arg, struct err *e)
{
    const struct visitor *v = arg;

    return l->bucket || v->visit(v->table, l->key, l->value, v->arg, e);
}

static bool visit_table(struct bbolt *b, const struct table_root *t, legacy_row_fn *visit,
                        void *arg, struct err *e)
{
    struct visitor v = {visit, arg, t->name};

    return visit(t->name, SLICE_NONE, SLICE_NONE, arg, e) &&
           walk_bucket(b, t->root, t->content, visit_leaf, &v, e);
}

static void forget_seen(struct bbolt *b)
{
    memset(b->seen, 0, (size_t)(b->pages / 8 + 1));
}

static bool visit_sorted(struct bbolt *b, const struct table_root **sorted, legacy_row_fn *visit,
                         void *arg, struct err *e)
{
    size_t n = 0;

    for (const struct table_root *t = b->tables; t; t = t->next)
        sorted[n++] = t;
    qsort(sorted, n, sizeof(const struct table_root *), by_name);
    for (size_t i = 1; i < n; i++) {
        if (by_name(&sorted[i - 1], &sorted[i]) == 0)
            return err_set(e, ERR_MALFORMED, "%s: two buckets have the same path \"%.*s\"",
                           b->file.path, SLICE_ARG(slice_sub(sorted[i]->name, 0, 100)));
    }
    forget_seen(b);
    for (size_t i = 0; i < n; i++) {
        if (!visit_table(b, sorted[i], visit, arg, e))
            return false;
    }
    return true;
}

bool bbolt_visit(struct bbolt *b, legacy_row_fn *visit, void *arg, struct err *e)
{
    struct table_root top = {.root = b->meta.root};

    b->tables = NULL;
    b->n_tables = 0;
    forget_seen(b);
    if (b->meta.root == 0)
        return legacy_damage(b->file.path, e, "the root page is missing");
    if (!find_tables(b, &top, 0, e))
        return false;
    const struct table_root **sorted = xcalloc(b->n_tables + 1, sizeof(const struct table_root *));
    bool ok = visit_sorted(b, sorted, visit, arg, e);
    free(sorted);
    return ok;
}

/* --- Opening ------------------------------------------------------------------------------- */

static bool begin(struct bbolt *b, struct err *e)
{
    if (!legacy_file_open(&b->file, b->place.path, e) ||
        !legacy_lock(b->file.fd, b->file.path, e) || !choose_meta(b, e))
        return false;
    b->pages = b->file.size / b->meta.page_size;
    b->seen = xcalloc((size_t)(b->pages / 8 + 1), 1);
    return true;
}

struct bbolt *bbolt_open(const struct legacy_place *p, struct err *e)
{
    struct bbolt *b = xcalloc(1, sizeof(*b));

    b->place = *p;
    b->file = LEGACY_FILE_NONE;
    b->arena = arena_new(&HEAP_USUAL);
    if (begin(b, e))
        return b;
    bbolt_close(b);
    return NULL;
}

void bbolt_close(struct bbolt *b)
{
    legacy_file_close(&b->file);
    free(b->seen);
    arena_free(b->arena);
    free(b);
}

bool bbolt_state(const char *path, struct arena *a, struct slice *state, struct err *e)
{
    struct legacy_place place = {.path = path};
    struct bbolt *b = bbolt_open(&place, e);

    if (!b)
        return false;
    *state = arena_format(a, "bbolt %u %llu %llu %llu", b->meta.page_size,
                          (unsigned long long)b->meta.txid, (unsigned long long)b->meta.root,
                          (unsigned long long)b->meta.high);
    bbolt_close(b);
    return true;
}
