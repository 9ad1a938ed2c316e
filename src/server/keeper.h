/*
 * The keeper: one thread that does what nobody asks for: renews the server's certificate, makes
 * the CRL, removes what has ended from the store.
 */
#pragma once

#include "authority/services.h"

struct keeper;
struct keeper *keeper_new(struct services *s);
/* After the first certificate: when the next ones are due.  Also after a reload. */
void keeper_schedule(struct keeper *k, int64_t cert_renew_in_ns);
void keeper_start(struct keeper *k);
/* The certificate is about to end (a handshake waits): renew at once.  Any thread. */
void keeper_renew_now(struct keeper *k);
void keeper_stop(struct keeper *k); /* joins and frees */
