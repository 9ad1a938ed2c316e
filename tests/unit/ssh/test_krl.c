/* Revocation lists: what is written is read again, and nothing else passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "crypto/ssh_wire.h"
#include "ssh/krl.h"

static const uint64_t SERIALS[] = {1,         2, 3, 4, 9, 100, 101, 5000000000u, UINT64_MAX - 1,
                                   UINT64_MAX};

struct state {
    struct arena *a;
    struct ssh_key cas[2];
    struct slice krl;
};

static int setup(void **state)
{
    struct arena *a = arena_new(NULL);
    struct state *s = arena_alloc(a, sizeof(*s));
    struct buf b = buf_new(a, 1u << 20);

    s->a = a;
    for (size_t i = 0; i < 2; i++) {
        struct private_key *k;
        assert_true(private_key_generate(a, KEY_P256, 0, &k, NULL));
        assert_true(ssh_key_from(a, k->public_key, &s->cas[i], NULL));
    }
    struct ssh_krl krl = {.version = 7,
                          .generated = 1700000000,
                          .comment = SLICE("test"),
                          .cas = s->cas,
                          .n_cas = 1,
                          .serials = SERIALS,
                          .n_serials = COUNT_OF(SERIALS)};
    assert_true(ssh_krl_write(&krl, &b, NULL));
    s->krl = buf_slice(&b);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    arena_free(((struct state *)*state)->a);
    return 0;
}

static void what_is_revoked_is_found(void **state)
{
    static const uint64_t OTHERS[] = {0, 5, 8, 10, 99, 102, 4999999999u, UINT64_MAX - 2};
    struct state *s = *state;
    struct ssh_krl_read *k;

    assert_true(ssh_krl_read(s->a, s->krl, &k, NULL));
    assert_int_equal(ssh_krl_version(k), 7);
    for (size_t i = 0; i < COUNT_OF(SERIALS); i++) {
        assert_true(ssh_krl_has(k, s->cas[0].blob, SERIALS[i]));
        assert_false(ssh_krl_has(k, s->cas[1].blob, SERIALS[i]));
    }
    for (size_t i = 0; i < COUNT_OF(OTHERS); i++)
        assert_false(ssh_krl_has(k, s->cas[0].blob, OTHERS[i]));
}

static void a_list_without_end_is_refused(void **state)
{
    struct state *s = *state;
    struct ssh_krl_read *k;
    size_t header = 8 + 4 + 8 + 8 + 8 + 4 + 4 + 4; /* a list of nothing is whole */

    for (size_t n = 0; n < s->krl.n; n++) {
        if (n != header)
            assert_false(ssh_krl_read(s->a, slice_sub(s->krl, 0, n), &k, NULL));
    }
    uint8_t *longer = arena_alloc(s->a, s->krl.n + 1);
    memcpy(longer, s->krl.p, s->krl.n);
    assert_false(ssh_krl_read(s->a, slice_of(longer, s->krl.n + 1), &k, NULL));
}

static void serials_out_of_order_are_not_written(void **state)
{
    static const uint64_t WRONG[][2] = {{2, 1}, {3, 3}, {0, 1}};
    struct state *s = *state;

    for (size_t i = 0; i < COUNT_OF(WRONG); i++) {
        struct buf b = buf_new(s->a, 1u << 20);
        struct ssh_krl krl = {
            .comment = SLICE(""), .cas = s->cas, .n_cas = 1, .serials = WRONG[i], .n_serials = 2};
        assert_false(ssh_krl_write(&krl, &b, NULL));
    }
}

/* With lists, ranges, a bitmap, a key id and a whole key. */
static void a_list_of_openssh_is_read(void **state)
{
    static const struct {
        uint64_t serial;
        bool revoked;
    } CASES[] = {{1, true},     {2, false},    {4, false},    {5, true},         {900, true},
                 {901, false},  {1999, false}, {2000, true},  {2001, false},     {2002, true},
                 {2003, false}, {2004, true},  {2005, true},  {2006, false},     {2007, true},
                 {2008, false}, {2009, true},  {2010, false}, {UINT64_MAX, true}};
    struct state *s = *state;
    struct ssh_line line;
    struct ssh_krl_read *k;
    struct slice text;
    struct err e = {0};

    assert_true(file_read(s->a, FIXTURES "ed25519.pub", false, 1u << 16, &text, NULL));
    assert_true(ssh_line_read(s->a, text, &line, NULL));
    assert_true(file_read(s->a, FIXTURES "ca.krl", false, 1u << 16, &text, NULL));
    if (!ssh_krl_read(s->a, text, &k, &e))
        fail_msg("%s", e.text);
    assert_int_equal(ssh_krl_version(k), 13);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        if (ssh_krl_has(k, line.blob, CASES[i].serial) != CASES[i].revoked)
            fail_msg("%llu", (unsigned long long)CASES[i].serial);
        assert_false(ssh_krl_has(k, s->cas[0].blob, CASES[i].serial));
    }
}

static void the_shortest_form_is_chosen(void **state)
{
    struct state *s = *state;
    size_t header = 8 + 4 + 8 + 8 + 8 + 4 + 4 + 4;

    /* 1-4 as a range, 9, 100, 101, 5000000000 and the last two as a list */
    size_t sections = (1 + 4 + 16) + (1 + 4 + 6 * 8);
    assert_int_equal(s->krl.n, header + 1 + 4 + 4 + s->cas[0].blob.n + 4 + sections);
}

static void without_revocations_there_are_no_sections(void **state)
{
    struct state *s = *state;
    struct ssh_krl krl = {.version = 1, .comment = SLICE(""), .cas = s->cas, .n_cas = 2};
    struct buf b = buf_new(s->a, 1u << 10);
    struct ssh_krl_read *k;

    assert_true(ssh_krl_write(&krl, &b, NULL));
    assert_true(ssh_krl_read(s->a, buf_slice(&b), &k, NULL));
    assert_false(ssh_krl_has(k, s->cas[0].blob, 1));
}

/* --- Extensions (PROTOCOL.krl 2.5 and 5) ------------------------------------------------------ */

#define HEADER       (8 + 4 + 8 + 8 + 8 + 4 + 4 + 4) /* the comment has four letters */
#define TYPE_EXT     255
#define TYPE_EXT_SUB 0x39

enum where { IN_FRONT, AT_THE_END, BESIDE_SERIALS };

/* The list of the state with one more section, or with one in its section of certificates. */
static struct slice extended(struct state *s, enum where where, uint8_t type, struct slice section)
{
    struct buf b = buf_new(s->a, 1u << 20);
    struct slice rest = slice_from(s->krl, HEADER);
    struct slice data = slice_from(rest, 1 + 4); /* type and length of the only section */

    buf_put(&b, slice_sub(s->krl, 0, HEADER));
    if (where == AT_THE_END)
        buf_put(&b, rest);
    size_t outer = 0;
    if (where == BESIDE_SERIALS) {
        buf_byte(&b, 1);
        outer = ssh_open_string(&b);
        buf_put(&b, slice_sub(data, 0, 4 + s->cas[0].blob.n + 4));
    }
    buf_byte(&b, type);
    ssh_put_string(&b, section);
    if (where == BESIDE_SERIALS) {
        buf_put(&b, slice_from(data, 4 + s->cas[0].blob.n + 4));
        ssh_close_string(&b, outer);
    }
    if (where == IN_FRONT)
        buf_put(&b, rest);
    assert_true(buf_ok(&b));
    return buf_slice(&b);
}

static struct slice extension(struct state *s, const char *name, uint8_t critical,
                              struct slice contents)
{
    struct buf b = buf_new(s->a, 1u << 16);

    ssh_put_string(&b, slice_text(name));
    buf_byte(&b, critical);
    ssh_put_string(&b, contents);
    return buf_slice(&b);
}

static const struct place {
    enum where where;
    uint8_t type;
} PLACES[] = {{IN_FRONT, TYPE_EXT}, {AT_THE_END, TYPE_EXT}, {BESIDE_SERIALS, TYPE_EXT_SUB}};

static void extensions_that_are_optional_are_passed_over(void **state)
{
    struct state *s = *state;
    struct slice section = extension(s, "cert-bloom-serial", 0, SLICE("\1\2\3"));
    struct ssh_krl_read *k;
    struct err e = {0};

    for (size_t i = 0; i < COUNT_OF(PLACES); i++) {
        struct slice krl = extended(s, PLACES[i].where, PLACES[i].type, section);
        if (!ssh_krl_read(s->a, krl, &k, &e))
            fail_msg("%zu: %s", i, e.text);
        for (size_t j = 0; j < COUNT_OF(SERIALS); j++)
            assert_true(ssh_krl_has(k, s->cas[0].blob, SERIALS[j]));
        assert_false(ssh_krl_has(k, s->cas[0].blob, 5));
    }
}

static void critical_extensions_are_refused_by_name(void **state)
{
    static const uint8_t TRUTHS[] = {1, 2, 255}; /* RFC 4251 5: not 0 is true */
    struct state *s = *state;
    struct ssh_krl_read *k;

    for (size_t i = 0; i < COUNT_OF(PLACES) * COUNT_OF(TRUTHS); i++) {
        const struct place *at = &PLACES[i / COUNT_OF(TRUTHS)];
        struct slice section =
            extension(s, "new@example.com", TRUTHS[i % COUNT_OF(TRUTHS)], SLICE(""));
        struct err e = {0};
        assert_false(ssh_krl_read(s->a, extended(s, at->where, at->type, section), &k, &e));
        if (!strstr(e.text, "\"new@example.com\" is critical"))
            fail_msg("%s", e.text);
    }
}

static void damaged_extensions_and_wrong_places_are_refused(void **state)
{
    struct state *s = *state;
    struct slice whole = extension(s, "a", 0, SLICE("xy"));
    struct ssh_krl_read *k;

    for (size_t i = 0; i < COUNT_OF(PLACES); i++) {
        const struct place *at = &PLACES[i];
        for (size_t n = 0; n < whole.n; n++)
            assert_false(ssh_krl_read(
                s->a, extended(s, at->where, at->type, slice_sub(whole, 0, n)), &k, NULL));
        uint8_t longer[32] = {0};
        memcpy(longer, whole.p, whole.n);
        assert_false(ssh_krl_read(
            s->a, extended(s, at->where, at->type, slice_of(longer, whole.n + 1)), &k, NULL));
        /* The number of the one kind of section is none of the other kind. */
        uint8_t other = at->type == TYPE_EXT ? TYPE_EXT_SUB : TYPE_EXT;
        assert_false(ssh_krl_read(s->a, extended(s, at->where, other, whole), &k, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_revoked_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_without_end_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(serials_out_of_order_are_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_of_openssh_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(the_shortest_form_is_chosen, setup, teardown),
        cmocka_unit_test_setup_teardown(without_revocations_there_are_no_sections, setup, teardown),
        cmocka_unit_test_setup_teardown(extensions_that_are_optional_are_passed_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(critical_extensions_are_refused_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_extensions_and_wrong_places_are_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
