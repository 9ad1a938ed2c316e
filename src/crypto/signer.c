/*
 * Signing.  A backend is somebody else's code or another machine: what comes back is a signature
 * only after its length, its range and (unless libcrypto made it in this process) its verification
 * under the public key.
 */
#include "crypto/signer.h"

#include <stdatomic.h>

#include "crypto/key_internal.h"

#define ED25519_SIGNATURE 64u

static struct {
    atomic_uint_fast64_t made, failed;
} counts;

/* Whatever a backend says, the requester did nothing wrong. */
static bool backend_failed(const struct signer *s, struct err *e)
{
    if (!e)
        return false;
    if (e->kind == ERR_NONE)
        return err_set(e, ERR_INTERNAL, "signer %s: failed without a reason", s->name);
    if (e->kind != ERR_UNAVAILABLE && e->kind != ERR_TIMEOUT)
        e->kind = ERR_INTERNAL;
    e->code = NULL;
    e->tell = false;
    return err_wrap(e, "signer %s", s->name);
}

/* One number of an ECDSA signature: 1 .. order - 1. */
static bool in_range(struct der *d, struct slice order)
{
    struct slice v;
    bool negative;

    order = number_trim(order);
    if (!der_take_integer(d, &v, &negative) || negative || !v.n || v.n > order.n)
        return false;
    return v.n < order.n || slice_cmp(v, order) < 0;
}

static bool form_valid(const struct key *k, struct slice sig)
{
    struct slice order = key_info(k->type)->order;
    struct der d = der_reader(sig), seq;

    if (k->type == KEY_RSA)
        return sig.n == (k->bits + 7) / 8;
    if (k->type == KEY_ED25519)
        return sig.n == ED25519_SIGNATURE;
    return der_enter(&d, DER_SEQUENCE, &seq) && der_done(&d) && in_range(&seq, order) &&
           in_range(&seq, order) && der_done(&seq);
}

static bool must_verify(const struct signer *s)
{
    return !(s->flags & SIGNER_LOCAL) || s->public_key->type == KEY_ED25519;
}

static bool same_alg(struct sig_alg a, struct sig_alg b)
{
    return a.scheme == b.scheme && a.digest == b.digest;
}

static bool alg_choose(const struct signer *s, struct sig_alg *alg, struct err *e)
{
    if (alg->scheme == SIG_ANY)
        *alg = s->only.scheme != SIG_ANY ? s->only : sig_alg_usual(s->public_key);
    if (s->only.scheme != SIG_ANY && !same_alg(s->only, *alg))
        return err_set(e, ERR_INTERNAL, "signer %s: its key is bound to another algorithm",
                       s->name);
    if (!sig_alg_fits(s->public_key, *alg))
        return err_set(e, ERR_INTERNAL, "signer %s: the algorithm is not one of its key's type",
                       s->name);
    return true;
}

/* The backend's own part, inside the gate. */
static bool call(struct signer *s, struct sig_alg alg, struct slice message, struct buf *sig,
                 struct deadline d, struct err *e)
{
    uint8_t bytes[DIGEST_MAX];
    struct slice digest = SLICE_NONE;

    if (alg.digest != DIGEST_NONE) {
        digest_of(alg.digest, message, bytes);
        digest = slice_of(bytes, digest_size(alg.digest));
    }
    if (s->gate_limit && !gate_enter(&s->gate, d, e))
        return false;
    bool done = s->ops->sign(s, alg, message, digest, sig, d, e);
    if (s->gate_limit)
        gate_leave(&s->gate);
    return done;
}

static bool checked_call(struct signer *s, struct sig_alg alg, struct slice message,
                         struct buf *sig, struct deadline d, struct err *e)
{
    size_t before = sig->n;

    if (!deadline_ok(d, e) || !call(s, alg, message, sig, d, e) || !buf_done(sig, "signature", e))
        return backend_failed(s, e);
    struct slice made = slice_from(buf_slice(sig), before);
    if (!form_valid(s->public_key, made))
        return err_set(e, ERR_INTERNAL, "signer %s: %zu bytes that are not a signature of its key",
                       s->name, made.n);
    if (must_verify(s) && !key_verify(s->public_key, alg, message, made, e))
        return err_set(e, ERR_INTERNAL,
                       "signer %s: its signature does not verify under its public key", s->name);
    return true;
}

bool signer_sign(struct signer *s, struct sig_alg alg, struct slice message, struct buf *sig,
                 struct deadline d, struct err *e)
{
    size_t before = sig->n;

    err_clear(e);
    if (alg_choose(s, &alg, e) && checked_call(s, alg, message, sig, d, e)) {
        atomic_fetch_add_explicit(&counts.made, 1, memory_order_relaxed);
        return true;
    }
    sig->n = before; /* nothing unchecked stays behind */
    atomic_fetch_add_explicit(&counts.failed, 1, memory_order_relaxed);
    return false;
}

void signer_counts(uint64_t *made, uint64_t *failed)
{
    *made = atomic_load_explicit(&counts.made, memory_order_relaxed);
    *failed = atomic_load_explicit(&counts.failed, memory_order_relaxed);
}

/* --- A key in this process ---------------------------------------------------------------- */

/* Signs the digest that is there already where it can. */
static bool local_sign(struct signer *s, struct sig_alg alg, struct slice message,
                       struct slice digest, struct buf *sig, struct deadline d UNUSED,
                       struct err *e)
{
    const struct private_key *k = s->state;

    if (digest.p)
        return private_key_sign_digest(k, alg, digest, sig, e);
    return private_key_sign(k, alg, message, sig, e);
}

static void local_release(struct signer *s UNUSED) {}

static const struct signer_ops LOCAL = {local_sign, local_release};

struct signer *signer_local(struct arena *a, const struct private_key *key, const char *name)
{
    struct signer *s = arena_alloc(a, sizeof(*s));

    s->ops = &LOCAL;
    s->public_key = key->public_key;
    s->name = arena_cstr(a, slice_text(name));
    s->flags = SIGNER_LOCAL;
    s->state = (void *)(uintptr_t)key;
    return s;
}
