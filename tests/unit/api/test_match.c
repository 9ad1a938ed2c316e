/* From paths to routes: segments, arguments, methods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "api/match.h"

static const struct route ROUTES[] = {
    {.method = "GET", .path = "/health", .flags = ROUTE_ALIAS_1_0 | ROUTE_INSECURE_TOO},
    {.method = "POST", .path = "/sign"},
    {.method = "GET", .path = "/sign"},
    {.method = "GET", .path = "/root/{sha}", .flags = ROUTE_ALIAS_1_0},
    {.method = "POST", .path = "/acme/{provisioner}/order/{order}"},
    {.method = "POST", .path = "/acme/{provisioner}/order/{order}/finalize"},
    {.method = "POST", .path = "/acme/{provisioner}/orders"},
    {.method = "GET", .path = "/{a}/{b}/{c}/{d}"},
    {0},
};
static const struct route *const ROUTE_TABLES[] = {ROUTES, NULL};

static struct match find(struct arena *a, const char *method, struct slice path)
{
    return route_match(a, ROUTE_TABLES, false, slice_text(method), path);
}

static void paths_lead_to_their_route(void **state)
{
    static const struct {
        const char *path;
        int route; /* -1: none */
        const char *args[4];
    } CASES[] = {
        {"/health", 0, {NULL}},
        {"/1.0/health", 0, {NULL}},
        {"/health/", -1, {NULL}},
        {"/healthy", -1, {NULL}},
        {"/heal", -1, {NULL}},
        {"", -1, {NULL}},
        {"/", -1, {NULL}},
        {"health", -1, {NULL}},
        {"/root/ab", 3, {"ab"}},
        {"/1.0/root/ab", 3, {"ab"}},
        {"/1.0/sign", -1, {NULL}},
        {"/root/", -1, {NULL}},
        {"/root", -1, {NULL}},
        {"/root/ab/", -1, {NULL}},
        {"/root/{sha}", 3, {"{sha}"}},
        {"/acme/x/order/y", 4, {"x", "y"}},
        {"/acme/x/order/y/finalize", 5, {"x", "y"}},
        {"/acme/x/orders", 6, {"x"}},
        {"/acme//orders", -1, {NULL}},
        {"/acme/x/order/y/finaliz", -1, {NULL}},
        {"/acme/x/order/y/finalizes", -1, {NULL}},
        {"/1/2/3/4", 7, {"1", "2", "3", "4"}},
        {"/1/2/3/4/5", -1, {NULL}},
        {"//2/3/4", -1, {NULL}},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const char *method = CASES[i].route >= 0 ? ROUTES[CASES[i].route].method : "GET";
        struct match m = find(*state, method, slice_text(CASES[i].path));
        if (m.route != (CASES[i].route < 0 ? NULL : &ROUTES[CASES[i].route]))
            fail_msg("%s", CASES[i].path);
        for (size_t k = 0; k < 4 && CASES[i].args[k]; k++)
            assert_true(slice_is(m.args[k], CASES[i].args[k]));
    }
}

static void a_zero_byte_ends_no_path(void **state)
{
    assert_null(find(*state, "GET", SLICE("/health\0x")).route);
    struct match m = find(*state, "GET", SLICE("/root/a\0b"));
    assert_ptr_equal(m.route, &ROUTES[3]);
    assert_int_equal(m.args[0].n, 3);
}

static void other_methods_are_told(void **state)
{
    struct match m = find(*state, "PUT", SLICE("/sign"));

    assert_null(m.route);
    assert_string_equal(m.allow, "POST, GET, HEAD");
    assert_ptr_equal(find(*state, "HEAD", SLICE("/sign")).route, &ROUTES[2]);
    assert_null(find(*state, "PUT", SLICE("/nothing")).allow);
    m = find(NULL, "PUT", SLICE("/sign")); /* who does not ask */
    assert_null(m.route);
    assert_null(m.allow);
}

static void only_some_are_served_in_the_clear(void **state)
{
    assert_non_null(route_match(*state, ROUTE_TABLES, true, SLICE("GET"), SLICE("/health")).route);
    assert_null(route_match(*state, ROUTE_TABLES, true, SLICE("POST"), SLICE("/sign")).route);
}

static int arena_up(void **state)
{
    *state = arena_new(&HEAP_USUAL);
    return 0;
}

static int arena_down(void **state)
{
    arena_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_their_route),
        cmocka_unit_test(a_zero_byte_ends_no_path),
        cmocka_unit_test(other_methods_are_told),
        cmocka_unit_test(only_some_are_served_in_the_clear),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
