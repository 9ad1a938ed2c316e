/* Names of X.509: distinguished names and typed subject alternative names (RFC 5280 4.1.2.4,
 * 4.2.1.6), and the rule that splits plain texts into kinds. */
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "crypto/der.h"

/* One attribute of a distinguished name as it stands. */
struct dn_attribute {
    struct slice type;  /* OID content */
    struct slice value; /* UTF-8; raw content when it is no string */
    uint8_t tag;
    bool joined; /* in the same RDN as the one before it */
};
struct dn {
    struct dn_attribute *v;
    size_t n;
    struct slice raw; /* the whole Name, DER */
};
#define DN_ATTRIBUTES_MAX 128
bool dn_read(struct arena *a, struct slice der, struct dn *dn, struct err *e) CHECKED;
/* Value of the last attribute of that type; p == NULL when there is none. */
struct slice dn_get(const struct dn *dn, const struct oid *type);
struct slice dn_common_name(const struct dn *dn);
/* "O=Example,CN=Example CA" in certificate order. */
struct slice dn_text(struct arena *a, const struct dn *dn);
extern const struct oid OID_CN, OID_SERIAL_NUMBER, OID_C, OID_L, OID_ST, OID_STREET, OID_O, OID_OU,
    OID_POSTAL_CODE, OID_EMAIL_ADDRESS, OID_DC, OID_UID;

/* The subject that a template or a token asks for. */
struct subject {
    struct slice *country, *province, *locality, *street, *postal_code, *organization, *unit;
    size_t n_country, n_province, n_locality, n_street, n_postal_code, n_organization, n_unit;
    struct slice common_name, serial_number;
    struct dn_attribute *extra; /* appended, each its own RDN, in the place of those of its type */
    size_t n_extra;
};
bool subject_is_empty(const struct subject *s);
/* Every text is UTF-8 without NUL bytes: ERR_MALFORMED otherwise.  x509_leaf_sign asks it. */
bool subject_ok(const struct subject *s, struct err *e) CHECKED;
/* C, ST, L, STREET, PostalCode, O, OU, CN, serialNumber, extra; several values of one type share
 * one RDN (a SET OF). */
void subject_put(struct buf *b, const struct subject *s);

enum san_kind { SAN_DNS, SAN_EMAIL, SAN_IP, SAN_URI, SAN_OTHER, SAN_DIRECTORY, SAN_RID, SAN_KINDS };
struct san {
    enum san_kind kind;
    struct slice text; /* DNS, email, URI: as is; IP: its text form; others: the DER of the name */
    struct ip ip;      /* SAN_IP */
};
struct sans {
    struct san *v;
    size_t n;
};
#define SANS_MAX 1000
/* The split rule of docs/reference/names.md: empty texts are skipped; an IP literal is an IP; a
 * URL with a scheme is a URI ("host:8443" is one); '@' makes an email; else DNS.  Order: DNS, IP,
 * email, URI, each in input order. */
void sans_split(struct arena *a, const struct slice *texts, size_t n, struct sans *out);
enum san_kind san_kind_of(struct slice text);
/* GeneralNames <-> list.  Text with NUL or non-ASCII bytes in DNS, email or URI is an error. */
bool sans_read(struct arena *a, struct slice der, struct sans *out, struct err *e) CHECKED;
/* Order of kinds in DER: DNS, email, IP, URI, then others. */
bool sans_put(struct buf *b, const struct sans *s, struct err *e) CHECKED;
