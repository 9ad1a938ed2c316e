/* One-time passwords. */
#include "cli/otp.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/uri.h"
#include "crypto/secret.h"

#define SECRET_MAX 1024u

static const struct {
    enum digest d;
    const char *name;
} ALGS[] = {{DIGEST_SHA1, "SHA1"}, {DIGEST_SHA256, "SHA256"}, {DIGEST_SHA512, "SHA512"}};

bool otp_alg_named(struct slice name, enum digest *alg)
{
    for (size_t i = 0; i < COUNT_OF(ALGS); i++) {
        if (!slice_is_case(name, ALGS[i].name))
            continue;
        *alg = ALGS[i].d;
        return true;
    }
    return false;
}

/* RFC 4226 5.3. */
void otp_code(const struct otp *o, uint64_t counter, char out[OTP_DIGITS_MAX + 1])
{
    uint8_t message[8], mac[DIGEST_MAX];
    uint64_t modulus = 1;

    for (unsigned i = 0; i < 8; i++)
        message[i] = (uint8_t)(counter >> (56 - 8 * i));
    hmac_of(o->alg, o->secret, slice_of(message, sizeof(message)), mac);
    const uint8_t *p = mac + (mac[digest_size(o->alg) - 1] & 15);
    uint32_t value =
        (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (unsigned i = 0; i < o->digits; i++)
        modulus *= 10;
    snprintf(out, OTP_DIGITS_MAX + 1, "%0*llu", (int)o->digits,
             (unsigned long long)(value % modulus));
    secret_wipe(mac, sizeof(mac));
}

/* --- base32 ------------------------------------------------------------------------------- */

struct slice base32_text(struct arena *a, struct slice bytes)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    size_t n = (bytes.n * 8 + 4) / 5;
    uint8_t *out = arena_alloc(a, n + 1);

    for (size_t i = 0; i < n; i++) {
        size_t bit = i * 5, at = bit / 8;
        unsigned two = (unsigned)bytes.p[at] << 8 | (at + 1 < bytes.n ? bytes.p[at + 1] : 0u);
        out[i] = (uint8_t)LETTERS[two >> (11 - bit % 8) & 31];
    }
    return slice_of(out, n);
}

static int letter_value(uint8_t c)
{
    if (c >= '2' && c <= '7')
        return c - '2' + 26;
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? c - 'a' : -1;
}

bool base32_read(struct arena *a, struct slice text, struct slice *bytes)
{
    struct buf b = buf_new(a, SECRET_MAX);
    uint32_t bits = 0;
    unsigned have = 0;

    text = slice_trim(text);
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ' ' || text.p[i] == '-')
            continue;
        int v = letter_value(text.p[i]);
        if (v < 0)
            return false;
        bits = bits << 5 | (uint32_t)v;
        have += 5;
        if (have < 8)
            continue;
        have -= 8;
        buf_byte(&b, (uint8_t)(bits >> have));
        bits &= (1u << have) - 1;
    }
    *bytes = buf_slice(&b);
    /* Spare bits need not be zero: people type these. */
    return buf_ok(&b) && have < 5;
}

/* --- URLs --------------------------------------------------------------------------------- */

/* '@' and ':' may stand in a path and a query (RFC 3986 3.3) and are easier to read so. */
static void put_escaped(struct buf *b, struct arena *a, const char *text, bool path)
{
    struct slice rest = slice_text(text);

    for (size_t i = 0; i < rest.n; i++) {
        uint8_t c = rest.p[i];
        bool plain = c == '@' || c == ':' || (path && (c == '$' || c == '+'));
        if (plain)
            buf_byte(b, c);
        else
            buf_put(b, uri_escape_segment(a, slice_sub(rest, i, 1)));
    }
}

static const char *alg_name(enum digest d)
{
    for (size_t i = 0; i < COUNT_OF(ALGS); i++) {
        if (ALGS[i].d == d)
            return ALGS[i].name;
    }
    return "";
}

struct slice otp_url(struct arena *a, const struct otp *o, const char *issuer, const char *account)
{
    struct buf b = buf_new(a, 64u << 10);

    buf_text(&b, "otpauth://totp/");
    put_escaped(&b, a, issuer, true);
    buf_byte(&b, ':');
    put_escaped(&b, a, account, true);
    buf_printf(&b, "?algorithm=%s&digits=%u&issuer=", alg_name(o->alg), o->digits);
    put_escaped(&b, a, issuer, false);
    buf_printf(&b, "&period=%u&secret=%.*s", o->period, SLICE_ARG(base32_text(a, o->secret)));
    return buf_slice(&b);
}

static bool number_of(struct arena *a, struct slice query, const char *name, unsigned most,
                      unsigned *value, struct err *e)
{
    struct slice text;
    uint64_t v;

    if (!uri_query_get(a, query, name, &text))
        return true;
    if (!slice_to_u64(text, &v) || !v || v > most)
        return err_set(e, ERR_MALFORMED, "otpauth URL: expected 1 to %u as '%s'", most, name);
    *value = (unsigned)v;
    return true;
}

bool otp_url_read(struct arena *a, struct slice url, struct otp *o, struct err *e)
{
    struct slice text;
    struct uri u;

    if (!uri_read(a, slice_trim(url), &u, e))
        return err_wrap(e, "otpauth URL");
    if (!slice_is(u.scheme, "otpauth") || !slice_is_case(u.host, "totp"))
        return err_set(e, ERR_MALFORMED, "otpauth URL: expected otpauth://totp/…");
    if (uri_query_get(a, u.query, "algorithm", &text) && !otp_alg_named(text, &o->alg))
        return err_set(e, ERR_MALFORMED,
                       "otpauth URL: expected SHA1, SHA256 or SHA512 as "
                       "'algorithm'");
    if (!uri_query_get(a, u.query, "secret", &text) || !base32_read(a, text, &o->secret) ||
        !o->secret.n)
        return err_set(e, ERR_MALFORMED, "otpauth URL: expected base32 as 'secret'");
    return number_of(a, u.query, "digits", OTP_DIGITS_MAX, &o->digits, e) &&
           number_of(a, u.query, "period", OTP_PERIOD_MAX, &o->period, e);
}
