/*
 * Numbers as Go's strconv reads them: prefixes 0x 0o 0b and 0, '_' between digits where the base
 * is told by the prefix, hexadecimal floats, "inf" and "nan".  Out of range is an error.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "template/internal.h"

#define FLOAT_TEXT_MAX 4096u

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static struct slice skip_sign(struct slice s, bool *negative)
{
    *negative = s.n && s.p[0] == '-';
    return s.n && (s.p[0] == '-' || s.p[0] == '+') ? slice_from(s, 1) : s;
}

/* '_' stands only between digits, or behind the prefix. */
static bool underscores_fit(struct slice s)
{
    bool negative, hex = false;
    uint8_t saw = '^';
    size_t i = 0;

    s = skip_sign(s, &negative);
    if (s.n >= 2 && s.p[0] == '0' && strchr("bBoOxX", s.p[1]) && s.p[1]) {
        hex = (s.p[1] | 0x20) == 'x';
        saw = '0';
        i = 2;
    }
    for (; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (digit_of(c) < 10 || (hex && digit_of(c) < 16)) {
            saw = '0';
        } else if (c == '_') {
            if (saw != '0')
                return false;
            saw = '_';
        } else {
            if (saw == '_')
                return false;
            saw = '!';
        }
    }
    return saw != '_';
}

static struct slice skip_prefix(struct slice s, int *base)
{
    static const struct {
        char letter;
        int base;
    } PREFIXES[] = {{'x', 16}, {'o', 8}, {'b', 2}};

    *base = 10;
    if (!s.n || s.p[0] != '0')
        return s;
    for (size_t i = 0; s.n >= 3 && i < COUNT_OF(PREFIXES); i++)
        if ((s.p[1] | 0x20) == PREFIXES[i].letter) {
            *base = PREFIXES[i].base;
            return slice_from(s, 2);
        }
    *base = 8;
    return slice_from(s, 1); /* "0" itself leaves nothing: zero */
}

bool number_uint(struct slice s, int base, uint64_t *v)
{
    bool by_prefix = base == 0, zero = s.n == 1 && s.p[0] == '0';
    struct slice whole = s;
    uint64_t n = 0;

    if (!s.n)
        return false;
    if (by_prefix)
        s = skip_prefix(s, &base);
    if (!s.n)
        return *v = 0, zero;
    bool underscores = false;
    for (size_t i = 0; i < s.n; i++) {
        if (by_prefix && s.p[i] == '_') {
            underscores = true;
            continue;
        }
        int d = digit_of(s.p[i]);
        if (d >= base || __builtin_mul_overflow(n, (uint64_t)base, &n) ||
            __builtin_add_overflow(n, (uint64_t)d, &n))
            return false;
    }
    *v = n;
    return !underscores || underscores_fit(whole);
}

bool number_int(struct slice s, int base, int64_t *v)
{
    bool negative;
    uint64_t u;

    s = skip_sign(s, &negative);
    if (!number_uint(s, base, &u) || u > (uint64_t)INT64_MAX + negative)
        return false;
    *v = negative ? (int64_t)(0 - u) : (int64_t)u;
    return true;
}

static bool special_float(struct slice s, double *v)
{
    bool negative;

    s = skip_sign(s, &negative);
    if (slice_is_case(s, "inf") || slice_is_case(s, "infinity")) {
        *v = negative ? -INFINITY : INFINITY;
        return true;
    }
    *v = NAN;
    return slice_is_case(s, "nan");
}

/* [digits][.digits][exponent]; hexadecimal needs its exponent. */
static bool float_shape(struct slice s, bool *underscores)
{
    bool negative, digits = false, hex = false;
    size_t i = 0;

    s = skip_sign(s, &negative);
    if (s.n >= 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x') {
        hex = true;
        i = 2;
    }
    bool dot = false;
    for (; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '_')
            *underscores = true;
        else if (c == '.' && !dot)
            dot = true;
        else if (digit_of(c) < (hex ? 16 : 10))
            digits = true;
        else
            break;
    }
    if (!digits)
        return false;
    if (i == s.n)
        return !hex;
    if ((s.p[i] | 0x20) != (hex ? 'p' : 'e'))
        return false;
    i++;
    if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
        i++;
    bool exponent = false;
    for (; i < s.n; i++) {
        if (s.p[i] == '_')
            *underscores = true;
        else if (digit_of(s.p[i]) < 10)
            exponent = true;
        else
            return false;
    }
    return exponent;
}

bool number_float(struct slice s, double *v)
{
    char text[FLOAT_TEXT_MAX];
    bool underscores = false;
    size_t n = 0;

    if (special_float(s, v))
        return true;
    if (s.n >= sizeof(text) || !float_shape(s, &underscores) ||
        (underscores && !underscores_fit(s)))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '_')
            text[n++] = (char)s.p[i];
    text[n] = 0;
    *v = strtod(text, NULL);
    return isfinite(*v);
}

int64_t float_to_int(double d)
{
    return d >= -0x1p63 && d < 0x1p63 ? (int64_t)d : INT64_MIN;
}
