/* Lines of .pub files: what is read is read again from the line that we make of it. */
#include "ssh/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct ssh_line line, again;

    if (!ssh_line_read(a, slice_of(data, size), &line, NULL))
        return 0;
    struct slice made = ssh_line_make(a, line.blob, line.comment);
    check(made.n > 0 && ssh_line_read(a, made, &again, NULL));
    check(slice_eq(line.blob, again.blob) && slice_eq(line.type, again.type));
    check(slice_eq(line.comment, again.comment));
    return 0;
}
