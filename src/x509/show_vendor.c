/*
 * Extensions as text that no RFC of PKIX describes: those of this family of CAs, of certificate
 * transparency and of security keys.
 */
#include <inttypes.h>

#include "base/encode.h"
#include "x509/show_internal.h"

/* --- Extensions of this family of CAs ------------------------------------------------------- */

static void pairs_put(struct buf *b, const struct slice *pairs, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        show_at(b, VALUE, "%s", "");
        show_clean(b, pairs[i]);
        buf_text(b, ": ");
        show_clean(b, pairs[i + 1]);
        buf_byte(b, '\n');
    }
}

bool show_provisioner(struct looking *l)
{
    struct provisioner_extension p;
    struct buf *b = l->s->b;

    if (!provisioner_extension_read(l->s->a, l->value, &p, NULL))
        return false;
    const char *type = provisioner_type_text(p.type);
    if (type)
        show_at(b, VALUE, "Type: %s\n", type);
    else
        show_at(b, VALUE, "Type: %" PRId64 " (unknown)\n", p.type);
    show_labelled(b, VALUE, "Name: ", p.name);
    if (p.credential_id.n)
        show_labelled(b, VALUE, "CredentialID: ", p.credential_id);
    pairs_put(b, p.pairs, p.n_pairs);
    return true;
}

/* SEQUENCE { type, certificateID OPTIONAL, SEQUENCE OF pairs OPTIONAL }, all texts. */
bool show_registration_authority(struct looking *l)
{
    struct der outer = der_reader(l->value), in, list;
    struct slice type, text, pairs[64];
    size_t n = 0;

    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_take_string(&in, l->s->a, &type))
        return false;
    show_labelled(l->s->b, VALUE, "Type: ", type);
    if (der_take_string(&in, l->s->a, &text))
        show_labelled(l->s->b, VALUE, "CertificateID: ", text);
    if (!der_enter(&in, DER_SEQUENCE, &list))
        return der_done(&in);
    while (n < COUNT_OF(pairs) && der_take_string(&list, l->s->a, &pairs[n]))
        n++;
    pairs_put(l->s->b, pairs, n);
    return der_done(&list);
}

/* A text or an OCTET STRING, or a number. */
static bool any_text(struct looking *l, struct der *in, const char *label)
{
    struct slice text;
    int64_t number;

    if (der_take_int(in, &number)) {
        show_at(l->s->b, VALUE, "%s%" PRId64 "\n", label, number);
        return true;
    }
    if (!der_take_string(in, l->s->a, &text) && !der_take(in, DER_OCTET_STRING, &text))
        return false;
    show_labelled(l->s->b, VALUE, label, text);
    return true;
}

bool show_managed_endpoint(struct looking *l)
{
    struct der outer = der_reader(l->value), in;

    return der_enter(&outer, DER_SEQUENCE, &in) && any_text(l, &in, "Kind: ") &&
           any_text(l, &in, "EndpointID: ");
}

bool show_managed_device(struct looking *l)
{
    struct der outer = der_reader(l->value), in;

    if (!der_is(&outer, DER_SEQUENCE))
        return any_text(l, &outer, "DeviceID: ");
    return der_enter(&outer, DER_SEQUENCE, &in) && any_text(l, &in, "DeviceID: ");
}

/* --- YubiKey attestation ------------------------------------------------------------------ */

bool show_yubikey_firmware(struct looking *l)
{
    if (l->value.n != 3)
        return false;
    show_at(l->s->b, VALUE, "%u.%u.%u\n", l->value.p[0], l->value.p[1], l->value.p[2]);
    return true;
}

bool show_yubikey_serial(struct looking *l)
{
    struct der d = der_reader(l->value);
    int64_t serial;

    if (!der_take_int(&d, &serial) || !der_done(&d))
        return false;
    show_at(l->s->b, VALUE, "%" PRId64 "\n", serial);
    return true;
}

bool show_yubikey_policy(struct looking *l)
{
    static const char *const PIN[] = {"unknown", "never", "once per session", "always"};
    static const char *const TOUCH[] = {"unknown", "never", "always", "cached for 15s"};

    if (l->value.n != 2)
        return false;
    uint8_t pin = l->value.p[0], touch = l->value.p[1];
    show_at(l->s->b, VALUE, "PIN policy: %s\n", PIN[pin < COUNT_OF(PIN) ? pin : 0]);
    show_at(l->s->b, VALUE, "Touch policy: %s\n", TOUCH[touch < COUNT_OF(TOUCH) ? touch : 0]);
    return true;
}

bool show_yubikey_form(struct looking *l)
{
    static const char *const FORMS[] = {
        "unknown",    "USB-A Keychain",           "USB-A Nano",      "USB-C Keychain",
        "USB-C Nano", "USB-C/Lightning Keychain", "USB-A Biometric", "USB-C Biometric",
    };

    if (l->value.n != 1)
        return false;
    uint8_t form = l->value.p[0] & 0x7f; /* the top bit says FIPS */
    show_at(l->s->b, VALUE, "%s\n", FORMS[form < COUNT_OF(FORMS) ? form : 0]);
    return true;
}

/* --- Certificate transparency (RFC 6962 3.2, 3.3) ------------------------------------------- */

static bool take_bytes(struct slice *rest, size_t n, struct slice *out)
{
    if (rest->n < n)
        return false;
    *out = slice_sub(*rest, 0, n);
    *rest = slice_from(*rest, n);
    return true;
}

static bool take_u16_bytes(struct slice *rest, struct slice *out)
{
    struct slice length;

    return take_bytes(rest, 2, &length) &&
           take_bytes(rest, (size_t)length.p[0] << 8 | length.p[1], out);
}

/* SignatureAndHashAlgorithm (RFC 5246 7.4.1.4.1). */
static void sct_algorithm(struct buf *b, struct slice alg)
{
    static const char *const HASHES[] = {"None",   "MD5",    "SHA1",  "SHA224",
                                         "SHA256", "SHA384", "SHA512"};
    static const char *const KEYS[] = {"Anonymous", "RSA", "DSA", "ECDSA"};

    show_at(b, 20, "Signature Algorithm: %s-%s\n",
            alg.p[0] < COUNT_OF(HASHES) ? HASHES[alg.p[0]] : "?",
            alg.p[1] < COUNT_OF(KEYS) ? KEYS[alg.p[1]] : "?");
}

static bool sct(struct show *s, unsigned number, struct slice in)
{
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct slice version, log, time, extensions, alg, signature;
    uint64_t ms = 0;

    if (!take_bytes(&in, 1, &version) || !take_bytes(&in, 32, &log) || !take_bytes(&in, 8, &time) ||
        !take_u16_bytes(&in, &extensions) || !take_bytes(&in, 2, &alg) ||
        !take_u16_bytes(&in, &signature))
        return false;
    for (size_t i = 0; i < 8; i++)
        ms = ms << 8 | time.p[i];
    if (ms > UINT64_C(253402300799999))
        return false;
    struct civil c = instant_civil(instant_sec((int64_t)(ms / 1000)));
    struct slice id = base64_text(s->a, BASE64_STD, log);
    show_at(s->b, VALUE, "SCT [%u]:\n", number);
    show_at(s->b, 20, "Version: V%u (0x%x)\n", version.p[0] + 1u, version.p[0]);
    show_at(s->b, 20, "LogID: %.*s\n", SLICE_ARG(id));
    show_at(s->b, 20, "Timestamp: %s %d %02d:%02d:%02d.%03u %d UTC\n", MONTHS[c.month - 1], c.day,
            c.hour, c.minute, c.second, (unsigned)(ms % 1000), c.year);
    sct_algorithm(s->b, alg);
    show_hex_lines(s->b, 24, 16, signature);
    return true;
}

bool show_sct_list(struct looking *l)
{
    struct der d = der_reader(l->value);
    struct slice octets, list, one;
    unsigned n = 0;

    if (!der_take(&d, DER_OCTET_STRING, &octets) || !take_u16_bytes(&octets, &list) || octets.n)
        return false;
    while (list.n) {
        if (!take_u16_bytes(&list, &one) || !sct(l->s, n++, one))
            return false;
    }
    return true;
}
