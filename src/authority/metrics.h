/* Counters (docs/reference/metrics.md). */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/pool.h"

struct metrics;
enum metric {
    METRIC_SIGNED,
    METRIC_RENEWED,
    METRIC_REKEYED,
    METRIC_X509_ENRICHED, /* requests that asked webhooks */
    METRIC_X509_AUTHORIZED,
    /* Of SSH: the type is a label.  The next two are SSH_USER and SSH_HOST from here. */
    METRIC_SSH_SIGNED, /* failed before the type was known */
    METRIC_SSH_SIGNED_USER,
    METRIC_SSH_SIGNED_HOST,
    METRIC_SSH_RENEWED,
    METRIC_SSH_RENEWED_USER,
    METRIC_SSH_RENEWED_HOST,
    METRIC_SSH_REKEYED,
    METRIC_SSH_REKEYED_USER,
    METRIC_SSH_REKEYED_HOST,
    METRIC_SSH_ENRICHED,
    METRIC_SSH_AUTHORIZED,
    METRICS
};
struct metrics *metrics_new(struct clock *clock);
void metrics_free(struct metrics *m);
/* provisioner: name or empty.  A series appears at its first use; at most 1000 series. */
void metrics_count(struct metrics *m, enum metric which, struct slice provisioner, bool success);
/* Prometheus text format.  An answer that does not fit is counted and leaves !buf_ok(out). */
void metrics_write(struct metrics *m, struct buf *out);

#define METRICS_SCRAPES_MAX 10
/* A place for one scrape, given back by ref_drop (m outlives it); NULL: all are taken. */
struct ref *metrics_scrape(struct metrics *m);
