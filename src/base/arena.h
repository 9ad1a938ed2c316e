/*
 * Region memory with one lifetime: one arena per request, one per snapshot.  Nothing in it is
 * freed one by one.  An arena is used by one thread at a time.  For secrets the arena draws on
 * the locked heap of crypto/secret.h; every arena on a heap with `wipe` is wiped when it goes.
 */
#pragma once

#include "base/attr.h"
#include "base/slice.h"

/* Where an arena gets its blocks.  take never returns NULL: out of memory ends the process. */
struct heap {
    void *(*take)(size_t n);
    void (*give)(void *p, size_t n);
    bool wipe;
};
extern const struct heap HEAP_USUAL;

struct arena;

struct arena *arena_new(const struct heap *heap);
/* Zeroed, aligned for any type.  Never NULL: inputs are bounded before they are parsed, so a
 * failed allocation is the machine's end; a restart loses nothing that was acknowledged. */
void *arena_alloc(struct arena *a, size_t n);
/* n * size with an overflow check (overflow ends the process). */
void *arena_array(struct arena *a, size_t n, size_t size);
/* Calls undo(p) at rewind, reset or free, last first. */
void arena_defer(struct arena *a, void (*undo)(void *), void *p);
/* A copy of the text with a NUL byte behind it (not counted in the slice). */
struct slice arena_copy(struct arena *a, struct slice s);
char *arena_cstr(struct arena *a, struct slice s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
struct slice arena_format(struct arena *a, const char *fmt, ...) PRINTF(2, 3);

struct arena_mark {
    void *block;
    size_t used;
    void *deferred;
};
struct arena_mark arena_mark(struct arena *a);
/* Drops what came after the mark, deferred calls included. */
void arena_rewind(struct arena *a, struct arena_mark mark);
void arena_free(struct arena *a);
/* For CLEANUP(arena_cleanup) struct arena *a = …; */
void arena_cleanup(struct arena **a);

/* malloc that cannot fail. */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
