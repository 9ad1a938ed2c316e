/*
 * JSON Web Encryption (RFC 7516): the serializations, and the order of the steps.  Keys are the
 * business of jwe_key.c, content of jwe_content.c.
 *
 * Reading looks at no key.  The header that comes out is the union of the protected header and the
 * unprotected ones, whose names must not overlap (RFC 7516 7.2.1).  Members of an unprotected one
 * may steer decryption too: whoever changes them gets another key, and then the tag does not fit.
 */
#include "jose/jwe.h"

#include "base/clock.h"
#include "base/encode.h"
#include "crypto/secret.h"
#include "jose/jwe_part.h"
#include "jose/part.h"

#define HEADER_MAX 64u
#define SHOWN      32u /* how much of a stranger's text an error repeats */

/* --- What it looks like ----------------------------------------------------------------------- */

static bool has_member_ciphertext(struct slice text)
{
    static const struct slice NAME = {(const uint8_t *)"\"ciphertext\"", 12};

    for (size_t at; (at = slice_search(text, NAME)) < text.n;) {
        text = slice_from(text, at + NAME.n);
        struct slice rest = slice_trim(text);
        if (rest.n && rest.p[0] == ':')
            return true;
    }
    return false;
}

static bool is_compact_byte(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ' ' || (c >= '\t' && c <= '\r');
}

bool jwe_looks_like(struct slice text)
{
    size_t periods = 0;

    text = slice_trim(text);
    if (text.n && text.p[0] == '{')
        return has_member_ciphertext(text);
    for (size_t i = 0; i < text.n; i++) {
        if (!is_compact_byte(text.p[i]))
            return false;
        periods += text.p[i] == '.';
    }
    return periods == 4;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static bool header_members(struct jwe *jwe, struct err *e)
{
    const struct json *h = jwe->header;

    if (h->n > HEADER_MAX)
        return err_set(e, ERR_MALFORMED, "JWE header: more than %u members", HEADER_MAX);
    for (const struct json *m = h->first; m; m = m->next)
        for (const struct json *other = m->next; other; other = other->next)
            if (slice_eq(m->name, other->name))
                return err_set(e, ERR_MALFORMED,
                               "JWE header: RFC 7516 7.2.1: a name stands in two headers");
    if (!jose_header_crit(h, "JWE header", e))
        return false;
    if (json_get_exact(h, "zip"))
        return err_set(e, ERR_MALFORMED,
                       "JWE header: RFC 7516 4.1.3: compressed content is not accepted");
    return jose_text_required(h, "alg", "JWE header", &jwe->alg, e) &&
           jose_text_required(h, "enc", "JWE header", &jwe->enc, e) &&
           jose_text(h, "kid", "JWE header", &jwe->kid, e) &&
           jose_text(h, "cty", "JWE header", &jwe->cty, e);
}

static bool read_compact(struct arena *a, struct slice text, struct jwe *jwe, struct err *e)
{
    struct slice parts[5], part;
    size_t n = 0;

    while (slice_split(&text, '.', &part)) {
        if (n == COUNT_OF(parts))
            return err_set(e, ERR_MALFORMED, "JWE: RFC 7516 7.1: more than five parts");
        parts[n++] = part;
    }
    if (n != COUNT_OF(parts))
        return err_set(e, ERR_MALFORMED, "JWE: RFC 7516 7.1: expected five parts, found %zu", n);
    jwe->protected_text = jwe->aad_text = parts[0];
    return jose_header_read(a, parts[0], "JWE header", &jwe->header, e) && header_members(jwe, e) &&
           jose_part(a, parts[1], "JWE encrypted key", &jwe->encrypted_key, e) &&
           jose_part(a, parts[2], "JWE initialization vector", &jwe->iv, e) &&
           jose_part(a, parts[3], "JWE ciphertext", &jwe->ciphertext, e) &&
           jose_part(a, parts[4], "JWE tag", &jwe->tag, e);
}

/* Where "header" and "encrypted_key" stand: in the object itself or in its only recipient. */
static bool recipient_of(const struct json *whole, const struct json **recipient, struct err *e)
{
    const struct json *list = json_get_exact(whole, "recipients");

    *recipient = whole;
    if (!list)
        return true;
    if (json_get_exact(whole, "header") || json_get_exact(whole, "encrypted_key"))
        return err_set(e, ERR_MALFORMED,
                       "JWE: RFC 7516 7.2.2: 'recipients' beside members of the flattened form");
    if (list->kind != JSON_LIST || list->n != 1 || list->first->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "JWE: expected exactly one recipient");
    *recipient = list->first;
    return true;
}

/* Moves the members of an unprotected header into the joined one. */
static bool join_header(struct json *header, const struct json *object, const char *name,
                        struct err *e)
{
    const struct json *more = json_get_exact(object, name);

    if (!more)
        return true;
    if (more->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "JWE: RFC 7516 7.2.1: expected an object as '%s'", name);
    if (!more->first)
        return true;
    if (header->n)
        header->last->next = more->first;
    else
        header->first = more->first;
    header->last = more->last;
    header->n += more->n;
    return true;
}

static bool joined_header(struct arena *a, const struct json *whole, const struct json *recipient,
                          struct jwe *jwe, struct err *e)
{
    struct slice text;

    if (!jose_text(whole, "protected", "JWE", &text, e))
        return false;
    jwe->protected_text = jose_unpad(text.p ? text : SLICE(""));
    if (jwe->protected_text.n == 0)
        jwe->header = json_make_object(a);
    else if (!jose_header_read(a, jwe->protected_text, "JWE header", &jwe->header, e))
        return false;
    return join_header(jwe->header, whole, "unprotected", e) &&
           join_header(jwe->header, recipient, "header", e) && header_members(jwe, e);
}

static bool member_part(struct arena *a, const struct json *object, const char *name, bool required,
                        struct slice *bytes, struct err *e)
{
    struct slice text;

    *bytes = SLICE("");
    if (!jose_text(object, name, "JWE", &text, e))
        return false;
    if (!text.p && required)
        return err_set(e, ERR_MALFORMED, "JWE: RFC 7516 7.2.1: '%s' is missing", name);
    return !text.p || jose_part_padded(a, text, "JWE", bytes, e);
}

/* RFC 7516 5.1 step 14: the protected header, and the aad behind a period when there is one. */
static bool authenticated(struct arena *a, const struct json *whole, struct jwe *jwe, struct err *e)
{
    struct slice aad, bytes;
    struct buf b = buf_new(a, JWE_MAX);

    jwe->aad_text = jwe->protected_text;
    if (!jose_text(whole, "aad", "JWE", &aad, e))
        return false;
    if (!aad.p)
        return true;
    aad = jose_unpad(aad);
    if (!jose_part(a, aad, "JWE aad", &bytes, e))
        return false;
    buf_put(&b, jwe->protected_text);
    buf_byte(&b, '.');
    buf_put(&b, aad);
    jwe->aad_text = buf_slice(&b);
    return buf_done(&b, "JWE aad", e);
}

static bool read_json(struct arena *a, struct slice text, struct jwe *jwe, struct err *e)
{
    const struct json *recipient;
    const struct json *whole = json_read(a, text, &JSON_JOSE, NULL, e);

    if (!whole)
        return err_wrap(e, "JWE");
    return recipient_of(whole, &recipient, e) && joined_header(a, whole, recipient, jwe, e) &&
           member_part(a, recipient, "encrypted_key", false, &jwe->encrypted_key, e) &&
           member_part(a, whole, "iv", false, &jwe->iv, e) &&
           member_part(a, whole, "ciphertext", true, &jwe->ciphertext, e) &&
           member_part(a, whole, "tag", false, &jwe->tag, e) && authenticated(a, whole, jwe, e);
}

bool jwe_read(struct arena *a, struct slice text, struct jwe *jwe, struct err *e)
{
    *jwe = (struct jwe){0};
    if (text.n > JWE_MAX)
        return err_set(e, ERR_TOO_LARGE, "JWE: more than %u bytes", JWE_MAX);
    text = jose_strip(a, text);
    if (text.n && text.p[0] == '{')
        return read_json(a, text, jwe, e);
    return read_compact(a, text, jwe, e);
}

/* --- Opening ---------------------------------------------------------------------------------- */

static bool methods(struct slice alg_name, struct slice enc_name, const struct jwe_alg **alg,
                    const struct jwe_enc **enc, struct err *e)
{
    *alg = jwe_alg_of(alg_name);
    *enc = jwe_enc_of(enc_name);
    if (!*alg)
        return err_set(e, ERR_MALFORMED, "JWE: RFC 7518 4.1: unknown algorithm '%.*s'",
                       SLICE_ARG(slice_sub(alg_name, 0, SHOWN)));
    if (!*enc)
        return err_set(e, ERR_MALFORMED, "JWE: RFC 7518 5.1: unknown content encryption '%.*s'",
                       SLICE_ARG(slice_sub(enc_name, 0, SHOWN)));
    return true;
}

static bool lengths_fit(const struct jwe *jwe, const struct jwe_alg *alg, const struct jwe_enc *enc,
                        struct err *e)
{
    if (jwe->iv.n != enc->iv || jwe->tag.n != enc->tag)
        return err_set(e, ERR_MALFORMED,
                       "JWE: RFC 7518 5: %s wants %zu bytes of initialization vector and %zu of "
                       "tag, found %zu and %zu",
                       enc->name, enc->iv, enc->tag, jwe->iv.n, jwe->tag.n);
    if (alg->no_cek && jwe->encrypted_key.n)
        return err_set(e, ERR_MALFORMED,
                       "JWE: RFC 7516 5.2: %s has no encrypted key, and there is one", alg->name);
    return true;
}

bool jwe_open(struct arena *a, const struct jwe *jwe, const struct jwe_key *key,
              struct slice *plain, struct err *e)
{
    const struct jwe_alg *alg;
    const struct jwe_enc *enc;
    struct slice cek;

    if (!methods(jwe->alg, jwe->enc, &alg, &enc, e) || !lengths_fit(jwe, alg, enc, e))
        return false;
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct jwe_unwrap unwrap = {secrets, jwe->header, jwe->encrypted_key, enc, key};
    if (!alg->open(alg, &unwrap, &cek, e))
        return false;
    struct jwe_content content = {jwe->iv, jwe->ciphertext, jwe->tag};
    return jwe_content_open(a, enc, cek, jwe->aad_text, &content, plain, e);
}

/* --- Sealing ---------------------------------------------------------------------------------- */

static void put_bytes(struct json_writer *w, struct arena *a, const char *name, struct slice bytes)
{
    if (bytes.n)
        json_member_text(w, name, base64_text(a, BASE64_URL_RAW, bytes));
}

/* Sorted by name. */
static struct slice protected_header(struct arena *a, const struct jwe_options *o,
                                     const struct jwe_wrap *wrap)
{
    struct buf b = buf_new(a, JWE_MAX);
    struct json_writer w = json_writer(&b);

    json_open(&w, NULL);
    json_member_text(&w, "alg", slice_text(o->alg));
    if (o->cty)
        json_member_text(&w, "cty", slice_text(o->cty));
    json_member_text(&w, "enc", slice_text(o->enc));
    if (wrap->epk)
        json_member_tree(&w, "epk", wrap->epk);
    put_bytes(&w, a, "iv", wrap->iv);
    if (wrap->key->kid.n)
        json_member_text(&w, "kid", wrap->key->kid);
    if (wrap->p2s.n)
        json_member_uint(&w, "p2c", wrap->p2c);
    put_bytes(&w, a, "p2s", wrap->p2s);
    put_bytes(&w, a, "tag", wrap->tag);
    if (o->typ)
        json_member_text(&w, "typ", slice_text(o->typ));
    json_close(&w);
    return base64_text(a, BASE64_URL_RAW, buf_slice(&b));
}

static void write_compact(struct buf *b, struct slice header, struct slice encrypted_key,
                          const struct jwe_content *c)
{
    const struct slice parts[] = {encrypted_key, c->iv, c->ciphertext, c->tag};

    buf_put(b, header);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        buf_byte(b, '.');
        base64_put(b, BASE64_URL_RAW, parts[i]);
    }
}

static void write_flattened(struct buf *b, struct slice header, struct slice encrypted_key,
                            const struct jwe_content *c)
{
    const struct {
        const char *name;
        struct slice bytes;
    } parts[] = {{"encrypted_key", encrypted_key},
                 {"iv", c->iv},
                 {"ciphertext", c->ciphertext},
                 {"tag", c->tag}};

    buf_text(b, "{\"protected\":\"");
    buf_put(b, header);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (i == 0 && !encrypted_key.n)
            continue;
        buf_printf(b, "\",\"%s\":\"", parts[i].name);
        base64_put(b, BASE64_URL_RAW, parts[i].bytes);
    }
    buf_text(b, "\"}");
}

bool jwe_seal(struct arena *a, const struct jwe_options *o, const struct jwe_key *key,
              struct slice plain, enum jwe_form form, struct slice *text, struct err *e)
{
    const struct jwe_alg *alg;
    const struct jwe_enc *enc;
    struct jwe_content content = {SLICE_NONE, SLICE_NONE, SLICE_NONE};

    if (!methods(slice_text(o->alg), slice_text(o->enc), &alg, &enc, e))
        return false;
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct jwe_wrap wrap = {
        .secrets = secrets, .enc = enc, .key = key, .p2c = o->p2c ? o->p2c : JWE_P2C_DEFAULT};
    if (wrap.p2c > JWE_P2C_MAX)
        return err_set(e, ERR_MALFORMED, "JWE: p2c of %u: nobody reads more than %u", wrap.p2c,
                       JWE_P2C_MAX);
    if (!alg->no_cek) {
        uint8_t *cek = arena_alloc(secrets, enc->cek);
        RNG_SYSTEM.fill(&RNG_SYSTEM, cek, enc->cek);
        wrap.cek = slice_of(cek, enc->cek);
    }
    if (!alg->seal(alg, &wrap, e))
        return err_wrap(e, "JWE");

    struct slice header = protected_header(a, o, &wrap);
    if (!jwe_content_seal(a, enc, wrap.cek, header, plain, &content, e))
        return err_wrap(e, "JWE");
    struct buf b = buf_new(a, JWE_MAX);
    if (form == JWE_COMPACT)
        write_compact(&b, header, wrap.encrypted_key, &content);
    else
        write_flattened(&b, header, wrap.encrypted_key, &content);
    *text = buf_slice(&b);
    return buf_done(&b, "JWE", e);
}
