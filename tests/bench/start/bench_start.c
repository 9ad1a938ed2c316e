/*
 * How long a command takes to start: runs every command of the tree with --help, and a few that do
 * something small, as processes of their own, and prints the median of each kind and the slowest;
 * on a machine that is busy the least time of each says more.  A command should start in less than
 * 10 ms; nothing is asserted, machines differ.
 *
 *   bench_start STEP [ROUNDS]
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define WORDS_MAX    10
#define COMMANDS_MAX 512
#define ROUNDS_MAX   1000

extern char **environ;

struct timed {
    char name[128];
    double ms, least;
};
static struct {
    const char *program;
    int rounds, null;
    struct timed all[COMMANDS_MAX];
    size_t n;
} bench;

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double run_once(char **argv)
{
    posix_spawn_file_actions_t files;
    double begin = now_ms();
    int status;
    pid_t pid;

    posix_spawn_file_actions_init(&files);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_adddup2(&files, bench.null, fd);
    if (posix_spawn(&pid, bench.program, &files, NULL, argv, environ) != 0) {
        perror(bench.program);
        exit(1);
    }
    posix_spawn_file_actions_destroy(&files);
    while (waitpid(pid, &status, 0) != pid) {}
    return now_ms() - begin;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), by_number);
    return v[n / 2];
}

static void measure(const char *const *words)
{
    char *argv[WORDS_MAX + 2] = {(char *)"step"};
    double took[ROUNDS_MAX];
    struct timed *t = &bench.all[bench.n];
    size_t at = 0;

    for (size_t i = 0; words[i] && i < WORDS_MAX; i++) {
        argv[i + 1] = (char *)words[i];
        at += (size_t)snprintf(t->name + at, sizeof(t->name) - at, "%s%s", i ? " " : "", words[i]);
    }
    for (int i = 0; i < bench.rounds; i++)
        took[i] = run_once(argv);
    t->ms = median(took, (size_t)bench.rounds);
    t->least = took[0];
    if (bench.n + 1 < COMMANDS_MAX)
        bench.n++;
}

static void walk(const struct command *c, const char **words, size_t depth)
{
    if (depth + 2 > WORDS_MAX)
        return;
    if (!c->sub) {
        words[depth] = "--help";
        words[depth + 1] = NULL;
        measure(words);
        return;
    }
    for (size_t i = 0; c->sub[i]; i++) {
        words[depth] = c->sub[i]->name;
        walk(c->sub[i], words, depth + 1);
    }
}

static int slowest_first(const void *a, const void *b)
{
    return by_number(&((const struct timed *)b)->ms, &((const struct timed *)a)->ms);
}

int main(int argc, char **argv)
{
    static const char *const SMALL[][WORDS_MAX] = {
        {"version"}, {"path"}, {"certificate", "inspect", "/nowhere"}, {"completion", "bash"}};
    const char *words[WORDS_MAX + 1];
    double all[COMMANDS_MAX], least[COMMANDS_MAX];
    size_t slow = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: bench_start STEP [ROUNDS]\n");
        return 2;
    }
    bench.program = argv[1];
    bench.rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 11;
    if (bench.rounds < 1 || bench.rounds > ROUNDS_MAX)
        bench.rounds = 11;
    bench.null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < COUNT_OF(SMALL); i++)
        measure(SMALL[i]);
    walk(&STEP, words, 0);
    for (size_t i = 0; i < bench.n; i++) {
        all[i] = bench.all[i].ms;
        least[i] = bench.all[i].least;
        slow += all[i] >= 10;
    }
    qsort(bench.all, bench.n, sizeof(*bench.all), slowest_first);
    printf("%zu commands, %d times each: median %.2f ms, slowest %.2f ms, %zu of 10 ms or more\n",
           bench.n, bench.rounds, median(all, bench.n), bench.all[0].ms, slow);
    double usual = median(least, bench.n); /* sorts */
    printf("without what other programs took: median %.2f ms, slowest %.2f ms\n", usual,
           least[bench.n - 1]);
    for (size_t i = 0; i < bench.n && i < 5; i++)
        printf("  %6.2f ms  step %s\n", bench.all[i].ms, bench.all[i].name);
    return 0;
}
