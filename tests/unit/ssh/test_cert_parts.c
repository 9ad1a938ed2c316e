/*
 * Certificates of ssh-keygen and of all pairs of our kinds, and certificates with one part that is
 * wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "crypto/ssh_wire.h"
#include "ssh/cert.h"

static int setup(void **state)
{
    *state = arena_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static struct slice blob_of(struct arena *a, const char *name)
{
    struct ssh_line line;
    struct slice text;
    struct err e = {0};

    if (!file_read(a, arena_printf(a, "%s%s.pub", FIXTURES, name), false, 1u << 16, &text, &e) ||
        !ssh_line_read(a, text, &line, &e))
        fail_msg("%s: %s", name, e.text);
    return line.blob;
}

static void certificates_of_openssh_are_read(void **state)
{
    static const struct {
        const char *name, *key, *ca, *format;
        uint32_t type;
        bool good;
    } CASES[] = {
        {"user-rsa-cert", "rsa", "ed25519", "ssh-ed25519", SSH_USER, true},
        {"user-p256-cert", "p256", "ed25519", "ssh-ed25519", SSH_USER, true},
        {"user-p384-cert", "p384", "ed25519", "ssh-ed25519", SSH_USER, true},
        {"user-p521-cert", "p521", "ed25519", "ssh-ed25519", SSH_USER, true},
        {"user-ed25519-cert", "ed25519", "ed25519", "ssh-ed25519", SSH_USER, true},
        {"user-sk-p256-cert", "sk-p256", "ed25519", "ssh-ed25519", SSH_USER, true},
        {"user-sk-ed25519-cert", "sk-ed25519", "ed25519", "ssh-ed25519", SSH_USER, true},
        {"host-by-rsa-cert", "ed25519", "rsa", "rsa-sha2-512", SSH_HOST, true},
        {"host-by-rsa-sha2-256-cert", "ed25519", "rsa", "rsa-sha2-256", SSH_HOST, true},
        {"host-by-rsa-sha1-cert", "ed25519", "rsa", "ssh-rsa", SSH_HOST, false},
        {"host-by-p256-cert", "ed25519", "p256", "ecdsa-sha2-nistp256", SSH_HOST, true},
        {"host-by-p384-cert", "ed25519", "p384", "ecdsa-sha2-nistp384", SSH_HOST, true},
        {"host-by-p521-cert", "ed25519", "p521", "ecdsa-sha2-nistp521", SSH_HOST, true},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice blob = blob_of(*state, CASES[i].name), format, bytes;
        struct ssh_cert c;
        struct err e = {0};
        if (!ssh_cert_read(*state, blob, &c, &e))
            fail_msg("%s: %s", CASES[i].name, e.text);
        assert_true(ssh_blob_is_cert(blob));
        assert_int_equal(c.type, CASES[i].type);
        assert_true(slice_eq(c.key.blob, blob_of(*state, CASES[i].key)));
        assert_true(slice_eq(c.ca.blob, blob_of(*state, CASES[i].ca)));
        assert_true(ssh_signature_read(c.signature, &format, &bytes, NULL));
        assert_true(slice_is(format, CASES[i].format));
        assert_int_equal(ssh_cert_verify(*state, &c, NULL), CASES[i].good);
        if (c.type == SSH_USER) {
            assert_int_equal(c.serial, 7);
            assert_int_equal(c.valid_after, 1672531200);
            assert_int_equal(c.valid_before, 1988150400);
            assert_true(slice_is(c.principals[0], "alice") && slice_is(c.principals[1], "bob"));
            assert_int_equal(c.extensions.n, SSH_USER_EXTENSIONS.n);
            for (size_t k = 0; k < c.extensions.n; k++)
                assert_true(slice_eq(c.extensions.v[k].name, SSH_USER_EXTENSIONS.v[k].name));
        }
        for (size_t n = 0; n < blob.n; n++)
            assert_false(ssh_cert_read(*state, slice_sub(blob, 0, n), &c, NULL));
    }
}

static void options_of_openssh_are_read(void **state)
{
    struct ssh_cert c;

    assert_true(ssh_cert_read(*state, blob_of(*state, "options-cert"), &c, NULL));
    assert_int_equal(c.valid_after, 0);
    assert_true(c.valid_before == SSH_FOREVER);
    assert_int_equal(c.critical.n, 3);
    assert_true(slice_is(c.critical.v[0].name, "force-command"));
    assert_true(slice_is(c.critical.v[0].value, "/bin/echo hi"));
    assert_true(slice_is(c.critical.v[1].value, "10.0.0.0/8"));
    assert_true(slice_is(c.critical.v[2].name, "x@example.com"));
    assert_int_equal(c.extensions.n, 2);
    assert_true(slice_is(c.extensions.v[0].value, "joe"));
    assert_int_equal(c.extensions.v[1].value.n, 0);
}

/* --- All pairs ------------------------------------------------------------------------------- */

static const enum key_type SIGNERS[] = {KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519};

static void every_kind_signs_every_kind(void **state)
{
    static const char *const SUBJECTS[] = {"rsa",     "p256",    "p384",      "p521",
                                           "ed25519", "sk-p256", "sk-ed25519"};
    struct slice names[] = {SLICE("z"), SLICE("a")};
    struct arena *a = *state;

    for (size_t i = 0; i < COUNT_OF(SIGNERS); i++) {
        struct private_key *secret;
        struct ssh_key ca;
        assert_true(private_key_generate(a, SIGNERS[i], 2048, &secret, NULL));
        assert_true(ssh_key_from(a, secret->public_key, &ca, NULL));
        for (size_t k = 0; k < COUNT_OF(SUBJECTS); k++) {
            struct ssh_cert wish = {.nonce = SLICE("n"),
                                    .serial = UINT64_MAX,
                                    .type = SSH_HOST,
                                    .key_id = SLICE("id"),
                                    .principals = names,
                                    .n_principals = 2,
                                    .valid_after = 5,
                                    .valid_before = SSH_FOREVER,
                                    .extensions = SSH_USER_EXTENSIONS,
                                    .reserved = SLICE("r")};
            struct buf b = buf_new(a, SSH_BLOB_MAX);
            struct ssh_cert c;
            assert_true(ssh_key_read(a, blob_of(a, SUBJECTS[k]), &wish.key, NULL));
            assert_true(
                ssh_cert_sign(&wish, signer_local(a, secret, "test"), a, &b, DEADLINE_NONE, NULL));
            assert_true(ssh_cert_read(a, buf_slice(&b), &c, NULL));
            assert_true(ssh_cert_verify(a, &c, NULL));
            assert_true(slice_eq(c.key.blob, wish.key.blob) && slice_eq(c.ca.blob, ca.blob));
            assert_true(c.serial == UINT64_MAX && c.valid_before == SSH_FOREVER);
            assert_true(slice_is(c.principals[0], "z") && slice_is(c.principals[1], "a"));
            assert_true(slice_is(c.reserved, "r"));
        }
    }
}

static bool signs(struct arena *a, const struct ssh_cert *changes, struct ssh_cert *out)
{
    struct private_key *secret;
    struct ssh_cert wish = *changes;
    struct buf b = buf_new(a, SSH_BLOB_MAX);

    assert_true(private_key_generate(a, KEY_ED25519, 0, &secret, NULL));
    assert_true(ssh_key_from(a, secret->public_key, &wish.key, NULL));
    return ssh_cert_sign(&wish, signer_local(a, secret, "test"), a, &b, DEADLINE_NONE, NULL) &&
           ssh_cert_read(a, buf_slice(&b), out, NULL) && ssh_cert_verify(a, out, NULL);
}

static void options_are_put_in_order(void **state)
{
    struct ssh_option mixed[] = {{SLICE("b"), SLICE("2")},
                                 {SLICE("a"), SLICE("")},
                                 {SLICE("B"), SLICE("\x00x")},
                                 {SLICE("ab"), SLICE("1")}};
    struct ssh_option twice[] = {{SLICE("a"), SLICE("1")}, {SLICE("a"), SLICE("1")}};
    struct ssh_cert wish = {.type = SSH_USER, .critical = {mixed, 4}}, c;

    assert_true(signs(*state, &wish, &c));
    assert_int_equal(c.critical.n, 4);
    assert_true(slice_is(c.critical.v[0].name, "B") && c.critical.v[0].value.n == 2);
    assert_true(slice_is(c.critical.v[1].name, "a") && slice_is(c.critical.v[2].name, "ab"));
    assert_true(slice_is(mixed[0].name, "b")); /* what was handed in stays as it is */
    wish.critical = (struct ssh_options){twice, 2};
    assert_false(signs(*state, &wish, &c));
    wish.critical = (struct ssh_options){NULL, 0};
    wish.extensions = (struct ssh_options){twice, 2};
    assert_false(signs(*state, &wish, &c));
}

static void what_openssh_would_refuse_is_not_signed(void **state)
{
    struct arena *a = *state;
    uint8_t *big = arena_alloc(a, SSH_CERT_TEXT_MAX + 1);
    struct slice fits = slice_of(big, SSH_CERT_TEXT_MAX),
                 exceeds = slice_of(big, SSH_CERT_TEXT_MAX + 1);
    struct slice *names = arena_array(a, SSH_PRINCIPALS_MAX + 1, sizeof(*names));
    struct ssh_option *many = arena_array(a, SSH_OPTIONS_MAX + 1, sizeof(*many));
    struct ssh_option value = {SLICE("a"), exceeds}, name = {exceeds, SLICE("")};
    struct ssh_cert c;

    for (size_t i = 0; i <= SSH_PRINCIPALS_MAX; i++)
        names[i] = SLICE("x");
    for (size_t i = 0; i <= SSH_OPTIONS_MAX; i++)
        many[i].name = arena_format(a, "o%zu", i);
    const struct {
        struct ssh_cert cert;
        bool good;
    } CASES[] = {
        {{.type = SSH_USER}, true},
        {{.type = 0}, false},
        {{.type = 3}, false},
        {{.type = SSH_USER, .key_id = fits}, true},
        {{.type = SSH_USER, .key_id = exceeds}, false},
        {{.type = SSH_USER, .principals = names, .n_principals = SSH_PRINCIPALS_MAX}, true},
        {{.type = SSH_USER, .principals = names, .n_principals = SSH_PRINCIPALS_MAX + 1}, false},
        {{.type = SSH_USER, .principals = &exceeds, .n_principals = 1}, false},
        {{.type = SSH_USER, .critical = {many, SSH_OPTIONS_MAX}}, true},
        {{.type = SSH_USER, .critical = {many, SSH_OPTIONS_MAX + 1}}, false},
        {{.type = SSH_USER, .extensions = {&value, 1}}, false},
        {{.type = SSH_USER, .extensions = {&name, 1}}, false},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        if (signs(a, &CASES[i].cert, &c) != CASES[i].good)
            fail_msg("case %zu", i);
    }
}

/* --- Damaged parts --------------------------------------------------------------------------- */

/* The parts of a certificate as they stand in it; no one of them is wrong. */
struct parts {
    const char *name;
    uint32_t type;
    struct slice principals, critical, extensions, ca, signature;
};

static struct slice strings(struct arena *a, size_t n, const struct slice *v)
{
    struct buf b = buf_new(a, SSH_BLOB_MAX);

    for (size_t i = 0; i < n; i++)
        ssh_put_string(&b, v[i]);
    return buf_slice(&b);
}
#define STRINGS(a, ...)                                                                            \
    strings(a, sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice),                 \
            (const struct slice[]){__VA_ARGS__})

static struct parts usual(struct arena *a)
{
    return (struct parts){.name = "ssh-ed25519-cert-v01@openssh.com",
                          .type = SSH_USER,
                          .principals = STRINGS(a, SLICE("alice")),
                          .critical = SLICE(""),
                          .extensions = STRINGS(a, SLICE("permit-pty"), SLICE("")),
                          .ca = blob_of(a, "ed25519"),
                          .signature = STRINGS(a, SLICE("ssh-ed25519"), SLICE("sig"))};
}

static bool reads(struct arena *a, const struct parts *p)
{
    static const uint8_t KEY[32] = {1};
    struct buf b = buf_new(a, SSH_BLOB_MAX);
    struct ssh_cert c;

    ssh_put_string(&b, slice_text(p->name));
    ssh_put_string(&b, SLICE("nonce"));
    ssh_put_string(&b, slice_of(KEY, sizeof(KEY)));
    buf_u64(&b, 1);
    buf_u32(&b, p->type);
    ssh_put_string(&b, SLICE("id"));
    ssh_put_string(&b, p->principals);
    buf_u64(&b, 0);
    buf_u64(&b, 1);
    ssh_put_string(&b, p->critical);
    ssh_put_string(&b, p->extensions);
    ssh_put_string(&b, SLICE(""));
    ssh_put_string(&b, p->ca);
    ssh_put_string(&b, p->signature);
    return ssh_cert_read(a, buf_slice(&b), &c, NULL);
}

static void the_usual_parts_are_read(void **state)
{
    struct parts p = usual(*state);

    assert_true(reads(*state, &p));
    p.principals = SLICE("");
    assert_true(reads(*state, &p));
    p.type = SSH_HOST;
    assert_true(reads(*state, &p));
}

static void other_types_are_refused(void **state)
{
    static const uint32_t TYPES[] = {0, 3, UINT32_MAX};
    static const char *const NAMES[] = {"ssh-ed25519", "ssh-ed25519-cert-v02@openssh.com", "",
                                        "ssh-rsa-cert-v01@openssh.com"};

    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        struct parts p = usual(*state);
        p.type = TYPES[i];
        assert_false(reads(*state, &p));
    }
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        struct parts p = usual(*state);
        p.name = NAMES[i];
        assert_false(reads(*state, &p));
    }
}

static void damaged_principals_are_refused(void **state)
{
    struct arena *a = *state;
    struct slice *many = arena_array(a, SSH_PRINCIPALS_MAX + 1, sizeof(*many));
    const struct slice WRONG[] = {
        SLICE("\0"),
        SLICE("\0\0\0\x05"
              "alice"
              "\0\0\0"),
        SLICE("\0\0\0\x06"
              "alice"),
        SLICE("\xff\xff\xff\xff"),
        SLICE("\0\0\0\x05"
              "alice"
              "\0\0\0\x03"
              "bo"),
        strings(a, SSH_PRINCIPALS_MAX + 1, many),
    };

    for (size_t i = 0; i < COUNT_OF(WRONG); i++) {
        struct parts p = usual(a);
        p.principals = WRONG[i];
        if (reads(a, &p))
            fail_msg("case %zu", i);
    }
}

static void options_have_one_form(void **state)
{
    struct arena *a = *state;
    struct slice x = STRINGS(a, SLICE("x"));
    const struct {
        struct slice options;
        bool good;
    } CASES[] = {
        {STRINGS(a, SLICE("a"), x, SLICE("b"), SLICE("")), true},
        {STRINGS(a, SLICE("a"), STRINGS(a, SLICE(""))), true},
        {STRINGS(a, SLICE("b"), x, SLICE("a"), x), false},
        {STRINGS(a, SLICE("a"), x, SLICE("a"), x), false},
        {STRINGS(a, SLICE("a"), SLICE(""), SLICE("B"), SLICE("")), false}, /* 'B' < 'a' */
        {STRINGS(a, SLICE("ab"), SLICE(""), SLICE("a"), SLICE("")), false},
        {STRINGS(a, SLICE("a"), STRINGS(a, SLICE("x"), SLICE("y"))), false},
        {STRINGS(a, SLICE("a"), SLICE("x")), false},
        {STRINGS(a, SLICE("a"), SLICE("\0\0\0\x01xy")), false},
        {STRINGS(a, SLICE("a")), false},
        {STRINGS(a, SLICE("a"), x, SLICE("b")), false},
        {SLICE("\0\0\0"), false},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct parts p = usual(a), q = usual(a);
        p.critical = CASES[i].options;
        q.extensions = CASES[i].options;
        if (reads(a, &p) != CASES[i].good || reads(a, &q) != CASES[i].good)
            fail_msg("case %zu", i);
    }
}

static void the_signature_key_is_a_key(void **state)
{
    struct arena *a = *state;
    struct slice key = blob_of(a, "p256");
    uint8_t *longer = arena_alloc(a, key.n + 1);
    memcpy(longer, key.p, key.n);
    const struct {
        struct slice ca;
        bool good;
    } CASES[] = {
        {key, true},
        {blob_of(a, "rsa"), true},
        {blob_of(a, "sk-ed25519"), true}, /* OpenSSH has such; they never verify here */
        {blob_of(a, "user-ed25519-cert"), false},
        {blob_of(a, "host-by-rsa-cert"), false},
        {blob_of(a, "dsa"), false},
        {slice_sub(key, 0, key.n - 1), false},
        {slice_of(longer, key.n + 1), false},
        {SLICE(""), false},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct parts p = usual(a);
        p.ca = CASES[i].ca;
        if (reads(a, &p) != CASES[i].good)
            fail_msg("case %zu", i);
    }
}

static void the_signature_has_two_parts(void **state)
{
    struct arena *a = *state;
    const struct slice WRONG[] = {SLICE(""), STRINGS(a, SLICE("ssh-ed25519")),
                                  STRINGS(a, SLICE("ssh-ed25519"), SLICE("sig"), SLICE("")),
                                  SLICE("\0\0\0\x01")};

    for (size_t i = 0; i < COUNT_OF(WRONG); i++) {
        struct parts p = usual(a);
        p.signature = WRONG[i];
        if (reads(a, &p))
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(certificates_of_openssh_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(options_of_openssh_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(every_kind_signs_every_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(options_are_put_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(what_openssh_would_refuse_is_not_signed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_usual_parts_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(other_types_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_principals_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(options_have_one_form, setup, teardown),
        cmocka_unit_test_setup_teardown(the_signature_key_is_a_key, setup, teardown),
        cmocka_unit_test_setup_teardown(the_signature_has_two_parts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
