/*
 * Key files.  The format is told by how the text begins, never by the file's name; what is none of
 * the text formats is DER.  Everything private stays in the arena of secrets.
 */
#include "cli/key_files.h"

#include "base/file.h"
#include "cli/terminal.h"
#include "crypto/pem.h"
#include "jose/jwe.h"

#define EMPTY_ANSWERS 3 /* so often an empty password is refused before we give up */
#define JOSE_TRIES    3

/* --- Reading ------------------------------------------------------------------------------ */

bool key_text_load(struct invocation *inv, const char *path, struct slice *text, const char **name)
{
    bool piped = !path || strcmp(path, "-") == 0;

    *name = piped ? "the key on standard input" : path;
    if (!file_read(inv->secrets, piped ? "-" : path, true, KEY_TEXT_MAX, text, &inv->err))
        return false;
    return text->n || err_set(&inv->err, ERR_MALFORMED, "%s is empty", *name);
}

static bool pem_read(struct invocation *inv, struct slice text, const char *name,
                     struct password_source *source, struct key_file *file)
{
    struct slice rest = bom_skip(text);
    struct err *e = &inv->err;
    struct pem block;

    do {
        if (!pem_next(inv->secrets, &rest, &block, e))
            return err_set(e, ERR_MALFORMED, "error decoding %s: not a valid PEM encoded block",
                           name);
    } while (slice_is(block.label, "EC PARAMETERS"));
    if (slice_trim(rest).n)
        return err_set(e, ERR_MALFORMED,
                       "error decoding %s: contains more than one PEM encoded block", name);
    file->openssh = slice_is(block.label, "OPENSSH PRIVATE KEY");
    if (!slice_ends(block.label, "PRIVATE KEY"))
        return public_key_read(inv->arena, text, name, source, &file->key, e);
    if (!private_key_read(inv->secrets, text, name, source, &file->secret, e))
        return false;
    file->key = file->secret->public_key;
    return true;
}

static bool ssh_read(struct invocation *inv, struct slice text, const char *name,
                     struct password_source *source, struct key_file *file)
{
    (void)source;
    return public_key_from_openssh(inv->arena, slice_trim(bom_skip(text)), &file->key, &inv->err) ||
           err_wrap(&inv->err, "error decoding %s", name);
}

/* Two encrypted keys are two lines of a list that somebody piped to us. */
static size_t jwe_lines(struct slice text)
{
    struct slice rest = text, line;
    size_t n = 0;

    while (rest.n && slice_split(&rest, '\n', &line))
        n += jwe_looks_like(line);
    return n;
}

static bool jose_read(struct invocation *inv, struct slice text, const char *name,
                      struct password_source *source, struct key_file *file)
{
    size_t lines = jwe_lines(text);

    if (lines > 1)
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: %zu encrypted keys, one to a line; expected one: choose one", name,
                       lines);
    if (!jwk_open(inv->secrets, text, name, source, &file->jwk, &inv->err))
        return false;
    file->key = file->jwk.key;
    file->secret = file->jwk.secret;
    return true;
}

static bool der_read(struct invocation *inv, struct slice text, const char *name,
                     struct password_source *source, struct key_file *file)
{
    struct slice rsa = pem_text(inv->secrets, "RSA PUBLIC KEY", text);

    (void)source;
    if (private_key_from_der(inv->secrets, text, &file->secret, NULL)) {
        file->key = file->secret->public_key;
        return true;
    }
    file->secret = NULL;
    return key_from_spki(inv->arena, text, &file->key, NULL) ||
           public_key_read(inv->arena, rsa, name, NULL, &file->key, NULL) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "error decoding %s: expected a key as PEM, JWK, OpenSSH public key or DER",
                   name);
}

static bool begins_ssh(struct slice text)
{
    text = slice_trim(bom_skip(text));
    return slice_starts(text, "ssh-") || slice_starts(text, "ecdsa-sha2-");
}

static bool begins_jose(struct slice text)
{
    text = slice_trim(bom_skip(text));
    return slice_starts(text, "{") || jwe_looks_like(text) || jwe_lines(text);
}

bool key_file_read(struct invocation *inv, struct slice text, const char *name, const char *flag,
                   struct key_file *file)
{
    static const struct {
        enum key_origin origin;
        bool (*fits)(struct slice);
        bool (*read)(struct invocation *, struct slice, const char *, struct password_source *,
                     struct key_file *);
        unsigned tries;
    } FORMATS[] = {
        {ORIGIN_PEM, pem_looks_like, pem_read, 1},
        {ORIGIN_OPENSSH_LINE, begins_ssh, ssh_read, 1},
        {ORIGIN_JOSE, begins_jose, jose_read, JOSE_TRIES},
        {ORIGIN_DER, NULL, der_read, 1},
    };
    struct slice password = SLICE_NONE;
    const char *hint = NULL;
    size_t i = 0;

    if (flag && !password_flag(inv, flag, &password, &inv->err))
        return false;
    if (flag)
        hint = arena_printf(inv->arena, "--%s", flag);
    while (FORMATS[i].fits && !FORMATS[i].fits(text))
        i++;
    *file = (struct key_file){.origin = FORMATS[i].origin};
    return FORMATS[i].read(
        inv, text, name,
        terminal_password_source(inv->arena, inv->terminal, password, hint, FORMATS[i].tries),
        file);
}

bool key_file_load(struct invocation *inv, const char *path, const char *flag,
                   struct key_file *file)
{
    const char *name;
    struct slice text;

    return key_text_load(inv, path, &text, &name) && key_file_read(inv, text, name, flag, file);
}

/* --- Writing ------------------------------------------------------------------------------ */

bool key_new_password(struct invocation *inv, const char *flag, const char *what,
                      struct slice *password)
{
    const char *label = arena_printf(inv->arena, "Please enter the password to encrypt %s", what);
    const char *hint = arena_printf(inv->arena, "--%s", flag);

    *password = SLICE_NONE;
    if (flag_listed(inv, "no-password") && flag_bool(inv, "no-password"))
        return true;
    if (!password_flag(inv, flag, password, &inv->err))
        return false;
    for (unsigned i = 0; !password->n && i < EMPTY_ANSWERS; i++) {
        if (i)
            note(inv, "The password must not be empty.");
        if (!inv->terminal->password(inv->terminal, inv->secrets, label, hint, password, &inv->err))
            return false;
    }
    return password->n ||
           err_set(&inv->err, ERR_MALFORMED, "the password to encrypt %s must not be empty", what);
}

bool key_pem(struct arena *a, const struct private_key *key, struct slice password,
             enum key_encoding plain, struct slice *pem, struct err *e)
{
    return password.n ? private_key_pem_encrypted(a, key, password, pem, e)
                      : private_key_pem(a, key, plain, pem, e);
}

/* --- Arguments ---------------------------------------------------------------------------- */

const char *arguments_usage(const struct invocation *inv)
{
    struct slice synopsis = slice_text(inv->command->synopsis);

    return arena_printf(inv->arena, "%s %.*s", inv->path,
                        SLICE_ARG(slice_sub(synopsis, 0, slice_find(synopsis, '\n'))));
}

bool arguments_differ(struct invocation *inv, int first, const char *first_name, int second,
                      const char *second_name)
{
    const char *a = arg_text(inv, first), *b = arg_text(inv, second);

    if (!a || !b || strcmp(path_clean(inv->arena, a), path_clean(inv->arena, b)) != 0)
        return true;
    return err_set(&inv->err, ERR_MALFORMED,
                   "positional arguments <%s> and <%s> cannot be equal in '%s'", first_name,
                   second_name, arguments_usage(inv));
}
