/* What may stand in an order. */
#include "acme/identifier.h"

#define NAME_MAX_OCTETS 253

static bool wrong(struct err *e, const char *type, const struct acme_identifier *id,
                  const char *why)
{
    err_set(e, ERR_MALFORMED, "identifier %.*s \"%.*s\": %s", SLICE_ARG(slice_sub(id->type, 0, 32)),
            SLICE_ARG(slice_sub(id->value, 0, 260)), why);
    if (e)
        e->code = type;
    return false;
}

static bool letter_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 1123 2.1 letters, digits, hyphens; RFC 5890 2.3.1: "--" in places 3 and 4 only of A-labels.
 */
static const char *label_trouble(struct slice label)
{
    if (label.n == 0)
        return "it has an empty label";
    if (label.n > 63)
        return "a label is longer than 63 octets";
    if (label.p[0] == '-' || label.p[label.n - 1] == '-')
        return "a label begins or ends with a hyphen";
    for (size_t i = 0; i < label.n; i++) {
        if (!letter_digit(label.p[i]) && label.p[i] != '-')
            return label.p[i] >= 0x80 ? "expected A-labels (RFC 5890), not Unicode"
                                      : "only letters, digits and hyphens may stand in it";
    }
    if (label.n >= 4 && label.p[2] == '-' && label.p[3] == '-' &&
        !slice_is_case(slice_sub(label, 0, 4), "xn--"))
        return "hyphens in places 3 and 4 are kept for A-labels (RFC 5891 4.2.3.1)";
    return NULL;
}

/* RFC 3492 6.2: the text behind "xn--" decodes to something that is not plain ASCII. */
static bool punycode_ok(struct slice text)
{
    uint32_t n = 128, i = 0, bias = 72;
    size_t basic = slice_rfind(text, '-');
    size_t written = basic < text.n ? basic : 0, at = basic < text.n ? basic + 1 : 0;
    size_t decoded = written;

    while (at < text.n) {
        uint32_t before = i, weight = 1;
        for (uint32_t k = 36;; k += 36) {
            if (at >= text.n)
                return false;
            uint8_t c = text.p[at++];
            uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0' + 26)
                             : c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a')
                             : c >= 'A' && c <= 'Z' ? (uint32_t)(c - 'A')
                                                    : 36;
            uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
            if (digit >= 36 || digit > (UINT32_MAX - i) / weight)
                return false;
            i += digit * weight;
            if (digit < t)
                break;
            if (weight > UINT32_MAX / (36 - t))
                return false;
            weight *= 36 - t;
        }
        uint32_t size = (uint32_t)decoded + 1, delta = before == 0 ? i / 700 : (i - before) / 2;
        delta += delta / size;
        uint32_t k = 0;
        while (delta > 455) {
            delta /= 35;
            k += 36;
        }
        bias = k + 36 * delta / (delta + 38);
        n += i / size;
        i = i % size + 1;
        decoded++;
        if (n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff))
            return false;
    }
    return decoded > written;
}

static bool all_digits(struct slice s)
{
    uint64_t v;

    return slice_to_u64(s, &v);
}

static bool check_dns(struct arena *a, const struct acme_identifier *id, struct err *e)
{
    struct slice name = id->value, rest, label, last = SLICE("");

    (void)a;
    if (slice_starts(name, "*."))
        name = slice_from(name, 2);
    if (name.n == 0 || name.n > NAME_MAX_OCTETS)
        return wrong(e, "malformed", id, "expected 1 to 253 octets");
    rest = name;
    while (slice_split(&rest, '.', &label)) {
        const char *trouble = label_trouble(label);
        if (trouble)
            return wrong(e, "malformed", id, trouble);
        if (slice_is_case(slice_sub(label, 0, 4), "xn--") && !punycode_ok(slice_from(label, 4)))
            return wrong(e, "malformed", id, "an A-label does not decode (RFC 3492)");
        last = label;
    }
    if (all_digits(last))
        return wrong(e, "malformed", id, "it looks like an IP address; use type \"ip\" (RFC 8738)");
    return true;
}

bool acme_identifier_check(struct arena *a, const struct acme_identifier *id, struct err *e)
{
    struct ip ip;

    if (slice_is(id->type, "dns"))
        return check_dns(a, id, e);
    if (slice_is(id->type, "ip"))
        return ip_read(id->value, &ip) || wrong(e, "malformed", id, "it is no IP address");
    if (!slice_is(id->type, "permanent-identifier"))
        return wrong(e, "unsupportedIdentifier", id, "this type is not supported");
    if (id->value.n == 0 || id->value.n > 256 || slice_has_nul(id->value) ||
        !slice_is_utf8(id->value))
        return wrong(e, "malformed", id, "expected 1 to 256 octets of UTF-8");
    if (slice_starts(id->value, "*."))
        return wrong(e, "malformed", id, "a device has no wildcard");
    return true;
}

unsigned acme_identifier_challenges(const struct acme_identifier *id)
{
    if (slice_is(id->type, "ip"))
        return 1u << ACME_HTTP_01 | 1u << ACME_TLS_ALPN_01;
    if (slice_is(id->type, "permanent-identifier"))
        return 1u << ACME_DEVICE_ATTEST_01;
    if (slice_starts(id->value, "*."))
        return 1u << ACME_DNS_01;
    return 1u << ACME_DNS_01 | 1u << ACME_HTTP_01 | 1u << ACME_TLS_ALPN_01;
}
