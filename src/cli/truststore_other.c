/*
 * The trust stores of programs that do not ask the system: Java's keystore, and the databases of
 * NSS in a user's profiles (Firefox, Chrome).  Each is changed with the tool of its makers; where
 * that is not installed the store is passed over, and said so.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/program.h"
#include "cli/truststore_part.h"

#define STORE_PASSWORD "changeit" /* of every Java installation, until somebody changes it */
#define PROFILES_MAX   100u

/* --- Java --------------------------------------------------------------------------------- */

static const char *java_store(struct arena *a, const char *home)
{
    static const char *const PLACES[] = {"lib/security/cacerts", "jre/lib/security/cacerts"};

    for (size_t i = 0; i < COUNT_OF(PLACES); i++) {
        const char *path = path_join(a, home, PLACES[i]);
        if (file_exists(path))
            return path;
    }
    return NULL;
}

bool store_java(struct invocation *inv, const struct truststore_change *change, unsigned *done)
{
    const char *home = getenv("JAVA_HOME");

    if (!home || !*home) {
        note(inv, "Java: JAVA_HOME is not set, so its trust store is left as it is.");
        return true;
    }
    const char *tool = path_join(inv->arena, home, "bin/keytool");
    const char *store = java_store(inv->arena, home);
    if (access(tool, X_OK) != 0 || !store) {
        note(inv, "Java: there is no %s, so its trust store is left as it is.",
             store ? tool : path_join(inv->arena, home, "lib/security/cacerts"));
        return true;
    }
    const char *const list[] = {tool,           "-list",  "-keystore",  store, "-storepass",
                                STORE_PASSWORD, "-alias", change->name, NULL};
    const char *const import[] = {tool,         "-importcert",  "-noprompt", "-keystore",  store,
                                  "-storepass", STORE_PASSWORD, "-alias",    change->name, NULL};
    const char *const delete[] = {tool,           "-delete", "-keystore",  store, "-storepass",
                                  STORE_PASSWORD, "-alias",  change->name, NULL};
    bool privileged = access(store, W_OK) != 0;

    /* It would refuse an alias that is there already: an old certificate makes room. */
    if (!change->remove && store_run(list, false, SLICE_NONE, NULL) &&
        !store_run(delete, privileged, SLICE_NONE, &inv->err))
        return err_wrap(&inv->err, "Java");
    if (!store_run(change->remove ? delete : import, privileged,
                   cert_pem(inv->arena, change->root->der), &inv->err))
        return err_wrap(&inv->err, "Java");
    note(inv, "The root certificate has been %s the trust store of Java: %s.",
         change->remove ? "removed from" : "installed in", store);
    ++*done;
    return true;
}

/* --- NSS ---------------------------------------------------------------------------------- */

struct databases {
    const char *v[PROFILES_MAX]; /* "sql:/home/u/.pki/nssdb" */
    size_t n;
};

static void add_database(struct arena *a, struct databases *d, const char *dir)
{
    static const char *const KINDS[][2] = {{"cert9.db", "sql:"}, {"cert8.db", "dbm:"}};

    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        if (d->n == PROFILES_MAX || !file_is_regular(path_join(a, dir, KINDS[i][0])))
            continue;
        d->v[d->n++] = arena_printf(a, "%s%s", KINDS[i][1], dir);
        return;
    }
}

static void add_profiles(struct arena *a, struct databases *d, const char *dir)
{
    DIR *list = opendir(dir);

    if (!list)
        return;
    for (struct dirent *e = readdir(list); e; e = readdir(list)) {
        if (e->d_name[0] != '.')
            add_database(a, d, path_join(a, dir, e->d_name));
    }
    closedir(list);
}

static void find_databases(struct arena *a, struct databases *d)
{
    static const char *const PROFILES[] = {".mozilla/firefox",
                                           "snap/firefox/common/.mozilla/firefox"};
    const char *home = getenv("HOME");

    if (!home || !*home)
        return;
    add_database(a, d, path_join(a, home, ".pki/nssdb"));
    for (size_t i = 0; i < COUNT_OF(PROFILES); i++)
        add_profiles(a, d, path_join(a, home, PROFILES[i]));
}

/* NSS takes what stands before a ':' for the name of a token. */
static const char *nickname(struct arena *a, const char *name)
{
    char *copy = arena_printf(a, "%s", name);

    for (char *p = strchr(copy, ':'); p; p = strchr(p, ':'))
        *p = '_';
    return copy;
}

bool store_nss(struct invocation *inv, const struct truststore_change *change, unsigned *done)
{
    const char *name = nickname(inv->arena, change->name);
    struct databases d = {.n = 0};
    struct slice pem = cert_pem(inv->arena, change->root->der);

    find_databases(inv->arena, &d);
    if (!d.n || !program_exists("certutil")) {
        note(inv, d.n ? "Firefox: certutil is not installed (in the package libnss3-tools or "
                        "nss-tools), so the trust stores of browsers are left as they are."
                      : "Firefox: there is no profile of this user with a trust store.");
        return true;
    }
    for (size_t i = 0; i < d.n; i++) {
        const char *const add[] = {"certutil", "-A",  "-a", "-d", d.v[i],
                                   "-t",       "C,,", "-n", name, NULL};
        const char *const delete[] = {"certutil", "-D", "-d", d.v[i], "-n", name, NULL};
        if (!store_run(change->remove ? delete : add, false, pem, &inv->err))
            return err_wrap(&inv->err, "%s", d.v[i]);
        note(inv, "The root certificate has been %s %s.",
             change->remove ? "removed from" : "installed in", d.v[i]);
        ++*done;
    }
    return true;
}
