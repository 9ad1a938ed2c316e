/*
 * The values of a command's flags: what each was set to and by whom.  A source never overrules a
 * better one (line, environment, defaults.json, built-in default); within a repeatable flag the
 * better source replaces the lesser one's list.  Texts are read into numbers and times when they
 * are put in, so that no command sees a value that does not parse.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/internal.h"

/* Variables that scripts know although the flag's first name is another one. */
static const struct {
    const char *name, *variable;
} VARIABLES[] = {
    {"force", "STEP_F"},     {"force", "STEP_FORCE"}, {"curve", "STEP_CRV"},
    {"curve", "STEP_CURVE"}, {"crv", "STEP_CRV"},     {"crv", "STEP_CURVE"},
};

/* --- Names ----------------------------------------------------------------------------------- */

struct slice flag_first_name(const struct flag *f)
{
    struct slice names = slice_text(f->names);

    return slice_sub(names, 0, slice_find(names, ','));
}

bool flag_has_name(const struct flag *f, struct slice name)
{
    struct slice rest = slice_text(f->names), one;

    while (slice_split(&rest, ',', &one))
        if (slice_eq(one, name))
            return true;
    return false;
}

struct value *values_find(const struct value_set *set, struct slice name)
{
    for (size_t i = 0; i < set->n; i++)
        if (flag_has_name(set->v[i].flag, name))
            return &set->v[i];
    return NULL;
}

/* --- Reading texts ------------------------------------------------------------------------- */

bool read_bool(struct slice text, bool *value)
{
    static const char *const YES[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const NO[] = {"0", "f", "F", "false", "FALSE", "False"};

    for (size_t i = 0; i < COUNT_OF(YES); i++) {
        *value = slice_is(text, YES[i]);
        if (*value || slice_is(text, NO[i]))
            return true;
    }
    return false;
}

static unsigned digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 99;
}

/* The base that a prefix tells; *digits moves behind it. */
static unsigned number_base(struct slice *digits)
{
    static const struct {
        char letter;
        unsigned base;
    } PREFIXES[] = {{'x', 16}, {'o', 8}, {'b', 2}};

    if (digits->n < 2 || digits->p[0] != '0')
        return 10;
    for (size_t i = 0; i < COUNT_OF(PREFIXES); i++)
        if ((digits->p[1] | 0x20) == PREFIXES[i].letter) {
            *digits = slice_from(*digits, 2);
            return PREFIXES[i].base;
        }
    *digits = slice_from(*digits, 1);
    return 8;
}

bool read_int(struct slice text, int64_t *value)
{
    bool negative = slice_starts(text, "-");
    struct slice digits = slice_from(text, negative || slice_starts(text, "+") ? 1 : 0);
    size_t before = digits.n;
    unsigned base = number_base(&digits);
    /* '_' may stand between digits and behind a prefix. */
    bool prefixed = digits.n != before, after_digit = prefixed;
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0), n = 0;

    if (digits.n == 0)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] == '_') {
            if (!after_digit || i + 1 == digits.n)
                return false;
            after_digit = false;
            continue;
        }
        unsigned d = digit_of(digits.p[i]);
        if (d >= base || n > (limit - d) / base)
            return false;
        n = n * base + d;
        after_digit = true;
    }
    *value = negative ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

/* --- Putting --------------------------------------------------------------------------------- */

static bool put_bool(struct value *v, struct slice text, struct err *e)
{
    (void)e;
    return read_bool(text, &v->truth);
}

static bool put_text(struct value *v, struct slice text, struct err *e)
{
    (void)v, (void)text, (void)e;
    return true;
}

static bool put_int(struct value *v, struct slice text, struct err *e)
{
    (void)e;
    return read_int(text, &v->number);
}

static bool put_duration(struct value *v, struct slice text, struct err *e)
{
    v->number = 0;
    return slice_empty(text) || duration_read(text, &v->number, e);
}

static bool put_time(struct value *v, struct slice text, struct err *e)
{
    return time_or_duration_read(text, &v->time, e);
}

static bool (*const PUT[])(struct value *, struct slice, struct err *) = {
    [FLAG_BOOL] = put_bool, [FLAG_TEXT] = put_text,         [FLAG_TEXTS] = put_text,
    [FLAG_INT] = put_int,   [FLAG_DURATION] = put_duration, [FLAG_TIME] = put_time,
    [FLAG_FILE] = put_text,
};

static void append_text(struct value *v, struct arena *a, struct slice text)
{
    if (v->n_texts == v->cap_texts) {
        size_t cap = v->cap_texts ? v->cap_texts * 2 : 4;
        struct slice *larger = arena_array(a, cap, sizeof(*larger));
        if (v->n_texts)
            memcpy(larger, v->texts, v->n_texts * sizeof(*larger));
        v->texts = larger;
        v->cap_texts = cap;
    }
    v->texts[v->n_texts++] = text;
}

static void replace_source(struct value *v, enum value_source source)
{
    if (source > v->source)
        v->n_texts = 0;
    v->source = source;
}

bool value_put(struct value *v, struct arena *a, struct slice text, enum value_source source,
               struct err *e)
{
    struct slice copy = arena_copy(a, text);
    struct slice name = v->typed.n ? v->typed : flag_first_name(v->flag);

    if (slice_has_nul(text) || !PUT[v->flag->kind](v, copy, e))
        return err_set(e, ERR_MALFORMED, "invalid value '%.*s' for flag '--%.*s'", SLICE_ARG(text),
                       SLICE_ARG(name));
    replace_source(v, source);
    v->text = (const char *)copy.p;
    if (v->flag->kind == FLAG_TEXTS)
        append_text(v, a, copy);
    return true;
}

static void set_fallback(struct value *v, struct arena *a)
{
    v->source = SOURCE_NONE;
    if (v->flag->bits & FLAG_TRUE) {
        v->truth = true;
        v->source = SOURCE_FALLBACK;
    }
    if (!v->flag->fallback)
        return;
    struct err e = {0};
    if (!value_put(v, a, slice_text(v->flag->fallback), SOURCE_FALLBACK, &e))
        v->source = SOURCE_NONE; /* a unit test reads every default of the tree */
}

static size_t count_flags(const struct flag *f)
{
    size_t n = 0;

    while (f && f[n].names)
        n++;
    return n;
}

static void add_flags(struct value_set *set, struct arena *a, const struct flag *f)
{
    for (; f && f->names; f++) {
        if (values_find(set, flag_first_name(f)))
            continue; /* two sets share a flag, or the command has its own of that name */
        set->v[set->n].flag = f;
        set_fallback(&set->v[set->n++], a);
    }
}

void values_init(struct value_set *set, struct arena *a, const struct flag *const *sets,
                 const struct flag *extra)
{
    size_t room = count_flags(extra);

    for (size_t i = 0; sets && sets[i]; i++)
        room += count_flags(sets[i]);
    *set = (struct value_set){.v = arena_array(a, room + 1, sizeof(*set->v))};
    for (size_t i = 0; sets && sets[i]; i++)
        add_flags(set, a, sets[i]);
    add_flags(set, a, extra);
}

/* --- Environment --------------------------------------------------------------------------- */

static const char *first_variable(struct arena *a, const struct flag *f)
{
    struct slice name = flag_first_name(f);
    char *variable = arena_printf(a, "STEP_%.*s", SLICE_ARG(name));

    for (char *c = variable; *c; c++)
        *c = *c == '-' ? '_' : (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    return variable;
}

/* The variable that is there, of all that may set the flag. */
static const char *present_variable(struct arena *a, const struct flag *f)
{
    const char *variable = first_variable(a, f);
    struct slice first = flag_first_name(f);

    if (getenv(variable))
        return variable;
    for (size_t i = 0; i < COUNT_OF(VARIABLES); i++)
        if (slice_is(first, VARIABLES[i].name) && getenv(VARIABLES[i].variable))
            return VARIABLES[i].variable;
    return NULL;
}

static bool put_list(struct value *v, struct arena *a, struct slice list, struct err *e)
{
    struct slice part;

    replace_source(v, SOURCE_ENV);
    while (!slice_empty(list) && slice_split(&list, ',', &part))
        if (!value_put(v, a, slice_trim(part), SOURCE_ENV, e))
            return false;
    return true;
}

static bool put_variable(struct value *v, struct arena *a, const char *variable, struct err *e)
{
    struct slice text = slice_text(getenv(variable));

    if (v->flag->kind == FLAG_TEXTS)
        return put_list(v, a, text, e);
    /* STEP_OFFLINE= means false: a way to undo what a profile script exported. */
    if (v->flag->kind == FLAG_BOOL && slice_empty(text))
        text = SLICE("false");
    return value_put(v, a, text, SOURCE_ENV, e);
}

bool values_from_environment(struct value_set *set, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < set->n; i++) {
        struct value *v = &set->v[i];
        if (v->source == SOURCE_LINE || (v->flag->bits & FLAG_NO_ENV))
            continue;
        const char *variable = present_variable(a, v->flag);
        if (!variable || put_variable(v, a, variable, e))
            continue;
        struct err inner;
        err_move(&inner, e);
        return err_set(e, ERR_MALFORMED, "%s (from the variable %s)", inner.text, variable);
    }
    return true;
}

/* --- defaults.json --------------------------------------------------------------------------- */

static struct slice default_text(const struct json *item)
{
    if (item->kind == JSON_BOOL)
        return item->truth ? SLICE("true") : SLICE("false");
    return item->kind == JSON_TEXT || item->kind == JSON_NUMBER ? item->text : SLICE_NONE;
}

static bool put_default(struct value *v, struct arena *a, const struct json *item, const char *file,
                        struct err *e)
{
    struct slice text = default_text(item);
    struct slice name = flag_first_name(v->flag);

    if (!text.p)
        return err_set(e, ERR_MALFORMED,
                       "%s: the value for flag '--%.*s' must be a text, a number or a boolean",
                       file, SLICE_ARG(name));
    if (!value_put(v, a, text, SOURCE_DEFAULTS, e))
        return err_wrap(e, "%s", file);
    return true;
}

static bool put_default_list(struct value *v, struct arena *a, const struct json *list,
                             const char *file, struct err *e)
{
    replace_source(v, SOURCE_DEFAULTS);
    for (const struct json *item = list->first; item; item = item->next)
        if (!put_default(v, a, item, file, e))
            return false;
    return true;
}

static const struct json *find_default(const struct flag *f, struct arena *a,
                                       const struct json *defaults)
{
    struct slice rest = slice_text(f->names), name;

    while (slice_split(&rest, ',', &name)) {
        const struct json *found = json_get_exact(defaults, arena_cstr(a, name));
        if (found && found->kind != JSON_NULL)
            return found;
    }
    return NULL;
}

/* Guards must be given by whoever runs the command: a file that lies around cannot. */
static bool takes_defaults(const struct value *v)
{
    struct slice name = flag_first_name(v->flag);

    return v->source < SOURCE_DEFAULTS && !(v->flag->bits & (FLAG_NO_ENV | FLAG_NO_DEFAULTS)) &&
           !slice_is(name, "insecure") && !slice_is(name, "subtle");
}

bool values_from_defaults(struct value_set *set, struct arena *a, const struct json *defaults,
                          const char *file, struct err *e)
{
    for (size_t i = 0; i < set->n; i++) {
        struct value *v = &set->v[i];
        const struct json *found = takes_defaults(v) ? find_default(v->flag, a, defaults) : NULL;
        if (!found)
            continue;
        bool list = found->kind == JSON_LIST && v->flag->kind == FLAG_TEXTS;
        if (list ? !put_default_list(v, a, found, file, e) : !put_default(v, a, found, file, e))
            return false;
    }
    return true;
}

/* --- What commands ask ------------------------------------------------------------------------ */

static NORETURN void programmer_error(const struct invocation *inv, const char *name,
                                      const char *what)
{
    fprintf(stderr, "internal fault: '%s' asks for the flag '--%s', %s; re-run with STEPDEBUG=1\n",
            inv->path, name, what);
    fflush(stderr);
    _exit(2);
}

static const struct value *value_of(const struct invocation *inv, const char *name)
{
    const struct value *v = values_find(&run_of(inv)->set, slice_text(name));

    if (!v)
        programmer_error(inv, name, "which it does not list");
    return v;
}

static const struct value *value_of_kind(const struct invocation *inv, const char *name,
                                         enum flag_kind kind)
{
    const struct value *v = value_of(inv, name);

    if (v->flag->kind != kind)
        programmer_error(inv, name, "which is of another kind");
    return v;
}

bool flag_listed(const struct invocation *inv, const char *name)
{
    return values_find(&run_of(inv)->set, slice_text(name)) != NULL;
}

enum value_source flag_source(const struct invocation *inv, const char *name)
{
    return value_of(inv, name)->source;
}

bool flag_set(const struct invocation *inv, const char *name)
{
    return flag_source(inv, name) > SOURCE_FALLBACK;
}

bool flag_bool(const struct invocation *inv, const char *name)
{
    return value_of_kind(inv, name, FLAG_BOOL)->truth;
}

const char *flag_text(const struct invocation *inv, const char *name)
{
    return value_of(inv, name)->text;
}

const struct slice *flag_texts(const struct invocation *inv, const char *name, size_t *n)
{
    const struct value *v = value_of_kind(inv, name, FLAG_TEXTS);

    *n = v->n_texts;
    return v->texts;
}

int64_t flag_int(const struct invocation *inv, const char *name)
{
    return value_of_kind(inv, name, FLAG_INT)->number;
}

int64_t flag_duration(const struct invocation *inv, const char *name)
{
    return value_of_kind(inv, name, FLAG_DURATION)->number;
}

struct time_or_duration flag_time(const struct invocation *inv, const char *name)
{
    return value_of_kind(inv, name, FLAG_TIME)->time;
}

const char *arg_text(const struct invocation *inv, int i)
{
    return i >= 0 && i < inv->n_args ? (const char *)inv->args[i].p : NULL;
}
