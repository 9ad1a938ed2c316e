/* The SSH part of a CA's API (docs/reference/ssh.md), from outside. */
#pragma once

#include "client/ca.h"
#include "ssh/cert.h"

struct ca_ssh_sign_wish {
    struct slice public_key; /* blob */
    struct slice ott, type, key_id;
    const struct slice *principals;
    size_t n_principals;
    struct slice valid_after, valid_before; /* as typed; empty: unset */
    struct slice add_user_key;              /* blob, or empty */
    struct slice identity_csr;              /* PEM, or empty */
    struct slice template_data;             /* JSON, or empty */
};
struct ca_ssh_reply {
    struct slice crt, add_user_crt; /* blobs; add_user_crt may be absent */
    struct cert_list identity;      /* may be empty */
};
bool ca_ssh_sign(struct ca *ca, struct arena *a, const struct ca_ssh_sign_wish *wish,
                 struct ca_ssh_reply *reply, struct err *e) CHECKED;
bool ca_ssh_renew(struct ca *ca, struct arena *a, struct slice ott, struct ca_ssh_reply *reply,
                  struct err *e) CHECKED;
bool ca_ssh_rekey(struct ca *ca, struct arena *a, struct slice ott, struct slice public_key,
                  struct ca_ssh_reply *reply, struct err *e) CHECKED;
bool ca_ssh_revoke(struct ca *ca, struct arena *a, const struct ca_revoke_wish *wish,
                   struct err *e) CHECKED;
/* NOT_FOUND when the CA publishes none. */
bool ca_ssh_roots(struct ca *ca, struct arena *a, bool federation, struct ssh_trust *out,
                  struct err *e) CHECKED;
struct ca_ssh_file {
    struct slice name, type, path, comment, content;
};
/* What an answer to /ssh/config holds. */
bool ca_ssh_files_read(struct arena *a, const struct json *reply, uint32_t type,
                       struct ca_ssh_file **files, size_t *n, struct err *e) CHECKED;
/* data: JSON object of texts. */
bool ca_ssh_config(struct ca *ca, struct arena *a, uint32_t type, struct slice data,
                   struct ca_ssh_file **files, size_t *n, struct err *e) CHECKED;
bool ca_ssh_check_host(struct ca *ca, struct arena *a, struct slice host, struct slice token,
                       bool *exists, struct err *e) CHECKED;
struct ca_ssh_host {
    struct slice id, name, tags; /* tags: "a=b,c=d" */
};
bool ca_ssh_hosts(struct ca *ca, struct arena *a, struct ca_ssh_host **v, size_t *n,
                  struct err *e) CHECKED;
struct ca_ssh_bastion {
    struct slice hostname, user, port, cmd, flags; /* hostname empty: none */
};
bool ca_ssh_bastion(struct ca *ca, struct arena *a, struct slice user, struct slice host,
                    struct ca_ssh_bastion *out, struct err *e) CHECKED;
/* The revocation list of our own server (GET /ssh/krl), up to 256 MiB and, unless the CA has a time
 * limit of its own, for ten minutes; NOT_FOUND from others. */
bool ca_ssh_krl(struct ca *ca, struct arena *a, struct slice *krl, struct err *e) CHECKED;
