/* Files that belong together: the process may end before any of the renames. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "cli/joint.h"

#define N     3
#define NEVER 99

static struct arena *A;
static char FOLDER[] = "/tmp/newel-joint-XXXXXX";

/* --- rename(2), with an end of the process or an error before the n-th ----------------------- */

static unsigned renames, end_before = NEVER, fail_before = NEVER;
static bool mounted; /* all of them */

static bool step(void)
{
    unsigned n = renames++;

    if (n == end_before)
        _exit(9);
    errno = EIO;
    return n != fail_before;
}

int rename(const char *from, const char *to)
{
    if (!step())
        return -1;
    errno = EBUSY;
    return mounted ? -1 : renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* --- Files ------------------------------------------------------------------------------------ */

static const char *const NAMES[N] = {"key", "key.pub", "cert"};
static const char *const OLD[N] = {"old key", "old public key", "old certificate"};
static const char *const NEW[N] = {"new key", "new public key", "new certificate"};

static const char *at(const char *name)
{
    return arena_printf(A, "%s/%s", FOLDER, name);
}

static void put(const char *name, const char *text, mode_t mode)
{
    assert_true(file_write(at(name), slice_text(text), mode, 0, NULL));
}

static bool holds(const char *path, const char *text)
{
    struct slice content;

    return file_exists(path) && file_read(A, path, false, 1u << 10, &content, NULL) &&
           slice_is(content, text);
}

static unsigned mode_of(const char *name)
{
    struct stat st;

    assert_int_equal(lstat(at(name), &st), 0);
    return st.st_mode & 07777;
}

static void remove_all(void)
{
    for (size_t i = 0; i < N; i++) {
        unlink(at(NAMES[i]));
        unlink(joint_waiting(A, at(NAMES[i])));
    }
}

static int setup(void **state)
{
    (void)state;
    A = arena_new(NULL);
    end_before = fail_before = NEVER;
    mounted = false;
    remove_all();
    for (size_t i = 0; i < N; i++)
        put(NAMES[i], OLD[i], 0640);
    renames = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_all();
    arena_free(A);
    return 0;
}

static bool write_new(bool fresh, struct err *e)
{
    struct joint_file v[N];

    for (size_t i = 0; i < N; i++)
        v[i] = (struct joint_file){.path = at(NAMES[i]),
                                   .content = slice_text(NEW[i]),
                                   .mode = i ? 0644 : 0600,
                                   .secret = i == 0,
                                   .fresh = fresh};
    return joint_write(A, v, N, e);
}

static void nothing_waits(void)
{
    for (size_t i = 0; i < N; i++)
        assert_false(file_exists(joint_waiting(A, at(NAMES[i]))));
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void all_are_replaced_and_keep_their_modes(void **state)
{
    (void)state;
    assert_true(write_new(false, NULL));
    for (size_t i = 0; i < N; i++)
        assert_true(holds(at(NAMES[i]), NEW[i]));
    nothing_waits();
    assert_int_equal(mode_of("key"), 0600); /* others lose what they could */
    assert_int_equal(mode_of("key.pub"), 0640);
    assert_int_equal(mode_of("cert"), 0640);
}

static void new_files_get_their_modes(void **state)
{
    mode_t mask = umask(022);

    (void)state;
    remove_all();
    assert_true(write_new(true, NULL));
    assert_int_equal(mode_of("key"), 0600);
    assert_int_equal(mode_of("key.pub"), 0644);
    assert_int_equal(mode_of("cert"), 0644);
    nothing_waits();
    umask(mask);
}

/* Before the n-th rename: those before it are new, the others are old and their successors wait. */
static void wherever_it_ends_the_rest_can_follow(void **state)
{
    (void)state;
    for (unsigned end = 0; end <= N; end++) {
        teardown(NULL);
        setup(NULL);
        end_before = end < N ? end : NEVER;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(write_new(false, NULL) ? 0 : 1);
        end_before = NEVER;
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), end < N ? 9 : 0);
        for (unsigned i = 0; i < N; i++) {
            assert_true(holds(at(NAMES[i]), i < end ? NEW[i] : OLD[i]));
            assert_true(i < end || holds(joint_waiting(A, at(NAMES[i])), NEW[i]));
        }
        if (end > 0) {
            for (unsigned i = end; i < N; i++)
                assert_true(joint_mend(A, at(NAMES[i]), NULL));
        } else { /* the old ones are whole: another run begins anew */
            assert_true(write_new(false, NULL));
        }
        for (unsigned i = 0; i < N; i++)
            assert_true(holds(at(NAMES[i]), NEW[i]));
        nothing_waits();
    }
}

static void an_error_before_the_first_changes_nothing(void **state)
{
    struct err e = {0};

    (void)state;
    fail_before = 0;
    assert_false(write_new(false, &e));
    assert_non_null(strstr(e.text, "rename"));
    for (size_t i = 0; i < N; i++)
        assert_true(holds(at(NAMES[i]), OLD[i]));
    nothing_waits();
}

static void an_error_after_the_first_leaves_what_can_follow(void **state)
{
    (void)state;
    fail_before = 2;
    assert_false(write_new(false, NULL));
    assert_true(holds(at("key"), NEW[0]) && holds(at("key.pub"), NEW[1]));
    assert_true(holds(at("cert"), OLD[2]) && holds(joint_waiting(A, at("cert")), NEW[2]));
}

static void files_that_came_meanwhile_are_not_lost(void **state)
{
    struct err e = {0};

    (void)state;
    assert_false(write_new(true, &e));
    assert_int_equal(e.kind, ERR_EXISTS);
    for (size_t i = 0; i < N; i++)
        assert_true(holds(at(NAMES[i]), OLD[i]));
    nothing_waits();
}

static void what_waits_is_not_written_through_a_link(void **state)
{
    (void)state;
    put("elsewhere", "untouched", 0600);
    assert_int_equal(symlink(at("elsewhere"), joint_waiting(A, at("key"))), 0);
    assert_true(write_new(false, NULL));
    assert_true(holds(at("elsewhere"), "untouched"));
    assert_true(holds(at("key"), NEW[0]));
    unlink(at("elsewhere"));
}

static void links_stay_and_their_targets_are_replaced(void **state)
{
    struct stat st;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        const char *real = arena_printf(A, "%s.real", at(NAMES[i]));
        assert_int_equal(renameat(AT_FDCWD, at(NAMES[i]), AT_FDCWD, real), 0);
        assert_int_equal(symlink(path_base(real), at(NAMES[i])), 0);
        assert_string_equal(joint_waiting(A, at(NAMES[i])), arena_printf(A, "%s.rekey", real));
    }
    fail_before = 2;
    assert_false(write_new(false, NULL));
    fail_before = NEVER;
    assert_true(joint_mend(A, at("cert"), NULL));
    for (size_t i = 0; i < N; i++) {
        const char *real = arena_printf(A, "%s.real", at(NAMES[i]));
        assert_true(holds(real, NEW[i]));
        assert_int_equal(lstat(at(NAMES[i]), &st), 0);
        assert_true(S_ISLNK(st.st_mode));
        assert_int_equal(lstat(real, &st), 0);
        assert_int_equal(st.st_mode & 07777, i ? 0640 : 0600);
        nothing_waits();
        unlink(real);
    }
}

static void what_a_process_has_open_is_written_to(void **state)
{
    (void)state;
    int fd = open(at("cert"), O_RDWR);
    const struct joint_file v[] = {
        {.path = at("key"), .content = slice_text(NEW[0]), .mode = 0600},
        {.path = arena_printf(A, "/dev/fd/%d", fd), .content = slice_text(NEW[2]), .mode = 0600}};

    assert_true(joint_write(A, v, COUNT_OF(v), NULL));
    assert_true(holds(at("key"), NEW[0]) && holds(at("cert"), NEW[2]));
    close(fd);
    nothing_waits();
}

static void mounted_files_are_written_where_they_are(void **state)
{
    (void)state;
    mounted = true;
    fail_before = 2;
    assert_false(write_new(false, NULL));
    assert_true(holds(at("key"), NEW[0]) && holds(at("key.pub"), NEW[1]));
    assert_true(holds(at("cert"), OLD[2]) && holds(joint_waiting(A, at("cert")), NEW[2]));
    fail_before = NEVER;
    assert_true(joint_mend(A, at("cert"), NULL));
    assert_true(holds(at("cert"), NEW[2]));
    assert_int_equal(mode_of("key"), 0600);
    assert_int_equal(mode_of("cert"), 0640);
    nothing_waits();
}

static int write_as_nobody(bool allowed)
{
    struct err e = {0};

    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 1;
    if (allowed)
        return write_new(false, NULL) ? 0 : 3;
    if (write_new(true, &e) || write_new(false, &e) || e.kind != ERR_FORBIDDEN)
        return 2;
    return 0;
}

static void files_in_a_directory_of_others_are_written_where_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++)
        assert_int_equal(chmod(at(NAMES[i]), 0666), 0);
    assert_int_equal(chmod(at("cert"), 0444), 0);
    assert_int_equal(chmod(FOLDER, 0555), 0);
    for (int turn = 0; turn < 2; turn++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            _exit(write_as_nobody(turn > 0));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        /* the first finds a certificate that it may not write, and changes nothing */
        for (size_t i = 0; i < N; i++)
            assert_true(holds(at(NAMES[i]), turn && WEXITSTATUS(status) == 0 ? NEW[i] : OLD[i]));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(chmod(at("cert"), 0666), 0);
        assert_int_equal(chmod(at("key"), 0606), 0);
        assert_int_equal(chown(at("key"), geteuid() ? geteuid() : 65534, (gid_t)-1), 0);
    }
    assert_int_equal(chmod(FOLDER, 0700), 0);
    nothing_waits();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_are_replaced_and_keep_their_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(new_files_get_their_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(wherever_it_ends_the_rest_can_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_before_the_first_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_after_the_first_leaves_what_can_follow, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(files_that_came_meanwhile_are_not_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_is_not_written_through_a_link, setup, teardown),
        cmocka_unit_test_setup_teardown(links_stay_and_their_targets_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_process_has_open_is_written_to, setup, teardown),
        cmocka_unit_test_setup_teardown(mounted_files_are_written_where_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(files_in_a_directory_of_others_are_written_where_they_are,
                                        setup, teardown),
    };

    if (!mkdtemp(FOLDER))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(FOLDER);
    return failed;
}
