/*
 * Names of challenge types, and what the validations share: bounds and results.
 */
#include "acme/validate_internal.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const NAMES[ACME_CHALLENGE_TYPES] = {
    [ACME_HTTP_01] = "http-01",
    [ACME_DNS_01] = "dns-01",
    [ACME_TLS_ALPN_01] = "tls-alpn-01",
    [ACME_DEVICE_ATTEST_01] = "device-attest-01",
};

const char *acme_challenge_name(enum acme_challenge_type t)
{
    return (unsigned)t < ACME_CHALLENGE_TYPES ? NAMES[t] : "unknown";
}

bool acme_challenge_find(struct slice name, enum acme_challenge_type *t)
{
    for (unsigned i = 0; i < ACME_CHALLENGE_TYPES; i++) {
        if (slice_is_case(name, NAMES[i])) {
            *t = (enum acme_challenge_type)i;
            return true;
        }
    }
    return false;
}

struct deadline validation_deadline(const struct acme_validation_settings *s, struct deadline d)
{
    struct deadline mine = deadline_in(s->clock, VALIDATION_NS);

    if (d.clock && deadline_left(d) < deadline_left(mine))
        return d;
    mine.cancelled = d.cancelled;
    return mine;
}

static bool is_name(struct slice s)
{
    static const char MORE[] = "-_.";

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && !memchr(MORE, c, sizeof(MORE) - 1))
            return false;
    }
    return s.n > 0;
}

bool validation_name_ok(const struct acme_validation *v, struct ip *ip, struct err *e)
{
    *ip = (struct ip){.n = 0};
    if (v->ip)
        return ip_read(v->value, ip) ||
               err_set(e, ERR_MALFORMED, "identifier: expected an IP address (RFC 8738 3)");
    return is_name(v->value) ||
           err_set(e, ERR_MALFORMED, "identifier: expected a DNS name (RFC 8555 7.1.4)");
}

struct slice validation_rooted(struct arena *a, struct slice name, bool rooted)
{
    return rooted && !slice_ends(name, ".") ? arena_format(a, "%.*s.", SLICE_ARG(name)) : name;
}

struct acme_result validation_valid(void)
{
    return (struct acme_result){.verdict = ACME_VALID};
}

struct acme_result validation_failed(struct arena *a, enum acme_verdict verdict,
                                     const char *problem, const struct err *e)
{
    return (struct acme_result){verdict, problem, arena_copy(a, slice_text(e->text))};
}

/* By way of struct err: its text is one printable line, whatever a peer put into it. */
struct acme_result validation_result(struct arena *a, enum acme_verdict verdict,
                                     const char *problem, const char *fmt, ...)
{
    char text[sizeof(((struct err *)0)->text) + 1];
    struct err e = {0};
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    err_set(&e, ERR_MALFORMED, "%s", text);
    return validation_failed(a, verdict, problem, &e);
}
