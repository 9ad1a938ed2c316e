/*
 * Exact decimal arithmetic for addf, subf, mulf and divf: each number is its shortest digits times
 * a power of ten, sums and products are exact, a quotient is rounded to sixteen decimals.  Only the
 * result becomes a double again.
 *
 * Digits stand in a byte each, least significant first: the numbers are short and the schoolbook's
 * rules are enough.
 */
#include <math.h>
#include <stdlib.h>

#include "template/internal.h"

#define DIGITS_MAX      8000u
#define QUOTIENT_DIGITS 16

struct decimal {
    bool negative;
    size_t n;   /* digits; 0: zero */
    uint8_t *d; /* least significant first */
    int exponent;
};

static void trim(struct decimal *x)
{
    while (x->n && !x->d[x->n - 1])
        x->n--;
}

static bool from_double(struct trun *run, double v, struct decimal *x)
{
    struct buf b = buf_new(run->a, 64);

    if (!isfinite(v))
        return run_fail(run, "Cannot create a Decimal from %s",
                        isnan(v) ? "NaN"
                        : v > 0  ? "+Inf"
                                 : "-Inf");
    *x = (struct decimal){.negative = v < 0, .d = run_alloc(run, 32)};
    float_put(&b, fabs(v), 'e', -1);
    struct slice s = buf_slice(&b);
    size_t mark = slice_find(s, 'e');
    int fraction = 0;
    for (size_t i = mark; i > 0; i--) {
        if (s.p[i - 1] == '.')
            fraction = (int)x->n;
        else
            x->d[x->n++] = (uint8_t)(s.p[i - 1] - '0');
    }
    int64_t exponent = 0;
    if (!number_int(slice_from(s, mark + 1), 10, &exponent))
        exponent = 0;
    x->exponent = (int)exponent - fraction;
    trim(x);
    return true;
}

/* x times 10^n, as more digits. */
static bool shift(struct trun *run, struct decimal *x, size_t n)
{
    if (x->n + n > DIGITS_MAX)
        return run_fail(run, "a decimal number has too many digits");
    uint8_t *d = run_alloc(run, x->n + n + 1);
    if (x->n)
        memcpy(d + n, x->d, x->n);
    x->d = d;
    x->n += x->n ? n : 0;
    x->exponent -= (int)n;
    return run_steps(run, x->n / 8 + 1);
}

static int compare(const struct decimal *a, const struct decimal *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (size_t i = a->n; i > 0; i--)
        if (a->d[i - 1] != b->d[i - 1])
            return a->d[i - 1] < b->d[i - 1] ? -1 : 1;
    return 0;
}

static void add_digits(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    unsigned carry = 0;

    for (size_t i = 0; i < a->n || i < b->n || carry; i++) {
        carry += (i < a->n ? a->d[i] : 0u) + (i < b->n ? b->d[i] : 0u);
        out->d[out->n++] = (uint8_t)(carry % 10);
        carry /= 10;
    }
}

/* a >= b */
static void sub_digits(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    int borrow = 0;

    for (size_t i = 0; i < a->n; i++) {
        int v = a->d[i] - (i < b->n ? b->d[i] : 0) - borrow;
        borrow = v < 0;
        out->d[out->n++] = (uint8_t)(v + 10 * borrow);
    }
    trim(out);
}

static bool add(struct trun *run, struct decimal a, struct decimal b, struct decimal *out)
{
    int least = a.exponent < b.exponent ? a.exponent : b.exponent;

    if (!shift(run, &a, (size_t)(a.exponent - least)) ||
        !shift(run, &b, (size_t)(b.exponent - least)))
        return false;
    *out = (struct decimal){.exponent = least, .d = run_alloc(run, (a.n > b.n ? a.n : b.n) + 2)};
    if (a.negative == b.negative) {
        out->negative = a.negative;
        add_digits(&a, &b, out);
    } else if (compare(&a, &b) >= 0) {
        out->negative = a.negative;
        sub_digits(&a, &b, out);
    } else {
        out->negative = b.negative;
        sub_digits(&b, &a, out);
    }
    return true;
}

static bool multiply(struct trun *run, const struct decimal *a, const struct decimal *b,
                     struct decimal *out)
{
    if (a->n + b->n > DIGITS_MAX)
        return run_fail(run, "a decimal number has too many digits");
    *out = (struct decimal){.negative = a->negative != b->negative,
                            .exponent = a->exponent + b->exponent,
                            .n = a->n + b->n,
                            .d = run_alloc(run, a->n + b->n + 1)};
    for (size_t i = 0; i < a->n; i++) {
        unsigned carry = 0;
        for (size_t k = 0; k < b->n || carry; k++) {
            carry += out->d[i + k] + (k < b->n ? (unsigned)a->d[i] * b->d[k] : 0u);
            out->d[i + k] = (uint8_t)(carry % 10);
            carry /= 10;
        }
        if (!run_steps(run, b->n / 8 + 1))
            return false;
    }
    trim(out);
    return true;
}

/* rest = rest * 10 + digit, in room that is large enough. */
static void push_digit(struct decimal *rest, uint8_t digit)
{
    memmove(rest->d + 1, rest->d, rest->n);
    rest->d[0] = digit;
    rest->n++;
    trim(rest);
}

static void subtract_from(struct decimal *rest, const struct decimal *b)
{
    struct decimal out = {.d = rest->d};

    sub_digits(rest, b, &out);
    rest->n = out.n;
}

/* Long division to sixteen decimals, half away from zero. */
static bool divide(struct trun *run, struct decimal a, struct decimal b, struct decimal *out)
{
    if (!b.n)
        return run_fail(run, "decimal division by 0");
    /* a / b = (a.d / b.d) * 10^(a.e - b.e); wanted: an integer times 10^-16. */
    int more = a.exponent - b.exponent + QUOTIENT_DIGITS;
    if (!shift(run, more >= 0 ? &a : &b, (size_t)abs(more)))
        return false;
    *out = (struct decimal){.negative = a.negative != b.negative,
                            .exponent = -QUOTIENT_DIGITS,
                            .n = a.n,
                            .d = run_alloc(run, a.n + 2)};
    struct decimal rest = {.d = run_alloc(run, b.n + 3)};
    for (size_t i = a.n; i > 0; i--) {
        push_digit(&rest, a.d[i - 1]);
        while (compare(&rest, &b) >= 0) {
            subtract_from(&rest, &b);
            out->d[i - 1]++;
        }
        if (!run_steps(run, b.n / 8 + 1))
            return false;
    }
    push_digit(&rest, 0); /* ten times the rest against five times b: half or more? */
    unsigned times = 0;
    while (times < 5 && compare(&rest, &b) >= 0) {
        subtract_from(&rest, &b);
        times++;
    }
    trim(out);
    if (times < 5)
        return true;
    uint8_t one = 1;
    struct decimal unit = {.n = 1, .d = &one}, sum = {.d = run_alloc(run, out->n + 2)};
    add_digits(out, &unit, &sum);
    out->d = sum.d;
    out->n = sum.n;
    return true;
}

static double to_double(struct trun *run, const struct decimal *x)
{
    struct buf b = buf_new(run->a, x->n + 32);

    if (x->negative && x->n)
        buf_byte(&b, '-');
    for (size_t i = x->n; i > 0; i--)
        buf_byte(&b, (uint8_t)('0' + x->d[i - 1]));
    buf_printf(&b, "%se%d", x->n ? "" : "0", x->exponent);
    return strtod(arena_cstr(run->a, buf_slice(&b)), NULL);
}

static bool apply(struct trun *run, enum decimal_op op, const struct decimal *a, struct decimal b,
                  struct decimal *out)
{
    if (op == DECIMAL_MUL)
        return multiply(run, a, &b, out);
    if (op == DECIMAL_DIV)
        return divide(run, *a, b, out);
    b.negative ^= op == DECIMAL_SUB;
    return add(run, *a, b, out);
}

bool decimal_fold(struct trun *run, enum decimal_op op, const double *v, size_t n, double *out)
{
    struct decimal sum, x, next;

    if (!from_double(run, v[0], &sum))
        return false;
    for (size_t i = 1; i < n; i++) {
        if (!from_double(run, v[i], &x) || !apply(run, op, &sum, x, &next))
            return false;
        sum = next;
    }
    *out = to_double(run, &sum);
    return true;
}
