/*
 * The help of a command, from its table: which sections there are, in which order, and what an
 * option looks like.  How it is laid out is a style's affair (page.h).
 */
#include "base/version.h"
#include "cli/page.h"

#define USAGE_MAX (64u << 10)

/* --- Names and usage ----------------------------------------------------------------------- */

const char *command_path(struct arena *a, const struct command *const *path, size_t depth)
{
    const char *text = path[0]->name;

    for (size_t i = 1; i < depth; i++)
        text = arena_printf(a, "%s %s", text, path[i]->name);
    return text;
}

const char *command_usage(struct arena *a, const struct command *const *path, size_t depth)
{
    struct slice line = slice_text(path[depth - 1]->synopsis);

    line = slice_sub(line, 0, slice_find(line, '\n'));
    line = slice_trim(slice_sub(line, 0, slice_search(line, SLICE("[-"))));
    const char *words = command_path(a, path, depth);
    return slice_empty(line) ? words : arena_printf(a, "%s %.*s", words, SLICE_ARG(line));
}

const struct command *command_find(const struct command *group, struct slice word)
{
    for (size_t i = 0; group->sub && group->sub[i]; i++)
        if (slice_is(word, group->sub[i]->name))
            return group->sub[i];
    return NULL;
}

struct slice flag_placeholder(const struct flag *f)
{
    if (f->placeholder)
        return slice_text(f->placeholder);
    struct slice help = slice_text(f->help);
    struct slice from = slice_from(help, slice_find(help, '<'));
    size_t end = slice_find(from, '>');
    return end < from.n ? slice_sub(from, 0, end + 1) : SLICE("<value>");
}

/* "--curve=<curve>" */
static void put_flag(struct buf *b, const struct flag *f, struct slice name)
{
    buf_text(b, name.n == 1 ? "-" : "--");
    buf_put(b, name);
    if (f->kind == FLAG_BOOL)
        return;
    buf_byte(b, '=');
    buf_put(b, flag_placeholder(f));
}

static bool is_required(const struct command *c, struct slice name)
{
    for (const struct flag_rule *r = c->rules; r && r->a; r++)
        if (r->kind == RULE_REQUIRED && slice_is(name, r->a))
            return true;
    return false;
}

static void put_flags(struct buf *b, const struct command *c, struct arena *a)
{
    struct value_set set;

    values_init(&set, a, c->flag_sets, NULL);
    for (size_t i = 0; i < set.n; i++) {
        struct slice name = flag_first_name(set.v[i].flag);
        bool required = is_required(c, name);
        if (set.v[i].flag->bits & FLAG_HIDDEN)
            continue;
        buf_text(b, required ? " " : " [");
        put_flag(b, set.v[i].flag, name);
        buf_text(b, required ? "" : "]");
    }
}

/* Does a line continue the usage before it? */
static bool continues(struct slice line)
{
    return slice_starts(line, "[-") || slice_starts(line, "-") || slice_starts(line, "(") ||
           slice_starts(line, " ");
}

static void usages(struct page *p, const struct command *c, const char *words)
{
    struct slice rest = slice_text(c->synopsis ? c->synopsis : ""), line;
    bool own = slice_search(rest, SLICE("[-")) < rest.n || slice_search(rest, SLICE("--")) < rest.n;
    struct buf one = buf_new(p->a, USAGE_MAX);

    buf_text(&one, words);
    for (bool first = true; slice_split(&rest, '\n', &line); first = false) {
        if (!first && !continues(line)) {
            p->style->usage(p, buf_slice(&one));
            one = buf_new(p->a, USAGE_MAX);
            buf_text(&one, words);
        }
        buf_text(&one, slice_empty(slice_trim(line)) ? "" : " ");
        buf_put(&one, slice_trim(line));
    }
    if (!own)
        put_flags(&one, c, p->a);
    p->style->usage(p, buf_slice(&one));
}

/* --- Prose ----------------------------------------------------------------------------------- */

struct prose {
    struct page *page;
    struct slice pending; /* lines of the paragraph so far */
    bool bullet, list, began;
};

static void flush(struct prose *t)
{
    if (slice_empty(t->pending))
        return;
    if (t->bullet)
        t->page->style->bullet(t->page, t->pending);
    else
        t->page->style->paragraph(t->page, t->pending);
    t->pending = SLICE_NONE;
}

static void prose_line(struct prose *t, struct slice line, bool verbatim)
{
    bool bullet = slice_starts(line, "- ");

    if (verbatim || bullet)
        flush(t);
    if (verbatim) {
        t->page->style->verbatim(t->page, line);
        return;
    }
    if (slice_empty(t->pending))
        t->bullet = bullet;
    if (slice_empty(t->pending) || bullet)
        t->pending = bullet ? slice_from(line, 2) : line;
    else /* the lines are neighbours in one text */
        t->pending.n = (size_t)(line.p + line.n - t->pending.p);
}

/* commands: from "$ " to the next empty line everything is shown as it is. */
static void prose(struct page *p, const char *text, bool commands)
{
    struct slice rest = slice_text(text), line;
    struct prose t = {.page = p};
    bool gap = false, shown = false;

    while (slice_split(&rest, '\n', &line)) {
        if (slice_empty(line)) {
            flush(&t);
            gap = t.began;
            shown = false;
            continue;
        }
        if (gap)
            p->style->gap(p);
        gap = false;
        shown = commands && (shown || slice_starts(line, "$ "));
        prose_line(&t, line, shown || line.p[0] == ' ');
        t.began = true;
    }
    flush(&t);
}

static void section(struct page *p, const char *title, const char *text, bool commands)
{
    if (!text || !*text)
        return;
    p->style->heading(p, title);
    prose(p, text, commands);
}

/* --- Lists ----------------------------------------------------------------------------------- */

static void arguments(struct page *p, const char *text)
{
    struct slice rest = slice_text(text), line;
    bool first = true;

    if (!text || !*text)
        return;
    p->style->heading(p, "POSITIONAL ARGUMENTS");
    while (slice_split(&rest, '\n', &line)) {
        size_t tab = slice_find(line, '\t');
        if (slice_empty(line))
            continue;
        if (!first)
            p->style->gap(p);
        first = false;
        p->style->item(p, slice_sub(line, 0, tab), slice_from(line, tab + 1));
    }
}

static struct slice option_term(const struct flag *f, struct arena *a)
{
    struct buf b = buf_new(a, USAGE_MAX);
    struct slice rest = slice_text(f->names), name;

    while (slice_split(&rest, ',', &name)) {
        buf_text(&b, b.n ? ", " : "");
        put_flag(&b, f, name);
    }
    return buf_slice(&b);
}

static struct slice option_text(const struct flag *f, struct arena *a)
{
    struct slice help = slice_text(f->help ? f->help : "");

    if (!f->fallback || slice_search(help, SLICE("efault")) < help.n)
        return help;
    return arena_format(a, "%.*s Default: %s.", SLICE_ARG(help), f->fallback);
}

static void options(struct page *p, const struct flag *const *sets)
{
    struct value_set set;
    bool first = true;

    values_init(&set, p->a, sets, NULL);
    for (size_t i = 0; i < set.n; i++) {
        const struct flag *f = set.v[i].flag;
        if (f->bits & FLAG_HIDDEN)
            continue;
        if (first)
            p->style->heading(p, "OPTIONS");
        else
            p->style->gap(p);
        first = false;
        p->style->item(p, option_term(f, p->a), option_text(f, p->a));
    }
}

static void commands(struct page *p, const struct command *group)
{
    size_t width = 0;

    p->style->heading(p, "COMMANDS");
    for (size_t i = 0; group->sub[i]; i++)
        if (!group->sub[i]->hidden && strlen(group->sub[i]->name) > width)
            width = strlen(group->sub[i]->name);
    for (size_t i = 0; group->sub[i]; i++)
        if (!group->sub[i]->hidden)
            p->style->row(p, group->sub[i]->name, width + 2, group->sub[i]->summary);
}

/* --- Pages ----------------------------------------------------------------------------------- */

static void group_page(struct page *p, const struct command *c, const char *words, bool top)
{
    static const struct flag *const GLOBAL[] = {FLAGS_GLOBAL, NULL};

    p->style->heading(p, "USAGE");
    p->style->usage(p, arena_format(p->a, "%s <command> [arguments]", words));
    section(p, "DESCRIPTION", c->description, false);
    commands(p, c);
    if (top)
        options(p, GLOBAL);
    section(p, "EXAMPLES", c->examples, true);
    if (!top)
        return;
    section(p, "ENVIRONMENT",
            "Every flag can be given as a variable: STEP_ and the first name of the flag in upper "
            "case, with '_' for '-', such as STEP_CA_URL for --ca-url. Flags that are neither on "
            "the command line nor in the environment are looked up in the file "
            "config/defaults.json of the step path.\n\n"
            "STEPPATH names the directory for configuration and keys instead of ~/.step. "
            "STEPDEBUG=1 shows more about an error. NO_COLOR turns colours off.",
            false);
    section(p, "EXIT CODES",
            "0 success, 1 any error, 2 an internal fault, 3 an unknown command or help topic.",
            false);
    section(p, "VERSION", version_line(p->a, "Newel CLI"), false);
    section(p, "COPYRIGHT", "Newel is free software under the Apache License 2.0.", false);
}

static void command_page(struct page *p, const struct command *c, const char *words)
{
    p->style->heading(p, "USAGE");
    usages(p, c, words);
    section(p, "DESCRIPTION", c->description, false);
    arguments(p, c->arguments);
    options(p, c->flag_sets);
    section(p, "EXIT CODES", c->exit_codes, false);
    section(p, "EXAMPLES", c->examples, true);
}

void page_write(struct page *p, const struct command *const *path, size_t depth)
{
    const struct command *c = path[depth - 1];
    const char *words = command_path(p->a, path, depth);

    p->style->heading(p, "NAME");
    p->style->name(p, words, c->summary);
    if (c->sub)
        group_page(p, c, words, depth == 1);
    else
        command_page(p, c, words);
    if (p->style->end)
        p->style->end(p);
}

void help_text(struct buf *b, const struct command *const *path, size_t depth, bool colour)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct page p = {&PAGE_TEXT, b, a, colour, false, false};

    page_write(&p, path, depth);
}
