/* JWKs as files: what commands write. */
#pragma once

#include "cli/cli.h"
#include "jose/jwk.h"

/* The public half, indented, with a final newline; an oct key as it is. */
struct slice jwk_public_text(struct arena *a, const struct jwk *jwk);
/* A private JWK, indented: a JWE (RFC 7516 7.2.2), or the JWK itself when the password is empty.
 * a holds the key in the clear: make it a secret arena. */
bool jwk_private_text(struct arena *a, const struct jwk *jwk, struct slice password,
                      struct slice *text, struct err *e) CHECKED;
