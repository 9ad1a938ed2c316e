/*
 * A page of help as a sequence of parts; help.c says which parts, a style says how they look:
 * text for a terminal or a file (page.c), roff for man(1) (man.c), Markdown and HTML (page_web.c).
 */
#pragma once

#include "cli/internal.h"

struct page;
struct page_style {
    void (*heading)(struct page *, const char *title);
    void (*name)(struct page *, const char *path, const char *summary);
    /* One usage, wrapped at its "[…]" parts. */
    void (*usage)(struct page *, struct slice line);
    void (*paragraph)(struct page *, struct slice text);
    void (*bullet)(struct page *, struct slice text);
    void (*verbatim)(struct page *, struct slice line);
    void (*gap)(struct page *); /* between paragraphs */
    void (*item)(struct page *, struct slice term, struct slice text);
    void (*row)(struct page *, const char *term, size_t width, const char *text);
    void (*end)(struct page *); /* NULL: nothing */
};
struct page {
    const struct page_style *style;
    struct buf *b;
    struct arena *a;
    bool colour;
    bool began;    /* something stands before */
    bool verbatim; /* in a block of verbatim lines, for styles that have such */
};

extern const struct page_style PAGE_TEXT, PAGE_MAN, PAGE_MARKDOWN, PAGE_HTML;
/* All sections of the last command of the path. */
void page_write(struct page *p, const struct command *const *path, size_t depth);
