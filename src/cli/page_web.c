/*
 * Help for reading elsewhere: the same parts as page.c, as Markdown or as HTML.  Verbatim lines
 * that follow each other are one block, which the next part of another kind ends.
 */
#include "cli/page.h"

static void escaped(struct buf *b, struct slice text, const char *signs,
                    void (*put)(struct buf *, uint8_t))
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '\n')
            buf_byte(b, ' ');
        else if (strchr(signs, c) && c)
            put(b, c);
        else
            buf_byte(b, c);
    }
}

/* "POSITIONAL ARGUMENTS" -> "Positional arguments" */
static struct slice title_case(struct arena *a, const char *title)
{
    char *text = arena_printf(a, "%s", title);

    for (char *c = text + 1; *text && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 0x20);
    return slice_text(text);
}

static void end_block(struct page *p, const char *with)
{
    if (p->verbatim)
        buf_text(p->b, with);
    p->verbatim = false;
}

/* --- Markdown (CommonMark) ------------------------------------------------------------------- */

static void backslash(struct buf *b, uint8_t c)
{
    buf_byte(b, '\\');
    buf_byte(b, c);
}

static void md_text(struct page *p, struct slice text)
{
    escaped(p->b, text, "\\`*_[]<>#|~", backslash);
}

static void md_end(struct page *p)
{
    end_block(p, "```\n");
}

static void md_heading(struct page *p, const char *title)
{
    md_end(p);
    buf_text(p->b, p->began ? "\n## " : "## ");
    p->began = true;
    md_text(p, title_case(p->a, title));
    buf_text(p->b, "\n\n");
}

static void md_name(struct page *p, const char *path, const char *summary)
{
    buf_printf(p->b, "**%s** -- ", path);
    md_text(p, slice_text(summary));
    buf_byte(p->b, '\n');
}

static void md_verbatim(struct page *p, struct slice line)
{
    if (!p->verbatim)
        buf_text(p->b, "```\n");
    p->verbatim = true;
    buf_put(p->b, line);
    buf_byte(p->b, '\n');
}

static void md_paragraph(struct page *p, struct slice text)
{
    md_end(p);
    md_text(p, text);
    buf_byte(p->b, '\n');
}

static void md_bullet(struct page *p, struct slice text)
{
    md_end(p);
    buf_text(p->b, "- ");
    md_text(p, text);
    buf_byte(p->b, '\n');
}

static void md_gap(struct page *p)
{
    md_end(p);
    buf_byte(p->b, '\n');
}

static void md_item(struct page *p, struct slice term, struct slice text)
{
    md_end(p);
    buf_printf(p->b, "- `%.*s`  \n  ", SLICE_ARG(term));
    md_text(p, text);
    buf_byte(p->b, '\n');
}

static void md_row(struct page *p, const char *term, size_t width, const char *text)
{
    (void)width;
    md_end(p);
    buf_printf(p->b, "- [%s](%s/README.md): ", term, term);
    md_text(p, slice_text(text));
    buf_byte(p->b, '\n');
}

const struct page_style PAGE_MARKDOWN = {
    md_heading,  md_name, md_verbatim, md_paragraph, md_bullet,
    md_verbatim, md_gap,  md_item,     md_row,       md_end,
};

/* --- HTML ------------------------------------------------------------------------------------ */

static void entity(struct buf *b, uint8_t c)
{
    buf_printf(b, "&#%u;", c);
}

static void html_text(struct page *p, struct slice text)
{
    escaped(p->b, text, "&<>\"'", entity);
}

static void html_end(struct page *p)
{
    end_block(p, "</pre>\n");
}

static void html_wrapped(struct page *p, const char *before, struct slice text, const char *after)
{
    html_end(p);
    buf_text(p->b, before);
    html_text(p, text);
    buf_text(p->b, after);
    buf_byte(p->b, '\n');
}

static void html_heading(struct page *p, const char *title)
{
    html_wrapped(p, "<h2>", title_case(p->a, title), "</h2>");
}

static void html_name(struct page *p, const char *path, const char *summary)
{
    html_wrapped(p, "<p><b>", slice_text(path), "</b> &ndash;");
    html_wrapped(p, "", slice_text(summary), "</p>");
}

static void html_verbatim(struct page *p, struct slice line)
{
    if (!p->verbatim)
        buf_text(p->b, "<pre>");
    p->verbatim = true;
    html_text(p, line);
    buf_byte(p->b, '\n');
}

static void html_paragraph(struct page *p, struct slice text)
{
    html_wrapped(p, "<p>", text, "</p>");
}

static void html_bullet(struct page *p, struct slice text)
{
    html_wrapped(p, "<ul><li>", text, "</li></ul>");
}

static void html_item(struct page *p, struct slice term, struct slice text)
{
    html_wrapped(p, "<dl><dt><code>", term, "</code></dt>");
    html_wrapped(p, "<dd>", text, "</dd></dl>");
}

static void html_row(struct page *p, const char *term, size_t width, const char *text)
{
    (void)width;
    html_end(p);
    buf_printf(p->b, "<dl><dt><a href=\"%s/index.html\">%s</a></dt>\n", term, term);
    html_wrapped(p, "<dd>", slice_text(text), "</dd></dl>");
}

const struct page_style PAGE_HTML = {
    html_heading,  html_name, html_verbatim, html_paragraph, html_bullet,
    html_verbatim, html_end,  html_item,     html_row,       html_end,
};
