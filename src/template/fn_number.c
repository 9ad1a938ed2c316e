/* Functions on whole numbers. */
#include "template/internal.h"

static bool fn_int(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_int(value_to_int(&args[0]));
    return true;
}

static bool fn_int64(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_int64(value_to_int(&args[0]));
    return true;
}

static bool fn_atoi(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t i = 0;
    struct slice s = args[0].text;
    bool negative = s.n && s.p[0] == '-';

    (void)run, (void)n;
    if (!number_int(s, 10, &i)) {
        /* Out of range the reference keeps the nearest number. */
        struct slice digits = s.n && (s.p[0] == '-' || s.p[0] == '+') ? slice_from(s, 1) : s;
        bool number = digits.n > 0;
        for (size_t k = 0; k < digits.n; k++)
            number &= digits.p[k] >= '0' && digits.p[k] <= '9';
        i = !number ? 0 : negative ? INT64_MIN : INT64_MAX;
    }
    *out = tvalue_int(i);
    return true;
}

static bool fn_to_decimal(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);
    int64_t i;

    (void)n;
    if (!print_all(run, &b, args, 1, false))
        return false;
    *out = tvalue_int64(number_int(buf_slice(&b), 8, &i) ? i : 0);
    return true;
}

/* Arithmetic goes round like the machine's. */
static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static bool fn_add(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t sum = 0;

    (void)run;
    for (size_t i = 0; i < n; i++)
        sum = plus(sum, value_to_int(&args[i]));
    *out = tvalue_int64(sum);
    return true;
}

static bool fn_add1(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_int64(plus(value_to_int(&args[0]), 1));
    return true;
}

static bool fn_sub(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_int64(
        (int64_t)((uint64_t)value_to_int(&args[0]) - (uint64_t)value_to_int(&args[1])));
    return true;
}

static bool fn_mul(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    uint64_t product = (uint64_t)value_to_int(&args[0]);

    (void)run;
    for (size_t i = 1; i < n; i++)
        product *= (uint64_t)value_to_int(&args[i]);
    *out = tvalue_int64((int64_t)product);
    return true;
}

static bool fn_div(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t a = value_to_int(&args[0]), b = value_to_int(&args[1]);

    (void)n;
    if (!b)
        return run_fail(run, "integer divide by zero");
    *out = tvalue_int64(b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b);
    return true;
}

static bool fn_mod(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t a = value_to_int(&args[0]), b = value_to_int(&args[1]);

    (void)n;
    if (!b)
        return run_fail(run, "integer divide by zero");
    *out = tvalue_int64(b == -1 ? 0 : a % b);
    return true;
}

static bool fn_max(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t best = value_to_int(&args[0]);

    (void)run;
    for (size_t i = 1; i < n; i++) {
        int64_t v = value_to_int(&args[i]);
        best = v > best ? v : best;
    }
    *out = tvalue_int64(best);
    return true;
}

static bool fn_min(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t best = value_to_int(&args[0]);

    (void)run;
    for (size_t i = 1; i < n; i++) {
        int64_t v = value_to_int(&args[i]);
        best = v < best ? v : best;
    }
    *out = tvalue_int64(best);
    return true;
}

/* --- Rows of numbers ------------------------------------------------------------------------- */

/* start, start + step, … before stop; nothing when step leads away from it. */
static bool row(struct trun *run, int64_t start, int64_t stop, int64_t step, struct tlist_maker *m)
{
    if (stop < start ? step >= 0 : step <= 0)
        return true;
    for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
        if (!list_add(run, m, tvalue_int(i)))
            return false;
        if (__builtin_add_overflow(i, step, &i))
            break;
    }
    return true;
}

static bool row_list(struct trun *run, int64_t start, int64_t stop, int64_t step,
                     struct tvalue *out)
{
    struct tlist_maker m = {0};

    if (!row(run, start, stop, step, &m))
        return false;
    *out = list_made(run, &m, &TTYPE_INTS);
    return true;
}

static bool fn_until(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return row_list(run, 0, args[0].i, args[0].i < 0 ? -1 : 1, out);
}

static bool fn_until_step(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return row_list(run, args[0].i, args[1].i, args[2].i, out);
}

static bool fn_seq(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t start = n > 1 ? args[0].i : 1, end = n ? args[n == 1 ? 0 : n - 1].i : 0;
    int64_t one = end < start ? -1 : 1, step = n == 3 ? args[1].i : one;
    struct tlist_maker m = {0};
    struct buf b = run_buf(run);

    if (n == 0 || n > 3 || (n == 3 && one < 0 && step > 0)) {
        *out = tvalue_text(SLICE(""));
        return true;
    }
    if (!row(run, start, plus(end, one), step, &m))
        return false;
    for (size_t i = 0; i < m.n; i++)
        buf_printf(&b, "%s%lld", i ? " " : "", (long long)m.items[i].i);
    return run_text(run, &b, out);
}

static const struct tfunc FUNCTIONS[] = {
    {"int", "a", fn_int, 0},
    {"int64", "a", fn_int64, 0},
    {"atoi", "s", fn_atoi, 0},
    {"toDecimal", "a", fn_to_decimal, 0},
    {"add", "a*", fn_add, 0},
    {"add1", "a", fn_add1, 0},
    {"sub", "aa", fn_sub, 0},
    {"mul", "aa*", fn_mul, 0},
    {"div", "aa", fn_div, 0},
    {"mod", "aa", fn_mod, 0},
    {"max", "aa*", fn_max, 0},
    {"biggest", "aa*", fn_max, 0},
    {"min", "aa*", fn_min, 0},
    {"until", "i", fn_until, 0},
    {"untilStep", "iii", fn_until_step, 0},
    {"seq", "i*", fn_seq, 0},
};
const struct function_table FUNCTIONS_NUMBER = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
