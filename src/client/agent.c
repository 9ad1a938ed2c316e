/*
 * The socket of an ssh-agent: one request, one answer (draft-ietf-sshm-ssh-agent).
 *
 * The socket never blocks; every wait ends at the request's deadline, however few bytes the agent
 * hands out at a time.  After an error that leaves half a message on the wire the connection is of
 * no use any more and is closed, so that a later answer cannot be taken for another.
 */
#include "client/agent.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "crypto/ssh_wire.h"

#define USUAL_TIMEOUT_NS (60 * NS_PER_SEC)
#define LENGTH_BYTES     4
#define LIFETIME_MAX     UINT32_MAX

/* --- Waiting --------------------------------------------------------------------------------- */

static struct deadline deadline_of(const struct agent *g)
{
    return deadline_in(&CLOCK_SYSTEM, g->timeout_ns ? g->timeout_ns : USUAL_TIMEOUT_NS);
}

static bool wait_for(int fd, short events, struct deadline d, struct err *e)
{
    struct pollfd p = {fd, events, 0};
    int64_t left;

    while ((left = deadline_left(d)) > 0) {
        int n = poll(&p, 1, (int)(left / NS_PER_MS) + 1);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return err_set(e, ERR_INTERNAL, "ssh-agent: poll failed: %s", strerror(errno));
    }
    return err_set(e, ERR_TIMEOUT, "the ssh-agent did not answer in time");
}

static bool may_go_on(int fd, short events, struct deadline d, struct err *e)
{
    if (errno == EINTR)
        return true;
    if (errno == EAGAIN)
        return wait_for(fd, events, d, e);
    return err_set(e, ERR_UNAVAILABLE, "the connection to the ssh-agent is broken: %s",
                   strerror(errno));
}

static bool put_bytes(int fd, struct slice bytes, struct deadline d, struct err *e)
{
    while (bytes.n > 0) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n >= 0)
            bytes = slice_from(bytes, (size_t)n);
        else if (!may_go_on(fd, POLLOUT, d, e))
            return false;
    }
    return true;
}

static bool take_bytes(int fd, uint8_t *p, size_t want, struct deadline d, struct err *e)
{
    while (want > 0) {
        ssize_t n = recv(fd, p, want, 0);
        if (n == 0)
            return err_set(e, ERR_UNAVAILABLE, "the ssh-agent closed the connection");
        if (n > 0) {
            p += n;
            want -= (size_t)n;
        } else if (!may_go_on(fd, POLLIN, d, e)) {
            return false;
        }
    }
    return true;
}

/* --- The connection -------------------------------------------------------------------------- */

bool agent_open(const char *path, struct agent *agent, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;

    *agent = (struct agent){.fd = -1};
    if (n == 0)
        return err_set(e, ERR_NOT_FOUND, "SSH_AUTH_SOCK is not set: there is no ssh-agent");
    if (n >= sizeof(address.sun_path))
        return err_set(e, ERR_MALFORMED, "SSH_AUTH_SOCK: a socket's path has at most %zu bytes",
                       sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(e, errno, "socket", path);
    /* A full queue is EAGAIN: an agent that takes no connection is not there. */
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        err_set(e, ERR_UNAVAILABLE, "no ssh-agent answers at %s: %s", path, strerror(errno));
        close(fd);
        return false;
    }
    agent->fd = fd;
    return true;
}

void agent_close(struct agent *agent)
{
    if (agent->fd >= 0)
        close(agent->fd);
    agent->fd = -1;
}

static bool read_answer(int fd, struct arena *a, struct deadline d, struct slice *message,
                        struct err *e)
{
    uint8_t length[LENGTH_BYTES];
    struct slice at = slice_of(length, sizeof(length));
    uint32_t n;

    if (!take_bytes(fd, length, sizeof(length), d, e))
        return false;
    if (!ssh_take_u32(&at, &n) || n == 0 || n > SSH_AGENT_MESSAGE_MAX)
        return err_set(e, ERR_MALFORMED,
                       "the ssh-agent's answer: expected 1 to %u bytes, it announces %u",
                       SSH_AGENT_MESSAGE_MAX, n);
    uint8_t *p = arena_alloc(a, n);
    *message = slice_of(p, n);
    return take_bytes(fd, p, n, d, e);
}

/* answer lives in a. */
static bool ask(struct agent *g, struct arena *a, const struct buf *request, struct slice *answer,
                struct err *e)
{
    struct deadline d = deadline_of(g);
    uint8_t length[LENGTH_BYTES];

    if (!buf_done(request, "message to the ssh-agent", e))
        return false;
    if (g->fd < 0)
        return err_set(e, ERR_UNAVAILABLE, "the connection to the ssh-agent is closed");
    for (int i = 0; i < LENGTH_BYTES; i++)
        length[i] = (uint8_t)(request->n >> (8 * (LENGTH_BYTES - 1 - i)));
    if (put_bytes(g->fd, slice_of(length, sizeof(length)), d, e) &&
        put_bytes(g->fd, buf_slice(request), d, e) && read_answer(g->fd, a, d, answer, e))
        return true;
    agent_close(g);
    return false;
}

/* A request whose answer is yes or no; it is gone with the arena. */
static bool command(struct agent *g, struct arena *a, const struct buf *request, struct err *e)
{
    struct slice answer;

    return ask(g, a, request, &answer, e) && ssh_agent_read_success(answer, e);
}

/* --- Requests -------------------------------------------------------------------------------- */

bool agent_list(struct agent *g, struct arena *a, struct ssh_identity **v, size_t *n, struct err *e)
{
    struct buf b = buf_new(a, SSH_AGENT_MESSAGE_MAX);
    struct slice answer;

    ssh_agent_put_list(&b);
    return ask(g, a, &b, &answer, e) && ssh_agent_read_list(a, answer, v, n, e);
}

/* Seconds until the certificate ends; 0: the agent keeps the key. */
static bool lifetime_of(const struct ssh_cert *cert, struct instant now, uint32_t *lifetime,
                        struct err *e)
{
    *lifetime = 0;
    if (!cert || cert->valid_before == SSH_FOREVER)
        return true;
    if (now.sec < 0 || cert->valid_before <= (uint64_t)now.sec)
        return err_set(e, ERR_MALFORMED, "the certificate has expired: no agent would use it");
    uint64_t left = cert->valid_before - (uint64_t)now.sec;
    *lifetime = left > LIFETIME_MAX ? LIFETIME_MAX : (uint32_t)left;
    return true;
}

bool agent_add(struct agent *g, const struct private_key *key, const struct ssh_cert *cert,
               struct slice comment, struct instant now, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct buf b = buf_new(secrets, SSH_AGENT_MESSAGE_MAX);
    uint32_t lifetime;

    return lifetime_of(cert, now, &lifetime, e) &&
           ssh_agent_put_add(&b, key, cert, comment, lifetime, secrets, e) &&
           command(g, secrets, &b, e);
}

bool agent_remove(struct agent *g, struct slice blob, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct buf b = buf_new(a, SSH_AGENT_MESSAGE_MAX);

    ssh_agent_put_remove(&b, blob);
    return command(g, a, &b, e);
}

bool agent_remove_all(struct agent *g, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct buf b = buf_new(a, SSH_AGENT_MESSAGE_MAX);

    ssh_agent_put_remove_all(&b);
    return command(g, a, &b, e);
}

bool agent_sign(struct agent *g, struct arena *a, struct slice blob, struct slice data,
                uint32_t flags, struct slice *signature, struct err *e)
{
    struct buf b = buf_new(a, SSH_AGENT_MESSAGE_MAX);
    struct slice answer;

    ssh_agent_put_sign(&b, blob, data, flags);
    return ask(g, a, &b, &answer, e) && ssh_agent_read_signature(answer, signature, e);
}
