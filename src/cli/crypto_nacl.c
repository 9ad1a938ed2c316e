/*
 * step crypto nacl: the functions of NaCl as libsodium has them, with keys as raw bytes in files.
 * A build may do without libsodium; then the commands are there and say so.
 */
#include "base/encode.h"
#include "cli/crypto.h"
#include "cli/key_files.h"
#include "cli/tool_input.h"
#include "crypto/secret.h"

#ifdef NEWEL_SODIUM
#include <sodium.h>

#define KEY_BYTES    32u
#define NONCE_BYTES  24u
#define OVERHEAD_MAX 64u

/* --- Files, nonces, texts ----------------------------------------------------------------- */

static bool ready(struct invocation *inv)
{
    return sodium_init() >= 0 || err_set(&inv->err, ERR_INTERNAL, "libsodium does not start");
}

/* what: "key file", "public key". */
static bool key_load(struct invocation *inv, int arg, size_t n, const char *what, struct slice *key)
{
    if (!tool_read(inv, arg_text(inv, arg), TOOL_INPUT_MAX, key))
        return false;
    return key->n == n ||
           err_set(&inv->err, ERR_MALFORMED, "invalid %s: key size is not %zu bytes", what, n);
}

/* Plain text, string:TEXT or base64:…; zeros follow. */
static bool nonce_read(struct invocation *inv, struct slice *nonce)
{
    struct slice text = slice_text(arg_text(inv, 0)), bytes = text;
    uint8_t *padded = arena_alloc(inv->arena, NONCE_BYTES);

    if (slice_starts(text, "string:"))
        bytes = slice_from(text, strlen("string:"));
    else if (slice_starts(text, "base64:") &&
             !base64_read(inv->arena, BASE64_STD, slice_from(text, strlen("base64:")), &bytes))
        return err_set(&inv->err, ERR_MALFORMED,
                       "error decoding base64 nonce: RFC 4648 4: not padded base64");
    if (bytes.n > NONCE_BYTES)
        return err_set(&inv->err, ERR_MALFORMED, "nonce cannot be longer than %u bytes",
                       NONCE_BYTES);
    if (bytes.n)
        memcpy(padded, bytes.p, bytes.n);
    *nonce = slice_of(padded, NONCE_BYTES);
    return true;
}

static bool message_read(struct invocation *inv, struct slice *message)
{
    return tool_input(inv, "Please enter text to seal", message) ||
           err_wrap(&inv->err, "error reading input");
}

/* What seal printed: base64url without padding, or the bytes. */
static bool sealed_read(struct invocation *inv, struct slice *sealed)
{
    struct slice text;

    if (!tool_input(inv, "Please enter text to open", &text))
        return err_wrap(&inv->err, "error reading input");
    *sealed = text;
    return flag_bool(inv, "raw") ||
           base64_read(inv->secrets, BASE64_URL_RAW, slice_trim(text), sealed) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "error decoding base64 input: RFC 4648 5: expected base64url without padding");
}

static int put_sealed(struct invocation *inv, struct slice bytes)
{
    if (flag_bool(inv, "raw"))
        out_put(inv, bytes);
    else
        out_line(inv, "%.*s", SLICE_ARG(base64_text(inv->arena, BASE64_URL_RAW, bytes)));
    return 0;
}

static int refused(struct invocation *inv, const char *what)
{
    return fail_with(inv, "error %s input", what);
}

static uint8_t *room(struct invocation *inv, size_t n)
{
    return arena_alloc(inv->secrets, n + OVERHEAD_MAX);
}

/* --- Key pairs ---------------------------------------------------------------------------- */

static int write_pair(struct invocation *inv, struct slice pub, struct slice priv)
{
    const char *pub_path = arg_text(inv, 0), *priv_path = arg_text(inv, 1);

    if (!arguments_differ(inv, 0, "pub-file", 1, "priv-file") ||
        !may_write(inv, pub_path, &inv->err) || !may_write(inv, priv_path, &inv->err) ||
        !write_result(inv, priv_path, priv, 0600, &inv->err) ||
        !write_result(inv, pub_path, pub, 0600, &inv->err))
        return fail(inv);
    note(inv, "Your public key has been saved in %s.", pub_path);
    note(inv, "Your private key has been saved in %s.", priv_path);
    return 0;
}

static int run_box_keypair(struct invocation *inv)
{
    uint8_t *pub = room(inv, crypto_box_PUBLICKEYBYTES);
    uint8_t *priv = room(inv, crypto_box_SECRETKEYBYTES);

    if (!ready(inv))
        return fail(inv);
    crypto_box_keypair(pub, priv);
    return write_pair(inv, slice_of(pub, crypto_box_PUBLICKEYBYTES),
                      slice_of(priv, crypto_box_SECRETKEYBYTES));
}

static int run_sign_keypair(struct invocation *inv)
{
    uint8_t *pub = room(inv, crypto_sign_PUBLICKEYBYTES);
    uint8_t *priv = room(inv, crypto_sign_SECRETKEYBYTES);

    if (!ready(inv))
        return fail(inv);
    crypto_sign_keypair(pub, priv);
    return write_pair(inv, slice_of(pub, crypto_sign_PUBLICKEYBYTES),
                      slice_of(priv, crypto_sign_SECRETKEYBYTES));
}

/* --- auth --------------------------------------------------------------------------------- */

static int run_auth_digest(struct invocation *inv)
{
    uint8_t mac[crypto_auth_BYTES];
    struct slice key, message;

    if (!ready(inv) || !key_load(inv, 0, KEY_BYTES, "key file", &key) ||
        !message_read(inv, &message))
        return fail(inv);
    crypto_auth(mac, message.p, message.n, key.p);
    out_line(inv, "%.*s", SLICE_ARG(hex_text(inv->arena, slice_of(mac, sizeof(mac)))));
    return 0;
}

static int run_auth_verify(struct invocation *inv)
{
    struct slice key, message, mac;

    if (!ready(inv) || !key_load(inv, 0, KEY_BYTES, "key file", &key))
        return fail(inv);
    if (!hex_read(inv->arena, slice_text(arg_text(inv, 1)), &mac))
        return fail_with(inv, "error decoding digest: expected hexadecimal digits");
    if (!message_read(inv, &message))
        return fail(inv);
    if (mac.n != crypto_auth_BYTES || crypto_auth_verify(mac.p, message.p, message.n, key.p) != 0)
        return fail_with(inv, "fail");
    out_line(inv, "ok");
    return 0;
}

/* --- box, secretbox ----------------------------------------------------------------------- */

static bool box_arguments(struct invocation *inv, struct slice *nonce, struct slice *pub,
                          struct slice *priv)
{
    return ready(inv) && nonce_read(inv, nonce) && key_load(inv, 1, KEY_BYTES, "public key", pub) &&
           key_load(inv, 2, KEY_BYTES, "private key", priv);
}

static int run_box_seal(struct invocation *inv)
{
    struct slice nonce, pub, priv, message;

    if (!box_arguments(inv, &nonce, &pub, &priv) || !message_read(inv, &message))
        return fail(inv);
    uint8_t *out = room(inv, message.n);
    if (crypto_box_easy(out, message.p, message.n, nonce.p, pub.p, priv.p) != 0)
        return fail_with(inv, "invalid public key: it is a point of small order");
    return put_sealed(inv, slice_of(out, message.n + crypto_box_MACBYTES));
}

static int run_box_open(struct invocation *inv)
{
    struct slice nonce, pub, priv, sealed;

    if (!box_arguments(inv, &nonce, &pub, &priv) || !sealed_read(inv, &sealed))
        return fail(inv);
    uint8_t *out = room(inv, sealed.n);
    if (sealed.n < crypto_box_MACBYTES ||
        crypto_box_open_easy(out, sealed.p, sealed.n, nonce.p, pub.p, priv.p) != 0)
        return refused(inv, "authenticating or decrypting");
    out_put(inv, slice_of(out, sealed.n - crypto_box_MACBYTES));
    return 0;
}

static int run_secretbox_seal(struct invocation *inv)
{
    struct slice nonce, key, message;

    if (!ready(inv) || !nonce_read(inv, &nonce) || !key_load(inv, 1, KEY_BYTES, "key file", &key) ||
        !message_read(inv, &message))
        return fail(inv);
    uint8_t *out = room(inv, message.n);
    crypto_secretbox_easy(out, message.p, message.n, nonce.p, key.p);
    return put_sealed(inv, slice_of(out, message.n + crypto_secretbox_MACBYTES));
}

static int run_secretbox_open(struct invocation *inv)
{
    struct slice nonce, key, sealed;

    if (!ready(inv) || !nonce_read(inv, &nonce) || !key_load(inv, 1, KEY_BYTES, "key file", &key) ||
        !sealed_read(inv, &sealed))
        return fail(inv);
    uint8_t *out = room(inv, sealed.n);
    if (sealed.n < crypto_secretbox_MACBYTES ||
        crypto_secretbox_open_easy(out, sealed.p, sealed.n, nonce.p, key.p) != 0)
        return refused(inv, "authenticating or decrypting");
    out_put(inv, slice_of(out, sealed.n - crypto_secretbox_MACBYTES));
    return 0;
}

/* --- sign --------------------------------------------------------------------------------- */

static int run_sign_sign(struct invocation *inv)
{
    struct slice priv, message;

    if (!ready(inv) || !key_load(inv, 0, crypto_sign_SECRETKEYBYTES, "private key", &priv) ||
        !message_read(inv, &message))
        return fail(inv);
    uint8_t *out = room(inv, message.n);
    crypto_sign(out, NULL, message.p, message.n, priv.p);
    return put_sealed(inv, slice_of(out, message.n + crypto_sign_BYTES));
}

static int run_sign_open(struct invocation *inv)
{
    struct slice pub, sealed;

    if (!ready(inv) || !key_load(inv, 0, KEY_BYTES, "public key", &pub) ||
        !sealed_read(inv, &sealed))
        return fail(inv);
    if (sealed.n < crypto_sign_BYTES ||
        crypto_sign_verify_detached(sealed.p, sealed.p + crypto_sign_BYTES,
                                    sealed.n - crypto_sign_BYTES, pub.p) != 0)
        return refused(inv, "authenticating");
    out_put(inv, slice_from(sealed, crypto_sign_BYTES));
    return 0;
}

#else

static int absent(struct invocation *inv)
{
    return fail_with(inv, "this build has no '%s': it was made without libsodium", inv->path);
}
#define run_box_keypair    absent
#define run_sign_keypair   absent
#define run_auth_digest    absent
#define run_auth_verify    absent
#define run_box_seal       absent
#define run_box_open       absent
#define run_secretbox_seal absent
#define run_secretbox_open absent
#define run_sign_sign      absent
#define run_sign_open      absent

#endif

/* --- Tables ------------------------------------------------------------------------------- */

static const struct flag RAW_FLAGS[] = {
    {"raw", FLAG_BOOL, NULL,
     "The sealed or signed text is bytes, not base64url (what is printed, or what is read).", NULL,
     0},
    {0}};
static const struct flag *const RAW_SETS[] = {RAW_FLAGS, NULL};
static const struct flag *const FORCE_SETS[] = {FLAGS_FORCE, NULL};

#define NONCE_ARGUMENT                                                                             \
    "nonce\tAt most 24 bytes, different for every message under the same keys: text, "             \
    "string:<text> or base64:<base64>.\n"
#define PAIR_ARGUMENTS                                                                             \
    "pub-file\tThe file for the public key.\npriv-file\tThe file for the private key."

static const struct command AUTH_DIGEST = {
    .name = "digest",
    .summary = "print a message authentication code",
    .synopsis = "<key-file>",
    .description = "Prints the authentication code (crypto_auth: HMAC-SHA-512-256) of what stands "
                   "on standard input, in hexadecimal.",
    .arguments = "key-file\tThe file with the secret key, 32 bytes.",
    .examples = "A message:\n"
                "$ head -c 32 /dev/urandom > auth.key\n"
                "$ echo hello | step crypto nacl auth digest auth.key\n"
                "\n"
                "A file:\n"
                "$ step crypto nacl auth digest auth.key < message.txt",
    .least = 1,
    .most = 1,
    .run = run_auth_digest,
};
static const struct command AUTH_VERIFY = {
    .name = "verify",
    .summary = "verify a message authentication code",
    .synopsis = "<key-file> <digest>",
    .description = "Prints \"ok\" when the code belongs to what stands on standard input.",
    .arguments = "key-file\tThe file with the secret key, 32 bytes.\n"
                 "digest\tThe code, in hexadecimal.",
    .examples = "A message:\n"
                "$ echo hello | step crypto nacl auth verify auth.key "
                "b2a31a8b9a5f6f4fa1b53da9cd3dc5ef3eee1e1f7c9c4d8a8f2ee6a7c9ecb5b5",
    .exit_codes = "0 and \"ok\" when it belongs; 1 and \"fail\" on standard error when not.",
    .least = 2,
    .most = 2,
    .run = run_auth_verify,
};
static const struct command *const AUTH_COMMANDS[] = {&AUTH_DIGEST, &AUTH_VERIFY, NULL};
static const struct command AUTH = {
    .name = "auth",
    .summary = "authenticate messages with a secret key",
    .description = "Authenticates messages with a secret key (crypto_auth).",
    .sub = AUTH_COMMANDS,
};

static const struct command BOX_KEYPAIR = {
    .name = "keypair",
    .summary = "make a key pair for box",
    .synopsis = "<pub-file> <priv-file>",
    .description = "Makes an X25519 key pair and writes both halves as raw bytes.",
    .arguments = PAIR_ARGUMENTS,
    .examples = "A key pair:\n"
                "$ step crypto nacl box keypair box.pub box.priv",
    .flag_sets = FORCE_SETS,
    .least = 2,
    .most = 2,
    .run = run_box_keypair,
};
static const struct command BOX_SEAL = {
    .name = "seal",
    .summary = "encrypt a message for somebody's key",
    .synopsis = "<nonce> <recipient-pub-key> <priv-key>",
    .description = "Encrypts and authenticates what stands on standard input (crypto_box).",
    .arguments = NONCE_ARGUMENT "recipient-pub-key\tThe file with the recipient's public key.\n"
                                "priv-key\tThe file with our private key.",
    .examples = "A message:\n"
                "$ echo hello | step crypto nacl box seal nonce-1 bob.pub alice.priv",
    .flag_sets = RAW_SETS,
    .least = 3,
    .most = 3,
    .run = run_box_seal,
};
static const struct command BOX_OPEN = {
    .name = "open",
    .summary = "decrypt what seal made",
    .synopsis = "<nonce> <sender-pub-key> <priv-key>",
    .description = "Verifies and decrypts what stands on standard input (crypto_box_open).",
    .arguments = NONCE_ARGUMENT "sender-pub-key\tThe file with the sender's public key.\n"
                                "priv-key\tThe file with our private key.",
    .examples = "A message:\n"
                "$ step crypto nacl box open nonce-1 alice.pub bob.priv < sealed",
    .flag_sets = RAW_SETS,
    .least = 3,
    .most = 3,
    .run = run_box_open,
};
static const struct command *const BOX_COMMANDS[] = {&BOX_KEYPAIR, &BOX_OPEN, &BOX_SEAL, NULL};
static const struct command BOX = {
    .name = "box",
    .summary = "encrypt messages with public keys",
    .description = "Encrypts and authenticates messages between two key pairs (crypto_box).",
    .sub = BOX_COMMANDS,
};

static const struct command SECRETBOX_SEAL = {
    .name = "seal",
    .summary = "encrypt a message with a secret key",
    .synopsis = "<nonce> <key-file>",
    .description = "Encrypts and authenticates what stands on standard input (crypto_secretbox).",
    .arguments = NONCE_ARGUMENT "key-file\tThe file with the secret key, 32 bytes.",
    .examples = "A message:\n"
                "$ echo hello | step crypto nacl secretbox seal nonce-1 secret.key",
    .flag_sets = RAW_SETS,
    .least = 2,
    .most = 2,
    .run = run_secretbox_seal,
};
static const struct command SECRETBOX_OPEN = {
    .name = "open",
    .summary = "decrypt what seal made",
    .synopsis = "<nonce> <key-file>",
    .description = "Verifies and decrypts what stands on standard input (crypto_secretbox_open).",
    .arguments = NONCE_ARGUMENT "key-file\tThe file with the secret key, 32 bytes.",
    .examples = "A message:\n"
                "$ step crypto nacl secretbox open nonce-1 secret.key < sealed",
    .flag_sets = RAW_SETS,
    .least = 2,
    .most = 2,
    .run = run_secretbox_open,
};
static const struct command *const SECRETBOX_COMMANDS[] = {&SECRETBOX_OPEN, &SECRETBOX_SEAL, NULL};
static const struct command SECRETBOX = {
    .name = "secretbox",
    .summary = "encrypt messages with a secret key",
    .description = "Encrypts and authenticates messages with a secret key (crypto_secretbox).",
    .sub = SECRETBOX_COMMANDS,
};

static const struct command SIGN_KEYPAIR = {
    .name = "keypair",
    .summary = "make a key pair for sign",
    .synopsis = "<pub-file> <priv-file>",
    .description = "Makes an Ed25519 key pair and writes both halves as raw bytes.",
    .arguments = PAIR_ARGUMENTS,
    .examples = "A key pair:\n"
                "$ step crypto nacl sign keypair sign.pub sign.priv",
    .flag_sets = FORCE_SETS,
    .least = 2,
    .most = 2,
    .run = run_sign_keypair,
};
static const struct command SIGN_SIGN = {
    .name = "sign",
    .summary = "sign a message",
    .synopsis = "<priv-file>",
    .description = "Prints signature and message in one piece (crypto_sign).",
    .arguments = "priv-file\tThe file with the private key, 64 bytes.",
    .examples = "A message:\n"
                "$ echo hello | step crypto nacl sign sign sign.priv",
    .flag_sets = RAW_SETS,
    .least = 1,
    .most = 1,
    .run = run_sign_sign,
};
static const struct command SIGN_OPEN = {
    .name = "open",
    .summary = "verify a signed message and print it",
    .synopsis = "<pub-file>",
    .description = "Verifies what sign made and prints the message (crypto_sign_open).",
    .arguments = "pub-file\tThe file with the public key, 32 bytes.",
    .examples = "A message:\n"
                "$ step crypto nacl sign open sign.pub < signed",
    .flag_sets = RAW_SETS,
    .least = 1,
    .most = 1,
    .run = run_sign_open,
};
static const struct command *const SIGN_COMMANDS[] = {&SIGN_KEYPAIR, &SIGN_OPEN, &SIGN_SIGN, NULL};
static const struct command SIGN = {
    .name = "sign",
    .summary = "sign messages",
    .description = "Signs messages and verifies them (crypto_sign).",
    .sub = SIGN_COMMANDS,
};

static const struct command *const NACL_COMMANDS[] = {&AUTH, &BOX, &SECRETBOX, &SIGN, NULL};
const struct command CMD_CRYPTO_NACL = {
    .name = "nacl",
    .summary = "the functions of NaCl",
    .description = "Encrypts, authenticates and signs as NaCl does. It is easy to misuse: a nonce "
                   "must never be used twice under the same keys.",
    .sub = NACL_COMMANDS,
};
