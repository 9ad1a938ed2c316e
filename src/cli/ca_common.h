/*
 * What the commands below `step ca` share: where the CA is and whom to believe, the key to make,
 * the certificate that is held already, template data, and one-time tokens.
 *
 * Functions that return bool leave their error in inv->err, so that a command ends with
 * `return fail(inv)`.
 */
#pragma once

#include "cli/cli.h"
#include "cli/terminal.h"
#include "client/ca.h"
#include "client/make_token.h"
#include "client/ssh.h"

extern const struct command CMD_CA, CMD_CA_HEALTH, CMD_CA_BOOTSTRAP, CMD_CA_ROOT, CMD_CA_ROOTS,
    CMD_CA_FEDERATION, CMD_CA_TOKEN, CMD_CA_CERTIFICATE, CMD_CA_SIGN, CMD_CA_RENEW, CMD_CA_REKEY,
    CMD_CA_REVOKE;

/* --- ca_common.c: the CA --------------------------------------------------------------------- */

/* invalid value 'V' for flag '--F'; why */
bool ca_cmd_bad_value(struct invocation *inv, const char *flag, const char *value, const char *why);
/* 'step ca …' requires the '--F' flag */
bool ca_cmd_required(struct invocation *inv, const char *flag);
/* The value of a text flag; NULL when absent or empty, or when the command does not list it. */
const char *ca_cmd_text(const struct invocation *inv, const char *flag);
/* --ca-url as "https://host[:port]". */
bool ca_cmd_url(struct invocation *inv, struct slice *url);
/* --root, else certs/root_ca.crt in the step path. */
bool ca_cmd_roots(struct invocation *inv, struct cert_list *roots);
/* Each certificate is an anchor. */
struct trust ca_cmd_trust(struct arena *a, const struct cert_list *roots);
/* Lives as long as the command. */
struct http_client *ca_cmd_http(struct invocation *inv);
/* A CA at that address under those roots. */
struct ca ca_cmd_ca(struct invocation *inv, struct slice url, const struct cert_list *roots);
/* --ca-url and --root: roots may be NULL. */
bool ca_cmd_connect(struct invocation *inv, struct ca *ca, struct cert_list *roots);
/* The CA that a token is for: address by --ca-url or its audience, the root by its claim sha; a
 * token without that needs --ca-url and --root. */
bool ca_cmd_connect_for(struct invocation *inv, const struct token *token, struct ca *ca);

/* --- ca_common.c: keys, certificates, data --------------------------------------------------- */

/* Password of the first of these flags (NULL-terminated, most important first) that the command
 * lists and that names a file that is not empty. */
bool ca_cmd_password(struct invocation *inv, const char *const *flags, struct slice *password);
/* A private key file of any kind, PEM or JOSE; its password as above or by prompt. */
bool ca_cmd_key_load(struct invocation *inv, const char *path, const char *const *password_flags,
                     struct jwk *jwk);
/* A certificate chain and its key. */
struct ca_held {
    struct cert_list chain;
    struct private_key *key;
    struct identity identity;
};
/* Puts chain and key together; false when the key is another one. */
bool ca_held_make(struct arena *a, const struct cert_list *chain, struct private_key *key,
                  const char *crt_name, const char *key_name, struct ca_held *held,
                  struct err *e) CHECKED;
bool ca_held_load(struct invocation *inv, const char *crt, const char *key,
                  const char *const *password_flags, struct ca_held *held);
/* --set and --set-file as one JSON object; empty when neither is given. */
bool ca_cmd_template_data(struct invocation *inv, struct slice *json);
/* The same without flags: file is JSON or empty. */
bool ca_template_data(struct arena *a, struct slice file, const char *file_name,
                      const struct slice *sets, size_t n_sets, struct slice *json,
                      struct err *e) CHECKED;
/* PEM CERTIFICATE REQUEST for a new key. */
bool ca_cmd_csr(struct arena *a, const struct private_key *key, struct slice common_name,
                const struct sans *sans, struct slice *pem, struct err *e) CHECKED;

/* --- ca_ott.c: what a one-time token is ------------------------------------------------------ */

enum ott_kind { OTT_UNKNOWN, OTT_JWK, OTT_OIDC, OTT_K8SSA, OTT_AWS, OTT_GCP, OTT_AZURE };
enum ott_kind ott_kind_of(const struct token *t);
/* The token says for whom it is: its subject must be the one that is asked for. */
static inline bool ott_binds_subject(enum ott_kind k)
{
    return k == OTT_JWK;
}
/* Common name and names of the request that goes with a token. */
struct ott_names {
    struct slice common_name;
    struct sans sans;
};
bool ott_names(struct arena *a, const struct token *t, struct slice subject,
               const struct slice *sans, size_t n_sans, struct ott_names *out,
               struct err *e) CHECKED;
/* Reads --token's value; the kind must be one that is known. */
bool ott_read(struct arena *a, struct slice text, struct token *t, enum ott_kind *kind,
              struct err *e) CHECKED;
/* Union without empty texts and repetitions, in order. */
size_t names_join(struct slice *out, size_t n, const struct slice *more, size_t n_more);

/* --- ca_token_flow.c: making tokens ---------------------------------------------------------- */

enum token_kind {
    TOKEN_SIGN,
    TOKEN_RENEW,
    TOKEN_REVOKE,
    TOKEN_SSH_SIGN,
    TOKEN_SSH_RENEW,
    TOKEN_SSH_REKEY,
    TOKEN_SSH_REVOKE
};
struct ssh_held; /* ssh_common.h */
struct token_order {
    enum token_kind kind;
    struct slice subject;
    const struct slice *sans;
    size_t n_sans;
    struct slice cnf;  /* digest of the request, base64url; empty: none */
    struct slice user; /* JSON object; empty: none */
    struct time_or_duration not_before, not_after;
    bool own_key; /* --key is the provisioner's key */
    /* TOKEN_SSH_SIGN: the request that the token is for; its claim step.ssh says the same. */
    const struct ca_ssh_sign_wish *ssh;
    /* An SSH certificate that speaks for itself (SSHPOP); NULL: --sshpop-cert and --sshpop-key. */
    const struct ssh_held *held;
    /* Flags whose files may open the provisioner's key, NULL-terminated; NULL: all three. */
    const char *const *passwords;
    /* `certificate` and `sign` can do without a token: when an ACME provisioner is chosen, its name
     * goes here and *token is absent. */
    struct slice *acme;
};
/* Where provisioners come from. */
struct token_source {
    struct ca *ca;     /* NULL: offline */
    struct slice base; /* of audiences: "https://ca.test:9000/1.0" */
    struct slice root_fingerprint;
    const struct json **provisioners;
    size_t n;
    const struct json *only; /* not NULL: there is no choice */
};
/* Asks the CA for its provisioners. */
bool token_source_online(struct invocation *inv, struct ca *ca, const struct cert_list *roots,
                         struct token_source *source);
/* --ca-config, else the flags that take its place (--provisioner, --key, --root, --ca-url). */
bool token_source_offline(struct invocation *inv, struct token_source *source);
/* Chooses a provisioner and signs. */
bool token_flow(struct invocation *inv, const struct token_source *source,
                const struct token_order *order, struct slice *token);
/* Validity of a token: by default five minutes; 10 s … 1 h, begins within 30 minutes. */
bool token_validity(const struct token_order *order, struct instant now, struct instant *begin,
                    struct instant *end, struct err *e) CHECKED;
/* "https://ca.test:9000/1.0" and kind -> "https://ca.test:9000/1.0/sign", with a fragment when
 * there is one. */
struct slice token_audience(struct arena *a, struct slice base, enum token_kind kind,
                            struct slice fragment);

/* ca_login.c: logs in at the provider of an OIDC provisioner; the identity token. */
bool token_by_login(struct invocation *inv, const struct json *provisioner, struct slice *token);

/* --- ca_select.c: which provisioner ---------------------------------------------------------- */

/* Canonical name of a provisioner's type; NULL when this version does not know it. */
const char *provisioner_type_name(const struct json *provisioner);
/* "ops (JWK) [kid: …]" */
struct slice provisioner_label(struct arena *a, const struct json *provisioner);
/* Flags narrow the list down; the rest is asked for. */
bool provisioner_select(struct invocation *inv, const struct json *const *list, size_t n,
                        const struct json **chosen);

/* --- ca_revoke.c ----------------------------------------------------------------------------- */

/* RFC 5280 5.3.1: a number 0..10 or a name, whatever its case and blanks; absent or empty: 0. */
bool revoke_reason_read(struct slice text, int *code, struct err *e) CHECKED;
