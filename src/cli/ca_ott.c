/*
 * One-time tokens as a client sees them (docs/reference/tokens.md): whose token it is, and which
 * names the request must have that goes with it.  Nothing is verified here: the CA does that; the
 * client sends the token and a request and nothing else.
 */
#include "base/encode.h"
#include "cli/ca_common.h"

#define K8SSA_ISSUER "kubernetes/serviceaccount"
#define DOCUMENT_MAX (64u << 10)

static const struct json *claim(const struct token *t, const char *name)
{
    return json_get_exact(t->claims, name);
}

static bool is_azure(const struct token *t)
{
    static const char *const ISSUERS[] = {
        "https://sts.windows.net",
        "https://login.microsoftonline.com",
        "https://login.microsoftonline.us",
        "https://sts.chinacloudapi.cn",
        "https://login.partner.microsoftonline.cn",
    };

    if (!json_text(claim(t, "xms_mirid")).n)
        return false;
    for (size_t i = 0; i < COUNT_OF(ISSUERS); i++)
        if (slice_starts(t->iss, ISSUERS[i]))
            return true;
    return false;
}

static bool has_names(const struct token *t)
{
    const struct json *sans = claim(t, "sans");

    return sans && (sans->kind == JSON_TEXT || (sans->kind == JSON_LIST && sans->n > 0));
}

enum ott_kind ott_kind_of(const struct token *t)
{
    const struct json *google = claim(t, "google"), *amazon = claim(t, "amazon");

    if (google && google->kind == JSON_OBJECT)
        return OTT_GCP;
    if (amazon && amazon->kind == JSON_OBJECT)
        return OTT_AWS;
    if (is_azure(t))
        return OTT_AZURE;
    if (slice_is(t->iss, K8SSA_ISSUER))
        return OTT_K8SSA;
    if (json_text(claim(t, "sha")).n || has_names(t))
        return OTT_JWK;
    if (t->n_aud && t->iss.n && t->sub.n && t->exp.set && t->iat.set)
        return OTT_OIDC;
    return OTT_UNKNOWN;
}

bool ott_read(struct arena *a, struct slice text, struct token *t, enum ott_kind *kind,
              struct err *e)
{
    if (!token_read(a, text, t, e))
        return err_wrap(e, "token");
    *kind = ott_kind_of(t);
    return *kind != OTT_UNKNOWN ||
           err_set(
               e, ERR_MALFORMED,
               "token: expected a one-time token of a provisioner, found claims of no kind that "
               "is known");
}

size_t names_join(struct slice *out, size_t n, const struct slice *more, size_t n_more)
{
    for (size_t i = 0; i < n_more; i++) {
        size_t k = 0;
        while (k < n && !slice_eq(out[k], more[i]))
            k++;
        if (k == n && more[i].n)
            out[n++] = more[i];
    }
    return n;
}

/* --- Names that follow from the machine that a token is for ---------------------------------- */

#define NAMES_MAX 4

static size_t aws_names(struct arena *a, const struct token *t, struct slice subject,
                        struct slice *out)
{
    struct slice bytes, text = json_text(json_get_exact(claim(t, "amazon"), "document"));
    struct json *doc = NULL;

    if (text.n && text.n <= DOCUMENT_MAX && base64_read(a, BASE64_STD, text, &bytes))
        doc = json_read(a, bytes, &JSON_API, NULL, NULL);
    struct slice ip = json_text(json_get(doc, "privateIp")),
                 region = json_text(json_get(doc, "region"));
    if (!ip.n || !region.n)
        return 0;
    char *dashed = arena_cstr(a, ip);
    for (char *p = dashed; *p; p++)
        if (*p == '.')
            *p = '-';
    out[0] = ip;
    out[1] = arena_format(a, "ip-%s.%.*s.compute.internal", dashed, SLICE_ARG(region));
    out[2] = subject;
    return 3;
}

static size_t gcp_names(struct arena *a, const struct token *t, struct slice subject,
                        struct slice *out)
{
    const struct json *engine = json_get_exact(claim(t, "google"), "compute_engine");
    struct slice name = json_text(json_get_exact(engine, "instance_name")),
                 project = json_text(json_get_exact(engine, "project_id")),
                 zone = json_text(json_get_exact(engine, "zone"));

    if (!name.n || !project.n || !zone.n)
        return 0;
    out[0] = arena_format(a, "%.*s.c.%.*s.internal", SLICE_ARG(name), SLICE_ARG(project));
    out[1] = arena_format(a, "%.*s.%.*s.c.%.*s.internal", SLICE_ARG(name), SLICE_ARG(zone),
                          SLICE_ARG(project));
    out[2] = subject;
    return 3;
}

static size_t azure_names(struct arena *a, const struct token *t, struct slice subject,
                          struct slice *out)
{
    struct slice id = json_text(claim(t, "xms_mirid"));

    (void)a;
    out[0] = slice_from(id, slice_rfind(id, '/') + 1);
    out[1] = subject;
    return 2;
}

static size_t oidc_names(struct arena *a, const struct token *t, struct slice subject,
                         struct slice *out)
{
    struct slice email = json_text(claim(t, "email"));

    if (!email.n || !slice_eq_case(email, subject)) {
        out[0] = subject;
        return 1;
    }
    out[0] = email;
    out[1] = arena_format(a, "%.*s#%.*s", SLICE_ARG(t->iss), SLICE_ARG(t->sub));
    return 2;
}

static size_t subject_name(struct arena *a, const struct token *t, struct slice subject,
                           struct slice *out)
{
    (void)a;
    (void)t;
    out[0] = subject;
    return 1;
}

static bool has_hosts(const struct slice *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum san_kind kind = san_kind_of(names[i]);
        if (kind == SAN_DNS || kind == SAN_IP)
            return true;
    }
    return false;
}

static const struct {
    size_t (*usual)(struct arena *, const struct token *, struct slice, struct slice *);
    bool machine; /* the usual names are added unless a host name or address is there */
} KINDS[] = {
    [OTT_UNKNOWN] = {subject_name, false}, [OTT_JWK] = {subject_name, false},
    [OTT_OIDC] = {oidc_names, false},      [OTT_K8SSA] = {subject_name, false},
    [OTT_AWS] = {aws_names, true},         [OTT_GCP] = {gcp_names, true},
    [OTT_AZURE] = {azure_names, true},
};

bool ott_names(struct arena *a, const struct token *t, struct slice subject,
               const struct slice *sans, size_t n_sans, struct ott_names *out, struct err *e)
{
    enum ott_kind kind = ott_kind_of(t);
    struct slice *theirs, usual[NAMES_MAX];
    size_t n_theirs, n = 0;

    if (!token_texts(a, t->claims, "sans", &theirs, &n_theirs, e))
        return err_wrap(e, "token");
    struct slice *all = arena_array(a, n_sans + n_theirs + NAMES_MAX, sizeof(*all));
    n = names_join(all, n, sans, n_sans);
    n = names_join(all, n, theirs, n_theirs);
    /* A token of a person says who it is: the name in the certificate is the provider's. */
    bool person = kind == OTT_OIDC && n == 0 &&
                  slice_eq_case(json_text(claim(t, "email")), subject) && subject.n > 0;
    if (n == 0 || (KINDS[kind].machine && !has_hosts(all, n)))
        n = names_join(all, n, usual, KINDS[kind].usual(a, t, subject, usual));
    out->common_name = kind == OTT_JWK || person ? t->sub : subject;
    sans_split(a, all, n, &out->sans);
    return true;
}
