/*
 * Help as manual pages: the same parts as page.c, written as man(7) macros.
 */
#include "base/file.h"
#include "base/version.h"
#include "cli/page.h"

#define MAN_MAX (1u << 20)

/* roff reads '\', '-' and, at the start of a line, '.' and '\'' in its own way. */
static void roff(struct buf *b, struct slice text)
{
    if (text.n && (text.p[0] == '.' || text.p[0] == '\''))
        buf_text(b, "\\&");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\')
            buf_text(b, "\\e");
        else if (text.p[i] == '-')
            buf_text(b, "\\-");
        else
            buf_byte(b, text.p[i] == '\n' ? ' ' : text.p[i]);
    }
}

static void line(struct page *p, const char *macro, struct slice text)
{
    buf_text(p->b, macro);
    roff(p->b, text);
    buf_byte(p->b, '\n');
}

static void man_heading(struct page *p, const char *title)
{
    line(p, ".SH ", slice_text(strcmp(title, "USAGE") == 0 ? "SYNOPSIS" : title));
}

static void man_name(struct page *p, const char *path, const char *summary)
{
    char *name = arena_printf(p->a, "%s", path);

    for (char *c = name; *c; c++)
        *c = *c == ' ' ? '-' : *c;
    roff(p->b, slice_text(name));
    buf_text(p->b, " \\- ");
    line(p, "", slice_text(summary));
}

static void man_usage(struct page *p, struct slice text)
{
    line(p, ".PP\n", text);
}

static void man_bullet(struct page *p, struct slice text)
{
    line(p, ".IP \\(bu 2\n", text);
}

static void man_verbatim(struct page *p, struct slice text)
{
    line(p, ".nf\n.RS\n", text);
    buf_text(p->b, ".RE\n.fi\n");
}

static void man_gap(struct page *p)
{
    (void)p; /* the macros make their own */
}

static void man_item(struct page *p, struct slice term, struct slice text)
{
    buf_text(p->b, ".TP\n\\fB");
    roff(p->b, term);
    buf_text(p->b, "\\fR\n");
    line(p, "", text);
}

static void man_row(struct page *p, const char *term, size_t width, const char *text)
{
    (void)width;
    man_item(p, slice_text(term), slice_text(text));
}

const struct page_style PAGE_MAN = {
    man_heading,  man_name, man_usage, man_usage, man_bullet,
    man_verbatim, man_gap,  man_item,  man_row,   NULL,
};

static char *page_name(struct arena *a, const struct command *const *path, size_t depth)
{
    char *name = arena_printf(a, "%s", command_path(a, path, depth));

    for (char *c = name; *c; c++)
        *c = *c == ' ' ? '-' : *c;
    return name;
}

static void see_also(struct page *p, const struct command *const *path, size_t depth)
{
    const struct command *c = path[depth - 1];
    struct buf b = buf_new(p->a, MAN_MAX);

    if (depth > 1)
        buf_printf(&b, "%s(1)", page_name(p->a, path, depth - 1));
    for (size_t i = 0; c->sub && c->sub[i]; i++)
        if (!c->sub[i]->hidden)
            buf_printf(&b, "%s%s-%s(1)", b.n ? ", " : "", page_name(p->a, path, depth),
                       c->sub[i]->name);
    if (!b.n)
        return;
    man_heading(p, "SEE ALSO");
    line(p, "", buf_slice(&b));
}

static bool write_page(struct arena *a, const struct command *const *path, size_t depth,
                       const char *dir, struct err *e)
{
    struct buf b = buf_new(a, MAN_MAX);
    struct page p = {&PAGE_MAN, &b, a, false, false, false};
    const char *name = page_name(a, path, depth);

    buf_printf(&b, ".TH \"%s\" 1 \"\" \"Newel %s\" \"Newel manual\"\n", name, NEWEL_VERSION_TEXT);
    page_write(&p, path, depth);
    see_also(&p, path, depth);
    if (!buf_done(&b, name, e))
        return false;
    return file_write(path_join(a, dir, arena_printf(a, "%s.1", name)), buf_slice(&b), 0644,
                      FILE_KEEP_MODE, e);
}

static bool write_pages(struct arena *a, const struct command **path, size_t depth, const char *dir,
                        struct err *e)
{
    const struct command *c = path[depth - 1];

    if (!write_page(a, path, depth, dir, e))
        return false;
    for (size_t i = 0; c->sub && c->sub[i] && depth < CLI_DEPTH; i++) {
        path[depth] = c->sub[i];
        if (!c->sub[i]->hidden && !write_pages(a, path, depth + 1, dir, e))
            return false;
    }
    return true;
}

bool man_pages(struct arena *a, const struct command *root, const char *dir, struct err *e)
{
    const struct command *path[CLI_DEPTH] = {root};

    return dir_make(dir, 0755, e) && write_pages(a, path, 1, dir, e);
}
