/* PE files made here, byte by byte, and every way in which one can lie about its lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/winpe.h"
#include "crypto/der.h"

static const struct oid SIGNED_DATA = {(const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 9};

/* SignedData with these "certificates": any SEQUENCEs will do. */
static struct slice pkcs7(struct arena *a, const char *const *certs)
{
    struct buf b = buf_new(a, 65536);
    size_t info, content, data, set, at;

    der_open(&b, DER_SEQUENCE, &info);
    der_oid(&b, &SIGNED_DATA);
    der_open(&b, DER_CONTEXT_CONSTRUCTED(0), &content);
    der_open(&b, DER_SEQUENCE, &data);
    der_int(&b, 1);
    der_put(&b, DER_SET, SLICE(""));
    der_put(&b, DER_SEQUENCE, SLICE(""));
    if (certs) {
        der_open(&b, DER_CONTEXT_CONSTRUCTED(0), &set);
        for (; *certs; certs++) {
            der_open(&b, DER_SEQUENCE, &at);
            der_octets(&b, slice_text(*certs));
            der_close(&b, at);
        }
        der_close(&b, set);
    }
    der_put(&b, DER_SET, SLICE(""));
    der_close(&b, data);
    der_close(&b, content);
    der_close(&b, info);
    return buf_slice(&b);
}

static void put(uint8_t *p, uint32_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

#define PE_AT       0x80u
#define OPTIONAL_AT (PE_AT + 24)
#define TABLE_AT    0x200u

/* A program with headers and a certificate table, and nothing else. */
static struct slice program(struct arena *a, bool is_64, struct slice table)
{
    uint8_t *p = arena_alloc(a, TABLE_AT + table.n);
    size_t count_at = OPTIONAL_AT + (is_64 ? 108 : 92);

    memcpy(p, "MZ", 2);
    put(p + 0x3c, PE_AT, 4);
    memcpy(p + PE_AT, "PE\0\0", 4);
    put(p + PE_AT + 20, is_64 ? 240 : 224, 2);
    put(p + OPTIONAL_AT, is_64 ? 0x20b : 0x10b, 2);
    put(p + count_at, 16, 4);
    put(p + count_at + 4 + 32, table.n ? TABLE_AT : 0, 4);
    put(p + count_at + 4 + 36, (uint32_t)table.n, 4);
    if (table.n)
        memcpy(p + TABLE_AT, table.p, table.n);
    return slice_of(p, TABLE_AT + table.n);
}

static void put_entry(struct buf *b, uint32_t type, struct slice body)
{
    uint8_t header[8] = {0};

    put(header, (uint32_t)body.n + 8, 4);
    put(header + 4, 0x0200, 2);
    put(header + 6, type, 2);
    buf_put(b, slice_of(header, 8));
    buf_put(b, body);
    while (b->n % 8)
        buf_byte(b, 0);
}

static void certificates_of_all_signatures_are_found(void **state)
{
    static const char *const FIRST[] = {"one", "two", NULL}, *const SECOND[] = {"three", NULL};
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (int is_64 = 0; is_64 < 2; is_64++) {
        struct buf table = buf_new(a, 65536);
        struct winpe_certs certs;
        struct err e = {0};
        put_entry(&table, 2, pkcs7(a, FIRST));
        put_entry(&table, 1, SLICE("an X.509 certificate alone, which Windows does not use"));
        put_entry(&table, 2, pkcs7(a, SECOND));
        if (!winpe_read(a, program(a, is_64, buf_slice(&table)), &certs, &e))
            fail_msg("%s", e.text);
        assert_int_equal(certs.n, 3);
        assert_true(slice_eq(certs.v[0], SLICE("\x30\x05\x04\x03one")));
        assert_true(slice_eq(certs.v[2], SLICE("\x30\x07\x04\x05three")));
    }
    arena_free(a);
}

static void refused(struct arena *a, struct slice file, const char *text)
{
    struct winpe_certs certs;
    struct err e = {0};

    if (winpe_read(a, file, &certs, &e))
        fail_msg("read what should be: %s", text);
    if (!strstr(e.text, text))
        fail_msg("'%s', expected '%s'", e.text, text);
}

static void what_is_not_signed_is_told(void **state)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct buf empty = buf_new(a, 65536), other = buf_new(a, 65536), broken = buf_new(a, 65536);

    (void)state;
    refused(a, SLICE(""), "no DOS header");
    refused(a, SLICE("hello"), "no DOS header");
    refused(a, program(a, true, SLICE("")), "it is not signed");
    put_entry(&empty, 2, pkcs7(a, NULL));
    refused(a, program(a, true, buf_slice(&empty)), "no certificates in its signatures");
    put_entry(&other, 1, SLICE("x"));
    refused(a, program(a, true, buf_slice(&other)), "no certificates in its signatures");
    put_entry(&broken, 2, SLICE("\x30\x03\x02\x01\x01"));
    refused(a, program(a, true, buf_slice(&broken)), "expected a SignedData");
    arena_free(a);
}

static void offsets_outside_of_the_file_are_refused(void **state)
{
    static const char *const CERTS[] = {"one", NULL};
    static const struct {
        size_t at;
        uint32_t value;
        unsigned bytes;
        const char *error;
    } CASES[] = {
        {0, 0, 2, "no DOS header"},
        {0x3c, 0xffffffff, 4, "no PE header"},
        {0x3c, 0x7ffffff0, 4, "no PE header"},
        {PE_AT, 0, 4, "no PE header"},
        {PE_AT + 20, 0xffff, 2, "no certificate table"},
        {PE_AT + 20, 0, 2, "no certificate table"},
        {OPTIONAL_AT, 0x107, 2, "unknown kind"},
        {OPTIONAL_AT + 108, 4, 4, "no certificate table"},
        {OPTIONAL_AT + 112 + 32, 0xfffffff0, 4, "outside of the file"},
        {OPTIONAL_AT + 112 + 36, 0xffffffff, 4, "outside of the file"},
        {OPTIONAL_AT + 112 + 36, 0, 4, "not signed"},
        {TABLE_AT, 7, 4, "longer than the table"},
        {TABLE_AT, 0, 4, "longer than the table"},
        {TABLE_AT, 0xffffffff, 4, "longer than the table"},
    };
    struct arena *a = arena_new(&HEAP_USUAL);
    struct buf table = buf_new(a, 65536);

    (void)state;
    put_entry(&table, 2, pkcs7(a, CERTS));
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice file = program(a, true, buf_slice(&table));
        put((uint8_t *)(uintptr_t)file.p + CASES[i].at, CASES[i].value, CASES[i].bytes);
        refused(a, file, CASES[i].error);
    }
    arena_free(a);
}

static void every_cut_is_survived(void **state)
{
    static const char *const CERTS[] = {"one", "two", NULL};
    struct arena *a = arena_new(&HEAP_USUAL);
    struct buf table = buf_new(a, 65536);

    (void)state;
    put_entry(&table, 2, pkcs7(a, CERTS));
    struct slice file = program(a, false, buf_slice(&table));
    for (size_t n = 0; n < file.n; n++) {
        /* A copy of exactly that size: a read behind it is seen by the sanitizer. */
        uint8_t *cut = xmalloc(n + 1);
        struct winpe_certs certs;
        memcpy(cut, file.p, n);
        (void)!winpe_read(a, slice_of(cut, n), &certs, NULL);
        free(cut);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_of_all_signatures_are_found),
        cmocka_unit_test(what_is_not_signed_is_told),
        cmocka_unit_test(offsets_outside_of_the_file_are_refused),
        cmocka_unit_test(every_cut_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
