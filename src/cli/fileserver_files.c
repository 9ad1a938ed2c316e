/*
 * Requests for files: GET and HEAD of what lies in one directory, with index.html or a list where a
 * directory is asked for, single ranges and 304.
 *
 * The kernel keeps every path inside the directory (openat2, RESOLVE_BENEATH); where it cannot, no
 * symbolic link is followed at all.
 */
#include "cli/fileserver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/uri.h"

#define BODY_MAX  (256u << 20) /* of one answer; more is to be had in ranges */
#define LIST_MAX  (16u << 20)
#define NAMES_MAX 100000u
#define FLAGS     (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* --- Opening ------------------------------------------------------------------------------ */

/* Component by component, for kernels without openat2. */
static int walk(int dir, const char *path)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice rest = slice_text(path), part;
    int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);

    while (at >= 0 && rest.n && slice_split(&rest, '/', &part)) {
        if (!part.n || slice_is(part, "."))
            continue;
        if (slice_is(part, "..")) {
            close(at);
            errno = EXDEV;
            return -1;
        }
        int next = openat(at, arena_cstr(a, part), FLAGS | O_NOFOLLOW);
        int why = errno;
        close(at);
        errno = why;
        at = next;
    }
    return at;
}

int files_open(int dir, const char *path)
{
    const struct open_how how = {.flags = FLAGS,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));

    return fd < 0 && errno == ENOSYS ? walk(dir, path) : fd;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* --- Small answers ------------------------------------------------------------------------ */

static void header(struct http_exchange *x, const char *name, const char *value)
{
    http_fields_set(&x->out.fields, x->arena, name, slice_text(value));
}

static void say(struct http_exchange *x, int status, const char *text)
{
    x->out.status = status;
    x->out.body = arena_format(x->arena, "%d %s\n", status, text);
    header(x, "Content-Type", "text/plain; charset=utf-8");
    header(x, "X-Content-Type-Options", "nosniff");
}

static void say_errno(struct http_exchange *x, int why)
{
    if (why == EACCES || why == EPERM)
        say(x, 403, "forbidden");
    else if (why == ENOENT || why == ENOTDIR || why == EXDEV || why == ELOOP ||
             why == ENAMETOOLONG || why == ENXIO)
        say(x, 404, "page not found");
    else
        say(x, 500, "internal server error");
}

/* To the same directory with a '/'.  Relative, so that no path of a request becomes a host; "./",
 * so that no name becomes a scheme. */
static void redirect(struct http_exchange *x, struct slice name)
{
    struct slice escaped = uri_escape_segment(x->arena, name);

    say(x, 301, "moved permanently");
    header(x, "Location", arena_printf(x->arena, "./%.*s/", SLICE_ARG(escaped)));
}

/* --- Content ------------------------------------------------------------------------------ */

const char *files_type(const char *name)
{
    static const struct {
        const char *suffix, *type;
    } TYPES[] = {
        {".html", "text/html; charset=utf-8"},
        {".htm", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/plain; charset=utf-8"},
        {".xml", "text/xml; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".ico", "image/x-icon"},
        {".pdf", "application/pdf"},
        {".wasm", "application/wasm"},
        {".gz", "application/gzip"},
        {".zip", "application/zip"},
        {".pem", "application/x-pem-file"},
        {".crl", "application/pkix-crl"},
        {".cer", "application/pkix-cert"},
    };
    struct slice text = slice_text(name);
    size_t dot = slice_rfind(text, '.');

    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        if (slice_is_case(slice_from(text, dot), TYPES[i].suffix))
            return TYPES[i].type;
    }
    return "application/octet-stream";
}

bool files_range(struct slice text, uint64_t size, uint64_t *from, uint64_t *n)
{
    struct slice first, last;
    uint64_t begin, end = UINT64_MAX;

    if (!slice_starts(text, "bytes="))
        return false;
    last = slice_from(text, sizeof("bytes=") - 1);
    if (slice_find(last, '-') == last.n || !slice_split(&last, '-', &first))
        return false;
    if (!first.n) { /* the last bytes */
        if (!slice_to_u64(last, &end))
            return false;
        *n = end < size ? end : size;
        *from = size - *n;
        return true;
    }
    if (!slice_to_u64(first, &begin) || (last.n && !slice_to_u64(last, &end)) || end < begin)
        return false;
    *from = begin;
    *n = begin >= size ? 0 : (end < size ? end + 1 : size) - begin;
    return true;
}

static bool read_part(struct http_exchange *x, int fd, uint64_t from, uint64_t n)
{
    uint8_t *p = arena_alloc(x->arena, n ? (size_t)n : 1);
    size_t got = 0;

    while (got < n) {
        ssize_t one = pread(fd, p + got, (size_t)n - got, (off_t)(from + got));
        if (one < 0 && errno == EINTR)
            continue;
        if (one <= 0)
            return false; /* it became shorter meanwhile: the length would be a lie */
        got += (size_t)one;
    }
    x->out.body = slice_of(p, (size_t)n);
    return true;
}

static bool not_modified(const struct http_exchange *x, struct slice date)
{
    return slice_eq(http_fields_get(&x->in.fields, "If-Modified-Since"), date);
}

/* A range counts only for the file that the client knows (If-Range). */
static bool wants_range(const struct http_exchange *x, struct slice date, uint64_t size,
                        uint64_t *from, uint64_t *n)
{
    struct slice range = http_fields_get(&x->in.fields, "Range");
    struct slice only = http_fields_get(&x->in.fields, "If-Range");

    return range.p && x->in.method == HTTP_GET && (!only.p || slice_eq(only, date)) &&
           files_range(range, size, from, n);
}

static void send_file(struct http_exchange *x, int fd, const struct stat *st, const char *name)
{
    struct slice date = http_date(x->arena, instant_sec(st->st_mtime));
    uint64_t size = (uint64_t)st->st_size, from = 0, n = size;
    unsigned long long total = size;

    if (not_modified(x, date)) {
        x->out.status = 304;
        return;
    }
    bool part = wants_range(x, date, size, &from, &n);
    if (part && !n) {
        say(x, 416, "requested range not satisfiable");
        header(x, "Content-Range", arena_printf(x->arena, "bytes */%llu", total));
        return;
    }
    if (n > BODY_MAX && x->in.method != HTTP_HEAD) {
        say(x, 501, "too large for one answer: ask for it in ranges");
        return;
    }
    x->out.status = part ? 206 : 200;
    x->out.body = slice_of("", (size_t)n); /* HEAD: only its length is looked at */
    if (x->in.method != HTTP_HEAD && !read_part(x, fd, from, n)) {
        say(x, 500, "internal server error");
        return;
    }
    header(x, "Content-Type", files_type(name));
    header(x, "X-Content-Type-Options", "nosniff");
    header(x, "Accept-Ranges", "bytes");
    http_fields_set(&x->out.fields, x->arena, "Last-Modified", date);
    if (part)
        header(x, "Content-Range",
               arena_printf(x->arena, "bytes %llu-%llu/%llu", (unsigned long long)from,
                            (unsigned long long)(from + n - 1), total));
}

/* --- Directories -------------------------------------------------------------------------- */

static void html_put(struct buf *b, struct slice text)
{
    static const struct {
        char byte;
        const char *name;
    } ESCAPES[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&#34;"}, {'\'', "&#39;"}};

    for (size_t i = 0; i < text.n; i++) {
        size_t k = 0;
        while (k < COUNT_OF(ESCAPES) && ESCAPES[k].byte != (char)text.p[i])
            k++;
        if (k < COUNT_OF(ESCAPES))
            buf_text(b, ESCAPES[k].name);
        else
            buf_byte(b, text.p[i]);
    }
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static bool is_directory(int dir, const struct dirent *d)
{
    struct stat st;

    if (d->d_type != DT_UNKNOWN && d->d_type != DT_LNK)
        return d->d_type == DT_DIR;
    return fstatat(dir, d->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static bool is_entry(const struct dirent *d)
{
    return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

/* Names in order, those of directories with a '/'. */
static struct slice *read_names(struct arena *a, DIR *list, size_t *n)
{
    size_t room = 0;

    while (room < NAMES_MAX && readdir(list))
        room++;
    rewinddir(list);
    struct slice *names = arena_array(a, room + 1, sizeof(*names));
    *n = 0;
    for (struct dirent *d = readdir(list); d && *n < room; d = readdir(list)) {
        if (is_entry(d))
            names[(*n)++] =
                arena_format(a, "%s%s", d->d_name, is_directory(dirfd(list), d) ? "/" : "");
    }
    qsort(names, *n, sizeof(*names), by_name);
    return names;
}

static void send_list(struct http_exchange *x, int *fd)
{
    struct buf b = buf_new(x->arena, LIST_MAX);
    DIR *list = fdopendir(*fd);

    if (!list) {
        say_errno(x, errno);
        return;
    }
    *fd = -1; /* the list's now */
    size_t n;
    struct slice *names = read_names(x->arena, list, &n);
    closedir(list);
    buf_text(&b, "<!doctype html>\n<meta charset=\"utf-8\">\n<pre>\n");
    for (size_t i = 0; i < n; i++) {
        bool dir = slice_ends(names[i], "/");
        struct slice name = slice_sub(names[i], 0, names[i].n - dir);
        buf_text(&b, "<a href=\"./");
        buf_put(&b, uri_escape_segment(x->arena, name));
        buf_text(&b, dir ? "/\">" : "\">");
        html_put(&b, names[i]);
        buf_text(&b, "</a>\n");
    }
    buf_text(&b, "</pre>\n");
    if (!buf_ok(&b)) {
        say(x, 500, "internal server error");
        return;
    }
    x->out.status = 200;
    x->out.body = buf_slice(&b);
    header(x, "Content-Type", "text/html; charset=utf-8");
    header(x, "X-Content-Type-Options", "nosniff");
}

static void send_directory(const struct files *f, struct http_exchange *x, int *fd,
                           const char *path)
{
    const char *index = arena_printf(x->arena, "%sindex.html", path);
    CLEANUP(close_fd) int file = files_open(f->dir, index);
    struct stat st;

    if (file >= 0 && fstat(file, &st) == 0 && S_ISREG(st.st_mode))
        send_file(x, file, &st, index);
    else
        send_list(x, fd);
}

/* --- Requests ----------------------------------------------------------------------------- */

static bool leads_up(struct slice path)
{
    struct slice part;

    while (path.n && slice_split(&path, '/', &part)) {
        if (slice_is(part, ".."))
            return true;
    }
    return false;
}

static void answer_path(const struct files *f, struct http_exchange *x, const char *path)
{
    struct slice text = slice_text(path);
    bool slash = !text.n || slice_ends(text, "/");
    CLEANUP(close_fd) int fd = files_open(f->dir, path);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        say_errno(x, errno);
        return;
    }
    struct slice last =
        slice_from(text, slice_rfind(text, '/') == text.n ? 0 : slice_rfind(text, '/') + 1);
    if (S_ISDIR(st.st_mode) && !slash)
        redirect(x, last);
    else if (S_ISDIR(st.st_mode))
        send_directory(f, x, &fd, path);
    else if (S_ISREG(st.st_mode) && !slash)
        send_file(x, fd, &st, path);
    else
        say(x, 404, "page not found");
}

void files_answer(const struct files *f, struct http_exchange *x)
{
    struct slice path = x->in.path;

    if (f->need_client && (!x->in.peer->n_chain || !x->in.peer->verified)) {
        say(x, 403, "a client certificate is required");
        return;
    }
    if (x->in.method != HTTP_GET && x->in.method != HTTP_HEAD) {
        say(x, 405, "method not allowed");
        header(x, "Allow", "GET, HEAD");
        return;
    }
    while (path.n && path.p[0] == '/')
        path = slice_from(path, 1);
    if (slice_has_nul(path) || leads_up(path)) {
        say(x, 400, "invalid path");
        return;
    }
    answer_path(f, x, arena_cstr(x->arena, path));
}
