/*
 * Which key to make.  A type decides which of curve and size may be there; a size below what is
 * safe needs --insecure.  Case matters: "rsa" is no type.
 */
#include "cli/key_choice.h"

#define RSA_USUAL 2048
#define RSA_MAX   16384

static bool rsa_choose(const struct key_wish *w, enum key_type *type, unsigned *bits, struct err *e)
{
    int64_t size = w->size_given ? w->size : RSA_USUAL;

    if (w->curve)
        return err_set(e, ERR_MALFORMED, "flag '--curve' is incompatible with flag '--kty RSA'");
    if (size < RSA_USUAL && !w->insecure)
        return err_set(e, ERR_MALFORMED, "flag '--size' requires at least %d%s", RSA_USUAL,
                       w->insecure_listed ? " unless '--insecure' flag is provided"
                                          : " bits for an RSA key");
    if (size <= 0)
        return err_set(e, ERR_MALFORMED, "flag '--size' must be greater than or equal to 0");
    if (size > RSA_MAX)
        return err_set(e, ERR_MALFORMED, "flag '--size' must be at most %d", RSA_MAX);
    *type = KEY_RSA;
    *bits = (unsigned)size;
    return true;
}

enum key_type key_choice_curve(const char *name)
{
    static const struct {
        const char *name;
        enum key_type type;
    } CURVES[] = {{"P-256", KEY_P256}, {"P-384", KEY_P384}, {"P-521", KEY_P521}};

    for (size_t i = 0; i < COUNT_OF(CURVES); i++) {
        if (strcmp(name, CURVES[i].name) == 0)
            return CURVES[i].type;
    }
    return KEY_NONE;
}

static bool sized(const struct key_wish *w, const char *kty, struct err *e)
{
    return !w->size_given ||
           err_set(e, ERR_MALFORMED, "flag '--size' is incompatible with flag '--kty %s'", kty);
}

static bool ec_choose(const struct key_wish *w, enum key_type *type, unsigned *bits, struct err *e)
{
    *bits = 0;
    *type = w->curve ? key_choice_curve(w->curve) : KEY_P256;
    if (*type == KEY_NONE)
        return err_set(e, ERR_MALFORMED,
                       "flag '--kty EC' is incompatible with flag '--curve %s'; options are P-256, "
                       "P-384, P-521",
                       w->curve);
    return sized(w, "EC", e);
}

static bool okp_choose(const struct key_wish *w, enum key_type *type, unsigned *bits, struct err *e)
{
    *bits = 0;
    *type = KEY_ED25519;
    if (w->curve && strcmp(w->curve, "Ed25519") != 0)
        return err_set(e, ERR_MALFORMED,
                       "flag '--kty OKP' is incompatible with flag '--curve %s'; options are "
                       "Ed25519",
                       w->curve);
    return sized(w, "OKP", e);
}

bool key_choice_of(const struct key_wish *w, enum key_type *type, unsigned *bits, struct err *e)
{
    static const struct {
        const char *kty;
        bool (*choose)(const struct key_wish *, enum key_type *, unsigned *, struct err *);
    } TYPES[] = {{"RSA", rsa_choose}, {"EC", ec_choose}, {"OKP", okp_choose}};

    if (!w->kty && (w->curve || w->size_given))
        return err_set(e, ERR_MALFORMED, "flag '--%s' requires the '--kty' flag",
                       w->curve ? "curve" : "size");
    if (!w->kty)
        return ec_choose(w, type, bits, e);
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        if (strcmp(w->kty, TYPES[i].kty) == 0)
            return TYPES[i].choose(w, type, bits, e);
    }
    if (!*w->kty)
        return err_set(e, ERR_MALFORMED,
                       "missing value for flag '--kty'; options are RSA, EC, OKP");
    return err_set(e, ERR_MALFORMED,
                   "invalid value '%s' for flag '--kty'; options are RSA, EC, OKP", w->kty);
}

bool key_choice(struct invocation *inv, bool insecure, enum key_type *type, unsigned *bits,
                struct err *e)
{
    const char *curve = flag_text(inv, "curve");
    struct key_wish wish = {
        .kty = flag_text(inv, "kty"),
        .curve = curve && *curve ? curve : NULL,
        .size_given = flag_set(inv, "size"),
        .size = flag_set(inv, "size") ? flag_int(inv, "size") : 0,
        .insecure = insecure,
        .insecure_listed = flag_listed(inv, "insecure"),
    };

    return key_choice_of(&wish, type, bits, e);
}
