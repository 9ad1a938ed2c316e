/* Functions on maps, and on values as defaults of each other.  set, unset and merge change the map
 * that they are given. */
#include "template/internal.h"

static bool want_map(struct trun *run, const struct tvalue *v)
{
    return v->map ? true : run_fail(run, "assignment to entry in nil map");
}

static struct tvalue new_map(struct trun *run)
{
    run->memory += sizeof(struct tmap);
    return tvalue_map(run->a, &TTYPE_MAP);
}

static const struct tvalue *member(const struct tvalue *v, struct slice name)
{
    return v->map ? tmap_get(v->map, name) : NULL;
}

static bool fn_dict(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice name;

    *out = new_map(run);
    for (size_t i = 0; i < n; i += 2) {
        if (!value_text(run, &args[i], &name))
            return false;
        run_map_set(run, out->map, name, i + 1 < n ? args[i + 1] : tvalue_text(SLICE("")));
    }
    return true;
}

static bool fn_get(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    const struct tvalue *v = member(&args[0], args[1].text);

    (void)run, (void)n;
    *out = v ? *v : tvalue_text(SLICE(""));
    return true;
}

static bool fn_set(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    if (!want_map(run, &args[0]))
        return false;
    run_map_set(run, args[0].map, args[1].text, args[2]);
    *out = args[0];
    return run_steps(run, args[0].map->n / 64);
}

static bool fn_unset(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    if (args[0].map)
        tmap_remove(args[0].map, args[1].text);
    *out = args[0];
    return true;
}

static bool fn_has_key(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_bool(member(&args[0], args[1].text) != NULL);
    return true;
}

static bool fn_pluck(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    for (size_t i = 1; i < n; i++) {
        const struct tvalue *v = member(&args[i], args[0].text);
        if (v && !list_add(run, &m, *v))
            return false;
    }
    *out = list_made(run, &m, &TTYPE_LIST);
    return true;
}

static bool fn_pick(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    *out = new_map(run);
    for (size_t i = 1; i < n; i++) {
        const struct tvalue *v = member(&args[0], args[i].text);
        if (v)
            run_map_set(run, out->map, args[i].text, *v);
    }
    return true;
}

static bool fn_omit(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    *out = new_map(run);
    for (size_t i = 0; args[0].map && i < args[0].map->n; i++)
        run_map_set(run, out->map, args[0].map->members[i].name, *args[0].map->members[i].value);
    for (size_t i = 1; i < n; i++)
        tmap_remove(out->map, args[i].text);
    return true;
}

static bool fn_keys(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; args[k].map && i < args[k].map->n; i++)
            if (!list_add(run, &m, tvalue_text(args[k].map->members[i].name)))
                return false;
    *out = list_made(run, &m, &TTYPE_TEXTS);
    return true;
}

static bool fn_values(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    (void)n;
    for (size_t i = 0; args[0].map && i < args[0].map->n; i++)
        if (!list_add(run, &m, *args[0].map->members[i].value))
            return false;
    *out = list_made(run, &m, &TTYPE_LIST);
    return true;
}

static bool fn_dig(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    if (n < 3)
        return run_fail(run, "dig needs at least three arguments");
    *out = args[n - 1];
    for (size_t i = 0; i + 2 < n; i++) {
        if (out->type != &TTYPE_MAP)
            return run_fail(run, "dig: a step is %s, not map[string]interface {}",
                            value_type_name(out));
        if (args[i].type != &TTYPE_TEXT)
            return run_fail(run, "dig: a name is %s, not string", value_type_name(&args[i]));
        const struct tvalue *v = member(out, args[i].text);
        if (!v) {
            *out = args[n - 2];
            return true;
        }
        *out = *v;
    }
    return true;
}

/* --- Merging --------------------------------------------------------------------------------- */

static bool put(struct trun *run, struct tvalue *to, struct slice name, const struct tvalue *v)
{
    const struct ttype *elem = to->type->elem;

    if (elem && v->type != elem)
        return run_fail(run, "a value of type %s cannot be a member of a %s", value_type_name(v),
                        to->type->name);
    run_map_set(run, to->map, name, *v);
    return true;
}

/* Members that are maps on both sides are merged; else the target's stays unless it is empty, or
 * gives way when `overwrite`. */
static bool merge(struct trun *run, struct tvalue *to, const struct tvalue *from, bool overwrite,
                  unsigned depth)
{
    if (depth > VALUE_DEPTH)
        return run_fail(run, "maps are nested too deeply to be merged");
    for (size_t i = 0; from->map && i < from->map->n; i++) {
        const struct tmember *m = &from->map->members[i];
        const struct tvalue *there = tmap_get(to->map, m->name);
        if (!run_step(run))
            return false;
        if (value_is_nil(m->value)) { /* kept out, or put over what is there */
            if (overwrite && !put(run, to, m->name, m->value))
                return false;
            continue;
        }
        bool both = there && there->kind == T_MAP && there->map && m->value->kind == T_MAP;
        if (both) {
            struct tvalue inner = *there;
            if (!merge(run, &inner, m->value, overwrite, depth + 1))
                return false;
        }
        bool keep = there && !value_empty(there);
        if (both && keep)
            continue;
        if ((overwrite || !keep) && !put(run, to, m->name, m->value))
            return false;
    }
    return true;
}

static bool merge_all(struct trun *run, const struct tvalue *args, size_t n, bool overwrite,
                      struct tvalue *out)
{
    *out = args[0];
    if (!out->map && n > 1)
        *out = new_map(run);
    for (size_t i = 1; i < n; i++)
        if (!merge(run, out, &args[i], overwrite, 0))
            return false;
    return true;
}

static bool fn_merge(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    return merge_all(run, args, n, false, out);
}

static bool fn_overwrite(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    return merge_all(run, args, n, true, out);
}

/* --- Copies and defaults --------------------------------------------------------------------- */

static bool copy(struct trun *run, const struct tvalue *v, struct tvalue *out, unsigned depth)
{
    if (depth > VALUE_DEPTH)
        return run_fail(run, "a value is nested too deeply to be copied");
    *out = *v;
    if (!run_step(run) || !run_memory_ok(run))
        return false;
    if (v->kind == T_LIST && v->list) {
        *out = run_list(run, v->type, v->list->n);
        for (size_t i = 0; i < v->list->n; i++)
            if (!copy(run, &v->list->items[i], &out->list->items[i], depth + 1))
                return false;
    } else if (v->kind == T_MAP && v->map) {
        *out = tvalue_map(run->a, v->type);
        for (size_t i = 0; i < v->map->n; i++) {
            struct tvalue inner;
            if (!copy(run, v->map->members[i].value, &inner, depth + 1))
                return false;
            run_map_set(run, out->map, v->map->members[i].name, inner);
        }
    }
    return true;
}

static bool fn_deep_copy(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    if (args[0].kind == T_NIL)
        return run_fail(run, "cannot copy nil");
    return copy(run, &args[0], out, 0);
}

static bool fn_deep_equal(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    bool equal;

    (void)n;
    if (!value_equal(run, &args[0], &args[1], &equal))
        return false;
    *out = tvalue_bool(equal);
    return true;
}

static bool fn_default(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run;
    *out = n > 1 && !value_empty(&args[1]) ? args[1] : args[0];
    return true;
}

static bool fn_empty(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_bool(value_empty(&args[0]));
    return true;
}

static bool fn_coalesce(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run;
    *out = tvalue_nil();
    for (size_t i = 0; i < n; i++)
        if (!value_empty(&args[i])) {
            *out = args[i];
            return true;
        }
    return true;
}

static bool fn_all(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    bool all = true;

    (void)run;
    for (size_t i = 0; i < n; i++)
        all &= !value_empty(&args[i]);
    *out = tvalue_bool(all);
    return true;
}

static bool fn_any(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    bool any = false;

    (void)run;
    for (size_t i = 0; i < n; i++)
        any |= !value_empty(&args[i]);
    *out = tvalue_bool(any);
    return true;
}

static bool fn_ternary(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = args[args[2].truth ? 0 : 1];
    return true;
}

static const struct tfunc FUNCTIONS[] = {
    {"dict", "a*", fn_dict, 0},
    {"get", "ms", fn_get, 0},
    {"set", "msa", fn_set, 0},
    {"unset", "ms", fn_unset, 0},
    {"hasKey", "ms", fn_has_key, 0},
    {"pluck", "sm*", fn_pluck, 0},
    {"pick", "ms*", fn_pick, 0},
    {"omit", "ms*", fn_omit, 0},
    {"keys", "m*", fn_keys, 0},
    {"values", "m", fn_values, 0},
    {"dig", "a*", fn_dig, 0},
    {"merge", "mm*", fn_merge, 0},
    {"mustMerge", "mm*", fn_merge, 0},
    {"mergeOverwrite", "mm*", fn_overwrite, 0},
    {"mustMergeOverwrite", "mm*", fn_overwrite, 0},
    {"deepCopy", "a", fn_deep_copy, 0},
    {"mustDeepCopy", "a", fn_deep_copy, 0},
    {"deepEqual", "aa", fn_deep_equal, 0},
    {"default", "aa*", fn_default, 0},
    {"empty", "a", fn_empty, 0},
    {"coalesce", "a*", fn_coalesce, 0},
    {"all", "a*", fn_all, 0},
    {"any", "a*", fn_any, 0},
    {"ternary", "aab", fn_ternary, 0},
};
const struct function_table FUNCTIONS_MAP = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
