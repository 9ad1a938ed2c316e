/* Encodings and digests.  A text that does not decode gives the reference's error text. */
#include "base/encode.h"
#include "crypto/cipher.h"
#include "crypto/digest.h"
#include "template/internal.h"

#define AES_BLOCK 16u
#define AES_KEY   32u

/* --- Base 64 and 32 -------------------------------------------------------------------------- */

struct codec {
    const char *alphabet, *name;
    size_t group; /* characters that make whole bytes */
    unsigned bits;
    bool (*padding)(struct slice s, size_t at, size_t have, size_t *bad);
};
static bool base64_padding(struct slice s, size_t at, size_t have, size_t *bad);
static bool base32_padding(struct slice s, size_t at, size_t have, size_t *bad);
static const struct codec BASE64 = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "base64", 4, 6,
    base64_padding};
static const struct codec BASE32 = {"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "base32", 8, 5,
                                    base32_padding};

static struct slice without_newlines(struct trun *run, struct slice s)
{
    uint8_t *to = run_alloc(run, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\n' && s.p[i] != '\r')
            to[n++] = s.p[i];
    return slice_of(to, n);
}

static void put_bits(struct buf *b, const uint8_t *values, size_t n, unsigned bits)
{
    uint64_t all = 0;
    size_t have = 0;

    for (size_t i = 0; i < n; i++) {
        all = all << bits | values[i];
        have += bits;
    }
    for (; have >= 8; have -= 8)
        buf_byte(b, (uint8_t)(all >> (have - 8)));
}

static bool is_newline(struct slice s, size_t at)
{
    return at < s.n && (s.p[at] == '\n' || s.p[at] == '\r');
}

static size_t skip_newlines(struct slice s, size_t at)
{
    while (is_newline(s, at))
        at++;
    return at;
}

/* What follows the first '=' at s.p[at], of which `have` characters of the group are known. */
static bool base64_padding(struct slice s, size_t at, size_t have, size_t *bad)
{
    *bad = at++;
    if (have < 2)
        return false;
    if (have == 2) {
        at = skip_newlines(s, at);
        if (at == s.n)
            return *bad = s.n, false;
        if (s.p[at++] != '=')
            return *bad = at - 2, false;
    }
    *bad = skip_newlines(s, at);
    return *bad == s.n;
}

static bool base32_padding(struct slice s, size_t at, size_t have, size_t *bad)
{
    size_t want = 8 - have;

    *bad = at;
    if (have < 2 || s.n - at > 8)
        return false;
    if (s.n - at < want)
        return *bad = s.n, false;
    for (size_t k = 1; k < want; k++)
        if (s.p[at + k] != '=')
            return *bad = at + k - 1, false;
    return have != 3 && have != 6;
}

/* False: *bad is where it does not decode. */
static bool decode(const struct codec *c, struct slice s, struct buf *b, size_t *bad)
{
    uint8_t values[8];
    size_t have = 0;

    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(c->alphabet, s.p[i]) : NULL;
        if (is_newline(s, i))
            continue;
        if (!at && s.p[i] == '=') {
            if (!c->padding(s, i, have, bad))
                return false;
            put_bits(b, values, have, c->bits);
            return true;
        }
        if (!at)
            return *bad = i, false;
        values[have++] = (uint8_t)(at - c->alphabet);
        if (have < c->group)
            continue;
        put_bits(b, values, have, c->bits);
        have = 0;
    }
    *bad = s.n - have;
    return have == 0;
}

static bool decode_text(struct trun *run, const struct codec *c, struct slice s, struct tvalue *out)
{
    struct buf b = run_buf(run);
    size_t bad = 0;

    /* Base 32 drops newlines first, base 64 counts them when it tells a place. */
    if (decode(c, c == &BASE32 ? without_newlines(run, s) : s, &b, &bad))
        return run_text(run, &b, out);
    *out = tvalue_text(arena_format(run->a, "illegal %s data at input byte %zu", c->name, bad));
    return true;
}

static bool fn_b64enc(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);

    (void)n;
    base64_put(&b, BASE64_STD, args[0].text);
    return run_text(run, &b, out);
}

static bool fn_b64dec(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return decode_text(run, &BASE64, args[0].text, out);
}

static bool fn_b32enc(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    struct buf b = run_buf(run);

    (void)n;
    for (size_t i = 0; i < s.n; i += 5) {
        size_t have = s.n - i < 5 ? s.n - i : 5;
        uint64_t all = 0;
        for (size_t k = 0; k < 5; k++)
            all = all << 8 | (k < have ? s.p[i + k] : 0u);
        size_t letters = (have * 8 + 4) / 5;
        for (size_t k = 0; k < 8; k++)
            buf_byte(&b, k < letters ? (uint8_t)BASE32.alphabet[all >> (35 - 5 * k) & 31] : '=');
    }
    return run_text(run, &b, out);
}

static bool fn_b32dec(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return decode_text(run, &BASE32, args[0].text, out);
}

/* --- Digests --------------------------------------------------------------------------------- */

static bool digest(struct trun *run, enum digest d, struct slice s, struct tvalue *out)
{
    uint8_t sum[DIGEST_MAX];

    digest_of(d, s, sum);
    *out = tvalue_text(hex_text(run->a, slice_of(sum, digest_size(d))));
    return true;
}

static bool fn_sha1(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return digest(run, DIGEST_SHA1, args[0].text, out);
}

static bool fn_sha256(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return digest(run, DIGEST_SHA256, args[0].text, out);
}

static bool fn_sha512(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return digest(run, DIGEST_SHA512, args[0].text, out);
}

static bool fn_adler32(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    uint32_t low = 1, high = 0;

    (void)n;
    for (size_t i = 0; i < s.n; i++) {
        low = (low + s.p[i]) % 65521;
        high = (high + low) % 65521;
    }
    *out = tvalue_text(arena_format(run->a, "%u", high << 16 | low));
    return true;
}

/* --- AES ------------------------------------------------------------------------------------- */

static struct slice aes_key(struct trun *run, struct slice password)
{
    uint8_t *key = run_alloc(run, AES_KEY);

    memcpy(key, password.p, password.n < AES_KEY ? password.n : AES_KEY);
    return slice_of(key, AES_KEY);
}

static bool fn_encrypt_aes(struct trun *run, const struct tvalue *args, size_t n,
                           struct tvalue *out)
{
    uint8_t iv[AES_BLOCK];
    struct slice sealed;
    struct err e = {0};
    struct buf both = run_buf(run), b = run_buf(run);

    (void)n;
    *out = tvalue_text(SLICE(""));
    if (!args[1].text.n)
        return true;
    run->rng->fill(run->rng, iv, sizeof(iv));
    run->memory += 2 * args[1].text.n;
    if (!aes_cbc_seal(run->a, aes_key(run, args[0].text), slice_of(iv, sizeof(iv)), args[1].text,
                      &sealed, &e))
        return run_fail(run, "%s", e.text);
    buf_put(&both, slice_of(iv, sizeof(iv)));
    buf_put(&both, sealed);
    base64_put(&b, BASE64_STD, buf_slice(&both));
    return run_text(run, &b, out);
}

/* The last byte says how much to cut, and nobody looks at the other bytes of the padding; so one
 * more block is sealed behind the text that opens to valid padding, whatever stands before it. */
static bool open_unpadded(struct trun *run, struct slice key, struct slice all, struct slice *plain,
                          struct err *e)
{
    struct buf b = run_buf(run);
    struct slice last = slice_from(all, all.n - AES_BLOCK), extra;

    if (!aes_cbc_seal(run->a, key, last, SLICE(""), &extra, e))
        return false;
    buf_put(&b, slice_from(all, AES_BLOCK));
    buf_put(&b, extra);
    return run_buf_done(run, &b) &&
           aes_cbc_open(run->a, key, slice_sub(all, 0, AES_BLOCK), buf_slice(&b), plain, e);
}

static bool fn_decrypt_aes(struct trun *run, const struct tvalue *args, size_t n,
                           struct tvalue *out)
{
    struct buf b = run_buf(run);
    struct slice all, plain;
    struct err e = {0};
    size_t bad = 0;

    (void)n;
    *out = tvalue_text(SLICE(""));
    if (!args[1].text.n)
        return true;
    if (!decode(&BASE64, args[1].text, &b, &bad))
        return run_fail(run, "illegal base64 data at input byte %zu", bad);
    all = buf_slice(&b);
    run->memory += 2 * all.n;
    if (all.n < 2 * AES_BLOCK || all.n % AES_BLOCK)
        return run_fail(run, "the text is not an IV and whole blocks");
    if (!open_unpadded(run, aes_key(run, args[0].text), all, &plain, &e))
        return run_fail(run, "%s", e.text);
    if (plain.p[plain.n - 1] > plain.n)
        return run_fail(run, "slice bounds out of range");
    *out = tvalue_text(slice_sub(plain, 0, plain.n - plain.p[plain.n - 1]));
    return true;
}

static const struct tfunc FUNCTIONS[] = {
    {"b64enc", "s", fn_b64enc, 0},
    {"b64dec", "s", fn_b64dec, 0},
    {"b32enc", "s", fn_b32enc, 0},
    {"b32dec", "s", fn_b32dec, 0},
    {"sha1sum", "s", fn_sha1, 0},
    {"sha256sum", "s", fn_sha256, 0},
    {"sha512sum", "s", fn_sha512, 0},
    {"adler32sum", "s", fn_adler32, 0},
    {"encryptAES", "ss", fn_encrypt_aes, 0},
    {"decryptAES", "ss", fn_decrypt_aes, 0},
};
const struct function_table FUNCTIONS_ENCODE = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
