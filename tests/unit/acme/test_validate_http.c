/* http-01 against servers on the loopback: what they answer, and how they do not. */
#include "targets.h"

#include "base/log.h"

#define KEY_AUTHORIZATION "token.MFxT_XxYjKTpO-jRdcfdtbaX6IaRxvm-jpk5t-Jv7Bo"
#define WELL_KNOWN        "/.well-known/acme-challenge/"

static struct server WEB = {.fd = -1}, SECURE = {.fd = -1}, SIX = {.fd = -1};
static bool has_six;
static struct http_client *C;
static struct table_resolver NAMES;
static struct acme_validation_settings SETTINGS;
static atomic_ulong sent;

/* --- The web server: the token says what it does ------------------------------------------------
 */

static void redirect(struct visit *v, const char *status, const char *location)
{
    char header[512];

    snprintf(header, sizeof(header), "Location: %s\r\n", location);
    visit_reply(v, status, header, "moved");
}

/* /hop/N leads to /hop/N-1, /hop/0 is the answer. */
static void hop(struct visit *v, const char *at)
{
    unsigned long left = strtoul(at, NULL, 10);
    char location[64];

    snprintf(location, sizeof(location), "/hop/%lu", left - 1);
    if (left)
        redirect(v, "307 Temporary Redirect", location);
    else
        visit_reply(v, "200 OK", "", KEY_AUTHORIZATION);
}

static void endless_body(struct visit *v)
{
    static const char BLOCK[65536];

    (void)visit_send(v, "HTTP/1.1 200 OK\r\n\r\n", 19);
    while (visit_send(v, BLOCK, sizeof(BLOCK)))
        atomic_fetch_add(&sent, sizeof(BLOCK));
}

static void endless_header(struct visit *v)
{
    static char block[65536];

    memset(block, 'a', sizeof(block));
    (void)visit_send(v, "HTTP/1.1 200 OK\r\nX: ", 20);
    for (int i = 0; i < 16 && visit_send(v, block, sizeof(block)); i++) {}
}

static void say_host(struct visit *v)
{
    char expected[64];

    snprintf(expected, sizeof(expected), "\r\nHost: other.test:%u\r\n", v->server->port);
    visit_reply(v, "200 OK", "", strstr(v->request, expected) ? KEY_AUTHORIZATION : v->request);
}

static void elsewhere(struct visit *v, const char *scheme, const char *host, uint16_t port,
                      const char *path)
{
    char location[256];

    snprintf(location, sizeof(location), "%s://%s:%u%s", scheme, host, port, path);
    redirect(v, "301 Moved Permanently", location);
}

static void answer(struct visit *v)
{
    static const struct {
        const char *path, *status, *headers, *body;
    } FIXED[] = {
        {WELL_KNOWN "good ", "200 OK", "Content-Type: text/html\r\n", KEY_AUTHORIZATION},
        {WELL_KNOWN "space ", "200 OK", "",
         "\n\t \xc2\x85\xe3\x80\x80" KEY_AUTHORIZATION "\v\f\r\n\xc2\xa0 "},
        {WELL_KNOWN "wrong ", "200 OK", "", "another.answer\x1b[2J"},
        {WELL_KNOWN "longer ", "200 OK", "", KEY_AUTHORIZATION "x"},
        {WELL_KNOWN "inner ", "200 OK", "", "token. MFxT_XxYjKTpO-jRdcfdtbaX6IaRxvm-jpk5t-Jv7Bo"},
        {WELL_KNOWN "empty ", "200 OK", "", ""},
        {WELL_KNOWN "choices ", "300 Multiple Choices", "", KEY_AUTHORIZATION},
        {WELL_KNOWN "missing ", "404 Not Found", "", KEY_AUTHORIZATION},
        {WELL_KNOWN "broken ", "500 Internal Server Error", "", ""},
        {WELL_KNOWN "loop ", "302 Found", "Location: loop\r\n", ""},
        {WELL_KNOWN "ftp ", "302 Found", "Location: ftp://other.test/x\r\n", ""},
        {WELL_KNOWN "lost ", "302 Found", "Location: http://nowhere.test/x\r\n", ""},
        {WELL_KNOWN "ten ", "303 See Other", "Location: /hop/9\r\n", ""},
        {WELL_KNOWN "eleven ", "308 Permanent Redirect", "Location: /hop/10\r\n", ""},
        {"/answer ", "200 OK", "", KEY_AUTHORIZATION},
    };
    char *path = strchr(v->request, ' ');

    if (strncmp(v->request, "GET ", 4) != 0 || !path++)
        return;
    for (size_t i = 0; i < COUNT_OF(FIXED); i++)
        if (slice_starts(slice_text(path), FIXED[i].path))
            visit_reply(v, FIXED[i].status, FIXED[i].headers, FIXED[i].body);
    if (!strncmp(path, "/hop/", 5))
        hop(v, path + 5);
    if (!strncmp(path, WELL_KNOWN "away ", strlen(WELL_KNOWN "away ")))
        elsewhere(v, "http", "other.test", v->server->port, "/answer");
    if (!strncmp(path, WELL_KNOWN "dotted ", strlen(WELL_KNOWN "dotted ")))
        elsewhere(v, "http", "other.test.", v->server->port, "/host");
    if (!strncmp(path, WELL_KNOWN "secure ", strlen(WELL_KNOWN "secure ")))
        elsewhere(v, "https", "other.test", SECURE.port, "/back");
    if (!strncmp(path, "/back ", 6)) /* from https to http */
        elsewhere(v, "http", "127.0.0.1", WEB.port, "/answer");
    if (!strncmp(path, "/host ", 6) ||
        !strncmp(path, WELL_KNOWN "host ", strlen(WELL_KNOWN "host ")))
        say_host(v);
    if (!strncmp(path, WELL_KNOWN "endless ", strlen(WELL_KNOWN "endless ")))
        endless_body(v);
    if (!strncmp(path, WELL_KNOWN "gigabyte ", strlen(WELL_KNOWN "gigabyte "))) {
        const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
        (void)visit_send(v, head, strlen(head));
        visit_hold(v);
    }
    if (!strncmp(path, WELL_KNOWN "cut ", strlen(WELL_KNOWN "cut "))) {
        const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" KEY_AUTHORIZATION;
        (void)visit_send(v, head, strlen(head));
    }
    if (!strncmp(path, WELL_KNOWN "garbage ", strlen(WELL_KNOWN "garbage ")))
        (void)visit_send(v, "\x16\x03\x01\x8b\0\xff garbage\r\n\r\n", 18);
    if (!strncmp(path, WELL_KNOWN "bytes ", strlen(WELL_KNOWN "bytes "))) {
        const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n";
        (void)visit_send(v, head, strlen(head));
        (void)visit_send(v, "a\0\"\\\x8b\x9b[2J\r\n\xc2\x9b\xc3\xa4\xe2\x80\xaez", 19);
    }
    if (!strncmp(path, WELL_KNOWN "old ", strlen(WELL_KNOWN "old ")))
        (void)visit_send(v, KEY_AUTHORIZATION, sizeof(KEY_AUTHORIZATION) - 1);
    if (!strncmp(path, WELL_KNOWN "header ", strlen(WELL_KNOWN "header ")))
        endless_header(v);
    if (!strncmp(path, WELL_KNOWN "stall ", strlen(WELL_KNOWN "stall ")))
        visit_hold(v);
}

/* --- Around it ----------------------------------------------------------------------------------
 */

static const struct table_name TABLE[] = {
    {"web.test", {"127.0.0.1"}, {0}, ERR_NONE},
    {"other.test", {"127.0.0.1"}, {0}, ERR_NONE},
    {"other.test.", {"127.0.0.1"}, {0}, ERR_NONE},
    {"six.test", {"::1"}, {0}, ERR_NONE},
    {"both.test", {"::1", "127.0.0.1"}, {0}, ERR_NONE},
    {"turned.test", {"127.0.0.1", "::1"}, {0}, ERR_NONE},
    {"second.test", {"127.0.0.77", "127.0.0.1"}, {0}, ERR_NONE},
    {"slow.test", {0}, {0}, ERR_TIMEOUT},
    {"broken.test", {0}, {0}, ERR_UNAVAILABLE},
};

static int group_up(void **state)
{
    static const char *const PROXIES[] = {"HTTP_PROXY",  "http_proxy", "HTTPS_PROXY",
                                          "https_proxy", "NO_PROXY",   "no_proxy"};

    arena_up(state);
    for (size_t i = 0; i < COUNT_OF(PROXIES); i++)
        unsetenv(PROXIES[i]);
    WEB.answer = SECURE.answer = SIX.answer = answer;
    SECURE.ctx = server_context(&(struct server_cert){.sans = {"DNS:unknown.test"}, .until = -60});
    must(server_start(&WEB, "127.0.0.1", 0) && server_start(&SECURE, "127.0.0.1", 0));
    has_six = server_start(&SIX, "::1", WEB.port);
    NAMES = table_make(TABLE, COUNT_OF(TABLE));
    C = http_client_new("Newel test/1");
    http_client_set_resolver(C, &NAMES.base);
    SETTINGS = (struct acme_validation_settings){
        .http = C, .resolver = &NAMES.base, .clock = &CLOCK_SYSTEM, .http_port = WEB.port};
    return 0;
}

static int group_down(void **state)
{
    http_client_free(C);
    server_stop(&WEB);
    server_stop(&SECURE);
    if (has_six)
        server_stop(&SIX);
    SSL_CTX_free(SECURE.ctx);
    return arena_down(state);
}

static struct acme_result validate(const char *name, const char *token)
{
    struct ip ip;
    struct acme_validation v = {.type = ACME_HTTP_01,
                                .value = slice_text(name),
                                .ip = ip_read(slice_text(name), &ip),
                                .token = slice_text(token),
                                .key_authorization = SLICE(KEY_AUTHORIZATION)};

    return acme_validate_http01(A, &v, &SETTINGS, soon());
}

static void answers_decide(void **state)
{
    static const struct {
        const char *token;
        enum acme_verdict verdict;
        const char *problem, *detail;
    } CASES[] = {
        {"good", ACME_VALID, NULL, NULL},
        {"space", ACME_VALID, NULL, NULL},
        {"choices", ACME_VALID, NULL, NULL},
        {"wrong", ACME_INVALID, "incorrectResponse", "http://web.test:"},
        {"longer", ACME_INVALID, "incorrectResponse", "key authorization"},
        {"inner", ACME_INVALID, "incorrectResponse", NULL},
        {"empty", ACME_INVALID, "incorrectResponse", "0 bytes) from 127.0.0.1"},
        {"missing", ACME_RETRY, "connection", "status 404"},
        {"broken", ACME_RETRY, "connection", "127.0.0.1 answered with status 500"},
        {"garbage", ACME_RETRY, "connection", "(127.0.0.1): the answer is not HTTP"},
        {"old", ACME_RETRY, "connection", "(127.0.0.1): the answer is not HTTP"},
        {"header", ACME_RETRY, "connection", "(127.0.0.1): a header of the answer is too large"},
        {"cut", ACME_RETRY, "connection", NULL},
        {"gigabyte", ACME_INVALID, "incorrectResponse", "too large"},
        {"a/../b", ACME_INVALID, "malformed", "token"},
        {"", ACME_INVALID, "malformed", "token"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct acme_result r = validate("web.test", CASES[i].token);
        assert_result(&r, CASES[i].verdict, CASES[i].problem, CASES[i].detail);
    }
}

static void what_was_received_is_not_told(void **state)
{
    (void)state;
    struct acme_result r = validate("web.test", "wrong");
    assert_int_equal(slice_search(r.detail, SLICE("another")), r.detail.n);
}

static void keep_line(const char *line, size_t n, void *arg)
{
    *(struct slice *)arg = arena_copy(A, slice_of(line, n));
}

static void what_was_received_is_logged_in_printable_characters(void **state)
{
    struct slice line = SLICE("");
    struct slice shown =
        SLICE("answered \"a\\x00\\\"\\\\\\x8b\\x9b[2J\\r\\n\\u009b\xc3\xa4\\u202ez\" instead");

    (void)state;
    log_sink(keep_line, &line);
    struct acme_result r = validate("web.test", "bytes");
    log_sink(NULL, NULL);
    assert_result(&r, ACME_INVALID, "incorrectResponse", "19 bytes");
    if (slice_search(line, shown) == line.n)
        fail_msg("%.*s", SLICE_ARG(line));
}

static void redirects_lead_anywhere(void **state)
{
    static const char *const TOKENS[] = {"away", "dotted", "secure", "ten"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TOKENS); i++) {
        struct acme_result r = validate("web.test", TOKENS[i]);
        assert_result(&r, ACME_VALID, NULL, NULL);
    }
}

static void redirects_end(void **state)
{
    static const struct {
        const char *token, *detail;
    } CASES[] = {
        {"loop", "redirects"},
        {"eleven", "redirects"},
        {"ftp", "redirected"},
        {"lost", "nowhere.test"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct acme_result r = validate("web.test", CASES[i].token);
        assert_result(&r, ACME_RETRY, "connection", CASES[i].detail);
    }
}

static void an_endless_body_is_cut_off(void **state)
{
    (void)state;
    struct acme_result r = validate("web.test", "endless");
    assert_result(&r, ACME_INVALID, "incorrectResponse", "too large");
    /* What the sockets' buffers hold, not a gigabyte. */
    assert_true(atomic_load(&sent) < (64u << 20));
}

static void silence_ends_with_the_deadline(void **state)
{
    struct acme_validation v = {.value = SLICE("web.test"),
                                .token = SLICE("stall"),
                                .key_authorization = SLICE(KEY_AUTHORIZATION)};
    struct deadline d = deadline_in(&CLOCK_SYSTEM, 200 * NS_PER_MS);

    (void)state;
    struct acme_result r = acme_validate_http01(A, &v, &SETTINGS, d);
    assert_result(&r, ACME_RETRY, "connection", "in time");
}

static void names_that_lead_nowhere_are_told(void **state)
{
    static const struct {
        const char *name, *detail;
    } CASES[] = {
        {"nowhere.test", "no such name"},
        {"slow.test", "the table says so"},
        {"broken.test", "the table says so"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct acme_result r = validate(CASES[i].name, "good");
        assert_result(&r, ACME_RETRY, "connection", CASES[i].detail);
    }
}

static void a_closed_port_may_open_later(void **state)
{
    struct acme_validation v = {.value = SLICE("web.test"),
                                .token = SLICE("good"),
                                .key_authorization = SLICE(KEY_AUTHORIZATION)};
    struct acme_validation_settings s = SETTINGS;

    (void)state;
    s.http_port = closed_port();
    struct acme_result r = acme_validate_http01(A, &v, &s, soon());
    assert_result(&r, ACME_RETRY, "connection", " (127.0.0.1): connection refused");
    v.value = SLICE("second.test");
    r = acme_validate_http01(A, &v, &s, soon());
    assert_result(&r, ACME_RETRY, "connection", " (127.0.0.77, 127.0.0.1): connection refused");
    v.value = SLICE("127.0.0.1");
    v.ip = true;
    r = acme_validate_http01(A, &v, &s, soon());
    assert_result(&r, ACME_RETRY, "connection",
                  arena_printf(A, "connecting to 127.0.0.1:%u: connection refused", s.http_port));
}

static void names_that_are_none_are_refused(void **state)
{
    static const char *const NAMES_[] = {
        "",         "a@web.test", "web.test/x",  "web.test#",
        "web test", "[::1]",      "web.test:80", "web.test\r\nX: y"};

    (void)state;
    unsigned before = atomic_load(&NAMES.asked);
    for (size_t i = 0; i < COUNT_OF(NAMES_); i++) {
        struct acme_result r = validate(NAMES_[i], "good");
        assert_result(&r, ACME_INVALID, "rejectedIdentifier", "identifier");
    }
    assert_int_equal(atomic_load(&NAMES.asked), before);
}

static void addresses_are_identifiers_too(void **state)
{
    (void)state;
    struct acme_result r = validate("127.0.0.1", "good");
    assert_result(&r, ACME_VALID, NULL, NULL);
    if (!has_six) {
        print_message("addresses_are_identifiers_too: no IPv6 on this machine\n");
        return;
    }
    r = validate("::1", "good");
    assert_result(&r, ACME_VALID, NULL, NULL);
}

static void every_address_is_tried(void **state)
{
    static const char *const NAMES_[] = {"both.test", "turned.test", "second.test"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES_); i++) {
        struct acme_result r = validate(NAMES_[i], "good");
        assert_result(&r, ACME_VALID, NULL, NULL);
    }
    if (!has_six)
        return;
    struct acme_result r = validate("six.test", "good");
    assert_result(&r, ACME_VALID, NULL, NULL);
}

static void ipv4_helps_when_ipv6_is_closed(void **state)
{
    (void)state;
    if (has_six)
        server_stop(&SIX);
    has_six = false;
    struct acme_result r = validate("both.test", "good");
    assert_result(&r, ACME_VALID, NULL, NULL);
}

static void a_strict_name_is_asked_with_a_dot_and_sent_without(void **state)
{
    struct acme_validation v = {.value = SLICE("other.test"),
                                .token = SLICE("host"),
                                .key_authorization = SLICE(KEY_AUTHORIZATION)};
    struct acme_validation_settings s = SETTINGS;

    (void)state;
    s.strict_fqdn = true;
    struct acme_result r = acme_validate_http01(A, &v, &s, soon());
    assert_result(&r, ACME_VALID, NULL, NULL);
    v.value = SLICE("web.test"); /* only known without a dot */
    r = acme_validate_http01(A, &v, &s, soon());
    assert_result(&r, ACME_RETRY, "connection", "web.test.: no such name");
    v.value = SLICE("other.test."); /* is not given a second one */
    r = acme_validate_http01(A, &v, &s, soon());
    assert_result(&r, ACME_VALID, NULL, NULL);
}

/* A proxy is asked for http://…, and names beyond it are not ours to look up. */
static void proxies_of_the_environment_hold(void **state)
{
    char proxy[64];

    (void)state;
    snprintf(proxy, sizeof(proxy), "http://web.test:%u", WEB.port);
    setenv("HTTP_PROXY", proxy, 1);
    unsigned before = atomic_load(&WEB.visits);
    struct acme_result r = validate("nowhere.test", "good");
    /* Our server takes an absolute path only: it closes without an answer. */
    assert_result(&r, ACME_RETRY, "connection", NULL);
    assert_int_equal(atomic_load(&WEB.visits), before + 1);
    setenv("NO_PROXY", "example.org, .test", 1);
    r = validate("web.test", "good");
    assert_result(&r, ACME_VALID, NULL, NULL);
    unsetenv("NO_PROXY");
    r = validate("127.0.0.1", "good");
    assert_result(&r, ACME_VALID, NULL, NULL);
    unsetenv("HTTP_PROXY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_decide),
        cmocka_unit_test(what_was_received_is_not_told),
        cmocka_unit_test(what_was_received_is_logged_in_printable_characters),
        cmocka_unit_test(redirects_lead_anywhere),
        cmocka_unit_test(redirects_end),
        cmocka_unit_test(an_endless_body_is_cut_off),
        cmocka_unit_test(silence_ends_with_the_deadline),
        cmocka_unit_test(names_that_lead_nowhere_are_told),
        cmocka_unit_test(a_closed_port_may_open_later),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(addresses_are_identifiers_too),
        cmocka_unit_test(every_address_is_tried),
        cmocka_unit_test(ipv4_helps_when_ipv6_is_closed),
        cmocka_unit_test(a_strict_name_is_asked_with_a_dot_and_sent_without),
        cmocka_unit_test(proxies_of_the_environment_hold),
    };

    return cmocka_run_group_tests(tests, group_up, group_down);
}
