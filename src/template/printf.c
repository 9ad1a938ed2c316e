/* print, println and printf: how directives are read and arguments chosen. */
#include "template/internal.h"

#define NUMBER_LIMIT 1000000

static bool finish(struct trun *run, const struct buf *b)
{
    if (run->failed)
        return false;
    if (!b->failed)
        return true;
    return run_fail_kind(run, ERR_TOO_LARGE, "the text is too large");
}

bool print_plain(struct trun *run, struct buf *b, const struct tvalue *v)
{
    struct tprint p = {.run = run, .b = b};

    print_value(&p, v, 'v', 0);
    return finish(run, b);
}

/* Blanks between operands when neither is a text; line: always, and a newline. */
bool print_all(struct trun *run, struct buf *b, const struct tvalue *args, size_t n, bool line)
{
    bool text_before = false;

    for (size_t i = 0; i < n; i++) {
        bool text = value_is_text(&args[i]);
        if (i && (line || (!text && !text_before)))
            buf_byte(b, ' ');
        if (!print_plain(run, b, &args[i]))
            return false;
        text_before = text;
    }
    if (line)
        buf_byte(b, '\n');
    return finish(run, b);
}

struct directives {
    struct tprint p;
    struct slice format;
    size_t at;
    const struct tvalue *args;
    size_t n, arg;
    bool reordered, good_index, after_index;
};

static uint8_t here(const struct directives *d)
{
    return d->at < d->format.n ? d->format.p[d->at] : 0;
}

/* Digits; false without any.  A number beyond the limit swallows the rest of the format. */
static bool read_number(struct slice s, size_t *at, size_t end, int *value)
{
    bool any = false;

    *value = 0;
    for (; *at < end && s.p[*at] >= '0' && s.p[*at] <= '9'; ++*at) {
        if (*value > NUMBER_LIMIT) {
            *value = 0;
            *at = end;
            return false;
        }
        *value = *value * 10 + (s.p[*at] - '0');
        any = true;
    }
    return any;
}

/* "[3]" chooses the argument. */
static void read_index(struct directives *d)
{
    d->after_index = false;
    if (here(d) != '[')
        return;
    d->reordered = true;
    struct slice rest = slice_from(d->format, d->at);
    size_t close = slice_find(rest, ']'), at = 1;
    if (rest.n < 3 || close == rest.n) {
        d->good_index = false;
        d->at++;
        return;
    }
    int value;
    bool number = read_number(rest, &at, close, &value) && at == close;
    d->at += close + 1;
    d->after_index = number;
    if (number && value >= 1 && (size_t)value <= d->n)
        d->arg = (size_t)value - 1;
    else
        d->good_index = false;
}

/* The argument for '*'. */
static bool int_argument(struct directives *d, int *value)
{
    *value = 0;
    if (d->arg >= d->n)
        return false;
    const struct tvalue *v = &d->args[d->arg++];
    bool number = v->kind == T_INT || (v->kind == T_UINT && v->u <= INT64_MAX);
    if (!number || v->i > NUMBER_LIMIT || v->i < -NUMBER_LIMIT)
        return false;
    *value = (int)v->i;
    return true;
}

static void read_flags(struct directives *d)
{
    for (;; d->at++) {
        switch (here(d)) {
        case '#':
            d->p.sharp = true;
            break;
        case '0':
            d->p.zero = true;
            break;
        case '+':
            d->p.plus = true;
            break;
        case '-':
            d->p.minus = true;
            break;
        case ' ':
            d->p.space = true;
            break;
        default:
            return;
        }
    }
}

static void read_width(struct directives *d)
{
    struct tprint *p = &d->p;

    if (here(d) != '*') {
        p->width_set = read_number(d->format, &d->at, d->format.n, &p->width);
        if (d->after_index && p->width_set)
            d->good_index = false;
        return;
    }
    d->at++;
    p->width_set = int_argument(d, &p->width);
    if (!p->width_set)
        buf_text(p->b, "%!(BADWIDTH)");
    if (p->width < 0) {
        p->width = -p->width;
        p->minus = true;
        p->zero = false;
    }
    d->after_index = false;
}

static void read_precision(struct directives *d)
{
    struct tprint *p = &d->p;

    if (d->at + 1 >= d->format.n || here(d) != '.')
        return;
    d->at++;
    if (d->after_index)
        d->good_index = false;
    read_index(d);
    if (here(d) != '*') {
        if (!read_number(d->format, &d->at, d->format.n, &p->precision))
            p->precision = 0;
        p->precision_set = true;
        return;
    }
    d->at++;
    p->precision_set = int_argument(d, &p->precision) && p->precision >= 0;
    if (!p->precision_set) {
        p->precision = 0;
        buf_text(p->b, "%!(BADPREC)");
    }
    d->after_index = false;
}

static void complain(struct directives *d, uint32_t verb, const char *what)
{
    buf_text(d->p.b, "%!");
    rune_put(d->p.b, verb);
    buf_text(d->p.b, what);
}

static void print_verb(struct directives *d, uint32_t verb)
{
    const struct tvalue *v;

    if (verb == '%')
        return buf_byte(d->p.b, '%');
    if (!d->good_index)
        return complain(d, verb, "(BADINDEX)");
    if (d->arg >= d->n)
        return complain(d, verb, "(MISSING)");
    v = &d->args[d->arg++];
    if (verb == 'v' || verb == 'w') {
        d->p.sharp_v = d->p.sharp;
        d->p.sharp = false;
        d->p.plus_v = d->p.plus;
        d->p.plus = false;
    }
    if (verb == 'T') {
        struct tvalue name = tvalue_text(slice_text(value_type_name(v)));
        d->p.precision_set &= v->type != NULL; /* "<nil>" is never cut */
        return print_value(&d->p, &name, 's', 0);
    }
    print_value(&d->p, v, verb, 0);
}

static void one_directive(struct directives *d)
{
    struct tprint fresh = {.run = d->p.run, .b = d->p.b};
    uint32_t verb;

    d->p = fresh;
    d->good_index = true;
    d->after_index = false;
    read_flags(d);
    read_index(d);
    read_width(d);
    read_precision(d);
    if (!d->after_index)
        read_index(d);
    if (d->at >= d->format.n)
        return buf_text(d->p.b, "%!(NOVERB)");
    d->at += rune_at(d->format, d->at, &verb);
    print_verb(d, verb);
}

static void print_extra(struct directives *d)
{
    struct tprint fresh = {.run = d->p.run, .b = d->p.b};

    if (d->reordered || d->arg >= d->n)
        return;
    d->p = fresh;
    buf_text(d->p.b, "%!(EXTRA ");
    for (size_t i = d->arg; i < d->n; i++) {
        buf_text(d->p.b, i > d->arg ? ", " : "");
        if (d->args[i].type)
            buf_printf(d->p.b, "%s=", d->args[i].type->name);
        print_value(&d->p, &d->args[i], 'v', 0);
    }
    buf_byte(d->p.b, ')');
}

bool print_format(struct trun *run, struct buf *b, struct slice format, const struct tvalue *args,
                  size_t n)
{
    struct directives d = {.p = {.run = run, .b = b}, .format = format, .args = args, .n = n};

    while (d.at < format.n && !b->failed) {
        struct slice rest = slice_from(format, d.at);
        size_t plain = slice_find(rest, '%');
        buf_put(b, slice_sub(rest, 0, plain));
        d.at += plain;
        if (d.at == format.n)
            break;
        d.at++;
        one_directive(&d);
    }
    print_extra(&d);
    return finish(run, b);
}
