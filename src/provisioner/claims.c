/*
 * Claims: the built-in values, how a child's members lie over its parent's, and what makes a
 * resolved set acceptable.
 */
#include "provisioner/claims.h"

#include "base/duration.h"

#define MINUTE (60 * NS_PER_SEC)
#define HOUR   (60 * MINUTE)

const struct claims CLAIMS_BUILT_IN = {
    .tls = {.least = 5 * MINUTE, .most = 24 * HOUR, .usual = 24 * HOUR},
    .user_ssh = {.least = 5 * MINUTE, .most = 24 * HOUR, .usual = 16 * HOUR},
    .host_ssh = {.least = 5 * MINUTE, .most = 720 * HOUR, .usual = 720 * HOUR},
};

#define AT(member) offsetof(struct claims_config, member)
static const struct field CLAIMS_FIELDS[] = {
    {"minTLSCertDuration", FIELD_DURATION, AT(min_tls), FIELD_OMIT_EMPTY, NULL},
    {"maxTLSCertDuration", FIELD_DURATION, AT(max_tls), FIELD_OMIT_EMPTY, NULL},
    {"defaultTLSCertDuration", FIELD_DURATION, AT(default_tls), FIELD_OMIT_EMPTY, NULL},
    {"minUserSSHCertDuration", FIELD_DURATION, AT(min_user_ssh), FIELD_OMIT_EMPTY, NULL},
    {"maxUserSSHCertDuration", FIELD_DURATION, AT(max_user_ssh), FIELD_OMIT_EMPTY, NULL},
    {"defaultUserSSHCertDuration", FIELD_DURATION, AT(default_user_ssh), FIELD_OMIT_EMPTY, NULL},
    {"minHostSSHCertDuration", FIELD_DURATION, AT(min_host_ssh), FIELD_OMIT_EMPTY, NULL},
    {"maxHostSSHCertDuration", FIELD_DURATION, AT(max_host_ssh), FIELD_OMIT_EMPTY, NULL},
    {"defaultHostSSHCertDuration", FIELD_DURATION, AT(default_host_ssh), FIELD_OMIT_EMPTY, NULL},
    {"enableSSHCA", FIELD_OPT_BOOL, AT(enable_ssh_ca), FIELD_OMIT_EMPTY, NULL},
    {"disableRenewal", FIELD_OPT_BOOL, AT(disable_renewal), FIELD_OMIT_EMPTY, NULL},
    {"allowRenewalAfterExpiry", FIELD_OPT_BOOL, AT(allow_renewal_after_expiry), FIELD_OMIT_EMPTY,
     NULL},
    {"disableSmallstepExtensions", FIELD_OPT_BOOL, AT(disable_smallstep_extensions),
     FIELD_OMIT_EMPTY, NULL},
};
const struct shape CLAIMS_SHAPE = {"claims", sizeof(struct claims_config), CLAIMS_FIELDS,
                                   COUNT_OF(CLAIMS_FIELDS), false};

static void resolve_limits(const struct duration_limits *parent, struct opt_duration least,
                           struct opt_duration most, struct opt_duration usual,
                           struct duration_limits *out)
{
    *out = *parent;
    if (usual.set) {
        out->usual = usual.ns;
        if (usual.ns < out->least)
            out->least = usual.ns;
        if (usual.ns > out->most)
            out->most = usual.ns;
    }
    if (least.set)
        out->least = least.ns;
    if (most.set)
        out->most = most.ns;
}

static bool resolve_bool(bool parent, int8_t own)
{
    return own < 0 ? parent : own != 0;
}

void claims_resolve(const struct claims *parent, const struct claims_config *child,
                    struct claims *out)
{
    struct claims from = *parent;

    *out = from;
    if (!child)
        return;
    resolve_limits(&from.tls, child->min_tls, child->max_tls, child->default_tls, &out->tls);
    resolve_limits(&from.user_ssh, child->min_user_ssh, child->max_user_ssh,
                   child->default_user_ssh, &out->user_ssh);
    resolve_limits(&from.host_ssh, child->min_host_ssh, child->max_host_ssh,
                   child->default_host_ssh, &out->host_ssh);
    out->enable_ssh_ca = resolve_bool(from.enable_ssh_ca, child->enable_ssh_ca);
    out->disable_renewal = resolve_bool(from.disable_renewal, child->disable_renewal);
    out->allow_renewal_after_expiry =
        resolve_bool(from.allow_renewal_after_expiry, child->allow_renewal_after_expiry);
    out->disable_smallstep_extensions =
        resolve_bool(from.disable_smallstep_extensions, child->disable_smallstep_extensions);
}

/* family: what stands between "min" and "CertDuration" in the members' names. */
static bool limits_check(const struct duration_limits *l, const char *family, struct err *e)
{
    const struct {
        const char *prefix;
        int64_t ns;
    } members[] = {{"min", l->least}, {"max", l->most}, {"default", l->usual}};
    char a[DURATION_TEXT_MAX], b[DURATION_TEXT_MAX];

    for (size_t i = 0; i < COUNT_OF(members); i++) {
        duration_put(a, members[i].ns);
        if (members[i].ns <= 0)
            return err_set(e, ERR_MALFORMED, "claims: %s%sCertDuration (%s) must be positive",
                           members[i].prefix, family, a);
    }
    duration_put(a, l->least);
    duration_put(b, l->most);
    if (l->most < l->least)
        return err_set(e, ERR_MALFORMED,
                       "claims: max%sCertDuration (%s) is below min%sCertDuration (%s)", family, b,
                       family, a);
    duration_put(a, l->usual);
    if (l->usual > l->most)
        return err_set(e, ERR_MALFORMED,
                       "claims: default%sCertDuration (%s) exceeds max%sCertDuration (%s)", family,
                       a, family, b);
    duration_put(b, l->least);
    if (l->usual < l->least)
        return err_set(e, ERR_MALFORMED,
                       "claims: default%sCertDuration (%s) is below min%sCertDuration (%s)", family,
                       a, family, b);
    return true;
}

bool claims_check(const struct claims *c, struct err *e)
{
    return limits_check(&c->tls, "TLS", e);
}

const char *claims_ssh_trouble(struct arena *a, const struct claims *c)
{
    struct err e = {0};

    if (limits_check(&c->user_ssh, "UserSSH", &e) && limits_check(&c->host_ssh, "HostSSH", &e))
        return NULL;
    return arena_cstr(a, slice_text(e.text));
}
