/*
 * What the readers of this floor share.  Not for other floors: nothing outside src/jose includes
 * this file.
 *
 * A "part" is one base64url text of a JOSE object.  `what` names the object and the part for error
 * texts: "JWS header".
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "json/json.h"

/* Without white space anywhere, Unicode's included: tokens are pasted out of mails and terminals.
 * The same bytes when there is none. */
struct slice jose_strip(struct arena *a, struct slice text);

/* base64url, strict: no padding, no spare bits (RFC 7515 2). */
bool jose_part(struct arena *a, struct slice text, const char *what, struct slice *bytes,
               struct err *e) CHECKED;
/* The same, but padding is dropped first: members of JSON objects, where other people's encoders
 * leave it. */
bool jose_part_padded(struct arena *a, struct slice text, const char *what, struct slice *bytes,
                      struct err *e) CHECKED;
/* Without '=' at the end, at most two of them. */
struct slice jose_unpad(struct slice text);

/* A protected header: base64url of a JSON object, no name twice. */
bool jose_header_read(struct arena *a, struct slice text, const char *what, struct json **header,
                      struct err *e) CHECKED;
/* "crit" names extensions that must be understood (RFC 7515 4.1.11); none is, so its presence is
 * refused.  "b64": false (RFC 7797) needs it, and is refused without it too. */
bool jose_header_crit(const struct json *header, const char *what, struct err *e) CHECKED;
/* A text member by its exact name.  Absent or null: SLICE_NONE. */
bool jose_text(const struct json *object, const char *name, const char *what, struct slice *text,
               struct err *e) CHECKED;
/* The same, but it must be there. */
bool jose_text_required(const struct json *object, const char *name, const char *what,
                        struct slice *text, struct err *e) CHECKED;
