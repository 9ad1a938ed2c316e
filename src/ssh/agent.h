/*
 * Messages of the ssh-agent protocol (draft-ietf-sshm-ssh-agent), client's side: values <-> bytes.
 * The socket is client/agent.h's.  Messages are without the length that precedes them.
 */
#pragma once

#include "crypto/secret.h"
#include "ssh/cert.h"

#define SSH_AGENT_MESSAGE_MAX (256u << 10)

struct ssh_identity {
    struct slice blob, comment;
};
/* Key with or without certificate (cert.p NULL: none), to be forgotten after lifetime seconds (0:
 * never).  Contains private parts: b belongs to secret memory.  ERR_MALFORMED when the key is not
 * the certificate's. */
bool ssh_agent_put_add(struct buf *b, const struct private_key *key, const struct ssh_cert *cert,
                       struct slice comment, uint32_t lifetime, struct arena *secrets,
                       struct err *e) CHECKED;
void ssh_agent_put_list(struct buf *b);
void ssh_agent_put_remove(struct buf *b, struct slice blob);
void ssh_agent_put_remove_all(struct buf *b);
void ssh_agent_put_sign(struct buf *b, struct slice blob, struct slice data, uint32_t flags);
/* Answers. ERR_MALFORMED; SSH_AGENT_FAILURE: ERR_FORBIDDEN "the agent refused". */
bool ssh_agent_read_success(struct slice message, struct err *e) CHECKED;
bool ssh_agent_read_list(struct arena *a, struct slice message, struct ssh_identity **v, size_t *n,
                         struct err *e) CHECKED;
bool ssh_agent_read_signature(struct slice message, struct slice *blob, struct err *e) CHECKED;
