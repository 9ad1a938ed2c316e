/* Function sets, functions that are off, what is handed in, clock, randomness, local time, threads.
 */
#include "template_testing.h"

#include <pthread.h>

static struct instant fixed_now(struct clock *c)
{
    (void)c;
    return (struct instant){1719962162, 500000000};
}

static int64_t fixed_mono(struct clock *c)
{
    (void)c;
    return 1234567890;
}

static struct clock FIXED = {fixed_now, fixed_mono};

static void zeros(struct rng *r, void *to, size_t n)
{
    (void)r;
    memset(to, 0, n);
}

static struct rng ZEROS = {zeros};

static void sets_have_their_functions(void **state)
{
    static const struct {
        const char *text;
        bool x509, ssh, text_set;
    } CASES[] = {
        {"{{ upper \"x\" }}", true, true, true},
        {"{{ asn1Enc \"x\" }}", true, false, false},
        {"{{ asn1Seq }}", true, false, false},
        {"{{ toTime 0 }}", true, true, false},
        {"{{ parseTime }}", true, true, false},
        {"{{ env \"HOME\" }}", false, false, false},
        {"{{ expandenv \"$HOME\" }}", false, false, false},
        {"{{ readFile \"/etc/passwd\" }}", false, false, false},
    };
    struct attempt *t = *state;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const bool wanted[] = {CASES[i].x509, CASES[i].ssh, CASES[i].text_set};
        for (int set = TEMPLATE_X509; set <= TEMPLATE_TEXT; set++) {
            t->options.set = (enum template_set)set;
            assert_int_equal(attempt(t, CASES[i].text), wanted[set]);
            assert_int_equal(t->parsed, wanted[set]);
        }
    }
}

static void costly_functions_are_off_unless_allowed(void **state)
{
    static const char *const CALLS[] = {
        "{{ getHostByName \"localhost\" }}",
        "{{ genPrivateKey \"rsa\" }}",
        "{{ genCA \"x\" 1 }}",
        "{{ genCAWithKey \"x\" 1 \"k\" }}",
        "{{ genSelfSignedCert \"x\" nil nil 1 }}",
        "{{ genSelfSignedCertWithKey \"x\" nil nil 1 \"k\" }}",
        "{{ buildCustomCert \"x\" \"y\" }}",
        "{{ bcrypt \"x\" }}",
        "{{ htpasswd \"u\" \"p\" \"sha\" }}",
        "{{ derivePassword 1 \"long\" \"password\" \"user\" \"example.com\" }}",
    };
    struct attempt *t = *state;

    for (size_t i = 0; i < COUNT_OF(CALLS); i++) {
        assert_error(t, CALLS[i], ERR_INTERNAL, "template: t:1:3: ");
        assert_non_null(strstr(t->e.text, "authority.templateFunctions"));
    }
    assert_true(template_function_is_off(SLICE("bcrypt")));
    assert_true(template_function_is_off(SLICE("genSignedCertWithKey")));
    assert_false(template_function_is_off(SLICE("upper")));
    assert_false(template_function_is_off(SLICE("nosuch")));
}

static void allowed_functions_work(void **state)
{
    static const char *const ALLOW[] = {"htpasswd", "derivePassword", "bcrypt", "getHostByName",
                                        "genPrivateKey"};
    struct attempt *t = *state;

    t->options = (struct template_options){.allow = ALLOW, .n_allow = COUNT_OF(ALLOW)};
    assert_output(t, "{{ htpasswd \"u\" \"p\" \"sha\" }} {{ htpasswd \"a:b\" \"p\" \"sha\" }}",
                  "u:{SHA}UWuXg/ylF+7L0dBk2i0WUxCxl1k= invalid username: a:b");
    assert_output(t, "{{ derivePassword 1 \"long\" \"password\" \"user\" \"example.com\" }}",
                  "ZedaFaxcZaso9*");
    assert_output(t, "{{ bcrypt \"x\" | trunc 7 }}{{ bcrypt \"x\" | len }}", "$2a$10$60");
    assert_error(t, "{{ genCA \"x\" 1 }}", ERR_INTERNAL, "template: t:1:3: ");
    assert_output(
        t,
        "{{ genPrivateKey \"ecdsa\" | trunc 30 }} {{ genPrivateKey \"ed25519\" | trunc 27 }}"
        " {{ genPrivateKey \"x\" }}",
        "-----BEGIN EC PRIVATE KEY----- -----BEGIN PRIVATE KEY----- Unknown type x");
    /* Allowed, but nobody handed it in. */
    assert_error(t, "{{ getHostByName \"x\" }}", ERR_INTERNAL, "template: t:1:3: ");
    assert_non_null(strstr(t->e.text, "not available"));
    assert_error(t, "{{ range 5 }}{{ htpasswd \"u\" \"p\" \"sha\" }}{{ end }}", ERR_TOO_LARGE,
                 "template: t:1:16: ");
}

static bool host(void *user, struct arena *a, struct slice name, struct slice *address,
                 struct err *e)
{
    (void)a;
    if (slice_is(name, "bad"))
        return err_set(e, ERR_NOT_FOUND, "no such host");
    *address = slice_text(user);
    return true;
}

static bool certificate(void *user, struct arena *a, const char *name, const struct tvalue *args,
                        size_t n, struct slice *cert, struct slice *key, struct err *e)
{
    (void)user, (void)e;
    *cert = arena_format(a, "CERT %s %zu %.*s", name, n, SLICE_ARG(args[0].text));
    *key = SLICE("KEY");
    if (!strcmp(name, "genSignedCert")) {
        const struct tvalue *ca = &args[4];
        assert_int_equal(ca->kind, T_MAP);
        *key = tmap_get(ca->map, SLICE("Cert"))->text;
    }
    return true;
}

static bool private_key(void *user, struct arena *a, struct slice type, struct slice *pem,
                        struct err *e)
{
    (void)user, (void)e;
    *pem = arena_format(a, "PEM %.*s", SLICE_ARG(type));
    return true;
}

static void hooks_are_used(void **state)
{
    static const char *const ALLOW[] = {"getHostByName", "genCA", "genSignedCert", "genPrivateKey"};
    static char address[] = "192.0.2.1";
    static const struct template_hooks hooks = {address, host, private_key, certificate};
    struct attempt *t = *state;

    t->options =
        (struct template_options){.allow = ALLOW, .n_allow = COUNT_OF(ALLOW), .hooks = &hooks};
    assert_output(t, "{{ getHostByName \"good\" }}", "192.0.2.1");
    assert_error(t, "{{ getHostByName \"bad\" }}", ERR_INTERNAL, "template: t:1:3: ");
    assert_output(
        t, "{{ genPrivateKey \"\" }} {{ genPrivateKey \"ecdsa\" }} {{ genPrivateKey \"x\" }}",
        "PEM rsa PEM ecdsa Unknown type x");
    assert_output(t,
                  "{{ $ca := genCA \"root\" 10 }}{{ $ca.Cert }}|{{ $ca.Key }}|"
                  "{{ (genSignedCert \"leaf\" nil (list \"a\") 1 $ca).Key }}|{{ typeOf $ca }}",
                  "CERT genCA 2 root|KEY|CERT genCA 2 root|sprig.certificate");
}

static void clock_and_randomness_are_the_options(void **state)
{
    struct attempt *t = *state;

    t->options = (struct template_options){.clock = &FIXED, .rng = &ZEROS, .local_zone = "UTC"};
    assert_output(t, "{{ now | unixEpoch }} {{ toTime nil | toJson }} {{ parseTime | toJson }}",
                  "1719962162 \"2024-07-02T23:16:02.5Z\" \"2024-07-02T23:16:02.5Z\"");
    assert_output(t, "{{ now }}", "2024-07-02 23:16:02.5 +0000 UTC m=+1.234567890");
    assert_output(t,
                  "{{ date \"2006\" nil }} {{ ago (toTime 1719962062) }} {{ durationRound now }}",
                  "2024 1m41s 0s");
    assert_output(t,
                  "{{ uuidv4 }} {{ randAlphaNum 4 }} {{ randNumeric 3 }} {{ randInt 5 9 }} "
                  "{{ randBytes 3 }} {{ shuffle \"abc\" | len }}",
                  "00000000-0000-4000-8000-000000000000 AAAA 000 5 AAAA 3");
}

static void local_time_is_the_options(void **state)
{
    static const struct {
        const char *zone, *output;
    } CASES[] = {
        {"UTC", "1970-01-01 00:00:00 +0000 UTC"},
        {"Europe/Madrid", "1970-01-01 01:00:00 +0100 CET"},
        {"America/Los_Angeles", "1969-12-31 16:00:00 -0800 PST"},
        {"Nowhere/Bad", "1970-01-01 00:00:00 +0000 UTC"},
    };
    struct attempt *t = *state;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        t->options = (struct template_options){.local_zone = CASES[i].zone};
        assert_output(t, "{{ (toTime 0).Local }}", CASES[i].output);
    }
    t->options = (struct template_options){.local_zone = "Europe/Madrid"};
    assert_output(t,
                  "{{ toDate \"2006-01-02 15:04\" \"2024-07-01 12:00\" | toJson }} "
                  "{{ date \"15:04 MST\" 1720000000 }}",
                  "\"2024-07-01T12:00:00+02:00\" 11:46 CEST");
}

/* Zone names lead nowhere but below the database's folder. */
static void zone_names_cannot_leave_their_folder(void **state)
{
    static const char *const NAMES[] = {"../../../etc/passwd",
                                        "/etc/localtime",
                                        "..",
                                        ".",
                                        "Europe/../../../../etc/localtime",
                                        "Europe",
                                        "posixrules/x",
                                        "a\\b",
                                        "\x01"};
    struct attempt *t = *state;

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        give(t, "zone", tvalue_text(slice_text(NAMES[i])));
        assert_output(t, "{{ dateInZone \"2006 MST\" (toTime 0) .zone }}", "1970 UTC");
        assert_false(attempt(t, "{{ mustParseTime \"2006\" \"2024\" .zone }}"));
    }
}

/* --- One template in many threads ----------------------------------------------------------------
 */

#define THREADS 8
#define ROUNDS  50

static void *run_often(void *arg)
{
    const struct template *t = arg;

    for (int i = 0; i < ROUNDS; i++) {
        struct arena *a = arena_new(&HEAP_USUAL);
        struct template_limits limits = TEMPLATE_LIMITS;
        struct buf out = buf_new(a, limits.output);
        struct tvalue data = tvalue_map(a, &TTYPE_MAP);
        limits.time_ns = 60 * NS_PER_SEC;
        tmap_set(data.map, a, SLICE("n"), tvalue_int(i));
        bool good = template_run(t, &data, a, &limits, &out, NULL) &&
                    slice_is(buf_slice(&out), arena_printf(a, "%d: 012 ok", i));
        arena_free(a);
        if (!good)
            return arg;
    }
    return NULL;
}

static void one_template_runs_in_many_threads(void **state)
{
    struct attempt *t = *state;
    pthread_t threads[THREADS];
    struct template *parsed = template_parse(
        t->a, "t",
        SLICE("{{ .n }}: {{ range $i := until 3 }}{{ $i }}{{ end }}{{ $_ := set . \"x\" .n }}"
              "{{ if regexMatch \"^[0-9]+$\" (toString .x) }} ok{{ end }}"),
        NULL, NULL);

    assert_non_null(parsed);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, parsed), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *bad;
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, attempt_up, attempt_down)
        TEST(sets_have_their_functions),
        TEST(costly_functions_are_off_unless_allowed),
        TEST(allowed_functions_work),
        TEST(hooks_are_used),
        TEST(clock_and_randomness_are_the_options),
        TEST(local_time_is_the_options),
        TEST(zone_names_cannot_leave_their_folder),
        TEST(one_template_runs_in_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
