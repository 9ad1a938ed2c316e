/*
 * Words of a command line: completion, and the flags of every command they lead to.  The input is
 * words separated by newlines.
 */
#include "cli/internal.h"

#define WORDS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct command *find(const struct command *at, int *n, char ***words)
{
    while (*n > 0 && at->sub) {
        const struct command *next = command_find(at, slice_text(**words));
        if (!next)
            break;
        at = next;
        ++*words, --*n;
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct slice rest = slice_of(data, size), one;
    char *list[WORDS], **words = list;
    int n = 0;

    while (size && n < WORDS && slice_split(&rest, '\n', &one))
        list[n++] = arena_cstr(a, one);
    struct contexts none = {0};
    struct buf b = buf_new(a, 1u << 20);
    complete_words(&b, a, &STEP, n, words, &none, size % 2);

    const struct command *at = find(&STEP, &n, &words);
    struct value_set set;
    struct parsed parsed;
    struct err e = {0};
    values_init(&set, a, at->flag_sets, FLAGS_EVERYWHERE);
    if (parse_words(&set, a, n, words, at->sub != NULL, &parsed, &e) && !at->sub)
        (void)!rules_check(&set, "step", at->rules, a, &e);
    int64_t number;
    (void)!read_int(slice_of(data, size), &number);
    arena_free(a);
    return 0;
}
