/* The SSH half of a new authority (docs/reference/ssh-configuration.md "A new CA"). */
#pragma once

#include "crypto/keyfile.h"
#include "json/json.h"

/* A fresh P-256 key: the line for its .pub file, and its file under the password. */
bool pki_ssh_key(struct arena *a, struct arena *secrets, struct slice password, struct slice *line,
                 struct slice *pem, struct err *e) CHECKED;

/* Files of templates that `step ssh config` is answered with: the built-in ones, to be changed. */
struct pki_ssh_template {
    const char *path; /* below the step path */
    struct slice content;
};
#define PKI_SSH_TEMPLATES 6
void pki_ssh_templates(struct arena *a, struct pki_ssh_template out[PKI_SSH_TEMPLATES]);

/* `ssh` and `templates` of ca.json, claims that switch SSH on, and the provisioner for renewal. */
struct json *pki_ssh_object(struct arena *a, const char *host_key, const char *user_key);
struct json *pki_ssh_templates_object(struct arena *a);
struct json *pki_ssh_claims(struct arena *a);
struct json *pki_sshpop_provisioner(struct arena *a, const char *name);
