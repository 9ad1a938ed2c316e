/* Password files and the prompt of the server. */
#include "server/passwords.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "crypto/secret.h"

#define PASSWORD_MAX 1024

/* Standard input when it is a terminal, else /dev/tty. */
static int open_terminal(void)
{
    if (isatty(STDIN_FILENO))
        return dup(STDIN_FILENO);
    return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

/* The terminal whose echo is off, and how it was before: for a signal that comes meanwhile. */
static volatile sig_atomic_t hidden_fd = -1;
static struct termios shown;

void passwords_show_typing(void)
{
    if (hidden_fd >= 0)
        tcsetattr(hidden_fd, TCSANOW, &shown);
}

static bool read_hidden(int fd, const char *what, uint8_t *out, size_t *n, struct err *e)
{
    struct termios hidden;
    ssize_t got;

    if (tcgetattr(fd, &shown) != 0)
        return err_set(e, ERR_UNAVAILABLE, "cannot allocate a terminal");
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden_fd = fd;
    tcsetattr(fd, TCSAFLUSH, &hidden);
    fprintf(stderr, "Please enter the password to decrypt %s: ", what);
    got = read(fd, out, PASSWORD_MAX);
    tcsetattr(fd, TCSAFLUSH, &shown);
    hidden_fd = -1;
    fputc('\n', stderr);
    if (got <= 0)
        return err_set(e, ERR_UNAVAILABLE, "no password was entered");
    *n = (size_t)got;
    return true;
}

static const struct slice *find_typed(const struct passwords *p, struct slice key)
{
    for (const struct typed_password *t = p->typed; t; t = t->next) {
        if (slice_eq(t->key, key))
            return &t->password;
    }
    return NULL;
}

static void remember(struct passwords *p, struct slice key, struct slice password)
{
    struct typed_password *t = arena_alloc(p->secrets, sizeof(*t));

    *t = (struct typed_password){p->typed, arena_copy(p->secrets, key),
                                 arena_copy(p->secrets, password)};
    p->typed = t;
}

static bool ask(struct password_source *source, const char *what, unsigned attempt,
                struct arena *secrets, struct slice *password, struct err *e)
{
    struct passwords *p =
        (struct passwords *)(void *)((char *)source - offsetof(struct passwords, prompt));
    const struct slice *typed = find_typed(p, slice_text(what));
    uint8_t *line;
    size_t n = 0;

    (void)attempt;
    if (typed) {
        *password = *typed;
        return true;
    }
    int fd = open_terminal();
    if (fd < 0)
        return err_set(e, ERR_UNAVAILABLE,
                       "%s is encrypted, and there is no terminal to ask for its password: cannot "
                       "allocate a terminal; use --password-file",
                       what);
    line = arena_alloc(secrets, PASSWORD_MAX);
    bool ok = read_hidden(fd, what, line, &n, e);
    close(fd);
    if (!ok)
        return false;
    *password = slice_trim_end_unicode(slice_of(line, n));
    remember(p, slice_text(what), *password);
    return true;
}

static bool read_file(struct passwords *p, const char *flag, const char *path,
                      struct password_file *out, struct err *e)
{
    out->path = path;
    if (!path)
        return true;
    if (!secret_read_file(p->secrets, path, &out->content, e))
        return err_wrap(e, "--%s", flag);
    return true;
}

/* Of keys that this version does not use: the file must be right all the same. */
static bool read_unused(struct passwords *p, const char *flag, const char *path, struct err *e)
{
    struct password_file file;

    if (!read_file(p, flag, path, &file, e))
        return false;
    if (path)
        log_warn("--%s is not used: this version has no key that it would open", flag);
    return true;
}

bool passwords_read(struct passwords *p, const struct options *o, struct err *e)
{
    *p = (struct passwords){.secrets = arena_new(&HEAP_SECRET)};
    p->prompt = (struct password_source){ask, 1};
    return read_file(p, "password-file", o->password_file, &p->ca, e) &&
           read_file(p, "ssh-host-password-file", o->ssh_host_password_file, &p->ssh_host, e) &&
           read_file(p, "ssh-user-password-file", o->ssh_user_password_file, &p->ssh_user, e) &&
           read_unused(p, "issuer-password-file", o->issuer_password_file, e);
}

static void refresh(struct passwords *p, struct password_file *file)
{
    struct slice now;
    struct err e = {0};

    if (!file->path || !file_is_regular(file->path))
        return;
    if (!secret_read_file(p->secrets, file->path, &now, &e)) {
        log_warn("%s; the password that was read before is used", e.text);
        return;
    }
    file->content = now;
}

void passwords_refresh(struct passwords *p)
{
    refresh(p, &p->ca);
    refresh(p, &p->ssh_host);
    refresh(p, &p->ssh_user);
}

struct core_passwords passwords_for_core(struct passwords *p)
{
    return (struct core_passwords){.ca = p->ca.content,
                                   .ssh_host = p->ssh_host.content,
                                   .ssh_user = p->ssh_user.content,
                                   .prompt = &p->prompt};
}

void passwords_end(struct passwords *p)
{
    if (p->secrets)
        arena_free(p->secrets);
    p->secrets = NULL;
}
