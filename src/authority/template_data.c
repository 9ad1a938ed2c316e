/* The variables of a certificate template, laid over each other in their order. */
#include "authority/template_data.h"

static void set(struct arena *a, struct tvalue *map, const char *name, struct tvalue value)
{
    tmap_set(map->map, a, slice_text(name), value);
}

/* Members of a JSON object replace what is there. */
static void merge(struct arena *a, struct tvalue *map, const struct json *object)
{
    if (!object || object->kind != JSON_OBJECT)
        return;
    for (const struct json *m = object->first; m; m = m->next)
        tmap_set(map->map, a, m->name, tvalue_from_json(a, m));
}

static struct tvalue *insecure(struct arena *a, struct tvalue *data)
{
    const struct tvalue *there = tmap_get(data->map, SLICE("Insecure"));

    if (!there || there->kind != T_MAP)
        set(a, data, "Insecure", tvalue_map(a, &TTYPE_MAP));
    return (struct tvalue *)tmap_get(data->map, SLICE("Insecure"));
}

void template_data_request(struct arena *a, struct tvalue *data, const struct csr *csr)
{
    set(a, insecure(a, data), "CR", tobject_request(csr));
}

void template_data_webhook(struct arena *a, struct tvalue *data, struct slice name,
                           const struct json *value)
{
    const struct tvalue *there = tmap_get(data->map, SLICE("Webhooks"));

    if (!there || there->kind != T_MAP)
        set(a, data, "Webhooks", tvalue_map(a, &TTYPE_MAP));
    there = tmap_get(data->map, SLICE("Webhooks"));
    tmap_set(there->map, a, name, value ? tvalue_from_json(a, value) : tvalue_nil());
}

struct tvalue template_data_x509(struct arena *a, const struct template_inputs *in)
{
    const struct grant *g = in->grant;
    struct tvalue data = tvalue_map(a, &TTYPE_MAP);

    set(a, &data, "Subject", tobject_subject(&g->x509.subject));
    set(a, &data, "SANs", tobject_sans(a, &g->x509.sans));
    if (g->token)
        set(a, &data, "Token", tvalue_from_json(a, g->token->claims));
    if (g->credential)
        set(a, &data, "AuthorizationCrt", tobject_certificate(g->credential));
    merge(a, &data, in->data);
    if (in->user) {
        struct tvalue user = tvalue_map(a, &TTYPE_MAP);
        merge(a, &user, in->user);
        set(a, insecure(a, &data), "User", user);
    }
    return data;
}
