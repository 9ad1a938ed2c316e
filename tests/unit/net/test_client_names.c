/* Names of the HTTP client: who needs no proxy, and what curl is told about the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "net/client_internal.h"

static struct arena *A;

static void no_proxy_names_hosts(void **state)
{
    static const struct {
        const char *list, *host, *port;
        bool bypass;
    } CASES[] = {
        {"", "a.test", "80", false},
        {"*", "a.test", "80", true},
        {"example.org", "example.org", "80", true},
        {"example.org", "EXAMPLE.org", "80", true},
        {"example.org", "example.org.", "80", true},
        {"example.org", "www.example.org", "80", true},
        {"example.org", "badexample.org", "80", false},
        {"example.org", "example.org.test", "80", false},
        {".example.org", "www.example.org", "80", true},
        {".example.org", "example.org", "80", false},
        {"*.example.org", "www.example.org", "80", true},
        {"*.example.org", "example.org", "80", false},
        {"a.test, example.org ,b.test", "example.org", "80", true},
        {"example.org:8080", "example.org", "8080", true},
        {"example.org:8080", "example.org", "80", false},
        {".example.org:8080", "www.example.org", "8080", true},
        {"192.0.2.1", "192.0.2.1", "80", true},
        {"192.0.2.1", "192.0.2.10", "80", false},
        {"192.0.2.1:80", "192.0.2.1", "80", true},
        {"192.0.2.1:80", "192.0.2.1", "81", false},
        {"192.0.2.0/24", "192.0.2.77", "80", true},
        {"192.0.2.0/24", "192.0.3.77", "80", false},
        {"192.0.2.0/25", "192.0.2.128", "80", false},
        {"0.0.0.0/0", "192.0.2.1", "80", true},
        {"0.0.0.0/0", "2001:db8::1", "80", false},
        {"0.0.0.0/0", "a.test", "80", false},
        {"2001:db8::/32", "2001:db8:1::1", "80", true},
        {"2001:db8::1", "2001:db8:0::1", "80", true},
        {"[2001:db8::1]", "2001:db8::1", "80", true},
        {"[2001:db8::1]:443", "2001:db8::1", "443", true},
        {"[2001:db8::1]:443", "2001:db8::1", "80", false},
        {"1", "192.0.2.1", "80", false},
        {"192.0.2.0/33,a.test/8,/8,:80,.,,*x", "192.0.2.1", "80", false},
        {"192.0.2.0/33,a.test/8,/8,:80,.,,*x", "a.test", "80", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        if (names_bypass_proxy(CASES[i].list, CASES[i].host, CASES[i].port) != CASES[i].bypass)
            fail_msg("\"%s\": %s:%s", CASES[i].list, CASES[i].host, CASES[i].port);
}

static char asked[256];

static bool addresses(struct resolver *r UNUSED, struct slice name, struct arena *a,
                      struct ip_list *list, struct deadline d UNUSED, struct err *e)
{
    snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%.*s ", SLICE_ARG(name));
    if (slice_is(name, "late.test"))
        return err_set(e, ERR_TIMEOUT, "late.test: did not answer");
    if (slice_is(name, "missing.test"))
        return err_set(e, ERR_NOT_FOUND, "missing.test: no such name");
    *list = (struct ip_list){.v = arena_array(a, 2, sizeof(struct ip)), .n = 2};
    return ip_read(SLICE("2001:db8::1"), &list->v[0]) && ip_read(SLICE("192.0.2.1"), &list->v[1]);
}

static void curl_is_told_addresses(void **state)
{
#define BOTH "[2001:db8::1],192.0.2.1"
    static const struct {
        struct names_wanted wanted;
        const char *asked, *first, *second;
    } CASES[] = {
        {{"a.test", "443", "", false}, "a.test ", "a.test:443:" BOTH, NULL},
        {{"a.test", "443", "", true}, "a.test. ", "a.test:443:" BOTH, NULL},
        {{"192.0.2.1", "443", "", false}, "", NULL, NULL},
        {{"2001:db8::1", "443", "", true}, "", NULL, NULL},
        {{"a.test", "443", "http://p.test:3128", true}, "p.test ", "p.test:3128:" BOTH, NULL},
        {{"a.test", "443", "p.test", false}, "p.test ", "p.test:1080:" BOTH, NULL},
        {{"a.test", "443", "https://u:w@p.test/", false}, "p.test ", "p.test:443:" BOTH, NULL},
        {{"a.test", "443", "http://192.0.2.7:3128", false}, "", NULL, NULL},
        {{"a.test", "443", "socks5://p.test", false},
         "p.test a.test ",
         "p.test:1080:" BOTH,
         "a.test:443:" BOTH},
    };
#undef BOTH
    struct resolver r = {.addresses = addresses};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct curl_slist *list = NULL;
        struct err e = {0};
        asked[0] = 0;
        if (!names_look_up(A, &r, &CASES[i].wanted, &list, DEADLINE_NONE, &e))
            fail_msg("%s", e.text);
        assert_string_equal(asked, CASES[i].asked);
        assert_int_equal(list != NULL, CASES[i].first != NULL);
        if (list)
            assert_string_equal(list->data, CASES[i].first);
        assert_int_equal(list && list->next, CASES[i].second != NULL);
        if (list && list->next)
            assert_string_equal(list->next->data, CASES[i].second);
        curl_slist_free_all(list);
    }
}

static void failures_keep_their_kind(void **state)
{
    static const struct {
        struct names_wanted wanted;
        enum err_kind kind;
        const char *text;
    } CASES[] = {
        {{"missing.test", "80", "", false},
         ERR_UNAVAILABLE,
         "connecting to missing.test:80: missing.test: no such name"},
        {{"late.test", "80", "", false}, ERR_TIMEOUT, "connecting to late.test:80: "},
        {{"a.test", "80", "http://missing.test:1", false}, ERR_UNAVAILABLE, "proxy: "},
    };
    struct resolver r = {.addresses = addresses};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct curl_slist *list = NULL;
        struct err e = {0};
        assert_false(names_look_up(A, &r, &CASES[i].wanted, &list, DEADLINE_NONE, &e));
        assert_int_equal(e.kind, CASES[i].kind);
        assert_non_null(strstr(e.text, CASES[i].text));
        curl_slist_free_all(list);
    }
}

static int group_up(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    curl_begin();
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    arena_free(A);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_proxy_names_hosts),
        cmocka_unit_test(curl_is_told_addresses),
        cmocka_unit_test(failures_keep_their_kind),
    };

    return cmocka_run_group_tests(tests, group_up, group_down);
}
