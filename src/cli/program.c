/*
 * Other programs: what --exec names, and the tools of the system.  They get a list of words; no
 * shell ever sees text that came from somewhere else.
 */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"

#define INPUT_MAX (32u << 10) /* fits into a pipe: nobody waits for anybody */

extern char **environ;

/* --- Words ----------------------------------------------------------------------------------- */

struct words {
    struct slice in;
    size_t at;
    struct buf word;
    bool began; /* also an empty word, '' */
};

static bool take_single(struct words *w, struct err *e)
{
    struct slice rest = slice_from(w->in, w->at);
    size_t end = slice_find(rest, '\'');

    if (end == rest.n)
        return err_set(e, ERR_MALFORMED, "a single quote is not closed");
    buf_put(&w->word, slice_sub(rest, 0, end));
    w->at += end + 1;
    return true;
}

static bool take_double(struct words *w, struct err *e)
{
    while (w->at < w->in.n) {
        uint8_t c = w->in.p[w->at++];
        if (c == '"')
            return true;
        uint8_t next = w->at < w->in.n ? w->in.p[w->at] : 0;
        if (c == '\\' && (next == '"' || next == '\\')) {
            c = next;
            w->at++;
        }
        buf_byte(&w->word, c);
    }
    return err_set(e, ERR_MALFORMED, "a double quote is not closed");
}

static bool take_part(struct words *w, struct err *e)
{
    uint8_t c = w->in.p[w->at++];

    w->began = true;
    if (c == '\'')
        return take_single(w, e);
    if (c == '"')
        return take_double(w, e);
    if (c == '\\') {
        if (w->at == w->in.n)
            return err_set(e, ERR_MALFORMED, "nothing follows the last backslash");
        c = w->in.p[w->at++];
    }
    buf_byte(&w->word, c);
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool program_split(struct arena *a, struct slice text, char ***argv, size_t *n, struct err *e)
{
    struct words w = {.in = text};
    char **list = arena_array(a, text.n / 2 + 2, sizeof(*list));

    *n = 0;
    while (w.at < text.n) {
        if (is_blank(text.p[w.at])) {
            w.at++;
            continue;
        }
        w.word = buf_new(a, text.n + 1);
        while (w.at < text.n && !is_blank(text.p[w.at]))
            if (!take_part(&w, e))
                return err_wrap(e, "command '%.*s'", SLICE_ARG(text));
        list[(*n)++] = arena_cstr(a, buf_slice(&w.word));
    }
    *argv = list;
    return *n > 0 || err_set(e, ERR_MALFORMED, "command '%.*s' has no words", SLICE_ARG(text));
}

/* --- Running --------------------------------------------------------------------------------- */

struct start {
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t files;
};

/* A daemon's blocked signals are not the program's. */
static void start_init(struct start *s)
{
    static const int USUAL[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};
    sigset_t none, usual;

    sigemptyset(&none);
    sigemptyset(&usual);
    for (size_t i = 0; i < COUNT_OF(USUAL); i++)
        sigaddset(&usual, USUAL[i]);
    posix_spawn_file_actions_init(&s->files);
    posix_spawnattr_init(&s->attr);
    posix_spawnattr_setsigmask(&s->attr, &none);
    posix_spawnattr_setsigdefault(&s->attr, &usual);
    posix_spawnattr_setflags(&s->attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static void start_end(struct start *s)
{
    posix_spawn_file_actions_destroy(&s->files);
    posix_spawnattr_destroy(&s->attr);
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* The read end of a pipe that holds the input already. */
static int filled_pipe(struct slice input)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    ssize_t n = write(ends[1], input.p, input.n);
    close(ends[1]);
    if (n == (ssize_t)input.n)
        return ends[0];
    close(ends[0]);
    return -1;
}

static bool wait_for(pid_t pid, const char *name, struct err *e)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(e, errno, "wait for", name);
    if (WIFSIGNALED(status))
        return err_set(e, ERR_INTERNAL, "command '%s' was ended by signal %d", name,
                       WTERMSIG(status));
    return WEXITSTATUS(status) == 0 ||
           err_set(e, ERR_INTERNAL, "command '%s' ended with status %d", name, WEXITSTATUS(status));
}

bool program_run(char *const *argv, struct slice input, struct err *e)
{
    CLEANUP(close_fd) int in = -1;
    struct start s;
    pid_t pid;

    if (input.n > INPUT_MAX)
        return err_set(e, ERR_TOO_LARGE, "command '%s': more than %u bytes of input", argv[0],
                       INPUT_MAX);
    if (input.p && (in = filled_pipe(input)) < 0)
        return err_errno(e, errno, "pipe to", argv[0]);
    start_init(&s);
    if (input.p) {
        posix_spawn_file_actions_adddup2(&s.files, in, STDIN_FILENO);
        posix_spawn_file_actions_addopen(&s.files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    int why = posix_spawnp(&pid, argv[0], &s.files, &s.attr, argv, environ);
    start_end(&s);
    return why == 0 ? wait_for(pid, argv[0], e) : err_errno(e, why, "exec", argv[0]);
}

/* Until its end; false: more than the buffer may hold. */
static bool read_to_end(int fd, struct buf *b)
{
    uint8_t part[4096];
    ssize_t n;

    while ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_put(b, slice_of(part, (size_t)n));
    return n == 0 && buf_ok(b);
}

bool program_ask(struct arena *a, char *const *argv, struct slice input, size_t max,
                 struct slice *output, struct err *e)
{
    CLEANUP(close_fd) int in = -1;
    CLEANUP(close_fd) int out = -1;
    struct buf b = buf_new(a, max);
    struct start s;
    int ends[2];
    pid_t pid;

    if (input.n > INPUT_MAX)
        return err_set(e, ERR_TOO_LARGE, "command '%s': more than %u bytes of input", argv[0],
                       INPUT_MAX);
    if ((in = filled_pipe(input)) < 0 || pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(e, errno, "pipe to", argv[0]);
    out = ends[0];
    start_init(&s);
    posix_spawn_file_actions_adddup2(&s.files, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&s.files, ends[1], STDOUT_FILENO);
    int why = posix_spawn(&pid, argv[0], &s.files, &s.attr, argv, environ);
    start_end(&s);
    close(ends[1]);
    if (why != 0)
        return err_errno(e, why, "exec", argv[0]);
    bool whole = read_to_end(out, &b);
    close_fd(&out); /* whoever would write on is told */
    out = -1;
    if (!wait_for(pid, argv[0], e))
        return false;
    *output = buf_slice(&b);
    return whole || err_set(e, ERR_MALFORMED, "command '%s': its answer is longer than %zu bytes",
                            argv[0], max);
}

bool program_start(char *const *argv, struct err *e)
{
    struct start s;
    pid_t pid;

    start_init(&s);
    posix_spawn_file_actions_addopen(&s.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&s.files, STDERR_FILENO, STDOUT_FILENO);
    int why = posix_spawnp(&pid, argv[0], &s.files, &s.attr, argv, environ);
    start_end(&s);
    return why == 0 || err_errno(e, why, "exec", argv[0]);
}

bool program_exists(const char *name)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice rest = slice_text(getenv("PATH")), dir;

    while (slice_split(&rest, ':', &dir))
        if (dir.n && access(arena_printf(a, "%.*s/%s", SLICE_ARG(dir), name), X_OK) == 0)
            return true;
    return false;
}
