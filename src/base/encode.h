/* Hexadecimal and base64 (RFC 4648). */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

struct slice hex_text(struct arena *a, struct slice bytes); /* lower case */
void hex_put(struct buf *b, struct slice bytes);
bool hex_read(struct arena *a, struct slice text, struct slice *bytes) CHECKED; /* either case */

enum base64_form {
    BASE64_STD,     /* '+' '/', padded; reading: padding required, strict */
    BASE64_STD_RAW, /* without padding */
    BASE64_URL,     /* '-' '_', padded */
    BASE64_URL_RAW, /* without padding: JOSE.  Reading refuses padding and non-zero spare bits */
    BASE64_PEM,     /* BASE64_STD; reading skips CR, LF, blanks and tabs */
};
struct slice base64_text(struct arena *a, enum base64_form form, struct slice bytes);
void base64_put(struct buf *b, enum base64_form form, struct slice bytes);
bool base64_read(struct arena *a, enum base64_form form, struct slice text,
                 struct slice *bytes) CHECKED;
