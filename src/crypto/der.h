/*
 * DER (X.690), written forward by our own writer and read by a strict, bounded reader without
 * recursion.  The writer reads from top to bottom like the ASN.1 module that it implements:
 *
 *   size_t at;
 *   der_open(b, DER_SEQUENCE, &at);
 *       der_oid(b, &OID_SHA256);
 *       der_null(b);
 *   der_close(b, at);
 *
 * The reader sets no error text: its caller names the field and the RFC.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/slice.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_NUMERIC_STRING = 0x12,
    DER_PRINTABLE_STRING = 0x13,
    DER_T61_STRING = 0x14,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_VISIBLE_STRING = 0x1a,
    DER_UNIVERSAL_STRING = 0x1c,
    DER_BMP_STRING = 0x1e
};
#define DER_CONTEXT(n)             ((uint8_t)(0x80 | (n))) /* [n] IMPLICIT, primitive */
#define DER_CONTEXT_CONSTRUCTED(n) ((uint8_t)(0xa0 | (n))) /* [n] EXPLICIT, or of a SEQUENCE */

/* An object identifier: its content octets. */
struct oid {
    const uint8_t *p;
    size_t n;
};
bool oid_eq(const struct oid *a, struct slice content);
/* "1.2.840.10045.2.1"; "" when the content is not valid. */
struct slice oid_text(struct arena *a, struct slice content);
/* Content octets; at least two arcs, each below 2^64. */
bool oid_read(struct arena *a, struct slice text, struct slice *content) CHECKED;

/* --- Writing ------------------------------------------------------------------------------ */

void der_open(struct buf *b, uint8_t tag, size_t *at);
void der_close(struct buf *b, size_t at); /* fixes the length */
void der_put(struct buf *b, uint8_t tag, struct slice content);
void der_raw(struct buf *b, struct slice der); /* finished DER */
void der_oid(struct buf *b, const struct oid *oid);
void der_oid_content(struct buf *b, struct slice content);
void der_uint(struct buf *b, struct slice big_endian); /* non-negative; leading zeros are dropped */
void der_int(struct buf *b, int64_t v);
void der_bool(struct buf *b, bool v);
void der_null(struct buf *b);
void der_octets(struct buf *b, struct slice bytes);
void der_bits(struct buf *b, struct slice bytes);  /* unused bits: 0 */
void der_named_bits(struct buf *b, uint32_t bits); /* bit 0 first, trailing zeros dropped */
/* RFC 5280 4.1.2.5: UTCTime to 2049, GeneralizedTime from 2050. */
void der_time(struct buf *b, struct instant t);
void der_generalized_time(struct buf *b, struct instant t);
/* PrintableString when every character is one of A-Z a-z 0-9 space '()+,-./:=? else UTF8String. */
void der_directory_string(struct buf *b, struct slice text);
/* A SET OF: sorts the encodings that were written since der_open(DER_SET) (X.690 11.6). */
void der_close_set_of(struct buf *b, size_t at);

/* --- Reading ------------------------------------------------------------------------------ */

struct der {
    const uint8_t *p, *end;
};
struct der der_reader(struct slice in);
bool der_done(const struct der *d); /* nothing left over */
bool der_peek(const struct der *d, uint8_t *tag) CHECKED;
bool der_is(const struct der *d, uint8_t tag); /* next tag */
/* Next element with that tag: its content. */
bool der_take(struct der *d, uint8_t tag, struct slice *content) CHECKED;
bool der_enter(struct der *d, uint8_t tag, struct der *inside) CHECKED;
/* Any element: tag, content and the whole encoding (each may be NULL). */
bool der_next(struct der *d, uint8_t *tag, struct slice *content, struct slice *whole) CHECKED;
/* Takes the element when its tag is next; *there says whether. */
bool der_optional(struct der *d, uint8_t tag, bool *there, struct slice *content) CHECKED;
bool der_take_bool(struct der *d, bool *v) CHECKED;
bool der_take_int(struct der *d, int64_t *v) CHECKED;
/* Content of an INTEGER, checked to be minimal; *negative by its sign.  magnitude is without the
 * leading zero octet: empty for 0 (and only meaningful when not negative). */
bool der_take_integer(struct der *d, struct slice *magnitude, bool *negative) CHECKED;
bool der_take_oid(struct der *d, struct slice *content) CHECKED;
bool der_take_bits(struct der *d, struct slice *bytes, unsigned *unused) CHECKED;
/* Bit i of the list as 1 << i.  Zero bits at the end are accepted although X.690 11.2.2 wants them
 * dropped: key usages in requests have them.  False when a bit above 31 is set. */
bool der_take_named_bits(struct der *d, uint32_t *bits) CHECKED;
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 wants them (seconds, 'Z'). */
bool der_take_time(struct der *d, struct instant *t) CHECKED;
/* PrintableString, UTF8String, IA5String, T61String (Latin-1), BMPString, UniversalString,
 * NumericString or VisibleString as UTF-8 (which may point into the input). */
bool der_take_string(struct der *d, struct arena *a, struct slice *utf8) CHECKED;
