/*
 * What a certificate costs in the SQLite store: durable issues per second and CPU time of the
 * whole process for each, with 1, 16 and 64 requests under way.  One issue is what a sign request
 * commits: the used token and the certificate, in one batch.
 *
 *   bench_store [certificates] [directory] [sync-us]     (20000, a new one under /tmp, 0)
 *
 * With n under way every finished commit hands in the next, so the writer finds n in its queue; 1
 * under way is one commit for each insert.  What the group saves are waits for the disk: sync-us
 * makes every sync last that much longer, for disks whose cache answers before anything is durable.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"

#define UNDER_WAY_MAX 64

struct run;
struct request {
    struct run *run;
    struct arena *arena;
    struct arena_mark mark;
    struct store_batch batch;
    struct issued issued;
    char serial[48], token[40];
};
struct run {
    struct store *store;
    unsigned wanted, begun, ended, failed;
    unsigned under_way;
    uint64_t random;
    uint8_t der[760];
    struct request requests[UNDER_WAY_MAX];
    pthread_mutex_t lock;
    pthread_cond_t done;
};

/* --- Syncs that last: SQLite's library finds these before the system's ---------------------------
 */

static unsigned sync_us;

static int slow_sync(int fd, long call)
{
    if (sync_us)
        usleep(sync_us);
    return (int)syscall(call, fd);
}

int fdatasync(int fd)
{
    return slow_sync(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return slow_sync(fd, SYS_fsync);
}

/* --- The measurement ----------------------------------------------------------------------- */

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned long long next_random(struct run *r)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random;
}

static void fill(struct request *q)
{
    static const struct refusal USED = {ERR_UNAUTHORIZED, NULL, "token already used"};
    struct run *r = q->run;

    arena_rewind(q->arena, q->mark);
    q->batch = (struct store_batch){.arena = q->arena};
    snprintf(q->serial, sizeof(q->serial), "%019llu%019llu", next_random(r) >> 1,
             next_random(r) >> 1);
    snprintf(q->token, sizeof(q->token), "%016llx%016llx", next_random(r), next_random(r));
    q->issued = (struct issued){
        .serial = slice_text(q->serial),
        .der = slice_of(r->der, sizeof(r->der)),
        .data = SLICE("{\"provisioner\":{\"id\":\"b7a9\",\"name\":\"admin\",\"type\":\"JWK\"}}"),
        .subject = SLICE("CN=host.example.com"),
        .common_name = SLICE("host.example.com"),
        .names = SLICE("dns:host.example.com\nip:10.1.2.3\n"),
        .fingerprint = SLICE("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        .key_type = SLICE("ECDSA P-256"),
        .provisioner_id = SLICE("b7a9"),
        .provisioner_name = SLICE("admin"),
        .provisioner_type = SLICE("JWK"),
        .not_before = 1750000000 + r->begun / 100,
        .not_after = 1750086400 + r->begun / 100,
        .issued_at = 1750000000 + r->begun / 100,
    };
    batch_insert(&q->batch, TABLE_USED_OTT, slice_text(q->token), SLICE("1"), &USED);
    batch_expires(&q->batch, 1750000300 + r->begun / 100);
    batch_issue(&q->batch, &q->issued);
}

static void committed(enum committed how, const struct store_op *refused UNUSED,
                      const struct err *why UNUSED, void *arg);

static void next(struct request *q)
{
    q->run->begun++;
    fill(q);
    q->run->store->ops->submit(q->run->store, &q->batch, DEADLINE_NONE, committed, q);
}

/* On the writer's thread, which is the only one that touches the run by now. */
static void committed(enum committed how, const struct store_op *refused UNUSED,
                      const struct err *why UNUSED, void *arg)
{
    struct request *q = arg;
    struct run *r = q->run;

    pthread_mutex_lock(&r->lock);
    r->ended++;
    r->failed += how != STORE_COMMITTED;
    bool more = r->begun < r->wanted;
    if (r->ended == r->wanted)
        pthread_cond_signal(&r->done);
    if (more)
        next(q);
    pthread_mutex_unlock(&r->lock);
}

static double measure(struct store *store, unsigned wanted, unsigned under_way, uint64_t seed)
{
    struct run *r = xcalloc(1, sizeof(*r));

    r->store = store;
    r->wanted = wanted;
    r->under_way = under_way;
    r->random = seed;
    for (size_t i = 0; i < sizeof(r->der); i++)
        r->der[i] = (uint8_t)next_random(r);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->done, NULL);

    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    pthread_mutex_lock(&r->lock);
    for (unsigned i = 0; i < under_way; i++) {
        r->requests[i].run = r;
        r->requests[i].arena = arena_new(&HEAP_USUAL);
        r->requests[i].mark = arena_mark(r->requests[i].arena);
        next(&r->requests[i]);
    }
    while (r->ended < wanted)
        pthread_cond_wait(&r->done, &r->lock);
    pthread_mutex_unlock(&r->lock);
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%2u under way: %8.0f durable issues/s, %6.1f us CPU each (%u of %u failed)\n",
           under_way, wanted / wall, cpu / wanted * 1e6, r->failed, wanted);
    for (unsigned i = 0; i < under_way; i++)
        arena_free(r->requests[i].arena);
    bool failed = r->failed > 0;
    free(r);
    return failed ? 0 : wanted / wall;
}

int main(int argc, char **argv)
{
    unsigned wanted = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20000;
    char fresh[] = "/tmp/bench-store-XXXXXX", path[4096];
    const char *dir = argc > 2 ? argv[2] : mkdtemp(fresh);
    struct err e = {0};

    if (!dir || wanted < UNDER_WAY_MAX) {
        fprintf(stderr, "usage: bench_store [certificates (64 or more)] [directory] [sync-us]\n");
        return 1;
    }
    snprintf(path, sizeof(path), "%s/bench.sqlite", dir);
    sync_us = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    struct store *s = store_sqlite_open(path, &CLOCK_SYSTEM, &e);
    if (!s) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    uint64_t seed = (uint64_t)CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM) | 1;
    double many = measure(s, wanted, 64, seed), one = measure(s, wanted / 8 + 64, 1, seed * 3);
    measure(s, wanted, 16, seed * 5);
    printf("ratio of 64 under way to one commit for each: %.1f\n", one > 0 ? many / one : 0);
    store_close(s);
    if (argc <= 2 && (unlink(path) != 0 || rmdir(dir) != 0))
        perror(dir);
    return 0;
}
