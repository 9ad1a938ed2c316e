/*
 * Issuance policies: which names may stand in a certificate (docs/reference/policies.md).
 * A policy is rules read once and names judged; it knows neither configuration files nor
 * certificates.
 */
#pragma once

#include "x509/names.h"
#include "json/json.h"

enum policy_kind {
    POLICY_CN,
    POLICY_DNS,
    POLICY_IP,
    POLICY_EMAIL,
    POLICY_URI,
    POLICY_PRINCIPAL,
    POLICY_KINDS
};
enum policy_use { POLICY_X509, POLICY_SSH_USER, POLICY_SSH_HOST };

struct policy; /* immutable */

/* v: {"allow":{"dns":[…],…},"deny":{…},"allowWildcardNames":bool} as ca.json has it.  *policy is
 * NULL when no rule is there (no policy: everything is allowed).  A bad rule is ERR_MALFORMED and
 * names it.  path is for messages: "authority.policy.x509". */
bool policy_read(struct arena *a, const struct json *v, enum policy_use use, const char *path,
                 const struct policy **policy, struct err *e) CHECKED;

/* One engine for each kind of certificate; NULL: no rule for it. */
struct policy_set {
    const struct policy *x509, *ssh_user, *ssh_host;
};
/* v: {"x509":{…},"ssh":{"user":{…},"host":{…}}}; absent and null: nothing.  path is for messages:
 * "options.policy", or "". */
bool policy_set_read(struct arena *a, const struct json *v, const char *path,
                     struct policy_set *out, struct err *e) CHECKED;

/* Tells, one note at a time, what is not wrong but perhaps not meant: settings without effect.  v
 * as for policy_set_read, which has accepted it. */
typedef void policy_note_fn(void *arg, const char *text);
void policy_notes(struct arena *a, const struct json *v, const char *path, policy_note_fn *note,
                  void *arg);

/* Every name, then the common name (X.509 only; empty: skipped).  ERR_FORBIDDEN names what is not
 * allowed.  A user principal name counts as an email address; other kinds that no rule can name
 * are not allowed where any rule allows something, but those of devices are not judged.  policy
 * NULL: everything is allowed. */
bool policy_check_x509(struct arena *a, const struct policy *p, const struct sans *names,
                       struct slice common_name, struct err *e) CHECKED;
/* Principals of an SSH certificate; p of POLICY_SSH_USER or POLICY_SSH_HOST. */
bool policy_check_ssh(struct arena *a, const struct policy *p, const struct slice *principals,
                      size_t n, struct err *e) CHECKED;
/* One name of a known kind (ACME identifiers). */
bool policy_check_name(struct arena *a, const struct policy *p, enum policy_kind kind,
                       struct slice name, struct err *e) CHECKED;
