/*
 * Counters for Prometheus: a short list of series under one lock, and a few places for those who
 * read them, so that readers who take nothing off their sockets cannot pile up answers here.
 */
#include "authority/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "crypto/signer.h"

#define SERIES_MAX     1000
#define HANDLER_ERRORS "promhttp_metric_handler_errors_total"

struct series {
    struct series *next;
    enum metric which;
    bool success;
    uint64_t count;
    size_t n;
    char provisioner[];
};
struct place {
    struct ref ref;
    atomic_bool taken;
};
struct metrics {
    pthread_mutex_t lock;
    struct clock *clock;
    int64_t started_ns;
    struct series *first;
    size_t n;
    uint64_t unwritten; /* answers that were too long */
    struct place places[METRICS_SCRAPES_MAX];
};

struct metrics *metrics_new(struct clock *clock)
{
    struct metrics *m = xcalloc(1, sizeof(*m));

    pthread_mutex_init(&m->lock, NULL);
    m->clock = clock;
    m->started_ns = clock->mono_ns(clock);
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    while (m->first) {
        struct series *s = m->first;
        m->first = s->next;
        free(s);
    }
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static struct series *find(struct metrics *m, enum metric which, struct slice provisioner,
                           bool success)
{
    struct series *s;

    for (s = m->first; s; s = s->next) {
        if (s->which == which && s->success == success &&
            slice_eq(slice_of(s->provisioner, s->n), provisioner))
            return s;
    }
    if (m->n >= SERIES_MAX)
        return NULL;
    s = xcalloc(1, sizeof(*s) + provisioner.n + 1);
    s->which = which;
    s->success = success;
    s->n = provisioner.n;
    if (provisioner.n > 0)
        memcpy(s->provisioner, provisioner.p, provisioner.n);
    s->next = m->first;
    m->first = s;
    m->n++;
    return s;
}

void metrics_count(struct metrics *m, enum metric which, struct slice provisioner, bool success)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    struct series *s = find(m, which, provisioner, success);
    if (s)
        s->count++;
    pthread_mutex_unlock(&m->lock);
}

static void leave(struct ref *ref)
{
    struct place *p = (struct place *)ref; /* its first member */

    atomic_store(&p->taken, false);
}

struct ref *metrics_scrape(struct metrics *m)
{
    for (size_t i = 0; i < METRICS_SCRAPES_MAX; i++) {
        struct place *p = &m->places[i];
        if (atomic_exchange(&p->taken, true))
            continue;
        ref_init(&p->ref, leave);
        return &p->ref;
    }
    return NULL;
}

/* Label values escape backslash, quote and line feed. */
static void put_label(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\n')
            buf_text(out, "\\n");
        else if (text.p[i] == '\\' || text.p[i] == '"')
            buf_printf(out, "\\%c", text.p[i]);
        else
            buf_byte(out, text.p[i]);
    }
}

static void put_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Metrics in the order in which they are written; those with one name stand together. */
static const struct {
    const char *name, *help;
    const char *type; /* label, or NULL */
} FAMILIES[METRICS] = {
    [METRIC_SIGNED] = {"step_ca_x509_signed_total", "X.509 certificates signed.", NULL},
    [METRIC_RENEWED] = {"step_ca_x509_renewed_total", "X.509 certificates renewed.", NULL},
    [METRIC_REKEYED] = {"step_ca_x509_rekeyed_total", "X.509 certificates rekeyed.", NULL},
    [METRIC_X509_ENRICHED] = {"step_ca_x509_webhook_enriched_total",
                              "Requests for X.509 certificates that asked enriching webhooks.",
                              NULL},
    [METRIC_X509_AUTHORIZED] = {"step_ca_x509_webhook_authorized_total",
                                "Requests for X.509 certificates that asked authorizing webhooks.",
                                NULL},
#define SSH_FAMILY(which, name, help)                                                              \
    [which] = {name, help, ""}, [which##_USER] = {name, help, "user"},                             \
    [which##_HOST] = {name, help, "host"}
    SSH_FAMILY(METRIC_SSH_SIGNED, "step_ca_ssh_signed_total", "SSH certificates signed."),
    SSH_FAMILY(METRIC_SSH_RENEWED, "step_ca_ssh_renewed_total", "SSH certificates renewed."),
    SSH_FAMILY(METRIC_SSH_REKEYED, "step_ca_ssh_rekeyed_total", "SSH certificates rekeyed."),
#undef SSH_FAMILY
    [METRIC_SSH_ENRICHED] = {"step_ca_ssh_webhook_enriched_total",
                             "Requests for SSH certificates that asked enriching webhooks.", NULL},
    [METRIC_SSH_AUTHORIZED] = {"step_ca_ssh_webhook_authorized_total",
                               "Requests for SSH certificates that asked authorizing webhooks.",
                               NULL},
};

static void put_series(struct buf *out, const struct series *s)
{
    buf_printf(out, "%s{provisioner=\"", FAMILIES[s->which].name);
    put_label(out, slice_of(s->provisioner, s->n));
    buf_printf(out, "\",success=\"%s\"", s->success ? "true" : "false");
    if (FAMILIES[s->which].type)
        buf_printf(out, ",type=\"%s\"", FAMILIES[s->which].type);
    buf_printf(out, "} %" PRIu64 "\n", s->count);
}

static void put_families(struct metrics *m, struct buf *out)
{
    const char *last = "";

    for (int which = 0; which < METRICS; which++) {
        for (const struct series *s = m->first; s; s = s->next) {
            if ((int)s->which != which)
                continue;
            if (strcmp(last, FAMILIES[which].name) != 0)
                put_head(out, FAMILIES[which].name, "counter", FAMILIES[which].help);
            last = FAMILIES[which].name;
            put_series(out, s);
        }
    }
}

void metrics_write(struct metrics *m, struct buf *out)
{
    uint64_t made, failed;

    signer_counts(&made, &failed);
    pthread_mutex_lock(&m->lock);
    put_head(out, "step_ca_uptime_seconds", "gauge", "Seconds since the service was started.");
    buf_printf(out, "step_ca_uptime_seconds %" PRId64 "\n",
               (m->clock->mono_ns(m->clock) - m->started_ns) / NS_PER_SEC);
    put_families(m, out);
    put_head(out, "step_ca_kms_signed", "counter", "Signatures made by the CA's keys.");
    buf_printf(out, "step_ca_kms_signed %" PRIu64 "\n", made);
    put_head(out, "step_ca_kms_errors", "counter", "Signatures that the CA's keys failed to make.");
    buf_printf(out, "step_ca_kms_errors %" PRIu64 "\n", failed);
    put_head(out, HANDLER_ERRORS, "counter", "Answers with metrics that could not be written.");
    buf_printf(out, HANDLER_ERRORS "{cause=\"encoding\"} %" PRIu64 "\n", m->unwritten);
    buf_text(out, HANDLER_ERRORS "{cause=\"gathering\"} 0\n");
    if (!buf_ok(out))
        m->unwritten++;
    pthread_mutex_unlock(&m->lock);
}
