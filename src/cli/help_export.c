/*
 * `step help` for reading elsewhere: files of Markdown or HTML, one for each command in a directory
 * of the command's words, or the same pages from a web server.
 */
#include <pthread.h>
#include <signal.h>

#include "base/file.h"
#include "cli/page.h"
#include "net/server.h"

#define PAGE_MAX (1u << 20)
#define STOP_NS  (5 * NS_PER_SEC)

static const char HTML_HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>";
static const char HTML_BODY[] =
    "</title>\n<style>body{max-width:50em;margin:2em auto;padding:0 1em;font-family:sans-serif;"
    "line-height:1.4}pre{background:#eee;padding:.6em;overflow:auto}h2{font-size:1.1em}"
    "dl{margin:.4em 0}</style></head>\n<body>\n";

static void markdown_page(struct buf *b, struct arena *a, const struct command *const *path,
                          size_t depth)
{
    struct page p = {&PAGE_MARKDOWN, b, a, false, false, false};

    buf_printf(b, "# %s\n\n", command_path(a, path, depth));
    page_write(&p, path, depth);
}

static void html_page(struct buf *b, struct arena *a, const struct command *const *path,
                      size_t depth)
{
    struct page p = {&PAGE_HTML, b, a, false, false, false};
    const char *words = command_path(a, path, depth);

    buf_printf(b, "%s%s%s<h1>%s</h1>\n", HTML_HEAD, words, HTML_BODY, words);
    if (depth > 1)
        buf_printf(b, "<p><a href=\"../index.html\">%s</a></p>\n",
                   command_path(a, path, depth - 1));
    page_write(&p, path, depth);
    buf_text(b, "</body></html>\n");
}

/* --- Files ----------------------------------------------------------------------------------- */

struct export
{
    struct arena *a;
    const char *file;
    void (*page)(struct buf *, struct arena *, const struct command *const *, size_t);
    struct err *e;
};

static bool write_tree(const struct export *x, const struct command **path, size_t depth,
                       const char *dir)
{
    const struct command *c = path[depth - 1];
    struct buf b = buf_new(x->a, PAGE_MAX);

    x->page(&b, x->a, path, depth);
    if (!buf_done(&b, "page", x->e) || !dir_make(dir, 0755, x->e) ||
        !file_write(path_join(x->a, dir, x->file), buf_slice(&b), 0644, FILE_KEEP_MODE, x->e))
        return false;
    for (size_t i = 0; c->sub && c->sub[i] && depth < CLI_DEPTH; i++) {
        path[depth] = c->sub[i];
        if (!c->sub[i]->hidden &&
            !write_tree(x, path, depth + 1, path_join(x->a, dir, c->sub[i]->name)))
            return false;
    }
    return true;
}

bool help_markdown(struct arena *a, const struct command *root, const char *dir, struct err *e)
{
    const struct export x = {a, "README.md", markdown_page, e};
    const struct command *path[CLI_DEPTH + 1] = {root};

    return write_tree(&x, path, 1, dir);
}

bool help_html(struct arena *a, const struct command *root, const char *dir, struct err *e)
{
    const struct export x = {a, "index.html", html_page, e};
    const struct command *path[CLI_DEPTH + 1] = {root};

    return write_tree(&x, path, 1, dir);
}

/* --- A web server ---------------------------------------------------------------------------- */

static void limits(void *arg, const struct http_request *head, struct http_limits *out)
{
    (void)arg, (void)head;
    out->body_max = 0;
}

/* "/ca/token/index.html" -> the commands on the way; 0: there is none. */
static size_t find_page(const struct command *root, struct slice target,
                        const struct command **path)
{
    struct slice rest = slice_from(target, 1), word;
    size_t depth = 1;

    path[0] = root;
    if (!slice_starts(target, "/"))
        return 0;
    while (slice_split(&rest, '/', &word)) {
        if (slice_empty(word) || (slice_is(word, "index.html") && slice_empty(rest)))
            continue;
        const struct command *c = command_find(path[depth - 1], word);
        if (!c || depth >= CLI_DEPTH)
            return 0;
        path[depth++] = c;
    }
    return depth;
}

static void dispatch(void *arg, struct http_exchange *x)
{
    const struct command *path[CLI_DEPTH + 1];
    bool reading = x->in.method == HTTP_GET || x->in.method == HTTP_HEAD;
    size_t depth = reading ? find_page(arg, x->in.path, path) : 0;
    struct buf b = buf_new(x->arena, PAGE_MAX);
    /* Links are relative: every page has its directory. */
    bool moved = depth && !slice_ends(x->in.path, "/") && !slice_ends(x->in.path, "/index.html");

    x->out.status = !reading ? 405 : !depth ? 404 : moved ? 301 : 200;
    if (moved)
        http_fields_add(&x->out.fields, x->arena, "Location",
                        arena_format(x->arena, "%.*s/", SLICE_ARG(x->in.raw_path)));
    else if (depth)
        html_page(&b, x->arena, path, depth);
    http_fields_add(&x->out.fields, x->arena, "Content-Type", SLICE("text/html; charset=utf-8"));
    x->out.body = buf_slice(&b);
    http_finish(x);
}

static void wait_for_end(const sigset_t *waited)
{
    int number;

    while (sigwait(waited, &number) != 0)
        continue;
}

bool help_serve(struct invocation *inv, const struct command *root, const char *address)
{
    const struct http_server_options options = {0};
    const struct http_app app = {
        .arg = (void *)(uintptr_t)root, .limits = limits, .dispatch = dispatch};
    sigset_t waited, before;

    if (address[0] == ':') /* help is for this machine unless it is said otherwise */
        address = arena_printf(inv->arena, "127.0.0.1%s", address);
    sigemptyset(&waited);
    sigaddset(&waited, SIGINT);
    sigaddset(&waited, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &waited, &before); /* the server's threads inherit it */
    struct http_server *server = http_server_new(&options, &inv->err);
    struct listener *listener =
        server ? listener_open(server, address, NULL, &app, &inv->err) : NULL;
    if (listener) {
        listener_start(listener);
        note(inv, "serving help at http://%s/", listener_address(listener));
        wait_for_end(&waited);
        listener_close(listener);
    }
    if (server) {
        http_server_stop(server, deadline_in(&CLOCK_SYSTEM, STOP_NS));
        http_server_free(server);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return listener != NULL;
}
