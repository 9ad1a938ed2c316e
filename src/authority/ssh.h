/*
 * The SSH certificate authority (docs/reference/ssh.md): its keys, what it publishes, and the steps
 * of issuance, renewal and revocation.
 */
#pragma once

#include "authority/work.h"
#include "ssh/cert.h"

struct ssh_bastion {
    struct slice hostname, user, port, cmd, flags; /* hostname empty: no bastion */
};
/* Files for `step ssh config`: templates.ssh of ca.json, or the built-in ones. */
struct ssh_file {
    struct slice name, type, path, comment;
    const char *source; /* absolute path of the template; NULL: `text` (or a directory) */
    const struct template *parsed; /* of a built-in one */
    const struct slice *requires;
    size_t n_requires;
};
struct ssh_files {
    struct ssh_file *user, *host;
    size_t n_user, n_host;
    const struct json *data; /* templates.data, or NULL */
};

/* The key that signs one type of certificate. */
struct ssh_signer {
    struct signer *signer; /* NULL: this type is not issued */
    struct ssh_key key;
};
/* Of a snapshot.  Present when ca.json has `ssh`, be it empty. */
struct ssh_ca {
    struct ssh_signer user, host;
    struct ssh_trust roots, federation;                /* as published; the signing key first */
    struct slice add_user_principal, add_user_command; /* defaults applied */
    struct ssh_bastion bastion;
    struct ssh_files files;
    struct slice roots_json, federation_json; /* finished bodies; n == 0: 404 */
};
static inline const struct ssh_signer *ssh_signer_for(const struct ssh_ca *ca, uint32_t type)
{
    return type == SSH_HOST ? &ca->host : &ca->user;
}

/* --- ssh_sign.c, ssh_renew.c, ssh_revoke.c --------------------------------------------------- */

struct ssh_request {
    struct ssh_key key;
    struct ssh_wish wish;
    const struct json *user; /* templateData of the request, or NULL */
};
struct ssh_issued {
    struct ssh_cert cert; /* blob and ca included */
    const struct provisioner *by;
};
/* Step by step as docs/reference/ssh.md "Issuance" says; the record is put into the batch.
 * NOT_IMPLEMENTED without the key that is needed. */
bool ssh_sign(struct work *w, const struct grant *g, const struct ssh_request *r,
              struct ssh_issued *out) CHECKED;
/* The add-user certificate that goes with a user's.  *made false: this one has none. */
bool ssh_add_user(struct work *w, const struct grant *g, const struct ssh_issued *user,
                  const struct ssh_key *key, struct ssh_issued *out, bool *made) CHECKED;
/* g->ssh.held is renewed; key NULL: with its own key, else rekey with that one. */
bool ssh_renew(struct work *w, const struct grant *g, const struct ssh_key *key,
               struct ssh_issued *out) CHECKED;
struct ssh_revocation {
    struct slice serial; /* as the request has it */
    int reason_code;
    struct slice reason;
    const struct grant *grant;
};
/* FORBIDDEN when the token is about another serial; NOT_IMPLEMENTED without a database. */
bool ssh_revoke(struct work *w, const struct ssh_revocation *r) CHECKED;
/* Adds serial, principals, … of docs/reference/logging.md. */
void log_ssh_issued(struct work *w, const struct ssh_issued *i);

/* --- ssh_hosts.c ----------------------------------------------------------------------------- */

/* A host certificate with that principal (any case) was issued once. */
bool ssh_host_known(struct work *w, struct slice principal, bool *known) CHECKED;
/* Calls visit for each principal that an unexpired host certificate holds, in key order. */
typedef bool ssh_host_fn(struct slice name, void *arg);
bool ssh_hosts(struct work *w, ssh_host_fn *visit, void *arg) CHECKED;

/* --- ssh_files.c: what `step ssh config` writes ---------------------------------------------- */

/* Renders all files of a type.  data: JSON object of texts from the request, or NULL.  A `requires`
 * name that data has not: MALFORMED, the message shows --set.  out: "userTemplates" or
 * "hostTemplates" as a whole JSON body. */
bool ssh_files_render(struct work *w, uint32_t type, const struct json *data,
                      struct slice *body) CHECKED;

/* --- ssh_krl.c ------------------------------------------------------------------------------- */

/* The current list of revoked SSH certificates, as bytes for sshd's RevokedKeys.  Kept in memory
 * and made anew when a revocation was added. */
bool ssh_krl_current(struct work *w, struct slice *bytes) CHECKED;
/* A revocation is on its way into the store: the list of the next seconds is made anew. */
void ssh_krl_revoked(struct services *s);

/* --- ssh_ca.c: made once for a snapshot (core_build) ----------------------------------------- */

struct core_passwords;
/* ssh and templates of the configuration; *out NULL when there is no `ssh`.  Errors name the key of
 * ca.json. */
bool ssh_ca_build(struct arena *a, struct arena *secrets, const struct config *config,
                  const struct core_passwords *passwords, const struct services *s,
                  struct ssh_ca **out, struct err *e) CHECKED;
