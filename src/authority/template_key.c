/*
 * Values of templates that are more than they look like: public keys, which are asked for their
 * type; algorithms, numbers that print as words; OIDs, lists that print with dots; serial numbers,
 * which no machine word holds.
 */
#include "authority/template_objects.h"

#define METHOD(name)                                                                               \
    static bool name(struct trun *run UNUSED, const struct tvalue *self,                           \
                     const struct tvalue *args UNUSED, struct tvalue *out)

/* What the type itself prints. */
METHOD(own_text)
{
    struct buf b = buf_new(trun_arena(run), 64u << 10);

    if (!self->type->text(self, &b) || b.failed)
        return trun_fail(run, "the text is too long");
    *out = tvalue_text(buf_slice(&b));
    return true;
}
static const struct tmethod STRING_METHOD[] = {{"String", "", own_text}};

/* --- Keys ------------------------------------------------------------------------------------ */

METHOD(key_size)
{
    const struct key *k = self->self;

    *out = tvalue_int((int64_t)(k->bits + 7) / 8);
    return true;
}
static const struct tmethod RSA_METHODS[] = {{"Size", "", key_size}};
static const struct ttype RSA_TYPE = {.name = "*rsa.PublicKey",
                                      .kind = "ptr",
                                      .is = T_OBJECT,
                                      .methods = RSA_METHODS,
                                      .n_methods = COUNT_OF(RSA_METHODS)};
static const struct ttype EC_TYPE = {.name = "*ecdsa.PublicKey", .kind = "ptr", .is = T_OBJECT};
static const struct ttype ED_TYPE = {.name = "ed25519.PublicKey", .kind = "slice", .is = T_OBJECT};

struct tvalue tobject_key(const struct key *k)
{
    if (!k)
        return tvalue_nil();
    return tvalue_object(k->type == KEY_RSA ? &RSA_TYPE : key_is_ec(k) ? &EC_TYPE : &ED_TYPE, k);
}

/* --- Algorithms ------------------------------------------------------------------------------ */

/* The number where there is no word for it. */
static bool put_word(const struct tvalue *v, const char *const *words, size_t n, struct buf *out)
{
    if (v->i > 0 && (uint64_t)v->i < n && words[v->i])
        buf_text(out, words[v->i]);
    else
        buf_printf(out, "%lld", (long long)v->i);
    return true;
}

static bool key_algorithm_text(const struct tvalue *v, struct buf *out)
{
    static const char *const WORDS[] = {NULL, "RSA", "DSA", "ECDSA", "Ed25519"};

    return put_word(v, WORDS, COUNT_OF(WORDS), out);
}

static bool signature_algorithm_text(const struct tvalue *v, struct buf *out)
{
    static const char *const WORDS[] = {
        NULL,           "MD2-RSA",       "MD5-RSA",       "SHA1-RSA",
        "SHA256-RSA",   "SHA384-RSA",    "SHA512-RSA",    "DSA-SHA1",
        "DSA-SHA256",   "ECDSA-SHA1",    "ECDSA-SHA256",  "ECDSA-SHA384",
        "ECDSA-SHA512", "SHA256-RSAPSS", "SHA384-RSAPSS", "SHA512-RSAPSS",
        "Ed25519"};

    return put_word(v, WORDS, COUNT_OF(WORDS), out);
}

static const struct ttype KEY_ALGORITHM = {.name = "x509.PublicKeyAlgorithm",
                                           .kind = "int",
                                           .is = T_INT,
                                           .text = key_algorithm_text,
                                           .methods = STRING_METHOD,
                                           .n_methods = COUNT_OF(STRING_METHOD)};
static const struct ttype SIGNATURE_ALGORITHM = {.name = "x509.SignatureAlgorithm",
                                                 .kind = "int",
                                                 .is = T_INT,
                                                 .text = signature_algorithm_text,
                                                 .methods = STRING_METHOD,
                                                 .n_methods = COUNT_OF(STRING_METHOD)};

struct tvalue tobject_key_algorithm(const struct key *k)
{
    int64_t number = !k ? 0 : k->type == KEY_RSA ? 1 : key_is_ec(k) ? 3 : 4;

    return (struct tvalue){.kind = T_INT, .type = &KEY_ALGORITHM, .i = number};
}

struct tvalue tobject_signature_algorithm(struct sig_alg alg)
{
    static const struct {
        enum sig_scheme scheme;
        enum digest digest;
        int number;
    } NUMBERS[] = {{SIG_RSA_PKCS1, DIGEST_SHA1, 3},   {SIG_RSA_PKCS1, DIGEST_SHA256, 4},
                   {SIG_RSA_PKCS1, DIGEST_SHA384, 5}, {SIG_RSA_PKCS1, DIGEST_SHA512, 6},
                   {SIG_ECDSA, DIGEST_SHA1, 9},       {SIG_ECDSA, DIGEST_SHA256, 10},
                   {SIG_ECDSA, DIGEST_SHA384, 11},    {SIG_ECDSA, DIGEST_SHA512, 12},
                   {SIG_RSA_PSS, DIGEST_SHA256, 13},  {SIG_RSA_PSS, DIGEST_SHA384, 14},
                   {SIG_RSA_PSS, DIGEST_SHA512, 15},  {SIG_ED25519, DIGEST_NONE, 16}};
    struct tvalue v = {.kind = T_INT, .type = &SIGNATURE_ALGORITHM};

    for (size_t i = 0; i < COUNT_OF(NUMBERS); i++)
        if (NUMBERS[i].scheme == alg.scheme && NUMBERS[i].digest == alg.digest)
            v.i = NUMBERS[i].number;
    return v;
}

/* --- OIDs ------------------------------------------------------------------------------------ */

static bool oid_own_text(const struct tvalue *v, struct buf *out)
{
    for (size_t i = 0; v->list && i < v->list->n; i++)
        buf_printf(out, "%s%lld", i ? "." : "", (long long)v->list->items[i].i);
    return true;
}

static const struct ttype OID_TYPE = {.name = "asn1.ObjectIdentifier",
                                      .kind = "slice",
                                      .is = T_LIST,
                                      .elem = &TTYPE_INT,
                                      .plain = &TTYPE_INTS,
                                      .text = oid_own_text,
                                      .methods = STRING_METHOD,
                                      .n_methods = COUNT_OF(STRING_METHOD)};
static const struct ttype OIDS_TYPE = {
    .name = "[]asn1.ObjectIdentifier", .kind = "slice", .is = T_LIST, .elem = &OID_TYPE};

struct tvalue tobject_oid(struct arena *a, struct slice content)
{
    struct slice text = oid_text(a, content), arc;
    struct tvalue v = tvalue_list(a, &OID_TYPE, content.n + 1);
    size_t n = 0;

    while (n <= content.n && slice_split(&text, '.', &arc)) {
        uint64_t number;
        if (!slice_to_u64(arc, &number) || number > INT64_MAX)
            break;
        v.list->items[n++] = tvalue_int((int64_t)number);
    }
    v.list->n = n;
    return v;
}

struct tvalue tobject_oids(struct arena *a, const struct slice *v, size_t n)
{
    if (n == 0)
        return (struct tvalue){.kind = T_LIST, .type = &OIDS_TYPE};
    struct tvalue list = tvalue_list(a, &OIDS_TYPE, n);
    for (size_t i = 0; i < n; i++)
        list.list->items[i] = tobject_oid(a, v[i]);
    return list;
}

/* --- Whole numbers of any size --------------------------------------------------------------- */

#define BASE_MAX 62

/* Digits by repeated division, the last one first. */
static bool put_number(struct slice magnitude, unsigned base, struct buf *out)
{
    static const char DIGITS[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    uint8_t rest[64], text[8 * sizeof(rest)];
    size_t at = sizeof(text), n = magnitude.n;
    bool more = true;

    if (n > sizeof(rest))
        return false;
    if (n > 0)
        memcpy(rest, magnitude.p, n);
    while (more && at > 0) {
        unsigned carry = 0;
        more = false;
        for (size_t i = 0; i < n; i++) {
            unsigned part = carry << 8 | rest[i];
            rest[i] = (uint8_t)(part / base);
            carry = part % base;
            more = more || rest[i] != 0;
        }
        text[--at] = (uint8_t)DIGITS[carry];
    }
    buf_put(out, slice_of(text + at, sizeof(text) - at));
    return true;
}

static bool big_own_text(const struct tvalue *v, struct buf *out)
{
    return put_number(*(const struct slice *)v->self, 10, out);
}

static bool big_verb(const struct tvalue *v, uint32_t verb, struct buf *out)
{
    static const struct {
        uint32_t verb;
        unsigned base;
    } BASES[] = {{'b', 2}, {'o', 8}, {'d', 10}, {'x', 16}};

    for (size_t i = 0; i < COUNT_OF(BASES); i++)
        if (BASES[i].verb == verb)
            return put_number(*(const struct slice *)v->self, BASES[i].base, out);
    return false;
}

METHOD(big_text)
{
    struct buf b = buf_new(trun_arena(run), 4096);
    int64_t base = args[0].i;

    if (base < 2 || base > BASE_MAX)
        return trun_fail(run, "invalid base %lld", (long long)base);
    if (!put_number(*(const struct slice *)self->self, (unsigned)base, &b) || b.failed)
        return trun_fail(run, "the number is too large");
    *out = tvalue_text(buf_slice(&b));
    return true;
}

METHOD(big_bytes)
{
    struct slice all = *(const struct slice *)self->self;

    *out = tvalue_bytes(all.n == 1 && all.p[0] == 0 ? slice_of(all.p, 0) : all);
    return true;
}

static const struct tmethod BIG_METHODS[] = {
    {"Bytes", "", big_bytes}, {"String", "", own_text}, {"Text", "i", big_text}};
static const struct ttype BIG_TYPE = {.name = "*big.Int",
                                      .kind = "ptr",
                                      .is = T_OBJECT,
                                      .text = big_own_text,
                                      .verb = big_verb,
                                      .json = big_own_text,
                                      .methods = BIG_METHODS,
                                      .n_methods = COUNT_OF(BIG_METHODS)};

struct tvalue tobject_big(const struct slice *magnitude)
{
    return tvalue_object(&BIG_TYPE, magnitude);
}
