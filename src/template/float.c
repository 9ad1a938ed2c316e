/*
 * Floating-point numbers as Go's strconv writes them: the shortest digits that read back to the
 * same number, or as many as asked for.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "template/internal.h"

#define DIGITS_MAX 1100 /* more than any double has behind its point */
#define FIXED_MAX  1500

/* d.ddde±x of the shortest digits: at most 17 are needed, and of 15 that read back all but trailing
 * zeros are significant. */
static void shortest(double v, char digits[24], int *exponent)
{
    char text[40];
    static const int TRY[] = {14, 15, 16};

    for (size_t i = 0; i < COUNT_OF(TRY); i++) {
        snprintf(text, sizeof(text), "%.*e", TRY[i], v);
        if (strtod(text, NULL) == v)
            break;
    }
    /* Denormal numbers have fewer digits than 15. */
    for (int n = 0; fabs(v) < 0x1p-1021 && n < 15; n++) {
        snprintf(text, sizeof(text), "%.*e", n, v);
        if (strtod(text, NULL) == v)
            break;
    }
    size_t n = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    *exponent = (int)strtol(p + 1, NULL, 10);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = 0;
}

static void put_exponent(struct buf *b, char letter, int exponent)
{
    buf_printf(b, "%c%c%02d", letter, exponent < 0 ? '-' : '+', abs(exponent));
}

static void put_shortest(struct buf *b, double v, char format)
{
    char digits[24];
    int exponent, n;

    shortest(fabs(v), digits, &exponent);
    n = (int)strlen(digits);
    bool scientific = format == 'e' || format == 'E';
    if (format == 'g' || format == 'G')
        scientific = exponent < -4 || exponent >= 6;
    if (scientific) {
        buf_byte(b, (uint8_t)digits[0]);
        if (n > 1)
            buf_printf(b, ".%s", digits + 1);
        put_exponent(b, format == 'E' || format == 'G' ? 'E' : 'e', exponent);
        return;
    }
    if (exponent < 0) {
        buf_text(b, "0.");
        for (int i = -1; i > exponent; i--)
            buf_byte(b, '0');
        buf_text(b, digits);
        return;
    }
    for (int i = 0; i < n || i <= exponent; i++) {
        if (i == exponent + 1)
            buf_byte(b, '.');
        buf_byte(b, i < n ? (uint8_t)digits[i] : '0');
    }
}

static void split(double v, uint64_t *mantissa, int *exponent)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    *exponent = (int)(bits >> 52 & 0x7ff);
    *mantissa = bits & ((UINT64_C(1) << 52) - 1);
    if (*exponent)
        *mantissa |= UINT64_C(1) << 52;
    else
        *exponent = 1;
    *exponent -= 1023;
}

static void put_binary(struct buf *b, double v)
{
    uint64_t mantissa;
    int exponent;

    split(v, &mantissa, &exponent);
    exponent -= 52;
    buf_printf(b, "%llup%c%d", (unsigned long long)mantissa, exponent < 0 ? '-' : '+',
               abs(exponent));
}

static void put_hex(struct buf *b, double v, char format, int precision)
{
    const char *digits = format == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    uint64_t m;
    int exponent;

    split(v, &m, &exponent);
    if (!m)
        exponent = 0;
    m <<= 8; /* the leading 1 at bit 60 */
    while (m && !(m & UINT64_C(1) << 60)) {
        m <<= 1;
        exponent--;
    }
    if (precision >= 0 && precision < 15) {
        unsigned shift = (unsigned)precision * 4;
        uint64_t extra = m << shift & ((UINT64_C(1) << 60) - 1);
        m >>= 60 - shift;
        if ((extra | (m & 1)) > UINT64_C(1) << 59)
            m++;
        m <<= 60 - shift;
        if (m & UINT64_C(1) << 61) {
            m >>= 1;
            exponent++;
        }
    }
    buf_printf(b, "0%c%c", format, '0' + (int)(m >> 60 & 1));
    m <<= 4;
    if (precision < 0 && m) {
        buf_byte(b, '.');
        for (; m; m <<= 4)
            buf_byte(b, (uint8_t)digits[m >> 60 & 15]);
    } else if (precision > 0) {
        buf_byte(b, '.');
        for (int i = 0; i < precision; i++, m <<= 4)
            buf_byte(b, (uint8_t)digits[m >> 60 & 15]);
    }
    put_exponent(b, format == 'X' ? 'P' : 'p', exponent);
}

static void put_fixed(struct buf *b, double v, char format, int precision)
{
    char text[FIXED_MAX], *tail;
    int digits = precision < DIGITS_MAX ? precision : DIGITS_MAX; /* zeros from there on */

    if (format == 'e' || format == 'E')
        snprintf(text, sizeof(text), "%.*e", digits, v);
    else if (format == 'f')
        snprintf(text, sizeof(text), "%.*f", digits, v);
    else
        snprintf(text, sizeof(text), "%.*g", digits, v);
    tail = strchr(text, 'e');
    if (tail && (format == 'E' || format == 'G'))
        *tail = 'E';
    size_t n = tail ? (size_t)(tail - text) : strlen(text);
    buf_put(b, slice_of(text, n));
    if (format != 'g' && format != 'G')
        for (int i = digits; i < precision && !b->failed; i++)
            buf_byte(b, '0');
    if (tail)
        buf_text(b, tail);
}

void float_put(struct buf *b, double v, char format, int precision)
{
    if (isnan(v))
        return buf_text(b, "NaN");
    if (isinf(v))
        return buf_text(b, v > 0 ? "+Inf" : "-Inf");
    if (signbit(v))
        buf_byte(b, '-');
    v = fabs(v);
    if (format == 'b')
        put_binary(b, v);
    else if (format == 'x' || format == 'X')
        put_hex(b, v, format, precision);
    else if (precision < 0)
        put_shortest(b, v, format);
    else
        put_fixed(b, v, format, precision);
}
