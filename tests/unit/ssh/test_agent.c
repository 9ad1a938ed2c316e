/* Messages of ssh-agent: ours as the protocol has them, answers with bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/ssh_wire.h"
#include "ssh/agent.h"

static struct private_key *key_of(struct arena *a, enum key_type type)
{
    struct private_key *k;

    assert_true(private_key_generate(a, type, 2048, &k, NULL));
    return k;
}

static void requests_are_as_the_protocol_says(void **state)
{
    struct arena *a = arena_new(NULL);
    struct buf b = buf_new(a, SSH_AGENT_MESSAGE_MAX);

    (void)state;
    ssh_agent_put_list(&b);
    ssh_agent_put_remove_all(&b);
    ssh_agent_put_remove(&b, SLICE("blob"));
    ssh_agent_put_sign(&b, SLICE("blob"), SLICE("data"), 4);
    assert_true(slice_eq(buf_slice(&b), SLICE("\x0b"
                                              "\x13"
                                              "\x12\0\0\0\x04"
                                              "blob"
                                              "\x0d\0\0\0\x04"
                                              "blob"
                                              "\0\0\0\x04"
                                              "data"
                                              "\0\0\0\x04")));
    arena_free(a);
}

static void skip_strings(struct slice *in, unsigned n)
{
    struct slice s;

    while (n-- > 0)
        assert_true(ssh_take_string(in, &s));
}

/* Type name and certificate, the private parts, comment, lifetime. */
static void a_key_goes_with_its_certificate(void **state)
{
    static const struct {
        enum key_type type;
        unsigned parts, plain_parts;
    } CASES[] = {{KEY_RSA, 4, 6}, {KEY_P256, 1, 3}, {KEY_P521, 1, 3}, {KEY_ED25519, 2, 2}};
    struct arena *a = arena_new(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct private_key *k = key_of(a, CASES[i].type);
        struct ssh_cert c = {.type = SSH_USER}, read;
        struct buf blob = buf_new(a, SSH_BLOB_MAX), b = buf_new(a, SSH_AGENT_MESSAGE_MAX);
        struct slice in, type, text;
        uint8_t byte;
        uint32_t n;
        assert_true(ssh_key_from(a, k->public_key, &c.key, NULL));
        assert_true(ssh_cert_sign(&c, signer_local(a, key_of(a, KEY_P256), "ca"), a, &blob,
                                  DEADLINE_NONE, NULL));
        assert_true(ssh_cert_read(a, buf_slice(&blob), &read, NULL));

        assert_true(ssh_agent_put_add(&b, k, &read, SLICE("me"), 77, a, NULL));
        in = buf_slice(&b);
        assert_true(ssh_take_byte(&in, &byte) && byte == 25);
        assert_true(ssh_take_string(&in, &type));
        assert_true(slice_is(type, ssh_cert_type_name(read.key.kind)));
        assert_true(ssh_take_string(&in, &text) && slice_eq(text, read.blob));
        skip_strings(&in, CASES[i].parts);
        assert_true(ssh_take_string(&in, &text) && slice_is(text, "me"));
        assert_true(ssh_take_byte(&in, &byte) && byte == 1);
        assert_true(ssh_take_u32(&in, &n) && n == 77 && in.n == 0);

        b = buf_new(a, SSH_AGENT_MESSAGE_MAX);
        assert_true(ssh_agent_put_add(&b, k, NULL, SLICE(""), 0, a, NULL));
        in = buf_slice(&b);
        assert_true(ssh_take_byte(&in, &byte) && byte == 17);
        assert_true(ssh_take_string(&in, &type));
        assert_true(slice_is(type, ssh_key_type_name(read.key.kind)));
        skip_strings(&in, CASES[i].plain_parts + 1);
        assert_int_equal(in.n, 0);

        b = buf_new(a, SSH_AGENT_MESSAGE_MAX);
        assert_false(ssh_agent_put_add(&b, key_of(a, CASES[i].type), &read, SLICE(""), 0, a, NULL));
    }
    arena_free(a);
}

static void answers_have_bounds(void **state)
{
    static const struct {
        struct slice message;
        size_t n; /* identities; -1: refused */
    } CASES[] = {
#define MESSAGE(text) {(const uint8_t *)(text), sizeof(text) - 1}
        {MESSAGE("\x0c\0\0\0\0"), 0},
        {MESSAGE("\x0c\0\0\0\x01\0\0\0\x01k\0\0\0\x02me"), 1},
        {MESSAGE("\x0c\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 2},
        {MESSAGE(""), SIZE_MAX},
        {MESSAGE("\x05"), SIZE_MAX},
        {MESSAGE("\x06"), SIZE_MAX},
        {MESSAGE("\x0c"), SIZE_MAX},
        {MESSAGE("\x0c\0\0\0"), SIZE_MAX},
        {MESSAGE("\x0c\0\0\0\0\0"), SIZE_MAX},
        {MESSAGE("\x0c\0\0\0\x01"), SIZE_MAX},
        {MESSAGE("\x0c\xff\xff\xff\xff"), SIZE_MAX},
        {MESSAGE("\x0c\0\0\0\x01\0\0\0\x01k\0\0\0\x03me"), SIZE_MAX},
        {MESSAGE("\x0c\0\0\0\x01\0\0\0\x01k\0\0\0\x02me\0"), SIZE_MAX},
    };
    struct arena *a = arena_new(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ssh_identity *v;
        size_t n;
        bool good = ssh_agent_read_list(a, CASES[i].message, &v, &n, NULL);
        if (good != (CASES[i].n != SIZE_MAX) || (good && n != CASES[i].n))
            fail_msg("case %zu", i);
    }
    arena_free(a);
}

static void a_refusal_is_told_from_nonsense(void **state)
{
    struct slice blob;
    struct err e = {0};

    (void)state;
    assert_true(ssh_agent_read_success(SLICE("\x06"), NULL));
    assert_false(ssh_agent_read_success(SLICE("\x05"), &e));
    assert_int_equal(e.kind, ERR_FORBIDDEN);
    assert_false(ssh_agent_read_success(SLICE("\x0e"), &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
    assert_true(ssh_agent_read_signature(SLICE("\x0e\0\0\0\x01s"), &blob, NULL));
    assert_true(slice_is(blob, "s"));
    assert_false(ssh_agent_read_signature(SLICE("\x0e\0\0\0\x02s"), &blob, NULL));
    assert_false(ssh_agent_read_signature(SLICE("\x0e\0\0\0\x01s\0"), &blob, NULL));
    assert_false(ssh_agent_read_signature(SLICE("\x05"), &blob, &e));
    assert_int_equal(e.kind, ERR_FORBIDDEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_as_the_protocol_says),
        cmocka_unit_test(a_key_goes_with_its_certificate),
        cmocka_unit_test(answers_have_bounds),
        cmocka_unit_test(a_refusal_is_told_from_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
