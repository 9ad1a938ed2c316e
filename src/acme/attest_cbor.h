/*
 * CBOR (RFC 8949), as far as attestation objects need it: one item, whole, at most 64 KiB and 32
 * levels deep; libcbor sees it only after our own scan found that all lengths hold.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#define CBOR_BYTES_MAX (64u << 10)
#define CBOR_DEPTH_MAX 32u

struct cbor_item_t;

/* Well-formed (RFC 8949 appendix C), nothing behind it, within the limits. */
bool attest_cbor_scan(struct slice in, struct err *e) CHECKED;
/* Scans and decodes; the item lives as long as a. */
bool attest_cbor_open(struct arena *a, struct slice in, struct cbor_item_t **item,
                      struct err *e) CHECKED;

/* Values; false when the item (which may be NULL) is of another type.  Indefinite strings are
 * joined.  Text is UTF-8. */
bool attest_cbor_text(struct arena *a, const struct cbor_item_t *item, struct slice *text) CHECKED;
bool attest_cbor_bytes(struct arena *a, const struct cbor_item_t *item,
                       struct slice *bytes) CHECKED;
/* From -2^63 to 2^63 - 1. */
bool attest_cbor_number(const struct cbor_item_t *item, int64_t *value) CHECKED;
bool attest_cbor_is_map(const struct cbor_item_t *item);
/* Member of a map by its text key: *value NULL when it is not there.  False: twice there. */
bool attest_cbor_member(struct arena *a, const struct cbor_item_t *map, const char *key,
                        struct cbor_item_t **value) CHECKED;
/* Elements of an array. */
bool attest_cbor_elements(const struct cbor_item_t *item, struct cbor_item_t ***v,
                          size_t *n) CHECKED;
