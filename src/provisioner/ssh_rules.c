/* A request for an SSH certificate against what its grant says. */
#include "base/encode.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "provisioner/provisioner.h"

/* "alice, bob", for messages. */
#define NAMES_SHOWN 160
struct names_text {
    char text[NAMES_SHOWN + 8];
};

static struct names_text names_text(const struct ssh_wish *w)
{
    struct names_text out = {""};
    size_t n = 0;

    for (size_t i = 0; i < w->n_principals; i++) {
        struct slice name = w->principals[i];
        if (n + name.n + 2 > NAMES_SHOWN) {
            memcpy(out.text + n, ", …", sizeof(", …"));
            return out;
        }
        if (i > 0) {
            memcpy(out.text + n, ", ", 2);
            n += 2;
        }
        if (name.n > 0)
            memcpy(out.text + n, name.p, name.n);
        n += name.n;
        out.text[n] = '\0';
    }
    return out;
}

static bool match_type(const struct ssh_wish *want, const struct ssh_wish *got, struct err *e)
{
    if (want->type.n == 0 || got->type.n == 0 || slice_eq_case(want->type, got->type))
        return true;
    return err_set(e, ERR_FORBIDDEN, "certType: wanted %.*s, got %.*s", SLICE_ARG(want->type),
                   SLICE_ARG(slice_sub(got->type, 0, 64)));
}

static bool has_principal(const struct ssh_wish *w, struct slice name)
{
    for (size_t i = 0; i < w->n_principals; i++) {
        if (slice_eq_case(w->principals[i], name))
            return true;
    }
    return false;
}

static bool match_principals(const struct ssh_wish *want, const struct ssh_wish *got, struct err *e)
{
    bool fits = got->n_principals <= want->n_principals;

    if (want->n_principals == 0 || got->n_principals == 0)
        return true;
    for (size_t i = 0; fits && i < got->n_principals; i++)
        fits = has_principal(want, got->principals[i]);
    if (fits)
        return true;
    struct names_text wanted = names_text(want), found = names_text(got);
    return err_set(e, ERR_FORBIDDEN, "principals: wanted [%s], got [%s]", wanted.text, found.text);
}

static bool same_time(const struct time_or_duration *x, const struct time_or_duration *y)
{
    if (x->relative != y->relative)
        return false;
    return x->relative ? x->ns == y->ns : instant_cmp(x->at, y->at) == 0;
}

static bool match_time(const char *name, const struct time_or_duration *want,
                       const struct time_or_duration *got, struct err *e)
{
    if (!want->set || !got->set || same_time(want, got))
        return true;
    return err_set(e, ERR_FORBIDDEN, "%s is not the one that the token says", name);
}

static bool match(const struct ssh_wish *want, const struct ssh_wish *got, struct err *e)
{
    return match_type(want, got, e) && match_principals(want, got, e) &&
           match_time("validAfter", &want->valid_after, &got->valid_after, e) &&
           match_time("validBefore", &want->valid_before, &got->valid_before, e);
}

static bool check_required(const struct ssh_wish *got, struct err *e)
{
    const char *missing = got->type.n == 0         ? "certType"
                          : got->key_id.n == 0     ? "keyID"
                          : got->n_principals == 0 ? "principals"
                                                   : NULL;

    return !missing || err_set(e, ERR_MALFORMED, "%s is missing", missing);
}

bool ssh_rules_check(const struct grant_ssh *g, const struct ssh_wish *asked, struct err *e)
{
    return (!g->match || match(g->match, asked, e)) && (!g->required || check_required(asked, e));
}

bool ssh_confirmation_check(struct arena *a, const struct grant_ssh *g, struct slice blob,
                            struct err *e)
{
    uint8_t own[DIGEST_MAX];
    struct slice wanted;

    if (g->confirmed.n == 0)
        return true;
    digest_of(DIGEST_SHA256, blob, own);
    return (base64_read(a, BASE64_URL_RAW, g->confirmed, &wanted) &&
            wanted.n == digest_size(DIGEST_SHA256) &&
            secret_equal(wanted, slice_of(own, wanted.n))) ||
           err_set(e, ERR_FORBIDDEN, "the token's cnf claim is bound to another public key");
}
