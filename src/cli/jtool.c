/*
 * Signing, verifying, showing and rewriting tokens.
 *
 * Two readers: jtool_jws_read judges what it reads and is the only one whose result is verified;
 * jtool_jws_look takes apart what is there, for `inspect` and `jose format`.
 */
#include "cli/jtool.h"

#include <stdlib.h>

#include "base/encode.h"
#include "x509/cert.h"

#define SHOWN_MAX    (64u << 20)
#define ALG_SHOWN    32u
#define COMPACT_MOST 5u

/* --- Signing ------------------------------------------------------------------------------ */

const struct flag JTOOL_SIGN_FLAGS[] = {
    {"x5c-cert", FLAG_FILE, "<chain>",
     "The certificate <chain> (leaf first) that goes into the header x5c. --key must be its key.",
     NULL, 0},
    {"x5t-cert", FLAG_FILE, "<file>",
     "The certificate <file> whose SHA-1 digest goes into the header x5t. --key must be its key.",
     NULL, 0},
    {"no-kid", FLAG_BOOL, NULL, "Do not put the key's name into the header.", NULL, FLAG_HIDDEN},
    {0}};

static int by_name(const void *left, const void *right)
{
    const struct json *a = *(const struct json *const *)left;
    const struct json *b = *(const struct json *const *)right;

    return slice_cmp(a->name, b->name);
}

void jtool_sort(struct arena *a, struct json *object)
{
    struct json **members = arena_array(a, object->n + 1, sizeof(struct json *));
    size_t n = 0;

    for (struct json *m = object->first; m; m = m->next)
        members[n++] = m;
    if (n)
        qsort(members, n, sizeof(struct json *), by_name);
    object->first = object->last = NULL;
    object->n = 0;
    for (size_t i = 0; i < n; i++)
        json_append(object, members[i]);
}

static bool leaf_fits(const struct cert *leaf, const struct jtool_key *key, const char *header,
                      struct err *e)
{
    if (!leaf->key || !key->jwk.key || !key_eq(leaf->key, key->jwk.key))
        return err_set(e, ERR_MALFORMED,
                       "error validating the certificate for the %s header: the private key does "
                       "not match the public key of the certificate",
                       header);
    if (!leaf->has_key_usage || !(leaf->key_usage & KU_DIGITAL_SIGNATURE))
        return err_set(e, ERR_MALFORMED,
                       "error validating the certificate for the %s header: its key usage is not "
                       "approved for digital signature (RFC 5280 4.2.1.3)",
                       header);
    return true;
}

static bool put_x5c(struct invocation *inv, const struct jtool_key *key, struct json *header)
{
    bool unchecked = flag_listed(inv, "x5c-insecure") && flag_bool(inv, "x5c-insecure");
    struct cert_list chain;

    if (!cert_list_load(inv->arena, flag_text(inv, "x5c-cert"), &chain, &inv->err) ||
        !leaf_fits(chain.v[0], key, "x5c", &inv->err))
        return false;
    struct json *list = json_make_list(inv->arena);
    for (size_t i = 0; i < chain.n; i++)
        json_append(
            list, json_make_text(inv->arena, base64_text(inv->arena, BASE64_STD, chain.v[i]->der)));
    json_set_exact(header, inv->arena, unchecked ? "x5cInsecure" : "x5c", list);
    return true;
}

/* RFC 7515 4.1.7 wants no padding; who reads it may compare with what the reference writes, and
 * its padding is dropped by every base64url reader. */
static bool put_x5t(struct invocation *inv, const struct jtool_key *key, struct json *header)
{
    struct cert_list chain;

    if (!cert_list_load(inv->arena, flag_text(inv, "x5t-cert"), &chain, &inv->err) ||
        !leaf_fits(chain.v[0], key, "x5t", &inv->err))
        return false;
    struct slice sha1 = digest_bytes(inv->arena, DIGEST_SHA1, chain.v[0]->der);
    json_set_exact(header, inv->arena, "x5t",
                   json_make_text(inv->arena, base64_text(inv->arena, BASE64_URL, sha1)));
    return true;
}

static bool has_text(const struct invocation *inv, const char *flag)
{
    const char *text = flag_text(inv, flag);

    return text && *text;
}

bool jtool_sign(struct invocation *inv, const struct jtool_key *key, struct json *header,
                struct slice payload, struct slice *token)
{
    enum jws_alg alg = jws_alg_of(slice_text(key->alg));
    struct buf text = buf_new(inv->arena, TOKEN_MAX * 16);

    json_set_exact(header, inv->arena, "alg", json_make_text(inv->arena, slice_text(key->alg)));
    if (key->jwk.kid.n && !flag_bool(inv, "no-kid") && !json_get_exact(header, "kid"))
        json_set_exact(header, inv->arena, "kid", json_make_text(inv->arena, key->jwk.kid));
    if ((has_text(inv, "x5c-cert") && !put_x5c(inv, key, header)) ||
        (has_text(inv, "x5t-cert") && !put_x5t(inv, key, header)))
        return false;
    jtool_sort(inv->arena, header);
    json_print(&text, header, NULL);
    if (!buf_done(&text, "header", &inv->err))
        return false;
    if (!key->jwk.secret)
        return jws_sign_hmac(inv->arena, buf_slice(&text), payload, key->jwk.octets, alg, token,
                             &inv->err);
    struct signer *s = signer_local(inv->arena, key->jwk.secret, key->file);
    return jws_sign(inv->arena, buf_slice(&text), payload, s, alg, DEADLINE_NONE, token, &inv->err);
}

/* --- Reading ------------------------------------------------------------------------------ */

static size_t count(struct slice s, uint8_t byte)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == byte;
    return n;
}

/* Pasted tokens come with line ends in them. */
static struct slice without_space(struct arena *a, struct slice text)
{
    struct buf b = buf_new(a, text.n + 1);

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != ' ' && !(text.p[i] >= '\t' && text.p[i] <= '\r'))
            buf_byte(&b, text.p[i]);
    }
    return buf_slice(&b);
}

static bool three_parts(struct slice text, struct err *e)
{
    return count(text, '.') == 2 ||
           err_set(e, ERR_MALFORMED, "compact JWS format must have three parts");
}

bool jtool_jws_read(struct arena *a, struct slice text, struct jws *jws, struct err *e)
{
    bool good;

    text = slice_trim(text);
    if (slice_starts(text, "{"))
        good = jws_read_json(a, text, jws, e);
    else
        good = three_parts(text, e) && jws_read(a, text, jws, e);
    return good || err_wrap(e, "error parsing token");
}

/* Other encoders pad. */
static struct slice unpadded(struct slice text)
{
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    return text;
}

static bool decode(struct arena *a, struct slice text, const char *what, struct slice *bytes,
                   struct err *e)
{
    return base64_read(a, BASE64_URL_RAW, unpadded(text), bytes) ||
           err_set(e, ERR_MALFORMED, "RFC 7515 2: the %s is not base64url", what);
}

static bool decode_header(struct arena *a, struct slice text, struct json **header, struct err *e)
{
    struct slice bytes;

    if (!decode(a, text, "header", &bytes, e))
        return false;
    *header = json_read(a, bytes, &JSON_JOSE, NULL, e);
    if (!*header)
        return err_wrap(e, "header");
    return (*header)->kind == JSON_OBJECT ||
           err_set(e, ERR_MALFORMED, "RFC 7515 4: the header is not a JSON object");
}

/* Header, payload and signature as they stand in the text. */
struct parts {
    struct slice header, payload, signature;
};

static bool parts_of_json(struct arena *a, struct slice text, struct parts *p, struct err *e)
{
    const struct json *whole = json_read(a, text, &JSON_JOSE, NULL, e);
    const struct json *holder = whole;

    if (!whole)
        return false;
    const struct json *list = json_get_exact(whole, "signatures");
    if (list && (list->kind != JSON_LIST || list->n != 1))
        return err_set(e, ERR_MALFORMED, "expected exactly one signature");
    if (list)
        holder = list->first;
    p->header = json_text(json_get_exact(holder, "protected"));
    p->payload = json_text(json_get_exact(whole, "payload"));
    p->signature = json_text(json_get_exact(holder, "signature"));
    if (!p->payload.p)
        return err_set(e, ERR_MALFORMED, "missing payload in JWS message");
    if (!p->header.p || !p->signature.p)
        return err_set(e, ERR_MALFORMED,
                       "RFC 7515 7.2: expected 'protected', 'payload' and 'signature'");
    return true;
}

static bool parts_of_compact(struct arena *a, struct slice text, struct parts *p, struct err *e)
{
    text = without_space(a, text);
    if (!three_parts(text, e))
        return false;
    return slice_split(&text, '.', &p->header) && slice_split(&text, '.', &p->payload) &&
           ((p->signature = text), true);
}

bool jtool_jws_look(struct arena *a, struct slice text, struct jws *jws, struct err *e)
{
    struct parts p;

    text = slice_trim(text);
    *jws = (struct jws){.text = text};
    if ((slice_starts(text, "{") ? parts_of_json(a, text, &p, e)
                                 : parts_of_compact(a, text, &p, e)) &&
        decode_header(a, p.header, &jws->header, e) &&
        decode(a, p.payload, "payload", &jws->payload, e) &&
        decode(a, p.signature, "signature", &jws->signature, e))
        return true;
    return err_wrap(e, "error parsing token");
}

/* --- Verifying ---------------------------------------------------------------------------- */

bool jtool_verify(const struct jws *jws, const struct jtool_key *key, const char *what,
                  struct err *e)
{
    struct slice alg = json_text(json_get_exact(jws->header, "alg"));

    /* jws->alg is JWS_NONE for "none" and for what we do not know. */
    if (!slice_is(alg, key->alg) || jws->alg == JWS_NONE)
        return err_set(e, ERR_UNAUTHORIZED, "alg %s does not match the alg on %s (%.*s)", key->alg,
                       what, SLICE_ARG(slice_sub(alg, 0, ALG_SHOWN)));
    if (key->jwk.key ? jws_verify(jws, key->jwk.key, NULL)
                     : jws_verify_hmac(jws, key->jwk.octets, NULL))
        return true;
    return err_set(e, ERR_UNAUTHORIZED, "validation failed: invalid signature");
}

/* --- Showing ------------------------------------------------------------------------------ */

struct slice jtool_show(struct arena *a, const struct jws *jws, const struct json *payload)
{
    struct json *show = json_make_object(a);
    struct buf b = buf_new(a, SHOWN_MAX);

    json_set_exact(show, a, "header", json_copy(a, jws->header));
    json_set_exact(show, a, "payload",
                   payload ? json_copy(a, payload)
                           : json_make_text(a, base64_text(a, BASE64_URL_RAW, jws->payload)));
    json_set_exact(show, a, "signature",
                   json_make_text(a, base64_text(a, BASE64_URL_RAW, jws->signature)));
    json_print(&b, show, "  ");
    buf_byte(&b, '\n');
    return buf_slice(&b);
}

/* --- The other serialization -------------------------------------------------------------- */

static const char *const JWS_MEMBERS[] = {"protected", "payload", "signature"};
static const char *const JWE_MEMBERS[] = {"protected", "encrypted_key", "iv", "ciphertext", "tag"};

/* "payload", "protected", "signature" for a JWS: sorted; RFC 7516 7.2.2's order for a JWE. */
static struct slice flattened(struct arena *a, const struct slice *parts, size_t n)
{
    static const size_t JWS_ORDER[] = {1, 0, 2}, JWE_ORDER[] = {0, 1, 2, 3, 4};
    const char *const *names = n == 3 ? JWS_MEMBERS : JWE_MEMBERS;
    const size_t *order = n == 3 ? JWS_ORDER : JWE_ORDER;
    struct json *object = json_make_object(a);
    struct buf b = buf_new(a, SHOWN_MAX);

    for (size_t i = 0; i < n; i++) {
        /* An encrypted key that is empty is absent (RFC 7516 7.2.1). */
        if (n == COMPACT_MOST && order[i] == 1 && !parts[1].n)
            continue;
        json_set_exact(object, a, names[order[i]], json_make_text(a, parts[order[i]]));
    }
    json_print(&b, object, NULL);
    return buf_slice(&b);
}

static bool all_decode(struct arena *a, const struct slice *parts, size_t n, struct err *e)
{
    struct json *header;
    struct slice bytes;

    for (size_t i = 1; i < n; i++) {
        if (!decode(a, parts[i], n == 3 ? JWS_MEMBERS[i] : JWE_MEMBERS[i], &bytes, e))
            return false;
    }
    return decode_header(a, parts[0], &header, e);
}

static bool swap_compact(struct arena *a, struct slice text, struct slice *swapped, struct err *e)
{
    struct slice parts[COMPACT_MOST];
    size_t n = 0, periods = count(text, '.');

    if (periods != 2 && periods != 4)
        return err_set(e, ERR_MALFORMED,
                       "compact JWS format must have three parts, and JWE five; found %zu",
                       periods + 1);
    while (n < periods + 1) {
        size_t end = slice_find(text, '.');
        parts[n++] = unpadded(slice_sub(text, 0, end));
        text = slice_from(text, end + 1);
    }
    if (!all_decode(a, parts, n, e))
        return false;
    *swapped = flattened(a, parts, n);
    return true;
}

/* What compact has no place for would be lost. */
static bool only_known(const struct json *object, const char *const *names, size_t n, struct err *e)
{
    for (const struct json *m = object->first; m; m = m->next) {
        bool known = false;
        for (size_t i = 0; i < n; i++)
            known |= slice_is(m->name, names[i]);
        if (!known)
            return err_set(e, ERR_MALFORMED, "'%.*s' has no place in the compact form",
                           SLICE_ARG(slice_sub(m->name, 0, ALG_SHOWN)));
    }
    return true;
}

/* The general form with one signature or recipient, as the flattened one (RFC 7515 7.2.2). */
static bool flatten(struct arena *a, struct json *whole, const char *list_name, struct err *e)
{
    const struct json *list = json_get_exact(whole, list_name);

    if (!list)
        return true;
    if (list->kind != JSON_LIST || list->n != 1 || list->first->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "'%s': the compact form has exactly one", list_name);
    for (const struct json *m = list->first->first; m; m = m->next) {
        struct json *copy = json_copy(a, m);
        copy->name = m->name;
        json_append(whole, copy);
    }
    (void)json_remove_exact(whole, list_name);
    return true;
}

static bool swap_json(struct arena *a, struct slice text, struct slice *swapped, struct err *e)
{
    struct json *whole = json_read(a, text, &JSON_JOSE, NULL, e);
    struct slice parts[COMPACT_MOST];
    struct buf b = buf_new(a, SHOWN_MAX);

    if (!whole)
        return false;
    bool jwe = json_get_exact(whole, "ciphertext");
    const char *const *names = jwe ? JWE_MEMBERS : JWS_MEMBERS;
    size_t n = jwe ? COUNT_OF(JWE_MEMBERS) : COUNT_OF(JWS_MEMBERS);
    if (!jwe && !json_get_exact(whole, "payload"))
        return err_set(e, ERR_MALFORMED, "missing payload in JWS message");
    if (!flatten(a, whole, jwe ? "recipients" : "signatures", e) || !only_known(whole, names, n, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        parts[i] = json_text(json_get_exact(whole, names[i]));
        bool may_miss = jwe && i == 1;
        if (!parts[i].p && !may_miss)
            return err_set(e, ERR_MALFORMED, "expected a text as '%s'", names[i]);
        parts[i] = unpadded(parts[i]);
        if (i)
            buf_byte(&b, '.');
        buf_put(&b, parts[i]);
    }
    *swapped = buf_slice(&b);
    return all_decode(a, parts, n, e) && buf_done(&b, "token", e);
}

bool jtool_swap(struct arena *a, struct slice text, struct slice *swapped, struct err *e)
{
    text = without_space(a, text);
    return (slice_starts(text, "{") ? swap_json(a, text, swapped, e)
                                    : swap_compact(a, text, swapped, e)) ||
           err_wrap(e, "error parsing data");
}
