/* From when and until when an SSH certificate is valid: docs/reference/ssh.md "Validity".  Values
 * come from requests, tokens and templates; every sum is checked. */
#include "authority/ssh_internal.h"

#include <stdio.h>

static const char *time_text(uint64_t sec, char out[24])
{
    if (sec == SSH_FOREVER)
        return "for ever";
    snprintf(out, 24, "%llu", (unsigned long long)sec);
    return out;
}

/* a + b, or the last second before SSH_FOREVER. */
static uint64_t add(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) || sum == SSH_FOREVER ? SSH_FOREVER - 1 : sum;
}

bool ssh_times_wish(const struct time_or_duration *wish, struct instant now, const char *name,
                    uint64_t *sec, struct err *e)
{
    if (!wish->set)
        return true;
    struct instant at = time_or_duration_from(wish, now);
    if (at.sec <= 0)
        return err_set(e, ERR_MALFORMED, "%s is before 1970-01-01T00:00:01Z", name);
    *sec = (uint64_t)at.sec;
    return true;
}

static bool beyond(struct err *e, const char *what, uint64_t sec, uint64_t ceiling)
{
    char have[24], end[24];

    return err_set(e, ERR_FORBIDDEN,
                   "the certificate would %s (%s) after the credential ends (%s, Unix seconds)",
                   what, time_text(sec, have), time_text(ceiling, end));
}

bool ssh_times_settle(const struct ssh_times_rules *rules, struct ssh_times *t, struct err *e)
{
    uint64_t backdate = t->after == 0 ? rules->backdate : 0;

    if (t->after == 0)
        t->after = rules->now;
    if (rules->limited && t->after > rules->ceiling)
        return beyond(e, "begin", t->after, rules->ceiling);
    if (rules->limited && t->before > rules->ceiling)
        return beyond(e, "end", t->before, rules->ceiling);
    if (t->before == 0) {
        t->before = add(t->after, rules->usual);
        if (rules->limited && t->before > rules->ceiling)
            t->before = rules->ceiling;
    }
    if (t->after > backdate)
        t->after -= backdate;
    return true;
}

/* Whole seconds against nanoseconds: at least so many, at most so many. */
static bool check_length(uint64_t length, const struct duration_limits *limits, int64_t backdate_ns,
                         struct err *e)
{
    uint64_t least = ((uint64_t)limits->least + (uint64_t)NS_PER_SEC - 1) / (uint64_t)NS_PER_SEC;
    uint64_t most = ((uint64_t)limits->most + (uint64_t)backdate_ns) / (uint64_t)NS_PER_SEC;
    char bound[DURATION_TEXT_MAX], have[24];

    if (length < least) {
        duration_put(bound, limits->least);
        return err_set(e, ERR_FORBIDDEN,
                       "the certificate's duration of %s seconds is less than the authorized %s",
                       time_text(length, have), bound);
    }
    if (length > most) {
        duration_put(bound, limits->most);
        return err_set(e, ERR_FORBIDDEN,
                       "the certificate's duration of %s seconds is more than the authorized %s",
                       time_text(length, have), bound);
    }
    return true;
}

bool ssh_times_check(const struct ssh_times *t, uint64_t now, const struct duration_limits *limits,
                     int64_t backdate_ns, struct err *e)
{
    char have[24];

    if (t->after == 0)
        return err_set(e, ERR_MALFORMED, "validAfter is not set");
    if (t->before < now)
        return err_set(e, ERR_MALFORMED, "validBefore (%s, Unix seconds) is in the past",
                       time_text(t->before, have));
    if (t->before < t->after)
        return err_set(e, ERR_MALFORMED, "validBefore is before validAfter");
    if (t->before == SSH_FOREVER)
        return err_set(e, ERR_FORBIDDEN, "no certificate is valid for ever");
    return check_length(t->before - t->after, limits, backdate_ns, e);
}
