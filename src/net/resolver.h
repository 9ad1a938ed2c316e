/*
 * Names looked up by us: the servers of /etc/resolv.conf, or the one that --resolver names.
 * Blocking with declared waits, any thread.  In tests a table of answers.
 */
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "base/pool.h"

struct ip_list {
    struct ip *v;
    size_t n;
};
struct text_list {
    struct slice *v; /* each TXT record, its strings joined */
    size_t n;
};
struct resolver {
    /* A and AAAA (also /etc/hosts).  ERR_NOT_FOUND "NAME: no such name", ERR_UNAVAILABLE
     * "NAME: SERVER answered SERVFAIL", "… cannot be reached", …, ERR_TIMEOUT. */
    bool (*addresses)(struct resolver *, struct slice name, struct arena *, struct ip_list *,
                      struct deadline, struct err *);
    /* CNAMEs are followed; at most 256 records. */
    bool (*txt)(struct resolver *, struct slice name, struct arena *, struct text_list *,
                struct deadline, struct err *);
};
/* server: "host:port" (an IP literal), or NULL for the system's.  c-ares; UDP, TCP when cut. */
struct resolver *resolver_new(const char *server, struct err *e) CHECKED;
void resolver_free(struct resolver *r);
/* n 0: neither IPv4 nor IPv6. */
struct sockaddr;
struct ip ip_of_sockaddr(const struct sockaddr *sa);
