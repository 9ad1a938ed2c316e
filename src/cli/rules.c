/*
 * Rules between flags.  The texts are what scripts and people know; each kind is one function.
 */
#include "cli/internal.h"

/* One side of a rule: "ca" or "profile=leaf". */
struct side {
    struct slice name, wanted; /* wanted.p NULL: any value */
    const struct value *value;
    const char *shown;  /* "--profile leaf" */
    const char *quoted; /* "'--ca'", "flag '--profile leaf'": behind "incompatible with" */
    bool given;
};

static bool is_given(const struct value *v)
{
    if (v->source <= SOURCE_FALLBACK)
        return false;
    if (v->flag->kind == FLAG_BOOL)
        return v->truth;
    return v->flag->kind == FLAG_TEXTS ? v->n_texts > 0 : v->text && *v->text;
}

static bool holds(const struct value *v, struct slice wanted)
{
    if (v->flag->kind == FLAG_BOOL)
        return slice_is(wanted, v->truth ? "true" : "false");
    for (size_t i = 0; i < v->n_texts; i++)
        if (slice_eq(v->texts[i], wanted))
            return true;
    return v->text && slice_eq(slice_text(v->text), wanted);
}

static struct side side_of(const struct value_set *set, const char *text, struct arena *a)
{
    struct slice s = slice_text(text);
    size_t equals = slice_find(s, '=');
    struct side side = {.name = slice_sub(s, 0, equals)};

    if (!text)
        return side;
    side.value = values_find(set, side.name);
    side.wanted = equals < s.n ? slice_from(s, equals + 1) : SLICE_NONE;
    side.given =
        side.value && (side.wanted.p ? holds(side.value, side.wanted) : is_given(side.value));
    side.shown = side.wanted.p
                     ? arena_printf(a, "--%.*s %.*s", SLICE_ARG(side.name), SLICE_ARG(side.wanted))
                     : arena_printf(a, "--%.*s", SLICE_ARG(side.name));
    side.quoted = arena_printf(a, side.wanted.p ? "flag '%s'" : "'%s'", side.shown);
    return side;
}

static bool required(const struct side *a, const struct side *b, const char *path, struct err *e)
{
    (void)b;
    /* A boolean that must be given may well be given as false. */
    bool spoken = a->value && a->value->flag->kind == FLAG_BOOL && !a->wanted.p &&
                  a->value->source > SOURCE_FALLBACK;

    return a->given || spoken ||
           err_set(e, ERR_MALFORMED, "'%s' requires the '%s' flag", path, a->shown);
}

static bool needs(const struct side *a, const struct side *b, const char *path, struct err *e)
{
    (void)path;
    if (!a->given || b->given)
        return true;
    return err_set(e, ERR_MALFORMED, "%s'%s' requires the '%s' flag", a->wanted.p ? "" : "flag ",
                   a->shown, b->shown);
}

static bool excludes(const struct side *a, const struct side *b, const char *path, struct err *e)
{
    (void)path;
    if (!a->given || !b->given)
        return true;
    return err_set(e, ERR_MALFORMED, "flag '%s' is incompatible with %s", a->shown, b->quoted);
}

static bool exclusive(const struct side *a, const struct side *b, const char *path, struct err *e)
{
    (void)path;
    if (!a->given || !b->given)
        return true;
    return err_set(e, ERR_MALFORMED, "flag '%s' and flag '%s' are mutually exclusive", a->shown,
                   b->shown);
}

static bool guarded(const struct side *a, const struct side *b, const char *path, struct err *e)
{
    (void)path;
    if (!a->given || b->given)
        return true;
    return err_set(e, ERR_MALFORMED, "flag '%s' requires the '%s' flag", a->shown, b->shown);
}

static bool one_of(const struct side *a, const struct side *b, const char *path, struct err *e)
{
    (void)path;
    if (a->given || b->given)
        return true;
    return err_set(e, ERR_MALFORMED, "one of flag %s or %s is required", a->shown, b->shown);
}

static const struct {
    bool (*check)(const struct side *, const struct side *, const char *, struct err *);
    const char *guard;
} KINDS[] = {
    [RULE_REQUIRED] = {required, NULL},      [RULE_NEEDS] = {needs, NULL},
    [RULE_EXCLUDES] = {excludes, NULL},      [RULE_EXCLUSIVE] = {exclusive, NULL},
    [RULE_INSECURE] = {guarded, "insecure"}, [RULE_SUBTLE] = {guarded, "subtle"},
    [RULE_ONE_OF] = {one_of, NULL},
};

bool rules_check(const struct value_set *set, const char *path, const struct flag_rule *rules,
                 struct arena *a, struct err *e)
{
    for (; rules && rules->a; rules++) {
        const char *other = KINDS[rules->kind].guard ? KINDS[rules->kind].guard : rules->b;
        struct side left = side_of(set, rules->a, a), right = side_of(set, other, a);
        if (!KINDS[rules->kind].check(&left, &right, path, e))
            return false;
    }
    return true;
}
