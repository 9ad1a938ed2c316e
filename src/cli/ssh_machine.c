/*
 * The UUID that a machine gets out of /etc/machine-id: a keyed BLAKE2b (RFC 7693) of its bytes, so
 * that the number itself, which is not for others' eyes, is not given away.
 */
#include "cli/ssh_identity.h"

#define ROUNDS 12
#define BLOCK  128
#define WORDS  8
#define KEY    "man moon machine"

/* RFC 7693 2.6 */
static const uint64_t IV[WORDS] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};
/* RFC 7693 2.7; rounds 10 and 11 are 0 and 1 again */
static const uint8_t SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

static void mix(uint64_t *v, unsigned a, unsigned b, unsigned c, unsigned d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 63);
}

static void compress(uint64_t h[WORDS], const uint8_t block[BLOCK], uint64_t counted, bool last)
{
    uint64_t v[2 * WORDS], m[16] = {0};

    for (size_t i = 0; i < BLOCK; i++)
        m[i / 8] |= (uint64_t)block[i] << (8 * (i % 8));
    memcpy(v, h, WORDS * sizeof(*v));
    memcpy(v + WORDS, IV, sizeof(IV));
    v[12] ^= counted;
    if (last)
        v[14] = ~v[14];
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint8_t *s = SIGMA[round % 10];
        for (unsigned i = 0; i < 4; i++) /* columns */
            mix(v, i, i + 4, i + 8, i + 12, m[s[2 * i]], m[s[2 * i + 1]]);
        for (unsigned i = 0; i < 4; i++) /* diagonals */
            mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[s[8 + 2 * i]],
                m[s[9 + 2 * i]]);
    }
    for (size_t i = 0; i < WORDS; i++)
        h[i] ^= v[i] ^ v[i + WORDS];
}

/* RFC 7693 3.3 with our key, 16 bytes out. */
static void keyed_hash(struct slice text, uint8_t out[SSH_UUID_BYTES])
{
    uint8_t block[BLOCK] = KEY;
    uint64_t h[WORDS], counted = BLOCK;

    memcpy(h, IV, sizeof(h));
    h[0] ^= 0x01010000 ^ (sizeof(KEY) - 1) << 8 ^ SSH_UUID_BYTES;
    compress(h, block, counted, text.n == 0);
    while (text.n > 0) {
        struct slice part = slice_sub(text, 0, BLOCK);
        memset(block, 0, sizeof(block));
        memcpy(block, part.p, part.n); /* at most BLOCK */
        text = slice_from(text, part.n);
        counted += part.n;
        compress(h, block, counted, text.n == 0);
    }
    for (size_t i = 0; i < SSH_UUID_BYTES; i++)
        out[i] = (uint8_t)(h[i / 8] >> (8 * (i % 8)));
}

struct slice ssh_uuid_text(struct arena *a, const uint8_t bytes[SSH_UUID_BYTES])
{
    struct buf b = buf_new(a, 64);

    for (size_t i = 0; i < SSH_UUID_BYTES; i++) {
        unsigned byte = bytes[i];
        if (i == 6)
            byte = (byte & 0x0f) | 0x40;
        if (i == 8)
            byte = (byte & 0x3f) | 0x80;
        buf_printf(&b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", byte);
    }
    return buf_slice(&b);
}

struct slice ssh_machine_uuid(struct arena *a, struct slice machine_id)
{
    uint8_t bytes[SSH_UUID_BYTES];

    keyed_hash(machine_id, bytes);
    return ssh_uuid_text(a, bytes);
}
