/* PHC strings: read strictly, so that two readers cannot see two things in one text. */
#include "cli/phc.h"

#include "base/encode.h"

#define PHC_MAX     1024u
#define BYTES_LEAST 8u /* salt and hash */
#define BYTES_MOST  512u
#define BCRYPT_LEN  60u
#define BCRYPT_COST 20u

static const char *const NAMES[PHC_ALGS] = {[PHC_SCRYPT] = "scrypt",
                                            [PHC_ARGON2I] = "argon2i",
                                            [PHC_ARGON2ID] = "argon2id",
                                            [PHC_BCRYPT] = "bcrypt"};

const char *phc_name(enum phc_alg alg)
{
    return NAMES[alg];
}

bool phc_named(const char *name, enum phc_alg *alg)
{
    for (unsigned i = 0; i < PHC_ALGS; i++) {
        if (strcmp(NAMES[i], name) != 0)
            continue;
        *alg = (enum phc_alg)i;
        return true;
    }
    return false;
}

/* --- Parameters --------------------------------------------------------------------------- */

struct parameter {
    const char *name;
    uint32_t *value;
    uint32_t least, most;
    bool seen;
};

static bool parameter_read(struct slice one, const char *alg, struct parameter *list, size_t n,
                           struct err *e)
{
    size_t equals = slice_find(one, '=');
    struct slice name = slice_sub(one, 0, equals), digits = slice_from(one, equals + 1);
    uint64_t v;

    for (size_t i = 0; i < n; i++) {
        if (!slice_is(name, list[i].name) || list[i].seen)
            continue;
        bool canonical = digits.n && (digits.n == 1 || digits.p[0] != '0');
        if (!canonical || !slice_to_u64(digits, &v) || v < list[i].least || v > list[i].most)
            return err_set(e, ERR_MALFORMED,
                           "invalid %s parameter %s: expected a whole number of %u to %u", alg,
                           list[i].name, list[i].least, list[i].most);
        *list[i].value = (uint32_t)v;
        list[i].seen = true;
        return true;
    }
    return err_set(e, ERR_MALFORMED, "invalid %s parameter '%.*s'", alg,
                   SLICE_ARG(slice_sub(one, 0, 32)));
}

static bool parameters_read(struct slice text, const char *alg, struct parameter *list, size_t n,
                            struct err *e)
{
    struct slice one;

    while (text.n) {
        size_t end = slice_find(text, ',');
        one = slice_sub(text, 0, end);
        if (!parameter_read(one, alg, list, n, e))
            return false;
        if (end + 1 == text.n)
            return err_set(e, ERR_MALFORMED, "invalid %s parameter ''", alg);
        text = slice_from(text, end + 1);
    }
    return true;
}

static bool read_parameters(struct slice text, struct phc *phc, struct err *e)
{
    const char *name = NAMES[phc->alg];

    if (phc->alg == PHC_SCRYPT) {
        struct parameter list[] = {{"ln", &phc->ln, 1, 20, false},
                                   {"r", &phc->r, 1, 32, false},
                                   {"p", &phc->p, 1, 32, false}};
        phc->ln = 16;
        phc->r = 8;
        phc->p = 1;
        return parameters_read(text, name, list, COUNT_OF(list), e);
    }
    struct parameter list[] = {{"m", &phc->m, 8, 16777216, false},
                               {"t", &phc->t, 1, 128, false},
                               {"p", &phc->p, 1, 32, false}};
    phc->m = 12;
    phc->t = 3;
    phc->p = 1;
    return parameters_read(text, name, list, COUNT_OF(list), e);
}

/* --- Reading ------------------------------------------------------------------------------ */

static bool is_bcrypt_letter(uint8_t c)
{
    return c == '.' || c == '/' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
}

/* $2b$10$ and 22 + 31 letters. */
static bool read_bcrypt(struct slice text, struct phc *phc, struct err *e)
{
    static const char *const KINDS[] = {"$2a$", "$2b$", "$2y$"};
    struct slice rest = slice_from(text, 7);
    bool known = false;

    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        known |= slice_starts(text, KINDS[i]);
    if (!known)
        return err_set(e, ERR_MALFORMED,
                       "error decoding hash: bcrypt of a kind that we do not know");
    if (text.n != BCRYPT_LEN || text.p[6] != '$' || text.p[4] < '0' || text.p[4] > '9' ||
        text.p[5] < '0' || text.p[5] > '9')
        return err_set(e, ERR_MALFORMED, "error decoding hash: expected %u characters of bcrypt",
                       BCRYPT_LEN);
    for (size_t i = 0; i < rest.n; i++) {
        if (!is_bcrypt_letter(rest.p[i]))
            return err_set(e, ERR_MALFORMED, "error decoding hash: not bcrypt's base64");
    }
    phc->alg = PHC_BCRYPT;
    phc->cost = (uint32_t)(text.p[4] - '0') * 10 + (uint32_t)(text.p[5] - '0');
    return (phc->cost >= 4 && phc->cost <= BCRYPT_COST) ||
           err_set(e, ERR_MALFORMED, "invalid bcrypt cost %u: expected 4 to %u", phc->cost,
                   BCRYPT_COST);
}

static bool read_bytes(struct arena *a, struct slice text, const char *what, struct slice *bytes,
                       struct err *e)
{
    if (!base64_read(a, BASE64_STD_RAW, text, bytes))
        return err_set(e, ERR_MALFORMED,
                       "error decoding hash: the %s is not base64 without padding", what);
    return (bytes->n >= BYTES_LEAST && bytes->n <= BYTES_MOST) ||
           err_set(e, ERR_MALFORMED, "error decoding hash: a %s of %zu bytes, expected %u to %u",
                   what, bytes->n, BYTES_LEAST, BYTES_MOST);
}

static bool read_version(struct slice text, struct phc *phc, struct err *e)
{
    if (phc->alg == PHC_SCRYPT || !slice_is(text, "v=19"))
        return err_set(e, ERR_MALFORMED, "invalid %s version '%.*s': expected v=19",
                       NAMES[phc->alg], SLICE_ARG(slice_sub(text, 0, 16)));
    phc->version = 19;
    return true;
}

static bool cannot_decode(struct err *e)
{
    return err_set(e, ERR_MALFORMED, "error decoding hash: cannot decode password hash");
}

static bool read_fields(struct arena *a, struct slice *fields, size_t n, struct phc *phc,
                        struct err *e)
{
    struct slice parameters = SLICE("");
    size_t at = 1;

    if (at < n && slice_starts(fields[at], "v=") && !read_version(fields[at++], phc, e))
        return false;
    if (at < n && slice_find(fields[at], '=') < fields[at].n)
        parameters = fields[at++];
    if (n - at != 2)
        return cannot_decode(e);
    return read_parameters(parameters, phc, e) &&
           read_bytes(a, fields[at], "salt", &phc->salt, e) &&
           read_bytes(a, fields[at + 1], "hash", &phc->hash, e);
}

bool phc_read(struct arena *a, struct slice text, struct phc *phc, struct err *e)
{
    struct slice fields[5], rest;
    size_t n = 0;

    *phc = (struct phc){.text = text};
    if (text.n > PHC_MAX || !slice_starts(text, "$"))
        return cannot_decode(e);
    if (slice_starts(text, "$2"))
        return read_bcrypt(text, phc, e);
    rest = slice_from(text, 1);
    while (n < COUNT_OF(fields) && slice_split(&rest, '$', &fields[n]))
        n++;
    if (rest.n || n < 3 || slice_ends(text, "$"))
        return cannot_decode(e);
    const char *name = arena_cstr(a, fields[0]);
    if (slice_has_nul(fields[0]) || !phc_named(name, &phc->alg) || phc->alg == PHC_BCRYPT)
        return err_set(e, ERR_MALFORMED, "error decoding hash: unknown algorithm '%.*s'",
                       SLICE_ARG(slice_sub(fields[0], 0, 32)));
    return read_fields(a, fields, n, phc, e);
}

/* --- Writing ------------------------------------------------------------------------------ */

struct slice phc_text(struct arena *a, const struct phc *phc)
{
    struct slice salt = base64_text(a, BASE64_STD_RAW, phc->salt);
    struct slice hash = base64_text(a, BASE64_STD_RAW, phc->hash);

    if (phc->alg == PHC_SCRYPT)
        return arena_format(a, "$scrypt$ln=%u,r=%u,p=%u$%.*s$%.*s", phc->ln, phc->r, phc->p,
                            SLICE_ARG(salt), SLICE_ARG(hash));
    return arena_format(a, "$%s$v=19$m=%u,t=%u,p=%u$%.*s$%.*s", NAMES[phc->alg], phc->m, phc->t,
                        phc->p, SLICE_ARG(salt), SLICE_ARG(hash));
}
