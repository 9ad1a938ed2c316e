/* Files: bounded reading; writing that nobody sees half done, with the mode that was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static struct arena *a;
static char *dir;
static int rename_error; /* 0: none */

/* A mounted file needs more rights than a test has. */
int rename(const char *from, const char *to)
{
    errno = rename_error;
    return rename_error ? -1 : renameat(AT_FDCWD, from, AT_FDCWD, to);
}

static int setup(void **state UNUSED)
{
    const char *tmp = getenv("TMPDIR");

    rename_error = 0;
    a = arena_new(&HEAP_USUAL);
    dir = arena_printf(a, "%s/newel-file-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(dir) ? 0 : -1;
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);

    for (struct dirent *entry; d && (entry = readdir(d)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *child = path_join(a, path, entry->d_name);
        if (unlink(child) != 0)
            remove_tree(child);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static int teardown(void **state UNUSED)
{
    remove_tree(dir);
    arena_free(a);
    return 0;
}

static const char *at(const char *name)
{
    return path_join(a, dir, name);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void assert_content(const char *path, const char *text)
{
    struct slice content;
    struct err e = {0};

    if (!file_read(a, path, false, 1000, &content, &e))
        fail_msg("%s", e.text);
    assert_true(slice_is(content, text));
}

static size_t entries(void)
{
    DIR *d = opendir(dir);
    size_t n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void written_files_have_content_mode_and_no_leftovers(void **state UNUSED)
{
    static const struct {
        mode_t umask, asked, got;
    } CASES[] = {
        {0, 0600, 0600},   {0, 0644, 0644},   {022, 0644, 0644},
        {077, 0644, 0600}, {027, 0666, 0640}, {0777, 0600, 0},
    };
    struct err e = {0};

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const char *path = at(arena_printf(a, "f%zu", i));
        mode_t old = umask(CASES[i].umask);
        bool ok = file_write(path, SLICE("secret"), CASES[i].asked, 0, &e);
        umask(old);
        if (!ok)
            fail_msg("%s", e.text);
        assert_int_equal(mode_of(path), CASES[i].got);
        chmod(path, 0600);
        assert_content(path, "secret");
    }
    assert_int_equal(entries(), COUNT_OF(CASES));
}

static void rewriting_replaces_content_and_mode(void **state UNUSED)
{
    const char *path = at("f");
    mode_t old = umask(022);

    assert_true(file_write(path, SLICE("one"), 0644, 0, NULL));
    assert_true(file_write(path, SLICE("two"), 0600, 0, NULL));
    assert_int_equal(mode_of(path), 0600);
    assert_content(path, "two");
    chmod(path, 0640);
    assert_true(file_write(path, SLICE(""), 0600, FILE_KEEP_MODE, NULL));
    assert_int_equal(mode_of(path), 0640);
    assert_content(path, "");
    assert_true(file_write(at("new"), SLICE("x"), 0600, FILE_KEEP_MODE, NULL));
    assert_int_equal(mode_of(at("new")), 0600);
    umask(old);
}

static void readers_of_the_old_file_keep_it(void **state UNUSED)
{
    const char *path = at("f");
    char text[4] = {0};

    assert_true(file_write(path, SLICE("old"), 0600, 0, NULL));
    int fd = open(path, O_RDONLY);
    assert_true(file_write(path, SLICE("new"), 0600, 0, NULL));
    assert_int_equal(read(fd, text, 3), 3);
    close(fd);
    assert_string_equal(text, "old");
}

static void exclusive_never_replaces(void **state UNUSED)
{
    struct err e = {0};

    assert_true(file_write(at("f"), SLICE("first"), 0600, FILE_EXCLUSIVE, &e));
    assert_false(file_write(at("f"), SLICE("second"), 0600, FILE_EXCLUSIVE, &e));
    assert_int_equal(e.kind, ERR_EXISTS);
    assert_int_equal(symlink("f", at("link")), 0);
    assert_false(file_write(at("link"), SLICE("x"), 0600, FILE_EXCLUSIVE, &e));
    assert_int_equal(e.kind, ERR_EXISTS);
    assert_content(at("f"), "first");
    assert_int_equal(symlink("nothing", at("dangling")), 0);
    assert_true(file_write(at("dangling"), SLICE("new"), 0600, FILE_EXCLUSIVE, &e));
    assert_content(at("nothing"), "new");
    assert_int_equal(entries(), 4);
}

static void assert_link(const char *path, const char *to)
{
    char text[100];
    ssize_t n = readlink(path, text, sizeof(text));

    assert_true(n > 0 && slice_is(slice_of(text, (size_t)n), to));
}

static void what_symbolic_links_lead_to_is_written(void **state UNUSED)
{
    assert_int_equal(mkdir(at("d"), 0700), 0);
    assert_true(file_write(at("d/real"), SLICE("old"), 0644, 0, NULL));
    assert_int_equal(chmod(at("d/real"), 0640), 0);
    assert_int_equal(symlink("d/real", at("one")), 0);
    assert_int_equal(symlink(at("one"), at("two")), 0);
    assert_int_equal(symlink("two", at("three")), 0);
    assert_true(file_write(at("three"), SLICE("new"), 0600, FILE_KEEP_MODE, NULL));
    assert_content(at("d/real"), "new");
    assert_int_equal(mode_of(at("d/real")), 0640);
    assert_true(file_write(at("two"), SLICE("key"), 0600, 0, NULL));
    assert_content(at("d/real"), "key");
    assert_int_equal(mode_of(at("d/real")), 0600);
    assert_link(at("one"), "d/real");
    assert_link(at("two"), at("one"));
    assert_link(at("three"), "two");
    /* ".." of a directory behind a link is not that of its name */
    assert_int_equal(mkdir(at("d/e"), 0700), 0);
    assert_int_equal(symlink("d/e", at("e")), 0);
    assert_int_equal(symlink("../made", at("d/e/up")), 0);
    assert_true(file_write(at("e/up"), SLICE("made"), 0600, 0, NULL));
    assert_content(at("d/made"), "made");
    assert_int_equal(entries(), 5);
}

static void links_that_lead_nowhere(void **state UNUSED)
{
    struct err e = {0};

    assert_int_equal(symlink("new", at("dangling")), 0);
    assert_true(file_write(at("dangling"), SLICE("key"), 0600, FILE_KEEP_MODE, NULL));
    assert_content(at("new"), "key");
    assert_int_equal(mode_of(at("new")), 0600);
    assert_link(at("dangling"), "new");
    assert_int_equal(symlink("round", at("round")), 0);
    assert_false(file_write(at("round"), SLICE("x"), 0600, 0, &e));
    assert_true(slice_ends(slice_text(e.text), "too many levels of symbolic links"));
    assert_int_equal(symlink("no/such", at("folder")), 0);
    assert_false(file_write(at("folder"), SLICE("x"), 0600, 0, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_int_equal(entries(), 4);
}

static void links_of_others_in_shared_directories_are_not_followed(void **state UNUSED)
{
    struct err e = {0};

    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(at("shared"), 0700), 0);
    assert_true(file_write(at("victim"), SLICE("safe"), 0644, 0, NULL));
    assert_int_equal(symlink("../victim", at("shared/theirs")), 0);
    assert_int_equal(lchown(at("shared/theirs"), 65534, 65534), 0);
    assert_int_equal(symlink("theirs", at("shared/ours")), 0);
    assert_int_equal(chmod(at("shared"), 01777), 0);
    assert_false(file_write(at("shared/theirs"), SLICE("key"), 0600, 0, &e));
    assert_int_equal(e.kind, ERR_FORBIDDEN);
    assert_false(file_write(at("shared/ours"), SLICE("key"), 0600, FILE_KEEP_MODE, &e));
    assert_int_equal(e.kind, ERR_FORBIDDEN);
    assert_content(at("victim"), "safe");
    assert_int_equal(chown(at("shared"), 65534, 65534), 0);
    assert_true(file_write(at("shared/theirs"), SLICE("key"), 0600, 0, &e));
    assert_content(at("victim"), "key");
    assert_int_equal(chown(at("shared"), 0, 0), 0);
    assert_int_equal(chmod(at("shared"), 0755), 0);
    assert_true(file_write(at("shared/theirs"), SLICE("again"), 0600, 0, &e));
    assert_content(at("victim"), "again");
}

static ino_t inode(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_ino;
}

static void mounted_files_are_written_where_they_are(void **state UNUSED)
{
    struct err e = {0};

    assert_true(file_write(at("f"), SLICE("old and longer"), 0640, 0, NULL));
    assert_int_equal(chmod(at("f"), 0640), 0);
    ino_t was = inode(at("f"));
    rename_error = EBUSY;
    assert_true(file_write(at("f"), SLICE("new"), 0600, FILE_KEEP_MODE, &e));
    assert_content(at("f"), "new");
    assert_int_equal(mode_of(at("f")), 0640);
    assert_true(file_write(at("f"), SLICE("key"), 0604, 0, &e));
    assert_int_equal(mode_of(at("f")), 0600); /* less, never more */
    assert_true(inode(at("f")) == was);
    assert_false(file_write(at("new"), SLICE("x"), 0600, 0, &e));
    rename_error = EACCES;
    assert_false(file_write(at("f"), SLICE("x"), 0600, 0, &e));
    assert_int_equal(e.kind, ERR_FORBIDDEN);
    assert_content(at("f"), "key");
    assert_int_equal(entries(), 1);
}

/* What a user without rights finds, as an exit code. */
static int write_as_nobody(void)
{
    struct err e = {0};

    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 1;
    if (!file_write(at("d/ours"), SLICE("new"), 0600, FILE_KEEP_MODE, &e))
        return 2;
    if (file_write(at("d/theirs"), SLICE("new"), 0600, FILE_KEEP_MODE, &e) ||
        e.kind != ERR_FORBIDDEN)
        return 3;
    return file_write(at("d/none"), SLICE("new"), 0600, 0, &e) || e.kind != ERR_FORBIDDEN ? 4 : 0;
}

static void files_in_a_directory_of_others_are_written_where_they_are(void **state UNUSED)
{
    int status;

    assert_int_equal(mkdir(at("d"), 0700), 0);
    assert_true(file_write(at("d/ours"), SLICE("old one"), 0600, 0, NULL));
    assert_true(file_write(at("d/theirs"), SLICE("old"), 0600, 0, NULL));
    assert_int_equal(chmod(at("d/ours"), 0666), 0);
    assert_int_equal(chmod(at("d/theirs"), 0444), 0);
    assert_int_equal(chmod(at("d"), 0555), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(write_as_nobody());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(at("d"), 0700), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_content(at("d/ours"), "new");
    assert_int_equal(mode_of(at("d/ours")), 0666);
    assert_content(at("d/theirs"), "old");
}

static void devices_and_fifos_are_written_in_place(void **state UNUSED)
{
    struct stat st;
    char text[6] = {0};

    assert_true(file_write("/dev/null", SLICE("gone"), 0600, 0, NULL));
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    int fd = open(at("fifo"), O_RDWR); /* so that nobody waits */
    assert_true(file_write(at("fifo"), SLICE("hello"), 0600, 0, NULL));
    assert_int_equal(read(fd, text, 5), 5);
    assert_string_equal(text, "hello");
    close(fd);
    /* a link to something that is no file: /dev/stdout, /dev/fd/N */
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(file_write(arena_printf(a, "/dev/fd/%d", ends[1]), SLICE("piped"), 0600, 0, NULL));
    assert_int_equal(read(ends[0], text, 5), 5);
    assert_string_equal(text, "piped");
    close(ends[0]);
    close(ends[1]);
    /* what a process has open stays what it has open, a regular file too */
    assert_true(file_write(at("f"), SLICE("longer than that"), 0600, 0, NULL));
    fd = open(at("f"), O_RDWR);
    assert_true(file_write(arena_printf(a, "/dev/fd/%d", fd), SLICE("short"), 0600, 0, NULL));
    assert_int_equal(read(fd, text, 6), 5);
    assert_string_equal(text, "short");
    close(fd);
    assert_int_equal(entries(), 2);
}

static void writing_fails_with_a_reason(void **state UNUSED)
{
    struct err e = {0};

    assert_false(file_write(at("no/such/dir"), SLICE("x"), 0600, 0, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_true(slice_ends(slice_text(e.text), "failed: no such file or directory"));
    assert_false(file_write(dir, SLICE("x"), 0600, 0, &e));
    assert_true(slice_ends(slice_text(e.text), "failed: is a directory"));
    assert_true(file_write(at("f"), SLICE("x"), 0600, 0, NULL));
    assert_false(file_write(at("f/x"), SLICE("x"), 0600, 0, &e));
    assert_int_equal(entries(), 1);
}

static void reading_is_bounded(void **state UNUSED)
{
    struct slice content;
    struct err e = {0};
    uint8_t *big = arena_alloc(a, 100000);

    for (size_t i = 0; i < 100000; i++)
        big[i] = (uint8_t)(i * 7);
    assert_true(file_write(at("big"), slice_of(big, 100000), 0600, 0, NULL));
    assert_true(file_read(a, at("big"), false, 100000, &content, &e));
    assert_true(slice_eq(content, slice_of(big, 100000)));
    assert_true(file_read(a, at("big"), false, SIZE_MAX, &content, &e));
    assert_int_equal(content.n, 100000);
    assert_false(file_read(a, at("big"), false, 99999, &content, &e));
    assert_int_equal(e.kind, ERR_TOO_LARGE);
    assert_true(file_write(at("none"), SLICE(""), 0600, 0, NULL));
    assert_true(file_read(a, at("none"), false, 0, &content, &e));
    assert_true(content.p && content.n == 0);
    assert_false(file_read(a, "/dev/zero", false, 100000, &content, &e));
    assert_int_equal(e.kind, ERR_TOO_LARGE);
}

static void reading_fails_with_a_reason(void **state UNUSED)
{
    struct slice content;
    struct err e = {0};
    const char *path = at("absent");

    assert_false(file_read(a, path, false, 10, &content, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_string_equal(e.text, arena_printf(a, "open %s failed: no such file or directory", path));
    assert_false(file_read(a, dir, false, 10, &content, &e));
    assert_true(slice_ends(slice_text(e.text), "failed: is a directory"));
    assert_false(file_read(a, "-", false, 10, &content, &e)); /* a file of that name */
}

static void dash_is_standard_input(void **state UNUSED)
{
    int ends[2], saved = dup(STDIN_FILENO);
    struct slice content;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "typed", 5), 5);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    bool ok = file_read(a, "-", true, 10, &content, NULL);
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(ends[0]);
    assert_true(ok);
    assert_true(slice_is(content, "typed"));
}

static void directories_are_made_with_their_parents(void **state UNUSED)
{
    struct err e = {0};
    mode_t old = umask(022);

    assert_int_equal(mkdir(at("a"), 0755), 0);
    assert_true(dir_make(at("a/b//c/./d/"), 0700, &e));
    assert_int_equal(mode_of(at("a")), 0755);
    assert_int_equal(mode_of(at("a/b")), 0700);
    assert_int_equal(mode_of(at("a/b/c/d")), 0700);
    assert_true(dir_make(at("a/b"), 0777, &e));
    assert_int_equal(mode_of(at("a/b")), 0700);
    assert_true(dir_make("/", 0700, &e));
    assert_true(file_write(at("f"), SLICE("x"), 0600, 0, NULL));
    assert_false(dir_make(at("f"), 0700, &e));
    assert_false(dir_make(at("f/g"), 0700, &e));
    assert_true(slice_ends(slice_text(e.text), "failed: not a directory"));
    umask(old);
}

static void kinds_of_files_are_told_apart(void **state UNUSED)
{
    assert_true(file_write(at("f"), SLICE("x"), 0600, 0, NULL));
    assert_true(file_exists(at("f")) && file_is_regular(at("f")) && !file_is_dir(at("f")));
    assert_true(file_exists(dir) && file_is_dir(dir) && !file_is_regular(dir));
    assert_false(file_exists(at("x")) || file_is_dir(at("x")) || file_is_regular(at("x")));
    assert_true(file_exists("/dev/null") && !file_is_regular("/dev/null"));
}

static void paths_are_cleaned_by_their_text_alone(void **state UNUSED)
{
    static const struct {
        const char *path, *clean;
    } CASES[] = {
        {"", "."},
        {".", "."},
        {"/", "/"},
        {"//", "/"},
        {"a", "a"},
        {"a/", "a"},
        {"/a/", "/a"},
        {"a//b", "a/b"},
        {"./a", "a"},
        {"a/./b", "a/b"},
        {"a/../b", "b"},
        {"a/..", "."},
        {"..", ".."},
        {"../a", "../a"},
        {"../../a/..", "../.."},
        {"a/../../b", "../b"},
        {"/..", "/"},
        {"/../a", "/a"},
        {"/a/b/../../..", "/"},
        {"a/b/c/../../d", "a/d"},
        {"...", "..."},
        {"/a/...", "/a/..."},
        {"~/x", "~/x"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_string_equal(path_clean(a, CASES[i].path), CASES[i].clean);
}

static void paths_are_taken_apart_and_put_together(void **state UNUSED)
{
    char *out, here[4096];
    struct err e = {0};

    assert_string_equal(path_join(a, "/a/", "b/../c"), "/a/c");
    assert_string_equal(path_join(a, "", "b"), "b");
    assert_string_equal(path_join(a, "a", ""), "a");
    assert_string_equal(path_dir(a, "a/b"), "a");
    assert_string_equal(path_dir(a, "a"), ".");
    assert_string_equal(path_dir(a, "/a"), "/");
    assert_string_equal(path_dir(a, "/a/b/"), "/a/b");
    assert_string_equal(path_base("a/b"), "b");
    assert_string_equal(path_base("b"), "b");
    assert_true(path_absolute(a, "/x/../y", &out, &e));
    assert_string_equal(out, "/y");
    assert_non_null(getcwd(here, sizeof(here)));
    assert_true(path_absolute(a, "./y", &out, &e));
    assert_string_equal(out, path_join(a, here, "y"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        TEST(written_files_have_content_mode_and_no_leftovers),
        TEST(rewriting_replaces_content_and_mode),
        TEST(readers_of_the_old_file_keep_it),
        TEST(exclusive_never_replaces),
        TEST(what_symbolic_links_lead_to_is_written),
        TEST(links_that_lead_nowhere),
        TEST(links_of_others_in_shared_directories_are_not_followed),
        TEST(mounted_files_are_written_where_they_are),
        TEST(files_in_a_directory_of_others_are_written_where_they_are),
        TEST(devices_and_fifos_are_written_in_place),
        TEST(writing_fails_with_a_reason),
        TEST(reading_is_bounded),
        TEST(reading_fails_with_a_reason),
        TEST(dash_is_standard_input),
        TEST(directories_are_made_with_their_parents),
        TEST(kinds_of_files_are_told_apart),
        TEST(paths_are_cleaned_by_their_text_alone),
        TEST(paths_are_taken_apart_and_put_together),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
