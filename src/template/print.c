/*
 * How values print: Go's fmt, verb by verb.  One struct tprint is one formatting directive (flags,
 * width, precision) applied to one value and what it contains.  Nothing fails: what a verb cannot
 * do is printed as "%!verb(type=value)".
 */
#include "template/internal.h"

static void pad_bytes(struct tprint *p, int n)
{
    uint8_t c = p->zero && !p->minus ? '0' : ' ';
    while (n-- > 0 && !p->b->failed)
        buf_byte(p->b, c);
}

static void pad(struct tprint *p, struct slice s)
{
    int width = p->width_set && p->width ? p->width - (int)rune_count(s) : 0;

    if (!p->minus)
        pad_bytes(p, width);
    buf_put(p->b, s);
    if (p->minus)
        pad_bytes(p, width);
}

/* Padding with blanks whatever the zero flag says. */
static void pad_blank(struct tprint *p, struct slice s)
{
    bool zero = p->zero;

    p->zero = false;
    pad(p, s);
    p->zero = zero;
}

/* --- Verbs that do not fit ------------------------------------------------------------------- */

static void bad_verb(struct tprint *p, uint32_t verb, const struct tvalue *v)
{
    p->erroring = true;
    buf_text(p->b, "%!");
    rune_put(p->b, verb);
    buf_byte(p->b, '(');
    if (v->kind == T_NONE || v->kind == T_NIL) {
        buf_text(p->b, "<nil>");
    } else {
        buf_text(p->b, v->type->name);
        buf_byte(p->b, '=');
        print_value(p, v, 'v', 0);
    }
    buf_byte(p->b, ')');
    p->erroring = false;
}

/* --- Integers -------------------------------------------------------------------------------- */

#define INT_TEXT 72

static struct slice digits_of(char text[INT_TEXT], uint64_t u, unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    size_t at = INT_TEXT;

    do {
        text[--at] = digits[u % base];
        u /= base;
    } while (u);
    return slice_of(text + at, INT_TEXT - at);
}

static void put_int(struct tprint *p, uint64_t u, bool is_signed, unsigned base, uint32_t verb)
{
    char text[INT_TEXT];
    bool negative = is_signed && (int64_t)u < 0;
    int least = 0;

    if (negative)
        u = 0 - u;
    if (p->precision_set) {
        least = p->precision;
        if (least == 0 && u == 0) { /* nothing but the width */
            bool zero = p->zero;
            p->zero = false;
            pad_bytes(p, p->width);
            p->zero = zero;
            return;
        }
    } else if (p->zero && !p->minus && p->width_set) {
        least = p->width - (negative || p->plus || p->space);
    }
    struct slice digits = digits_of(text, u, base, verb == 'X');
    struct buf b = buf_new(p->run->a, (size_t)least + INT_TEXT + 8);
    if (negative || p->plus || p->space)
        buf_byte(&b, negative ? '-' : p->plus ? '+' : ' ');
    if (verb == 'O')
        buf_text(&b, "0o");
    if (p->sharp && base == 2)
        buf_text(&b, "0b");
    else if (p->sharp && base == 16)
        buf_text(&b, verb == 'X' ? "0X" : "0x");
    else if (p->sharp && base == 8 && digits.p[0] != '0' && least <= (int)digits.n)
        buf_byte(&b, '0');
    for (int i = (int)digits.n; i < least; i++)
        buf_byte(&b, '0');
    buf_put(&b, digits);
    pad_blank(p, buf_slice(&b));
}

static void put_hex_sharp(struct tprint *p, uint64_t u, bool sharp)
{
    bool before = p->sharp;

    p->sharp = sharp;
    put_int(p, u, false, 16, 'v');
    p->sharp = before;
}

static void put_unicode(struct tprint *p, uint64_t u)
{
    char text[INT_TEXT];
    struct slice digits = digits_of(text, u, 16, true);
    int least = p->precision_set && p->precision > 4 ? p->precision : 4;
    struct buf b = buf_new(p->run->a, (size_t)least + INT_TEXT + 16);

    buf_text(&b, "U+");
    for (int i = (int)digits.n; i < least; i++)
        buf_byte(&b, '0');
    buf_put(&b, digits);
    if (p->sharp && u <= 0x10ffff && rune_printable((uint32_t)u)) {
        buf_text(&b, " '");
        rune_put(&b, (uint32_t)u);
        buf_byte(&b, '\'');
    }
    pad_blank(p, buf_slice(&b));
}

static void put_rune(struct tprint *p, uint64_t u, bool quoted)
{
    struct buf b = buf_new(p->run->a, 32);
    uint32_t rune = u > 0x10ffff ? 0xfffd : (uint32_t)u;

    if (quoted)
        quote_rune_put(&b, rune, p->plus);
    else
        rune_put(&b, rune);
    pad(p, buf_slice(&b));
}

static void print_int(struct tprint *p, const struct tvalue *v, uint32_t verb)
{
    bool is_signed = v->kind == T_INT;

    switch (verb) {
    case 'v':
        if (p->sharp_v && !is_signed)
            return put_hex_sharp(p, v->u, true);
        return put_int(p, v->u, is_signed, 10, verb);
    case 'd':
        return put_int(p, v->u, is_signed, 10, verb);
    case 'b':
        return put_int(p, v->u, is_signed, 2, verb);
    case 'o':
    case 'O':
        return put_int(p, v->u, is_signed, 8, verb);
    case 'x':
    case 'X':
        return put_int(p, v->u, is_signed, 16, verb);
    case 'c':
    case 'q':
        return put_rune(p, v->u, verb == 'q');
    case 'U':
        return put_unicode(p, v->u);
    default:
        bad_verb(p, verb, v);
    }
}

/* --- Floats ---------------------------------------------------------------------------------- */

/* The sharp flag: a point always, and the zeros that %g would drop. */
static void keep_zeros(struct buf *to, struct slice s, char format, int digits)
{
    size_t tail = 0;
    bool point = false, counts = false, hex = format == 'x' || format == 'X';

    for (; tail < s.n; tail++) {
        uint8_t c = s.p[tail];
        if (c == 'p' || c == 'P' || (!hex && (c == 'e' || c == 'E')))
            break;
        if (c == '.') {
            point = true;
            continue;
        }
        counts |= c != '0';
        digits -= counts;
    }
    buf_put(to, slice_sub(s, 0, tail));
    if (!point) {
        if (tail == 1 && s.p[0] == '0')
            digits--;
        buf_byte(to, '.');
    }
    for (; digits > 0; digits--)
        buf_byte(to, '0');
    buf_put(to, slice_from(s, tail));
}

static void put_float(struct tprint *p, double d, char format, int precision)
{
    struct buf number = run_buf(p->run), text = run_buf(p->run);
    struct slice s;
    char sign = '+';

    if (p->precision_set)
        precision = p->precision;
    float_put(&number, d, format, precision);
    s = buf_slice(&number);
    if (s.p[0] == '-' || s.p[0] == '+') {
        sign = (char)s.p[0];
        s = slice_from(s, 1);
    }
    if (p->space && sign == '+' && !p->plus)
        sign = ' ';
    bool special = s.p[0] == 'I' || s.p[0] == 'N';
    bool show = p->plus || sign != '+';
    if (special) {
        if (s.p[0] == 'I' || p->space || p->plus)
            if (show || s.p[0] == 'I')
                buf_byte(&text, (uint8_t)sign);
        buf_put(&text, s);
        return pad_blank(p, buf_slice(&text));
    }
    if (p->sharp && format != 'b') {
        bool general = format == 'g' || format == 'G' || format == 'x'; /* not %X */
        keep_zeros(&text, s, format, !general ? 0 : precision < 0 ? 6 : precision);
        s = buf_slice(&text);
    }
    if (show && p->zero && !p->minus && p->width_set && p->width > (int)s.n + 1) {
        buf_byte(p->b, (uint8_t)sign);
        pad_bytes(p, p->width - (int)s.n - 1);
        return buf_put(p->b, s);
    }
    if (show) {
        struct buf signed_text = run_buf(p->run);
        buf_byte(&signed_text, (uint8_t)sign);
        buf_put(&signed_text, s);
        s = buf_slice(&signed_text);
    }
    pad(p, s);
}

static void print_float(struct tprint *p, double d, uint32_t verb)
{
    switch (verb) {
    case 'v':
        return put_float(p, d, 'g', -1);
    case 'b':
    case 'g':
    case 'G':
    case 'x':
    case 'X':
        return put_float(p, d, (char)verb, -1);
    case 'F':
        return put_float(p, d, 'f', 6);
    default:
        put_float(p, d, (char)verb, 6);
    }
}

static bool is_float_verb(uint32_t verb)
{
    return verb && verb < 0x80 && strchr("vbgGxXfFeE", (int)verb);
}

static void print_complex(struct tprint *p, const struct tvalue *v, uint32_t verb)
{
    bool plus = p->plus;

    if (!is_float_verb(verb))
        return bad_verb(p, verb, v);
    buf_byte(p->b, '(');
    print_float(p, v->c.re, verb);
    p->plus = true;
    print_float(p, v->c.im, verb);
    buf_text(p->b, "i)");
    p->plus = plus;
}

/* --- Texts and bytes ------------------------------------------------------------------------- */

static struct slice cut(const struct tprint *p, struct slice s)
{
    size_t at = 0;
    uint32_t rune;

    if (!p->precision_set)
        return s;
    for (int n = p->precision; n > 0 && at < s.n; n--)
        at += rune_at(s, at, &rune);
    return slice_sub(s, 0, at);
}

static void put_hex_text(struct tprint *p, struct slice s, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    const char *mark = upper ? "0X" : "0x";
    size_t n = p->precision_set && (size_t)p->precision < s.n ? (size_t)p->precision : s.n;
    size_t width = 2 * n;

    if (!n) {
        if (p->width_set)
            pad_bytes(p, p->width);
        return;
    }
    if (p->space)
        width = width * (p->sharp ? 2 : 1) + n - 1;
    else if (p->sharp)
        width += 2;
    int fill = p->width_set && (size_t)p->width > width ? p->width - (int)width : 0;
    if (!p->minus)
        pad_bytes(p, fill);
    for (size_t i = 0; i < n; i++) {
        if (p->space && i)
            buf_byte(p->b, ' ');
        if (p->sharp && (p->space || !i))
            buf_text(p->b, mark);
        buf_byte(p->b, (uint8_t)digits[s.p[i] >> 4]);
        buf_byte(p->b, (uint8_t)digits[s.p[i] & 15]);
    }
    if (p->minus)
        pad_bytes(p, fill);
}

/* Control characters but tab, backquotes, bad bytes and the byte order mark cannot stand in `…`. */
static bool can_backquote(struct slice s)
{
    uint32_t rune;

    for (size_t i = 0; i < s.n;) {
        size_t n = rune_at(s, i, &rune);
        bool bad = (rune == 0xfffd && n == 1) || rune == 0xfeff || rune == '`' || rune == 0x7f ||
                   (rune < ' ' && rune != '\t');
        if (bad)
            return false;
        i += n;
    }
    return true;
}

static void put_quoted(struct tprint *p, struct slice s)
{
    struct buf b = run_buf(p->run);

    s = cut(p, s);
    if (p->sharp && can_backquote(s)) {
        buf_byte(&b, '`');
        buf_put(&b, s);
        buf_byte(&b, '`');
    } else {
        quote_put(&b, s, '"', p->plus);
    }
    pad(p, buf_slice(&b));
    p->b->failed |= b.failed;
}

/* False: the verb is not for texts. */
static bool put_text(struct tprint *p, struct slice s, uint32_t verb)
{
    switch (verb) {
    case 'v':
        if (p->sharp_v)
            put_quoted(p, s);
        else
            pad(p, cut(p, s));
        return true;
    case 's':
        pad(p, cut(p, s));
        return true;
    case 'x':
    case 'X':
        put_hex_text(p, s, verb == 'X');
        return true;
    case 'q':
        put_quoted(p, s);
        return true;
    default:
        return false;
    }
}

/* --- Containers ------------------------------------------------------------------------------ */

/* A container or object with that is no value: "(nil)". */
static bool go_syntax_open(struct tprint *p, const struct tvalue *v, const char *plain)
{
    if (!p->sharp_v) {
        buf_text(p->b, plain);
        return true;
    }
    buf_text(p->b, v->type->name);
    if (value_is_nil(v)) {
        buf_text(p->b, "(nil)");
        return false;
    }
    buf_byte(p->b, '{');
    return true;
}

static void between(struct tprint *p, size_t i)
{
    if (i)
        buf_text(p->b, p->sharp_v ? ", " : " ");
}

static void print_list(struct tprint *p, const struct tvalue *v, uint32_t verb, unsigned depth)
{
    if (!go_syntax_open(p, v, "["))
        return;
    for (size_t i = 0; i < value_count(v) && !p->b->failed; i++) {
        struct tvalue item = value_item(v, i);
        between(p, i);
        print_value(p, &item, verb, depth + 1);
    }
    buf_byte(p->b, p->sharp_v ? '}' : ']');
}

static void print_bytes(struct tprint *p, const struct tvalue *v, uint32_t verb, unsigned depth)
{
    bool numbers = verb == 'v' || verb == 'd';

    if (!numbers && put_text(p, v->text, verb))
        return;
    if (!numbers || !p->sharp_v)
        return print_list(p, v, verb, depth);
    buf_text(p->b, "[]byte");
    buf_text(p->b, v->text.p ? "{" : "(nil)");
    for (size_t i = 0; i < v->text.n; i++) {
        buf_text(p->b, i ? ", " : "");
        put_hex_sharp(p, v->text.p[i], true);
    }
    buf_text(p->b, v->text.p ? "}" : "");
}

static void print_map(struct tprint *p, const struct tvalue *v, uint32_t verb, unsigned depth)
{
    if (!go_syntax_open(p, v, "map["))
        return;
    for (size_t i = 0; v->map && i < v->map->n && !p->b->failed; i++) {
        struct tvalue name = tvalue_text(v->map->members[i].name);
        between(p, i);
        print_value(p, &name, verb, depth + 1);
        buf_byte(p->b, ':');
        print_value(p, v->map->members[i].value, verb, depth + 1);
    }
    buf_byte(p->b, p->sharp_v ? '}' : ']');
}

static void print_object(struct tprint *p, const struct tvalue *v, uint32_t verb, unsigned depth)
{
    bool pointer = !strcmp(v->type->kind, "ptr");

    if (!v->self)
        return pad(p, SLICE("<nil>"));
    if (pointer && depth > 0) /* an address would tell nothing, and differ each time */
        return buf_text(p->b, "0x1");
    if (pointer)
        buf_byte(p->b, '&');
    if (p->sharp_v)
        buf_text(p->b, v->type->name + pointer);
    buf_byte(p->b, '{');
    for (size_t i = 0; i < v->type->n_fields && !p->b->failed; i++) {
        const struct tfield *f = &v->type->fields[i];
        struct tvalue member = tvalue_none();
        between(p, i);
        if (p->plus_v || p->sharp_v)
            buf_printf(p->b, "%s:", f->name);
        if (!f->get(p->run, v->self, &member)) {
            p->b->failed = true;
            return;
        }
        print_value(p, &member, verb, depth + 1);
    }
    buf_byte(p->b, '}');
}

/* What the type makes of the verb itself. */
static bool print_verb(struct tprint *p, const struct tvalue *v, uint32_t verb)
{
    struct buf b = run_buf(p->run);

    if (!v->type || !v->type->verb || p->sharp_v || p->erroring ||
        (v->kind == T_OBJECT && !v->self) || !v->type->verb(v, verb, &b))
        return false;
    p->b->failed |= b.failed;
    return put_text(p, buf_slice(&b), 's');
}

/* The type's own text, for the verbs that take a text. */
static bool print_own(struct tprint *p, const struct tvalue *v, uint32_t verb)
{
    if (print_verb(p, v, verb))
        return true;
    if (!v->type || !v->type->text || p->sharp_v || p->erroring || verb >= 0x80 ||
        !strchr("vsxXq", (int)verb))
        return false;
    if (v->kind == T_OBJECT && !v->self)
        return false;
    struct buf b = run_buf(p->run);
    p->b->failed |= !v->type->text(v, &b) || b.failed;
    return put_text(p, buf_slice(&b), verb);
}

static void print_nil(struct tprint *p, const struct tvalue *v, uint32_t verb, unsigned depth)
{
    if (depth > 0)
        buf_text(p->b, p->sharp_v ? "interface {}(nil)" : "<nil>");
    else if (verb == 'v')
        pad(p, SLICE("<nil>"));
    else
        bad_verb(p, verb, v);
}

void print_value(struct tprint *p, const struct tvalue *v, uint32_t verb, unsigned depth)
{
    if (depth > VALUE_DEPTH || !run_step(p->run)) {
        run_fail(p->run, "a value is nested too deeply to be printed");
        p->b->failed = true;
        return;
    }
    if (verb == 'w' && v->kind != T_BYTES && v->kind != T_NONE && v->kind != T_NIL)
        return bad_verb(p, verb, v); /* a verb for something else, whatever the value */
    if (print_own(p, v, verb))
        return;
    switch (v->kind) {
    case T_BOOL:
        if (verb != 't' && verb != 'v')
            return bad_verb(p, verb, v);
        return pad(p, v->truth ? SLICE("true") : SLICE("false"));
    case T_INT:
    case T_UINT:
        return print_int(p, v, verb);
    case T_FLOAT:
        if (!is_float_verb(verb))
            return bad_verb(p, verb, v);
        return print_float(p, v->f, verb);
    case T_COMPLEX:
        return print_complex(p, v, verb);
    case T_TEXT:
        if (!put_text(p, v->text, verb))
            bad_verb(p, verb, v);
        return;
    case T_BYTES:
        return print_bytes(p, v, verb, depth);
    case T_LIST:
        return print_list(p, v, verb, depth);
    case T_MAP:
        return print_map(p, v, verb, depth);
    case T_TIME: /* a verb that is not for its text */
        if (!p->erroring)
            return bad_verb(p, verb, v);
        return time_put_plain(p->b, v->time);
    case T_OBJECT:
        return print_object(p, v, verb, depth);
    default:
        return print_nil(p, v, verb, depth);
    }
}
