/*
 * Tokens in both serializations, and sets of keys: what was changed into the other serialization
 * changes back into what can be changed again, and a set that was read is printed and read.
 */
#include <stdlib.h>

#include "cli/jtool.h"
#include "cli/keyset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sets(struct arena *a, struct slice text)
{
    struct buf b = buf_new(a, 16u << 20);
    struct json *whole, *list;
    struct err e = {0};

    if (!keyset_read(a, text, "set", &whole, &list, &e))
        return;
    (void)keyset_remove(list, "a");
    json_print(&b, whole, "  ");
    if (buf_ok(&b) && !keyset_read(a, buf_slice(&b), "set", &whole, &list, &e))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct slice text = slice_of(data, size), once, twice, thrice;
    struct err e = {0};
    struct jws jws;

    if (jtool_jws_look(a, text, &jws, &e))
        (void)jtool_show(a, &jws, NULL);
    (void)!jtool_jws_read(a, text, &jws, &e);
    if (jtool_swap(a, text, &once, &e)) {
        if (!jtool_swap(a, once, &twice, &e) || !jtool_swap(a, twice, &thrice, &e) ||
            !slice_eq(once, thrice))
            abort();
    }
    sets(a, text);
    arena_free(a);
    return 0;
}
