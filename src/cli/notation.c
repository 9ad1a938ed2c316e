/* Hexadecimal, four kinds of base64 and symbols, under all the names that are in use. */
#include "cli/notation.h"

#include "base/buf.h"

#define SYMBOLS_MAX (64u << 10)

static const struct notation NOTATIONS[] = {
    {"hex", NOTATION_HEX, BASE64_STD},
    {"base64", NOTATION_BASE64, BASE64_STD},
    {"base64-url", NOTATION_BASE64, BASE64_URL},
    {"base64url", NOTATION_BASE64, BASE64_URL},
    {"base64-raw", NOTATION_BASE64, BASE64_STD_RAW},
    {"base64-url-raw", NOTATION_BASE64, BASE64_URL_RAW},
    {"base64url-raw", NOTATION_BASE64, BASE64_URL_RAW},
    {"base64urlraw", NOTATION_BASE64, BASE64_URL_RAW},
    {"emoji", NOTATION_SYMBOLS, BASE64_STD},
    {"emojisum", NOTATION_SYMBOLS, BASE64_STD},
};

const struct notation *notation_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(NOTATIONS); i++) {
        if (slice_is_case(slice_text(name), NOTATIONS[i].name))
            return &NOTATIONS[i];
    }
    return NULL;
}

static struct slice symbols(struct arena *a, struct slice bytes)
{
    struct buf b = buf_new(a, SYMBOLS_MAX);

    for (size_t i = 0; i < bytes.n; i++)
        buf_text(&b, NOTATION_EMOJI[bytes.p[i]]);
    return buf_slice(&b);
}

struct slice notation_text(struct arena *a, const struct notation *n, struct slice bytes)
{
    if (n->kind == NOTATION_SYMBOLS)
        return symbols(a, bytes);
    return n->kind == NOTATION_HEX ? hex_text(a, bytes) : base64_text(a, n->form, bytes);
}
