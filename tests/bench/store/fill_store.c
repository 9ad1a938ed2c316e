/*
 * A SQLite store with as many certificates as one wants, for measurements at scale (scripts/soak):
 *
 *   fill_store FILE CERTIFICATES TEMPLATE
 *
 * TEMPLATE is a certificate (DER) with the serial number of sixteen 'A', the name
 * host-00000000.bench.internal, and two UTCTimes.  Each copy has a serial number, a name and a
 * validity of 90 days of its own, and a signature that does not verify: nothing here looks at it.
 * The ends are spread from two years ago to a year ahead.  Serial numbers ascend, which makes the
 * loading quick; the tree that it leaves is that of any others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "crypto/digest.h"
#include "store/store.h"

#define BATCH 1000
#define DAY   86400
#define SPAN  (3 * 365 * DAY)

struct filler {
    struct store *store;
    struct slice template;
    size_t serial_at, not_before_at;
    uint64_t n;
    int64_t first_end;
};

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "fill_store: %s\n", what);
    exit(1);
}

static size_t find(struct slice where, const char *what, size_t n, size_t from)
{
    for (size_t i = from; i + n <= where.n; i++) {
        if (memcmp(where.p + i, what, n) == 0)
            return i;
    }
    return where.n;
}

static struct slice decimal(struct arena *a, const uint8_t serial[16])
{
    unsigned __int128 v = 0;
    char text[40];
    size_t n = sizeof(text);

    for (int i = 0; i < 16; i++)
        v = v << 8 | serial[i];
    for (; v > 0; v /= 10)
        text[--n] = (char)('0' + (int)(v % 10));
    return arena_copy(a, slice_of(text + n, sizeof(text) - n));
}

static void put_time(uint8_t *at, int64_t when)
{
    time_t t = (time_t)when;
    struct tm tm;
    char text[32];

    gmtime_r(&t, &tm);
    strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
    memcpy(at, text + 2, 13); /* two digits of the year: RFC 5280 4.1.2.5.1 */
}

/* All have 39 digits, so that their order as text is theirs as numbers. */
static void put_serial(uint8_t serial[16], uint64_t i, uint64_t n)
{
    uint64_t high = UINT64_C(0x6000000000000000) + i * (UINT64_C(0x1f00000000000000) / n);
    uint64_t low = i * UINT64_C(0x9e3779b97f4a7c15);

    for (int b = 0; b < 8; b++) {
        serial[b] = (uint8_t)(high >> (56 - 8 * b));
        serial[8 + b] = (uint8_t)(low >> (56 - 8 * b));
    }
}

static struct issued *make(const struct filler *f, struct arena *a, uint64_t i)
{
    struct issued *c = arena_alloc(a, sizeof(*c));
    uint8_t *der = arena_alloc(a, f->template.n);
    char number[24];
    int64_t end = f->first_end + (int64_t)(i * (uint64_t)SPAN / f->n);

    memcpy(der, f->template.p, f->template.n);
    struct slice whole = slice_of(der, f->template.n);
    put_serial(der + f->serial_at, i, f->n);
    snprintf(number, sizeof(number), "host-%08llu", (unsigned long long)(i % 100000000));
    for (size_t at = 0; (at = find(whole, "host-", 5, at)) < whole.n; at++)
        memcpy(der + at, number, 13);
    put_time(der + f->not_before_at, end - 90 * DAY);
    put_time(der + f->not_before_at + 15, end);
    *c = (struct issued){
        .serial = decimal(a, der + f->serial_at),
        .der = whole,
        .data = SLICE("{\"provisioner\":{\"id\":\"b7a9\",\"name\":\"bench\",\"type\":\"JWK\"}}"),
        .subject = arena_format(a, "CN=%s.bench.internal", number),
        .common_name = arena_format(a, "%s.bench.internal", number),
        .names = arena_format(a, "dns:%s.bench.internal", number),
        .fingerprint = sha256_hex(a, whole),
        .key_type = SLICE("ECDSA P-256"),
        .provisioner_id = SLICE("b7a9"),
        .provisioner_name = SLICE("bench"),
        .provisioner_type = SLICE("JWK"),
        .not_before = end - 90 * DAY,
        .not_after = end,
        .issued_at = end - 90 * DAY,
    };
    return c;
}

static void fill(struct filler *f)
{
    for (uint64_t i = 0; i < f->n;) {
        struct arena *a = arena_new(&HEAP_USUAL);
        struct store_batch b = {.arena = a};
        struct err e = {0};
        for (; b.n < BATCH && i < f->n; i++)
            batch_issue(&b, make(f, a, i));
        check(store_commit(f->store, &b, DEADLINE_NONE, &e), e.text);
        arena_free(a);
        if (i % 500000 == 0)
            fprintf(stderr, "%llu certificates\n", (unsigned long long)i);
    }
}

int main(int argc, char **argv)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct err e = {0};
    struct filler f = {0};

    check(argc == 4, "usage: fill_store FILE CERTIFICATES TEMPLATE");
    check(file_read(a, argv[3], false, FILE_MAX_USUAL, &f.template, &e), e.text);
    f.n = strtoull(argv[2], NULL, 10);
    f.serial_at = find(f.template, "AAAAAAAAAAAAAAAA", 16, 0);
    f.not_before_at = find(f.template, "\x17\x0d", 2, 0) + 2;
    check(f.n > 0 && f.serial_at < f.template.n && f.not_before_at + 28 < f.template.n &&
              memcmp(f.template.p + f.not_before_at + 13, "\x17\x0d", 2) == 0,
          "the template has not what is to be replaced in it");
    f.first_end = CLOCK_SYSTEM.now(&CLOCK_SYSTEM).sec - 2 * 365 * DAY;
    f.store = store_sqlite_open(argv[1], &CLOCK_SYSTEM, &e);
    check(f.store != NULL, e.text);
    fill(&f);
    store_close(f.store);
    arena_free(a);
    return 0;
}
