/*
 * PE files: headers are followed to the certificate table only, each offset is checked before it is
 * used, and nothing of the program itself is looked at.
 */
#include "cli/winpe.h"

#include "crypto/der.h"

#define DOS_OFFSET        0x3cu /* where the PE header's offset stands */
#define COFF_SIZE         24u   /* with the signature "PE\0\0" */
#define MAGIC_32          0x10bu
#define MAGIC_64          0x20bu
#define CERTIFICATE_TABLE 4u /* data directory */
#define ENTRY_HEADER      8u
#define TYPE_PKCS7        0x0002u
#define CERTS_MAX         256u

static const struct oid SIGNED_DATA = {(const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 9};

static bool bad(struct err *e, const char *what)
{
    return err_set(e, ERR_MALFORMED, "Unable to open the PE file: %s", what);
}

static uint32_t little(struct slice s, size_t at, unsigned bytes)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint32_t)s.p[at + i] << 8 * i;
    return v;
}

static bool inside(struct slice s, size_t at, size_t n)
{
    return at <= s.n && n <= s.n - at;
}

/* --- PKCS#7 ------------------------------------------------------------------------------- */

static void add(struct arena *a, struct winpe_certs *certs, struct slice der)
{
    struct slice *larger = arena_array(a, certs->n + 1, sizeof(*larger));

    if (certs->n)
        memcpy(larger, certs->v, certs->n * sizeof(*larger));
    larger[certs->n++] = der;
    certs->v = larger;
}

bool winpe_pkcs7(struct arena *a, struct slice der, struct winpe_certs *certs, struct err *e)
{
    struct der d = der_reader(der), info, content, data, set;
    struct slice oid, ignored, whole;
    uint8_t tag;

    if (!der_enter(&d, DER_SEQUENCE, &info) || !der_take_oid(&info, &oid) ||
        !oid_eq(&SIGNED_DATA, oid) || !der_enter(&info, DER_CONTEXT_CONSTRUCTED(0), &content) ||
        !der_enter(&content, DER_SEQUENCE, &data) || !der_take(&data, DER_INTEGER, &ignored) ||
        !der_take(&data, DER_SET, &ignored) || !der_take(&data, DER_SEQUENCE, &ignored))
        return err_set(e, ERR_MALFORMED, "RFC 2315 9.1: expected a SignedData");
    if (!der_is(&data, DER_CONTEXT_CONSTRUCTED(0)))
        return true; /* without certificates */
    if (!der_enter(&data, DER_CONTEXT_CONSTRUCTED(0), &set))
        return err_set(e, ERR_MALFORMED, "RFC 2315 9.1: the certificates cannot be read");
    while (!der_done(&set)) {
        if (!der_next(&set, &tag, NULL, &whole) || certs->n >= CERTS_MAX)
            return err_set(e, ERR_MALFORMED, "RFC 2315 9.1: the certificates cannot be read");
        if (tag == DER_SEQUENCE)
            add(a, certs, whole);
    }
    return true;
}

/* --- PE ----------------------------------------------------------------------------------- */

/* The certificate table of a program: its place is an offset in the file. */
static bool table_of(struct slice file, struct slice *table, struct err *e)
{
    if (!inside(file, DOS_OFFSET, 4) || !slice_starts(file, "MZ"))
        return bad(e, "no DOS header");
    size_t at = little(file, DOS_OFFSET, 4);
    if (!inside(file, at, COFF_SIZE + 2) || memcmp(file.p + at, "PE\0\0", 4) != 0)
        return bad(e, "no PE header");
    size_t optional = little(file, at + 20, 2), start = at + COFF_SIZE;
    uint32_t magic = little(file, start, 2);
    if (magic != MAGIC_32 && magic != MAGIC_64)
        return bad(e, "its optional header is of an unknown kind");
    size_t count_at = magic == MAGIC_32 ? 92 : 108;
    size_t entry = count_at + 4 + 8 * CERTIFICATE_TABLE;
    if (!inside(file, start, optional) || optional < entry + 8 ||
        little(file, start + count_at, 4) <= CERTIFICATE_TABLE)
        return bad(e, "it has no certificate table");
    size_t offset = little(file, start + entry, 4), n = little(file, start + entry + 4, 4);
    if (!offset || !n)
        return bad(e, "it is not signed");
    if (!inside(file, offset, n))
        return bad(e, "its certificate table is outside of the file");
    *table = slice_sub(file, offset, n);
    return true;
}

/* The entry may be padded: DER says its own length. */
static struct slice first_element(struct slice body)
{
    struct der d = der_reader(body);
    struct slice whole;
    uint8_t tag;

    return der_next(&d, &tag, NULL, &whole) ? whole : body;
}

bool winpe_read(struct arena *a, struct slice file, struct winpe_certs *certs, struct err *e)
{
    struct slice table;

    *certs = (struct winpe_certs){0};
    if (!table_of(file, &table, e))
        return false;
    while (table.n >= ENTRY_HEADER) {
        size_t n = little(table, 0, 4);
        if (n < ENTRY_HEADER || n > table.n)
            return bad(e, "an entry of its certificate table is longer than the table");
        struct slice body = slice_sub(table, ENTRY_HEADER, n - ENTRY_HEADER);
        if (little(table, 6, 2) == TYPE_PKCS7 && !winpe_pkcs7(a, first_element(body), certs, e))
            return err_wrap(e, "Unable to read the signature of the PE file");
        table = slice_from(table, (n + 7) & ~(size_t)7);
    }
    return certs->n || bad(e, "no certificates in its signatures");
}
