/*
 * The files of an SSH key: "id" (private, OpenSSH's own format), "id.pub" and "id-cert.pub".
 *
 * A private key is never readable by others, not even for the moment between two system calls:
 * an old file that was too open is closed before the new one takes its mode.
 */
#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/joint.h"
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

bool ssh_trio_write(struct invocation *inv, const struct ssh_paths *paths,
                    const struct ssh_pair *pair, struct slice password, const struct ssh_cert *cert)
{
    struct arena *a = inv->arena;
    struct joint_file v[] = {
        {.path = paths->key, .mode = MODE_SECRET, .secret = true},
        {.path = paths->pub, .mode = MODE_PUBLIC},
        {.path = paths->crt, .mode = MODE_PUBLIC},
    };

    if (!private_key_openssh(inv->secrets, pair->secret, password, "", &v[0].content, &inv->err) ||
        !ssh_paths_may_write(inv, paths))
        return false;
    v[1].content = ssh_line_make(a, pair->key.blob, cert->key_id);
    v[2].content = ssh_line_make(a, cert->blob, cert->key_id);
    for (size_t i = 0; i < COUNT_OF(v); i++)
        v[i].fresh = !may_replace(inv, v[i].path);
    return joint_write(a, v, COUNT_OF(v), &inv->err);
}

static bool same_key(const struct private_key *secret, const struct ssh_cert *cert)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct ssh_key own;

    return ssh_key_from(a, secret->public_key, &own, NULL) && slice_eq(own.blob, cert->key.blob);
}

static bool belongs(struct invocation *inv, const char *crt, const char *key,
                    const struct ssh_held *held)
{
    if (ssh_key_is_sk(held->cert.key.kind))
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: the key of the certificate is on a security token (%s): it signs "
                       "nothing but logins",
                       crt, ssh_key_type_name(held->cert.key.kind));
    return same_key(held->key, &held->cert) ||
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

/* The public key first, so that the certificate tells whether there is anything left to do. */
static bool mend(struct invocation *inv, const char *crt, const char *key, struct ssh_held *held)
{
    struct arena *a = inv->arena;
    const char *pub = arena_printf(a, "%s.pub", key);
    const char *crt_waits = joint_waiting(a, crt), *pub_waits = joint_waiting(a, pub);
    struct ssh_cert cert;
    struct ssh_line line;

    if (!file_exists(crt_waits) || !ssh_input_cert(inv, crt_waits, &cert, NULL, NULL) ||
        !same_key(held->key, &cert))
        return false;
    bool pub_too = file_exists(pub_waits) && ssh_input_line(inv, pub_waits, &line, NULL) &&
                   slice_eq(line.blob, cert.key.blob);
    if ((pub_too && !joint_mend(a, pub, &inv->err)) || !joint_mend(a, crt, &inv->err))
        return false;
    held->cert = cert;
    return true;
}

bool ssh_held_mend(struct invocation *inv, const char *crt, const char *key,
                   const char *const *password_flags, struct ssh_held *held)
{
    bool there = file_exists(crt) || !file_exists(joint_waiting(inv->arena, crt));
    struct jwk jwk;

    if (there && !ssh_input_cert(inv, crt, &held->cert, NULL, &inv->err))
        return false;
    if (!ca_cmd_key_load(inv, key, password_flags, &jwk))
        return false;
    held->key = jwk.secret;
    if (there && same_key(held->key, &held->cert))
        return true;
    if (mend(inv, crt, key, held)) {
        note(inv, "%s did not fit the key: the certificate of an interrupted rekey was put there.",
             crt);
        return true;
    }
    if (inv->err.kind != ERR_NONE)
        return false;
    return there ? belongs(inv, crt, key, held)
                 : ssh_input_cert(inv, crt, &held->cert, NULL, &inv->err);
}
