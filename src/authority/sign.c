/*
 * Issuance of X.509 certificates: the list of docs/reference/x509.md "Issuance", one function a
 * step.  Nothing is changed here: the record goes into the batch of the work.
 */
#include "authority/inventory.h"
#include "authority/revocations.h"
#include "authority/template_leaf.h"
#include "authority/webhook.h"
#include "base/log.h"
#include "x509/chain.h"

/* Subject and names of the token; key of the request; nothing else of the request survives. */
static void build_leaf(struct work *w, const struct grant *g, const struct csr *csr,
                       struct x509_leaf *leaf)
{
    static const struct oid *const USES[] = {&OID_EKU_CLIENT, &OID_EKU_SERVER};
    size_t n = g->x509.fallback == LEAF_ATTESTED ? 1 : COUNT_OF(USES);

    leaf->subject = g->x509.subject;
    leaf->sans = g->x509.sans;
    leaf->key = csr->key;
    leaf->key_usage = KU_DIGITAL_SIGNATURE;
    if (csr->key->type == KEY_RSA)
        leaf->key_usage |= KU_KEY_ENCIPHERMENT;
    leaf->eku = arena_array(w->arena, n, sizeof(*leaf->eku));
    while (n-- > 0) /* serverAuth first where it is there */
        leaf->eku[leaf->n_eku++] = slice_of(USES[n]->p, USES[n]->n);
}

static void fill_values(struct slice **v, size_t *n, struct slice *from, size_t n_from)
{
    if (*n > 0)
        return;
    *v = from;
    *n = n_from;
}

/* authority.template: only what is empty. */
static void fill_subject(const struct subject *usual, struct subject *s)
{
    fill_values(&s->country, &s->n_country, usual->country, usual->n_country);
    fill_values(&s->province, &s->n_province, usual->province, usual->n_province);
    fill_values(&s->locality, &s->n_locality, usual->locality, usual->n_locality);
    fill_values(&s->street, &s->n_street, usual->street, usual->n_street);
    fill_values(&s->organization, &s->n_organization, usual->organization, usual->n_organization);
    fill_values(&s->unit, &s->n_unit, usual->unit, usual->n_unit);
    if (s->serial_number.n == 0)
        s->serial_number = usual->serial_number;
    if (s->common_name.n == 0)
        s->common_name = usual->common_name;
}

static void add_provisioner_extension(struct work *w, const struct grant *g, struct x509_leaf *leaf)
{
    struct provisioner_extension x = {.type = g->by->type->number,
                                      .name = g->by->name,
                                      .credential_id = g->x509.credential_id,
                                      .pairs = g->x509.pairs,
                                      .n_pairs = g->x509.n_pairs};
    struct buf b = buf_new(w->arena, 8u << 10);

    if (g->by->claims.disable_smallstep_extensions)
        return;
    provisioner_extension_put(&b, &x);
    leaf->provisioner = buf_slice(&b);
}

/* Times that were asked for, or the usual ones; *from_now says that the start was not asked for
 * and is to be backdated. */
static bool apply_validity(struct work *w, const struct grant *g, const struct validity_wish *wish,
                           struct x509_leaf *leaf)
{
    struct instant now = w->services->clock->now(w->services->clock);
    const struct grant_x509 *x = &g->x509;
    bool from_now = !wish->not_before.set;
    struct instant start = time_or_duration_from(&wish->not_before, now);
    int64_t usual = g->by->claims.tls.usual;

    leaf->not_after = wish->not_after.set ? time_or_duration_from(&wish->not_after, start)
                                          : instant_add(start, usual);
    if (x->limited && instant_cmp(start, x->not_before_floor) < 0)
        return err_set(&w->err, ERR_FORBIDDEN,
                       "the certificate would begin (%.*s) before the credential does (%.*s)",
                       SLICE_ARG(rfc3339(w->arena, start)),
                       SLICE_ARG(rfc3339(w->arena, x->not_before_floor)));
    if (x->limited && instant_cmp(leaf->not_after, x->not_after_ceiling) > 0) {
        if (wish->not_after.set)
            return err_set(&w->err, ERR_FORBIDDEN,
                           "the certificate would end (%.*s) after the credential does (%.*s)",
                           SLICE_ARG(rfc3339(w->arena, leaf->not_after)),
                           SLICE_ARG(rfc3339(w->arena, x->not_after_ceiling)));
        leaf->not_after = x->not_after_ceiling;
    }
    leaf->not_before = from_now ? instant_add(start, -w->authority->core->backdate) : start;
    leaf->not_before = instant_truncate(leaf->not_before);
    leaf->not_after = instant_truncate(leaf->not_after);
    return true;
}

static bool force_common_name(struct work *w, const struct grant *g, struct x509_leaf *leaf)
{
    if (!g->x509.force_cn || leaf->subject.common_name.n > 0)
        return true;
    for (size_t i = 0; i < leaf->sans.n; i++) {
        if (leaf->sans.v[i].kind == SAN_DNS) {
            leaf->subject.common_name = leaf->sans.v[i].text;
            return true;
        }
    }
    return err_set(&w->err, ERR_MALFORMED,
                   "a common name is required, and there is no DNS name to take it from");
}

static bool check_begin(struct work *w, const struct x509_leaf *leaf)
{
    struct instant end = w->authority->core->issuer_ends;

    if (instant_cmp(end, w->services->clock->now(w->services->clock)) <= 0)
        return err_set(&w->err, ERR_INTERNAL, "the issuing chain ended on %.*s",
                       SLICE_ARG(rfc3339(w->arena, end)));
    if (instant_cmp(end, leaf->not_before) <= 0)
        return err_set(&w->err, ERR_FORBIDDEN,
                       "notBefore %.*s is not before the end of the issuing chain, %.*s",
                       SLICE_ARG(rfc3339(w->arena, leaf->not_before)),
                       SLICE_ARG(rfc3339(w->arena, end)));
    return true;
}

static bool check_validity(struct work *w, const struct grant *g, const struct x509_leaf *leaf)
{
    struct instant now = instant_truncate(w->services->clock->now(w->services->clock));
    const struct duration_limits *limits = &g->by->claims.tls;
    int64_t length = instant_sub(leaf->not_after, leaf->not_before);
    char have[DURATION_TEXT_MAX], bound[DURATION_TEXT_MAX];

    if (instant_cmp(leaf->not_after, now) < 0)
        return err_set(&w->err, ERR_MALFORMED, "notAfter %.*s is in the past",
                       SLICE_ARG(rfc3339(w->arena, leaf->not_after)));
    if (length < 0)
        return err_set(&w->err, ERR_MALFORMED, "notAfter %.*s is before notBefore %.*s",
                       SLICE_ARG(rfc3339(w->arena, leaf->not_after)),
                       SLICE_ARG(rfc3339(w->arena, leaf->not_before)));
    duration_put(have, length);
    duration_put(bound, limits->least);
    if (length < limits->least)
        return err_set(&w->err, ERR_FORBIDDEN,
                       "the requested duration of %s is less than the minimum of %s", have, bound);
    duration_put(bound, limits->most + w->authority->core->backdate);
    if (length > limits->most + w->authority->core->backdate)
        return err_set(&w->err, ERR_FORBIDDEN,
                       "the requested duration of %s is more than the maximum of %s", have, bound);
    return true;
}

/* A leaf never outlives its issuer. */
static bool cap_to_issuer(struct work *w, struct x509_leaf *leaf)
{
    struct instant end = w->authority->core->issuer_ends;

    if (!check_begin(w, leaf))
        return false;
    if (instant_cmp(leaf->not_after, end) <= 0)
        return true;
    log_warn("a certificate is cut to the end of the issuing chain, %.*s",
             SLICE_ARG(rfc3339(w->arena, end)));
    leaf->not_after = end;
    return true;
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < 0x20 || text.p[i] == 0x7f)
            return true;
    }
    return false;
}

/* Names that no certificate should carry are the requester's mistake and not ours, so they are
 * found before the leaf is written. */
static bool check_writable(struct work *w, const struct x509_leaf *leaf)
{
    struct buf scratch CLEANUP(buf_free) = buf_new(NULL, CERT_MAX);

    if (has_control(leaf->subject.common_name))
        return err_set(&w->err, ERR_MALFORMED, "the common name holds a control character");
    for (size_t i = 0; i < leaf->sans.n; i++) {
        bool text = leaf->sans.v[i].kind < SAN_OTHER; /* the others are DER */
        if (text && has_control(leaf->sans.v[i].text))
            return err_set(&w->err, ERR_MALFORMED,
                           "a subject alternative name holds a control character");
    }
    if (!sans_put(&scratch, &leaf->sans, &w->err))
        return err_wrap(&w->err, "subject alternative name");
    return buf_done(&scratch, "subject alternative names", &w->err);
}

/* Wherever in the leaf it stands. */
static struct slice leaf_common_name(struct arena *a, const struct x509_leaf *leaf)
{
    struct dn dn;

    if (leaf->raw_subject.n == 0)
        return leaf->subject.common_name;
    return dn_read(a, leaf->raw_subject, &dn, NULL) ? dn_get(&dn, &OID_CN) : SLICE("");
}

/* The issuer's name constraints; at issuance also the policies of the provisioner (by; NULL: no
 * issuance) and of the authority. */
static bool check_names(struct work *w, const struct x509_leaf *leaf, const struct provisioner *by)
{
    const struct core *core = w->authority->core;
    const struct policy *own = by ? by->policies.x509 : NULL;
    const struct policy *rules = by ? core->policies.x509 : NULL;
    struct slice cn = leaf_common_name(w->arena, leaf);
    struct sans names;

    if (core->constrained.n == 0 && !own && !rules)
        return true;
    if (!x509_leaf_names(w->arena, leaf, &names, &w->err))
        return err_classify(&w->err, ERR_FORBIDDEN);
    return (core->constrained.n == 0 ||
            name_constraints_check(w->arena, &core->constrained, &names, &w->err)) &&
           policy_check_x509(w->arena, own, &names, cn, &w->err) &&
           policy_check_x509(w->arena, rules, &names, cn, &w->err);
}

/* The whole name as the inventory shows it. */
static struct slice subject_text(struct arena *a, const struct x509_leaf *leaf)
{
    struct buf b = buf_new(a, CERT_MAX);
    struct slice der = leaf->raw_subject;
    struct dn dn;

    if (!der.p) {
        subject_put(&b, &leaf->subject);
        der = buf_slice(&b);
    }
    return buf_ok(&b) && dn_read(a, der, &dn, NULL) ? dn_text(a, &dn) : SLICE("");
}

/* Signs and puts the record into the batch.  serial is chosen here: log and record want it. */
static bool issue(struct work *w, struct x509_leaf *leaf, struct slice data,
                  const struct provisioner *by, struct slice renewed_from, struct issued_cert *out)
{
    const struct core *core = w->authority->core;
    struct issued *row = arena_alloc(w->arena, sizeof(*row));
    struct buf der = buf_new(w->arena, CERT_MAX);
    uint8_t *serial = arena_alloc(w->arena, 16);

    if (leaf->serial.n == 0) {
        do
            w->services->rng->fill(w->services->rng, serial, 16);
        while (serial[0] == 0); /* at least 121 random bits, and never zero */
        leaf->serial = slice_of(serial, 16);
    }
    if (!x509_leaf_sign(leaf, &core->issuer, w->services->rng, &der, w->deadline, &w->err))
        return err_classify(&w->err, ERR_INTERNAL);
    out->der = buf_slice(&der);
    out->serial = serial_decimal(w->arena, leaf->serial);
    out->not_before = leaf->not_before;
    out->not_after = leaf->not_after;
    out->key = leaf->key;
    if (!services_durable(w->services))
        return true;
    *row = (struct issued){
        .serial = out->serial,
        .der = out->der,
        .data = data,
        .subject = subject_text(w->arena, leaf),
        .common_name = out->common_name,
        .fingerprint = cert_fingerprint(w->arena, out->der),
        .key_type = key_describe(w->arena, leaf->key),
        .names = inventory_names(w->arena, out->sans),
        .renewed_from = renewed_from,
        .not_before = leaf->not_before.sec,
        .not_after = leaf->not_after.sec,
        .issued_at = w->services->clock->now(w->services->clock).sec,
    };
    if (by) {
        row->provisioner_id = by->id;
        row->provisioner_name = by->name;
        row->provisioner_type = slice_text(by->type->data_name);
    }
    batch_issue(&w->batch, row);
    return true;
}

/* {"provisioner":{"id":…,"name":…,"type":…},"ra":{…}} */
static struct slice data_record(struct arena *a, const struct grant *g)
{
    static const char *const RA_MEMBERS[] = {"authorityId", "endpointId", "provisionerId",
                                             "provisionerType", "provisionerName"};
    struct buf b = buf_new(a, 64u << 10);
    struct json_writer j = json_writer(&b);

    json_open(&j, NULL);
    json_open(&j, "provisioner");
    if (g->by->id.n > 0)
        json_member_text(&j, "id", g->by->id);
    json_member_text(&j, "name", g->by->name);
    json_member_text(&j, "type", slice_text(g->by->type->data_name));
    json_close(&j);
    if (g->ra && g->ra->kind == JSON_OBJECT) {
        json_open(&j, "ra");
        for (size_t i = 0; i < COUNT_OF(RA_MEMBERS); i++) {
            struct slice value = json_text(json_get_exact(g->ra, RA_MEMBERS[i]));
            if (value.n > 0)
                json_member_text(&j, RA_MEMBERS[i], value);
        }
        json_close(&j);
    }
    json_close(&j);
    return buf_slice(&b);
}

/* Times of the template where the request has none. */
static bool from_template(struct work *w, const struct grant *g, const struct csr *csr,
                          const struct json *user, struct tvalue *data, struct validity_wish *wish,
                          struct x509_leaf *leaf)
{
    struct validity_wish times;

    if (!template_leaf(w, g, csr, user, data, leaf, &times))
        return false;
    if (!wish->not_before.set)
        wish->not_before = times.not_before;
    if (!wish->not_after.set)
        wish->not_after = times.not_after;
    return true;
}

/* Without a template: what enriching webhooks say is of no use, but they may refuse. */
static bool from_grant(struct work *w, const struct grant *g, const struct csr *csr,
                       struct tvalue *data, struct x509_leaf *leaf)
{
    struct template_inputs in = {.grant = g, .data = g->by->x509 ? g->by->x509->data : NULL};

    build_leaf(w, g, csr, leaf);
    if (g->by->webhooks.n == 0)
        return true;
    *data = template_data_x509(w->arena, &in);
    if (!webhooks_enrich(w, g, &(struct webhook_subject){.csr = csr}, data))
        return false;
    template_data_request(w->arena, data, csr);
    return true;
}

/* data: what the webhooks of the provisioner see. */
static bool shape_leaf(struct work *w, const struct grant *g, const struct csr *csr,
                       const struct validity_wish *asked, const struct json *user,
                       struct tvalue *data, struct x509_leaf *leaf)
{
    struct validity_wish wish = *asked;

    if (!csr_rules_check(w->arena, g->x509.rules, g->x509.n_rules, csr, &w->err))
        return false;
    if (template_wanted(g) ? !from_template(w, g, csr, user, data, &wish, leaf)
                           : !from_grant(w, g, csr, data, leaf))
        return false;
    fill_subject(&w->authority->core->subject_defaults, &leaf->subject);
    add_provisioner_extension(w, g, leaf);
    if (!apply_validity(w, g, &wish, leaf) || !force_common_name(w, g, leaf) ||
        !check_begin(w, leaf) || !check_validity(w, g, leaf))
        return false;
    if (asked->forced) {
        leaf->not_before = asked->forced_before;
        leaf->not_after = asked->forced_after;
    }
    return cap_to_issuer(w, leaf) && check_writable(w, leaf) && check_names(w, leaf, g->by);
}

/* Names as the certificate will carry them, raw extensions included. */
static bool name_issued(struct work *w, const struct x509_leaf *leaf, struct issued_cert *out)
{
    struct sans *names;

    out->common_name = leaf_common_name(w->arena, leaf);
    out->sans = &leaf->sans;
    if (leaf->raw.n == 0)
        return true;
    out->sans = names = arena_alloc(w->arena, sizeof(*names));
    return x509_leaf_names(w->arena, leaf, names, &w->err) || err_classify(&w->err, ERR_INTERNAL);
}

bool sign_x509(struct work *w, const struct grant *g, const struct csr *csr,
               const struct validity_wish *wish, const struct json *user, struct issued_cert *out)
{
    struct x509_leaf *leaf = arena_alloc(w->arena, sizeof(*leaf));
    struct tvalue data = tvalue_none();

    *out = (struct issued_cert){0};
    if (!shape_leaf(w, g, csr, wish, user, &data, leaf) || !name_issued(w, leaf, out) ||
        !webhooks_authorize(w, g, &(struct webhook_subject){.leaf = leaf}, &data))
        return false;
    if (leaf->provisioner.p) {
        out->provisioner_name = g->by->name;
        out->credential_id = g->x509.credential_id;
    }
    return issue(w, leaf, data_record(w->arena, g), g->by, SLICE_NONE, out);
}

/* docs/reference/x509.md "Renewal": same subject, names and length; extensions copied raw. */
static bool shape_renewed(struct work *w, const struct renewal *r, const struct key *key,
                          struct x509_leaf *leaf)
{
    const struct cert *old = r->cert;
    int64_t backdate = w->authority->core->backdate;
    int64_t length = r->length ? r->length : instant_sub(old->not_after, old->not_before);
    struct instant now = w->services->clock->now(w->services->clock);

    if (length <= backdate)
        return err_set(&w->err, ERR_INTERNAL,
                       "the certificate's whole length is not above authority.backdate");
    leaf->raw_subject = old->subject.raw;
    leaf->raw = old->extensions;
    leaf->copy_extensions = true;
    leaf->key = key ? key : old->key;
    if (!leaf->key)
        return err_set(&w->err, ERR_MALFORMED, "the certificate's key is of no supported type");
    if (key && !key_check_strength(key, 2048, &w->err))
        return false;
    if (key)
        leaf->ski = slice_of(key->ski, sizeof(key->ski));
    leaf->not_before = instant_truncate(instant_add(now, -backdate));
    leaf->not_after = instant_truncate(instant_add(now, length - backdate));
    return cap_to_issuer(w, leaf) && check_names(w, leaf, NULL);
}

bool renew_x509(struct work *w, const struct renewal *r, const struct key *key,
                struct issued_cert *out)
{
    struct x509_leaf *leaf = arena_alloc(w->arena, sizeof(*leaf));
    struct provisioner_extension x;
    bool present;

    *out = (struct issued_cert){.common_name = dn_common_name(&r->cert->subject),
                                .sans = &r->cert->sans};
    if (cert_provisioner(w->arena, r->cert, &x, &present)) {
        out->provisioner_name = x.name;
        out->credential_id = x.credential_id;
    }
    struct slice serial = serial_decimal(w->arena, r->cert->serial);
    if (!shape_renewed(w, r, key, leaf) || !issue(w, leaf, r->data, r->by, serial, out))
        return false;
    revocation_none_at_commit(w, false, serial);
    return true;
}
