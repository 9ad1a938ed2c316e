/* Inside base only: where log lines and log records leave. */
#pragma once

#include "base/slice.h"

/* A whole line, its newline included, to the sink or to standard error. */
void log_emit(struct slice line);
