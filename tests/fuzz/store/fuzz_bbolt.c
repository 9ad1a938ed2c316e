/* A bbolt file: pages that point anywhere, buckets in buckets. */
#include "memory_file.h"

#include "store/bbolt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool ignore(struct slice table, struct slice key, struct slice value, void *arg,
                   struct err *e UNUSED)
{
    size_t *sum = arg;

    *sum += table.n + key.n;
    for (size_t i = 0; i < value.n; i++)
        *sum += value.p[i];
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct memory_file f = memory_file_make(data, n);
    struct legacy_place place = {.kind = LEGACY_BBOLT, .path = f.path};
    struct err e = {0};
    size_t sum = 0;
    struct bbolt *b = bbolt_open(&place, &e);

    if (b) {
        (void)!bbolt_visit(b, ignore, &sum, &e);
        bbolt_close(b);
    }
    close(f.fd);
    return 0;
}
