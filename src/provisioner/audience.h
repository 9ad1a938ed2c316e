/* Audiences of tokens (docs/reference/tokens.md): derived from dnsNames, matched without ports. */
#pragma once

#include "base/uri.h"

enum method {
    METHOD_SIGN,
    METHOD_RENEW,
    METHOD_REVOKE,
    METHOD_SSH_SIGN,
    METHOD_SSH_REVOKE,
    METHOD_SSH_RENEW,
    METHOD_SSH_REKEY,
    METHODS
};
const char *method_name(enum method m);

struct audience_list {
    struct slice *exact;  /* as written */
    struct slice *normal; /* port removed, printed again */
    size_t n;
};
struct audiences {
    struct audience_list by_method[METHODS];
    struct audience_list all;
};
/* names: dnsNames; IPv6 literals get brackets. */
void audiences_build(struct arena *a, const struct slice *names, size_t n, struct audiences *out);
/* Any pair is equal, or equal in normal form.  fragment: what is appended to each of ours as
 * "#fragment" (p == NULL: nothing). */
bool audience_match(struct arena *a, const struct slice *theirs, size_t n,
                    const struct audience_list *ours, struct slice fragment);
/* The normal form of one audience. */
struct slice audience_normal(struct arena *a, struct slice text);
/* Decoded fragment of the first audience that has a non-empty one; p == NULL when none. */
struct slice audience_fragment(struct arena *a, const struct slice *theirs, size_t n);
