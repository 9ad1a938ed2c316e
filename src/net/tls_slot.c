/*
 * The slot that a server certificate sits in.  Connections take a counted context when their
 * handshake begins and keep it; a swap is one pointer under a lock.  Listeners watch a slot, so
 * that handshakes that wait for a new certificate hear of it.
 */
#include "net/tls_internal.h"

#include <pthread.h>
#include <stdlib.h>

#define EXPIRING_NS (60 * NS_PER_SEC)

struct tls_slot {
    struct ref ref; /* the owner's and one for each listener */
    pthread_mutex_t lock;
    SSL_CTX *ctx;
    struct instant not_after;
    bool (*expiring)(void *arg);
    void *arg;
    struct tls_watch *watches;
};

static void slot_last(struct ref *r)
{
    struct tls_slot *s = (struct tls_slot *)r; /* its first member */

    SSL_CTX_free(s->ctx);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct tls_slot *tls_slot_new(void)
{
    struct tls_slot *s = xcalloc(1, sizeof(*s));

    ref_init(&s->ref, slot_last);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void tls_slot_free(struct tls_slot *s)
{
    if (s)
        ref_drop(&s->ref);
}

void tls_slot_on_expiring(struct tls_slot *s, bool (*expiring)(void *arg), void *arg)
{
    pthread_mutex_lock(&s->lock);
    s->expiring = expiring;
    s->arg = arg;
    pthread_mutex_unlock(&s->lock);
}

bool tls_slot_set(struct tls_slot *s, const struct tls_settings *settings,
                  const struct tls_credentials *credentials, struct instant not_after,
                  struct err *e)
{
    SSL_CTX *ctx;

    if (!tls_context_new(settings, credentials, &ctx, e))
        return false;
    pthread_mutex_lock(&s->lock);
    SSL_CTX *old = s->ctx;
    s->ctx = ctx;
    s->not_after = not_after;
    pthread_mutex_unlock(&s->lock);
    SSL_CTX_free(old);
    return true;
}

void tls_slot_resume(struct tls_slot *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct tls_watch *w = s->watches; w; w = w->next)
        w->resumed(w);
    pthread_mutex_unlock(&s->lock);
}

void tls_slot_watch(struct tls_slot *s, struct tls_watch *w)
{
    ref_take(&s->ref);
    pthread_mutex_lock(&s->lock);
    w->next = s->watches;
    s->watches = w;
    pthread_mutex_unlock(&s->lock);
}

void tls_slot_unwatch(struct tls_slot *s, struct tls_watch *w)
{
    pthread_mutex_lock(&s->lock);
    for (struct tls_watch **p = &s->watches; *p; p = &(*p)->next) {
        if (*p != w)
            continue;
        *p = w->next;
        break;
    }
    pthread_mutex_unlock(&s->lock);
    ref_drop(&s->ref);
}

SSL_CTX *tls_slot_take(struct tls_slot *s)
{
    pthread_mutex_lock(&s->lock);
    SSL_CTX *ctx = s->ctx;
    if (ctx)
        SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&s->lock);
    return ctx;
}

bool tls_slot_credentials(struct tls_slot *s, struct arena *a, struct tls_credentials *out)
{
    SSL_CTX *ctx = tls_slot_take(s);
    bool found = ctx && tls_used_chain(ctx, a, out);

    SSL_CTX_free(ctx);
    return found;
}

bool tls_slot_must_wait(struct tls_slot *s, struct instant now)
{
    pthread_mutex_lock(&s->lock);
    bool due = s->ctx && s->expiring && instant_sub(s->not_after, now) < EXPIRING_NS;
    bool (*expiring)(void *) = s->expiring;
    void *arg = s->arg;
    pthread_mutex_unlock(&s->lock);
    /* Outside the lock: it may set and resume at once. */
    return due && expiring(arg);
}
