/*
 * Plugins: the first word that no command of ours has names a program, step-<word>-plugin, in
 * <base>/plugins or in $PATH.  It gets the remaining words and our standard streams; no shell is
 * involved.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/internal.h"

extern char **environ;

static bool is_program(const char *path)
{
    return file_is_regular(path) && access(path, X_OK) == 0;
}

static const char *find_in_path(struct arena *a, const char *name)
{
    struct slice rest = slice_text(getenv("PATH")), dir;

    while (rest.p && slice_split(&rest, ':', &dir)) {
        if (slice_empty(dir))
            continue; /* the current directory is no place for programs */
        const char *path = path_join(a, arena_cstr(a, dir), name);
        if (is_program(path))
            return path;
    }
    return NULL;
}

const char *plugin_find(struct arena *a, const struct steppath *sp, const char *word)
{
    if (!steppath_component(slice_text(word)))
        return NULL;
    const char *name = arena_printf(a, "step-%s-plugin", word);
    const char *own = path_join(a, path_join(a, sp->base, "plugins"), name);
    return is_program(own) ? own : find_in_path(a, name);
}

/* Ctrl-C is for the plugin, as in a shell's foreground job. */
static int wait_for(pid_t pid)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
    int status = 0;

    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

static int spawn_plugin(struct arena *a, const char *path, int n, char **words)
{
    char **argv = arena_array(a, (size_t)n + 2, sizeof(*argv));
    posix_spawnattr_t attributes;
    sigset_t usual;
    pid_t pid;

    argv[0] = arena_printf(a, "%s", path);
    for (int i = 0; i < n; i++)
        argv[i + 1] = words[i];
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE); /* which this process ignores */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int why = posix_spawn(&pid, path, NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    if (!why)
        return wait_for(pid);
    struct err e = {0};
    err_errno(&e, why, "exec", path);
    error_print(a, &e);
    return 1;
}

bool plugin_run(struct arena *a, const struct steppath *sp, const char *word, int n, char **words,
                int *status)
{
    const char *path = plugin_find(a, sp, word);

    if (!path)
        return false;
    *status = spawn_plugin(a, path, n, words);
    return true;
}
