/* What the show_*.c files share. */
#pragma once

#include "x509/show.h"

struct show {
    struct buf *b;
    struct arena *a; /* for what is made on the way */
};

/* --- Tables (show_names.c) ---------------------------------------------------------------- */

struct eku_name {
    const struct oid oid;
    const char *text, *json;
};
extern const struct eku_name EKU_NAMES[];
extern const size_t EKU_NAMES_N;
const struct eku_name *eku_name(struct slice oid);

#define KEY_USAGES 9
extern const struct key_usage_name {
    const char *text, *json;
} KEY_USAGE_NAMES[KEY_USAGES];

/* "ECDSA-SHA256"; a name or the OID when the algorithm is not ours. */
struct slice alg_text(struct arena *a, struct sig_alg alg, struct slice oid);
/* "ECDSA", "RSA"; a name or the OID. */
struct slice key_algorithm_text(struct arena *a, const struct key *key, struct slice spki);
/* "JWK"; NULL when unknown. */
const char *provisioner_type_text(int64_t type);
const char *crl_reason_text(int reason);

/* --- Pieces of text (show_text.c) --------------------------------------------------------- */

/* Spaces and a formatted text, without line end. */
void show_at(struct buf *b, unsigned indent, const char *fmt, ...) PRINTF(3, 4);
/* Text of unknown origin: what is no printable text becomes '.'. */
void show_clean(struct buf *b, struct slice s);
/* Lines of `per_line` octets, joined by ':', each line after `indent` spaces. */
void show_hex_lines(struct buf *b, unsigned indent, unsigned per_line, struct slice bytes);
void show_hex(struct buf *b, struct slice bytes, bool upper); /* one line, ':' between */
/* An extension with its title line at 12 and value lines at 16 spaces. */
void show_extension(struct show *s, const struct extension *x, bool in_request);
/* One that a request shows below "Requested Extensions". */
bool show_extension_known(const struct extension *x);

/* --- Values of extensions ----------------------------------------------------------------- */

#define VALUE 16u
#define INNER 18u
struct looking {
    struct show *s;
    struct slice value;
    bool in_request;
};
/* Prints lines; false: the value does not decode, what was printed is dropped. */
typedef bool show_fn(struct looking *l);
show_fn show_name_constraints, show_subject_alt_name, show_provisioner, show_registration_authority,
    show_managed_endpoint, show_managed_device, show_yubikey_firmware, show_yubikey_serial,
    show_yubikey_policy, show_yubikey_form, show_sct_list;
/* "a, b" with a prefix in front of each. */
void show_list(struct buf *b, const char *prefix, const char *between, const struct slice *v,
               size_t n);
void show_labelled(struct buf *b, unsigned indent, const char *label, struct slice value);
