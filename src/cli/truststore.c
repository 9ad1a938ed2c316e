/*
 * The system's trust store on Linux: distributions keep the certificates that an administrator adds
 * in a directory of their own and have a program that makes bundles of them.  The first directory
 * that exists says which distribution this is.
 */
#include "cli/truststore.h"

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

struct slice truststore_file_name(struct arena *a, const struct cert *root)
{
    struct slice name = dn_common_name(&root->subject);
    char *text = arena_printf(a, "%.*s_%.*s", SLICE_ARG(name.n ? name : SLICE("Newel")),
                              SLICE_ARG(serial_decimal(a, root->serial)));

    for (char *p = text; *p; p++) {
        bool word =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (!word && *p != '-' && (*p != '.' || p == text))
            *p = '_';
    }
    return slice_text(text);
}

#define WORDS_MAX 8

/* As root, or through sudo. */
static bool run_as_root(const char *const *words, struct slice input, struct err *e)
{
    char *argv[WORDS_MAX];
    size_t n = 0;

    if (geteuid() != 0) {
        argv[n++] = (char *)"sudo";
        argv[n++] = (char *)"--";
    }
    for (; *words && n + 1 < WORDS_MAX; words++)
        argv[n++] = (char *)*words;
    argv[n] = NULL;
    return program_run(argv, input, e);
}

static bool put_certificate(const char *path, struct slice pem, struct err *e)
{
    const char *const tee[] = {"tee", path, NULL};

    if (geteuid() == 0)
        return file_write(path, pem, 0644, 0, e);
    if (!program_exists("sudo"))
        return err_set(e, ERR_FORBIDDEN,
                       "%s: only root can write there, and there is no sudo: run the command as "
                       "root",
                       path);
    return run_as_root(tee, pem, e);
}

bool truststore_install(struct invocation *inv, const struct cert *root)
{
    const struct store *s = find_store();

    if (!root->has_basic || !root->basic.ca || !cert_self_signed(root))
        return err_set(&inv->err, ERR_MALFORMED,
                       "trust store: expected a CA certificate that signed itself");
    if (!s)
        return err_set(&inv->err, ERR_NOT_IMPLEMENTED,
                       "trust store: this system has none of the known directories");
    const char *path = arena_printf(inv->arena, "%s/%.*s.%s", s->dir,
                                    SLICE_ARG(truststore_file_name(inv->arena, root)), s->suffix);
    if (!put_certificate(path, cert_pem(inv->arena, root->der), &inv->err) ||
        !run_as_root(s->update, SLICE_NONE, &inv->err))
        return err_wrap(&inv->err, "installing the root certificate");
    note(inv, "The root certificate has been installed in the trust store of the system: %s.",
         path);
    return true;
}
