/*
 * The device flow (RFC 8628): the browser may be on another machine.  The user types a short code
 * there, and we ask again and again until the provider knows the answer.
 */
#include <errno.h>
#include <time.h>

#include "cli/oauth.h"

#define FORM_MAX     (64u << 10)
#define INTERVAL     5 /* s, RFC 8628 3.5 */
#define INTERVAL_MAX 60
#define SLOWER       5
#define WAIT_MAX     300
#define GRANT        "urn:ietf:params:oauth:grant-type:device_code"

struct device {
    struct slice code, user_code, uri, complete;
    int64_t expires_in, interval;
};

static struct slice first_text(const struct json *object, const char *name, const char *other)
{
    struct slice text = json_text(json_get(object, name));

    return text.n ? text : json_text(json_get(object, other));
}

static bool device_read(const struct json *object, struct device *d, struct err *e)
{
    *d = (struct device){
        .code = json_text(json_get(object, "device_code")),
        .user_code = json_text(json_get(object, "user_code")),
        .uri = first_text(object, "verification_uri", "verification_url"),
        .complete = first_text(object, "verification_uri_complete", "verification_url_complete"),
    };
    if (!json_int(json_get(object, "expires_in"), &d->expires_in) || d->expires_in > WAIT_MAX ||
        d->expires_in <= 0)
        d->expires_in = WAIT_MAX;
    if (!json_int(json_get(object, "interval"), &d->interval) || d->interval <= 0)
        d->interval = INTERVAL;
    if (d->interval > INTERVAL_MAX)
        d->interval = INTERVAL_MAX;
    return (d->code.n && (d->complete.n || (d->uri.n && d->user_code.n))) ||
           err_set(e, ERR_MALFORMED,
                   "the provider's answer has no device code or address (RFC 8628 3.2)");
}

static bool device_begin(struct oauth *o, struct device *d)
{
    struct arena *a = o->inv->arena;
    struct err *e = &o->inv->err;
    struct buf form = buf_new(a, FORM_MAX);
    const struct json *object = NULL;
    int status;

    oauth_form(&form, a, "client_id", slice_text(o->wish->client_id));
    oauth_form(&form, a, "client_secret", slice_text(o->wish->client_secret));
    oauth_form(&form, a, "scope", slice_text(o->scope));
    if (!buf_done(&form, "request", e) ||
        !oauth_post(o, o->device, buf_slice(&form), &status, &object))
        return false;
    if (oauth_told(object, e))
        return false;
    if (status >= 400)
        return err_set(e, ERR_UNAVAILABLE, "the provider answered with status %d", status);
    return device_read(object, d, e);
}

static void device_show(struct invocation *inv, const struct device *d)
{
    if (d->complete.n) {
        note(inv, "Open this address in a browser and log in there:");
        note(inv, "%.*s", SLICE_ARG(d->complete));
    } else {
        note(inv, "Open this address in a browser:");
        note(inv, "%.*s", SLICE_ARG(d->uri));
    }
    if (d->user_code.n)
        note(inv, "and enter the code: %.*s", SLICE_ARG(d->user_code));
}

enum verdict { DONE, AGAIN, SLOWLY, OVER };

static enum verdict judge(struct oauth *o, int status, const struct json *object,
                          struct oauth_token *token)
{
    struct err *e = &o->inv->err;
    struct slice error = json_text(json_get(object, "error"));

    if (status >= 500) {
        err_set(e, ERR_UNAVAILABLE, "the provider answered with status %d", status);
        return OVER;
    }
    if (slice_is(error, "slow_down"))
        return SLOWLY;
    if (slice_is(error, "authorization_pending"))
        return AGAIN;
    if (oauth_told(object, e))
        return OVER;
    if (status >= 400)
        return AGAIN; /* it says no reason: perhaps not yet */
    return oauth_token_read(object, token, e) ? DONE : OVER;
}

static void pause_for(int64_t seconds)
{
    struct timespec left = {.tv_sec = seconds};

    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

bool oauth_by_device(struct oauth *o, struct oauth_token *token)
{
    struct invocation *inv = o->inv;
    struct arena *a = inv->arena;
    struct buf form = buf_new(a, FORM_MAX);
    const struct json *object = NULL;
    struct device d;
    int status;

    if (!device_begin(o, &d))
        return false;
    device_show(inv, &d);
    oauth_form(&form, a, "client_id", slice_text(o->wish->client_id));
    oauth_form(&form, a, "client_secret", slice_text(o->wish->client_secret));
    oauth_form(&form, a, "grant_type", SLICE(GRANT));
    oauth_form(&form, a, "device_code", d.code);
    if (!buf_done(&form, "request", &inv->err))
        return false;
    struct deadline end = deadline_in(inv->clock, d.expires_in * NS_PER_SEC);
    while (deadline_ok(end, NULL)) {
        pause_for(d.interval);
        if (!oauth_post(o, o->token, buf_slice(&form), &status, &object))
            return false;
        enum verdict verdict = judge(o, status, object, token);
        if (verdict == DONE || verdict == OVER)
            return verdict == DONE;
        if (verdict == SLOWLY)
            d.interval += SLOWER;
    }
    return err_set(&inv->err, ERR_TIMEOUT, "nobody logged in within %lld seconds",
                   (long long)d.expires_in);
}
