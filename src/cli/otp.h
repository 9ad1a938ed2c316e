/* One-time passwords by time (RFC 6238), and the URLs that carry their secrets. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "crypto/digest.h"

struct otp {
    struct slice secret; /* bytes */
    enum digest alg;     /* SHA1, SHA256, SHA512 */
    unsigned digits;     /* 6 to 10 are usual; 1 to 10 */
    unsigned period;     /* seconds */
};
#define OTP_DIGITS_MAX 10u
#define OTP_PERIOD_MAX 86400u

/* The code of one period, NUL-terminated. */
void otp_code(const struct otp *o, uint64_t counter, char out[OTP_DIGITS_MAX + 1]);
/* RFC 4648 6: upper case, without padding; reading takes lower case, blanks and padding too. */
struct slice base32_text(struct arena *a, struct slice bytes);
bool base32_read(struct arena *a, struct slice text, struct slice *bytes) CHECKED;

/* "otpauth://totp/I:A?algorithm=…&digits=…&issuer=…&period=…&secret=…" */
struct slice otp_url(struct arena *a, const struct otp *o, const char *issuer, const char *account);
/* What the URL says replaces what stands in o. */
bool otp_url_read(struct arena *a, struct slice url, struct otp *o, struct err *e) CHECKED;
/* "SHA1", in any case. */
bool otp_alg_named(struct slice name, enum digest *alg);
