/*
 * What the commands below `step ssh` that get or use certificates share: names, key files, the
 * agent, and the CA behind them.
 *
 * Functions that return bool and take no `struct err` leave their error in inv->err.
 */
#pragma once

#include "cli/ca_offline.h"
#include "cli/ssh.h"
#include "client/agent.h"
#include "client/ssh.h"

/* --- ssh_names.c: names from a key id -------------------------------------------------------- */

#define SSH_USUAL_MAX 3 /* principals that a key id stands for */
/* The account that a key id speaks of: what stands before the last '@', in lower case, without
 * dots; whatever is not a-z, 0-9 or '-' becomes '_'. */
struct slice ssh_account(struct arena *a, struct slice key_id);
/* Principals of a certificate for which none were named: a host's is its key id; a user's are the
 * account, what stands before the '@' when it is another word, and the key id. */
size_t ssh_usual_principals(struct arena *a, uint32_t type, struct slice key_id,
                            struct slice out[SSH_USUAL_MAX]);
/* Key ids and principals end up in lines of files: no control characters, and not empty. */
bool ssh_name_check(const char *what, struct slice name, struct err *e) CHECKED;

/* --- ssh_key_files.c ------------------------------------------------------------------------- */

struct ssh_paths {
    const char *key, *pub, *crt; /* "id", "id.pub", "id-cert.pub" */
};
/* base: name of the private key, or of the .pub file. */
struct ssh_paths ssh_paths_of(struct arena *a, const char *base);
/* Asks for each that exists; NULL ones are left out. */
bool ssh_paths_may_write(struct invocation *inv, const struct ssh_paths *paths);

/* A new key. */
struct ssh_pair {
    struct private_key *secret;
    struct ssh_key key;
};
bool ssh_pair_make(struct invocation *inv, enum key_type type, unsigned bits,
                   struct ssh_pair *pair);
/* OpenSSH's private key format; only its owner may read the file, whoever could read one that
 * stood there before. */
bool ssh_secret_write(struct invocation *inv, const char *path, const struct private_key *secret,
                      struct slice password);
/* A .pub or -cert.pub file. */
bool ssh_line_write(struct invocation *inv, const char *path, struct slice blob,
                    struct slice comment);

/* All three at once, as far as a file system can (joint.h); ssh_held_mend knows the rest. */
bool ssh_trio_write(struct invocation *inv, const struct ssh_paths *paths,
                    const struct ssh_pair *pair, struct slice password,
                    const struct ssh_cert *cert);

/* A certificate and its key, both from files. */
struct ssh_held {
    struct ssh_cert cert;
    struct private_key *key;
};
/* The key belongs to the certificate, else ERR_MALFORMED. */
bool ssh_held_load(struct invocation *inv, const char *crt, const char *key,
                   const char *const *password_flags, struct ssh_held *held);
/* The same, for who may write the files: when a rekey was interrupted after its key had taken its
 * place, the public key and the certificate follow now. */
bool ssh_held_mend(struct invocation *inv, const char *crt, const char *key,
                   const char *const *password_flags, struct ssh_held *held);

/* --- ssh_desk.c: the CA, over the network or in this process --------------------------------- */

struct ssh_desk {
    struct invocation *inv;
    struct ca ca;
    struct cert_list roots;
    bool connected;
    struct ca_offline offline; /* open: instead of ca */
    struct token given;        /* ssh_desk_take_token */
    enum ott_kind given_kind;
    bool has_given;
    struct private_key *identity_key; /* ssh_desk_grant asked for an identity; NULL: it did not */
    bool again;                       /* ssh_again has been tried */
};
/* --offline: opens the CA here; its keys are decrypted with the file of password_flag. */
bool ssh_desk_open(struct invocation *inv, const char *password_flag, struct ssh_desk *d);
void ssh_desk_close(struct ssh_desk *d);
/* By --ca-url and --root, once. */
bool ssh_desk_connect(struct ssh_desk *d);
/* Makes a token. */
bool ssh_desk_token(struct ssh_desk *d, const struct token_order *order, struct slice *ott);
/* One that was handed over: says where the CA is, and is used by ssh_desk_grant. */
bool ssh_desk_take_token(struct ssh_desk *d, const char *text);
/* wish->ott: the token that was taken, else a new one.  An identity token's e-mail becomes the key
 * id, and so does the subject of a token when there is no key id yet; then principals that were
 * not named follow.  passwords: see struct token_order. */
bool ssh_desk_grant(struct ssh_desk *d, const char *const *passwords,
                    struct ca_ssh_sign_wish *wish);
/* "✔ CA: https://…" */
void ssh_desk_note(struct ssh_desk *d);

/* An answer that was checked: a certificate of that type for that key, its signature good. */
struct ssh_answer {
    struct ssh_cert cert, add_user; /* add_user.blob absent: none */
};
bool ssh_desk_sign(struct ssh_desk *d, const struct ca_ssh_sign_wish *wish,
                   struct ssh_answer *answer);
/* key NULL: renewal of held with its own key, else rekey. */
bool ssh_desk_renew(struct ssh_desk *d, const struct ssh_held *held, struct slice ott,
                    const struct ssh_key *key, struct ssh_answer *answer);
bool ssh_desk_revoke(struct ssh_desk *d, const struct ca_revoke_wish *wish);
/* Keys that sign certificates of users and hosts. */
bool ssh_desk_roots(struct ssh_desk *d, struct ssh_trust *trust, struct err *e) CHECKED;
bool ssh_desk_bastion(struct ssh_desk *d, struct slice user, struct slice host,
                      struct ca_ssh_bastion *out, struct err *e) CHECKED;

/* --- ssh_logins.c: certificates in the agent ------------------------------------------------- */

/* $SSH_AUTH_SOCK; closed at the end of the command. */
bool ssh_agent_connect(struct invocation *inv, struct agent *agent, struct err *e) CHECKED;
struct ssh_login {
    struct slice comment;
    struct ssh_cert cert;
};
/* The certificates among the agent's keys; one that cannot be read is left out. */
bool ssh_logins(struct invocation *inv, struct agent *agent, struct ssh_login **v, size_t *n,
                struct err *e) CHECKED;
/* A user's certificate that one of these keys signed. */
bool ssh_login_by(struct invocation *inv, const struct ssh_login *login,
                  const struct ssh_keys *keys);
/* A valid one of these keys, with that comment (absent: any). */
const struct ssh_login *ssh_login_find(struct invocation *inv, const struct ssh_login *v, size_t n,
                                       const struct ssh_keys *keys, struct slice comment);

/* --- ssh_renew.c ----------------------------------------------------------------------------- */

/* A token that the certificate signs itself: its subject is the serial number. */
bool ssh_pop_token(struct ssh_desk *d, enum token_kind kind, const struct ssh_held *held,
                   struct slice *ott);
/* <ssh-cert> and <ssh-key> are two files. */
bool ssh_pair_differs(struct invocation *inv);

/* --- ssh_login.c: what `login` and `proxycommand` do ----------------------------------------- */

struct ssh_login_wish {
    struct slice identity; /* empty: the token says */
    const struct slice *principals;
    size_t n_principals;
    struct slice comment; /* empty: the identity */
    bool add_user;
    struct slice valid_after, valid_before; /* as typed */
    struct slice template_data;
    enum key_type type; /* of the new key */
    unsigned bits;
};
/* A new key and its certificate, both nowhere but in the agent. */
bool ssh_login_run(struct ssh_desk *d, struct agent *agent, const struct ssh_login_wish *wish);

extern const struct flag FLAGS_SSHPOP[]; /* sshpop-cert, sshpop-key */
#define RULES_SSHPOP                                                                               \
    {RULE_NEEDS, "sshpop-cert", "sshpop-key"},                                                     \
    {                                                                                              \
        RULE_NEEDS, "sshpop-key", "sshpop-cert"                                                    \
    }
