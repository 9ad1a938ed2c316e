/*
 * bcrypt_pbkdf, the key derivation of OpenSSH's encrypted key files: PBKDF2 (RFC 8018 5.2) over a
 * pseudo-random function that is bcrypt (Provos and Mazieres, "A Future-Adaptable Password Scheme")
 * with 64-byte inputs, a fixed text of its own and 64 expensive rounds, and with the key's bytes
 * dealt out across the blocks.
 *
 * Blowfish's boxes are the binary digits of pi behind the point.  They are computed at first use by
 * Machin's formula, pi = 16 arctan(1/5) - 4 arctan(1/239), in fixed point; that happens once and
 * takes a fraction of the time of one derivation.
 */
#include <pthread.h>

#include "crypto/cipher.h"
#include "crypto/secret.h"

#define SUBKEYS      18u
#define BOX          256u
#define PI_WORDS     (SUBKEYS + 4 * BOX)
#define GUARD_WORDS  2u
#define NUMBER_WORDS (1 + PI_WORDS + GUARD_WORDS) /* the first word is the integer part */

#define HASH_WORDS   8u
#define HASH_BYTES   (4 * HASH_WORDS)
#define HASH_ROUNDS  64u
#define HASH_TEXT    "OxychromaticBlowfishSwatDynamite"
#define ROUNDS_MAX   10000u
#define SIZE_MAX_OUT (HASH_BYTES * HASH_BYTES)
#define SALT_MAX     (1u << 20)

struct blowfish {
    uint32_t p[SUBKEYS], s[4][BOX];
};

/* --- Pi ----------------------------------------------------------------------------------- */

static struct blowfish digits_of_pi;
static pthread_once_t pi_once = PTHREAD_ONCE_INIT;

/* n /= divisor, from word `from` on (what is before is zero); to may be n. */
static void divide(uint32_t *to, const uint32_t *n, size_t from, uint32_t divisor)
{
    uint64_t rest = 0;

    for (size_t i = from; i < NUMBER_WORDS; i++) {
        rest = rest << 32 | n[i];
        to[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
}

static void add_or_subtract(uint32_t *to, const uint32_t *n, bool subtract)
{
    uint64_t carry = subtract;

    for (size_t i = NUMBER_WORDS; i-- > 0;) {
        carry += (uint64_t)to[i] + (subtract ? ~n[i] : n[i]);
        to[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* sum += (or -=) factor * arctan(1 / x), the series of Gregory. */
static void add_arctan(uint32_t *sum, uint32_t factor, uint32_t x, bool subtract)
{
    uint32_t power[NUMBER_WORDS] = {factor}, term[NUMBER_WORDS] = {0};
    size_t from = 0;

    divide(power, power, 0, x);
    for (uint32_t k = 1; from < NUMBER_WORDS; k += 2) {
        divide(term, power, from, k);
        add_or_subtract(sum, term, subtract);
        subtract = !subtract;
        divide(power, power, from, x * x);
        while (from < NUMBER_WORDS && power[from] == 0)
            term[from++] = 0;
    }
}

static void compute_pi(void)
{
    uint32_t pi[NUMBER_WORDS] = {0};
    const uint32_t *digits = pi + 1;

    add_arctan(pi, 16, 5, false);
    add_arctan(pi, 4, 239, true);
    memcpy(digits_of_pi.p, digits, sizeof(digits_of_pi.p));
    memcpy(digits_of_pi.s, digits + SUBKEYS, sizeof(digits_of_pi.s));
}

/* --- Blowfish ----------------------------------------------------------------------------- */

static inline uint32_t mix(const struct blowfish *b, uint32_t x)
{
    return ((b->s[0][x >> 24] + b->s[1][x >> 16 & 0xff]) ^ b->s[2][x >> 8 & 0xff]) +
           b->s[3][x & 0xff];
}

static void encrypt(const struct blowfish *b, uint32_t *left, uint32_t *right)
{
    uint32_t l = *left ^ b->p[0], r = *right;

    for (unsigned i = 1; i < SUBKEYS - 1; i += 2) {
        r ^= mix(b, l) ^ b->p[i];
        l ^= mix(b, r) ^ b->p[i + 1];
    }
    *left = r ^ b->p[SUBKEYS - 1];
    *right = l;
}

/* The next big-endian word of bytes that repeat without end. */
static uint32_t next_word(const uint8_t *bytes, size_t n, size_t *at)
{
    uint32_t w = 0;

    for (unsigned i = 0; i < 4; i++) {
        w = w << 8 | bytes[*at];
        *at = (*at + 1) % n;
    }
    return w;
}

/* The key schedule: key into the subkeys, then everything replaced by encryptions of a running
 * block, into which the salt (NULL: zeros) is mixed. */
static void expand(struct blowfish *b, const uint8_t salt[DIGEST_MAX],
                   const uint8_t key[DIGEST_MAX])
{
    static const uint8_t ZEROS[DIGEST_MAX];
    uint32_t l = 0, r = 0, *words[] = {b->p, b->s[0], b->s[1], b->s[2], b->s[3]};
    size_t at = 0, count = SUBKEYS;

    for (unsigned i = 0; i < SUBKEYS; i++)
        b->p[i] ^= next_word(key, DIGEST_MAX, &at);
    at = 0;
    for (unsigned part = 0; part < COUNT_OF(words); part++, count = BOX) {
        for (size_t i = 0; i < count; i += 2) {
            l ^= next_word(salt ? salt : ZEROS, DIGEST_MAX, &at);
            r ^= next_word(salt ? salt : ZEROS, DIGEST_MAX, &at);
            encrypt(b, &l, &r);
            words[part][i] = l;
            words[part][i + 1] = r;
        }
    }
}

/* One call of the pseudo-random function. */
static void bcrypt_hash(struct blowfish *b, const uint8_t password[DIGEST_MAX],
                        const uint8_t salt[DIGEST_MAX], uint8_t out[HASH_BYTES])
{
    uint32_t text[HASH_WORDS];
    size_t at = 0;

    *b = digits_of_pi;
    expand(b, salt, password);
    for (unsigned i = 0; i < HASH_ROUNDS; i++) {
        expand(b, NULL, salt);
        expand(b, NULL, password);
    }
    for (unsigned i = 0; i < HASH_WORDS; i++)
        text[i] = next_word((const uint8_t *)HASH_TEXT, sizeof(HASH_TEXT) - 1, &at);
    for (unsigned i = 0; i < HASH_ROUNDS; i++) {
        for (unsigned k = 0; k < HASH_WORDS; k += 2)
            encrypt(b, &text[k], &text[k + 1]);
    }
    for (unsigned i = 0; i < HASH_BYTES; i++) /* little-endian */
        out[i] = (uint8_t)(text[i / 4] >> (8 * (i % 4)));
    secret_wipe(text, sizeof(text));
}

/* --- The derivation ----------------------------------------------------------------------- */

struct work {
    struct blowfish state;
    uint8_t password[DIGEST_MAX], salt[DIGEST_MAX], hash[HASH_BYTES], block[HASH_BYTES];
};

/* Block number `count` into w->block. */
static void block_of(struct work *w, struct slice salt, uint32_t count, uint32_t rounds)
{
    const uint8_t number[] = {(uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8),
                              (uint8_t)count};
    struct digest_run run = digest_begin(DIGEST_SHA512);

    digest_add(&run, salt);
    digest_add(&run, slice_of(number, sizeof(number)));
    digest_end(&run, w->salt);
    bcrypt_hash(&w->state, w->password, w->salt, w->hash);
    memcpy(w->block, w->hash, sizeof(w->block));
    for (uint32_t i = 1; i < rounds; i++) {
        digest_of(DIGEST_SHA512, slice_of(w->hash, sizeof(w->hash)), w->salt);
        bcrypt_hash(&w->state, w->password, w->salt, w->hash);
        for (unsigned k = 0; k < HASH_BYTES; k++)
            w->block[k] ^= w->hash[k];
    }
}

bool bcrypt_pbkdf(struct arena *a, struct slice password, struct slice salt, uint32_t rounds,
                  size_t n, struct slice *key, struct err *e)
{
    if (!password.n || !salt.n || salt.n > SALT_MAX || !n || n > SIZE_MAX_OUT)
        return err_set(e, ERR_MALFORMED, "bcrypt: password or salt is empty, or %zu bytes wanted",
                       n);
    if (!rounds || rounds > ROUNDS_MAX)
        return err_set(e, ERR_MALFORMED, "bcrypt: %u rounds, not 1 to %u", rounds, ROUNDS_MAX);
    pthread_once(&pi_once, compute_pi);
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct work *w = arena_alloc(secrets, sizeof(*w));
    uint8_t *out = arena_alloc(a, n);
    size_t blocks = (n + HASH_BYTES - 1) / HASH_BYTES;
    size_t from_each = (n + blocks - 1) / blocks, given = 0;
    digest_of(DIGEST_SHA512, password, w->password);
    for (uint32_t count = 1; given < n; count++) {
        block_of(w, salt, count, rounds);
        /* Byte i of this block is dealt to every blocks-th place. */
        for (size_t i = 0; i < from_each; i++) {
            size_t place = i * blocks + (count - 1);
            if (place >= n)
                break;
            out[place] = w->block[i];
            given++;
        }
    }
    *key = slice_of(out, n);
    return true;
}
