/* The variables of a certificate template, laid over each other in their order. */
#include "authority/template_part.h"

void template_data_request(struct arena *a, struct tvalue *data, const struct csr *csr)
{
    template_set_insecure(a, data, "CR", tobject_request(csr));
}

void template_data_webhook(struct arena *a, struct tvalue *data, struct slice name,
                           const struct json *value)
{
    const struct tvalue *there = tmap_get(data->map, SLICE("Webhooks"));

    if (!there || there->kind != T_MAP)
        template_set(a, data, "Webhooks", tvalue_map(a, &TTYPE_MAP));
    there = tmap_get(data->map, SLICE("Webhooks"));
    tmap_set(there->map, a, name, value ? tvalue_from_json(a, value) : tvalue_nil());
}

struct tvalue template_data_x509(struct arena *a, const struct template_inputs *in)
{
    const struct grant *g = in->grant;
    struct tvalue data = tvalue_map(a, &TTYPE_MAP);

    template_set(a, &data, "Subject", tobject_subject(&g->x509.subject));
    template_set(a, &data, "SANs", tobject_sans(a, &g->x509.sans));
    template_set_common(a, &data, in);
    return data;
}
