/* Requests: accepted by us means accepted by libcrypto, verified by us verified by libcrypto. */
#include <openssl/err.h>
#include <openssl/x509.h>

#include "x509/csr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const unsigned char *p = data;
    struct csr *c;

    if (!csr_read(a, slice_of(data, size), &c, NULL))
        return 0;
    X509_REQ *r = d2i_X509_REQ(NULL, &p, (long)size);
    check(r && p == data + size);
    check(c->subject.n == (size_t)X509_NAME_entry_count(X509_REQ_get_subject_name(r)));
    if (csr_verify(c, NULL))
        check(X509_REQ_verify(r, X509_REQ_get0_pubkey(r)) == 1);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(r);
    if (c->extensions.n)
        check(extensions && (size_t)sk_X509_EXTENSION_num(extensions) == c->extensions.n);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(r);
    ERR_clear_error();
    return 0;
}
