/*
 * The tables of the reference, by its names (docs/reference/storage.md).  `id` is what stands in
 * SQLite files and in nothing else: a table keeps its number for ever, a new one takes the next.
 */
#include "store/engine.h"

const struct table_info TABLE_INFO[TABLES] = {
    [TABLE_X509_CERTS] = {"x509_certs", 1, true},
    [TABLE_X509_CERTS_DATA] = {"x509_certs_data", 2, false},
    [TABLE_REVOKED_X509_CERTS] = {"revoked_x509_certs", 3, false},
    [TABLE_X509_CRL] = {"x509_crl", 4, true},
    [TABLE_REVOKED_SSH_CERTS] = {"revoked_ssh_certs", 5, false},
    [TABLE_USED_OTT] = {"used_ott", 6, false},
    [TABLE_SSH_CERTS] = {"ssh_certs", 7, true},
    [TABLE_SSH_HOSTS] = {"ssh_hosts", 8, false},
    [TABLE_SSH_USERS] = {"ssh_users", 9, false},
    [TABLE_SSH_HOST_PRINCIPALS] = {"ssh_host_principals", 10, false},
    [TABLE_ACME_ACCOUNTS] = {"acme_accounts", 11, false},
    [TABLE_ACME_KEY_ACCOUNT_INDEX] = {"acme_keyID_accountID_index", 12, false},
    [TABLE_ACME_ACCOUNT_ORDERS_INDEX] = {"acme_account_orders_index", 13, false},
    [TABLE_ACME_ORDERS] = {"acme_orders", 14, true},
    [TABLE_ACME_AUTHZS] = {"acme_authzs", 15, true},
    [TABLE_ACME_CHALLENGES] = {"acme_challenges", 16, true},
    [TABLE_ACME_CERTS] = {"acme_certs", 17, true},
    [TABLE_ACME_SERIAL_CERTS_INDEX] = {"acme_serial_certs_index", 18, false},
    [TABLE_NONCES] = {"nonces", 19, false},
    [TABLE_ACME_EAB_KEYS] = {"acme_external_account_keys", 20, false},
    [TABLE_ACME_EAB_REFERENCE_INDEX] = {"acme_external_account_keyID_reference_index", 21, false},
    [TABLE_ACME_EAB_PROVISIONER_INDEX] = {"acme_external_account_keyID_provisionerID_index", 22,
                                          false},
    [TABLE_WIRE_DPOP] = {"wire_acme_dpop_token", 23, true},
    [TABLE_WIRE_OIDC] = {"wire_acme_oidc_token", 24, true},
    [TABLE_ADMINS] = {"admins", 25, false},
    [TABLE_PROVISIONERS] = {"provisioners", 26, false},
    [TABLE_POLICIES] = {"authority_policies", 27, false},
    [TABLE_ACME_REPLACES] = {"newel_acme_replaces", 28, false},
    [TABLE_IMPORTS] = {"newel_imports", 29, false},
};

const char *table_name(enum table t)
{
    return t < TABLES ? TABLE_INFO[t].name : "?";
}

bool table_find(struct slice name, enum table *t)
{
    for (size_t i = 0; i < TABLES; i++) {
        if (slice_is(name, TABLE_INFO[i].name)) {
            *t = (enum table)i;
            return true;
        }
    }
    return false;
}
