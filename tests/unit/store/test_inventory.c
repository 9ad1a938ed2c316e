/*
 * Questions about certificates, on both engines: each filter alone and together, and pages.
 */
#include "store_testing.h"

static const struct specimen {
    const char *serial, *common_name, *subject, *names, *provisioner_id, *provisioner_name;
    int64_t issued_at, not_after;
    bool revoked;
} SPECIMENS[] = {
    {"1", "a.example", "CN=a.example", "dns:a.example\n", "p1", "admin", 10, NOW + 100, false},
    {"2", "b.example", "CN=b.example,O=B", "dns:b.example\nip:10.0.0.1\n", "p1", "admin", 20,
     NOW + 300, false},
    {"3", "c.example", "CN=c.example", "dns:c.example\ndns:a.example\n", "p2", "acme", 30,
     NOW + 200, true},
    {"4", "", "", "uri:spiffe://x/y\nip:2001:db8::1\nemail:Ann@Example.org\n", "p2", "acme", 40,
     NOW - 50, false},
    {"5", "dns", "CN=dns", "dns:*.b.example", "p3", "p1", 50, NOW + 200, false},
    {"10", "z", "CN=z", "", "", "", 60, NOW + 200, true},
};

static void fill(struct ground *g)
{
    for (size_t i = 0; i < COUNT_OF(SPECIMENS); i++) {
        const struct specimen *s = &SPECIMENS[i];
        struct issued c = certificate(s->serial);
        c.common_name = slice_text(s->common_name);
        c.subject = slice_text(s->subject);
        c.names = slice_text(s->names);
        c.provisioner_id = slice_text(s->provisioner_id);
        c.provisioner_name = slice_text(s->provisioner_name);
        c.issued_at = s->issued_at;
        c.not_after = s->not_after;
        issue_one(g->s, &c);
        if (s->revoked)
            revoke_serial(g->s, s->serial);
    }
    put(g->s, TABLE_X509_CERTS, SLICE("99"), SLICE("imported, not in the inventory"));
    revoke_serial(g->s, "98");
}

static bool list(const struct inventory_row *row, void *arg)
{
    buf_put(arg, row->serial);
    buf_text(arg, " ");
    return true;
}

static void assert_inventory(struct ground *g, const struct inventory_query *q,
                             const char *expected)
{
    struct buf serials = buf_new(g->a, 4096);

    if (!g->s->ops->inventory(g->s, q, list, &serials, DEADLINE_NONE, &g->e))
        fail_msg("%s", g->e.text);
    assert_slice(buf_slice(&serials), slice_text(expected));
}

static void each_filter_finds_its_certificates(void **state)
{
    static const struct {
        struct inventory_query q;
        const char *serials;
    } CASES[] = {
        {{0}, "4 1 10 3 5 2 "},
        {{.expiring_before = NOW + 200}, "4 1 "},
        {{.expiring_before = NOW + 201, .only_active = true}, "1 5 "},
        {{.issued_since = 40}, "4 10 5 "},
        {{.only_revoked = true}, "10 3 "},
        {{.only_active = true}, "1 5 2 "},
        {{.only_active = true, .only_revoked = true}, ""},
        {{.provisioner = SLICE("p1")}, "1 5 2 "},
        {{.provisioner = SLICE("acme")}, "4 3 "},
        {{.provisioner = SLICE("acm")}, ""},
        {{.serial = SLICE("10")}, "10 "},
        {{.serial = SLICE("10"), .only_active = true}, ""},
        {{.serial = SLICE("99")}, ""},
        {{.san = SLICE("a.example")}, "1 3 "},
        {{.san = SLICE("A.EXAMPLE")}, "1 3 "},
        {{.san = SLICE("dns:a.example")}, "1 3 "},
        {{.san = SLICE("dns:a.example"), .only_revoked = true}, "3 "},
        {{.san = SLICE("ip:a.example")}, ""},
        {{.san = SLICE("b.example")}, "2 "},
        {{.san = SLICE("*.b.example")}, "5 "},
        {{.san = SLICE("2001:db8::1")}, "4 "},
        {{.san = SLICE("ip:2001:db8::1")}, "4 "},
        {{.san = SLICE("spiffe://x/y")}, "4 "},
        {{.san = SLICE("uri:spiffe://x/y")}, "4 "},
        {{.san = SLICE("ann@example.org")}, "4 "},
        {{.san = SLICE("z")}, ""},
        {{.san = SLICE("CN=z")}, ""},
        {{.subject = SLICE("z")}, "10 "},
        {{.subject = SLICE("cn=B.example,O=B")}, "2 "},
        {{.subject = SLICE("10.0.0.1")}, ""},
        {{.san = SLICE("a.example"), .subject = SLICE("c.example")}, "3 "},
        {{.san = SLICE("' OR 1=1 --")}, ""},
        {{.limit = 2}, "4 1 "},
        {{.after = SLICE("1"), .after_not_after = NOW + 100, .limit = 2}, "10 3 "},
        {{.after = SLICE("3"), .after_not_after = NOW + 200, .limit = 2}, "5 2 "},
        {{.after = SLICE("2"), .after_not_after = NOW + 300}, ""},
    };
    struct ground *g = *state;

    fill(g);
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_inventory(g, &CASES[i].q, CASES[i].serials);
}

static bool keep_row(const struct inventory_row *row, void *arg)
{
    struct ground *g = arg;

    assert_slice(row->serial, SLICE("3"));
    assert_slice(row->common_name, SLICE("c.example"));
    assert_slice(row->subject, SLICE("CN=c.example"));
    assert_slice(row->names, SLICE("dns:c.example\ndns:a.example\n"));
    assert_slice(row->fingerprint, SLICE("00ff"));
    assert_slice(row->key_type, SLICE("ECDSA P-256"));
    assert_slice(row->provisioner_id, SLICE("p2"));
    assert_slice(row->provisioner_name, SLICE("acme"));
    assert_slice(row->provisioner_type, SLICE("JWK"));
    assert_slice(row->renewed_from, SLICE(""));
    assert_slice(row->reason, SLICE("stolen"));
    assert_slice(row->der, SLICE("\x30\x03\x02\x01\x00"));
    assert_int_equal(row->not_before, NOW - 10);
    assert_int_equal(row->not_after, NOW + 200);
    assert_int_equal(row->issued_at, 30);
    assert_int_equal(row->revoked_at, NOW - 5);
    assert_int_equal(row->reason_code, 1);
    g->dir[0] = '/'; /* seen */
    return false;
}

static void a_row_tells_everything(void **state)
{
    struct ground *g = *state;
    struct inventory_query q = {.serial = SLICE("3")};

    fill(g);
    g->dir[0] = '?';
    assert_true(g->s->ops->inventory(g->s, &q, keep_row, g, DEADLINE_NONE, &g->e));
    assert_int_equal(g->dir[0], '/');
}

static bool keep_ssh_row(const struct inventory_row *row, void *arg)
{
    struct ground *g = arg;

    assert_int_equal(row->kind, CERT_SSH_USER);
    assert_slice(row->serial, SLICE("3"));
    assert_slice(row->subject, SLICE("ann@example.org"));
    assert_slice(row->common_name, SLICE(""));
    assert_slice(row->names, SLICE("principal:ann\nprincipal:root\n"));
    assert_slice(row->fingerprint, SLICE("SHA256:aa"));
    assert_slice(row->ca_key, SLICE("SHA256:bb"));
    assert_slice(row->provisioner_name, SLICE("people"));
    assert_slice(row->der, SLICE("ssh-blob"));
    assert_slice(row->reason, SLICE("stolen"));
    assert_int_equal(row->revoked_at, NOW - 5);
    assert_int_equal(row->reason_code, 1);
    g->dir[0] = '/'; /* seen */
    return true;
}

static void ssh_certificates_are_rows_too(void **state)
{
    static const struct {
        struct inventory_query q;
        const char *serials;
    } CASES[] = {
        {{.only_ssh = true}, "20 3 "},
        {{.only_x509 = true}, "4 1 10 3 5 2 "},
        {{0}, "4 1 10 20 3 3 5 2 "},
        {{.serial = SLICE("3")}, "3 3 "},
        {{.serial = SLICE("3"), .only_ssh = true}, "3 "},
        {{.san = SLICE("root")}, "3 "},
        {{.san = SLICE("principal:root")}, "3 "},
        {{.subject = SLICE("Ann@example.org")}, "3 "},
        {{.provisioner = SLICE("people")}, "20 3 "},
        {{.only_active = true, .only_ssh = true}, "20 "},
        {{.only_revoked = true}, "10 3 3 "},
        {{.after = SLICE("3"), .after_not_after = NOW + 200}, "3 5 2 "},
        {{.after = SLICE("3"), .after_not_after = NOW + 200, .after_ssh = true}, "5 2 "},
    };
    struct ground *g = *state;
    struct issued user = ssh_certificate("3"), host = ssh_certificate("20");

    fill(g);
    user.not_after = host.not_after = NOW + 200;
    host.kind = CERT_SSH_HOST;
    host.subject = SLICE("web");
    host.names = SLICE("principal:web.example\n");
    issue_one(g->s, &user);
    issue_one(g->s, &host);
    put(g->s, TABLE_SSH_CERTS, SLICE("97"), SLICE("imported, not in the inventory"));
    revoke_in(g->s, true, "3");
    revoke_in(g->s, true, "1");
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_inventory(g, &CASES[i].q, CASES[i].serials);
    g->dir[0] = '?';
    struct inventory_query one = {.serial = SLICE("3"), .only_ssh = true};
    assert_true(g->s->ops->inventory(g->s, &one, keep_ssh_row, g, DEADLINE_NONE, &g->e));
    assert_int_equal(g->dir[0], '/');
    batch_remove(&g->b, TABLE_REVOKED_SSH_CERTS, SLICE("3"), NULL);
    assert_commit(g->s, &g->b);
    assert_inventory(g, &(struct inventory_query){.only_revoked = true}, "10 3 ");
}

static void certificates_of_later_are_found_by_name_too(void **state)
{
    struct ground *g = *state;
    struct issued c = certificate("77");
    uint64_t removed;

    fill(g);
    assert_inventory(g, &(struct inventory_query){.san = SLICE("late.example")}, "");
    c.names = SLICE("dns:late.example\n");
    issue_one(g->s, &c);
    assert_inventory(g, &(struct inventory_query){.san = SLICE("late.example")}, "77 ");
    for (int i = 0; i < 1100; i++) {
        c.serial = arena_format(g->a, "%d", 1000 + i);
        c.names = arena_format(g->a, "dns:h%d.example\n", i);
        batch_issue(&g->b, memcpy(arena_alloc(g->a, sizeof(c)), &c, sizeof(c)));
    }
    assert_commit(g->s, &g->b);
    assert_true(g->s->ops->prune(g->s, NOW, &removed, &g->e));
    assert_inventory(g, &(struct inventory_query){.san = SLICE("h1099.example")}, "2099 ");
}

static void long_and_odd_names_are_kept(void **state)
{
    struct ground *g = *state;
    struct issued many = certificate("500"), one = certificate("501"), other = certificate("502");
    struct buf names = buf_new(g->a, 1u << 20);
    char longest[300], sibling[300];

    for (int i = 0; i < 130; i++)
        buf_printf(&names, "dns:n%d.example\n", i);
    many.names = buf_slice(&names);
    many.subject = SLICE("CN=\xff\xfe");
    many.common_name = SLICE("\xff\xfe");
    memset(longest, 'a', sizeof(longest));
    memset(sibling, 'a', sizeof(sibling));
    sibling[299] = 'b';
    one.names = arena_format(g->a, "dns:%.300s\n", longest);
    other.names = arena_format(g->a, "dns:%.300s\n", sibling);
    one.subject = other.subject = SLICE("CN=\xd8\xb9\xd9\x84\xd9\x8a \xc3\x9c");
    one.renewed_from = SLICE("500");
    issue_one(g->s, &many);
    issue_one(g->s, &one);
    issue_one(g->s, &other);
    assert_inventory(g, &(struct inventory_query){.san = SLICE("n0.example")}, "500 ");
    assert_inventory(g, &(struct inventory_query){.san = SLICE("dns:N129.example")}, "500 ");
    assert_inventory(g, &(struct inventory_query){.san = slice_of(longest, 300)}, "501 ");
    assert_inventory(g, &(struct inventory_query){.san = slice_of(sibling, 300)}, "502 ");
    assert_inventory(g, &(struct inventory_query){.san = slice_of(longest, 255)}, "");
    assert_inventory(g, &(struct inventory_query){.subject = one.subject}, "501 502 ");
    assert_inventory(g, &(struct inventory_query){.san = SLICE("%")}, "");
}

static void a_removed_certificate_leaves_the_index_of_names(void **state)
{
    struct ground *g = *state;
    struct issued c = certificate("77");

    c.names = SLICE("dns:one.example\n");
    c.common_name = SLICE("cn-one");
    issue_one(g->s, &c);
    assert_inventory(g, &(struct inventory_query){.san = SLICE("one.example")}, "77 ");
    batch_remove(&g->b, TABLE_X509_CERTS, SLICE("77"), &NO_NONCE);
    assert_commit(g->s, &g->b);
    c = certificate("78");
    c.names = SLICE("dns:two.example\n");
    issue_one(g->s, &c);
    assert_inventory(g, &(struct inventory_query){.san = SLICE("one.example")}, "");
    assert_inventory(g, &(struct inventory_query){.subject = SLICE("cn-one")}, "");
    assert_inventory(g, &(struct inventory_query){.san = SLICE("two.example")}, "78 ");
}

static void a_revocation_that_comes_as_a_record_is_shown(void **state)
{
    static const char *const RECORDS[] = {"{\"RevokedAt\":\"2025-06-15T15:00:00.5Z\"}",
                                          "{\"RevokedAt\":\"yesterday\",\"ReasonCode\":\"x\"}",
                                          "not JSON", ""};
    struct ground *g = *state;

    for (size_t i = 0; i < COUNT_OF(RECORDS); i++) {
        struct issued c = certificate(arena_printf(g->a, "%zu", i));
        issue_one(g->s, &c);
        put(g->s, TABLE_REVOKED_X509_CERTS, c.serial, slice_text(RECORDS[i]));
        assert_row(g->s, TABLE_REVOKED_X509_CERTS, c.serial, slice_text(RECORDS[i]));
    }
    assert_inventory(g, &(struct inventory_query){.only_revoked = true}, "0 1 2 3 ");
    batch_remove(&g->b, TABLE_REVOKED_X509_CERTS, SLICE("1"), NULL);
    assert_commit(g->s, &g->b);
    assert_inventory(g, &(struct inventory_query){.only_revoked = true}, "0 2 3 ");
    assert_inventory(g, &(struct inventory_query){.only_active = true}, "1 ");
}

struct expected {
    int64_t at;
    int code;
    const char *reason;
};

static bool check_revocation(const struct inventory_row *row, void *arg)
{
    const struct expected *x = arg;

    assert_int_equal(row->revoked_at, x->at);
    assert_int_equal(row->reason_code, x->code);
    assert_slice(row->reason, slice_text(x->reason));
    return true;
}

static void the_members_of_a_bare_revocation_are_read(void **state)
{
    struct ground *g = *state;
    struct issued c = certificate("7");
    struct expected x = {1749999600, 4, "new one"};

    issue_one(g->s, &c);
    put(g->s, TABLE_REVOKED_X509_CERTS, SLICE("7"),
        SLICE("{\"Serial\":\"7\",\"ReasonCode\":4,\"Reason\":\"new one\","
              "\"RevokedAt\":\"2025-06-15T15:00:00.5Z\"}"));
    assert_true(g->s->ops->inventory(g->s, &(struct inventory_query){0}, check_revocation, &x,
                                     DEADLINE_NONE, &g->e));
    put(g->s, TABLE_REVOKED_X509_CERTS, SLICE("7"), SLICE("unreadable"));
    /* A server has no time of its own for it; the others keep when they learnt of it. */
    bool shared = (g->s->caps & STORE_SHARED) != 0;
    x = (struct expected){shared ? INVENTORY_REVOKED_SOMETIME : NOW, 0, ""};
    assert_true(g->s->ops->inventory(g->s, &(struct inventory_query){0}, check_revocation, &x,
                                     DEADLINE_NONE, &g->e));
}

static bool put_lineage(const struct inventory_row *row, void *arg)
{
    buf_printf(arg, "%.*s from '%.*s' at %d by %.*s/%.*s/%.*s; ", SLICE_ARG(row->serial),
               SLICE_ARG(row->renewed_from), (int)row->issued_at, SLICE_ARG(row->provisioner_id),
               SLICE_ARG(row->provisioner_name), SLICE_ARG(row->provisioner_type));
    return true;
}

static void what_another_inventory_knows_is_taken_over(void **state)
{
    static const struct inventory_row ROWS[] = {
        {.kind = CERT_X509, .serial = SLICE("1"), .renewed_from = SLICE("4711"), .issued_at = 77},
        {.kind = CERT_X509, .serial = SLICE("no such certificate"), .issued_at = 1},
        {.kind = CERT_SSH_USER,
         .serial = SLICE("3"),
         .provisioner_id = SLICE("p9"),
         .provisioner_name = SLICE("others"),
         .provisioner_type = SLICE("OIDC")},
    };
    struct ground *g = *state;
    struct issued ssh = ssh_certificate("3");

    if (!g->s->ops->annotate)
        return;
    fill(g);
    issue_one(g->s, &ssh);
    for (int twice = 0; twice < 2; twice++) {
        struct buf x509 = buf_new(g->a, 4096), other = buf_new(g->a, 4096);
        assert_true(g->s->ops->annotate(g->s, ROWS, COUNT_OF(ROWS), &g->e));
        struct inventory_query q = {.serial = SLICE("1")};
        assert_true(g->s->ops->inventory(g->s, &q, put_lineage, &x509, DEADLINE_NONE, &g->e));
        assert_slice(buf_slice(&x509), SLICE("1 from '4711' at 77 by p1/admin/JWK; "));
        q = (struct inventory_query){.serial = SLICE("3")};
        assert_true(g->s->ops->inventory(g->s, &q, put_lineage, &other, DEADLINE_NONE, &g->e));
        const char *all = arena_cstr(g->a, buf_slice(&other));
        assert_non_null(strstr(all, "3 from '' at 30 by p2/acme/JWK; "));
        assert_true(strstr(all, "by p9/others/OIDC; ") && !strstr(all, " at 0 "));
    }
    assert_inventory(g, &(struct inventory_query){.issued_since = 77}, "1 3 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(each_filter_finds_its_certificates),
        EACH(a_row_tells_everything),
        EACH(ssh_certificates_are_rows_too),
        EACH(certificates_of_later_are_found_by_name_too),
        EACH(long_and_odd_names_are_kept),
        EACH(a_removed_certificate_leaves_the_index_of_names),
        EACH(a_revocation_that_comes_as_a_record_is_shown),
        EACH(the_members_of_a_bare_revocation_are_read),
        EACH(what_another_inventory_knows_is_taken_over),
    };

    server_inventory = true;
    return RUN_ON_BOTH(tests) + RUN_ON_SERVERS(tests);
}
