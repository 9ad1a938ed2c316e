/*
 * What a certificate costs: starts the real server on a fresh PKI, asks it for certificates over
 * kept-alive TLS connections, and prints certificates per second, latencies, the server's CPU time
 * per certificate, its memory, and the floor measured in the same run: two P-256 verifications
 * (token and request) and one signature with the same libcrypto.
 *
 *   bench_sign [--ssh] STEP-CA [CERTIFICATES [CONNECTIONS [DATABASE]]]
 *
 * DATABASE: an SQLite file that is there already, instead of a new one.
 * --ssh: then as many SSH certificates from the same server, and what one of them costs against one
 * of X.509.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/pki.h"
#include "client/make_token.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"
#include "ssh/key.h"
#include "x509/csr.h"

#define FLOOR_ROUNDS 2000

struct bench {
    struct arena *a;
    const char *step_ca, *database;
    size_t certificates, connections;
    bool ssh;
    char dir[64];
    struct pki_pair root, intermediate;
    struct private_key *provisioner;
    struct jwk jwk;
    pid_t pid;
    int port;
    struct slice *requests;
    int64_t *latencies;
    SSL_CTX *tls;
    atomic_size_t next, failed;
};

static void check(bool ok, const struct err *e, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, e ? e->text : "failed");
    exit(1);
}

static int64_t now_ns(void)
{
    return CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM);
}

static void put_file(struct bench *b, const char *name, struct slice content)
{
    struct err e = {0};

    check(file_write(arena_printf(b->a, "%s/%s", b->dir, name), content, 0600, 0, &e), &e, name);
}

static void make_pki(struct bench *b)
{
    struct instant now = CLOCK_SYSTEM.now(&CLOCK_SYSTEM);
    struct buf config = buf_new(b->a, 64u << 10);
    struct slice pem;
    struct err e = {0};
    bool cut;

    check(pki_root(b->a, b->a, SLICE("Bench"), now, &RNG_SYSTEM, &b->root, &e), &e, "root");
    check(pki_intermediate(b->a, b->a, SLICE("Bench"), &b->root, now, &RNG_SYSTEM, &b->intermediate,
                           &cut, &e),
          &e, "intermediate");
    check(private_key_generate(b->a, KEY_P256, 0, &b->provisioner, &e) &&
              jwk_of_key(b->a, b->provisioner->public_key, b->provisioner, &b->jwk, &e),
          &e, "provisioner");
    check(private_key_pem(b->a, b->intermediate.key, KEY_PKCS8, &pem, &e), &e, "key");
    put_file(b, "key", pem);
    put_file(b, "ssh", pem);
    put_file(b, "root.crt", cert_pem(b->a, b->root.cert->der));
    put_file(b, "crt", cert_pem(b->a, b->intermediate.cert->der));
    struct slice jwk = jwk_text(b->a, &b->jwk, false);
    buf_printf(
        &config,
        "{\"root\":\"%s/root.crt\",\"crt\":\"%s/crt\",\"key\":\"%s/key\","
        "\"address\":\"127.0.0.1:%d\",\"dnsNames\":[\"localhost\"],"
        "\"db\":{\"type\":\"sqlite\",\"dataSource\":\"%s\"},"
        "%s\"authority\":{\"claims\":{\"enableSSHCA\":%s},\"provisioners\":[{\"type\":\"JWK\","
        "\"name\":\"bench\",\"key\":%.*s}]}}",
        b->dir, b->dir, b->dir, b->port, b->database,
        b->ssh ? arena_printf(b->a, "\"ssh\":{\"hostKey\":\"%s/ssh\",\"userKey\":\"%s/ssh\"},",
                              b->dir, b->dir)
               : "",
        b->ssh ? "true" : "false", SLICE_ARG(jwk));
    put_file(b, "ca.json", buf_slice(&config));
}

static struct slice post(struct bench *b, const char *path, struct slice body)
{
    return arena_format(b->a,
                        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                        "application/json\r\nContent-Length: %zu\r\n\r\n%.*s",
                        path, body.n, SLICE_ARG(body));
}

/* A host's key and token: what `step ssh certificate --host` sends. */
static void make_ssh_request(struct bench *b, size_t i)
{
    struct private_key *key;
    struct ssh_key subject;
    struct err e = {0};
    struct instant now = CLOCK_SYSTEM.now(&CLOCK_SYSTEM);
    struct slice name = arena_format(b->a, "host-%zu.bench.internal", i), token;
    struct token_wish wish = {
        .issuer = SLICE("bench"),
        .audience = SLICE("https://localhost/1.0/ssh/sign"),
        .subject = name,
        .kid = b->jwk.kid,
        .step = arena_format(b->a, "{\"ssh\":{\"certType\":\"host\",\"principals\":[\"%.*s\"]}}",
                             SLICE_ARG(name)),
        .not_before = now,
        .not_after = instant_add(now, 3600 * NS_PER_SEC)};
    struct buf body = buf_new(b->a, 64u << 10);

    check(private_key_generate(b->a, KEY_P256, 0, &key, &e) &&
              ssh_key_from(b->a, key->public_key, &subject, &e),
          &e, "key");
    check(token_make(b->a, &wish, b->provisioner, JWS_ES256, &RNG_SYSTEM, &token, &e), &e, "token");
    buf_text(&body, "{\"publicKey\":");
    json_put_bytes(&body, subject.blob);
    buf_printf(&body, ",\"certType\":\"host\",\"keyID\":\"%.*s\",\"principals\":[\"%.*s\"],",
               SLICE_ARG(name), SLICE_ARG(name));
    buf_printf(&body, "\"validAfter\":\"\",\"validBefore\":\"\",\"ott\":\"%.*s\"}",
               SLICE_ARG(token));
    b->requests[i] = post(b, "/1.0/ssh/sign", buf_slice(&body));
}

static void make_request(struct bench *b, size_t i)
{
    struct private_key *key;
    struct err e = {0};
    char name[64];
    struct instant now = CLOCK_SYSTEM.now(&CLOCK_SYSTEM);
    int n = snprintf(name, sizeof(name), "host-%zu.bench.internal", i);
    struct slice subject = slice_of(name, (size_t)n), csr, token;
    struct token_wish wish = {.issuer = SLICE("bench"),
                              .audience = SLICE("https://localhost/1.0/sign"),
                              .subject = subject,
                              .kid = b->jwk.kid,
                              .sans = &subject,
                              .n_sans = 1,
                              .has_sans = true,
                              .not_before = now,
                              .not_after = instant_add(now, 3600 * NS_PER_SEC)};
    struct csr_wish ask = {.common_name = subject};

    sans_split(b->a, &subject, 1, &ask.sans);
    check(private_key_generate(b->a, KEY_P256, 0, &key, &e), &e, "key");
    check(csr_make(b->a, &ask, signer_local(b->a, key, "csr"), &csr, &e), &e, "csr");
    check(token_make(b->a, &wish, b->provisioner, JWS_ES256, &RNG_SYSTEM, &token, &e), &e, "token");
    struct buf body = buf_new(b->a, 64u << 10);
    buf_text(&body, "{\"csr\":");
    json_put_text(&body, pem_text(b->a, "CERTIFICATE REQUEST", csr));
    buf_printf(&body, ",\"ott\":\"%.*s\"}", SLICE_ARG(token));
    b->requests[i] = post(b, "/1.0/sign", buf_slice(&body));
}

static int connect_tcp(const struct bench *b)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)b->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Milliseconds from exec until the port answers. */
static double start_server(struct bench *b)
{
    const char *config = arena_printf(b->a, "%s/ca.json", b->dir);
    const char *log = arena_printf(b->a, "%s/log", b->dir);
    int64_t begun = now_ns();

    b->pid = fork();
    if (b->pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, STDERR_FILENO);
        execl(b->step_ca, "step-ca", config, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 5000; i++) {
        int fd = connect_tcp(b);
        if (fd >= 0) {
            close(fd);
            return (double)(now_ns() - begun) / 1e6;
        }
        usleep(1000);
    }
    check(false, NULL, "the server did not start");
    return 0;
}

static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    check(fd >= 0 && bind(fd, (struct sockaddr *)&at, n) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &n) == 0,
          NULL, "port");
    close(fd);
    return ntohs(at.sin_port);
}

/* Reads one response; false unless it is a 201. */
static bool read_response(SSL *ssl)
{
    char text[32768];
    size_t n = 0, want = SIZE_MAX;

    while (n < want && n < sizeof(text) - 1) {
        int got = SSL_read(ssl, text + n, (int)(sizeof(text) - 1 - n));
        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
        char *end = strstr(text, "\r\n\r\n");
        char *length = strcasestr(text, "content-length:");
        if (want == SIZE_MAX && end && length)
            want = (size_t)(end - text) + 4 + strtoul(length + 15, NULL, 10);
    }
    return strncmp(text, "HTTP/1.1 201", 12) == 0;
}

static void *run_connection(void *arg)
{
    struct bench *b = arg;
    SSL *ssl = SSL_new(b->tls);
    size_t i;

    SSL_set_fd(ssl, connect_tcp(b));
    SSL_set_tlsext_host_name(ssl, "localhost");
    check(SSL_connect(ssl) == 1, NULL, "TLS handshake");
    while ((i = atomic_fetch_add(&b->next, 1)) < b->certificates) {
        int64_t begun = now_ns();
        SSL_write(ssl, b->requests[i].p, (int)b->requests[i].n);
        if (!read_response(ssl))
            atomic_fetch_add(&b->failed, 1);
        b->latencies[i] = now_ns() - begun;
    }
    SSL_free(ssl);
    return NULL;
}

/* User and system time of the server in seconds. */
static double server_cpu(const struct bench *b)
{
    char path[64], text[1024];
    unsigned long user = 0, sys = 0;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)b->pid);
    int fd = open(path, O_RDONLY);
    n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    char *after = strrchr(text, ')');
    if (after)
        sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys);
    return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static long server_rss_kb(const struct bench *b)
{
    char path[64], line[256];
    long kb = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)b->pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    }
    if (f)
        fclose(f);
    return kb;
}

/* Microseconds of two verifications and one signature. */
static double measure_floor(struct bench *b)
{
    struct slice message = b->requests[0];
    struct sig_alg alg = {SIG_ECDSA, DIGEST_SHA256};
    struct buf sig = buf_new(b->a, 256);
    struct err e = {0};
    int64_t begun;

    check(private_key_sign(b->provisioner, alg, message, &sig, &e), &e, "sign");
    begun = now_ns();
    for (int i = 0; i < FLOOR_ROUNDS; i++) {
        struct buf again = buf_new(NULL, 256);
        check(key_verify(b->provisioner->public_key, alg, message, buf_slice(&sig), &e) &&
                  key_verify(b->provisioner->public_key, alg, message, buf_slice(&sig), &e) &&
                  private_key_sign(b->provisioner, alg, message, &again, &e),
              &e, "floor");
        buf_free(&again);
    }
    return (double)(now_ns() - begun) / 1e3 / FLOOR_ROUNDS;
}

static int compare(const void *x, const void *y)
{
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;

    return p < q ? -1 : p > q;
}

/* Microseconds of the server's CPU for one certificate. */
static double run_load(struct bench *b, double ready_ms)
{
    pthread_t *threads = xcalloc(b->connections, sizeof(*threads));
    double cpu = server_cpu(b);
    int64_t begun = now_ns();

    for (size_t i = 0; i < b->connections; i++)
        check(pthread_create(&threads[i], NULL, run_connection, b) == 0, NULL, "thread");
    for (size_t i = 0; i < b->connections; i++)
        pthread_join(threads[i], NULL);
    double seconds = (double)(now_ns() - begun) / 1e9;
    double each = (server_cpu(b) - cpu) * 1e6 / (double)b->certificates;
    double floor = measure_floor(b);
    qsort(b->latencies, b->certificates, sizeof(*b->latencies), compare);
    printf("certificates        %zu over %zu connections, %zu failed\n", b->certificates,
           b->connections, atomic_load(&b->failed));
    printf("ready after         %.1f ms\n", ready_ms);
    printf("throughput          %.0f certificates/s\n", (double)b->certificates / seconds);
    printf("latency             p50 %.2f ms, p99 %.2f ms\n",
           (double)b->latencies[b->certificates / 2] / 1e6,
           (double)b->latencies[b->certificates * 99 / 100] / 1e6);
    printf("server CPU          %.0f us a certificate\n", each);
    printf("floor               %.0f us (2 verifications, 1 signature)\n", floor);
    printf("ratio               %.2f\n", each / floor);
    printf("server memory       %.1f MB resident\n", (double)server_rss_kb(b) / 1024);
    free(threads);
    return each;
}

static void run_ssh(struct bench *b, double each_x509, double ready_ms)
{
    atomic_store(&b->next, 0);
    for (size_t i = 0; i < b->certificates; i++)
        make_ssh_request(b, i);
    printf("\nSSH\n");
    double each = run_load(b, ready_ms);
    printf("against X.509       %.2f\n", each / each_x509);
}

int main(int argc, char **argv)
{
    struct bench b = {.certificates = 5000, .connections = 16};

    b.ssh = argc > 1 && strcmp(argv[1], "--ssh") == 0;
    argc -= b.ssh;
    argv += b.ssh;
    if (argc < 2) {
        fprintf(stderr,
                "usage: bench_sign [--ssh] STEP-CA [CERTIFICATES [CONNECTIONS [DATABASE]]]\n");
        return 2;
    }
    b.step_ca = argv[1];
    if (argc > 2)
        b.certificates = strtoul(argv[2], NULL, 10);
    if (argc > 3)
        b.connections = strtoul(argv[3], NULL, 10);
    b.a = arena_new(&HEAP_USUAL);
    memcpy(b.dir, "/tmp/newel-bench.XXXXXX", sizeof("/tmp/newel-bench.XXXXXX"));
    check(mkdtemp(b.dir) != NULL, NULL, "directory");
    b.database = argc > 4 ? argv[4] : arena_printf(b.a, "%s/db.sqlite", b.dir);
    b.port = free_port();
    b.requests = arena_array(b.a, b.certificates, sizeof(*b.requests));
    b.latencies = arena_array(b.a, b.certificates, sizeof(*b.latencies));
    make_pki(&b);
    b.tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(b.tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_load_verify_locations(b.tls, arena_printf(b.a, "%s/root.crt", b.dir), NULL);
    double ready = start_server(&b);
    for (size_t i = 0; i < b.certificates; i++)
        make_request(&b, i);
    double each = run_load(&b, ready);
    if (b.ssh)
        run_ssh(&b, each, ready);
    kill(b.pid, SIGTERM);
    waitpid(b.pid, NULL, 0);
    fprintf(stderr, "files of this run: %s\n", b.dir);
    return atomic_load(&b.failed) > 0;
}
