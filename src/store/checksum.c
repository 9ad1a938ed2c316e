/*
 * CRC-32C by tables of eight bytes at a time, FNV-1a and XXH64.
 *
 * The tables are made once.  XXH64 is written after its public description (four lanes of 64 bits,
 * then the rest in pieces of 8, 4 and 1).
 */
#include "store/checksum.h"

#include <pthread.h>

/* --- CRC-32C ------------------------------------------------------------------------------- */

#define CASTAGNOLI 0x82f63b78u /* reflected */

static uint32_t tables[8][256];

static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int bit = 0; bit < 8; bit++)
            v = v & 1 ? v >> 1 ^ CASTAGNOLI : v >> 1;
        tables[0][i] = v;
    }
    for (int t = 1; t < 8; t++) {
        for (int i = 0; i < 256; i++)
            tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 0xff];
    }
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
    return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

uint32_t crc32c(uint32_t so_far, struct slice s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const uint8_t *p = s.p;
    size_t n = s.n;
    uint32_t v = ~so_far;

    pthread_once(&once, make_tables);
    for (; n >= 8; p += 8, n -= 8) {
        uint32_t a = v ^ le32(p), b = le32(p + 4);
        v = tables[7][a & 0xff] ^ tables[6][a >> 8 & 0xff] ^ tables[5][a >> 16 & 0xff] ^
            tables[4][a >> 24] ^ tables[3][b & 0xff] ^ tables[2][b >> 8 & 0xff] ^
            tables[1][b >> 16 & 0xff] ^ tables[0][b >> 24];
    }
    for (; n > 0; p++, n--)
        v = v >> 8 ^ tables[0][(v ^ *p) & 0xff];
    return ~v;
}

/* --- FNV-1a -------------------------------------------------------------------------------- */

uint64_t fnv1a64(struct slice s)
{
    uint64_t v = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s.n; i++)
        v = (v ^ s.p[i]) * UINT64_C(1099511628211);
    return v;
}

/* --- XXH64 --------------------------------------------------------------------------------- */

#define P1 UINT64_C(11400714785074694791)
#define P2 UINT64_C(14029467366897019727)
#define P3 UINT64_C(1609587929392839161)
#define P4 UINT64_C(9650029242287828579)
#define P5 UINT64_C(2870177450012600261)

static uint64_t rotate(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

static uint64_t xx_round(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * P2, 31) * P1;
}

static uint64_t xx_lanes(const uint8_t **p, size_t *n)
{
    uint64_t lane[4] = {P1 + P2, P2, 0, 0 - P1}, v = 0;

    for (; *n >= 32; *p += 32, *n -= 32) {
        for (int i = 0; i < 4; i++)
            lane[i] = xx_round(lane[i], le64(*p + 8 * i));
    }
    v = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
    for (int i = 0; i < 4; i++)
        v = (v ^ xx_round(0, lane[i])) * P1 + P4;
    return v;
}

uint64_t xxhash64(struct slice s)
{
    const uint8_t *p = s.p;
    size_t n = s.n;
    uint64_t v = (n >= 32 ? xx_lanes(&p, &n) : P5) + s.n;

    for (; n >= 8; p += 8, n -= 8)
        v = rotate(v ^ xx_round(0, le64(p)), 27) * P1 + P4;
    if (n >= 4) {
        v = rotate(v ^ le32(p) * P1, 23) * P2 + P3;
        p += 4;
        n -= 4;
    }
    for (; n > 0; p++, n--)
        v = rotate(v ^ *p * P5, 11) * P1;
    v = (v ^ v >> 33) * P2;
    v = (v ^ v >> 29) * P3;
    return v ^ v >> 32;
}
