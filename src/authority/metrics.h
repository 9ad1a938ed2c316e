/* Counters (docs/reference/metrics.md). */
#pragma once

#include "base/buf.h"
#include "base/clock.h"

struct metrics;
enum metric { METRIC_SIGNED, METRIC_RENEWED, METRIC_REKEYED, METRICS };
struct metrics *metrics_new(struct clock *clock);
void metrics_free(struct metrics *m);
/* provisioner: name or empty.  A series appears at its first use; at most 1000 series. */
void metrics_count(struct metrics *m, enum metric which, struct slice provisioner, bool success);
/* Prometheus text format. */
void metrics_write(struct metrics *m, struct buf *out);
