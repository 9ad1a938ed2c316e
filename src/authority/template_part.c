/* Variables that every certificate template has, and running one. */
#include "authority/template_part.h"

#define OUTPUT_MAX (1u << 20)

void template_set(struct arena *a, struct tvalue *map, const char *name, struct tvalue value)
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

void template_set_insecure(struct arena *a, struct tvalue *data, const char *name,
                           struct tvalue value)
{
    const struct tvalue *there = tmap_get(data->map, SLICE("Insecure"));

    if (!there || there->kind != T_MAP)
        template_set(a, data, "Insecure", tvalue_map(a, &TTYPE_MAP));
    there = tmap_get(data->map, SLICE("Insecure"));
    tmap_set(there->map, a, slice_text(name), value);
}

void template_set_common(struct arena *a, struct tvalue *data, const struct template_inputs *in)
{
    const struct grant *g = in->grant;

    if (g->token)
        template_set(a, data, "Token", tvalue_from_json(a, g->token->claims));
    if (g->credential)
        template_set(a, data, "AuthorizationCrt", tobject_certificate(g->credential));
    merge(a, data, in->data);
    /* What is there was not said by the requester, and nobody is to take it for that. */
    tmap_remove(data->map, SLICE("Insecure"));
    if (!in->user)
        return;
    struct tvalue user = tvalue_map(a, &TTYPE_MAP);
    merge(a, &user, in->user);
    template_set_insecure(a, data, "User", user);
}

/* What `fail` says is for the requester; everything else is the operator's to read in the log. */
static bool run(struct arena *a, const struct template *t, const struct tvalue *data,
                struct buf *out, struct err *e)
{
    if (template_run(t, data, a, NULL, out, e))
        return true;
    if (!e->code || strcmp(e->code, TEMPLATE_FAIL) != 0)
        e->kind = ERR_INTERNAL;
    return false;
}

bool template_no_certificate(struct err *e)
{
    e->kind = ERR_INTERNAL;
    e->tell = true;
    return err_wrap(e, "error applying certificate template");
}

bool template_run_json(struct arena *a, const struct template *t, const struct tvalue *data,
                       const struct json **out, struct err *e)
{
    struct buf text = buf_new(a, OUTPUT_MAX);

    if (!run(a, t, data, &text, e))
        return false;
    *out = json_read(a, buf_slice(&text), &JSON_API, NULL, e);
    return *out || template_no_certificate(e);
}
