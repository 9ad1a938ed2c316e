/*
 * OpenSSH's key forms: the public line "type base64 comment" (RFC 4253 6.6, RFC 5656 3.1, RFC 8709
 * 4) and the private file openssh-key-v1 (PROTOCOL.key of OpenSSH): a header in the clear, the
 * public key, and a private section that is encrypted as a whole.  Two equal random numbers at its
 * start tell whether the password was right.
 */
#include "base/clock.h"
#include "base/encode.h"
#include "crypto/cipher_internal.h"
#include "crypto/keyfile_internal.h"
#include "crypto/secret.h"
#include "crypto/ssh_wire.h"

#define MAGIC           "openssh-key-v1" /* with its NUL */
#define BCRYPT_ROUNDS   24u
#define BCRYPT_SALT     16u
#define PLAIN_BLOCK     8u
#define PUBLIC_LINE_MAX (16u << 10)
#define ED25519_PRIVATE 64u /* seed and public key */

static const struct ssh_type {
    enum key_type type;
    const char *name, *curve;
} SSH_TYPES[] = {
    {KEY_RSA, "ssh-rsa", NULL},
    {KEY_P256, "ecdsa-sha2-nistp256", "nistp256"},
    {KEY_P384, "ecdsa-sha2-nistp384", "nistp384"},
    {KEY_P521, "ecdsa-sha2-nistp521", "nistp521"},
    {KEY_ED25519, "ssh-ed25519", NULL},
};

static const struct ssh_cipher {
    const char *name;
    enum ossl_cipher cipher;
    size_t key;
} SSH_CIPHERS[] = {
    {"aes128-ctr", CIPHER_AES128_CTR, 16}, {"aes192-ctr", CIPHER_AES192_CTR, 24},
    {"aes256-ctr", CIPHER_AES256_CTR, 32}, {"aes128-cbc", CIPHER_AES128_CBC, 16},
    {"aes192-cbc", CIPHER_AES192_CBC, 24}, {"aes256-cbc", CIPHER_AES256_CBC, 32},
};
#define AES256_CTR (&SSH_CIPHERS[2])
#define AES_BLOCK  16u

static const struct ssh_type *ssh_type_of(enum key_type t)
{
    for (size_t i = 0; i < COUNT_OF(SSH_TYPES); i++) {
        if (SSH_TYPES[i].type == t)
            return &SSH_TYPES[i];
    }
    return NULL;
}

static const struct ssh_type *ssh_type_named(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(SSH_TYPES); i++) {
        if (slice_is(name, SSH_TYPES[i].name))
            return &SSH_TYPES[i];
    }
    return NULL;
}

static bool take_number(struct slice *in, struct slice *number)
{
    return ssh_take_mpint(in, number) && number->n <= RSA_BYTES_MAX;
}

/* --- Public keys -------------------------------------------------------------------------- */

/* What follows the type name in a public key. */
static bool public_fields(const struct ssh_type *t, struct slice *in, struct key_numbers *n)
{
    struct slice curve, point;
    size_t field = key_field_size(t->type);

    if (t->type == KEY_RSA)
        return take_number(in, &n->e) && take_number(in, &n->n);
    if (t->type == KEY_ED25519)
        return ssh_take_string(in, &n->x);
    if (!ssh_take_string(in, &curve) || !slice_is(curve, t->curve) ||
        !ssh_take_string(in, &point) || point.n != 1 + 2 * field || point.p[0] != 4)
        return false;
    n->x = slice_sub(point, 1, field);
    n->y = slice_from(point, 1 + field);
    return true;
}

static void put_public(struct buf *b, const struct ssh_type *t, const struct key *k,
                       const struct key_numbers *n)
{
    ssh_put_string(b, slice_text(t->name));
    if (t->type == KEY_RSA) {
        ssh_put_mpint(b, n->e);
        ssh_put_mpint(b, n->n);
        return;
    }
    if (t->curve)
        ssh_put_string(b, slice_text(t->curve));
    ssh_put_string(b, k->point);
}

struct slice public_key_openssh(struct arena *a, const struct key *k)
{
    const struct ssh_type *t = ssh_type_of(k->type);
    struct buf blob = buf_new(a, PUBLIC_LINE_MAX), line = buf_new(a, PUBLIC_LINE_MAX);
    struct key_numbers n;

    if (!t || !key_numbers(a, k, &n, NULL))
        return SLICE_NONE;
    put_public(&blob, t, k, &n);
    buf_printf(&line, "%s ", t->name);
    base64_put(&line, BASE64_STD, buf_slice(&blob));
    return buf_slice(&line);
}

/* The next word of a line. */
static struct slice word_take(struct slice *line)
{
    size_t n = 0;

    *line = slice_trim(*line);
    while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
        n++;
    struct slice word = slice_sub(*line, 0, n);
    *line = slice_from(*line, n);
    return word;
}

bool public_key_from_openssh(struct arena *a, struct slice line, const struct key **key,
                             struct err *e)
{
    struct slice rest = slice_sub(slice_trim(line), 0, slice_find(slice_trim(line), '\n'));
    const struct ssh_type *t = ssh_type_named(word_take(&rest));
    struct slice blob, name;
    struct key_numbers n = {0};

    if (!t)
        return err_set(e, ERR_MALFORMED, "SSH public key: unsupported type");
    if (!base64_read(a, BASE64_STD, word_take(&rest), &blob))
        return err_set(e, ERR_MALFORMED, "SSH public key: not base64");
    if (!ssh_take_string(&blob, &name) || !slice_is(name, t->name) ||
        !public_fields(t, &blob, &n) || blob.n)
        return err_set(e, ERR_MALFORMED, "SSH public key: RFC 4253 6.6: not a key of type %s",
                       t->name);
    return key_from_numbers(a, t->type, &n, key, e) || err_wrap(e, "SSH public key");
}

/* --- Reading private keys ----------------------------------------------------------------- */

struct container {
    struct slice cipher, kdf, options, public_key, section;
};

static bool container_read(struct slice body, struct container *c, struct err *e)
{
    const struct slice magic = {(const uint8_t *)MAGIC, sizeof(MAGIC)};
    uint32_t keys;

    if (body.n < magic.n || !slice_eq(slice_sub(body, 0, magic.n), magic))
        return err_set(e, ERR_MALFORMED, "OpenSSH key: not openssh-key-v1");
    body = slice_from(body, magic.n);
    if (!ssh_take_string(&body, &c->cipher) || !ssh_take_string(&body, &c->kdf) ||
        !ssh_take_string(&body, &c->options) || !ssh_take_u32(&body, &keys))
        return err_set(e, ERR_MALFORMED, "OpenSSH key: the file is cut off");
    if (keys != 1)
        return err_set(e, ERR_MALFORMED, "OpenSSH key: %u keys in one file, not one", keys);
    if (!ssh_take_string(&body, &c->public_key) || !ssh_take_string(&body, &c->section) || body.n)
        return err_set(e, ERR_MALFORMED, "OpenSSH key: the file is cut off");
    return true;
}

bool openssh_is_encrypted(struct slice body)
{
    struct container c;

    return container_read(body, &c, NULL) && !slice_is(c.cipher, "none");
}

static bool section_decrypt(struct arena *secrets, const struct container *c, struct slice password,
                            struct slice *section, struct err *e)
{
    const struct ssh_cipher *cipher = NULL;
    struct slice options = c->options, salt, material;
    uint32_t rounds;

    for (size_t i = 0; i < COUNT_OF(SSH_CIPHERS); i++) {
        if (slice_is(c->cipher, SSH_CIPHERS[i].name))
            cipher = &SSH_CIPHERS[i];
    }
    if (!cipher || !slice_is(c->kdf, "bcrypt"))
        return err_set(e, ERR_MALFORMED, "OpenSSH key: unsupported cipher or key derivation");
    if (!ssh_take_string(&options, &salt) || !ssh_take_u32(&options, &rounds) || options.n)
        return err_set(e, ERR_MALFORMED, "OpenSSH key: bad bcrypt options");
    if (!c->section.n || c->section.n % AES_BLOCK)
        return err_set(e, ERR_MALFORMED, "OpenSSH key: the private section is not whole blocks");
    if (!password.n) /* bcrypt cannot take it, and nothing is encrypted with it */
        return err_set(e, ERR_UNAUTHORIZED, "password incorrect");
    return bcrypt_pbkdf(secrets, password, salt, rounds, cipher->key + AES_BLOCK, &material, e) &&
           cipher_open_unpadded(secrets, ossl_cipher(cipher->cipher),
                                slice_sub(material, 0, cipher->key),
                                slice_from(material, cipher->key), c->section, section, e);
}

/* Private fields follow the public ones, which only RSA has in another order. */
static bool private_fields(const struct ssh_type *t, struct slice *in, struct key_numbers *n)
{
    struct slice seed;

    if (t->type == KEY_RSA)
        return take_number(in, &n->n) && take_number(in, &n->e) && take_number(in, &n->d) &&
               take_number(in, &n->qi) && take_number(in, &n->p) && take_number(in, &n->q);
    if (!public_fields(t, in, n))
        return false;
    if (t->type != KEY_ED25519)
        return take_number(in, &n->d);
    if (!ssh_take_string(in, &seed) || seed.n != ED25519_PRIVATE)
        return false;
    n->d = slice_sub(seed, 0, ED25519_PRIVATE / 2);
    return slice_eq(slice_from(seed, ED25519_PRIVATE / 2), n->x);
}

/* 1, 2, 3, ... up to a whole block. */
static bool padding_valid(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != (uint8_t)(i + 1))
            return false;
    }
    return s.n < 256;
}

static bool section_read(struct arena *a, struct slice in, struct private_key **key, struct err *e)
{
    struct key_numbers n = {0};
    struct slice name, comment;

    if (!ssh_take_string(&in, &name))
        return err_set(e, ERR_MALFORMED, "OpenSSH key: the private section is cut off");
    const struct ssh_type *t = ssh_type_named(name);
    if (!t)
        return err_set(e, ERR_MALFORMED, "OpenSSH key: unsupported key type");
    if (!private_fields(t, &in, &n) || !ssh_take_string(&in, &comment) || !padding_valid(in))
        return err_set(e, ERR_MALFORMED, "OpenSSH key: bad private section for %s", t->name);
    return private_key_from_numbers(a, t->type, &n, key, e) || err_wrap(e, "OpenSSH key");
}

bool openssh_open(struct arena *a, struct slice body, struct slice password,
                  struct private_key **key, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct container c;
    uint32_t check1, check2;

    if (!container_read(body, &c, e))
        return false;
    bool encrypted = !slice_is(c.cipher, "none");
    struct slice section = c.section;
    if (encrypted && !section_decrypt(secrets, &c, password, &section, e))
        return false;
    if (!ssh_take_u32(&section, &check1) || !ssh_take_u32(&section, &check2) || check1 != check2)
        return encrypted ? err_set(e, ERR_UNAUTHORIZED, "password incorrect")
                         : err_set(e, ERR_MALFORMED, "OpenSSH key: bad check numbers");
    return section_read(a, section, key, e);
}

/* --- Writing private keys ----------------------------------------------------------------- */

static void put_private(struct buf *b, const struct ssh_type *t, const struct private_key *k,
                        const struct key_numbers *n)
{
    const struct slice rsa[] = {n->n, n->e, n->d, n->qi, n->p, n->q};

    if (t->type == KEY_RSA) {
        ssh_put_string(b, slice_text(t->name));
        for (size_t i = 0; i < COUNT_OF(rsa); i++)
            ssh_put_mpint(b, rsa[i]);
        return;
    }
    put_public(b, t, k->public_key, n);
    if (t->type == KEY_ED25519) {
        buf_u32(b, ED25519_PRIVATE);
        buf_put(b, n->d);
        buf_put(b, n->x);
        return;
    }
    ssh_put_mpint(b, n->d);
}

static struct slice section_write(struct arena *secrets, const struct ssh_type *t,
                                  const struct private_key *k, const struct key_numbers *n,
                                  const char *comment, size_t block)
{
    struct buf b = buf_new(secrets, KEYFILE_DER_MAX);
    uint8_t check[4];

    RNG_SYSTEM.fill(&RNG_SYSTEM, check, sizeof(check));
    buf_put(&b, slice_of(check, sizeof(check)));
    buf_put(&b, slice_of(check, sizeof(check)));
    put_private(&b, t, k, n);
    ssh_put_string(&b, slice_text(comment ? comment : ""));
    for (uint8_t i = 1; buf_ok(&b) && b.n % block; i++)
        buf_byte(&b, i);
    return buf_ok(&b) ? buf_slice(&b) : SLICE_NONE;
}

static bool section_encrypt(struct arena *secrets, struct slice *section, struct slice password,
                            struct buf *options, struct err *e)
{
    uint8_t salt[BCRYPT_SALT];
    struct slice material;

    RNG_SYSTEM.fill(&RNG_SYSTEM, salt, sizeof(salt));
    ssh_put_string(options, slice_of(salt, sizeof(salt)));
    buf_u32(options, BCRYPT_ROUNDS);
    return bcrypt_pbkdf(secrets, password, slice_of(salt, sizeof(salt)), BCRYPT_ROUNDS,
                        AES256_CTR->key + AES_BLOCK, &material, e) &&
           cipher_seal(secrets, ossl_cipher(AES256_CTR->cipher),
                       slice_sub(material, 0, AES256_CTR->key),
                       slice_from(material, AES256_CTR->key), *section, section, e);
}

bool private_key_openssh(struct arena *a, const struct private_key *k, struct slice password,
                         const char *comment, struct slice *pem, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    const struct ssh_type *t = ssh_type_of(k->public_key->type);
    struct buf options = buf_new(secrets, 256), blob = buf_new(secrets, PUBLIC_LINE_MAX);
    struct buf file = buf_new(secrets, KEYFILE_DER_MAX), text = buf_new(secrets, KEYFILE_DER_MAX);
    struct key_numbers n;

    if (!t)
        return err_set(e, ERR_MALFORMED, "%s keys have no OpenSSH form",
                       key_info(k->public_key->type)->curve);
    if (!private_key_numbers(secrets, k, &n, e))
        return false;
    struct slice section =
        section_write(secrets, t, k, &n, comment, password.n ? AES_BLOCK : PLAIN_BLOCK);
    if (!section.p)
        return err_set(e, ERR_TOO_LARGE, "OpenSSH key: the comment is too long");
    if (password.n && !section_encrypt(secrets, &section, password, &options, e))
        return false;
    put_public(&blob, t, k->public_key, &n);
    buf_put(&file, slice_of(MAGIC, sizeof(MAGIC)));
    ssh_put_string(&file, slice_text(password.n ? AES256_CTR->name : "none"));
    ssh_put_string(&file, slice_text(password.n ? "bcrypt" : "none"));
    ssh_put_string(&file, buf_slice(&options));
    buf_u32(&file, 1);
    ssh_put_string(&file, buf_slice(&blob));
    ssh_put_string(&file, section);
    pem_put(&text, "OPENSSH PRIVATE KEY", buf_slice(&file));
    if (!buf_done(&file, "OpenSSH key", e) || !buf_done(&text, "OpenSSH key", e))
        return false;
    *pem = arena_copy(a, buf_slice(&text));
    return true;
}
