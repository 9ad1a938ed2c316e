/* The questions of `step ca init`, and the flags that answer them. */
#include "cli/ca_init.h"

#include "base/ip.h"
#include "base/uri.h"
#include "cli/terminal.h"
#include "x509/names.h"

static bool not_empty(struct slice text, struct err *e)
{
    return text.n > 0 || err_set(e, ERR_MALFORMED, "a value is needed");
}

static bool valid_address(struct slice text, struct err *e)
{
    struct slice host, port;
    uint64_t n;

    if (!host_port_split(text, &host, &port, e))
        return false;
    if (!slice_to_u64(port, &n) || n > 65535)
        return err_set(e, ERR_MALFORMED, "the port must be a number from 0 to 65535");
    return true;
}

static bool valid_dns_part(struct slice part, struct err *e)
{
    struct ip ip;

    if (ip_read(part, &ip) || slice_find(part, ':') == part.n)
        return true;
    return err_set(e, ERR_MALFORMED, "\"%.*s\" is neither a DNS name nor an IP address",
                   SLICE_ARG(part));
}

/* Commas and blanks separate; brackets of IPv6 literals go. */
static bool split_dns(struct arena *a, struct slice text, struct texts *out, struct err *e)
{
    for (size_t i = 0; i < text.n;) {
        size_t start = i;
        while (i < text.n && text.p[i] != ',' && text.p[i] != ' ' && text.p[i] != '\t')
            i++;
        struct slice part = slice_sub(text, start, i - start);
        i++;
        if (part.n > 2 && part.p[0] == '[' && part.p[part.n - 1] == ']')
            part = slice_sub(part, 1, part.n - 2);
        if (part.n == 0)
            continue;
        if (!valid_dns_part(part, e))
            return false;
        if (out->n >= SANS_MAX)
            return err_set(e, ERR_MALFORMED, "more than %d names", SANS_MAX);
        if (!out->v)
            out->v = arena_array(a, SANS_MAX, sizeof(*out->v));
        out->v[out->n++] = arena_copy(a, part);
    }
    return true;
}

static bool valid_dns(struct slice text, struct err *e)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct texts names = {0};
    bool ok = split_dns(a, text, &names, e);

    if (ok && names.n == 0)
        ok = err_set(e, ERR_MALFORMED, "at least one name is needed");
    arena_free(a);
    return ok;
}

/* The flag's value, checked, or the answer to the question. */
static bool ask_text(struct init *i, const char *flag, const char *label,
                     bool (*valid)(struct slice, struct err *), struct slice *out)
{
    struct invocation *inv = i->inv;
    const char *given = flag_text(inv, flag);

    if (given && given[0] != '\0') {
        *out = slice_text(given);
        if (valid(*out, &inv->err))
            return true;
        return err_wrap(&inv->err, "invalid value '%s' for flag '--%s'", given, flag);
    }
    return inv->terminal->text(inv->terminal, i->a, label, NULL, arena_printf(i->a, "--%s", flag),
                               valid, out, &inv->err);
}

static bool ask_dns(struct init *i)
{
    struct invocation *inv = i->inv;
    struct slice answer;
    size_t n;
    const struct slice *given = flag_texts(inv, "dns", &n);

    for (size_t k = 0; k < n; k++) {
        if (!split_dns(i->a, given[k], &i->dns, &inv->err))
            return err_wrap(&inv->err, "invalid value '%.*s' for flag '--dns'",
                            SLICE_ARG(given[k]));
    }
    if (i->dns.n > 0)
        return true;
    if (n > 0)
        return err_set(&inv->err, ERR_MALFORMED, "invalid value '' for flag '--dns'");
    return inv->terminal->text(inv->terminal, i->a,
                               "What DNS names or IP addresses will clients use to reach the CA?",
                               NULL, "--dns", valid_dns, &answer, &inv->err) &&
           split_dns(i->a, answer, &i->dns, &inv->err);
}

static bool ask_passwords(struct init *i)
{
    struct invocation *inv = i->inv;

    if (!password_flag(inv, "password-file", &i->password, &inv->err) ||
        !password_flag(inv, "provisioner-password-file", &i->provisioner_password, &inv->err))
        return false;
    if (i->password.n == 0 &&
        !terminal_password_or_generate(
            inv->terminal, inv->secrets,
            "Choose a password for the CA keys and the first provisioner (empty: generate one)",
            "--password-file", &i->password, &inv->err))
        return false;
    if (i->provisioner_password.n == 0)
        i->provisioner_password = i->password;
    return true;
}

static bool check_deployment(struct invocation *inv)
{
    const char *type = flag_text(inv, "deployment-type");

    if (!type || type[0] == '\0' || slice_is_case(slice_text(type), "standalone"))
        return true;
    if (slice_is_case(slice_text(type), "linked") || slice_is_case(slice_text(type), "hosted"))
        return err_set(&inv->err, ERR_MALFORMED,
                       "'--deployment-type %s' needs its vendor's service and is not supported; "
                       "options are standalone",
                       type);
    return err_set(&inv->err, ERR_MALFORMED,
                   "invalid value '%s' for flag '--deployment-type'; options are standalone", type);
}

/* Flags whose work is not there: nothing is made that would lack it. */
static bool check_later(struct invocation *inv)
{
    static const struct {
        const char *flag, *what;
    } LATER[] = {
        {"ra", "registration authorities are"},
        {"issuer", "registration authorities are"},
        {"issuer-fingerprint", "registration authorities are"},
        {"issuer-provisioner", "registration authorities are"},
        {"credentials-file", "registration authorities are"},
        {"kms", "key management services are"},
        {"kms-root", "key management services are"},
        {"kms-intermediate", "key management services are"},
        {"kms-ssh-host", "key management services are"},
        {"kms-ssh-user", "key management services are"},
        {"remote-management", "remote management is"},
        {"admin-subject", "remote management is"},
    };

    for (size_t k = 0; k < COUNT_OF(LATER); k++) {
        if (flag_set(inv, LATER[k].flag))
            return err_set(&inv->err, ERR_NOT_IMPLEMENTED,
                           "flag '--%s': %s not supported by this version", LATER[k].flag,
                           LATER[k].what);
    }
    return true;
}

bool init_ask(struct init *i)
{
    struct invocation *inv = i->inv;

    if (!check_later(inv) || !check_deployment(inv) ||
        !ask_text(i, "name", "What would you like to name your new PKI?", not_empty, &i->name))
        return false;
    if (!flag_bool(inv, "pki") &&
        (!ask_dns(i) ||
         !ask_text(i, "address", "What IP and port will your new CA bind to (host:port)?",
                   valid_address, &i->address) ||
         !ask_text(i, "provisioner", "What would you like to name the CA's first provisioner?",
                   not_empty, &i->provisioner)))
        return false;
    return ask_passwords(i);
}
