/*
 * Reading key files: which format a PEM block is in, asking for passwords, and what to say when a
 * file is not what it should be.  Decoded and decrypted bytes live in a secret arena that is wiped
 * before the call returns; only the key stays.
 */
#include "crypto/keyfile.h"

#include "base/file.h"
#include "crypto/keyfile_internal.h"
#include "crypto/secret.h"

#define KEY_FILE_MAX (1u << 20)

/* What a label announces. */
enum content {
    CONTENT_OTHER,
    CONTENT_PRIVATE_DER,       /* perhaps under Proc-Type */
    CONTENT_PRIVATE_ENCRYPTED, /* PKCS#8 */
    CONTENT_PRIVATE_OPENSSH,
    CONTENT_EC_PARAMETERS,
    CONTENT_PUBLIC,
    CONTENT_PUBLIC_RSA,
    CONTENT_CERTIFICATE,
    CONTENT_REQUEST
};
static const struct label {
    const char *name;
    enum content content;
    const char *what;
} LABELS[] = {
    {"PRIVATE KEY", CONTENT_PRIVATE_DER, "a private key"},
    {"EC PRIVATE KEY", CONTENT_PRIVATE_DER, "a private key"},
    {"RSA PRIVATE KEY", CONTENT_PRIVATE_DER, "a private key"},
    {"ENCRYPTED PRIVATE KEY", CONTENT_PRIVATE_ENCRYPTED, "a private key"},
    {"OPENSSH PRIVATE KEY", CONTENT_PRIVATE_OPENSSH, "a private key"},
    {"EC PARAMETERS", CONTENT_EC_PARAMETERS, "EC parameters"},
    {"PUBLIC KEY", CONTENT_PUBLIC, "a public key"},
    {"RSA PUBLIC KEY", CONTENT_PUBLIC_RSA, "a public key"},
    {"CERTIFICATE", CONTENT_CERTIFICATE, "a certificate"},
    {"X509 CERTIFICATE", CONTENT_CERTIFICATE, "a certificate"},
    {"CERTIFICATE REQUEST", CONTENT_REQUEST, "a certificate request"},
    {"NEW CERTIFICATE REQUEST", CONTENT_REQUEST, "a certificate request"},
};

static const struct label *label_of(const struct pem *block)
{
    static const struct label OTHER = {"", CONTENT_OTHER, "something else"};

    for (size_t i = 0; i < COUNT_OF(LABELS); i++) {
        if (slice_is(block->label, LABELS[i].name))
            return &LABELS[i];
    }
    return &OTHER;
}

static bool unexpected_header(const struct pem *block, const char *name, struct err *e)
{
    return err_set(e, ERR_MALFORMED, "error decoding %s: contains an unexpected header '%.*s'",
                   name, SLICE_ARG(block->label));
}

/* RFC 1421 4.6.1.1: "4,ENCRYPTED", perhaps with a blank. */
static bool proc_type_encrypted(const struct pem *block)
{
    struct slice value = pem_header_get(block, "Proc-Type");
    size_t comma = slice_find(value, ',');

    return slice_is(slice_trim(slice_sub(value, 0, comma)), "4") &&
           slice_is(slice_trim(slice_from(value, comma + 1)), "ENCRYPTED");
}

static bool block_is_encrypted(const struct pem *block)
{
    switch (label_of(block)->content) {
    case CONTENT_PRIVATE_DER:
        return proc_type_encrypted(block);
    case CONTENT_PRIVATE_ENCRYPTED:
        return true;
    case CONTENT_PRIVATE_OPENSSH:
        return openssh_is_encrypted(block->der);
    default:
        return false;
    }
}

/* --- Passwords ---------------------------------------------------------------------------- */

static bool password_fixed_get(struct password_source *source, const char *what UNUSED,
                               unsigned attempt UNUSED, struct arena *secrets UNUSED,
                               struct slice *password, struct err *e UNUSED)
{
    *password = ((struct password_fixed *)source)->password;
    return true;
}

struct password_source *password_fixed_init(struct password_fixed *p, struct slice password)
{
    *p = (struct password_fixed){{password_fixed_get, 1}, password};
    return &p->source;
}

/* The decrypted bytes are a key, or noise.  Noise is not a SEQUENCE of just that length, so an
 * error behind that is the key's own. */
static bool key_of_decrypted(struct arena *a, struct slice der, struct private_key **key,
                             struct err *e)
{
    struct der d = der_reader(der), inside;

    if (!der_enter(&d, DER_SEQUENCE, &inside) || !der_done(&d))
        return err_set(e, ERR_UNAUTHORIZED, "password incorrect");
    return private_key_from_der(a, der, key, e);
}

static bool open_once(struct arena *a, struct arena *secrets, const struct pem *block,
                      struct slice password, struct private_key **key, struct err *e)
{
    struct slice der;
    bool opened;

    if (label_of(block)->content == CONTENT_PRIVATE_OPENSSH)
        return openssh_open(a, block->der, password, key, e);
    if (label_of(block)->content == CONTENT_PRIVATE_ENCRYPTED)
        opened = pbes2_open(secrets, block->der, password, &der, e);
    else
        opened =
            dek_open(secrets, pem_header_get(block, "DEK-Info"), block->der, password, &der, e);
    return opened && key_of_decrypted(a, der, key, e);
}

static bool encrypted_read(struct arena *a, struct arena *secrets, const struct pem *block,
                           const char *name, struct password_source *source,
                           struct private_key **key, struct err *e)
{
    struct slice password;
    struct err why = {0};

    if (!source)
        return err_set(e, ERR_UNAUTHORIZED, "%s is encrypted", name);
    for (unsigned attempt = 0; attempt < source->tries; attempt++) {
        if (!source->get(source, name, attempt, secrets, &password, e))
            return false;
        if (open_once(a, secrets, block, password, key, &why))
            return true;
        if (why.kind != ERR_UNAUTHORIZED)
            break;
    }
    if (why.kind == ERR_NONE)
        err_set(&why, ERR_UNAUTHORIZED, "no password");
    if (e)
        err_move(e, &why);
    return err_wrap(e, "error decrypting %s", name);
}

/* --- Private keys ------------------------------------------------------------------------- */

static bool private_block_read(struct arena *a, struct arena *secrets, const struct pem *block,
                               const char *name, struct password_source *source,
                               struct private_key **key, struct err *e)
{
    bool good;

    if (block_is_encrypted(block))
        return encrypted_read(a, secrets, block, name, source, key, e);
    if (label_of(block)->content == CONTENT_PRIVATE_OPENSSH)
        good = openssh_open(a, block->der, SLICE_NONE, key, e);
    else
        good = private_key_from_der(a, block->der, key, e);
    return good || err_wrap(e, "error decoding %s", name);
}

static bool pem_first(struct arena *secrets, struct slice *text, struct pem *block,
                      const char *name, struct err *e)
{
    struct err why = {0};

    do {
        if (pem_next(secrets, text, block, &why))
            continue;
        if (why.kind == ERR_NONE)
            return err_set(e, ERR_MALFORMED, "error decoding %s: not a valid PEM encoded block",
                           name);
        return err_set(e, why.kind, "error decoding %s: not a valid PEM encoded block: %s", name,
                       why.text);
    } while (label_of(block)->content == CONTENT_EC_PARAMETERS);
    return true;
}

bool private_key_read(struct arena *a, struct slice text, const char *name,
                      struct password_source *source, struct private_key **key, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct slice rest = bom_skip(text);
    struct pem block;

    if (!pem_first(secrets, &rest, &block, name, e))
        return false;
    if (slice_trim(rest).n)
        return err_set(e, ERR_MALFORMED,
                       "error decoding %s: contains more than one PEM encoded "
                       "block",
                       name);
    const struct label *label = label_of(&block);
    if (label->content == CONTENT_OTHER)
        return unexpected_header(&block, name, e);
    if (label->content > CONTENT_EC_PARAMETERS)
        return err_set(e, ERR_MALFORMED, "%s is not a signer: it holds %s", name, label->what);
    return private_block_read(a, secrets, &block, name, source, key, e);
}

bool private_key_load(struct arena *a, const char *path, struct password_source *source,
                      struct private_key **key, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct slice text;

    return file_read(secrets, path, true, KEY_FILE_MAX, &text, e) &&
           private_key_read(a, text, path, source, key, e);
}

bool private_key_is_encrypted(struct slice text)
{
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct slice rest = bom_skip(text);
    struct pem block;

    while (pem_next(secrets, &rest, &block, NULL)) {
        if (block_is_encrypted(&block))
            return true;
    }
    return false;
}

/* --- Public keys -------------------------------------------------------------------------- */

/* Skips n elements, then takes a SEQUENCE as it stands. */
static bool spki_behind(struct der d, unsigned n, struct slice *spki)
{
    for (unsigned i = 0; i < n; i++) {
        if (!der_next(&d, NULL, NULL, NULL))
            return false;
    }
    return der_is(&d, DER_SEQUENCE) && der_next(&d, NULL, NULL, spki);
}

/* RFC 5280 4.1: behind version (optional), serial, signature, issuer, validity and subject.
 * RFC 2986 4.1: behind version and subject. */
static bool spki_inside(struct slice der, enum content content, struct slice *spki)
{
    struct der d = der_reader(der), outer, body;

    if (!der_enter(&d, DER_SEQUENCE, &outer) || !der_done(&d) ||
        !der_enter(&outer, DER_SEQUENCE, &body))
        return false;
    if (content == CONTENT_REQUEST)
        return spki_behind(body, 2, spki);
    return spki_behind(body, der_is(&body, DER_CONTEXT_CONSTRUCTED(0)) ? 6 : 5, spki);
}

static bool public_block_read(struct arena *a, const struct pem *block, const char *name,
                              const struct key **key, struct err *e)
{
    enum content content = label_of(block)->content;
    struct slice spki = block->der;

    if (content == CONTENT_PUBLIC_RSA)
        spki = key_spki_of_point(a, KEY_RSA, block->der);
    if ((content == CONTENT_CERTIFICATE || content == CONTENT_REQUEST) &&
        !spki_inside(block->der, content, &spki))
        return err_set(e, ERR_MALFORMED, "error decoding %s: it does not hold %s", name,
                       label_of(block)->what);
    return key_from_spki(a, spki, key, e) || err_wrap(e, "error decoding %s", name);
}

bool public_key_read(struct arena *a, struct slice text, const char *name,
                     struct password_source *source, const struct key **key, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct slice rest = bom_skip(text);
    struct private_key *pair;
    struct pem block;

    if (!pem_first(secrets, &rest, &block, name, e))
        return false;
    enum content content = label_of(&block)->content;
    if (content == CONTENT_OTHER)
        return unexpected_header(&block, name, e);
    if (content > CONTENT_EC_PARAMETERS)
        return public_block_read(a, &block, name, key, e);
    if (!private_block_read(a, secrets, &block, name, source, &pair, e))
        return false;
    *key = pair->public_key;
    return true;
}

struct slice public_key_pem(struct arena *a, const struct key *k)
{
    return pem_text(a, "PUBLIC KEY", k->spki);
}
