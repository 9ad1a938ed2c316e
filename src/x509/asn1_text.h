/* The value of an otherName from its text form (RFC 5280 4.2.1.6; docs/reference/templates.md
 * "Certificate JSON"). */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* "[type:]value" -> [0] EXPLICIT of one DER element.  Types: printable (the default),
 * utf8, ia5, numeric, int, oid, bool, utc, generalized, raw (base64 of DER, which may have the [0]
 * already).  ERR_MALFORMED. */
bool asn1_text_put(struct arena *a, struct buf *b, struct slice text, struct err *e) CHECKED;
