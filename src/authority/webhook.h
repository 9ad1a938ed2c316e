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

struct webhook_subject;
/* Asks all that concern this kind of certificate, in their order; the first refusal ends it.  data:
 * what URLs see, and where the answers go.  ERR_FORBIDDEN; ERR_UNAVAILABLE when too many calls are
 * on their way.  Before the first call the batch is committed: a webhook is called once for a
 * request. */
bool webhooks_enrich(struct work *w, const struct grant *g, const struct webhook_subject *about,
                     struct tvalue *data) CHECKED;
bool webhooks_authorize(struct work *w, const struct grant *g, const struct webhook_subject *about,
                        struct tvalue *data) CHECKED;

/* --- Bodies (webhook_body.c) ---------------------------------------------------------------- */

struct webhook_ssh_pair {
    struct slice name, value;
};
/* An SSH certificate that is asked for, or the one that is about to be signed. */
struct webhook_ssh {
    bool request;
    struct slice public_key;   /* wire format: RFC 4253 6.6 */
    struct slice type, key_id; /* "user", "host" */
    const struct slice *principals;
    size_t n_principals;
    /* Of certificates: */
    struct slice nonce;
    uint64_t serial, valid_after, valid_before; /* seconds of Unix time */
    const struct webhook_ssh_pair *critical_options, *extensions;
    size_t n_critical_options, n_extensions;
};
/* What is asked about: one of the three. */
struct webhook_subject {
    const struct csr *csr;
    const struct x509_leaf *leaf;
    const struct webhook_ssh *ssh;
};
bool webhook_body(struct arena *a, struct instant now, const struct grant *g,
                  const struct webhook_subject *about, struct slice *body, struct err *e) CHECKED;
