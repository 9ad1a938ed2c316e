/*
 * step crypto hash: digests of files and directories.
 *
 * A directory's digest covers modes, names' order and contents (docs/reference/command-line.md):
 *     H(mode ‖ for each entry by name: directory → its digest; file → mode ‖ H(content);
 *                                      symbolic link → mode ‖ digest of what it leads to)
 * where mode is four bytes, little-endian: permissions, and a bit for each kind of file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "cli/crypto.h"
#include "cli/tool_input.h"
#include "crypto/secret.h"

#define DEPTH_MAX   128u
#define ENTRIES_MAX 1000000u
#define PIECE       65536u

struct hashing {
    struct arena *a;
    enum digest d;
    unsigned depth;
    struct err *e;
};

/* --- Modes -------------------------------------------------------------------------------- */

static uint32_t mode_bits(const struct stat *st)
{
    static const struct {
        mode_t kind;
        uint32_t bits;
    } KINDS[] = {
        {S_IFDIR, 0x80000000}, {S_IFLNK, 0x08000000},
        {S_IFBLK, 0x04000000}, {S_IFCHR, 0x04000000 | 0x00200000},
        {S_IFIFO, 0x02000000}, {S_IFSOCK, 0x01000000},
    };
    static const struct {
        mode_t flag;
        uint32_t bits;
    } FLAGS[] = {{S_ISUID, 0x00800000}, {S_ISGID, 0x00400000}, {S_ISVTX, 0x00100000}};
    uint32_t mode = st->st_mode & 0777;

    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        mode |= (st->st_mode & S_IFMT) == KINDS[i].kind ? KINDS[i].bits : 0;
    for (size_t i = 0; i < COUNT_OF(FLAGS); i++)
        mode |= st->st_mode & FLAGS[i].flag ? FLAGS[i].bits : 0;
    return mode;
}

static void add_mode(struct digest_run *run, const struct stat *st)
{
    uint32_t mode = mode_bits(st);
    const uint8_t bytes[4] = {(uint8_t)mode, (uint8_t)(mode >> 8), (uint8_t)(mode >> 16),
                              (uint8_t)(mode >> 24)};

    digest_add(run, slice_of(bytes, sizeof(bytes)));
}

/* --- Files -------------------------------------------------------------------------------- */

static bool hash_fd(struct hashing *h, int fd, const char *path, uint8_t out[DIGEST_MAX])
{
    uint8_t *piece = arena_alloc(h->a, PIECE);
    struct digest_run run = digest_begin(h->d);
    ssize_t n;

    while ((n = read(fd, piece, PIECE)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        digest_add(&run, slice_of(piece, (size_t)n));
    }
    int failed = n < 0 ? errno : 0;
    digest_end(&run, out);
    return !failed || err_errno(h->e, failed, "read", path);
}

static bool hash_file(struct hashing *h, const char *path, uint8_t out[DIGEST_MAX])
{
    struct arena_mark mark = arena_mark(h->a);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(h->e, errno, "open", path);
    bool good = hash_fd(h, fd, path, out);
    close(fd);
    arena_rewind(h->a, mark);
    return good;
}

/* --- Directories -------------------------------------------------------------------------- */

static bool hash_path(struct hashing *h, const char *path, uint8_t out[DIGEST_MAX]);

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct names {
    char **v;
    size_t n, cap;
};

static void names_add(struct arena *a, struct names *names, const char *name)
{
    if (names->n == names->cap) {
        size_t cap = names->cap ? names->cap * 2 : 16;
        char **larger = arena_array(a, cap, sizeof(*larger));
        if (names->n)
            memcpy(larger, names->v, names->n * sizeof(*larger));
        names->v = larger;
        names->cap = cap;
    }
    names->v[names->n++] = arena_printf(a, "%s", name);
}

static bool list_names(struct hashing *h, const char *path, struct names *names)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    *names = (struct names){0};
    if (!dir)
        return err_errno(h->e, errno, "open", path);
    while ((entry = readdir(dir)) && names->n <= ENTRIES_MAX) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            names_add(h->a, names, entry->d_name);
    }
    closedir(dir);
    if (names->n > ENTRIES_MAX)
        return err_set(h->e, ERR_TOO_LARGE, "%s: more than %u entries", path, ENTRIES_MAX);
    if (names->n)
        qsort(names->v, names->n, sizeof(*names->v), by_text);
    return true;
}

static bool add_entry(struct hashing *h, struct digest_run *run, const char *path)
{
    uint8_t hash[DIGEST_MAX];
    struct stat st;

    if (lstat(path, &st) != 0)
        return err_errno(h->e, errno, "stat", path);
    if (!hash_path(h, path, hash))
        return false;
    if (!S_ISDIR(st.st_mode))
        add_mode(run, &st);
    digest_add(run, slice_of(hash, digest_size(h->d)));
    return true;
}

static bool hash_directory(struct hashing *h, const char *path, const struct stat *st,
                           uint8_t out[DIGEST_MAX])
{
    struct names names;
    bool good = true;

    if (h->depth >= DEPTH_MAX)
        return err_set(h->e, ERR_TOO_LARGE, "%s: directories and links nested deeper than %u", path,
                       DEPTH_MAX);
    if (!list_names(h, path, &names))
        return false;
    h->depth++;
    struct digest_run run = digest_begin(h->d);
    add_mode(&run, st);
    for (size_t i = 0; good && i < names.n; i++)
        good = add_entry(h, &run, path_join(h->a, path, names.v[i]));
    digest_end(&run, out);
    h->depth--;
    return good;
}

/* Links are followed: a link to a file is its content. */
static bool hash_path(struct hashing *h, const char *path, uint8_t out[DIGEST_MAX])
{
    struct stat st;

    if (stat(path, &st) != 0)
        return err_errno(h->e, errno, "stat", path);
    /* A pipe or a device inside a directory would be read for ever. */
    if (h->depth && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return err_set(h->e, ERR_MALFORMED, "%s: expected a file or a directory", path);
    return S_ISDIR(st.st_mode) ? hash_directory(h, path, &st, out) : hash_file(h, path, out);
}

/* --- Commands ----------------------------------------------------------------------------- */

static bool start(struct invocation *inv, struct hashing *h)
{
    const char *alg = flag_text(inv, "alg");

    *h = (struct hashing){.a = inv->arena, .e = &inv->err};
    if (!tool_digest_named(alg, &h->d))
        return err_set(&inv->err, ERR_MALFORMED,
                       "invalid value '%s' for flag '--alg'; options are %s", alg, TOOL_DIGESTS);
    return h->d != DIGEST_MD5 || flag_bool(inv, "insecure") ||
           err_set(&inv->err, ERR_MALFORMED, "flag '--alg md5' requires the '--insecure' flag");
}

static int run_digest(struct invocation *inv)
{
    uint8_t hash[DIGEST_MAX];
    struct hashing h;

    if (!start(inv, &h))
        return fail(inv);
    for (int i = 0; i < inv->n_args; i++) {
        if (!hash_path(&h, arg_text(inv, i), hash))
            return fail(inv);
        struct slice hex = hex_text(inv->arena, slice_of(hash, digest_size(h.d)));
        out_line(inv, "%.*s  %s", SLICE_ARG(hex), arg_text(inv, i));
    }
    return 0;
}

static int run_compare(struct invocation *inv)
{
    uint8_t hash[DIGEST_MAX];
    struct hashing h;
    struct slice expected;

    if (!start(inv, &h))
        return fail(inv);
    if (!hex_read(inv->arena, slice_text(arg_text(inv, 0)), &expected))
        return fail_with(inv, "error decoding %s: expected hexadecimal digits", arg_text(inv, 0));
    if (!hash_path(&h, arg_text(inv, 1), hash))
        return fail(inv);
    if (!secret_equal(expected, slice_of(hash, digest_size(h.d))))
        return fail_with(inv, "fail");
    out_line(inv, "ok");
    return 0;
}

static const struct flag HASH_FLAGS[] = {
    {"alg,algorithm", FLAG_TEXT, "<algorithm>",
     "The <algorithm>: sha1 (or sha), sha224, sha256, sha384, sha512, sha512-224, sha512-256, or "
     "md5, which requires --insecure.",
     "sha256", 0},
    {0}};
static const struct flag *const HASH_SETS[] = {HASH_FLAGS, FLAGS_INSECURE, NULL};

static const struct command DIGEST = {
    .name = "digest",
    .summary = "print the digest of files and directories",
    .synopsis = "<file-or-directory>...",
    .description = "Prints the digest of each file, like sha256sum. The digest of a directory "
                   "covers everything below it: contents, modes and order.",
    .arguments = "file-or-directory\tWhat to hash. Symbolic links are followed.",
    .examples = "A file:\n"
                "$ step crypto hash digest foo.crt\n"
                "\n"
                "A directory with SHA-512:\n"
                "$ step crypto hash digest --alg sha512 /etc/ssl/certs",
    .flag_sets = HASH_SETS,
    .least = 1,
    .most = -1,
    .run = run_digest,
};

static const struct command COMPARE = {
    .name = "compare",
    .summary = "compare a file or directory with a digest",
    .synopsis = "<hash> <file-or-directory>",
    .description = "Prints \"ok\" when the digest of the file or directory is the one given.",
    .arguments = "hash\tThe digest, in hexadecimal.\n"
                 "file-or-directory\tWhat to hash. Symbolic links are followed.",
    .examples = "A download:\n"
                "$ step crypto hash compare "
                "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 hello.txt\n"
                "\n"
                "With another algorithm:\n"
                "$ step crypto hash compare --alg sha1 f572d396fae9206628714fb2ce00f72e94f2258f "
                "hello.txt",
    .exit_codes = "0 and \"ok\" when they are equal; 1 and \"fail\" on standard error when not.",
    .flag_sets = HASH_SETS,
    .least = 2,
    .most = 2,
    .run = run_compare,
};

static const struct command *const HASH_COMMANDS[] = {&DIGEST, &COMPARE, NULL};
const struct command CMD_CRYPTO_HASH = {
    .name = "hash",
    .summary = "print and compare digests",
    .description = "Prints and compares digests of files and directories.",
    .sub = HASH_COMMANDS,
};
