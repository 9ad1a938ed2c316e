/* Messages to the service manager (sd_notify(3)); nothing without NOTIFY_SOCKET. */
#pragma once

/* "READY=1", "STOPPING=1" … */
void notify_state(const char *state);
/* "RELOADING=1" with MONOTONIC_USEC, as Type=notify-reload wants. */
void notify_reloading(void);
