/* What the access log tells about an SSH certificate. */
#include "authority/ssh.h"
#include "base/encode.h"

static struct slice time_text(struct arena *a, uint64_t sec)
{
    if (sec > (uint64_t)CERT_NO_END)
        return SLICE("forever");
    return rfc3339(a, instant_sec((int64_t)sec));
}

void log_ssh_issued(struct work *w, const struct ssh_issued *i)
{
    const struct ssh_cert *c = &i->cert;
    struct arena *a = w->arena;

    if (!w->authority->core->config->logger)
        return;
    log_put_text(&w->log, "serial", ssh_serial_text(a, c->serial));
    log_put_texts(&w->log, "principals", c->principals, c->n_principals);
    log_put_text(&w->log, "valid-from", time_text(a, c->valid_after));
    log_put_text(&w->log, "valid-to", time_text(a, c->valid_before));
    log_put_text(&w->log, "certificate", base64_text(a, BASE64_STD, c->blob));
    log_put_text(&w->log, "certificate-type",
                 arena_format(a, "%s %s certificate", ssh_cert_type_name(c->key.kind),
                              ssh_cert_type_text(c->type)));
    log_put_text(&w->log, "public-key",
                 arena_format(a, "%.*s (%s)", SLICE_ARG(ssh_fingerprint(a, c->key.blob)),
                              ssh_key_label(c->key.kind)));
    log_put_text(&w->log, "provisioner", i->by->name);
}
