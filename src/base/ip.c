/*
 * IP addresses.  inet_pton does the reading (it is strict: four decimal numbers without leading
 * zeros, RFC 4291 text without zone), the printing is ours, because inet_ntop writes some IPv6
 * addresses with an embedded dotted quad where RFC 5952 section 5 leaves the choice open and
 * certificates, logs and audiences must all show one form.
 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool ip_read(struct slice text, struct ip *ip)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[16];

    if (!text.n || text.n >= sizeof(copy) || slice_has_nul(text))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    *ip = (struct ip){0};
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        memcpy(ip->bytes, bytes, 4);
        ip->n = 4;
        return true;
    }
    if (inet_pton(AF_INET6, copy, bytes) != 1)
        return false;
    bool mapped = memcmp(bytes, MAPPED, sizeof(MAPPED)) == 0;
    ip->n = mapped ? 4 : 16;
    memcpy(ip->bytes, bytes + (mapped ? 12 : 0), ip->n);
    return true;
}

static unsigned group(const struct ip *ip, size_t i)
{
    return (unsigned)ip->bytes[2 * i] << 8 | ip->bytes[2 * i + 1];
}

/* The longest run of at least two zero groups, the first of equals (RFC 5952 4.2). */
static size_t zero_run(const struct ip *ip, size_t *length)
{
    size_t best = 8;

    *length = 1;
    for (size_t i = 0; i < 8; i++) {
        size_t n = 0;
        while (i + n < 8 && group(ip, i + n) == 0)
            n++;
        if (n > *length) {
            best = i;
            *length = n;
        }
    }
    return best;
}

struct slice ip_text(struct arena *a, const struct ip *ip)
{
    char text[INET6_ADDRSTRLEN];
    size_t at = 0, length, run;

    if (ip->n == 4)
        return arena_format(a, "%u.%u.%u.%u", ip->bytes[0], ip->bytes[1], ip->bytes[2],
                            ip->bytes[3]);
    run = zero_run(ip, &length);
    for (size_t i = 0; i < 8; i++) {
        if (i == run) {
            text[at++] = ':';
            if (i == 0)
                text[at++] = ':';
            i += length - 1;
            continue;
        }
        at += (size_t)snprintf(text + at, sizeof(text) - at, i < 7 ? "%x:" : "%x", group(ip, i));
    }
    return arena_copy(a, slice_of(text, at));
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
    return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}
