/* What a CA tells everybody who asks, over the network or with --offline in this process. */
#pragma once

#include "cli/ssh_common.h"

/* --ca-url and --root, or --offline and --ca-config. */
bool ssh_published_open(struct invocation *inv, struct ssh_desk *d);

/* As in client/ssh.h; errors stay in inv->err. */
bool ssh_published_keys(struct ssh_desk *d, bool federation, struct ssh_trust *out);
bool ssh_published_files(struct ssh_desk *d, uint32_t type, struct slice data,
                         struct ca_ssh_file **files, size_t *n);
bool ssh_published_host(struct ssh_desk *d, struct slice host, bool *exists);
bool ssh_published_hosts(struct ssh_desk *d, struct ca_ssh_host **v, size_t *n);
bool ssh_published_krl(struct ssh_desk *d, struct slice *krl);
