/* The resolver against a name server in the test: UDP and TCP on one port of the loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/resolver.h"

#define TYPE_A     1
#define TYPE_CNAME 5
#define TYPE_TXT   16
#define TYPE_AAAA  28

static struct arena *A;

/* --- The name server ----------------------------------------------------------------------------
 */

static struct {
    int udp, tcp, stop[2];
    pthread_t thread;
    char address[32];
    atomic_uint asked, asked_tcp, port; /* port: that of the last question */
} SERVER;

struct question {
    char name[256];
    unsigned type;
    size_t n; /* of the question section */
    bool tcp;
};

static void put_record(struct buf *b, const char *name, unsigned type, struct slice data)
{
    struct slice rest = slice_text(name), label;

    while (slice_split(&rest, '.', &label)) {
        buf_byte(b, (uint8_t)label.n);
        buf_put(b, label);
    }
    buf_byte(b, 0);
    buf_u16(b, (uint16_t)type);
    buf_u16(b, 1);
    buf_u32(b, 60);
    buf_u16(b, (uint16_t)data.n);
    buf_put(b, data);
}

static void put_txt(struct buf *b, const char *name, const char *one, const char *two)
{
    struct buf data = buf_new(NULL, 4096);

    buf_byte(&data, (uint8_t)strlen(one));
    buf_text(&data, one);
    if (two) {
        buf_byte(&data, (uint8_t)strlen(two));
        buf_text(&data, two);
    }
    put_record(b, name, TYPE_TXT, buf_slice(&data));
    buf_free(&data);
}

static unsigned put_addresses(struct buf *b, const char *name, const struct question *q)
{
    if (q->type == TYPE_A) {
        put_record(b, name, TYPE_A, slice_of("\xc0\x00\x02\x01", 4));
        put_record(b, name, TYPE_A, slice_of("\xc0\x00\x02\x02", 4));
        return 2;
    }
    put_record(b, name, TYPE_AAAA, slice_of("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16));
    return 1;
}

/* Answers to one question: number of records; *code: the response code, 99 for silence. */
static unsigned answer(struct buf *b, const struct question *q, unsigned *code)
{
    static const uint8_t PLAIN[] = "\x05plain\x04test";
    static const uint8_t SPLIT[] = "\x05split\x04test";

    if (!strcmp(q->name, "plain.test") && (q->type == TYPE_A || q->type == TYPE_AAAA))
        return put_addresses(b, "plain.test", q);
    if (!strcmp(q->name, "four.test") && q->type == TYPE_A)
        return put_addresses(b, "four.test", q);
    if (!strcmp(q->name, "alias.test") && (q->type == TYPE_A || q->type == TYPE_AAAA)) {
        put_record(b, "alias.test", TYPE_CNAME, slice_of(PLAIN, sizeof(PLAIN)));
        return 1 + put_addresses(b, "plain.test", q);
    }
    if (!strcmp(q->name, "missing.test"))
        *code = 3;
    if (!strcmp(q->name, "broken.test"))
        *code = 2;
    if (!strcmp(q->name, "unable.test"))
        *code = 4;
    if (!strcmp(q->name, "refused.test"))
        *code = 5;
    if (!strcmp(q->name, "looped.test")) { /* a name that points at itself */
        buf_put(b, slice_of("\xc0\x1d\0\x10\0\1\0\0\0\1\0\2\1x", 14));
        return 1;
    }
    if (!strcmp(q->name, "silent.test"))
        *code = 99;
    if (q->type != TYPE_TXT)
        return 0;
    if (!strcmp(q->name, "split.test")) {
        put_txt(b, "split.test", "abc", "def");
        put_txt(b, "split.test", "x", NULL);
        put_txt(b, "split.test", "", NULL);
        return 3;
    }
    if (!strcmp(q->name, "alias.test")) {
        put_record(b, "alias.test", TYPE_CNAME, slice_of(SPLIT, sizeof(SPLIT)));
        put_txt(b, "split.test", "by another name", NULL);
        return 2;
    }
    unsigned many = !strcmp(q->name, "big.test") ? 40 : !strcmp(q->name, "many.test") ? 300 : 0;
    for (unsigned i = 0; i < many && q->tcp; i++) {
        char text[64];
        snprintf(text, sizeof(text), "record number %u of very many of them", i);
        put_txt(b, q->name, text, NULL);
    }
    return many;
}

static bool read_question(const uint8_t *p, size_t n, struct question *q)
{
    size_t at = 12, out = 0;

    while (at < n && p[at]) {
        if (p[at] > 63 || at + 1 + p[at] >= n || out + p[at] + 2 > sizeof(q->name))
            return false;
        if (out)
            q->name[out++] = '.';
        memcpy(q->name + out, p + at + 1, p[at]);
        out += p[at];
        at += 1u + p[at];
    }
    q->name[out] = 0;
    if (at + 5 > n)
        return false;
    q->type = (unsigned)p[at + 1] << 8 | p[at + 2];
    q->n = at + 5 - 12;
    return true;
}

/* False: no reply. */
static bool reply_to(const uint8_t *p, size_t n, bool tcp, struct buf *out)
{
    struct question q = {.tcp = tcp};
    struct buf records = buf_new(NULL, 60000);
    unsigned code = 0;

    if (n < 17 || !read_question(p, n, &q))
        return false;
    atomic_fetch_add(&SERVER.asked, 1);
    unsigned count = answer(&records, &q, &code);
    bool cut = count && !records.n;
    buf_put(out, slice_of(p, 2));
    buf_u16(out, (uint16_t)(0x8180 | (cut ? 0x0200 : 0) | (code & 15)));
    buf_u16(out, 1);
    buf_u16(out, cut ? 0 : (uint16_t)count);
    buf_u32(out, 0);
    buf_put(out, slice_of(p + 12, q.n));
    buf_put(out, buf_slice(&records));
    buf_free(&records);
    return code != 99 && buf_ok(out);
}

static void serve_udp(void)
{
    uint8_t in[1024];
    struct sockaddr_in from;
    socklen_t n_from = sizeof(from);
    struct buf out = buf_new(NULL, 65535);
    ssize_t n = recvfrom(SERVER.udp, in, sizeof(in), 0, (struct sockaddr *)&from, &n_from);

    atomic_store(&SERVER.port, ntohs(from.sin_port));
    if (n > 0 && reply_to(in, (size_t)n, false, &out))
        (void)sendto(SERVER.udp, out.p, out.n, 0, (struct sockaddr *)&from, n_from);
    buf_free(&out);
}

static void serve_tcp(void)
{
    uint8_t in[1024];
    struct buf out = buf_new(NULL, 65535), framed = buf_new(NULL, 65537);
    int fd = accept(SERVER.tcp, NULL, NULL);
    ssize_t n = fd >= 0 ? recv(fd, in, 2, MSG_WAITALL) : -1;

    atomic_fetch_add(&SERVER.asked_tcp, 1);
    size_t length = n == 2 ? (size_t)in[0] << 8 | in[1] : sizeof(in) + 1;
    if (length <= sizeof(in) && recv(fd, in, length, MSG_WAITALL) == (ssize_t)length &&
        reply_to(in, length, true, &out)) {
        buf_u16(&framed, (uint16_t)out.n);
        buf_put(&framed, buf_slice(&out));
        (void)send(fd, framed.p, framed.n, MSG_NOSIGNAL);
        (void)recv(fd, in, 1, 0); /* until it closes */
    }
    if (fd >= 0)
        close(fd);
    buf_free(&out);
    buf_free(&framed);
}

static void *serve(void *arg)
{
    struct pollfd fds[] = {{.fd = SERVER.udp, .events = POLLIN},
                           {.fd = SERVER.tcp, .events = POLLIN},
                           {.fd = SERVER.stop[0], .events = POLLIN}};

    while (poll(fds, 3, -1) >= 0 && !fds[2].revents) {
        if (fds[0].revents)
            serve_udp();
        if (fds[1].revents)
            serve_tcp();
    }
    return arg;
}

static bool bind_both(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);

    SERVER.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    SERVER.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(SERVER.udp, (struct sockaddr *)&sa, n) == 0 &&
        getsockname(SERVER.udp, (struct sockaddr *)&sa, &n) == 0 &&
        bind(SERVER.tcp, (struct sockaddr *)&sa, n) == 0 && listen(SERVER.tcp, 16) == 0) {
        snprintf(SERVER.address, sizeof(SERVER.address), "127.0.0.1:%u", ntohs(sa.sin_port));
        return true;
    }
    close(SERVER.udp);
    close(SERVER.tcp);
    return false;
}

static int group_up(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    int tries = 0;
    while (!bind_both())
        assert_true(tries++ < 20);
    assert_int_equal(pipe(SERVER.stop), 0);
    return pthread_create(&SERVER.thread, NULL, serve, NULL);
}

static int group_down(void **state)
{
    (void)state;
    close(SERVER.stop[1]);
    pthread_join(SERVER.thread, NULL);
    close(SERVER.stop[0]);
    close(SERVER.udp);
    close(SERVER.tcp);
    arena_free(A);
    return 0;
}

/* --- Questions ----------------------------------------------------------------------------------
 */

static struct deadline soon(void)
{
    return deadline_in(&CLOCK_SYSTEM, 60 * NS_PER_SEC);
}

static struct resolver *make(void)
{
    struct err e = {0};
    struct resolver *r = resolver_new(SERVER.address, &e);

    if (!r)
        fail_msg("%s", e.text);
    return r;
}

/* "192.0.2.1 2001:db8::1", sorted; or "KIND: text". */
static const char *addresses_of(const char *name)
{
    struct resolver *r = make();
    struct ip_list list;
    struct err e = {0};
    struct buf b = buf_new(A, 4096);

    if (!r->addresses(r, slice_text(name), A, &list, soon(), &e)) {
        buf_printf(&b, "%s: %s", err_kind_name(e.kind), e.text);
        list.n = 0;
    }
    for (int family = 4; family <= 16; family += 12)
        for (size_t i = 0; i < list.n; i++)
            if (list.v[i].n == family)
                buf_printf(&b, "%s%.*s", b.n ? " " : "", SLICE_ARG(ip_text(A, &list.v[i])));
    resolver_free(r);
    return arena_cstr(A, buf_slice(&b));
}

/* "[one][two]", or "KIND: text". */
static const char *texts_of(const char *name)
{
    struct resolver *r = make();
    struct text_list list;
    struct err e = {0};
    struct buf b = buf_new(A, 65536);

    if (!r->txt(r, slice_text(name), A, &list, soon(), &e)) {
        buf_printf(&b, "%s: %s", err_kind_name(e.kind), e.text);
        list.n = 0;
    }
    for (size_t i = 0; i < list.n; i++)
        buf_printf(&b, "[%.*s]", SLICE_ARG(list.v[i]));
    resolver_free(r);
    return arena_cstr(A, buf_slice(&b));
}

static void addresses_are_found(void **state)
{
    static const struct {
        const char *name, *found;
    } CASES[] = {
        {"plain.test.", "192.0.2.1 192.0.2.2 2001:db8::1"},
        {"plain.test", "192.0.2.1 192.0.2.2 2001:db8::1"},
        {"alias.test.", "192.0.2.1 192.0.2.2 2001:db8::1"},
        {"four.test.", "192.0.2.1 192.0.2.2"},
        {"192.0.2.77", "192.0.2.77"},
        {"2001:DB8::7", "2001:db8::7"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_string_equal(addresses_of(CASES[i].name), CASES[i].found);
}

/* Who wants to answer in the server's place has to guess the port, each time anew. */
static void each_question_comes_from_a_port_of_its_own(void **state)
{
    struct resolver *r = make();
    unsigned ports[20], distinct = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ports); i++) {
        struct text_list list;
        bool seen = false;
        assert_true(r->txt(r, SLICE("split.test."), A, &list, soon(), NULL));
        assert_int_equal(list.n, 3);
        ports[i] = atomic_load(&SERVER.port);
        for (size_t k = 0; k < i; k++)
            seen |= ports[k] == ports[i];
        distinct += !seen;
    }
    assert_true(distinct >= 15); /* the system may choose one twice */
    resolver_free(r);
}

static void failures_leave_the_resolver_usable(void **state)
{
    struct resolver *r = make();
    struct text_list list;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(r->txt(r, SLICE("split.test."), A, &list, soon(), NULL));
        assert_false(r->txt(r, SLICE("missing.test."), A, &list, soon(), NULL));
        assert_false(r->txt(r, SLICE("silent.test."), A, &list,
                            deadline_in(&CLOCK_SYSTEM, 50 * NS_PER_MS), NULL));
    }
    assert_true(r->txt(r, SLICE("split.test."), A, &list, soon(), NULL));
    resolver_free(r);
}

static void this_machine_is_not_asked_for(void **state)
{
    static const char *const NAMES[] = {"localhost", "LocalHost.", "a.localhost", "b.c.localhost."};

    (void)state;
    unsigned before = atomic_load(&SERVER.asked);
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        assert_string_equal(addresses_of(NAMES[i]), "127.0.0.1 ::1");
    assert_int_equal(atomic_load(&SERVER.asked), before);
}

/* A name of /etc/hosts that is not localhost; NULL: there is none. */
static const char *hosts_name(char *address)
{
    static char line[512], name[256];
    FILE *f = fopen("/etc/hosts", "re");
    bool found = false;

    while (f && !found && fgets(line, sizeof(line), f)) {
        struct ip ip;
        line[strcspn(line, "#\n")] = 0;
        found = sscanf(line, "%63s %255s", address, name) == 2 &&
                ip_read(slice_text(address), &ip) && ip.n == 4 && !strstr(name, "localhost");
    }
    if (f)
        fclose(f);
    return found ? name : NULL;
}

static void the_hosts_file_holds(void **state)
{
    char address[64];
    const char *name = hosts_name(address);

    (void)state;
    if (!name) {
        print_message("the_hosts_file_holds: skipped: /etc/hosts names only localhost\n");
        skip();
    }
    if (!strstr(addresses_of(name), address))
        fail_msg("%s is %s, not %s", name, addresses_of(name), address);
}

static void absence_and_trouble_differ(void **state)
{
    static const struct {
        const char *name, *addresses, *texts;
    } CASES[] = {
        {"missing.test.", "not found: missing.test.: no such name",
         "not found: missing.test.: no such name"},
        {"empty.test.", "not found: empty.test.: has no address",
         "not found: empty.test.: has no TXT record"},
        {"broken.test.", "unavailable: broken.test.: ", "unavailable: broken.test.: "},
        {"", "not found: DNS name", "not found: DNS name"},
        {"a..b.test", "not found: a..b.test: ", "not found: a..b.test: "},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const char *addresses = addresses_of(CASES[i].name), *texts = texts_of(CASES[i].name);
        if (!slice_starts(slice_text(addresses), CASES[i].addresses))
            fail_msg("%s: \"%s\"", CASES[i].name, addresses);
        if (!slice_starts(slice_text(texts), CASES[i].texts))
            fail_msg("%s: \"%s\"", CASES[i].name, texts);
    }
}

static void an_answer_that_is_none_is_told(void **state)
{
    static const char *const CASES[][2] = {
        {"broken.test.", "SERVFAIL"}, {"unable.test.", "NOTIMP"}, {"refused.test.", "REFUSED"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const char *text = arena_printf(A, "unavailable: %s: %s answered %s", CASES[i][0],
                                        SERVER.address, CASES[i][1]);
        assert_string_equal(addresses_of(CASES[i][0]), text);
        assert_string_equal(texts_of(CASES[i][0]), text);
    }
    assert_string_equal(texts_of("looped.test."),
                        arena_printf(A,
                                     "unavailable: looped.test.: the answer of %s cannot be read",
                                     SERVER.address));
}

static void bad_names_are_refused(void **state)
{
    struct resolver *r = make();
    struct ip_list list;
    struct text_list texts;
    struct err e = {0};
    char *endless = arena_alloc(A, 400);

    (void)state;
    memset(endless, 'a', 300);
    assert_false(r->addresses(r, slice_of("pl\0ain.test", 11), A, &list, soon(), &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(r->txt(r, slice_text(endless), A, &texts, soon(), &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    resolver_free(r);
}

static void strings_of_a_record_are_joined(void **state)
{
    (void)state;
    assert_string_equal(texts_of("split.test."), "[abcdef][x][]");
    assert_string_equal(texts_of("alias.test."), "[by another name]");
}

static void a_cut_answer_is_fetched_by_tcp(void **state)
{
    unsigned before = atomic_load(&SERVER.asked_tcp);

    (void)state;
    const char *texts = texts_of("big.test.");
    assert_int_equal(atomic_load(&SERVER.asked_tcp), before + 1);
    assert_non_null(strstr(texts, "[record number 0 of"));
    assert_non_null(strstr(texts, "[record number 39 of"));
}

static void records_are_limited(void **state)
{
    struct resolver *r = make();
    struct text_list list;

    (void)state;
    assert_true(r->txt(r, SLICE("many.test."), A, &list, soon(), NULL));
    assert_int_equal(list.n, 256);
    resolver_free(r);
}

static void silence_ends_with_the_deadline(void **state)
{
    struct resolver *r = make();
    struct ip_list list;
    struct text_list texts;
    struct err e = {0};
    struct deadline d = deadline_in(&CLOCK_SYSTEM, 100 * NS_PER_MS);

    (void)state;
    assert_false(r->addresses(r, SLICE("silent.test."), A, &list, d, &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, SERVER.address));
    assert_false(r->txt(r, SLICE("silent.test."), A, &texts, d, &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    resolver_free(r);
}

static void whoever_is_cancelled_stops_waiting(void **state)
{
    struct resolver *r = make();
    struct text_list texts;
    struct err e = {0};
    atomic_bool cancelled = true;
    struct deadline d = soon();

    (void)state;
    d.cancelled = &cancelled;
    assert_false(r->txt(r, SLICE("silent.test."), A, &texts, d, &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    resolver_free(r);
}

static void a_server_that_is_not_there_is_named(void **state)
{
    struct err e = {0};
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);
    char address[32];
    struct text_list texts;

    (void)state;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
    getsockname(fd, (struct sockaddr *)&sa, &n);
    close(fd); /* nobody is there now */
    snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(sa.sin_port));
    struct resolver *r = resolver_new(address, &e);
    assert_non_null(r);
    assert_false(r->txt(r, SLICE("plain.test."), A, &texts, soon(), &e));
    assert_int_equal(e.kind, ERR_UNAVAILABLE);
    assert_string_equal(e.text, arena_printf(A, "plain.test.: %s cannot be reached", address));
    resolver_free(r);
}

static void servers_are_address_and_port(void **state)
{
    static const char *const BAD[] = {
        "",       "127.0.0.1",  "127.0.0.1:", "127.0.0.1:0", "1.2.3.4:99999", "name.test:53",
        "::1:53", "127.0.0.1:a"};
    static const char *const GOOD[] = {"127.0.0.1:53", "[::1]:5353"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct err e = {0};
        if (resolver_new(BAD[i], &e))
            fail_msg("\"%s\" was accepted", BAD[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
    for (size_t i = 0; i < COUNT_OF(GOOD); i++) {
        struct resolver *r = resolver_new(GOOD[i], NULL);
        assert_non_null(r);
        resolver_free(r);
    }
    struct resolver *system = resolver_new(NULL, NULL);
    assert_non_null(system);
    resolver_free(system);
    resolver_free(NULL);
}

static void *ask_often(void *arg)
{
    struct resolver *r = arg;
    struct arena *a = arena_new(&HEAP_USUAL);
    struct ip_list list;
    uintptr_t wrong = 0;

    for (int i = 0; i < 20; i++)
        wrong += !r->addresses(r, SLICE("plain.test."), a, &list, soon(), NULL) || list.n != 3;
    arena_free(a);
    return (void *)wrong;
}

static void many_threads_ask(void **state)
{
    struct resolver *r = make();
    pthread_t threads[8];
    void *wrong;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, r), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    resolver_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_found),
        cmocka_unit_test(each_question_comes_from_a_port_of_its_own),
        cmocka_unit_test(failures_leave_the_resolver_usable),
        cmocka_unit_test(this_machine_is_not_asked_for),
        cmocka_unit_test(the_hosts_file_holds),
        cmocka_unit_test(absence_and_trouble_differ),
        cmocka_unit_test(an_answer_that_is_none_is_told),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(strings_of_a_record_are_joined),
        cmocka_unit_test(a_cut_answer_is_fetched_by_tcp),
        cmocka_unit_test(records_are_limited),
        cmocka_unit_test(silence_ends_with_the_deadline),
        cmocka_unit_test(whoever_is_cancelled_stops_waiting),
        cmocka_unit_test(a_server_that_is_not_there_is_named),
        cmocka_unit_test(servers_are_address_and_port),
        cmocka_unit_test(many_threads_ask),
    };

    return cmocka_run_group_tests(tests, group_up, group_down);
}
