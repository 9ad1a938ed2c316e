/*
 * The daemon of `step ca renew` and `step ca rekey`: sleep, act, tell, again.
 *
 * Signals are blocked and taken one at a time between the steps, so that no step is ever
 * interrupted.  The wall clock decides when it is time (a machine may have been suspended), looked
 * at once a minute at least.  Each round's memory is given back at its end; only the certificate
 * that is held lives on.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli/ca_renew.h"
#include "crypto/secret.h"

#define LOOK_NS (60 * NS_PER_SEC)

/* --- The service manager (sd_notify(3)) ------------------------------------------------------ */

static void tell_manager(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;

    if (n < 2 || n >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = 0; /* the abstract name space */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    close(fd);
}

/* --- Lines of the daemon --------------------------------------------------------------------- */

static const char *stamp(struct invocation *inv)
{
    time_t sec = (time_t)inv->clock->now(inv->clock).sec;
    struct tm tm;
    char text[32] = "";

    if (localtime_r(&sec, &tm))
        strftime(text, sizeof(text), "%Y/%m/%d %H:%M:%S", &tm);
    return arena_printf(inv->arena, "%s", text);
}

static const char *in_words(struct invocation *inv, int64_t ns)
{
    return arena_cstr(inv->arena, duration_text(inv->arena, renew_rounded(ns)));
}

static void tell_error(struct invocation *inv, struct err *e)
{
    note(inv, "ERROR: %s %s", stamp(inv), e->text);
    err_clear(e);
}

/* --- Waiting --------------------------------------------------------------------------------- */

enum event { EVENT_DUE, EVENT_NOW, EVENT_STOP };

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigprocmask(SIG_BLOCK, set, NULL);
}

static enum event wait_until(struct clock *clock, const sigset_t *set, struct instant due)
{
    for (;;) {
        int64_t left = instant_sub(due, clock->now(clock));
        if (left < 0)
            left = 0;
        int64_t step = left < LOOK_NS ? left : LOOK_NS;
        struct timespec ts = {(time_t)(step / NS_PER_SEC), (long)(step % NS_PER_SEC)};
        int got = sigtimedwait(set, NULL, &ts);
        if (got == SIGHUP)
            return EVENT_NOW;
        if (got == SIGINT || got == SIGTERM)
            return EVENT_STOP;
        if (left == 0)
            return EVENT_DUE;
    }
}

/* --- A round --------------------------------------------------------------------------------- */

/* What other programs will read is what is believed: the certificate comes from the file. */
static bool take_new(struct renewer *r, struct arena *keep, struct private_key *key, struct err *e)
{
    struct cert_list chain = {0};
    struct ca_held held;

    if (!cert_list_load(keep, r->crt_out, &chain, e) ||
        !ca_held_make(keep, &chain, key, r->crt_out, r->key, &held, e))
        return false;
    r->held = held;
    return true;
}

static bool act(struct renewer *r, struct err *e)
{
    struct arena *keep = arena_new(&HEAP_SECRET);
    struct private_key *key = NULL;

    if (!r->kind->once(r, keep, &key, e) || !take_new(r, keep, key, e)) {
        arena_free(keep);
        return false;
    }
    /* A key is either that of the start, which lives as long as the command, or of this round. */
    if (r->held_arena)
        arena_free(r->held_arena);
    r->held_arena = keep;
    return true;
}

static void announce(struct renewer *r, int64_t wait)
{
    struct invocation *inv = r->inv;
    struct slice name = dn_common_name(&r->held.chain.v[0]->subject);

    out_line(inv, "INFO: %s %.*s certificate %s, next in %s", stamp(inv), SLICE_ARG(name),
             r->kind->done, in_words(inv, wait));
}

/* Returns ns until the next round. */
static int64_t round_once(struct renewer *r, unsigned *failures)
{
    struct invocation *inv = r->inv;
    struct err e = {0};

    if (!act(r, &e)) {
        int64_t wait = renew_retry(r->held.chain.v[0], inv->clock->now(inv->clock), ++*failures);
        tell_error(inv, &e);
        out_line(inv, "INFO: %s next attempt in %s", stamp(inv), in_words(inv, wait));
        return wait;
    }
    *failures = 0;
    int64_t wait =
        renew_next(r->held.chain.v[0], &r->timing, inv->clock->now(inv->clock), inv->rng);
    announce(r, wait);
    if (!renew_after_run(inv->arena, &r->after, &e))
        tell_error(inv, &e);
    return wait;
}

int renew_daemon(struct renewer *r)
{
    struct invocation *inv = r->inv;
    struct instant now = inv->clock->now(inv->clock);
    int64_t wait = renew_next(r->held.chain.v[0], &r->timing, now, inv->rng);
    unsigned failures = 0;
    sigset_t signals;

    block_signals(&signals);
    out_line(inv, "INFO: %s first %s in %s", stamp(inv), r->kind->process, in_words(inv, wait));
    tell_manager("READY=1");
    for (;;) {
        struct arena_mark mark = arena_mark(inv->arena);
        struct instant due = instant_add(inv->clock->now(inv->clock), wait);
        if (wait_until(inv->clock, &signals, due) == EVENT_STOP)
            break;
        wait = round_once(r, &failures);
        arena_rewind(inv->arena, mark);
    }
    tell_manager("STOPPING=1");
    if (r->held_arena)
        arena_free(r->held_arena);
    return 0;
}
