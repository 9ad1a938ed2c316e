/* Counters in the Prometheus text format. */
#include "authority/metrics.h"
#include "crypto/signer.h"
#include "provisioner/provisioner_testing.h"

static const char *written(struct metrics *m)
{
    struct buf b = buf_new(A, 1u << 20);

    metrics_write(m, &b);
    assert_true(buf_ok(&b));
    return arena_cstr(A, buf_slice(&b));
}

static void nothing_counted_shows_only_what_always_runs(void **state)
{
    struct metrics *m = metrics_new(&TEST_CLOCK);
    uint64_t made, failed;

    (void)state;
    test_now.sec += 90;
    signer_counts(&made, &failed);
    assert_string_equal(
        written(m),
        arena_printf(A,
                     "# HELP step_ca_uptime_seconds Seconds since the service was started.\n"
                     "# TYPE step_ca_uptime_seconds gauge\n"
                     "step_ca_uptime_seconds 90\n"
                     "# HELP step_ca_kms_signed Signatures made by the CA's keys.\n"
                     "# TYPE step_ca_kms_signed counter\n"
                     "step_ca_kms_signed %llu\n"
                     "# HELP step_ca_kms_errors Signatures that the CA's keys failed to make.\n"
                     "# TYPE step_ca_kms_errors counter\n"
                     "step_ca_kms_errors %llu\n"
                     "# HELP promhttp_metric_handler_errors_total Answers with metrics that could "
                     "not be written.\n"
                     "# TYPE promhttp_metric_handler_errors_total counter\n"
                     "promhttp_metric_handler_errors_total{cause=\"encoding\"} 0\n"
                     "promhttp_metric_handler_errors_total{cause=\"gathering\"} 0\n",
                     (unsigned long long)made, (unsigned long long)failed));
    metrics_free(m);
}

static void series_are_told_apart(void **state)
{
    struct metrics *m = metrics_new(&TEST_CLOCK);

    (void)state;
    metrics_count(m, METRIC_SIGNED, SLICE("ops"), true);
    metrics_count(m, METRIC_SIGNED, SLICE("ops"), true);
    metrics_count(m, METRIC_SIGNED, SLICE("ops"), false);
    metrics_count(m, METRIC_SIGNED, SLICE(""), false);
    metrics_count(m, METRIC_RENEWED, SLICE("ops"), true);
    metrics_count(m, METRIC_REKEYED, SLICE("a\"b\\c\nd"), true);
    metrics_count(m, METRIC_SSH_SIGNED, SLICE(""), false);
    metrics_count(m, METRIC_SSH_SIGNED_USER, SLICE("ops"), true);
    metrics_count(m, METRIC_SSH_SIGNED_HOST, SLICE("ops"), true);
    metrics_count(m, METRIC_SSH_ENRICHED, SLICE("ops"), false);
    assert_int_equal(METRIC_SSH_SIGNED + SSH_HOST, METRIC_SSH_SIGNED_HOST);
    assert_int_equal(METRIC_SSH_RENEWED + SSH_USER, METRIC_SSH_RENEWED_USER);
    assert_int_equal(METRIC_SSH_REKEYED + SSH_HOST, METRIC_SSH_REKEYED_HOST);
    const char *text = written(m);
    static const char *const LINES[] = {
        "# TYPE step_ca_x509_signed_total counter\n",
        "\nstep_ca_x509_signed_total{provisioner=\"ops\",success=\"true\"} 2\n",
        "\nstep_ca_x509_signed_total{provisioner=\"ops\",success=\"false\"} 1\n",
        "\nstep_ca_x509_signed_total{provisioner=\"\",success=\"false\"} 1\n",
        "# TYPE step_ca_ssh_signed_total counter\n",
        "\nstep_ca_ssh_signed_total{provisioner=\"\",success=\"false\",type=\"\"} 1\n",
        "\nstep_ca_ssh_signed_total{provisioner=\"ops\",success=\"true\",type=\"user\"} 1\n",
        "\nstep_ca_ssh_signed_total{provisioner=\"ops\",success=\"true\",type=\"host\"} 1\n",
        "\nstep_ca_ssh_webhook_enriched_total{provisioner=\"ops\",success=\"false\"} 1\n",
        "\nstep_ca_x509_renewed_total{provisioner=\"ops\",success=\"true\"} 1\n",
        "\nstep_ca_x509_rekeyed_total{provisioner=\"a\\\"b\\\\c\\nd\",success=\"true\"} 1\n",
    };
    for (size_t i = 0; i < COUNT_OF(LINES); i++) {
        const char *at = strstr(text, LINES[i]);
        if (!at || strstr(at + 1, LINES[i]))
            fail_msg("not exactly once: %s in %s", LINES[i], text);
    }
    metrics_free(m);
}

/* Names come from requests: their number is bounded. */
static void series_are_bounded(void **state)
{
    struct metrics *m = metrics_new(&TEST_CLOCK);
    size_t lines = 0;

    (void)state;
    for (size_t i = 0; i < 1500; i++)
        metrics_count(m, METRIC_SIGNED, arena_format(A, "p%zu", i), true);
    metrics_count(m, METRIC_SIGNED, SLICE("p0"), true); /* the old ones go on */
    const char *text = written(m);
    assert_non_null(strstr(text, "{provisioner=\"p0\",success=\"true\"} 2\n"));
    for (const char *p = text; (p = strstr(p, "{provisioner=")); p++)
        lines++;
    assert_int_equal(lines, 1000);
    metrics_free(m);
}

static void without_metrics_nothing_is_counted(void **state)
{
    (void)state;
    metrics_count(NULL, METRIC_SIGNED, SLICE("ops"), true);
    metrics_free(NULL);
}

static void an_answer_that_does_not_fit_is_counted(void **state)
{
    struct metrics *m = metrics_new(&TEST_CLOCK);
    struct buf small = buf_new(A, 100);

    (void)state;
    metrics_write(m, &small);
    assert_false(buf_ok(&small));
    assert_non_null(strstr(written(m), "errors_total{cause=\"encoding\"} 1\n"));
    metrics_free(m);
}

static void places_for_scrapes_are_few_and_come_back(void **state)
{
    struct metrics *m = metrics_new(&TEST_CLOCK);
    struct ref *taken[METRICS_SCRAPES_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        assert_non_null(taken[i] = metrics_scrape(m));
    assert_null(metrics_scrape(m));
    ref_drop(taken[3]);
    assert_ptr_equal(metrics_scrape(m), taken[3]);
    assert_null(metrics_scrape(m));
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        ref_drop(taken[i]);
    assert_non_null(metrics_scrape(m));
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_counted_shows_only_what_always_runs),
        TEST(series_are_told_apart),
        TEST(series_are_bounded),
        TEST(an_answer_that_does_not_fit_is_counted),
        TEST(places_for_scrapes_are_few_and_come_back),
        TEST(without_metrics_nothing_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
