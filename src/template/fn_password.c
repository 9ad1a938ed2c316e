/*
 * Password hashes, which burn time and memory by design, and what is handed in: names from DNS,
 * keys and certificates.  All of it is off unless the options allow it.
 */
#include <crypt.h>

#include "base/encode.h"
#include "crypto/cipher.h"
#include "crypto/digest.h"
#include "crypto/keyfile.h"
#include "template/internal.h"

#define BCRYPT_MAX 72u /* the algorithm sees no more */

static bool bcrypt(struct trun *run, struct slice password, struct slice *hash)
{
    struct crypt_data *data;
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    char salt[16];

    if (password.n > BCRYPT_MAX) {
        *hash = SLICE("failed to encrypt string with bcrypt: "
                      "bcrypt: password length exceeds 72 bytes");
        return true;
    }
    if (slice_has_nul(password))
        return run_fail(run, "bcrypt: a password with a NUL byte");
    run->rng->fill(run->rng, salt, sizeof(salt));
    if (!crypt_gensalt_rn("$2b$", 10, salt, sizeof(salt), setting, sizeof(setting)))
        return run_fail(run, "bcrypt: the system's crypt library does not know it");
    data = run_alloc(run, sizeof(*data));
    char *made = crypt_rn(arena_cstr(run->a, password), setting, data, (int)sizeof(*data));
    if (!made || made[0] != '$')
        return run_fail(run, "bcrypt: the system's crypt library does not know it");
    made[2] = 'a'; /* the same for what is no bug of old implementations */
    *hash = arena_copy(run->a, slice_text(made));
    return true;
}

static bool fn_bcrypt(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice hash;

    (void)n;
    if (!bcrypt(run, args[0].text, &hash))
        return false;
    *out = tvalue_text(hash);
    return true;
}

static bool fn_htpasswd(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice user = args[0].text, password = args[1].text, hash;
    struct buf b = run_buf(run);

    if (slice_find(user, ':') < user.n) {
        buf_text(&b, "invalid username: ");
        buf_put(&b, user);
        return run_text(run, &b, out);
    }
    buf_put(&b, user);
    buf_byte(&b, ':');
    if (n > 2 && slice_is(args[2].text, "sha")) {
        uint8_t sum[DIGEST_MAX];
        digest_of(DIGEST_SHA1, password, sum);
        buf_text(&b, "{SHA}");
        base64_put(&b, BASE64_STD, slice_of(sum, digest_size(DIGEST_SHA1)));
        return run_text(run, &b, out);
    }
    if (!bcrypt(run, password, &hash))
        return false;
    buf_put(&b, hash);
    return run_text(run, &b, out);
}

/* --- Master passwords ------------------------------------------------------------------------ */

#define SEED_NAME "com.lyndir.masterpassword"

static const struct {
    const char *type;
    const char *const *templates;
    size_t n;
} TYPES[] = {
#define TYPE(name, ...)                                                                            \
    {                                                                                              \
        name, (const char *const[]){__VA_ARGS__}, COUNT_OF(((const char *const[]){__VA_ARGS__}))   \
    }
    TYPE("maximum", "anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"),
    TYPE("long", "CvcvnoCvcvCvcv", "CvcvCvcvnoCvcv", "CvcvCvcvCvcvno", "CvccnoCvcvCvcv",
         "CvccCvcvnoCvcv", "CvccCvcvCvcvno", "CvcvnoCvccCvcv", "CvcvCvccnoCvcv", "CvcvCvccCvcvno",
         "CvcvnoCvcvCvcc", "CvcvCvcvnoCvcc", "CvcvCvcvCvccno", "CvccnoCvccCvcv", "CvccCvccnoCvcv",
         "CvccCvccCvcvno", "CvcvnoCvccCvcc", "CvcvCvccnoCvcc", "CvcvCvccCvccno", "CvccnoCvcvCvcc",
         "CvccCvcvnoCvcc", "CvccCvcvCvccno"),
    TYPE("medium", "CvcnoCvc", "CvcCvcno"),
    TYPE("short", "Cvcn"),
    TYPE("basic", "aaanaaan", "aannaaan", "aaannaaa"),
    TYPE("pin", "nnnn"),
#undef TYPE
};

#define VOWELS     "AEIOU"
#define CONSONANTS "BCDFGHJKLMNPQRSTVWXYZ"
#define ALL        VOWELS "aeiou" CONSONANTS "bcdfghjklmnpqrstvwxyz"

static const char *letters_of(char c)
{
    static const struct {
        char letter;
        const char *set;
    } SETS[] = {
        {'V', VOWELS},
        {'C', CONSONANTS},
        {'v', "aeiou"},
        {'c', "bcdfghjklmnpqrstvwxyz"},
        {'a', ALL},
        {'n', "0123456789"},
        {'o', "@&%?,=[]_:-+*$#!'^~;()/."},
        {'x', ALL "0123456789!@#$%^&*()"},
    };

    for (size_t i = 0; i < COUNT_OF(SETS); i++)
        if (SETS[i].letter == c)
            return SETS[i].set;
    return "?";
}

/* The seed's name, and a text behind its length. */
static void put_scope(struct buf *b, struct slice s)
{
    buf_text(b, SEED_NAME);
    buf_u32(b, (uint32_t)s.n);
    buf_put(b, s);
}

static bool fn_derive_password(struct trun *run, const struct tvalue *args, size_t n,
                               struct tvalue *out)
{
    struct buf salt = run_buf(run), scope = run_buf(run), b = run_buf(run);
    uint8_t seed[DIGEST_MAX];
    struct slice key;
    struct err e = {0};
    size_t i = 0;

    (void)n;
    while (i < COUNT_OF(TYPES) && !slice_is(args[1].text, TYPES[i].type))
        i++;
    if (i == COUNT_OF(TYPES)) {
        buf_text(&b, "cannot find password template ");
        buf_put(&b, args[1].text);
        return run_text(run, &b, out);
    }
    put_scope(&salt, args[3].text);
    if (!cipher_scrypt(run->a, args[2].text, buf_slice(&salt), 32768, 8, 2, 64, &key, &e))
        return run_fail(run, "%s", e.text);
    put_scope(&scope, args[4].text);
    buf_u32(&scope, (uint32_t)args[0].u);
    hmac_of(DIGEST_SHA256, key, buf_slice(&scope), seed);
    const char *form = TYPES[i].templates[seed[0] % TYPES[i].n];
    for (size_t k = 0; form[k]; k++) {
        const char *set = letters_of(form[k]);
        buf_byte(&b, (uint8_t)set[seed[k + 1] % strlen(set)]);
    }
    return run_text(run, &b, out);
}

static const struct tfunc FUNCTIONS[] = {
    {"bcrypt", "s", fn_bcrypt, FUNCTION_OFF},
    {"htpasswd", "sss*", fn_htpasswd, FUNCTION_OFF},
    {"derivePassword", "ussss", fn_derive_password, FUNCTION_OFF},
};
const struct function_table FUNCTIONS_PASSWORD = {FUNCTIONS, COUNT_OF(FUNCTIONS)};

/* --- What is handed in ----------------------------------------------------------------------- */

struct certificate {
    struct slice cert, key;
};

static bool get_cert(struct trun *run, const void *self, struct tvalue *out)
{
    (void)run;
    *out = tvalue_text(((const struct certificate *)self)->cert);
    return true;
}

static bool get_key(struct trun *run, const void *self, struct tvalue *out)
{
    (void)run;
    *out = tvalue_text(((const struct certificate *)self)->key);
    return true;
}

static const struct tfield CERTIFICATE_FIELDS[] = {{"Cert", "Cert", false, get_cert},
                                                   {"Key", "Key", false, get_key}};
static const struct ttype TTYPE_CERTIFICATE = {
    .name = "sprig.certificate",
    .kind = "struct",
    .is = T_OBJECT,
    .fields = CERTIFICATE_FIELDS,
    .n_fields = COUNT_OF(CERTIFICATE_FIELDS),
};

static const struct template_hooks *hooks_of(const struct trun *run)
{
    static const struct template_hooks NONE = {0};
    return run->t->options.hooks ? run->t->options.hooks : &NONE;
}

static bool not_here(struct trun *run)
{
    return run_fail(run, "the function is not available here");
}

static bool fn_host_by_name(struct trun *run, const struct tvalue *args, size_t n,
                            struct tvalue *out)
{
    const struct template_hooks *h = hooks_of(run);
    struct slice address;
    struct err e = {0};

    (void)n;
    if (!h->host_by_name)
        return not_here(run);
    if (!h->host_by_name(h->user, run->a, args[0].text, &address, &e))
        return run_fail(run, "%s", e.text);
    *out = tvalue_text(address);
    return true;
}

static bool make_key(struct arena *a, struct slice type, struct slice *pem, struct err *e)
{
    enum key_type kind = slice_is(type, "rsa")     ? KEY_RSA
                         : slice_is(type, "ecdsa") ? KEY_P256
                                                   : KEY_ED25519;
    struct private_key *key;

    return private_key_generate(a, kind, 4096, &key, e) &&
           private_key_pem(a, key, KEY_TRADITIONAL, pem, e);
}

static bool fn_private_key(struct trun *run, const struct tvalue *args, size_t n,
                           struct tvalue *out)
{
    static const char *const KNOWN[] = {"", "rsa", "ecdsa", "ed25519"};
    const struct template_hooks *h = hooks_of(run);
    struct slice type = args[0].text, pem;
    struct err e = {0};
    size_t i = 0;

    (void)n;
    while (i < COUNT_OF(KNOWN) && !slice_is(type, KNOWN[i]))
        i++;
    if (i == COUNT_OF(KNOWN)) {
        *out = tvalue_text(arena_format(run->a, "Unknown type %.*s", SLICE_ARG(type)));
        return true;
    }
    type = i ? type : SLICE("rsa");
    bool good = h->private_key ? h->private_key(h->user, run->a, type, &pem, &e)
                               : make_key(run->a, type, &pem, &e);
    if (!good)
        return run_fail(run, "%s", e.text);
    *out = tvalue_text(pem);
    return true;
}

/* Certificate arguments become maps: hooks do not know our type. */
static struct tvalue plain_argument(struct trun *run, const struct tvalue *v)
{
    struct tvalue m = *v;

    if (v->type != &TTYPE_CERTIFICATE)
        return m;
    const struct certificate *c = v->self;
    m = tvalue_map(run->a, &TTYPE_MAP);
    run_map_set(run, m.map, SLICE("Cert"), tvalue_text(c->cert));
    run_map_set(run, m.map, SLICE("Key"), tvalue_text(c->key));
    return m;
}

static bool certificate(struct trun *run, const char *name, const struct tvalue *args, size_t n,
                        struct tvalue *out)
{
    const struct template_hooks *h = hooks_of(run);
    struct certificate *c = run_alloc(run, sizeof(*c));
    struct tvalue *plain = run_alloc(run, (n + 1) * sizeof(*plain));
    struct err e = {0};

    if (!h->certificate)
        return not_here(run);
    for (size_t i = 0; i < n; i++)
        plain[i] = plain_argument(run, &args[i]);
    if (!h->certificate(h->user, run->a, name, plain, n, &c->cert, &c->key, &e))
        return run_fail(run, "%s", e.text);
    *out = tvalue_object(&TTYPE_CERTIFICATE, c);
    return true;
}

#define CERTIFICATE_FUNCTION(symbol, text)                                                         \
    static bool symbol(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)  \
    {                                                                                              \
        return certificate(run, text, args, n, out);                                               \
    }
CERTIFICATE_FUNCTION(fn_gen_ca, "genCA")
CERTIFICATE_FUNCTION(fn_gen_ca_with_key, "genCAWithKey")
CERTIFICATE_FUNCTION(fn_gen_self, "genSelfSignedCert")
CERTIFICATE_FUNCTION(fn_gen_self_with_key, "genSelfSignedCertWithKey")
CERTIFICATE_FUNCTION(fn_gen_signed, "genSignedCert")
CERTIFICATE_FUNCTION(fn_gen_signed_with_key, "genSignedCertWithKey")
CERTIFICATE_FUNCTION(fn_build_custom, "buildCustomCert")

static const struct tfunc HANDED_IN[] = {
    {"getHostByName", "s", fn_host_by_name, FUNCTION_OFF},
    {"genPrivateKey", "s", fn_private_key, FUNCTION_OFF},
    {"genCA", "si", fn_gen_ca, FUNCTION_OFF},
    {"genCAWithKey", "sis", fn_gen_ca_with_key, FUNCTION_OFF},
    {"genSelfSignedCert", "slli", fn_gen_self, FUNCTION_OFF},
    {"genSelfSignedCertWithKey", "sllis", fn_gen_self_with_key, FUNCTION_OFF},
    {"genSignedCert", "sllic", fn_gen_signed, FUNCTION_OFF},
    {"genSignedCertWithKey", "sllics", fn_gen_signed_with_key, FUNCTION_OFF},
    {"buildCustomCert", "ss", fn_build_custom, FUNCTION_OFF},
};
const struct function_table FUNCTIONS_HOOKS = {HANDED_IN, COUNT_OF(HANDED_IN)};
