/*
 * step crypto kdf: hashes of passwords that are expensive to guess at.  scrypt is libcrypto's,
 * bcrypt libcrypt's, Argon2 libargon2's (which a build may do without).
 */
#include <crypt.h>
#include <unistd.h>

#include "cli/crypto.h"
#include "cli/phc.h"
#include "cli/tool_input.h"
#include "crypto/cipher.h"
#include "crypto/secret.h"

#ifdef NEWEL_ARGON2
#include <argon2.h>
#endif

#define SALT_BYTES      16u
#define HASH_BYTES      32u
#define BCRYPT_COST     10u
#define BCRYPT_PASSWORD 72u
#define BCRYPT_PREFIX   29u /* $2b$10$ and the salt */
#define ARGON2_OLD      0x10u

/* --- scrypt ------------------------------------------------------------------------------- */

static bool scrypt_derive(struct invocation *inv, const struct phc *phc, struct slice password,
                          struct slice *hash)
{
    return cipher_scrypt(inv->secrets, password, phc->salt, UINT64_C(1) << phc->ln, phc->r, phc->p,
                         phc->hash.n, hash, &inv->err);
}

/* --- Argon2 ------------------------------------------------------------------------------- */

#ifdef NEWEL_ARGON2
static bool memory_is_there(struct invocation *inv, uint32_t kib)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t have = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 1024 : UINT64_MAX;

    return kib < have ||
           err_set(&inv->err, ERR_TOO_LARGE,
                   "argon2: the hash asks for %u KiB of memory, this machine has %llu", kib,
                   (unsigned long long)have);
}

static bool argon2_derive(struct invocation *inv, const struct phc *phc, uint32_t version,
                          struct slice password, struct slice *hash)
{
    uint8_t *out = arena_alloc(inv->secrets, phc->hash.n);
    argon2_context c = {
        .out = out,
        .outlen = (uint32_t)phc->hash.n,
        .pwd = (uint8_t *)(uintptr_t)password.p,
        .pwdlen = (uint32_t)password.n,
        .salt = (uint8_t *)(uintptr_t)phc->salt.p,
        .saltlen = (uint32_t)phc->salt.n,
        .t_cost = phc->t,
        .m_cost = phc->m,
        .lanes = phc->p,
        .threads = phc->p,
        .version = version,
    };

    if (phc->m < 8 * phc->p)
        return err_set(&inv->err, ERR_MALFORMED,
                       "invalid %s parameter m: RFC 9106 3.1: expected at least 8 p",
                       phc_name(phc->alg));
    if (!memory_is_there(inv, phc->m))
        return false;
    int rc = argon2_ctx(&c, phc->alg == PHC_ARGON2I ? Argon2_i : Argon2_id);
    *hash = slice_of(out, phc->hash.n);
    return rc == ARGON2_OK ||
           err_set(&inv->err, ERR_INTERNAL, "argon2: %s", argon2_error_message(rc));
}
#else
static bool argon2_derive(struct invocation *inv, const struct phc *phc, uint32_t version,
                          struct slice password, struct slice *hash)
{
    (void)version, (void)password, (void)hash;
    return err_set(&inv->err, ERR_NOT_IMPLEMENTED,
                   "this build has no %s: it was made without libargon2", phc_name(phc->alg));
}
#endif

static bool derive(struct invocation *inv, const struct phc *phc, struct slice password,
                   struct slice *hash)
{
    if (phc->alg == PHC_SCRYPT)
        return scrypt_derive(inv, phc, password, hash);
    return argon2_derive(inv, phc, 19, password, hash);
}

/* --- bcrypt ------------------------------------------------------------------------------- */

static bool bcrypt_password(struct invocation *inv, struct slice password, const char **text)
{
    if (password.n > BCRYPT_PASSWORD)
        return err_set(&inv->err, ERR_MALFORMED,
                       "error deriving password: bcrypt: password length exceeds %u bytes",
                       BCRYPT_PASSWORD);
    if (slice_has_nul(password))
        return err_set(&inv->err, ERR_MALFORMED,
                       "error deriving password: bcrypt: the password has a zero byte in it");
    *text = arena_cstr(inv->secrets, password);
    return true;
}

/* The variants differ in bugs of others; what is right under 2a and 2y is right under 2b. */
static bool bcrypt_run(struct invocation *inv, struct slice setting, struct slice password,
                       struct slice *hash)
{
    struct crypt_data *work = arena_alloc(inv->secrets, sizeof(*work));
    char *text = arena_cstr(inv->secrets, slice_sub(setting, 0, BCRYPT_PREFIX));
    const char *secret = NULL;

    if (!bcrypt_password(inv, password, &secret))
        return false;
    text[2] = 'b';
    const char *made = crypt_r(secret, text, work);
    if (!made || strncmp(made, "$2b$", 4) != 0)
        return err_set(&inv->err, ERR_INTERNAL, "bcrypt: libcrypt does not know it");
    *hash = arena_copy(inv->secrets, slice_text(made));
    ((uint8_t *)(uintptr_t)hash->p)[2] = setting.p[2];
    return true;
}

static bool bcrypt_hash(struct invocation *inv, struct slice password, struct slice *text)
{
    uint8_t salt[SALT_BYTES];
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];

    inv->rng->fill(inv->rng, salt, sizeof(salt));
    if (!crypt_gensalt_rn("$2a$", BCRYPT_COST, (const char *)salt, sizeof(salt), setting,
                          sizeof(setting)))
        return err_set(&inv->err, ERR_INTERNAL, "bcrypt: libcrypt does not know it");
    return bcrypt_run(inv, slice_text(setting), password, text);
}

/* --- hash --------------------------------------------------------------------------------- */

static const struct phc USUAL[PHC_ALGS] = {
    [PHC_SCRYPT] = {.alg = PHC_SCRYPT, .ln = 15, .r = 8, .p = 1},
    [PHC_ARGON2I] = {.alg = PHC_ARGON2I, .version = 19, .m = 32768, .t = 3, .p = 4},
    [PHC_ARGON2ID] = {.alg = PHC_ARGON2ID, .version = 19, .m = 65536, .t = 1, .p = 4},
    [PHC_BCRYPT] = {.alg = PHC_BCRYPT, .cost = BCRYPT_COST},
};

static bool phc_hash(struct invocation *inv, enum phc_alg alg, struct slice password,
                     struct slice *text)
{
    struct phc phc = USUAL[alg];
    uint8_t *salt = arena_alloc(inv->arena, SALT_BYTES);

    inv->rng->fill(inv->rng, salt, SALT_BYTES);
    phc.salt = slice_of(salt, SALT_BYTES);
    phc.hash = slice_of(salt, HASH_BYTES); /* only its length counts yet */
    if (!derive(inv, &phc, password, &phc.hash))
        return false;
    *text = phc_text(inv->arena, &phc);
    return true;
}

static int run_hash(struct invocation *inv)
{
    const char *name = flag_text(inv, "alg");
    struct slice password, text;
    enum phc_alg alg;

    if (!phc_named(name, &alg))
        return fail_value(inv, "alg", name, "scrypt, bcrypt, argon2i, argon2id");
    if (!tool_secret_argument(inv, 0, "INPUT", "Enter password to hash", &password) ||
        !(alg == PHC_BCRYPT ? bcrypt_hash(inv, password, &text)
                            : phc_hash(inv, alg, password, &text)))
        return fail(inv);
    out_line(inv, "%.*s", SLICE_ARG(text));
    return 0;
}

static const struct flag HASH_FLAGS[] = {{"alg,algorithm", FLAG_TEXT, "<algorithm>",
                                          "The <algorithm>: scrypt, bcrypt, argon2i or argon2id.",
                                          "scrypt", 0},
                                         {0}};
static const struct flag *const HASH_SETS[] = {HASH_FLAGS, FLAGS_INSECURE, NULL};

static const struct command HASH = {
    .name = "hash",
    .summary = "hash a password",
    .synopsis = "[<input>]",
    .description = "Reads a password from standard input, all bytes of it, or asks for it, and "
                   "prints its hash with a fresh salt: a PHC string, or bcrypt's own form.\n\n"
                   "A password on the command line is seen by other users and kept in the shell's "
                   "history: that needs --insecure.",
    .arguments = "input\tThe password. Requires --insecure.",
    .examples = "Ask for it:\n"
                "$ step crypto kdf hash\n"
                "\n"
                "From a file without a final newline, with Argon2id:\n"
                "$ step crypto kdf hash --alg argon2id < password",
    .flag_sets = HASH_SETS,
    .most = 1,
    .run = run_hash,
};

/* --- compare ------------------------------------------------------------------------------ */

/* A text without version is of Argon2 1.3 or of its older version, which left it out. */
static bool phc_matches(struct invocation *inv, const struct phc *phc, struct slice password,
                        bool *same)
{
    struct slice hash;

    if (phc->alg == PHC_BCRYPT) {
        if (!bcrypt_run(inv, phc->text, password, &hash))
            return false;
        *same = secret_equal(hash, phc->text);
        return true;
    }
    if (!derive(inv, phc, password, &hash))
        return false;
    *same = secret_equal(hash, phc->hash);
    if (*same || phc->alg == PHC_SCRYPT || phc->version)
        return true;
    if (!argon2_derive(inv, phc, ARGON2_OLD, password, &hash))
        return false;
    *same = secret_equal(hash, phc->hash);
    return true;
}

static int run_compare(struct invocation *inv)
{
    struct slice password;
    struct phc phc;
    bool same = false;

    if (!phc_read(inv->arena, slice_text(arg_text(inv, 0)), &phc, &inv->err) ||
        !tool_secret_argument(inv, 1, "INPUT", "Enter password to compare", &password) ||
        !phc_matches(inv, &phc, password, &same))
        return fail(inv);
    if (!same)
        return fail_with(inv, "fail");
    out_line(inv, "ok");
    return 0;
}

static const struct flag *const COMPARE_SETS[] = {FLAGS_INSECURE, NULL};

static const struct command COMPARE = {
    .name = "compare",
    .summary = "compare a password with a hash",
    .synopsis = "<phc-hash> [<input>]",
    .description = "Reads a password from standard input, all bytes of it, or asks for it, and "
                   "prints \"ok\" when the hash is its. A hash whose costs are out of bounds is "
                   "refused.",
    .arguments = "phc-hash\tThe hash: scrypt, Argon2i or Argon2id as a PHC string, or bcrypt.\n"
                 "input\tThe password. Requires --insecure.",
    .examples =
        "Ask for it:\n"
        "$ step crypto kdf compare '$2a$10$EjgjuVb0Yfcv.ac4B6CQ3uXvLeR9nKiQbg1xR4EJUYLyC3LXWkQtm'\n"
        "\n"
        "From a file:\n"
        "$ step crypto kdf compare \"$(cat hash)\" < password",
    .exit_codes = "0 and \"ok\" when they belong together; 1 and \"fail\" on standard error when "
                  "not.",
    .flag_sets = COMPARE_SETS,
    .least = 1,
    .most = 2,
    .run = run_compare,
};

static const struct command *const KDF_COMMANDS[] = {&HASH, &COMPARE, NULL};
const struct command CMD_CRYPTO_KDF = {
    .name = "kdf",
    .summary = "hash passwords and compare them",
    .description = "Hashes passwords with functions that make guessing expensive, and compares.",
    .sub = KDF_COMMANDS,
};
