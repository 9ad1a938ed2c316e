/* The library is loaded once and stays. */
#include "store/snappy.h"

#include <dlfcn.h>
#include <pthread.h>
#include <snappy-c.h>

#define LIBRARY "libsnappy.so.1"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static __typeof__(&snappy_uncompressed_length) length_of;
static __typeof__(&snappy_uncompress) unpack;

static void load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return;
    *(void **)&length_of = dlsym(library, "snappy_uncompressed_length");
    *(void **)&unpack = dlsym(library, "snappy_uncompress");
}

bool snappy_size(struct slice packed, size_t max, size_t *n, struct err *e)
{
    pthread_once(&once, load);
    if (!length_of || !unpack)
        return err_set(e, ERR_UNAVAILABLE, "reading compressed tables needs " LIBRARY);
    return (length_of((const char *)packed.p, packed.n, n) == SNAPPY_OK && *n <= max) ||
           err_set(e, ERR_MALFORMED, "a block is not compressed as it should be (Snappy)");
}

bool snappy_unpack(struct slice packed, uint8_t *to, size_t n, struct err *e)
{
    return unpack((const char *)packed.p, packed.n, (char *)to, &n) == SNAPPY_OK ||
           err_set(e, ERR_MALFORMED, "a block is not compressed as it should be (Snappy)");
}
