/* The members of ca.json as tables, in the order in which the file is written. */
#include "authority/config.h"

#define AT(member) offsetof(struct config_db, member)
static const struct field DB_FIELDS[] = {
    {"type", FIELD_TEXT, AT(type), 0, NULL},
    {"dataSource", FIELD_TEXT, AT(data_source), 0, NULL},
    {"valueDir", FIELD_TEXT, AT(value_dir), FIELD_OMIT_EMPTY, NULL},
    {"database", FIELD_TEXT, AT(database), FIELD_OMIT_EMPTY, NULL},
    {"badgerFileLoadingMode", FIELD_TEXT, AT(badger_file_loading_mode), FIELD_OMIT_EMPTY, NULL},
    {"inventory", FIELD_BOOL, AT(inventory), FIELD_OMIT_EMPTY, NULL},
    {"maxOpenConns", FIELD_INT, AT(max_open), FIELD_OMIT_EMPTY, NULL},
    {"maxIdleConns", FIELD_INT, AT(max_idle), FIELD_OMIT_EMPTY, NULL},
    {"connMaxLifetime", FIELD_DURATION, AT(lifetime), FIELD_OMIT_EMPTY, NULL},
    {"retention", FIELD_DURATION, AT(retention), FIELD_OMIT_EMPTY, NULL},
};
#undef AT
static const struct shape DB_SHAPE = {"db", sizeof(struct config_db), DB_FIELDS,
                                      COUNT_OF(DB_FIELDS), false};

#define AT(member) offsetof(struct config_logger, member)
static const struct field LOGGER_FIELDS[] = {
    {"format", FIELD_TEXT, AT(format), FIELD_OMIT_EMPTY, NULL},
    {"traceHeader", FIELD_TEXT, AT(trace_header), FIELD_OMIT_EMPTY, NULL},
};
#undef AT
static const struct shape LOGGER_SHAPE = {"logger", sizeof(struct config_logger), LOGGER_FIELDS,
                                          COUNT_OF(LOGGER_FIELDS), false};

#define AT(member) offsetof(struct config_tls, member)
static const struct field TLS_FIELDS[] = {
    {"cipherSuites", FIELD_TEXTS, AT(cipher_suites), 0, NULL},
    {"minVersion", FIELD_NUMBER, AT(min_version), 0, NULL},
    {"maxVersion", FIELD_NUMBER, AT(max_version), 0, NULL},
    {"renegotiation", FIELD_BOOL, AT(renegotiation), 0, NULL},
};
#undef AT
const struct shape CONFIG_TLS_SHAPE = {"tls", sizeof(struct config_tls), TLS_FIELDS,
                                       COUNT_OF(TLS_FIELDS), false};

#define AT(member) offsetof(struct config_crl, member)
static const struct field CRL_FIELDS[] = {
    {"enabled", FIELD_BOOL, AT(enabled), 0, NULL},
    {"generateOnRevoke", FIELD_BOOL, AT(generate_on_revoke), FIELD_OMIT_EMPTY, NULL},
    {"cacheDuration", FIELD_DURATION, AT(cache_duration), FIELD_OMIT_EMPTY, NULL},
    {"renewPeriod", FIELD_DURATION, AT(renew_period), FIELD_OMIT_EMPTY, NULL},
    {"idpURL", FIELD_TEXT, AT(idp_url), FIELD_OMIT_EMPTY, NULL},
};
#undef AT
static const struct shape CRL_SHAPE = {"crl", sizeof(struct config_crl), CRL_FIELDS,
                                       COUNT_OF(CRL_FIELDS), false};

#define AT(member) offsetof(struct config_ssh_key, member)
static const struct field SSH_KEY_FIELDS[] = {
    {"type", FIELD_TEXT, AT(type), 0, NULL},
    {"federated", FIELD_BOOL, AT(federated), FIELD_OMIT_EMPTY, NULL},
    {"key", FIELD_RAW, AT(key), 0, NULL},
};
#undef AT
static const struct shape SSH_KEY_SHAPE = {"ssh.keys", sizeof(struct config_ssh_key),
                                           SSH_KEY_FIELDS, COUNT_OF(SSH_KEY_FIELDS), false};

#define AT(member) offsetof(struct config_bastion, member)
static const struct field BASTION_FIELDS[] = {
    {"hostname", FIELD_TEXT, AT(hostname), 0, NULL},
    {"user", FIELD_TEXT, AT(user), FIELD_OMIT_EMPTY, NULL},
    {"port", FIELD_TEXT, AT(port), FIELD_OMIT_EMPTY, NULL},
    {"cmd", FIELD_TEXT, AT(cmd), FIELD_OMIT_EMPTY, NULL},
    {"flags", FIELD_TEXT, AT(flags), FIELD_OMIT_EMPTY, NULL},
};
#undef AT
static const struct shape BASTION_SHAPE = {"ssh.bastion", sizeof(struct config_bastion),
                                           BASTION_FIELDS, COUNT_OF(BASTION_FIELDS), false};

#define AT(member) offsetof(struct config_ssh, member)
static const struct field SSH_FIELDS[] = {
    {"hostKey", FIELD_TEXT, AT(host_key), FIELD_OMIT_EMPTY, NULL},
    {"userKey", FIELD_TEXT, AT(user_key), FIELD_OMIT_EMPTY, NULL},
    {"keys", FIELD_OBJECTS, AT(keys), FIELD_OMIT_EMPTY, &SSH_KEY_SHAPE},
    {"addUserPrincipal", FIELD_TEXT, AT(add_user_principal), FIELD_OMIT_EMPTY, NULL},
    {"addUserCommand", FIELD_TEXT, AT(add_user_command), FIELD_OMIT_EMPTY, NULL},
    {"bastion", FIELD_OBJECT, AT(bastion), FIELD_OMIT_EMPTY, &BASTION_SHAPE},
};
#undef AT
static const struct shape SSH_SHAPE = {"ssh", sizeof(struct config_ssh), SSH_FIELDS,
                                       COUNT_OF(SSH_FIELDS), false};

#define AT(member) offsetof(struct config_ssh_file, member)
static const struct field SSH_FILE_FIELDS[] = {
    {"name", FIELD_TEXT, AT(name), 0, NULL},
    {"type", FIELD_TEXT, AT(type), 0, NULL},
    {"template", FIELD_TEXT, AT(source), 0, NULL},
    {"path", FIELD_TEXT, AT(path), 0, NULL},
    {"comment", FIELD_TEXT, AT(comment), 0, NULL},
    {"requires", FIELD_TEXTS, AT(requires), FIELD_OMIT_EMPTY, NULL},
};
#undef AT
static const struct shape SSH_FILE_SHAPE = {"templates.ssh", sizeof(struct config_ssh_file),
                                            SSH_FILE_FIELDS, COUNT_OF(SSH_FILE_FIELDS), false};

#define AT(member) offsetof(struct config_ssh_files, member)
static const struct field SSH_FILES_FIELDS[] = {
    {"user", FIELD_OBJECTS, AT(user), 0, &SSH_FILE_SHAPE},
    {"host", FIELD_OBJECTS, AT(host), 0, &SSH_FILE_SHAPE},
};
#undef AT
static const struct shape SSH_FILES_SHAPE = {"templates.ssh", sizeof(struct config_ssh_files),
                                             SSH_FILES_FIELDS, COUNT_OF(SSH_FILES_FIELDS), false};

#define AT(member) offsetof(struct config_templates, member)
static const struct field TEMPLATES_FIELDS[] = {
    {"ssh", FIELD_OBJECT, AT(ssh), FIELD_OMIT_EMPTY, &SSH_FILES_SHAPE},
    {"data", FIELD_RAW, AT(data), FIELD_OMIT_EMPTY, NULL},
};
#undef AT
static const struct shape TEMPLATES_SHAPE = {"templates", sizeof(struct config_templates),
                                             TEMPLATES_FIELDS, COUNT_OF(TEMPLATES_FIELDS), false};

#define AT(member) offsetof(struct config_subject, member)
static const struct field SUBJECT_FIELDS[] = {
    {"country", FIELD_TEXT, AT(country), FIELD_OMIT_EMPTY, NULL},
    {"organization", FIELD_TEXT, AT(organization), FIELD_OMIT_EMPTY, NULL},
    {"organizationalUnit", FIELD_TEXT, AT(organizational_unit), FIELD_OMIT_EMPTY, NULL},
    {"locality", FIELD_TEXT, AT(locality), FIELD_OMIT_EMPTY, NULL},
    {"province", FIELD_TEXT, AT(province), FIELD_OMIT_EMPTY, NULL},
    {"streetAddress", FIELD_TEXT, AT(street_address), FIELD_OMIT_EMPTY, NULL},
    {"serialNumber", FIELD_TEXT, AT(serial_number), FIELD_OMIT_EMPTY, NULL},
    {"commonName", FIELD_TEXT, AT(common_name), FIELD_OMIT_EMPTY, NULL},
};
#undef AT
static const struct shape SUBJECT_SHAPE = {"template", sizeof(struct config_subject),
                                           SUBJECT_FIELDS, COUNT_OF(SUBJECT_FIELDS), false};

#define AT(member) offsetof(struct config_authority, member)
static const struct field AUTHORITY_FIELDS[] = {
    {"type", FIELD_TEXT, AT(type), FIELD_OMIT_EMPTY, NULL},
    {"certificateAuthority", FIELD_TEXT, AT(certificate_authority), FIELD_OMIT_EMPTY, NULL},
    {"certificateAuthorityFingerprint", FIELD_TEXT, AT(certificate_authority_fingerprint),
     FIELD_OMIT_EMPTY, NULL},
    {"certificateIssuer", FIELD_RAW, AT(certificate_issuer), FIELD_OMIT_EMPTY, NULL},
    {"credentialsFile", FIELD_TEXT, AT(credentials_file), FIELD_OMIT_EMPTY, NULL},
    {"config", FIELD_RAW, AT(cas_config), FIELD_OMIT_EMPTY, NULL},
    {"authorityId", FIELD_TEXT, AT(authority_id), FIELD_OMIT_EMPTY, NULL},
    {"deploymentType", FIELD_TEXT, AT(deployment_type), FIELD_OMIT_EMPTY, NULL},
    {"provisioners", FIELD_RAW, AT(provisioners), FIELD_OMIT_EMPTY, NULL},
    {"template", FIELD_OBJECT, AT(subject), FIELD_OMIT_EMPTY, &SUBJECT_SHAPE},
    {"claims", FIELD_OBJECT, AT(claims), FIELD_OMIT_EMPTY, &CLAIMS_SHAPE},
    {"policy", FIELD_RAW, AT(policy), FIELD_OMIT_EMPTY, NULL},
    {"templateFunctions", FIELD_LIST_OR_TEXT, AT(template_functions), FIELD_OMIT_EMPTY, NULL},
    {"disableIssuedAtCheck", FIELD_BOOL, AT(disable_issued_at_check), FIELD_OMIT_EMPTY, NULL},
    {"backdate", FIELD_DURATION, AT(backdate), FIELD_OMIT_EMPTY, NULL},
    {"enableAdmin", FIELD_BOOL, AT(enable_admin), FIELD_OMIT_EMPTY, NULL},
    {"disableGetSSHHosts", FIELD_BOOL, AT(disable_get_ssh_hosts), FIELD_OMIT_EMPTY, NULL},
    {"password", FIELD_TEXT, AT(password), FIELD_SECRET, NULL},
};
#undef AT
static const struct shape AUTHORITY_SHAPE = {"authority", sizeof(struct config_authority),
                                             AUTHORITY_FIELDS, COUNT_OF(AUTHORITY_FIELDS), false};

#define AT(member) offsetof(struct config, member)
static const struct field CONFIG_FIELDS[] = {
    {"root", FIELD_MULTI, AT(root), 0, NULL},
    {"federatedRoots", FIELD_LIST_OR_TEXT, AT(federated_roots), FIELD_NULL_WHEN_NONE, NULL},
    {"crt", FIELD_TEXT, AT(crt), 0, NULL},
    {"key", FIELD_TEXT, AT(key), 0, NULL},
    {"address", FIELD_TEXT, AT(address), 0, NULL},
    {"insecureAddress", FIELD_TEXT, AT(insecure_address), 0, NULL},
    {"dnsNames", FIELD_LIST_OR_TEXT, AT(dns_names), 0, NULL},
    {"kms", FIELD_RAW, AT(kms), FIELD_OMIT_EMPTY, NULL},
    {"ssh", FIELD_OBJECT, AT(ssh), FIELD_OMIT_EMPTY, &SSH_SHAPE},
    {"logger", FIELD_OBJECT, AT(logger), FIELD_OMIT_EMPTY, &LOGGER_SHAPE},
    {"db", FIELD_OBJECT, AT(db), FIELD_OMIT_EMPTY, &DB_SHAPE},
    {"monitoring", FIELD_RAW, AT(monitoring), FIELD_OMIT_EMPTY, NULL},
    {"authority", FIELD_INLINE, AT(authority), 0, &AUTHORITY_SHAPE},
    {"tls", FIELD_INLINE, AT(tls), 0, &CONFIG_TLS_SHAPE},
    {"password", FIELD_TEXT, AT(password), FIELD_SECRET, NULL},
    {"templates", FIELD_OBJECT, AT(templates), FIELD_OMIT_EMPTY, &TEMPLATES_SHAPE},
    {"commonName", FIELD_TEXT, AT(common_name), FIELD_OMIT_EMPTY, NULL},
    {"crl", FIELD_OBJECT, AT(crl), FIELD_OMIT_EMPTY, &CRL_SHAPE},
    {"metricsAddress", FIELD_TEXT, AT(metrics_address), FIELD_OMIT_EMPTY, NULL},
};
#undef AT
const struct shape CONFIG_SHAPE = {"ca.json", sizeof(struct config), CONFIG_FIELDS,
                                   COUNT_OF(CONFIG_FIELDS), false};
const struct shape *const CONFIG_DB_SHAPE = &DB_SHAPE;
