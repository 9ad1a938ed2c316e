/* Reading revocation lists: PROTOCOL.krl of OpenSSH. */
#include "ssh/krl.h"

#include "crypto/ssh_wire.h"
#include "ssh/krl_internal.h"

#define EXTENSION_SHOWN 64

struct range {
    uint64_t from, to;
};
/* The serials of one CA key, as they stand there. */
struct ca_section {
    struct slice ca;
    struct slice data; /* sub-sections, checked */
    struct ca_section *next;
};
struct ssh_krl_read {
    uint64_t version;
    struct ca_section *sections;
};

static bool bad(const char *what, struct err *e)
{
    return err_set(e, ERR_MALFORMED, "KRL: %s (PROTOCOL.krl)", what);
}

static bool take_section(struct slice *in, uint8_t *type, struct slice *data)
{
    return ssh_take_byte(in, type) && ssh_take_string(in, data);
}

static bool take_range(struct slice in, struct range *r)
{
    return ssh_take_u64(&in, &r->from) && ssh_take_u64(&in, &r->to) && in.n == 0 &&
           r->from <= r->to && r->from > 0;
}

static bool check_serials(struct slice in)
{
    uint64_t serial, last = 0;

    while (in.n > 0) {
        if (!ssh_take_u64(&in, &serial) || serial <= last)
            return false;
        last = serial;
    }
    return true;
}

/* offset, then bits: bit i stands for offset + i. */
static bool take_bitmap(struct slice in, uint64_t *offset, struct slice *bits)
{
    return ssh_take_u64(&in, offset) && ssh_take_mpint(&in, bits) && in.n == 0 &&
           bits->n <= (1u << 20) && *offset <= UINT64_MAX - 8 * (uint64_t)bits->n;
}

static bool check_key_ids(struct slice in)
{
    struct slice id;

    while (in.n > 0) {
        if (!ssh_take_string(&in, &id))
            return false;
    }
    return true;
}

/* No extension is known here: those that call themselves optional are passed over (PROTOCOL.krl 2.5
 * and 5; a boolean is true when it is not 0, RFC 4251 5). */
static bool check_extension(struct slice in, struct err *e)
{
    struct slice name, contents;
    uint8_t critical;

    if (!ssh_take_string(&in, &name) || !ssh_take_byte(&in, &critical) ||
        !ssh_take_string(&in, &contents) || in.n > 0)
        return bad("an extension is damaged", e);
    return !critical || err_set(e, ERR_MALFORMED,
                                "KRL: the extension \"%.*s\" is critical and not known here "
                                "(PROTOCOL.krl)",
                                SLICE_ARG(slice_sub(name, 0, EXTENSION_SHOWN)));
}

static bool check_certificates(struct slice in, struct err *e)
{
    struct range range;
    struct slice data;
    uint64_t offset;
    uint8_t type;

    while (in.n > 0) {
        if (!take_section(&in, &type, &data))
            return bad("a section of certificates is cut off", e);
        if (type == KRL_CERT_EXTENSION) {
            if (!check_extension(data, e))
                return false;
            continue;
        }
        struct slice bits;
        bool good = type == KRL_SERIALS   ? check_serials(data)
                    : type == KRL_RANGE   ? take_range(data, &range)
                    : type == KRL_BITMAP  ? take_bitmap(data, &offset, &bits)
                    : type == KRL_KEY_IDS ? check_key_ids(data)
                                          : false;
        if (!good)
            return bad("a section of certificates is damaged or of an unknown type", e);
    }
    return true;
}

static bool read_certificates(struct arena *a, struct ssh_krl_read *k, struct slice data,
                              struct err *e)
{
    struct ca_section *s = arena_alloc(a, sizeof(*s));
    struct slice reserved;

    if (!ssh_take_string(&data, &s->ca) || !ssh_take_string(&data, &reserved))
        return bad("a section of certificates is cut off", e);
    s->data = data;
    s->next = k->sections;
    k->sections = s;
    return check_certificates(data, e);
}

static bool read_sections(struct arena *a, struct ssh_krl_read *k, struct slice in, struct err *e)
{
    struct slice data;
    uint8_t type;

    while (in.n > 0) {
        if (!take_section(&in, &type, &data))
            return bad("cut off", e);
        if (type == KRL_SIGNATURE)
            return bad("signed lists are not supported", e);
        if (type == KRL_EXPLICIT_KEYS || type == KRL_SHA1 || type == KRL_SHA256)
            continue;
        if (type != KRL_CERTIFICATES && type != KRL_EXTENSION)
            return bad("a section of an unknown type", e);
        if (type == KRL_EXTENSION ? !check_extension(data, e) : !read_certificates(a, k, data, e))
            return false;
    }
    return true;
}

bool ssh_krl_read(struct arena *a, struct slice in, struct ssh_krl_read **out, struct err *e)
{
    struct ssh_krl_read *k = arena_alloc(a, sizeof(*k));
    struct slice reserved, comment;
    uint64_t magic, generated, flags;
    uint32_t format;

    *out = k;
    if (in.n > KRL_MAX)
        return err_set(e, ERR_TOO_LARGE, "KRL: more than %u bytes", KRL_MAX);
    if (!ssh_take_u64(&in, &magic) || magic != KRL_MAGIC)
        return bad("not a revocation list of OpenSSH", e);
    if (!ssh_take_u32(&in, &format) || format != KRL_FORMAT)
        return bad("another format", e);
    if (!ssh_take_u64(&in, &k->version) || !ssh_take_u64(&in, &generated) ||
        !ssh_take_u64(&in, &flags) || !ssh_take_string(&in, &reserved) ||
        !ssh_take_string(&in, &comment))
        return bad("cut off", e);
    return read_sections(a, k, in, e);
}

/* --- Looking up ------------------------------------------------------------------------------ */

static bool in_list(struct slice in, uint64_t serial)
{
    uint64_t one;

    while (ssh_take_u64(&in, &one)) {
        if (one == serial)
            return true;
    }
    return false;
}

static bool in_bitmap(struct slice in, uint64_t serial)
{
    struct slice bits;
    uint64_t offset;

    if (!take_bitmap(in, &offset, &bits) || serial < offset ||
        serial - offset >= 8 * (uint64_t)bits.n)
        return false;
    uint64_t bit = serial - offset;
    return bits.p[bits.n - 1 - bit / 8] >> (bit % 8) & 1;
}

static bool in_section(struct slice in, uint64_t serial)
{
    struct slice data;
    uint8_t type;

    while (in.n > 0 && take_section(&in, &type, &data)) {
        struct range range;
        if (type == KRL_SERIALS && in_list(data, serial))
            return true;
        if (type == KRL_BITMAP && in_bitmap(data, serial))
            return true;
        if (type == KRL_RANGE && take_range(data, &range) && serial >= range.from &&
            serial <= range.to)
            return true;
    }
    return false;
}

/* A section without a CA key is for all of them. */
bool ssh_krl_has(const struct ssh_krl_read *k, struct slice ca_blob, uint64_t serial)
{
    for (const struct ca_section *s = k->sections; s; s = s->next) {
        if ((s->ca.n == 0 || slice_eq(s->ca, ca_blob)) && in_section(s->data, serial))
            return true;
    }
    return false;
}

uint64_t ssh_krl_version(const struct ssh_krl_read *k)
{
    return k->version;
}
