/*
 * One event loop on one thread, and its mailbox.
 *
 * A mail is written into the eventfd only when the loop sleeps: `sleeping` is set under the lock
 * by a loop that found its mailbox empty, and cleared by the first who posts.  The loop runs
 * libevent one round at a time and looks into the mailbox between the rounds, so a mail that is
 * posted while it works costs no system call.
 */
#include "net/server_internal.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static _Thread_local struct loop *loop_current;

int64_t loop_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static void woken(evutil_socket_t fd, short what UNUSED, void *arg UNUSED)
{
    eventfd_t n;

    /* Only to make it unreadable again; the mailbox is looked at after every round. */
    (void)eventfd_read(fd, &n);
}

bool loop_init(struct loop *l, struct http_server *s, struct err *e)
{
    l->server = s;
    l->last = &l->first;
    l->date_sec = INT64_MIN;
    pthread_mutex_init(&l->lock, NULL);
    struct event_config *config = event_config_new();
    if (config) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        l->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (!l->base)
        return err_set(e, ERR_INTERNAL, "event loop: cannot be made");
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake_fd < 0)
        return err_errno(e, errno, "eventfd", "event loop");
    event_assign(&l->wake, l->base, l->wake_fd, EV_READ | EV_PERSIST, woken, NULL);
    event_add(&l->wake, NULL);
    return true;
}

void loop_destroy(struct loop *l)
{
    if (l->base) {
        if (l->wake_fd >= 0) {
            event_del(&l->wake);
            close(l->wake_fd);
        }
        event_base_free(l->base);
    }
    if (l->server)
        pthread_mutex_destroy(&l->lock);
}

static void read_mail(struct loop *l)
{
    for (;;) {
        pthread_mutex_lock(&l->lock);
        struct mail *m = l->first;
        l->first = NULL;
        l->last = &l->first;
        l->sleeping = m == NULL;
        pthread_mutex_unlock(&l->lock);
        if (!m)
            return;
        for (struct mail *next; m; m = next) {
            next = m->next;
            m->run(m);
        }
    }
}

static void *loop_run(void *arg)
{
    struct loop *l = arg;

    loop_current = l;
    for (;;) {
        read_mail(l);
        if (l->stop)
            break;
        event_base_loop(l->base, EVLOOP_ONCE);
    }
    /* Nothing can be done for a mail that comes later: its sender keeps it. */
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    pthread_mutex_unlock(&l->lock);
    read_mail(l);
    /* libevent frees bufferevents, and the bodies they refer to, a round later. */
    event_base_loop(l->base, EVLOOP_NONBLOCK);
    loop_current = NULL;
    return NULL;
}

bool loop_start(struct loop *l, struct err *e)
{
    sigset_t all, old;

    /* Signals are the main thread's; SIGPIPE of a dead socket is nobody's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&l->thread, NULL, loop_run, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return err_errno(e, error, "starting", "event loop");
    l->running = true;
    return true;
}

bool loop_post(struct loop *l, struct mail *m)
{
    m->next = NULL;
    pthread_mutex_lock(&l->lock);
    if (l->closed) {
        pthread_mutex_unlock(&l->lock);
        return false;
    }
    *l->last = m;
    l->last = &m->next;
    bool wake = l->sleeping && loop_current != l;
    if (wake)
        l->sleeping = false;
    pthread_mutex_unlock(&l->lock);
    if (wake)
        (void)eventfd_write(l->wake_fd, 1);
    return true;
}

struct call {
    struct mail mail;
    void (*run)(void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool done;
};

static void call_run(struct mail *m)
{
    struct call *c = (struct call *)m; /* its first member */

    c->run(c->arg);
    pthread_mutex_lock(&c->lock);
    c->done = true;
    pthread_cond_signal(&c->ready);
    pthread_mutex_unlock(&c->lock);
}

void loop_call(struct loop *l, void (*run)(void *arg), void *arg)
{
    struct call c = {.mail.run = call_run,
                     .run = run,
                     .arg = arg,
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .ready = PTHREAD_COND_INITIALIZER};

    if (loop_current == l || !l->running || !loop_post(l, &c.mail)) {
        run(arg);
        return;
    }
    pthread_mutex_lock(&c.lock);
    while (!c.done)
        pthread_cond_wait(&c.ready, &c.lock);
    pthread_mutex_unlock(&c.lock);
    pthread_cond_destroy(&c.ready);
    pthread_mutex_destroy(&c.lock);
}

static void set_stop(void *arg)
{
    ((struct loop *)arg)->stop = true;
}

void loop_stop(struct loop *l)
{
    if (!l->running)
        return;
    loop_call(l, set_stop, l);
    pthread_join(l->thread, NULL);
    l->running = false;
}

struct slice loop_date(struct loop *l)
{
    struct instant now = l->server->options.clock->now(l->server->options.clock);

    if (now.sec != l->date_sec) {
        struct arena *a = arena_new(&HEAP_USUAL);
        struct slice date = http_date(a, now);
        size_t n = date.n < sizeof(l->date) ? date.n : sizeof(l->date) - 1;
        memcpy(l->date, date.p, n);
        l->date[n] = 0;
        l->date_sec = now.sec;
        arena_free(a);
    }
    return slice_text(l->date);
}
