/*
 * From words to flags and arguments.  One dash or two, "--name value" or "--name=value", anywhere
 * among the arguments; "--" ends flags; "-" is an argument.  A flag that takes a value takes the
 * next word whatever it looks like; a boolean takes one only behind '='.
 */
#include "cli/internal.h"

enum word_kind { WORD_ARGUMENT, WORD_END, WORD_FLAG };

/* value.p is NULL when there is no '='. */
static enum word_kind word_kind(const char *word, struct slice *name, struct slice *value)
{
    struct slice s = slice_text(word);

    if (s.n < 2 || s.p[0] != '-')
        return WORD_ARGUMENT;
    if (slice_is(s, "--"))
        return WORD_END;
    s = slice_from(s, s.p[1] == '-' ? 2 : 1);
    size_t equals = slice_find(s, '=');
    *name = slice_sub(s, 0, equals);
    *value = equals < s.n ? slice_from(s, equals + 1) : SLICE_NONE;
    return WORD_FLAG;
}

static bool unknown_flag(struct slice name, const char *word, struct err *e)
{
    if (slice_empty(name) || name.p[0] == '-')
        return err_set(e, ERR_MALFORMED, "bad flag syntax: %s", word);
    return err_set(e, ERR_MALFORMED, "unknown flag '--%.*s'", SLICE_ARG(name));
}

/* "--out a --output-file b": which of the two was meant? */
static bool one_form(const struct value *v, struct slice name, struct err *e)
{
    if (v->source != SOURCE_LINE || slice_eq(v->typed, name))
        return true;
    return err_set(e, ERR_MALFORMED, "cannot use two forms of the same flag: '--%.*s' and '--%.*s'",
                   SLICE_ARG(v->typed), SLICE_ARG(name));
}

/* at: the flag's word; moves on when the value is the next one. */
static bool take_flag(struct value_set *set, struct arena *a, int n, char **words, int *at,
                      struct parsed *out, struct err *e)
{
    struct slice name, text;

    word_kind(words[*at], &name, &text);
    struct value *v = values_find(set, name);
    out->syntax = true;
    if (!v)
        return unknown_flag(name, words[*at], e);
    if (!one_form(v, name, e))
        return false;
    if (!text.p && v->flag->kind == FLAG_BOOL)
        text = SLICE("true");
    if (!text.p && *at + 1 >= n)
        return err_set(e, ERR_MALFORMED, "missing value for flag '--%.*s'", SLICE_ARG(name));
    if (!text.p)
        text = slice_text(words[++*at]);
    v->typed = name;
    out->syntax = v->flag->kind == FLAG_BOOL || v->flag->kind == FLAG_INT;
    return value_put(v, a, text, SOURCE_LINE, e);
}

bool parse_words(struct value_set *set, struct arena *a, int n, char **words, bool to_first,
                 struct parsed *out, struct err *e)
{
    bool flags = true;
    struct slice name, value;

    *out = (struct parsed){.args = arena_array(a, (size_t)n + 1, sizeof(*out->args))};
    for (int i = 0; i < n; i++, out->used = i) {
        enum word_kind kind = flags ? word_kind(words[i], &name, &value) : WORD_ARGUMENT;
        if (kind == WORD_FLAG && !take_flag(set, a, n, words, &i, out, e))
            return false;
        if (kind == WORD_END)
            flags = false;
        if (kind != WORD_ARGUMENT)
            continue;
        if (to_first)
            return true;
        out->args[out->n_args++] = slice_text(words[i]);
    }
    return true;
}
