/*
 * Number literals.  They have no type until they meet a parameter: each is kept as every type that
 * holds it exactly.
 */
#include <math.h>

#include "template/lex.h"

static bool holds_int(double f)
{
    return (double)float_to_int(f) == f && fabs(f) < 0x1p63;
}

static bool holds_uint(double f)
{
    return f >= 0 && f < 0x1p64 && (double)(uint64_t)f == f;
}

static void simplify_complex(struct tnumber *n)
{
    n->is_complex = true;
    n->is_float = n->im == 0;
    n->f = n->re;
    if (!n->is_float)
        return;
    n->is_int = holds_int(n->f);
    n->i = n->is_int ? (int64_t)n->f : 0;
    n->is_uint = holds_uint(n->f);
    n->u = n->is_uint ? (uint64_t)n->f : 0;
}

bool literal_complex(struct slice text, struct tnumber *n)
{
    size_t split = 0;

    /* The sign between the parts is the last one that is not an exponent's. */
    for (size_t i = 1; i < text.n; i++)
        if ((text.p[i] == '+' || text.p[i] == '-') && !strchr("eEpP", text.p[i - 1]))
            split = i;
    if (!split || !number_float(slice_sub(text, 0, split), &n->re) ||
        !number_float(slice_sub(text, split, text.n - split - 1), &n->im))
        return false;
    simplify_complex(n);
    return true;
}

static bool has_float_mark(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] && strchr(".eEpP", text.p[i]))
            return true;
    return false;
}

static const char *read_float(struct slice text, struct tnumber *n)
{
    if (!number_float(text, &n->f))
        return "illegal number syntax: ";
    if (!has_float_mark(text))
        return "integer overflow: ";
    n->is_float = true;
    n->is_int = holds_int(n->f);
    n->i = n->is_int ? (int64_t)n->f : 0;
    n->is_uint = holds_uint(n->f);
    n->u = n->is_uint ? (uint64_t)n->f : 0;
    return NULL;
}

/* NULL, or what is wrong. */
const char *literal_number(struct slice text, struct tnumber *n)
{
    if (text.n && text.p[text.n - 1] == 'i' &&
        number_float(slice_sub(text, 0, text.n - 1), &n->im)) {
        simplify_complex(n);
        return NULL;
    }
    n->is_uint = number_uint(text, 0, &n->u);
    n->is_int = number_int(text, 0, &n->i);
    if (n->is_int && n->i == 0)
        n->is_uint = true; /* -0 */
    if (!n->is_int && !n->is_uint)
        return read_float(text, n);
    n->is_float = true;
    n->f = n->is_int ? (double)n->i : (double)n->u;
    return NULL;
}
