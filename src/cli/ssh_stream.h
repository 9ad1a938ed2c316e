/* The way to a host that `step ssh proxycommand` is. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct ssh_target {
    struct slice user, host, port;
};
/* The command on the bastion: %h, %p, %r and %% replaced; cmd empty: "nc %h %p".  Words that a
 * shell could take for more than words are refused. */
bool ssh_bastion_command(struct arena *a, struct slice cmd, const struct ssh_target *t,
                         struct slice *out, struct err *e) CHECKED;
/* TCP, each address in turn; non-blocking. */
bool ssh_stream_open(struct arena *a, const struct ssh_target *t, int *fd, struct err *e) CHECKED;
/* Copies in to the socket and the socket to out.  The end of in is passed on and the other
 * direction goes on; returns when the socket has ended (everything of it is written by then) or
 * when out takes no more.  SIGPIPE must be ignored. */
bool ssh_stream_copy(int socket, int in, int out, struct err *e) CHECKED;
