/* Handlers that the route table names. */
#pragma once

#include "api/route.h"

enum outcome act_health(struct request *r);
enum outcome act_ready(struct request *r);
enum outcome act_version(struct request *r);
enum outcome act_root(struct request *r);
enum outcome act_roots(struct request *r);
enum outcome act_roots_pem(struct request *r);
enum outcome act_intermediates(struct request *r);
enum outcome act_intermediates_pem(struct request *r);
enum outcome act_federation(struct request *r);
enum outcome act_provisioners(struct request *r);
enum outcome act_encrypted_key(struct request *r);
enum outcome act_crl(struct request *r);
/* From the request's head to the answer, and from there until it has left. */
#define METRICS_SECONDS 5
enum outcome act_metrics(struct request *r);

bool authorize_sign(struct request *r);
enum outcome act_sign(struct request *r);
bool authorize_renew(struct request *r);
enum outcome act_renew(struct request *r);
bool authorize_rekey(struct request *r);
enum outcome act_rekey(struct request *r);
bool authorize_revoke(struct request *r);
enum outcome act_revoke(struct request *r);
bool then_revoke(struct request *r);

bool authorize_ssh_sign(struct request *r);
enum outcome act_ssh_sign(struct request *r);
bool authorize_ssh_renew(struct request *r);
enum outcome act_ssh_renew(struct request *r);
bool authorize_ssh_rekey(struct request *r);
enum outcome act_ssh_rekey(struct request *r);
bool authorize_ssh_revoke(struct request *r);
enum outcome act_ssh_revoke(struct request *r);
enum outcome act_ssh_roots(struct request *r);
enum outcome act_ssh_federation(struct request *r);
enum outcome act_ssh_krl(struct request *r);
enum outcome act_ssh_config(struct request *r);
enum outcome act_ssh_check_host(struct request *r);
enum outcome act_ssh_hosts(struct request *r);
enum outcome act_ssh_bastion(struct request *r);

/* The client's leaf from the handshake; *leaf NULL when it gave none. */
bool client_certificate(struct request *r, struct cert **leaf) CHECKED;
/* The body as shape says; out zeroed by the caller.  MALFORMED. */
bool body_read(struct request *r, const struct shape *shape, void *out) CHECKED;
/* First PEM block of a JSON member, whatever its label; its signature verified.  MALFORMED. */
bool csr_member(struct request *r, struct slice text, struct csr **csr) CHECKED;
