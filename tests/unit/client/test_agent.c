/* The client's side of an agent's socket: the other end is this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/agent.h"
#include "crypto/signer.h"

#define NOW 1700000000

static struct arena *A;
static struct agent AGENT;
static int PEER; /* the agent's end */

static int setup(void **state)
{
    int pair[2];

    (void)state;
    A = arena_new(&HEAP_SECRET);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    AGENT = (struct agent){.fd = pair[0]};
    PEER = pair[1];
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    agent_close(&AGENT);
    close(PEER);
    arena_free(A);
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void answer(const char *bytes, size_t n)
{
    assert_int_equal(write(PEER, bytes, n), n);
}
#define ANSWER(literal) answer(literal, sizeof(literal) - 1)

/* What was sent, without the length. */
static struct slice sent(void)
{
    uint8_t *p = arena_alloc(A, 1u << 16);
    ssize_t n = read(PEER, p, 1u << 16);

    assert_true(n > 4);
    assert_int_equal(p[2] << 8 | p[3], n - 4);
    return slice_of(p + 4, (size_t)n - 4);
}

static void nobody_is_told_in_words(void **state)
{
    static const struct {
        const char *path;
        enum err_kind kind;
        const char *words;
    } CASES[] = {
        {NULL, ERR_NOT_FOUND, "SSH_AUTH_SOCK is not set"},
        {"", ERR_NOT_FOUND, "SSH_AUTH_SOCK is not set"},
        {"/nonexistent/socket", ERR_UNAVAILABLE, "no ssh-agent answers at /nonexistent/socket"},
        {"/dev/null", ERR_UNAVAILABLE, "no ssh-agent answers"},
    };
    struct agent g;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        assert_false(agent_open(CASES[i].path, &g, &e));
        assert_int_equal(e.kind, CASES[i].kind);
        assert_non_null(strstr(e.text, CASES[i].words));
        agent_close(&g);
    }
    char *far = arena_alloc(A, 400);
    memset(far, 'x', 399);
    struct err e = {0};
    assert_false(agent_open(far, &g, &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
}

static void identities_are_listed(void **state)
{
    struct ssh_identity *v;
    struct err e = {0};
    size_t n;

    (void)state;
    ANSWER("\0\0\0\x1b\x0c\0\0\0\2\0\0\0\1a\0\0\0\3one\0\0\0\2bc\0\0\0\0");
    assert_true(agent_list(&AGENT, A, &v, &n, &e));
    assert_int_equal(n, 2);
    assert_true(slice_is(v[0].comment, "one") && slice_is(v[1].blob, "bc"));
    struct slice request = sent();
    assert_int_equal(request.n, 1);
    assert_int_equal(request.p[0], 11);
}

static void answers_without_sense_are_errors(void **state)
{
    static const struct {
        struct slice bytes;
        enum err_kind kind;
    } CASES[] = {
        {SLICE_NONE, ERR_TIMEOUT},
        {{(const uint8_t *)"\0\0", 2}, ERR_TIMEOUT},
        {{(const uint8_t *)"\0\0\0\5\x0c", 5}, ERR_TIMEOUT},
        {{(const uint8_t *)"\0\0\0\0", 4}, ERR_MALFORMED},
        {{(const uint8_t *)"\xff\xff\xff\xff", 4}, ERR_MALFORMED},
        {{(const uint8_t *)"\0\4\0\1", 4}, ERR_MALFORMED},
        {{(const uint8_t *)"\0\0\0\1\5", 5}, ERR_FORBIDDEN},
        {{(const uint8_t *)"\0\0\0\1\x63", 5}, ERR_MALFORMED},
        {{(const uint8_t *)"\0\0\0\5\x0c\xff\xff\xff\xff", 9}, ERR_MALFORMED},
    };
    struct ssh_identity *v;
    size_t n;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        if (i > 0) {
            teardown(NULL);
            setup(NULL);
        }
        AGENT.timeout_ns = NS_PER_MS;
        answer((const char *)CASES[i].bytes.p, CASES[i].bytes.n);
        assert_false(agent_list(&AGENT, A, &v, &n, &e));
        assert_int_equal(e.kind, CASES[i].kind);
    }
}

static void half_an_answer_is_never_taken_for_the_next(void **state)
{
    struct err e = {0};

    (void)state;
    AGENT.timeout_ns = NS_PER_MS;
    ANSWER("\0\0\0\5");
    assert_false(agent_remove_all(&AGENT, &e));
    assert_int_equal(AGENT.fd, -1);
    assert_false(agent_remove_all(&AGENT, &e));
    assert_int_equal(e.kind, ERR_UNAVAILABLE);
}

static void an_agent_that_hangs_up_is_gone(void **state)
{
    struct err e = {0};

    (void)state;
    assert_int_equal(shutdown(PEER, SHUT_RDWR), 0);
    assert_false(agent_remove(&AGENT, SLICE("blob"), &e));
    assert_int_equal(e.kind, ERR_UNAVAILABLE);
}

/* --- Keys ------------------------------------------------------------------------------------ */

static struct ssh_cert certificate(const struct private_key *key, uint64_t end)
{
    struct slice name = SLICE("alice");
    struct ssh_cert c = {.nonce = SLICE("nonce"),
                         .serial = 1,
                         .type = SSH_USER,
                         .key_id = SLICE("alice"),
                         .principals = &name,
                         .n_principals = 1,
                         .valid_after = NOW - 60,
                         .valid_before = end};
    struct buf blob = buf_new(A, SSH_BLOB_MAX);
    struct private_key *ca;
    struct err e = {0};

    assert_true(private_key_generate(A, KEY_ED25519, 0, &ca, &e));
    assert_true(ssh_key_from(A, key->public_key, &c.key, &e));
    assert_true(ssh_cert_sign(&c, signer_local(A, ca, "ca"), A, &blob, DEADLINE_NONE, &e));
    assert_true(ssh_cert_read(A, buf_slice(&blob), &c, &e));
    return c;
}

static void a_certificate_lives_in_the_agent_until_its_end(void **state)
{
    static const struct {
        uint64_t end;
        bool constrained;
        uint32_t lifetime;
    } CASES[] = {
        {NOW + 1, true, 1},
        {NOW + 57600, true, 57600},
        {(uint64_t)NOW + UINT32_MAX + 5, true, UINT32_MAX},
        {SSH_FOREVER, false, 0},
    };
    struct private_key *key;
    struct err e = {0};

    (void)state;
    assert_true(private_key_generate(A, KEY_P256, 0, &key, &e));
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ssh_cert c = certificate(key, CASES[i].end);
        ANSWER("\0\0\0\1\6");
        assert_true(agent_add(&AGENT, key, &c, SLICE("me"), instant_sec(NOW), &e));
        struct slice m = sent();
        assert_int_equal(m.p[0], CASES[i].constrained ? 25 : 17);
        const uint8_t *t = m.p + m.n - 5; /* byte 1, uint32 */
        if (CASES[i].constrained) {
            assert_int_equal(t[0], 1);
            assert_int_equal((uint32_t)t[1] << 24 | (uint32_t)t[2] << 16 | (uint32_t)t[3] << 8 |
                                 t[4],
                             CASES[i].lifetime);
        }
    }
}

static void what_has_ended_or_is_another_key_is_not_sent(void **state)
{
    struct private_key *key, *other;
    struct err e = {0};

    (void)state;
    assert_true(private_key_generate(A, KEY_P256, 0, &key, &e));
    assert_true(private_key_generate(A, KEY_P256, 0, &other, &e));
    struct ssh_cert ended = certificate(key, NOW), good = certificate(key, NOW + 60);
    assert_false(agent_add(&AGENT, key, &ended, SLICE("me"), instant_sec(NOW), &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
    assert_false(agent_add(&AGENT, other, &good, SLICE("me"), instant_sec(NOW), &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
    uint8_t byte;
    assert_int_equal(read(PEER, &byte, 1), -1);
}

static void the_agent_signs(void **state)
{
    struct slice signature;
    struct err e = {0};

    (void)state;
    ANSWER("\0\0\0\x08\x0e\0\0\0\3sig");
    assert_true(agent_sign(&AGENT, A, SLICE("blob"), SLICE("data"), 2, &signature, &e));
    assert_true(slice_is(signature, "sig"));
    assert_true(slice_eq(sent(), SLICE("\x0d\0\0\0\4blob\0\0\0\4data\0\0\0\2")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_told_in_words),
        TEST(identities_are_listed),
        TEST(answers_without_sense_are_errors),
        TEST(half_an_answer_is_never_taken_for_the_next),
        TEST(an_agent_that_hangs_up_is_gone),
        TEST(a_certificate_lives_in_the_agent_until_its_end),
        TEST(what_has_ended_or_is_another_key_is_not_sent),
        TEST(the_agent_signs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
