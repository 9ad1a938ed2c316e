/* Request ids and the access log (docs/reference/logging.md). */
#pragma once

#include "api/route.h"

struct access_log_options {
    bool real_ip;      /* STEP_LOGGER_LOG_REAL_IP */
    bool quiet_health; /* STEP_LOGGER_ONLY_TRACE_HEALTH_ENDPOINT */
};
struct access_log_options access_log_options_from_env(void);
/* X-Request-Id, else the trace header, else a new UUIDv4; the result is set on the answer. */
void request_id_settle(struct request *r);
void access_log_write(struct request *r, const struct access_log_options *o);
