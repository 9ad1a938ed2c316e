/*
 * An ssh-agent over its socket ($SSH_AUTH_SOCK).  Every wait has an end; answers are bounded.
 */
#pragma once

#include "ssh/agent.h"

struct agent {
    int fd;
    int64_t timeout_ns; /* of one request; 0: 60 s (an agent may ask its user) */
};
/* path: NULL or empty: ERR_NOT_FOUND "SSH_AUTH_SOCK is not set"; nobody there: ERR_UNAVAILABLE. */
bool agent_open(const char *path, struct agent *agent, struct err *e) CHECKED;
void agent_close(struct agent *agent);
bool agent_list(struct agent *g, struct arena *a, struct ssh_identity **v, size_t *n,
                struct err *e) CHECKED;
/* Forgotten when the certificate ends; expired: ERR_MALFORMED before anything is sent. */
bool agent_add(struct agent *g, const struct private_key *key, const struct ssh_cert *cert,
               struct slice comment, struct instant now, struct err *e) CHECKED;
bool agent_remove(struct agent *g, struct slice blob, struct err *e) CHECKED;
bool agent_remove_all(struct agent *g, struct err *e) CHECKED;
bool agent_sign(struct agent *g, struct arena *a, struct slice blob, struct slice data,
                uint32_t flags, struct slice *signature, struct err *e) CHECKED;
