/* What the access log tells about a certificate. */
#include "authority/work.h"
#include "base/encode.h"

static void put_sans(struct work *w, const struct sans *names)
{
    static const struct {
        enum san_kind kind;
        const char *name;
    } KINDS[] = {{SAN_DNS, "dns"}, {SAN_EMAIL, "email"}, {SAN_IP, "ip"}, {SAN_URI, "uri"}};
    struct log_group *groups = arena_array(w->arena, COUNT_OF(KINDS), sizeof(*groups));
    size_t n_groups = 0;

    for (size_t k = 0; k < COUNT_OF(KINDS); k++) {
        struct slice *texts = arena_array(w->arena, names->n + 1, sizeof(*texts));
        size_t n = 0;
        for (size_t i = 0; i < names->n; i++) {
            if (names->v[i].kind == KINDS[k].kind)
                texts[n++] = names->v[i].text;
        }
        if (n > 0)
            groups[n_groups++] = (struct log_group){KINDS[k].name, texts, n};
    }
    log_put_groups(&w->log, "sans", groups, n_groups);
}

void log_issued(struct work *w, const struct issued_cert *c)
{
    const struct core *core = w->authority->core;

    if (!core->config->logger)
        return;
    log_put_text(&w->log, "serial", c->serial);
    log_put_text(&w->log, "subject", c->common_name);
    log_put_text(&w->log, "issuer", dn_common_name(&core->intermediates.v[0]->subject));
    put_sans(w, c->sans);
    log_put_text(&w->log, "valid-from", rfc3339(w->arena, c->not_before));
    log_put_text(&w->log, "valid-to", rfc3339(w->arena, c->not_after));
    log_put_text(&w->log, "public-key", key_describe(w->arena, c->key));
    log_put_text(&w->log, "certificate", base64_text(w->arena, BASE64_STD, c->der));
    if (c->provisioner_name.n == 0)
        return;
    struct slice name = c->provisioner_name;
    if (c->credential_id.n > 0)
        name = arena_format(w->arena, "%.*s (%.*s)", SLICE_ARG(c->provisioner_name),
                            SLICE_ARG(c->credential_id));
    log_put_text(&w->log, "provisioner", name);
}

void log_certificate(struct work *w, const struct cert *c)
{
    struct provisioner_extension x;
    bool present;
    struct issued_cert seen = {
        .der = c->der,
        .serial = serial_decimal(w->arena, c->serial),
        .common_name = dn_common_name(&c->subject),
        .sans = &c->sans,
        .not_before = c->not_before,
        .not_after = c->not_after,
        .key = c->key,
    };

    if (!c->key)
        return;
    if (cert_provisioner(w->arena, c, &x, &present)) {
        seen.provisioner_name = x.name;
        seen.credential_id = x.credential_id;
    }
    log_issued(w, &seen);
}
