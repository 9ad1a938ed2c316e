/* Passwords of the keys: from files, from the configuration, or typed at the terminal, once for
 * each key, and remembered for the next reload. */
#pragma once

#include "authority/services.h"
#include "crypto/keyfile.h"
#include "server/options.h"

struct password_file {
    const char *path;     /* NULL: not given */
    struct slice content; /* when it was last readable */
};
struct typed_password {
    struct typed_password *next;
    struct slice key, password; /* key: as the prompt called it */
};
struct passwords {
    struct arena *secrets;
    struct password_file ca, ssh_host, ssh_user;
    struct typed_password *typed;
    struct password_source prompt;
};
/* Reads every password file that the command line names.  ERR: exit 2. */
bool passwords_read(struct passwords *p, const struct options *o, struct err *e) CHECKED;
/* Before a reload: a regular file is read again; one that is gone keeps its last content. */
void passwords_refresh(struct passwords *p);
struct core_passwords passwords_for_core(struct passwords *p);
/* Turns a terminal's echo on again if it is off for a password; for signal handlers. */
void passwords_show_typing(void);
void passwords_end(struct passwords *p);
