/* otpauth URLs and base32: what is read makes a code, and survives being written. */
#include <stdlib.h>

#include "cli/otp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct slice text = slice_of(data, size), bytes;
    struct otp o = {.alg = DIGEST_SHA1, .digits = 6, .period = 30}, back = o;
    char code[OTP_DIGITS_MAX + 1];
    struct err e = {0};

    if (otp_url_read(a, text, &o, &e)) {
        otp_code(&o, size, code);
        if (!otp_url_read(a, otp_url(a, &o, "issuer", "account"), &back, &e) ||
            !slice_eq(o.secret, back.secret) || o.digits != back.digits ||
            o.period != back.period || o.alg != back.alg)
            abort();
    }
    if (base32_read(a, text, &bytes)) {
        struct slice again;
        if (!base32_read(a, base32_text(a, bytes), &again) || !slice_eq(bytes, again))
            abort();
    }
    arena_free(a);
    return 0;
}
