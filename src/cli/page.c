/*
 * Help as text: headings at the left, bodies indented by 6, prose wrapped at 80 columns.  Escape
 * sequences only when the page is for a terminal.
 */
#include "cli/page.h"

#define WIDTH   80u
#define BODY    6u
#define FURTHER 4u /* what an option's text is indented more */

/* Columns, counting each code point as one. */
static size_t columns(struct slice s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static void blanks(struct buf *b, size_t n)
{
    while (n--)
        buf_byte(b, ' ');
}

static bool next_word(struct slice *rest, struct slice *word)
{
    while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\n'))
        *rest = slice_from(*rest, 1);
    size_t n = 0;
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\n')
        n++;
    *word = slice_sub(*rest, 0, n);
    *rest = slice_from(*rest, n);
    return n > 0;
}

/* at: the column the caller has come to; further lines begin at indent. */
static void wrap(struct buf *b, struct slice text, size_t at, size_t indent)
{
    struct slice word;
    bool first = true;

    while (next_word(&text, &word)) {
        size_t n = columns(word);
        if (!first && at + 1 + n > WIDTH) {
            buf_byte(b, '\n');
            blanks(b, indent);
            at = indent;
        } else if (!first) {
            buf_byte(b, ' ');
            at++;
        }
        buf_put(b, word);
        at += n;
        first = false;
    }
    buf_byte(b, '\n');
}

static void bold(struct page *p, struct slice text)
{
    buf_text(p->b, p->colour ? "\033[1m" : "");
    buf_put(p->b, text);
    buf_text(p->b, p->colour ? "\033[0m" : "");
}

static void text_heading(struct page *p, const char *title)
{
    if (p->began)
        buf_byte(p->b, '\n');
    p->began = true;
    bold(p, slice_text(title));
    buf_byte(p->b, '\n');
}

static void text_name(struct page *p, const char *path, const char *summary)
{
    blanks(p->b, BODY);
    bold(p, slice_text(path));
    buf_text(p->b, " -- ");
    wrap(p->b, slice_text(summary), BODY + columns(slice_text(path)) + 4, BODY);
}

/* "[--san=<san>]" and the like must not be torn at a blank inside the brackets. */
static struct slice next_part(struct slice *rest)
{
    size_t n = 0, open = 0;

    while (n < rest->n && (open || rest->p[n] != ' ')) {
        open += rest->p[n] == '[';
        open -= rest->p[n] == ']' && open;
        n++;
    }
    struct slice part = slice_sub(*rest, 0, n);
    *rest = slice_from(*rest, n + 1);
    return part;
}

static void text_usage(struct page *p, struct slice line)
{
    size_t at = BODY, indent = BODY + FURTHER;
    bool first = true;

    blanks(p->b, BODY);
    while (line.n) {
        struct slice part = next_part(&line);
        if (!first && at + 1 + columns(part) > WIDTH) {
            buf_byte(p->b, '\n');
            blanks(p->b, indent);
            at = indent;
        } else if (!first) {
            buf_byte(p->b, ' ');
            at++;
        }
        buf_put(p->b, part);
        at += columns(part);
        first = false;
    }
    buf_byte(p->b, '\n');
}

static void text_paragraph(struct page *p, struct slice text)
{
    blanks(p->b, BODY);
    wrap(p->b, text, BODY, BODY);
}

static void text_bullet(struct page *p, struct slice text)
{
    blanks(p->b, BODY);
    buf_text(p->b, "- ");
    wrap(p->b, text, BODY + 2, BODY + 2);
}

static void text_verbatim(struct page *p, struct slice line)
{
    blanks(p->b, BODY);
    buf_put(p->b, line);
    buf_byte(p->b, '\n');
}

static void text_gap(struct page *p)
{
    buf_byte(p->b, '\n');
}

static void text_item(struct page *p, struct slice term, struct slice text)
{
    blanks(p->b, BODY);
    bold(p, term);
    buf_byte(p->b, '\n');
    blanks(p->b, BODY + FURTHER);
    wrap(p->b, text, BODY + FURTHER, BODY + FURTHER);
}

static void text_row(struct page *p, const char *term, size_t width, const char *text)
{
    struct slice name = slice_text(term);

    blanks(p->b, BODY);
    bold(p, name);
    blanks(p->b, width - columns(name));
    wrap(p->b, slice_text(text), BODY + width, BODY + width);
}

const struct page_style PAGE_TEXT = {
    text_heading,  text_name, text_usage, text_paragraph, text_bullet,
    text_verbatim, text_gap,  text_item,  text_row,       NULL,
};
