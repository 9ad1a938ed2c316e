/*
 * For tests of commands: runs the command line in this process and keeps what it printed.  Each
 * test gets a STEPPATH of its own and an environment without STEP_* variables.
 *
 *     RUN(&env, "context", "list");
 *     assert_int_equal(said.status, 0);
 *     assert_string_equal(said.out, "…");
 */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/internal.h"
#include "cli/terminal.h"

/* Behind cli.h: cmocka has a macro fail(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* Commands in tests call our fail(); tests say fail_msg. */
#undef fail
#undef fail_msg
#define fail_msg(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#define SAID_MAX (512u << 10)

static struct {
    int status;
    char out[SAID_MAX], err[SAID_MAX];
} said;

static char scratch[64];

extern char **environ;

static void capture_read(int fd, char *into)
{
    ssize_t n = pread(fd, into, SAID_MAX - 1, 0);

    into[n > 0 ? n : 0] = 0;
    close(fd);
}

/* words: without "step", ended by NULL. */
static int capture_run(const struct cli_environment *env, const char *const *words)
{
    char *argv[64] = {(char *)"step"};
    int argc = 1, out = memfd_create("out", 0), err = memfd_create("err", 0);
    int old_out = dup(STDOUT_FILENO), old_err = dup(STDERR_FILENO);

    while (*words && argc < 63)
        argv[argc++] = (char *)*words++;
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    said.status = cli_run(env, argc, argv);
    fflush(NULL);
    dup2(old_out, STDOUT_FILENO);
    dup2(old_err, STDERR_FILENO);
    close(old_out);
    close(old_err);
    capture_read(out, said.out);
    capture_read(err, said.err);
    return said.status;
}
#define RUN(env, ...) capture_run(env, (const char *const[]){__VA_ARGS__, NULL})

static void clear_variables(void)
{
    for (size_t i = 0; environ[i];) {
        char name[128];
        size_t n = strcspn(environ[i], "=");
        bool ours = strncmp(environ[i], "STEP", 4) == 0 && n < sizeof(name);
        if (!ours) {
            i++;
            continue;
        }
        memcpy(name, environ[i], n);
        name[n] = 0;
        unsetenv(name);
    }
}

/* For cmocka_unit_test_setup_teardown. */
static int scratch_setup(void **state)
{
    (void)state;
    snprintf(scratch, sizeof(scratch), "/tmp/newel-cli-XXXXXX");
    clear_variables();
    unsetenv("_CLI_ZSH_AUTOCOMPLETE_HACK");
    return mkdtemp(scratch) && setenv("STEPPATH", scratch, 1) == 0 ? 0 : -1;
}

static int scratch_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static int scratch_teardown(void **state)
{
    (void)state;
    clear_variables();
    return nftw(scratch, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file below STEPPATH, its directories made. */
UNUSED static const char *scratch_path(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", scratch, name);
    return path;
}

UNUSED static void scratch_put(const char *name, const char *text)
{
    char dir[256];
    struct err e = {0};

    snprintf(dir, sizeof(dir), "%s", scratch_path(name));
    *strrchr(dir, '/') = 0;
    if (!dir_make(dir, 0700, &e) ||
        !file_write(scratch_path(name), slice_text(text), 0600, 0, &e)) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
}

UNUSED static const char *scratch_get(const char *name)
{
    static char text[65536];
    FILE *f = fopen(scratch_path(name), "r");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

    text[n] = 0;
    if (f)
        fclose(f);
    return f ? text : NULL;
}

#define CLI_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
