/*
 * step crypto jwk keyset: a file with a set of JWKs (RFC 7517 5).
 *
 * The file is locked while it is changed and replaced as a whole.  The keys that are there are
 * JSON to us, so that members which we do not know survive.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/crypto.h"
#include "cli/jwk_files.h"
#include "cli/key_files.h"
#include "cli/keyset.h"

#define SET_MAX    (4u << 20)
#define LOCK_TRIES 8u

struct set {
    const char *path;
    int fd; /* holds the lock */
    struct json *whole, *list;
};

/* --- The file ----------------------------------------------------------------------------- */

/* The file that was locked may have been replaced meanwhile: then its lock protects nothing. */
static bool still_there(const struct set *set)
{
    struct stat locked, named;

    return fstat(set->fd, &locked) == 0 && stat(set->path, &named) == 0 &&
           locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

static bool set_lock(struct set *set, bool change, struct err *e)
{
    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        set->fd =
            open(set->path, change ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
        if (set->fd < 0)
            return err_errno(e, errno, "open", set->path);
        if (flock(set->fd, (change ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0)
            break;
        if (still_there(set))
            return true;
        close(set->fd);
        set->fd = -1;
    }
    return err_set(e, ERR_CHANGED, "%s is locked by another process", set->path);
}

static bool set_open(struct invocation *inv, bool change, struct set *set)
{
    struct slice text;

    *set = (struct set){.path = arg_text(inv, 0), .fd = -1};
    return set_lock(set, change, &inv->err) &&
           file_read(inv->secrets, set->path, false, SET_MAX, &text, &inv->err) &&
           keyset_read(inv->secrets, text, set->path, &set->whole, &set->list, &inv->err);
}

static void set_close(struct set *set)
{
    if (set->fd >= 0)
        close(set->fd);
    set->fd = -1;
}

static struct slice indented(struct invocation *inv, const struct json *v)
{
    struct buf b = buf_new(inv->secrets, 2 * SET_MAX);

    json_print(&b, v, "  ");
    buf_byte(&b, '\n');
    return buf_slice(&b);
}

/* The user named the file to be changed: no question. */
static bool set_write(struct invocation *inv, const struct set *set)
{
    return file_write(set->path, indented(inv, set->whole), 0600, FILE_KEEP_MODE, &inv->err);
}

static const char *wanted_kid(const struct invocation *inv)
{
    return flag_text(inv, "kid");
}

/* --- Commands ----------------------------------------------------------------------------- */

static bool append_key(struct invocation *inv, struct set *set)
{
    struct key_file file;

    if (!key_file_load(inv, "-", "password-file", &file))
        return false;
    if (file.origin != ORIGIN_JOSE)
        return err_set(&inv->err, ERR_MALFORMED, "error reading JWK: unsupported format");
    bool is_private = file.jwk.secret || file.jwk.kty == JWK_OCT;
    json_append(set->list, jwk_json(inv->secrets, &file.jwk, is_private));
    return set_write(inv, set);
}

static int run_add(struct invocation *inv)
{
    struct set set;
    struct stat st;
    bool there = stat(arg_text(inv, 0), &st) == 0;
    bool done = set_open(inv, true, &set) && append_key(inv, &set);

    /* Nothing half done: a set that came into being for nothing goes again. */
    if (!done && !there && set.fd >= 0)
        unlink(set.path);
    set_close(&set);
    return done ? 0 : fail(inv);
}

static int run_remove(struct invocation *inv)
{
    struct set set = {.fd = -1};
    bool done = file_exists(arg_text(inv, 0))
                    ? set_open(inv, true, &set)
                    : err_errno(&inv->err, ENOENT, "open", arg_text(inv, 0));

    if (done && keyset_remove(set.list, wanted_kid(inv)))
        done = set_write(inv, &set);
    set_close(&set);
    return done ? 0 : fail(inv);
}

static int run_list(struct invocation *inv)
{
    struct set set;
    bool done = set_open(inv, false, &set);

    for (const struct json *key = done ? set.list->first : NULL; key; key = key->next)
        out_line(inv, "%.*s", SLICE_ARG(json_text(json_get_exact(key, "kid"))));
    set_close(&set);
    return done ? 0 : fail(inv);
}

static int run_find(struct invocation *inv)
{
    struct set set;
    bool done = set_open(inv, false, &set);

    for (const struct json *key = done ? set.list->first : NULL; key; key = key->next) {
        if (keyset_matches(key, wanted_kid(inv)))
            out_put(inv, indented(inv, key));
    }
    set_close(&set);
    return done ? 0 : fail(inv);
}

static const struct flag ADD_FLAGS[] = {
    {"password-file", FLAG_FILE, "<file>",
     "The <file> with the password of an encrypted JWK on standard input.", NULL, 0},
    {0}};
static const struct flag KID_FLAGS[] = {
    {"kid", FLAG_TEXT, "<text>", "The name of the key.", NULL, 0}, {0}};
static const struct flag *const ADD_SETS[] = {ADD_FLAGS, NULL};
static const struct flag *const KID_SETS[] = {KID_FLAGS, NULL};
static const struct flag_rule KID_RULES[] = {{RULE_REQUIRED, "kid", NULL}, {0}};

static const struct command ADD = {
    .name = "add",
    .summary = "add a JWK to a set",
    .synopsis = "<jwks-file>",
    .description = "Reads a JWK, encrypted or not, from standard input and adds it to the set, "
                   "which is made when it does not exist. A private key stands there in the clear.",
    .arguments = "jwks-file\tThe file with the set.",
    .examples = "A public key:\n"
                "$ step crypto jwk keyset add keys.json < jwk.pub.json\n"
                "\n"
                "The public half of a private one:\n"
                "$ step crypto jwk public < jwk.json | step crypto jwk keyset add keys.json",
    .flag_sets = ADD_SETS,
    .least = 1,
    .most = 1,
    .run = run_add,
};

static const struct command REMOVE = {
    .name = "remove",
    .summary = "remove the JWKs of a name from a set",
    .synopsis = "<jwks-file>",
    .description = "Removes every key with that name from the set.",
    .arguments = "jwks-file\tThe file with the set.",
    .examples = "A key:\n"
                "$ step crypto jwk keyset remove keys.json --kid "
                "4vn46fbZT68Uxfs9LBwHkTvrjEvxQqx-W8nnE-qDjts",
    .flag_sets = KID_SETS,
    .rules = KID_RULES,
    .least = 1,
    .most = 1,
    .run = run_remove,
};

static const struct command LIST = {
    .name = "list",
    .summary = "list the names of the JWKs in a set",
    .synopsis = "<jwks-file>",
    .description = "Prints the name (kid) of each key, one to a line; an empty line for a key "
                   "without.",
    .arguments = "jwks-file\tThe file with the set.",
    .examples = "The names:\n"
                "$ step crypto jwk keyset list keys.json",
    .least = 1,
    .most = 1,
    .run = run_list,
};

static const struct command FIND = {
    .name = "find",
    .summary = "print the JWKs of a name",
    .synopsis = "<jwks-file>",
    .description =
        "Prints every key with that name as JSON. A private one is printed in the clear.",
    .arguments = "jwks-file\tThe file with the set.",
    .examples =
        "A key:\n"
        "$ step crypto jwk keyset find keys.json --kid 4vn46fbZT68Uxfs9LBwHkTvrjEvxQqx-W8nnE-qDjts",
    .flag_sets = KID_SETS,
    .rules = KID_RULES,
    .least = 1,
    .most = 1,
    .run = run_find,
};

static const struct command *const KEYSET_COMMANDS[] = {&ADD, &REMOVE, &LIST, &FIND, NULL};
const struct command CMD_CRYPTO_KEYSET = {
    .name = "keyset",
    .summary = "keep sets of JWKs",
    .description = "Adds JWKs to a set, removes, lists and finds them (RFC 7517 5).",
    .sub = KEYSET_COMMANDS,
};
