/*
 * step crl inspect: what is in a revocation list, and whether the authority has signed it.
 */
#include "base/file.h"
#include "cli/certificate_common.h"
#include "cli/download.h"
#include "cli/tree.h"
#include "crypto/pem.h"
#include "x509/show.h"

#define SHOWN_MAX (256u << 20)

struct inspecting {
    struct invocation *inv;
    struct cert_list cas;
    struct crl crl;
    const char *reason; /* why the list is not valid; NULL: it is */
};

/* --- Getting it --------------------------------------------------------------------------- */

static bool is_http(const char *place)
{
    static const char *const BEGIN[] = {"http://", "https://"};

    for (size_t i = 0; i < COUNT_OF(BEGIN); i++) {
        if (slice_is_case(slice_sub(slice_text(place), 0, strlen(BEGIN[i])), BEGIN[i]))
            return true;
    }
    return false;
}

/* A list is signed, so that the connection does not have to prove much: the authorities that may
 * have signed it may vouch for the server too. */
static bool choose_trust(struct inspecting *i, struct trust *trust)
{
    struct invocation *inv = i->inv;
    const char *roots = flag_text(inv, "roots");
    struct cert_list list = i->cas;
    bool named = roots && *roots;

    if (named && !cert_roots_load(inv->arena, roots, &list, &inv->err))
        return false;
    *trust = download_trust(inv->arena, &list);
    if (!named)
        trust->kind = TRUST_SYSTEM_AND_ANCHORS;
    if (flag_bool(inv, "insecure"))
        trust->kind = TRUST_ANYBODY;
    return true;
}

static bool read_crl(struct inspecting *i, const char *name, struct slice text)
{
    struct err *e = &i->inv->err;
    struct slice der;

    return (download_der(i->inv->arena, text, &der, e) &&
            crl_read(i->inv->arena, der, &i->crl, e)) ||
           err_wrap(e, "error parsing %s", name);
}

static bool get_url(struct inspecting *i, struct slice url)
{
    struct trust trust;
    struct slice body;

    if (!choose_trust(i, &trust))
        return false;
    if (!download(i->inv, &trust, url, &body, &i->inv->err))
        return err_wrap(&i->inv->err, "%.*s", SLICE_ARG(url));
    return read_crl(i, arena_cstr(i->inv->arena, url), body);
}

static bool get_file(struct inspecting *i, const char *path)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    struct slice text;

    return file_read(i->inv->arena, path, true, FILE_MAX_USUAL, &text, &i->inv->err) &&
           read_crl(i, name, text);
}

/* The list that a certificate names; who came with the certificate may have signed it. */
static bool get_from(struct inspecting *i, const char *place)
{
    struct invocation *inv = i->inv;
    struct cert_list chain;
    struct urls urls = {0};

    if (!cert_source(inv, place, flag_bool(inv, "insecure"), &chain, NULL))
        return false;
    for (size_t k = 1; k < chain.n; k++)
        cert_list_add(inv->arena, &i->cas, chain.v[k]);
    const struct extension *x = extensions_get(&chain.v[0]->extensions, &OID_EXT_CRL_POINTS);
    if (!x || !crl_points_read(inv->arena, x->value, &urls) || !urls.n)
        return err_set(&inv->err, ERR_NOT_FOUND, "%s names no CRL distribution point", place);
    if (!i->cas.n && !flag_bool(inv, "insecure"))
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s has no certificate of a CA with it: use the '--ca' or the '--insecure' "
                       "flag",
                       place);
    return get_url(i, urls.v[0]);
}

static bool load_cas(struct inspecting *i)
{
    const char *path = flag_text(i->inv, "ca");

    return !path || !*path || cert_list_load(i->inv->arena, path, &i->cas, &i->inv->err);
}

static bool get(struct inspecting *i)
{
    const char *place = i->inv->n_args ? arg_text(i->inv, 0) : "-";

    if (!load_cas(i))
        return false;
    if (flag_bool(i->inv, "from"))
        return get_from(i, place);
    return is_http(place) ? get_url(i, slice_text(place)) : get_file(i, place);
}

/* --- Judging it --------------------------------------------------------------------------- */

static const struct cert *find_signer(const struct inspecting *i)
{
    for (size_t k = 0; k < i->cas.n; k++) {
        const struct cert *ca = i->cas.v[k];
        bool fits = !i->crl.aki.n || slice_eq(i->crl.aki, ca->ski);
        if (fits && crl_signed_by(&i->crl, ca, NULL))
            return ca;
    }
    return NULL;
}

static void judge(struct inspecting *i)
{
    struct instant now = i->inv->clock->now(i->inv->clock);
    const struct cert *signer = find_signer(i);

    if (!i->cas.n)
        i->reason = "Signature was not verified";
    else if (!signer)
        i->reason = "Signature does not match";
    else if (!instant_is_zero(i->crl.next_update) && instant_cmp(i->crl.next_update, now) < 0)
        i->reason = "CRL has expired";
    else if (instant_cmp(signer->not_after, now) < 0)
        i->reason = "CA certificate has expired";
}

/* --- Showing it --------------------------------------------------------------------------- */

static void as_text(struct buf *b, const struct inspecting *i)
{
    crl_show_text(b, &i->crl, i->reason);
}
static void as_json(struct buf *b, const struct inspecting *i)
{
    crl_show_json(b, &i->crl, i->reason, "  ");
}
static void as_pem(struct buf *b, const struct inspecting *i)
{
    pem_put(b, "X509 CRL", i->crl.der);
}

static const struct form {
    const char *name;
    void (*show)(struct buf *, const struct inspecting *);
} FORMS[] = {{"text", as_text}, {"json", as_json}, {"pem", as_pem}};

static const struct form *form_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(FORMS); i++) {
        if (strcmp(FORMS[i].name, name) == 0)
            return &FORMS[i];
    }
    return NULL;
}

static int run_inspect(struct invocation *inv)
{
    const char *format = flag_text(inv, "format"), *ca = flag_text(inv, "ca");
    const struct form *form = form_named(format);
    struct inspecting i = {.inv = inv};
    CLEANUP(buf_free) struct buf b = buf_new(NULL, SHOWN_MAX);

    if (!form)
        return fail_value(inv, "format", format, "text, json, pem");
    if (!flag_bool(inv, "from") && !flag_bool(inv, "insecure") && !(ca && *ca))
        return fail_with(inv, "'%s' requires the '--insecure' flag, or one of --ca and --from",
                         inv->path);
    if (!get(&i))
        return fail(inv);
    judge(&i);
    form->show(&b, &i);
    if (b.n && b.p[b.n - 1] != '\n')
        buf_byte(&b, '\n');
    if (!buf_done(&b, "what there is to show", &inv->err))
        return fail(inv);
    out_put(inv, buf_slice(&b));
    return flag_bool(inv, "strict") && i.reason ? fail_with(inv, "%s", i.reason) : 0;
}

static const struct flag INSPECT_FLAGS[] = {
    {"format", FLAG_TEXT, "<format>", "How to show it: text, json or pem.", "text", 0},
    {"ca", FLAG_FILE, "<file>",
     "The <file> with the certificate of the CA that must have signed the list.", NULL, 0},
    {"from", FLAG_BOOL, NULL,
     "The argument is a certificate: get the list that it names. The other certificates with it "
     "are those of the CA.",
     NULL, 0},
    {"strict", FLAG_BOOL, NULL, "Exit with 1 when the list is not valid.", NULL, 0},
    {"insecure", FLAG_BOOL, NULL,
     "Do not verify: neither the signature without a CA, nor the certificate of a server.", NULL,
     FLAG_NO_DEFAULTS},
    {0}};
static const struct flag *const INSPECT_SETS[] = {INSPECT_FLAGS, FLAGS_PEER, NULL};

static const struct command CRL_INSPECT = {
    .name = "inspect",
    .summary = "show a certificate revocation list",
    .synopsis = "[<crl_file>]",
    .description = "Shows what is in a certificate revocation list, and whether it is valid: "
                   "signed by the CA and not out of date. A list that is not valid is shown too.",
    .arguments = "crl_file\tA file with the list (PEM or DER), a URL, or \"-\", the default, for "
                 "standard input. With --from: a file with certificates, or the address of a TLS "
                 "server.",
    .examples = "The list of an authority:\n"
                "$ step crl inspect --ca intermediate_ca.crt http://ca.example.internal/1.0/crl\n"
                "\n"
                "The list that the certificate of a server names:\n"
                "$ step crl inspect --from https://web.example.internal\n"
                "\n"
                "The serial numbers in a file:\n"
                "$ step crl inspect --insecure --format json ca.crl | \\\n"
                "    jq -r .revoked_certificates[].serial_number",
    .exit_codes = "0 the list was shown, 1 it cannot be had or read, or with --strict is not "
                  "valid.",
    .flag_sets = INSPECT_SETS,
    .most = 1,
    .run = run_inspect,
};

static const struct command *const COMMANDS[] = {&CRL_INSPECT, NULL};

const struct command CMD_CRL = {
    .name = "crl",
    .summary = "look at certificate revocation lists",
    .description = "Shows certificate revocation lists (RFC 5280): the certificates that an "
                   "authority has taken back.",
    .sub = COMMANDS,
};
