/*
 * Several host keys: the CA is asked once for each pair of key and certificate, and what its
 * answers do not have in common is put into one file.
 *
 * Lines are compared as they are.  A line that is new goes behind the lines that stand where it
 * does in the answers before, so that pairs come in the order in which they were named and a line
 * stays in the part of the file that it was written for.
 */
#include "cli/ssh_config_files.h"

#define LINES_MAX 4096

struct lines {
    struct slice *v; /* LINES_MAX of them */
    size_t n;
};

static bool is_ended(struct slice text)
{
    return slice_ends(text, "\n");
}

static bool split(struct arena *a, struct slice text, struct lines *lines)
{
    bool more = text.n > 0;

    *lines = (struct lines){.v = arena_array(a, LINES_MAX, sizeof(*lines->v))};
    if (is_ended(text))
        text.n--;
    for (; more; lines->n++) {
        size_t end = slice_find(text, '\n');
        if (lines->n == LINES_MAX)
            return false;
        more = end < text.n;
        lines->v[lines->n] = slice_sub(text, 0, end);
        text = slice_from(text, more ? end + 1 : end);
    }
    return true;
}

/* lines->n: it is not there. */
static size_t find_from(const struct lines *lines, size_t from, struct slice line)
{
    while (from < lines->n && !slice_eq(lines->v[from], line))
        from++;
    return from;
}

static bool has(const struct lines *lines, struct slice line)
{
    return find_from(lines, 0, line) < lines->n;
}

static bool add(struct lines *all, const struct lines *more)
{
    size_t at = 0; /* what stands before is behind us in both */

    for (size_t i = 0; i < more->n; i++) {
        size_t found = find_from(all, at, more->v[i]);
        if (found < all->n) {
            at = found + 1;
            continue;
        }
        if (all->n == LINES_MAX)
            return false;
        while (at < all->n && !has(more, all->v[at]))
            at++;
        memmove(all->v + at + 1, all->v + at, (all->n - at) * sizeof(*all->v));
        all->v[at++] = more->v[i];
        all->n++;
    }
    return true;
}

static struct slice join(struct arena *a, const struct lines *lines, size_t room, bool ended)
{
    struct buf b = buf_new(a, room);

    for (size_t i = 0; i < lines->n; i++) {
        buf_put(&b, lines->v[i]);
        if (ended || i + 1 < lines->n)
            buf_byte(&b, '\n');
    }
    return buf_slice(&b);
}

bool ssh_config_merge(struct arena *a, struct slice *text, struct slice more, struct err *e)
{
    struct lines all, other;

    if (slice_eq(*text, more))
        return true;
    if (!split(a, *text, &all) || !split(a, more, &other) || !add(&all, &other))
        return err_set(e, ERR_TOO_LARGE,
                       "more than %d lines, where keys and certificates are several", LINES_MAX);
    *text = join(a, &all, text->n + more.n + 2, is_ended(*text) || is_ended(more));
    return true;
}

/* What is no text of lines must be the same in each answer. */
static bool merge_file(struct arena *a, struct ca_ssh_file *f, const struct ca_ssh_file *more,
                       struct err *e)
{
    static const char *const LINES[] = {"snippet", "file"};

    for (size_t i = 0; i < COUNT_OF(LINES); i++)
        if (slice_is(f->type, LINES[i]))
            return ssh_config_merge(a, &f->content, more->content, e);
    return slice_eq(f->content, more->content) ||
           err_set(e, ERR_MALFORMED,
                   "a template of type %.*s cannot have several keys and certificates",
                   SLICE_ARG(f->type));
}

bool ssh_config_merge_all(struct arena *a, struct ca_ssh_file *files, size_t n,
                          const struct ca_ssh_file *more, size_t n_more, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (n != n_more || !slice_eq(files[i].path, more[i].path) ||
            !slice_eq(files[i].type, more[i].type))
            return err_set(e, ERR_CHANGED,
                           "the CA names other files for another key and certificate");
        if (!merge_file(a, &files[i], &more[i], e))
            return err_wrap(e, "%.*s", SLICE_ARG(files[i].path));
    }
    return true;
}
