/*
 * What happens when a new certificate is there: a process is told, a command runs.
 *
 * The command is a list of words and never goes through a shell; a process id below 2 is never
 * signalled; and root does not believe a pid file that somebody else can write.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ca_renew.h"
#include "cli/program.h"

#define PID_LEAST    2
#define PID_TEXT_MAX 64

/* --- Flags ----------------------------------------------------------------------------------- */

const struct flag FLAGS_AFTER[] = {
    {"pid", FLAG_INT, "<pid>", "Signal the process <pid> after the certificate was written.", NULL,
     0},
    {"pid-file", FLAG_FILE, "<file>",
     "Signal the process whose id is in <file> after the certificate was written.", NULL, 0},
    {"signal", FLAG_INT, "<number>", "The <number> of the signal for --pid and --pid-file.", "1",
     0},
    {"exec", FLAG_TEXT, "<command>",
     "Run <command> after the certificate was written. It is split at blanks (quotes and "
     "backslashes are honoured) and run without a shell.",
     NULL, 0},
    {0}};

static bool bad_number(struct invocation *inv, const char *flag, const char *why)
{
    return ca_cmd_bad_value(inv, flag, flag_text(inv, flag), why);
}

bool renew_after_flags(struct invocation *inv, struct renew_after *after)
{
    const char *command = ca_cmd_text(inv, "exec");
    int64_t sig = flag_int(inv, "signal"), pid = flag_int(inv, "pid"), unused;
    size_t n;

    *after = (struct renew_after){.pid_file = ca_cmd_text(inv, "pid-file"), .signal = (int)sig};
    if (sig < 1 || sig > SIGRTMAX)
        return bad_number(inv, "signal", "it must be the number of a signal, 1 or greater");
    if (flag_set(inv, "pid") && (pid < PID_LEAST || pid > INT_MAX))
        return bad_number(inv, "pid", "it must be a process id greater than 1");
    after->pid = flag_set(inv, "pid") ? pid : 0;
    if (after->pid_file && !pid_file_read(inv->arena, after->pid_file, &unused, &inv->err))
        return false;
    if (!command)
        return true;
    return program_split(inv->arena, slice_text(command), &after->argv, &n, &inv->err) ||
           err_wrap(&inv->err, "flag '--exec'");
}

/* --- Signal ---------------------------------------------------------------------------------- */

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Root would signal whatever another user writes there. */
static bool pid_file_trusted(const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        return false;
    return geteuid() != 0 || (st->st_uid == 0 && !(st->st_mode & S_IWOTH));
}

bool pid_file_read(struct arena *a, const char *path, int64_t *pid, struct err *e)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char text[PID_TEXT_MAX];
    struct stat st;
    uint64_t v;

    (void)a;
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(e, errno, "open", path);
    if (!pid_file_trusted(&st))
        return err_set(e, ERR_FORBIDDEN,
                       "pid file %s: expected a regular file that only root can write", path);
    ssize_t n = read(fd, text, sizeof(text));
    if (n < 0)
        return err_errno(e, errno, "read", path);
    if (!slice_to_u64(slice_trim(slice_of(text, (size_t)n)), &v) || v < PID_LEAST || v > INT_MAX)
        return err_set(e, ERR_MALFORMED,
                       "pid file %s: expected a process id greater than 1, found something else",
                       path);
    *pid = (int64_t)v;
    return true;
}

static bool signal_process(struct arena *a, const struct renew_after *after, struct err *e)
{
    int64_t pid = after->pid;

    if (after->pid_file && !pid_file_read(a, after->pid_file, &pid, e))
        return false;
    if (pid == 0)
        return true;
    if (kill((pid_t)pid, after->signal) == 0)
        return true;
    return err_errno(e, errno, "signal process", arena_printf(a, "%lld", (long long)pid));
}

bool renew_after_run(struct arena *a, const struct renew_after *after, struct err *e)
{
    if (!signal_process(a, after, e))
        return false;
    return !after->argv || program_run(after->argv, SLICE_NONE, e);
}
