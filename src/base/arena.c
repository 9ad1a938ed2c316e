/*
 * Region memory.  An arena is a list of blocks, newest first; allocation moves a mark up in the
 * newest block, or takes another one.  The blocks double in size up to 256 KiB; what is larger than
 * a block gets one of its own size.
 *
 * Invariants: the struct arena itself lives in the first block, which goes last; memory above
 * `used` is zero in the newest block (fresh from the heap, or wiped by a rewind), so that
 * arena_alloc need not clear it; deferred calls are a list whose nodes are arena memory themselves,
 * so a node always dies after its call was made.
 */
#include "base/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_BLOCK   4096u
#define LARGEST_BLOCK (256u << 10)
#define ALIGN         _Alignof(max_align_t)

struct block {
    struct block *older;
    size_t size; /* of the whole block, this header included */
    size_t used; /* offset of the first free byte from the start of the block */
};

struct deferred {
    struct deferred *older;
    void (*undo)(void *);
    void *p;
};

struct arena {
    const struct heap *heap;
    struct block *newest;
    struct deferred *deferred;
};

static size_t align_up(size_t n)
{
    return (n + ALIGN - 1) & ~(ALIGN - 1);
}

/* No allocation can be relied on here: write(2) and away. */
static NORETURN void out_of_memory(void)
{
    static const char TEXT[] = "out of memory\n";

    if (write(STDERR_FILENO, TEXT, sizeof(TEXT) - 1) < 0)
        abort();
    abort();
}

static void *usual_take(size_t n)
{
    void *p = calloc(1, n);

    if (!p)
        out_of_memory();
    return p;
}

static void usual_give(void *p, size_t n UNUSED)
{
    free(p);
}

const struct heap HEAP_USUAL = {usual_take, usual_give, false};

/* A write that the compiler may not drop although nobody reads the memory again. */
static void wipe(void *p, size_t n)
{
    explicit_bzero(p, n);
}

static struct block *block_new(const struct heap *heap, size_t size, struct block *older)
{
    struct block *b = heap->take(size);

    /* calloc's pages are zero already; another heap promises nothing. */
    if (heap != &HEAP_USUAL)
        memset(b, 0, size);
    b->older = older;
    b->size = size;
    b->used = align_up(sizeof(*b));
    return b;
}

static void block_drop(const struct heap *heap, struct block *b)
{
    size_t size = b->size;

    if (heap->wipe)
        wipe(b, size);
    heap->give(b, size);
}

struct arena *arena_new(const struct heap *heap)
{
    struct block *b = block_new(heap ? heap : &HEAP_USUAL, FIRST_BLOCK, NULL);
    struct arena *a = (struct arena *)((uint8_t *)b + b->used);

    b->used += align_up(sizeof(*a));
    a->heap = heap ? heap : &HEAP_USUAL;
    a->newest = b;
    return a;
}

static void block_add(struct arena *a, size_t need)
{
    size_t size = a->newest->size * 2;

    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < need)
        size = need;
    a->newest = block_new(a->heap, size, a->newest);
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / 2)
        out_of_memory();
    size_t need = align_up(n ? n : 1);
    if (need > a->newest->size - a->newest->used)
        block_add(a, need + align_up(sizeof(struct block)));
    void *p = (uint8_t *)a->newest + a->newest->used;
    a->newest->used += need;
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total))
        out_of_memory();
    return arena_alloc(a, total);
}

void arena_defer(struct arena *a, void (*undo)(void *), void *p)
{
    struct deferred *d = arena_alloc(a, sizeof(*d));

    *d = (struct deferred){a->deferred, undo, p};
    a->deferred = d;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    uint8_t *p = arena_alloc(a, s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

char *arena_cstr(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

/* Measured, then printed in place: no copy of what may be a secret stays on the stack. */
static PRINTF(2, 0) struct slice format(struct arena *a, const char *fmt, va_list args)
{
    va_list again;

    if (!fmt) /* also what tells the compiler that the second call has one */
        return arena_copy(a, SLICE(""));
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    size_t size = n < 0 ? 1 : (size_t)n + 1;
    char *p = arena_alloc(a, size);
    if (vsnprintf(p, size, fmt, args) != n)
        abort();
    return slice_of(p, size - 1);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    struct slice s = format(a, fmt, args);
    va_end(args);
    return (char *)(uintptr_t)s.p;
}

struct slice arena_format(struct arena *a, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    struct slice s = format(a, fmt, args);
    va_end(args);
    return s;
}

struct arena_mark arena_mark(struct arena *a)
{
    return (struct arena_mark){a->newest, a->newest->used, a->deferred};
}

static void run_deferred(struct arena *a, const struct deferred *until)
{
    while (a->deferred && a->deferred != until) {
        struct deferred *d = a->deferred;
        a->deferred = d->older;
        d->undo(d->p);
    }
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
    run_deferred(a, mark.deferred);
    while (a->newest != mark.block) {
        struct block *b = a->newest;
        a->newest = b->older;
        block_drop(a->heap, b);
    }
    wipe((uint8_t *)a->newest + mark.used, a->newest->used - mark.used);
    a->newest->used = mark.used;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    run_deferred(a, NULL);
    /* The arena itself is in the last of these blocks. */
    const struct heap *heap = a->heap;
    for (struct block *b = a->newest, *older; b; b = older) {
        older = b->older;
        block_drop(heap, b);
    }
}

void arena_cleanup(struct arena **a)
{
    arena_free(*a);
}

void *xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);

    if (!q)
        out_of_memory();
    return q;
}

char *xstrdup(const char *s)
{
    size_t n = strlen(s) + 1;

    return memcpy(xmalloc(n), s, n);
}
