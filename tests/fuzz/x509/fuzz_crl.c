/* CRLs: what we read libcrypto reads too, with as many entries. */
#include <openssl/err.h>
#include <openssl/x509.h>

#include "x509/show.h"

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
    struct crl crl;

    if (!crl_read(a, slice_of(data, size), &crl, NULL))
        return 0;
    X509_CRL *c = d2i_X509_CRL(NULL, &p, (long)size);
    check(c && p == data + size);
    STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(c);
    check(crl.n == (size_t)(revoked ? sk_X509_REVOKED_num(revoked) : 0));
    X509_CRL_free(c);
    ERR_clear_error();
    struct buf b = buf_new(a, 1u << 20);
    crl_show_text(&b, &crl, NULL);
    buf_reset(&b);
    crl_show_json(&b, &crl, "reason", "  ");
    return 0;
}
