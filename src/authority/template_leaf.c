/* Template -> text -> JSON -> leaf. */
#include "authority/template_leaf.h"

#include "authority/template_part.h"
#include "authority/webhook.h"

#define USUAL_BODY                                                                                 \
    "{\"subject\":{{toJson .Subject}},\"sans\":{{toJson .SANs}},"                                  \
    "\"keyUsage\":[{{if typeIs \"*rsa.PublicKey\" .Insecure.CR.PublicKey}}\"keyEncipherment\","    \
    "{{end}}\"digitalSignature\"],\"extKeyUsage\":["
const char TEMPLATE_LEAF[] = USUAL_BODY "\"serverAuth\",\"clientAuth\"]}";
const char TEMPLATE_ATTESTED[] = USUAL_BODY "\"clientAuth\"]}";

static bool replaces_usual(const struct json *data)
{
    return data && (json_get_exact(data, "Subject") || json_get_exact(data, "SANs"));
}

bool template_wanted(const struct grant *g)
{
    const struct cert_template *t = g->by->x509;

    return t && (t->parsed || t->file || t->trouble.kind != ERR_NONE || replaces_usual(t->data));
}

static bool open_template(struct work *w, const struct grant *g, const struct template **out,
                          bool *usual)
{
    static const struct template_options PLAIN = {.set = TEMPLATE_X509};
    const char *text = g->x509.fallback == LEAF_ATTESTED ? TEMPLATE_ATTESTED : TEMPLATE_LEAF;

    if (!cert_template_open(g->by->x509, w->arena, out, &w->err))
        return false;
    *usual = !*out;
    if (*usual)
        *out = template_parse(w->arena, "template", slice_text(text), &PLAIN, &w->err);
    return *out;
}

static void wish_from(const struct leaf_json *read, struct validity_wish *times)
{
    *times = (struct validity_wish){0};
    if (read->has_before)
        times->not_before = (struct time_or_duration){.set = true, .at = read->leaf.not_before};
    if (read->has_after)
        times->not_after = (struct time_or_duration){.set = true, .at = read->leaf.not_after};
}

bool template_to_leaf(struct arena *a, const struct template *t, const struct tvalue *data,
                      struct leaf_json *out, struct err *e)
{
    const struct json *v;

    return template_run_json(a, t, data, &v, e) &&
           (leaf_json_read(a, v, out, e) || template_no_certificate(e));
}

bool template_leaf(struct work *w, const struct grant *g, const struct csr *csr,
                   const struct json *user, struct tvalue *data, struct x509_leaf *leaf,
                   struct validity_wish *times)
{
    const struct template *t;
    struct leaf_json read = {0};
    bool usual;

    if (!open_template(w, g, &t, &usual))
        return false;
    struct template_inputs in = {
        .grant = g, .data = g->by->x509->data, .user = usual ? NULL : user};
    *data = template_data_x509(w->arena, &in);
    if (!webhooks_enrich(w, g, &(struct webhook_subject){.csr = csr}, data))
        return false;
    template_data_request(w->arena, data, csr);
    if (!template_to_leaf(w->arena, t, data, &read, &w->err))
        return false;
    *leaf = read.leaf;
    leaf->key = csr->key;
    wish_from(&read, times);
    return true;
}
