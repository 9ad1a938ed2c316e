/*
 * Audiences: made from dnsNames for each operation, and compared without ports, because a proxy
 * may stand in front of the CA.
 */
#include "provisioner/audience.h"

#include "base/ip.h"

const char *method_name(enum method m)
{
    static const char *const NAMES[METHODS] = {
        [METHOD_SIGN] = "sign",
        [METHOD_RENEW] = "renew",
        [METHOD_REVOKE] = "revoke",
        [METHOD_SSH_SIGN] = "ssh sign",
        [METHOD_SSH_REVOKE] = "ssh revoke",
        [METHOD_SSH_RENEW] = "ssh renew",
        [METHOD_SSH_REKEY] = "ssh rekey",
    };
    return NAMES[m];
}

struct audience_form {
    bool literal; /* the old audience that names no host */
    const char *paths[5];
};
static const struct audience_form FORMS[METHODS] = {
    [METHOD_SIGN] = {true, {"/1.0/sign", "/sign", "/1.0/ssh/sign", "/ssh/sign"}},
    [METHOD_RENEW] = {false, {"/1.0/renew", "/renew"}},
    [METHOD_REVOKE] = {true, {"/1.0/revoke", "/revoke"}},
    [METHOD_SSH_SIGN] = {false, {"/1.0/ssh/sign", "/ssh/sign", "/1.0/sign", "/sign"}},
    [METHOD_SSH_REVOKE] = {false, {"/1.0/ssh/revoke", "/ssh/revoke"}},
    [METHOD_SSH_RENEW] = {false, {"/1.0/ssh/renew", "/ssh/renew"}},
    [METHOD_SSH_REKEY] = {false, {"/1.0/ssh/rekey", "/ssh/rekey"}},
};
static const char LEGACY_AUDIENCE[] = "step-certificate-authority";

struct slice audience_normal(struct arena *a, struct slice text)
{
    struct uri u;

    if (!uri_read(a, text, &u, NULL))
        return text;
    u.port = SLICE("");
    u.host_is_v6 = false;
    return uri_text(a, &u);
}

static void list_add(struct arena *a, struct audience_list *l, struct slice text)
{
    l->exact[l->n] = text;
    l->normal[l->n] = audience_normal(a, text);
    l->n++;
}

void audiences_build(struct arena *a, const struct slice *names, size_t n, struct audiences *out)
{
    size_t total = 0;

    *out = (struct audiences){0};
    for (size_t m = 0; m < METHODS; m++) {
        struct audience_list *l = &out->by_method[m];
        const struct audience_form *form = &FORMS[m];
        l->exact = arena_array(a, 1 + n * COUNT_OF(form->paths), sizeof(*l->exact));
        l->normal = arena_array(a, 1 + n * COUNT_OF(form->paths), sizeof(*l->normal));
        if (form->literal)
            list_add(a, l, slice_text(LEGACY_AUDIENCE));
        for (size_t i = 0; i < n; i++) {
            struct ip ip;
            bool v6 = ip_read(names[i], &ip) && slice_find(names[i], ':') < names[i].n;
            for (size_t p = 0; p < COUNT_OF(form->paths) && form->paths[p]; p++)
                list_add(a, l,
                         arena_format(a, v6 ? "https://[%.*s]%s" : "https://%.*s%s",
                                      SLICE_ARG(names[i]), form->paths[p]));
        }
        total += l->n;
    }
    out->all.exact = arena_array(a, total, sizeof(struct slice));
    out->all.normal = arena_array(a, total, sizeof(struct slice));
    for (size_t m = 0; m < METHODS; m++) {
        const struct audience_list *l = &out->by_method[m];
        for (size_t i = 0; i < l->n; i++) {
            out->all.exact[out->all.n] = l->exact[i];
            out->all.normal[out->all.n] = l->normal[i];
            out->all.n++;
        }
    }
}

/* The text before '#', and the fragment decoded (p == NULL without one). */
static struct slice cut_fragment(struct arena *a, struct slice text, struct slice *fragment)
{
    size_t at = slice_find(text, '#');

    *fragment = SLICE_NONE;
    if (at == text.n)
        return text;
    if (!uri_unescape(a, slice_from(text, at + 1), fragment))
        *fragment = slice_from(text, at + 1);
    return slice_sub(text, 0, at);
}

bool audience_match(struct arena *a, const struct slice *theirs, size_t n,
                    const struct audience_list *ours, struct slice fragment)
{
    for (size_t i = 0; i < n; i++) {
        struct slice their_fragment;
        struct slice bare = cut_fragment(a, theirs[i], &their_fragment);
        bool same =
            fragment.p ? their_fragment.p && slice_eq(their_fragment, fragment) : !their_fragment.p;
        if (!same)
            continue;
        struct slice normal = audience_normal(a, bare);
        for (size_t k = 0; k < ours->n; k++) {
            if (slice_eq(bare, ours->exact[k]) || slice_eq(normal, ours->normal[k]))
                return true;
        }
    }
    return false;
}

struct slice audience_fragment(struct arena *a, const struct slice *theirs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct uri u;
        if (uri_read(a, theirs[i], &u, NULL) && u.fragment.n > 0)
            return u.fragment;
    }
    return SLICE_NONE;
}
