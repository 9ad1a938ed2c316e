/*
 * The smallest pieces of JOSE objects: white space, base64url, headers.  Nothing here knows what a
 * signature or a key is.
 */
#include "jose/part.h"

#include "base/encode.h"
#include "json/utf8.h"

/* --- White space ----------------------------------------------------------------------------- */

static bool is_ascii_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Length of the Unicode White_Space character at p in UTF-8, 0 when it is something else. */
static size_t unicode_space(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t bytes[3], n, last; /* the last byte runs from bytes[n - 1] to last */
    } SPACES[] = {
        {{0xc2, 0x85}, 2, 0x85},       {{0xc2, 0xa0}, 2, 0xa0},       {{0xe1, 0x9a, 0x80}, 3, 0x80},
        {{0xe2, 0x80, 0x80}, 3, 0x8a}, {{0xe2, 0x80, 0xa8}, 3, 0xa9}, {{0xe2, 0x80, 0xaf}, 3, 0xaf},
        {{0xe2, 0x81, 0x9f}, 3, 0x9f}, {{0xe3, 0x80, 0x80}, 3, 0x80},
    };

    for (size_t i = 0; i < COUNT_OF(SPACES); i++) {
        size_t head = SPACES[i].n - 1u;
        if (n > head && memcmp(p, SPACES[i].bytes, head) == 0 && p[head] >= SPACES[i].bytes[head] &&
            p[head] <= SPACES[i].last)
            return SPACES[i].n;
    }
    return 0;
}

static size_t space_at(const uint8_t *p, size_t n)
{
    if (*p < 0x80)
        return is_ascii_space(*p);
    return unicode_space(p, n);
}

/* How many bytes at the start are no white space. */
static size_t run_without_space(struct slice s)
{
    size_t n = 0;

    while (n < s.n) {
        uint64_t v = s.n - n >= 8 ? eight_bytes(s.p + n) : 0;
        if (!(any_beyond_ascii(v) | any_below(v, ' ' + 1)))
            n += 8;
        else if (space_at(s.p + n, s.n - n))
            break;
        else
            n++;
    }
    return n;
}

struct slice jose_strip(struct arena *a, struct slice text)
{
    size_t run = run_without_space(text), n = 0;

    if (run == text.n)
        return text;
    uint8_t *out = arena_alloc(a, text.n);
    for (struct slice rest = text; rest.n > 0; run = run_without_space(rest)) {
        if (run)
            memcpy(out + n, rest.p, run);
        n += run;
        rest = slice_from(rest, run);
        if (rest.n > 0)
            rest = slice_from(rest, space_at(rest.p, rest.n));
    }
    return slice_of(out, n);
}

/* --- Parts ----------------------------------------------------------------------------------- */

bool jose_part(struct arena *a, struct slice text, const char *what, struct slice *bytes,
               struct err *e)
{
    if (base64_read(a, BASE64_URL_RAW, text, bytes))
        return true;
    return err_set(e, ERR_MALFORMED, "%s: RFC 7515 2: not base64url without padding", what);
}

struct slice jose_unpad(struct slice text)
{
    for (unsigned i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++)
        text.n--;
    return text;
}

bool jose_part_padded(struct arena *a, struct slice text, const char *what, struct slice *bytes,
                      struct err *e)
{
    return jose_part(a, jose_unpad(text), what, bytes, e);
}

/* --- Headers --------------------------------------------------------------------------------- */

bool jose_header_read(struct arena *a, struct slice text, const char *what, struct json **header,
                      struct err *e)
{
    struct slice bytes;

    if (!jose_part(a, text, what, &bytes, e))
        return false;
    *header = json_read(a, bytes, &JSON_JOSE, NULL, e);
    if (!*header)
        return err_wrap(e, "%s", what);
    if ((*header)->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "%s: RFC 7515 4: expected a JSON object", what);
    return true;
}

bool jose_header_crit(const struct json *header, const char *what, struct err *e)
{
    const struct json *b64 = json_get_exact(header, "b64");

    if (json_get_exact(header, "crit"))
        return err_set(e, ERR_MALFORMED,
                       "%s: RFC 7515 4.1.11: 'crit' asks for extensions, and none is understood",
                       what);
    if (b64 && !(b64->kind == JSON_BOOL && b64->truth))
        return err_set(e, ERR_MALFORMED,
                       "%s: RFC 7797 3: a payload that is not base64url is not accepted", what);
    return true;
}

bool jose_text(const struct json *object, const char *name, const char *what, struct slice *text,
               struct err *e)
{
    const struct json *v = json_get_exact(object, name);

    *text = SLICE_NONE;
    if (!v || v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_TEXT)
        return err_set(e, ERR_MALFORMED, "%s: expected a text as '%s'", what, name);
    *text = json_text(v);
    return true;
}

bool jose_text_required(const struct json *object, const char *name, const char *what,
                        struct slice *text, struct err *e)
{
    if (!jose_text(object, name, what, text, e))
        return false;
    if (!text->p)
        return err_set(e, ERR_MALFORMED, "%s: '%s' is missing", what, name);
    return true;
}
