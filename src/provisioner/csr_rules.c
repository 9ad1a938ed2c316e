/* What a grant demands of the certification request, rule by rule. */
#include "base/encode.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "provisioner/provisioner.h"

static bool check_fingerprint(struct arena *a, const struct csr_rule *rule, const struct csr *csr,
                              struct err *e)
{
    uint8_t own[DIGEST_MAX];
    struct slice wanted;

    digest_of(DIGEST_SHA256, csr->der, own);
    if (!base64_read(a, BASE64_URL_RAW, rule->texts[0], &wanted) ||
        wanted.n != digest_size(DIGEST_SHA256) || !secret_equal(wanted, slice_of(own, wanted.n)))
        return err_set(e, ERR_FORBIDDEN,
                       "the token's cnf claim is bound to another certificate request");
    return true;
}

static bool check_common_name(const struct csr_rule *rule, const struct csr *csr, struct err *e)
{
    struct slice cn = dn_common_name(&csr->subject);

    if (cn.n == 0)
        return true;
    for (size_t i = 0; i < rule->n_texts; i++) {
        if (slice_eq(cn, rule->texts[i]))
            return true;
    }
    return err_set(e, ERR_FORBIDDEN,
                   "the certificate request's common name \"%.*s\" is not one that the token "
                   "allows",
                   SLICE_ARG(cn));
}

static bool same_name(const struct san *x, const struct san *y)
{
    return x->kind == SAN_IP ? ip_eq(&x->ip, &y->ip) : slice_eq(x->text, y->text);
}

static bool contains(const struct sans *list, const struct san *name)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->v[i].kind == name->kind && same_name(&list->v[i], name))
            return true;
    }
    return false;
}

/* "a.test, b.test": the names of one kind, for messages. */
static struct slice names_text(struct arena *a, const struct sans *list, enum san_kind kind)
{
    struct buf b = buf_new(a, 400);

    for (size_t i = 0; i < list->n && buf_ok(&b); i++) {
        if (list->v[i].kind != kind)
            continue;
        if (b.n > 0)
            buf_text(&b, ", ");
        buf_put(&b, list->v[i].text);
    }
    return buf_slice(&b);
}

static bool check_sans(struct arena *a, const struct csr_rule *rule, const struct csr *csr,
                       struct err *e)
{
    static const struct {
        enum san_kind kind;
        const char *what;
    } KINDS[] = {{SAN_DNS, "DNS names"},
                 {SAN_EMAIL, "email addresses"},
                 {SAN_IP, "IP addresses"},
                 {SAN_URI, "URIs"}};

    for (size_t k = 0; k < COUNT_OF(KINDS); k++) {
        size_t asked = 0;
        bool equal = true;
        if (rule->uris_free && KINDS[k].kind == SAN_URI)
            continue;
        for (size_t i = 0; i < csr->sans.n; i++) {
            if (csr->sans.v[i].kind != KINDS[k].kind)
                continue;
            asked++;
            equal = equal && contains(rule->sans, &csr->sans.v[i]);
        }
        if (asked == 0)
            continue;
        for (size_t i = 0; i < rule->sans->n; i++) {
            if (rule->sans->v[i].kind == KINDS[k].kind)
                equal = equal && contains(&csr->sans, &rule->sans->v[i]);
        }
        if (equal)
            continue;
        struct slice have = names_text(a, &csr->sans, KINDS[k].kind);
        struct slice want = names_text(a, rule->sans, KINDS[k].kind);
        return err_set(e, ERR_FORBIDDEN,
                       "the certificate request's %s [%.*s] are not those of the token [%.*s]",
                       KINDS[k].what, SLICE_ARG(have), SLICE_ARG(want));
    }
    return true;
}

static bool check_dns_subset(const struct csr_rule *rule, const struct csr *csr, struct err *e)
{
    for (size_t i = 0; i < csr->sans.n; i++) {
        const struct san *name = &csr->sans.v[i];
        if (name->kind == SAN_DNS && !contains(rule->sans, name))
            return err_set(e, ERR_FORBIDDEN,
                           "the certificate request's DNS name \"%.*s\" is not allowed",
                           SLICE_ARG(name->text));
    }
    return true;
}

static bool check_key(const struct csr_rule *rule, const struct csr *csr, struct err *e)
{
    if (!csr->key) {
        err_move(e, &csr->key_error);
        return err_wrap(e, "certificate request");
    }
    return key_check_strength(csr->key, rule->rsa_bits, e);
}

bool csr_rules_check(struct arena *a, const struct csr_rule *rules, size_t n, const struct csr *csr,
                     struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct csr_rule *rule = &rules[i];
        bool ok = false;
        switch (rule->kind) {
        case CSR_RULE_FINGERPRINT:
            ok = check_fingerprint(a, rule, csr, e);
            break;
        case CSR_RULE_CN_IN:
            ok = check_common_name(rule, csr, e);
            break;
        case CSR_RULE_SANS_EQUAL:
            ok = check_sans(a, rule, csr, e);
            break;
        case CSR_RULE_DNS_SUBSET:
            ok = check_dns_subset(rule, csr, e);
            break;
        case CSR_RULE_KEY:
            ok = check_key(rule, csr, e);
            break;
        }
        if (!ok)
            return false;
    }
    return true;
}
