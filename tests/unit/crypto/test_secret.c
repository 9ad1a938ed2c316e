/* Secret memory and password files. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "crypto_testing.h"

struct arena *arena;

static void arenas_draw_on_the_locked_heap(void **state)
{
    (void)state;
    size_t before = CRYPTO_secure_used();
    struct arena *a = arena_new(&HEAP_SECRET);
    struct slice s = arena_copy(a, SLICE("a password"));
    assert_true(CRYPTO_secure_allocated(s.p));
    assert_true(CRYPTO_secure_used() > before);
    arena_free(a);
    assert_int_equal(CRYPTO_secure_used(), before);
}

static void a_full_heap_falls_back_and_leaves_room_for_libcrypto(void **state)
{
    struct arena *arenas[400];
    bool fell_back = false;

    (void)state;
    size_t before = CRYPTO_secure_used();
    for (size_t i = 0; i < COUNT_OF(arenas); i++) {
        arenas[i] = arena_new(&HEAP_SECRET);
        uint8_t *p = arena_alloc(arenas[i], 3000);
        memset(p, 0xaa, 3000);
        fell_back = fell_back || !CRYPTO_secure_allocated(p);
    }
    assert_true(fell_back);
    void *theirs = OPENSSL_secure_malloc(64 << 10);
    assert_non_null(theirs);
    OPENSSL_secure_free(theirs);
    struct arena *large = arena_new(&HEAP_SECRET);
    assert_non_null(arena_alloc(large, 4 << 20));
    arena_free(large);
    for (size_t i = 0; i < COUNT_OF(arenas); i++)
        arena_free(arenas[i]);
    assert_int_equal(CRYPTO_secure_used(), before);
}

static void core_dumps_are_off(void **state)
{
    struct rlimit limit;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    assert_int_equal(limit.rlim_cur, 0);
}

static void secrets_compare_by_content(void **state)
{
    (void)state;
    assert_true(secret_equal(SLICE("abc"), SLICE("abc")));
    assert_false(secret_equal(SLICE("abc"), SLICE("abd")));
    assert_false(secret_equal(SLICE("abc"), SLICE("ab")));
    assert_true(secret_equal(SLICE(""), SLICE_NONE));
}

static void wiping_leaves_zeros(void **state)
{
    char text[] = "secret";

    (void)state;
    secret_wipe(text, sizeof(text));
    for (size_t i = 0; i < sizeof(text); i++)
        assert_int_equal(text[i], 0);
}

static void password_files_lose_white_space_at_the_end(void **state)
{
    static const struct {
        const char *content, *password;
    } CASES[] = {
        {"secret\n", "secret"},
        {"secret", "secret"},
        {" two words \r\n\n", " two words"},
        {"caf\xc3\xa9\xc2\xa0\xe2\x80\x83\n", "caf\xc3\xa9"},
        {"", ""},
        {"line1\nline2\n", "line1\nline2"},
    };

    (void)state;
    char path[] = "/tmp/newel-secret-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct arena *secrets = arena_new(&HEAP_SECRET);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice password;
        struct err e = {0};
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, CASES[i].content, strlen(CASES[i].content), 0),
                         strlen(CASES[i].content));
        assert_good(secret_read_file(secrets, path, &password, &e), &e);
        assert_text(password, CASES[i].password);
        assert_true(CRYPTO_secure_allocated(password.p));
    }
    close(fd);
    unlink(path);
    arena_free(secrets);
    struct slice password;
    struct err e = {0};
    assert_error(secret_read_file(arena, path, &password, &e), &e, ERR_NOT_FOUND,
                 "no such file or directory");
}

static void a_password_may_come_through_a_pipe(void **state)
{
    int fds[2];
    struct slice password;
    struct err e = {0};

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "from a pipe\n", 12), 12);
    close(fds[1]);
    assert_good(secret_read_file(arena, arena_printf(arena, "/dev/fd/%d", fds[0]), &password, &e),
                &e);
    assert_text(password, "from a pipe");
    close(fds[0]);
}

int main(void)
{
    secret_init();
    secret_init(); /* a second call changes nothing */
    const struct CMUnitTest tests[] = {
        TEST(arenas_draw_on_the_locked_heap),
        TEST(a_full_heap_falls_back_and_leaves_room_for_libcrypto),
        TEST(core_dumps_are_off),
        TEST(secrets_compare_by_content),
        TEST(wiping_leaves_zeros),
        TEST(password_files_lose_white_space_at_the_end),
        TEST(a_password_may_come_through_a_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
