/* IP addresses: 4 or 16 bytes. */
#pragma once

#include "base/arena.h"
#include "base/slice.h"

struct ip {
    uint8_t bytes[16];
    uint8_t n; /* 4 or 16; an IPv4-mapped IPv6 literal reads as 4 */
};
/* Strict dotted quad (no leading zeros) or RFC 4291 text; no zone, no brackets. */
bool ip_read(struct slice text, struct ip *ip) CHECKED;
/* RFC 5952 text. */
struct slice ip_text(struct arena *a, const struct ip *ip);
bool ip_eq(const struct ip *a, const struct ip *b);
