/* Hexadecimal and four kinds of base64, under all the names that are in use. */
#include "cli/notation.h"

static const struct notation NOTATIONS[] = {
    {"hex", true, BASE64_STD},
    {"base64", false, BASE64_STD},
    {"base64-url", false, BASE64_URL},
    {"base64url", false, BASE64_URL},
    {"base64-raw", false, BASE64_STD_RAW},
    {"base64-url-raw", false, BASE64_URL_RAW},
    {"base64url-raw", false, BASE64_URL_RAW},
    {"base64urlraw", false, BASE64_URL_RAW},
};

const struct notation *notation_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(NOTATIONS); i++) {
        if (slice_is_case(slice_text(name), NOTATIONS[i].name))
            return &NOTATIONS[i];
    }
    return NULL;
}

struct slice notation_text(struct arena *a, const struct notation *n, struct slice bytes)
{
    return n->hex ? hex_text(a, bytes) : base64_text(a, n->form, bytes);
}
