/*
 * Certificates by a template, without a CA's server.  The template is the user's own file, so that
 * functions which an authority has switched off are on here.
 */
#include "cli/certificate_template.h"

#include "authority/template_data.h"
#include "authority/template_hooks.h"
#include "authority/template_leaf.h"
#include "base/file.h"
#include "cli/ca_common.h"

#define TEMPLATE_MAX (1u << 20)

static bool user_data(struct invocation *inv, const struct json **user)
{
    struct slice set;

    if (!ca_cmd_template_data(inv, &set))
        return false;
    *user = set.n ? json_read(inv->arena, set, &JSON_API, NULL, &inv->err)
                  : json_make_object(inv->arena);
    return *user != NULL;
}

static bool template_values(struct invocation *inv, const struct template_view *view,
                            struct tvalue *data)
{
    struct arena *a = inv->arena;
    struct grant *grant = arena_alloc(a, sizeof(*grant));
    struct template_inputs in = {.grant = grant};

    grant->x509.subject = *view->subject;
    grant->x509.sans = *view->sans;
    if (!user_data(inv, &in.user))
        return false;
    *data = template_data_x509(a, &in);
    template_data_request(a, data, view->csr);
    if (view->max_path_len)
        tmap_set(data->map, a, SLICE("MaxPathLen"), tvalue_int(*view->max_path_len));
    return true;
}

bool certificate_by_template(struct invocation *inv, const struct template_view *view,
                             struct leaf_json *out)
{
    static const char *const ALLOW[] = {
        "bcrypt",        "buildCustomCert",      "derivePassword",    "genCA",
        "genCAWithKey",  "genPrivateKey",        "genSelfSignedCert", "genSelfSignedCertWithKey",
        "genSignedCert", "genSignedCertWithKey", "getHostByName",     "htpasswd"};
    static const struct template_options OPTIONS = {
        .set = TEMPLATE_X509, .allow = ALLOW, .n_allow = COUNT_OF(ALLOW), .hooks = &TEMPLATE_HOOKS};
    const char *path = flag_text(inv, "template");
    const struct template *t;
    struct tvalue data;
    struct slice text;

    if (!file_read(inv->arena, path, true, TEMPLATE_MAX, &text, &inv->err))
        return false;
    if (slice_starts(text, "\xef\xbb\xbf")) /* a mark of the byte order */
        text = slice_from(text, 3);
    t = template_parse(inv->arena, "template", text, &OPTIONS, &inv->err);
    return (t && template_values(inv, view, &data) &&
            template_to_leaf(inv->arena, t, &data, out, &inv->err)) ||
           err_wrap(&inv->err, "%s", path);
}
