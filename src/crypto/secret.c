/*
 * Memory for secrets: libcrypto's secure heap, one region of 1 MiB that is locked, not dumped and
 * fenced by guard pages.  libcrypto itself keeps the numbers of private keys there and cannot do
 * without them, so our arenas leave it the last quarter and then use ordinary memory, which is
 * wiped all the same.
 */
#include "crypto/secret.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/file.h"

#define SECRET_HEAP          (1u << 20)
#define SECRET_HEAP_OURS     (SECRET_HEAP - SECRET_HEAP / 4)
#define SECRET_HEAP_SMALLEST 64u
#define PASSWORD_FILE_MAX    (64u << 10)

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif

void secret_init(void)
{
    const struct rlimit none = {0, 0};

    if (!CRYPTO_secure_malloc_initialized())
        (void)CRYPTO_secure_malloc_init(SECRET_HEAP, SECRET_HEAP_SMALLEST);
    ERR_clear_error();
    setrlimit(RLIMIT_CORE, &none);
#ifndef UNDER_ASAN /* the leak checker attaches to its own process */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static void *take_secure(size_t n)
{
    if (!CRYPTO_secure_malloc_initialized() || n > SECRET_HEAP_OURS ||
        CRYPTO_secure_used() > SECRET_HEAP_OURS - n)
        return NULL;
    /* A full heap is no error here, so it must not stay in the queue either. */
    ERR_set_mark();
    void *p = OPENSSL_secure_zalloc(n);
    ERR_pop_to_mark();
    return p;
}

static void *secret_take(size_t n)
{
    void *p = take_secure(n);

    return p ? p : xcalloc(1, n);
}

static void secret_give(void *p, size_t n)
{
    if (CRYPTO_secure_allocated(p)) {
        OPENSSL_secure_clear_free(p, n);
        return;
    }
    OPENSSL_cleanse(p, n);
    free(p);
}

const struct heap HEAP_SECRET = {secret_take, secret_give, true};

static void *wiped_take(size_t n)
{
    return HEAP_USUAL.take(n);
}

static void wiped_give(void *p, size_t n)
{
    HEAP_USUAL.give(p, n);
}

const struct heap HEAP_WIPED = {wiped_take, wiped_give, true};

bool secret_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void secret_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

bool secret_read_file(struct arena *a, const char *path, struct slice *password, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *intermediate = arena_new(&HEAP_SECRET);
    struct slice content;

    if (!file_read(intermediate, path, false, PASSWORD_FILE_MAX, &content, e))
        return false;
    *password = arena_copy(a, slice_trim_end_unicode(content));
    return true;
}
