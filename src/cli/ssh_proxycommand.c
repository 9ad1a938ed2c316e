/*
 * `step ssh proxycommand`: what ssh runs as ProxyCommand.  Logs the user in when the agent has no
 * certificate, asks the CA for the way to the host, and then is that way.
 *
 * Standard input and output are the stream of ssh: nothing is read from the one or written to the
 * other before the copying begins (prompts go to the terminal, messages to standard error).  A user
 * who cannot be logged in goes on without a certificate: ssh may know another way.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "cli/ssh_common.h"
#include "cli/ssh_stream.h"

#define FLAGS_MAX 64 /* words of ssh.bastion.flags */

/* --- Login ----------------------------------------------------------------------------------- */

static bool log_in(struct ssh_desk *d, struct slice user, struct err *e)
{
    struct invocation *inv = d->inv;
    struct ssh_login_wish wish = {
        .identity = user, .principals = &user, .n_principals = 1, .type = KEY_P256};
    struct ssh_trust trust = {0};
    struct ssh_login *v;
    struct agent agent;
    size_t n;

    if (!ssh_agent_connect(inv, &agent, e) || !ssh_logins(inv, &agent, &v, &n, e) ||
        !ssh_desk_roots(d, &trust, e))
        return false;
    if (ssh_login_find(inv, v, n, &trust.user, SLICE_NONE))
        return true;
    if (ca_cmd_template_data(inv, &wish.template_data) && ssh_login_run(d, &agent, &wish))
        return true;
    err_move(e, &inv->err);
    err_clear(&inv->err);
    return false;
}

/* --- By a bastion ---------------------------------------------------------------------------- */

/* A shell on the bastion reads the command: names must be names. */
static bool is_plain(struct slice word)
{
    static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "._-:@%+[]";

    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] < 0x80 && !(word.p[i] && strchr(PLAIN, word.p[i])))
            return false;
    return word.n > 0 && word.p[0] != '-';
}

bool ssh_bastion_command(struct arena *a, struct slice cmd, const struct ssh_target *t,
                         struct slice *out, struct err *e)
{
    struct buf b = buf_new(a, SSH_CERT_TEXT_MAX);

    if (!is_plain(t->user) || !is_plain(t->host) || !is_plain(t->port))
        return err_set(e, ERR_MALFORMED,
                       "user, host and port must be plain words to be used in a command on the "
                       "bastion: '%.*s' '%.*s' '%.*s'",
                       SLICE_ARG(t->user), SLICE_ARG(t->host), SLICE_ARG(t->port));
    if (!cmd.n)
        cmd = SLICE("nc %h %p");
    for (size_t i = 0; i < cmd.n; i++) {
        uint8_t next = i + 1 < cmd.n ? cmd.p[i + 1] : 0;
        bool known = cmd.p[i] == '%' && next && strchr("%hpr", next);
        if (!known) {
            buf_byte(&b, cmd.p[i]);
            continue;
        }
        buf_put(&b, next == '%'   ? SLICE("%")
                    : next == 'h' ? t->host
                    : next == 'p' ? t->port
                                  : t->user);
        i++;
    }
    *out = buf_slice(&b);
    return buf_done(&b, "command on the bastion", e);
}

static bool add_flags(struct arena *a, struct slice flags, const char **argv, size_t *n,
                      struct err *e)
{
    struct slice rest = slice_trim(flags), word;

    while (rest.n) {
        size_t end = 0;
        while (end < rest.n && !strchr(" \t\r\n", rest.p[end]))
            end++;
        word = slice_sub(rest, 0, end);
        if (*n >= FLAGS_MAX)
            return err_set(e, ERR_TOO_LARGE, "the bastion's flags are more than %d words",
                           FLAGS_MAX);
        argv[(*n)++] = arena_cstr(a, word);
        rest = slice_trim(slice_from(rest, end));
    }
    return true;
}

/* Does not return when all is well. */
static bool run_ssh(struct invocation *inv, const struct ca_ssh_bastion *b,
                    const struct ssh_target *t)
{
    const char *argv[FLAGS_MAX + 8] = {"ssh"};
    struct arena *a = inv->arena;
    struct slice command;
    size_t n = 1;

    if (!ssh_bastion_command(a, b->cmd, t, &command, &inv->err))
        return false;
    if (slice_starts(b->hostname, "-") || slice_has_nul(b->hostname))
        return err_set(&inv->err, ERR_MALFORMED, "the bastion's name '%.*s' is no host name",
                       SLICE_ARG(b->hostname));
    if (b->user.n) {
        argv[n++] = "-l";
        argv[n++] = arena_cstr(a, b->user);
    }
    if (b->port.n) {
        argv[n++] = "-p";
        argv[n++] = arena_cstr(a, b->port);
    }
    if (!add_flags(a, b->flags, argv, &n, &inv->err))
        return false;
    argv[n++] = arena_cstr(a, b->hostname);
    argv[n++] = arena_cstr(a, command);
    signal(SIGPIPE, SIG_DFL);
    execvp("ssh", (char *const *)(uintptr_t)argv);
    return err_errno(&inv->err, errno, "exec", "ssh");
}

/* --- The command ----------------------------------------------------------------------------- */

static bool find_way(struct ssh_desk *d, const struct ssh_target *t, struct ca_ssh_bastion *way)
{
    struct err *e = &d->inv->err;

    if (!d->offline.open && !ssh_desk_connect(d))
        return false;
    if (ssh_desk_bastion(d, t->user, t->host, way, e))
        return true;
    if (e->kind != ERR_NOT_FOUND)
        return false;
    err_clear(e); /* a CA without SSH knows no bastion */
    *way = (struct ca_ssh_bastion){.hostname = SLICE("")};
    return true;
}

static bool prepare(struct invocation *inv, const struct ssh_target *t, struct ca_ssh_bastion *way)
{
    struct ssh_desk d;
    struct err why = {0};

    bool ok = ssh_desk_open(inv, "password-file", &d);
    if (ok && !log_in(&d, t->user, &why))
        note(inv, "Going on without a certificate of the CA: %s", why.text);
    ok = ok && find_way(&d, t, way);
    ssh_desk_close(&d);
    return ok;
}

static int run_proxycommand(struct invocation *inv)
{
    struct ssh_target t = {inv->args[0], inv->args[1], inv->args[2]};
    struct ca_ssh_bastion way;
    int fd;

    if (!prepare(inv, &t, &way))
        return fail(inv);
    if (way.hostname.n)
        return run_ssh(inv, &way, &t) ? 0 : fail(inv);
    if (!ssh_stream_open(inv->arena, &t, &fd, &inv->err))
        return fail(inv);
    bool ok = ssh_stream_copy(fd, STDIN_FILENO, STDOUT_FILENO, &inv->err);
    close(fd);
    return ok ? 0 : fail(inv);
}

static const struct flag *const PROXYCOMMAND_SETS[] = {
    FLAGS_PROVISIONER, FLAGS_TEMPLATE, FLAGS_OFFLINE, FLAGS_CA, FLAGS_LOGIN, NULL};

const struct command CMD_SSH_PROXYCOMMAND = {
    .name = "proxycommand",
    .summary = "log in if need be and connect to a host, for ssh's ProxyCommand",
    .synopsis = "<user> <host> <port>",
    .description =
        "Is not for humans: the files that 'step ssh config' writes name it as ProxyCommand. When "
        "the SSH agent has no valid certificate of the CA, the user is logged in first, as 'step "
        "ssh login' does. Then the connection to the host is made, through the CA's bastion when "
        "there is one, and standard input and output are connected to it.\n\n"
        "When the login fails, the reason is told and the connection is made all the same.",
    .arguments = "user\tThe account on the host, and the identity of the login.\n"
                 "host\tThe host to connect to.\n"
                 "port\tIts port.",
    .examples = "In ssh_config(5):\n"
                "$ ProxyCommand step ssh proxycommand %r %h %p\n\n"
                "By hand, to see what the host's sshd says first:\n"
                "$ step ssh proxycommand alice web.example.internal 22 < /dev/null",
    .flag_sets = PROXYCOMMAND_SETS,
    .least = 3,
    .most = 3,
    .run = run_proxycommand,
};
