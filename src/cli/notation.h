/* Notations of a digest, as --format names them. */
#pragma once

#include "base/encode.h"

#define NOTATION_NAMES "hex, base64, base64-url, base64-raw, base64-url-raw"

struct notation {
    const char *name;
    bool hex;
    enum base64_form form;
};
/* Ignoring case; NULL for another name. */
const struct notation *notation_named(const char *name);
struct slice notation_text(struct arena *a, const struct notation *n, struct slice bytes);
