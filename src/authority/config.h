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
    const struct json *kms, *ssh, *monitoring, *templates;
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
/* The order of docs/reference/configuration.md; the message names the key. */
bool config_validate(struct arena *a, const struct config *c, config_warn_fn *warn, void *arg,
                     struct err *e) CHECKED;
/* authority.policy as engines. */
bool config_policies_read(struct arena *a, const struct config *c, struct policy_set *out,
                          struct err *e) CHECKED;
/* "FILE:LINE:COLUMN: key" for a dotted path such as "authority.backdate"; just "FILE: key" when
 * the member is not there. */
const char *config_where(struct arena *a, const struct config *c, const char *key);

/* Rewriting (docs/reference/configuration.md "Rewriting"): known members in order with defaults
 * applied, unknown ones kept, tab-indented, final newline; atomically, keeping mode and owner. */
bool config_save(struct arena *a, const struct config *c, struct json *tree, struct err *e) CHECKED;
