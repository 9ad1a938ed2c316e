/* Functions on floating-point numbers. */
#include <math.h>

#include "template/internal.h"

static bool fn_float64(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_float(value_to_float(&args[0]));
    return true;
}

static bool fn_floor(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_float(floor(value_to_float(&args[0])));
    return true;
}

static bool fn_ceil(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_float(ceil(value_to_float(&args[0])));
    return true;
}

/* As the reference computes it: by squaring, with the exponent kept apart; the last bit differs
 * from what the C library gives. */
static double power_of_ten(int64_t n)
{
    int exponent = 0, part;
    double result = 1, x = frexp(10, &part);

    if (n > 400 || n < -400)
        return n > 0 ? INFINITY : 0;
    for (int64_t i = n < 0 ? -n : n; i; i >>= 1) {
        if (i & 1) {
            result *= x;
            exponent += part;
        }
        x *= x;
        part *= 2;
        if (x < .5) {
            x += x;
            part--;
        }
    }
    return n < 0 ? ldexp(1 / result, -exponent) : ldexp(result, exponent);
}

static bool fn_round(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    double power = power_of_ten(args[1].i), on = n > 2 ? args[2].f : .5, whole;
    double digit = power * value_to_float(&args[0]);
    double fraction = isinf(digit) ? NAN : modf(digit, &whole);

    (void)run;
    *out = tvalue_float((fraction >= on ? ceil(digit) : floor(digit)) / power);
    return true;
}

/* Infinity before NaN before numbers. */
static double larger(double a, double b)
{
    if ((isinf(a) && a > 0) || (isinf(b) && b > 0))
        return INFINITY;
    if (isnan(a) || isnan(b))
        return NAN;
    if (a == 0 && b == 0)
        return signbit(a) ? b : a;
    return a > b ? a : b;
}

static bool fn_maxf(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    double best = value_to_float(&args[0]);

    (void)run;
    for (size_t i = 1; i < n; i++) {
        double v = value_to_float(&args[i]);
        best = larger(best, v);
    }
    *out = tvalue_float(best);
    return true;
}

static bool fn_minf(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    double best = value_to_float(&args[0]);

    (void)run;
    for (size_t i = 1; i < n; i++) {
        double v = value_to_float(&args[i]);
        best = -larger(-best, -v);
    }
    *out = tvalue_float(best);
    return true;
}

static bool fold(struct trun *run, enum decimal_op op, const struct tvalue *args, size_t n,
                 struct tvalue *out)
{
    double *v = run_alloc(run, (n + 1) * sizeof(*v)), result;

    for (size_t i = 0; i < n; i++)
        v[i] = value_to_float(&args[i]);
    if (!decimal_fold(run, op, v, n, &result))
        return false;
    *out = tvalue_float(result);
    return true;
}

static bool fn_addf(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    if (n)
        return fold(run, DECIMAL_ADD, args, n, out);
    *out = tvalue_float(0);
    return true;
}

static bool fn_add1f(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tvalue both[] = {args[0], tvalue_int(1)};

    (void)n;
    return fold(run, DECIMAL_ADD, both, 2, out);
}

static bool fn_subf(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    return fold(run, DECIMAL_SUB, args, n, out);
}

static bool fn_mulf(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    return fold(run, DECIMAL_MUL, args, n, out);
}

static bool fn_divf(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    return fold(run, DECIMAL_DIV, args, n, out);
}

static const struct tfunc FUNCTIONS[] = {
    {"float64", "a", fn_float64, 0}, {"floor", "a", fn_floor, 0}, {"ceil", "a", fn_ceil, 0},
    {"round", "aif*", fn_round, 0},  {"maxf", "aa*", fn_maxf, 0}, {"minf", "aa*", fn_minf, 0},
    {"addf", "a*", fn_addf, 0},      {"add1f", "a", fn_add1f, 0}, {"subf", "aa*", fn_subf, 0},
    {"mulf", "aa*", fn_mulf, 0},     {"divf", "aa*", fn_divf, 0},
};
const struct function_table FUNCTIONS_FLOAT = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
