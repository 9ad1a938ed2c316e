/*
 * The files of an SSH key: "id" (private, OpenSSH's own format), "id.pub" and "id-cert.pub".
 *
 * A private key is never readable by others, not even for the moment between two system calls:
 * an old file that was too open is closed before the new one takes its mode.
 */
#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/ssh_common.h"

#define MODE_SECRET 0600
#define MODE_PUBLIC 0644

struct ssh_paths ssh_paths_of(struct arena *a, const char *base)
{
    struct slice name = slice_text(base);

    if (slice_ends(name, ".pub"))
        name.n -= sizeof(".pub") - 1;
    return (struct ssh_paths){
        .key = arena_cstr(a, name),
        .pub = arena_printf(a, "%.*s.pub", SLICE_ARG(name)),
        .crt = arena_printf(a, "%.*s-cert.pub", SLICE_ARG(name)),
    };
}

bool ssh_paths_may_write(struct invocation *inv, const struct ssh_paths *paths)
{
    return (!paths->key || may_write(inv, paths->key, &inv->err)) &&
           (!paths->pub || may_write(inv, paths->pub, &inv->err)) &&
           (!paths->crt || may_write(inv, paths->crt, &inv->err));
}

bool ssh_pair_make(struct invocation *inv, enum key_type type, unsigned bits, struct ssh_pair *pair)
{
    return private_key_generate(inv->secrets, type, bits, &pair->secret, &inv->err) &&
           ssh_key_from(inv->arena, pair->secret->public_key, &pair->key, &inv->err);
}

/* write_result keeps the mode of a file that is replaced. */
static bool close_to_others(const char *path, struct err *e)
{
    struct stat st;

    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 077))
        return true;
    return chmod(path, MODE_SECRET) == 0 || err_errno(e, errno, "chmod", path);
}

bool ssh_secret_write(struct invocation *inv, const char *path, const struct private_key *secret,
                      struct slice password)
{
    struct slice pem;

    return private_key_openssh(inv->secrets, secret, password, "", &pem, &inv->err) &&
           may_write(inv, path, &inv->err) && close_to_others(path, &inv->err) &&
           write_result(inv, path, pem, MODE_SECRET, &inv->err);
}

bool ssh_line_write(struct invocation *inv, const char *path, struct slice blob,
                    struct slice comment)
{
    return write_result(inv, path, ssh_line_make(inv->arena, blob, comment), MODE_PUBLIC,
                        &inv->err);
}

static bool belongs(struct invocation *inv, const char *crt, const char *key,
                    const struct ssh_held *held)
{
    struct ssh_key own;

    if (ssh_key_is_sk(held->cert.key.kind))
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: the key of the certificate is on a security token (%s): it signs "
                       "nothing but logins",
                       crt, ssh_key_type_name(held->cert.key.kind));
    return (ssh_key_from(inv->arena, held->key->public_key, &own, NULL) &&
            slice_eq(own.blob, held->cert.key.blob)) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "the key in %s does not belong to the certificate in %s", key, crt);
}

bool ssh_held_load(struct invocation *inv, const char *crt, const char *key,
                   const char *const *password_flags, struct ssh_held *held)
{
    struct jwk jwk;

    if (!ssh_input_cert(inv, crt, &held->cert, NULL, &inv->err) ||
        !ca_cmd_key_load(inv, key, password_flags, &jwk))
        return false;
    held->key = jwk.secret;
    return belongs(inv, crt, key, held);
}
