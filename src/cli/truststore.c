/*
 * Trust stores, and the system's on Linux: distributions keep the certificates that an
 * administrator adds in a directory of their own and have a program that makes bundles of them. The
 * first directory that exists says which distribution this is.
 */
#include "cli/truststore_part.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/program.h"

static const struct store {
    const char *dir, *suffix;
    const char *update[3];
} STORES[] = {
    {"/etc/pki/ca-trust/source/anchors", "pem", {"update-ca-trust", "extract"}},
    {"/usr/local/share/ca-certificates", "crt", {"update-ca-certificates"}},
    {"/usr/share/pki/trust/anchors", "crt", {"update-ca-certificates"}},
    {"/etc/ca-certificates/trust-source/anchors", "crt", {"trust", "extract-compat"}},
    {"/etc/ssl/certs", "crt", {"trust", "extract-compat"}},
};

static const struct store *find_store(void)
{
    for (size_t i = 0; i < COUNT_OF(STORES); i++)
        if (file_is_dir(STORES[i].dir))
            return &STORES[i];
    return NULL;
}

const char *truststore_name(struct arena *a, const struct cert *root, const char *prefix)
{
    struct slice cn = dn_common_name(&root->subject), serial = serial_decimal(a, root->serial);

    if (prefix)
        return arena_printf(a, "%s%.*s", prefix, SLICE_ARG(serial));
    return arena_printf(a, "%.*s %.*s", SLICE_ARG(cn.n ? cn : SLICE("Newel")), SLICE_ARG(serial));
}

/* Nothing that a shell script of the system, or a path, would take for something else. */
static struct slice file_name(struct arena *a, const char *name)
{
    char *text = arena_printf(a, "%s", name);

    for (char *p = text; *p; p++) {
        bool word =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (!word && *p != '-' && (*p != '.' || p == text))
            *p = '_';
    }
    return slice_text(text);
}

struct slice truststore_file_name(struct arena *a, const struct cert *root)
{
    return file_name(a, truststore_name(a, root, NULL));
}

#define WORDS_MAX 16

bool store_run(const char *const *words, bool privileged, struct slice input, struct err *e)
{
    char *argv[WORDS_MAX];
    size_t n = 0;

    if (privileged && geteuid() != 0) {
        argv[n++] = (char *)"sudo";
        argv[n++] = (char *)"--";
    }
    for (; *words && n + 1 < WORDS_MAX; words++)
        argv[n++] = (char *)*words;
    argv[n] = NULL;
    return program_run(argv, input.p ? input : SLICE(""), e);
}

static bool need_sudo(const char *path, struct err *e)
{
    return geteuid() == 0 || program_exists("sudo") ||
           err_set(e, ERR_FORBIDDEN,
                   "%s: only root can write there, and there is no sudo: run the command as root",
                   path);
}

static bool put_certificate(const char *path, struct slice pem, struct err *e)
{
    const char *const tee[] = {"tee", path, NULL};

    if (geteuid() == 0)
        return file_write(path, pem, 0644, 0, e);
    return need_sudo(path, e) && store_run(tee, true, pem, e);
}

static bool remove_certificate(const char *path, struct err *e)
{
    const char *const rm[] = {"rm", "-f", "--", path, NULL};

    if (!file_exists(path))
        return err_set(e, ERR_NOT_FOUND, "trust store: there is no %s", path);
    if (geteuid() == 0)
        return unlink(path) == 0 || err_errno(e, errno, "remove", path);
    return need_sudo(path, e) && store_run(rm, true, SLICE_NONE, e);
}

bool store_system(struct invocation *inv, const struct truststore_change *change, unsigned *done)
{
    const struct store *s = find_store();

    if (!s)
        return err_set(&inv->err, ERR_NOT_IMPLEMENTED,
                       "trust store: this system has none of the known directories");
    const char *path = arena_printf(inv->arena, "%s/%.*s.%s", s->dir,
                                    SLICE_ARG(file_name(inv->arena, change->name)), s->suffix);
    bool ok = change->remove
                  ? remove_certificate(path, &inv->err)
                  : put_certificate(path, cert_pem(inv->arena, change->root->der), &inv->err);
    if (!ok || !store_run(s->update, true, SLICE_NONE, &inv->err))
        return err_wrap(&inv->err, "%s the root certificate",
                        change->remove ? "removing" : "installing");
    if (change->remove)
        note(inv, "The root certificate has been removed from the trust store of the system: %s.",
             path);
    else
        note(inv, "The root certificate has been installed in the trust store of the system: %s.",
             path);
    ++*done;
    return true;
}

bool truststore_apply(struct invocation *inv, const struct truststore_change *change,
                      unsigned stores)
{
    static const struct {
        enum truststore_kind kind;
        bool (*apply)(struct invocation *, const struct truststore_change *, unsigned *);
    } KINDS[] = {{STORE_SYSTEM, store_system}, {STORE_JAVA, store_java}, {STORE_NSS, store_nss}};
    const struct cert *root = change->root;
    unsigned done = 0;

    if (!root->has_basic || !root->basic.ca || !cert_self_signed(root))
        return err_set(&inv->err, ERR_MALFORMED,
                       "trust store: expected a CA certificate that signed itself");
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        if ((stores & KINDS[i].kind) && !KINDS[i].apply(inv, change, &done))
            return false;
    }
    return done || err_set(&inv->err, ERR_NOT_FOUND, "no trust store was changed");
}

bool truststore_install(struct invocation *inv, const struct cert *root)
{
    const struct truststore_change change = {root, truststore_name(inv->arena, root, NULL), false};

    return truststore_apply(inv, &change, STORE_SYSTEM);
}
