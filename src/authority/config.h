/*
 * ca.json: read, defaults applied, validated (docs/reference/configuration.md).  Every key is
 * either honoured or refused with a message that names it and its line; unknown keys are warned
 * about and kept when the file is rewritten.
 */
#pragma once

#include "base/clock.h"
#include "policy/policy.h"
#include "provisioner/claims.h"
#include "json/shape.h"

struct store;
struct config_db {
    struct slice type, data_source, value_dir, database, badger_file_loading_mode;
    /* Ours (docs/reference/storage.md): */
    bool inventory;                /* on a server: make the tables of the inventory */
    int64_t max_open, max_idle;    /* connections to a server; 0: the usual */
    struct opt_duration lifetime;  /* of such a connection */
    struct opt_duration retention; /* of certificates, after their end; 0 or absent: for ever */
};
struct config_logger {
    struct slice format, trace_header;
};
struct config_tls {
    struct texts cipher_suites;
    double min_version, max_version;
    bool renegotiation;
};
struct config_crl {
    bool enabled, generate_on_revoke;
    struct opt_duration cache_duration, renew_period;
    struct slice idp_url;
};
/* ssh: which keys sign, what else is published (docs/reference/ssh-configuration.md). */
struct config_ssh_key {
    struct slice type; /* "host" or "user" */
    bool federated;
    const struct json *key; /* a public JWK */
};
struct config_bastion {
    struct slice hostname, user, port, cmd, flags;
};
struct config_ssh {
    struct slice host_key, user_key;
    struct objects keys; /* of struct config_ssh_key */
    struct slice add_user_principal, add_user_command;
    struct config_bastion *bastion;
};
/* templates: what `step ssh config` writes instead of the usual files. */
struct config_ssh_file {
    struct slice name, type, source, path, comment; /* source: "template" in the file */
    struct texts requires;
};
struct config_ssh_files {
    struct objects user, host; /* of struct config_ssh_file */
};
struct config_templates {
    struct config_ssh_files *ssh;
    const struct json *data;
};
struct config_subject {
    struct slice country, organization, organizational_unit, locality, province, street_address,
        serial_number, common_name;
};
struct config_authority {
    struct slice type, certificate_authority, certificate_authority_fingerprint, credentials_file;
    const struct json *certificate_issuer, *cas_config;
    struct slice authority_id, deployment_type;
    const struct json *provisioners; /* the list as it stands */
    struct config_subject *subject;  /* "template" */
    struct claims_config *claims;
    const struct json *policy;
    struct texts template_functions;
    bool disable_issued_at_check;
    struct opt_duration backdate;
    bool enable_admin, disable_get_ssh_hosts;
    struct slice password;
};
struct config {
    struct texts root, federated_roots;
    struct slice crt, key, address, insecure_address, metrics_address;
    struct texts dns_names;
    bool dns_names_given;
    const struct json *kms, *monitoring;
    struct config_ssh *ssh;             /* NULL: no SSH */
    struct config_templates *templates; /* NULL: the built-in files */
    struct config_logger *logger;
    struct config_db *db;
    struct config_authority authority;
    struct config_tls tls;
    struct slice password; /* top level, or authority.password with a warning */
    struct slice common_name;
    struct config_crl *crl;

    /* Not in the file: */
    const char *path;     /* as given */
    struct json *tree;    /* the file as read: provisioner listings and rewriting come from it */
    struct slice db_text; /* canonical text of the db member: a reload must not change it */
    int64_t backdate;     /* ns, default applied */
    int64_t crl_cache, crl_renew; /* ns, defaults applied */
};
/* What db.type says, in any case. */
enum db_kind { DB_UNKNOWN, DB_SQLITE, DB_BADGER, DB_BBOLT, DB_MYSQL, DB_POSTGRESQL };
enum db_kind db_kind_of(struct slice type);
/* The SQLite file that serves a database of these kinds: itself, in the Badger directory, or beside
 * the bbolt file.  NULL: it is none of them. */
const char *db_file(struct arena *a, enum db_kind kind, struct slice data_source);
/* The same for those who use the database besides the service: NULL and an error also when an
 * older database waits there to be imported, unless that is what they do. */
const char *db_file_ready(struct arena *a, const struct config *c, bool import,
                          struct err *e) CHECKED;
/* The server that the configuration names (mysql, postgresql). */
struct store *db_server_open(const struct config_db *db, bool make, struct clock *clock,
                             struct err *e) CHECKED;
/* The same for the service itself, which also looks after the inventory there. */
struct store *db_server_serve(const struct config_db *db, struct clock *clock,
                              struct err *e) CHECKED;
/* The configured database, whatever its kind, for those. */
struct store *db_open_beside(const struct config *c, struct clock *clock, struct err *e) CHECKED;

extern const struct shape CONFIG_SHAPE, CONFIG_TLS_SHAPE;
extern const struct shape *const CONFIG_DB_SHAPE;

typedef void config_warn_fn(void *arg, const char *text);
/* Reads and applies defaults; no validation beyond JSON types.  Missing or unreadable file:
 * ERR_NOT_FOUND or ERR_FORBIDDEN; anything else ERR_MALFORMED "FILE:LINE:COLUMN: …".  The arena
 * holds passwords: make it on HEAP_SECRET or accept that. */
bool config_load(struct arena *a, const char *path, struct config **config, config_warn_fn *warn,
                 void *arg, struct err *e) CHECKED;
bool config_read(struct arena *a, struct slice text, const char *path, struct config **config,
                 config_warn_fn *warn, void *arg, struct err *e) CHECKED;
/* The code of the error when the file belongs to a linked deployment. */
#define CONFIG_LINKED "linked"
/* The order of docs/reference/configuration.md; the message names the key. */
bool config_validate(struct arena *a, const struct config *c, config_warn_fn *warn, void *arg,
                     struct err *e) CHECKED;
/* The part of it for ssh and templates (config_check_ssh.c); files are not opened. */
/* MALFORMED "FILE:LINE:COLUMN: key: …"; false. */
bool config_wrong(struct arena *a, const struct config *c, const char *key, struct err *e,
                  const char *fmt, ...) PRINTF(5, 6);
bool config_ssh_validate(struct arena *a, const struct config *c, struct err *e) CHECKED;
/* Members that nobody reads in provisioners and policies (config_members.c): path is
 * "authority.provisioners[3].options.x".  config_read warns of them. */
void config_unknown_members(const struct config *c, shape_unknown_fn *unknown, void *arg);
/* authority.policy as engines. */
bool config_policies_read(struct arena *a, const struct config *c, struct policy_set *out,
                          struct err *e) CHECKED;
/* "FILE:LINE:COLUMN: key" for a dotted path such as "authority.backdate"; just "FILE: key" when
 * the member is not there. */
const char *config_where(struct arena *a, const struct config *c, const char *key);

/* Rewriting (docs/reference/configuration.md "Rewriting"): known members in order with defaults
 * applied, unknown ones kept, tab-indented, final newline; atomically, keeping mode and owner. */
bool config_save(struct arena *a, const struct config *c, struct json *tree, struct err *e) CHECKED;
