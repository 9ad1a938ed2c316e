/* JWKs as files. */
#include "cli/jwk_files.h"

#include "jose/jwe.h"

#define JWK_TEXT_MAX (2u << 20)

static struct slice indented(struct arena *a, const struct json *v)
{
    struct buf b = buf_new(a, JWK_TEXT_MAX);

    json_print(&b, v, "  ");
    buf_byte(&b, '\n');
    return buf_slice(&b);
}

struct slice jwk_public_text(struct arena *a, const struct jwk *jwk)
{
    return indented(a, jwk_json(a, jwk, jwk->kty == JWK_OCT));
}

bool jwk_private_text(struct arena *a, const struct jwk *jwk, struct slice password,
                      struct slice *text, struct err *e)
{
    struct slice jwe;

    if (!password.n) {
        *text = indented(a, jwk_json(a, jwk, true));
        return true;
    }
    if (!jwe_seal_jwk(a, jwk, password, JWE_FLATTENED, &jwe, e))
        return false;
    const struct json *v = json_read(a, jwe, &JSON_STRICT, NULL, e);
    if (!v)
        return false;
    *text = indented(a, json_copy(a, v));
    return true;
}
