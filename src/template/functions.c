/* Finding a function by name: one sorted index over the tables of all files; and which are allowed.
 */
#include <pthread.h>
#include <stdlib.h>

#include "template/internal.h"

static const struct function_table *const TABLES[] = {
    &FUNCTIONS_BUILTIN,  &FUNCTIONS_RANDOM, &FUNCTIONS_TEXT,    &FUNCTIONS_WORDS, &FUNCTIONS_NUMBER,
    &FUNCTIONS_FLOAT,    &FUNCTIONS_LIST,   &FUNCTIONS_MAP,     &FUNCTIONS_JSON,  &FUNCTIONS_ENCODE,
    &FUNCTIONS_PASSWORD, &FUNCTIONS_HOOKS,  &FUNCTIONS_REFLECT, &FUNCTIONS_REGEX, &FUNCTIONS_SEMVER,
    &FUNCTIONS_URL,      &FUNCTIONS_TIME,   &FUNCTIONS_DATE,    &FUNCTIONS_ASN1,
};

#define FUNCTIONS_MAX 400u
static const struct tfunc *sorted[FUNCTIONS_MAX];
static size_t n_sorted;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int by_name(const void *a, const void *b)
{
    const struct tfunc *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static void sort_tables(void)
{
    for (size_t i = 0; i < COUNT_OF(TABLES); i++)
        for (size_t k = 0; k < TABLES[i]->n && n_sorted < FUNCTIONS_MAX; k++)
            sorted[n_sorted++] = &TABLES[i]->functions[k];
    qsort(sorted, n_sorted, sizeof(*sorted), by_name);
}

static const struct tfunc *find(struct slice name)
{
    size_t low = 0, high;

    pthread_once(&once, sort_tables);
    high = n_sorted;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = slice_cmp(slice_text(sorted[middle]->name), name);
        if (!order)
            return sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct tfunc *function_find(struct slice name, enum template_set set)
{
    static const unsigned MISSING[] = {
        [TEMPLATE_X509] = 0,
        [TEMPLATE_SSH] = FUNCTION_ASN1,
        [TEMPLATE_TEXT] = FUNCTION_ASN1 | FUNCTION_TIME,
    };
    const struct tfunc *f = find(name);

    return f && !(f->flags & MISSING[set]) ? f : NULL;
}

bool template_function_is_off(struct slice name)
{
    const struct tfunc *f = find(name);
    return f && (f->flags & FUNCTION_OFF);
}

void template_options_copy(struct arena *a, struct template *t, const struct template_options *o)
{
    const char **allow;

    if (!o)
        return;
    t->options = *o;
    allow = arena_array(a, o->n_allow + 1, sizeof(*allow));
    for (size_t i = 0; i < o->n_allow; i++)
        allow[i] = arena_cstr(a, slice_text(o->allow[i]));
    t->allow = allow;
    if (o->local_zone)
        t->options.local_zone = arena_cstr(a, slice_text(o->local_zone));
}
