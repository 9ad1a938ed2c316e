/* What key types are called. */
#include "ssh/key.h"

static const struct {
    const char *key, *cert, *label;
} NAMES[SSH_KEY_KINDS] = {
    [SSH_KEY_RSA] = {"ssh-rsa", "ssh-rsa-cert-v01@openssh.com", "RSA"},
    [SSH_KEY_P256] = {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com", "ECDSA"},
    [SSH_KEY_P384] = {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com", "ECDSA"},
    [SSH_KEY_P521] = {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com", "ECDSA"},
    [SSH_KEY_ED25519] = {"ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", "ED25519"},
    [SSH_KEY_SK_P256] = {"sk-ecdsa-sha2-nistp256@openssh.com",
                         "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "SK-ECDSA"},
    [SSH_KEY_SK_ED25519] = {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com",
                            "SK-ED25519"},
};

const char *ssh_key_type_name(enum ssh_key_kind kind)
{
    return NAMES[kind].key;
}

const char *ssh_cert_type_name(enum ssh_key_kind kind)
{
    return NAMES[kind].cert;
}

const char *ssh_key_label(enum ssh_key_kind kind)
{
    return NAMES[kind].label;
}
