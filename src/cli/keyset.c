/* Sets of JWKs. */
#include "cli/keyset.h"

/* A set is longer than a token. */
static const struct json_rules SET_RULES = {.depth = 32,
                                            .values = 100000,
                                            .reject_duplicates = true,
                                            .reject_rest = true,
                                            .skip_bom = true};

bool keyset_read(struct arena *a, struct slice text, const char *name, struct json **whole,
                 struct json **list, struct err *e)
{
    if (!slice_trim(text).n) {
        *whole = json_make_object(a);
        *list = json_make_list(a);
        json_set_exact(*whole, a, "keys", *list);
        return true;
    }
    const struct json *v = json_read(a, text, &SET_RULES, NULL, e);
    if (!v)
        return err_wrap(e, "error reading %s", name);
    *whole = json_copy(a, v);
    *list = NULL;
    for (struct json *m = (*whole)->kind == JSON_OBJECT ? (*whole)->first : NULL; m; m = m->next) {
        if (slice_is(m->name, "keys"))
            *list = m;
    }
    /* How others write a set that is empty. */
    if (*list && (*list)->kind == JSON_NULL) {
        *list = json_make_list(a);
        json_set_exact(*whole, a, "keys", *list);
    }
    if (!*list || (*list)->kind != JSON_LIST)
        return err_set(e, ERR_MALFORMED,
                       "error reading %s: RFC 7517 5.1: expected an object with a list 'keys'",
                       name);
    for (const struct json *key = (*list)->first; key; key = key->next) {
        if (key->kind != JSON_OBJECT)
            return err_set(e, ERR_MALFORMED,
                           "error reading %s: RFC 7517 5.1: expected only objects in 'keys'", name);
    }
    return true;
}

bool keyset_matches(const struct json *key, const char *kid)
{
    struct slice own = json_text(json_get_exact(key, "kid"));

    return own.p && slice_is(own, kid);
}

bool keyset_remove(struct json *list, const char *kid)
{
    size_t before = list->n;
    struct json *m = list->first;

    list->first = list->last = NULL;
    list->n = 0;
    for (struct json *next; m; m = next) {
        next = m->next;
        if (!keyset_matches(m, kid))
            json_append(list, m);
    }
    return list->n != before;
}
