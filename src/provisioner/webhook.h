/*
 * Webhooks of a provisioner (docs/reference/webhooks.md): `options.webhooks` of ca.json, read and
 * checked.  authority/webhook.c calls them.
 */
#pragma once

#include <stdatomic.h>

#include "provisioner/cert_template.h"
#include "json/shape.h"

enum webhook_kind {
    WEBHOOK_ENRICHING,
    WEBHOOK_AUTHORIZING,
    WEBHOOK_SCEPCHALLENGE,
    WEBHOOK_NOTIFYING
};
enum webhook_cert { WEBHOOK_ALL, WEBHOOK_X509, WEBHOOK_SSH };

struct webhook {
    struct slice id, name;
    const struct template *url;
    enum webhook_kind kind;
    enum webhook_cert cert;
    bool no_client_certificate;
    struct slice secret;        /* the key of the signature; empty: an empty key */
    struct slice authorization; /* the header's value; empty: none */
    atomic_uint busy;           /* requests that call it or wait for their turn */
};

/* As it stands in ca.json; secret, bearerToken and basicAuth are never written. */
extern const struct shape WEBHOOK_SHAPE;
struct webhook_config;
const char *webhook_kind_name(enum webhook_kind kind); /* "ENRICHING" */

struct webhooks {
    struct webhook *v;
    size_t n;
};
/* list: of WEBHOOK_SHAPE.  env may be NULL: nothing will be called, but everything is checked.
 * scep: the provisioner serves SCEP.  *warning: what an operator should mend, or NULL.  Errors are
 * MALFORMED and begin with "options.webhooks[2]: url: ". */
bool webhooks_make(struct arena *a, const struct template_env *env, const struct objects *list,
                   bool scep, struct webhooks *out, const char **warning, struct err *e) CHECKED;

/* What a webhook may be called by: https, a host, no user name; in canonical form, without
 * fragment.  ERR_MALFORMED; the text does not show the URL. */
bool webhook_url_read(struct arena *a, struct slice text, struct slice *url, struct err *e) CHECKED;
