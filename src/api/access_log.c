/* One record a request, after the answer is settled. */
#include "api/access_log.h"

#include <stdlib.h>

#include "base/duration.h"
#include "crypto/random.h"

#define REQUEST_ID_MAX 128
#define UUID_TEXT      36

static bool env_true(const char *name)
{
    static const char *const TRUE_TEXTS[] = {"1", "t", "T", "TRUE", "true", "True"};
    const char *value = getenv(name);

    for (size_t i = 0; value && i < COUNT_OF(TRUE_TEXTS); i++) {
        if (strcmp(value, TRUE_TEXTS[i]) == 0)
            return true;
    }
    return false;
}

struct access_log_options access_log_options_from_env(void)
{
    return (struct access_log_options){
        .real_ip = env_true("STEP_LOGGER_LOG_REAL_IP"),
        .quiet_health = env_true("STEP_LOGGER_ONLY_TRACE_HEALTH_ENDPOINT"),
    };
}

static bool usable_id(struct slice id)
{
    if (id.n == 0 || id.n > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] < 0x21 || id.p[i] > 0x7e)
            return false;
    }
    return true;
}

/* RFC 9562 version 4. */
static struct slice uuid4(struct arena *a, struct rng *rng)
{
    uint8_t b[16];

    random_few(rng, b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    static const char HEX[] = "0123456789abcdef";
    uint8_t *text = arena_alloc(a, UUID_TEXT + 1), *to = text;
    for (size_t i = 0; i < sizeof(b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = (uint8_t)HEX[b[i] >> 4];
        *to++ = (uint8_t)HEX[b[i] & 15];
    }
    return slice_of(text, UUID_TEXT);
}

void request_id_settle(struct request *r)
{
    const struct http_fields *in = &r->x->in.fields;
    const struct config_logger *logger =
        r->work.authority ? r->work.authority->core->config->logger : NULL;
    const char *trace = "X-Smallstep-Id";
    struct slice id = http_fields_get(in, "X-Request-Id");

    if (logger && logger->trace_header.n > 0)
        trace = arena_cstr(r->x->arena, logger->trace_header);
    if (!usable_id(id))
        id = http_fields_get(in, trace);
    if (!usable_id(id))
        id = uuid4(r->x->arena, r->work.services->rng);
    r->work.request_id = id;
    http_fields_set(&r->x->out.fields, r->x->arena, "X-Request-Id", id);
}

static struct slice first_of_list(struct slice list)
{
    return slice_trim(slice_sub(list, 0, slice_find(list, ',')));
}

/* For the log only: a client may claim any address. */
static struct slice remote_address(struct request *r, bool real_ip)
{
    const struct http_fields *in = &r->x->in.fields;
    struct ip ip;

    if (real_ip) {
        struct slice claimed = http_fields_get(in, "True-Client-IP");
        if (claimed.n == 0)
            claimed = http_fields_get(in, "X-Real-IP");
        if (claimed.n == 0)
            claimed = first_of_list(http_fields_get(in, "X-Forwarded-For"));
        if (ip_read(claimed, &ip))
            return claimed;
    }
    const struct peer *peer = r->x->in.peer;
    if (!peer)
        return SLICE("");
    return peer->text.p ? peer->text : ip_text(r->x->arena, &peer->address);
}

/* RFC 3339, whole seconds: as JSON has it, without the quotes. */
static struct slice stamp(struct arena *a, struct instant t)
{
    struct buf b = buf_new(a, 64);

    json_put_time(&b, t);
    return slice_sub(buf_slice(&b), 1, b.n - 2);
}

static struct slice or_empty(struct slice s)
{
    return s.p ? s : SLICE("");
}

void access_log_write(struct request *r, const struct access_log_options *o)
{
    struct http_exchange *x = r->x;
    struct clock *clock = r->work.services->clock;
    const struct config_logger *logger = r->work.authority->core->config->logger;
    int status = x->out.status ? x->out.status : 200;
    struct log_fields f = {0};
    enum log_format format;

    if (!logger || !log_format_read(logger->format, &format))
        return;
    if (o->quiet_health && status < 400 && slice_is(x->in.path, "/health"))
        return;
    int64_t ns = clock->mono_ns(clock) - x->started_mono_ns;
    log_put_text(&f, "request-id", r->work.request_id);
    log_put_text(&f, "remote-address", remote_address(r, o->real_ip));
    log_put_text(&f, "name", SLICE("ca"));
    log_put_text(&f, "user-id", SLICE(""));
    log_put_text(&f, "time", stamp(x->arena, x->started));
    log_put_int(&f, "duration-ns", ns);
    log_put_text(&f, "duration", duration_text(x->arena, ns));
    log_put_text(&f, "method", x->in.method_text);
    log_put_text(&f, "path", x->in.target);
    log_put_text(&f, "protocol", slice_text(x->in.protocol));
    log_put_int(&f, "status", status);
    log_put_int(&f, "size", x->in.method == HTTP_HEAD ? 0 : (int64_t)x->out.body.n);
    log_put_text(&f, "referer", or_empty(http_fields_get(&x->in.fields, "Referer")));
    log_put_text(&f, "user-agent", or_empty(http_fields_get(&x->in.fields, "User-Agent")));
    for (size_t i = 0; i < r->work.log.n && f.n < LOG_FIELDS_MAX; i++) {
        const struct log_field *extra = &r->work.log.fields[i];
        size_t at = 0;
        while (at < f.n && strcmp(f.fields[at].name, extra->name) != 0)
            at++;
        f.fields[at] = *extra;
        if (at == f.n)
            f.n++;
    }
    if (status >= 400 && r->work.err.kind != ERR_NONE)
        log_put_text(&f, "error", slice_text(r->work.err.text));
    enum log_level level = status >= 500   ? LOG_LEVEL_ERROR
                           : status >= 400 ? LOG_LEVEL_WARNING
                                           : LOG_LEVEL_INFO;
    log_record(format, level, clock->now(clock), &f);
}
