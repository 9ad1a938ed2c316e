/* OCSP requests and answers: what we read libcrypto reads too, with as many entries.  The first
 * byte chooses. */
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "x509/ocsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        __builtin_trap();
}

static void read_request(struct arena *a, const uint8_t *data, size_t size)
{
    const unsigned char *p = data;
    struct ocsp_request r;

    if (!ocsp_request_read(a, slice_of(data, size), &r, NULL))
        return;
    OCSP_REQUEST *theirs = d2i_OCSP_REQUEST(NULL, &p, (long)size);
    if (theirs) { /* requestor and signature are not looked into by us */
        check(p == data + size);
        check(OCSP_request_onereq_count(theirs) == (int)r.n);
    }
    OCSP_REQUEST_free(theirs);
    struct buf b = buf_new(a, OCSP_REQUEST_MAX);
    struct ocsp_request again;
    for (size_t i = 0; i < r.n; i++) {
        if (r.ids[i].digest == DIGEST_NONE)
            return;
    }
    ocsp_request_put(&b, r.ids, r.n, r.nonce);
    if (!buf_ok(&b))
        return;
    check(ocsp_request_read(a, buf_slice(&b), &again, NULL));
    check(again.n == r.n && slice_eq(again.nonce, r.nonce));
    for (size_t i = 0; i < r.n; i++)
        check(ocsp_id_eq(&again.ids[i], &r.ids[i]));
}

static void read_response(struct arena *a, const uint8_t *data, size_t size)
{
    const unsigned char *p = data;
    struct ocsp_response r;

    if (!ocsp_response_read(a, slice_of(data, size), &r, NULL))
        return;
    OCSP_RESPONSE *theirs = d2i_OCSP_RESPONSE(NULL, &p, (long)size);
    check(theirs && p == data + size && OCSP_response_status(theirs) == (int)r.outcome);
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(theirs);
    if (basic)
        check(OCSP_resp_count(basic) == (int)r.n);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(theirs);
    for (size_t i = 0; i < r.certs.n; i++)
        (void)!ocsp_signed_for(&r, r.certs.v[i], r.produced_at, NULL);
    for (size_t i = 0; i < r.n; i++)
        (void)!ocsp_is_current(&r, &r.singles[i], r.produced_at, NS_PER_SEC, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    if (!size)
        return 0;
    if (data[0] & 1)
        read_request(a, data + 1, size - 1);
    else
        read_response(a, data + 1, size - 1);
    ERR_clear_error();
    return 0;
}
