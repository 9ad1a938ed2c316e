/*
 * Webhooks of issuance (docs/reference/webhooks.md): before the template they are asked for data,
 * before the signature for permission.  Their bodies are here for tests.
 */
#pragma once

#include "authority/template_data.h"
#include "authority/work.h"

/* err.code of a refusal, and of a call that failed.  A note named "webhook CODE" with the message
 * is there when the webhook gave both. */
#define WEBHOOK_DENIED "webhookDenied"
#define WEBHOOK_FAILED "webhookFailed"
#define WEBHOOK_NOTE   "webhook "

/* Asks all that concern X.509, in their order; the first refusal ends it.  data: what URLs see,
 * and where the answers go.  ERR_FORBIDDEN; ERR_UNAVAILABLE when too many calls are on their way.
 * Before the first call the batch is committed: a webhook is called once for a request. */
bool webhooks_enrich(struct work *w, const struct grant *g, const struct csr *csr,
                     struct tvalue *data) CHECKED;
bool webhooks_authorize(struct work *w, const struct grant *g, const struct x509_leaf *leaf,
                        struct tvalue *data) CHECKED;

/* --- Bodies (webhook_body.c) ---------------------------------------------------------------- */

/* What is asked about: one of the two. */
struct webhook_subject {
    const struct csr *csr;
    const struct x509_leaf *leaf;
};
bool webhook_body(struct arena *a, struct instant now, const struct grant *g,
                  const struct webhook_subject *about, struct slice *body, struct err *e) CHECKED;
