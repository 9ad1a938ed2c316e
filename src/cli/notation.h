/* Notations of a digest, as --format names them. */
#pragma once

#include "base/encode.h"

#define NOTATION_NAMES "hex, base64, base64-url, base64-raw, base64-url-raw, emoji"

struct notation {
    const char *name;
    enum { NOTATION_BASE64, NOTATION_HEX, NOTATION_SYMBOLS } kind;
    enum base64_form form;
};
/* Ignoring case; NULL for another name. */
const struct notation *notation_named(const char *name);
struct slice notation_text(struct arena *a, const struct notation *n, struct slice bytes);
/* The symbol of a byte. */
extern const char *const NOTATION_EMOJI[256];
