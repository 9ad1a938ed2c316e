/* Private to device attestation: a statement that is being judged, and its formats. */
#pragma once

#include "acme/attest.h"
#include "acme/attest_cbor.h"

#define STATEMENT_BAD "badAttestationStatement"

struct statement {
    struct arena *arena;
    const struct acme_attestation_order *order;
    const struct cbor_item_t *map; /* attStmt */
    struct cert_list x5c;          /* leaf first, verified up to the configured roots */
    const struct key *attested;    /* a format leaves the attested key here */
    /* What the device says that it is called. */
    struct slice ids[16];
    size_t n_ids;
};
typedef bool attest_format_fn(struct statement *s, struct err *e);
/* docs/reference/acme.md: each checks everything but the identifier. */
attest_format_fn attest_apple, attest_step, attest_tpm;

/* A member of the statement that must be a byte string with something in it. */
bool statement_bytes(struct statement *s, const char *name, struct slice *bytes,
                     struct err *e) CHECKED;
/* One more name; empty ones do not count. */
void statement_id(struct statement *s, struct slice id);
