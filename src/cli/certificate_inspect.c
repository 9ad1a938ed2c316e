/* step certificate inspect: what is in certificates and requests, for people and for programs. */
#include "cli/certificate.h"
#include "cli/certificate_common.h"
#include "crypto/pem.h"
#include "x509/show.h"

#define SHOWN_MAX (256u << 20)

/* --- Forms -------------------------------------------------------------------------------- */

static void cert_as_pem(struct buf *b, const struct cert *c)
{
    pem_put(b, "CERTIFICATE", c->der);
}

static void csr_as_pem(struct buf *b, const struct csr *c)
{
    pem_put(b, "CERTIFICATE REQUEST", c->der);
}

static void cert_as_json(struct buf *b, const struct cert *c)
{
    cert_show_json(b, c, "  ");
}

static void csr_as_json(struct buf *b, const struct csr *c)
{
    csr_show_json(b, c, "  ");
}

enum form { TEXT, SHORT, JSON, PEM };
static const struct {
    const char *format;
    void (*cert)(struct buf *, const struct cert *);
    void (*csr)(struct buf *, const struct csr *);
} FORMS[] = {
    [TEXT] = {"text", cert_show_text, csr_show_text},
    [SHORT] = {NULL, cert_show_short, csr_show_short},
    [JSON] = {"json", cert_as_json, csr_as_json},
    [PEM] = {"pem", cert_as_pem, csr_as_pem},
};

static bool form_named(const char *format, enum form *form)
{
    for (size_t i = 0; i < COUNT_OF(FORMS); i++) {
        if (!FORMS[i].format || strcmp(FORMS[i].format, format) != 0)
            continue;
        *form = (enum form)i;
        return true;
    }
    return false;
}

/* Lines of b from `start` on, two blanks deeper.  No JSON text has a bare newline in it. */
static void deeper(struct buf *b, struct slice text)
{
    struct slice line;

    while (text.n && slice_split(&text, '\n', &line)) {
        buf_text(b, "  ");
        buf_put(b, line);
        if (text.n)
            buf_byte(b, '\n');
    }
}

/* A bundle is a list, even when there is one certificate in it. */
static void list_as_json(struct buf *b, const struct cert_list *list)
{
    CLEANUP(buf_free) struct buf one = buf_new(NULL, SHOWN_MAX);

    buf_text(b, "[\n");
    for (size_t i = 0; i < list->n; i++) {
        buf_reset(&one);
        cert_as_json(&one, list->v[i]);
        deeper(b, slice_trim(buf_slice(&one)));
        buf_text(b, i + 1 < list->n ? ",\n" : "\n");
    }
    buf_text(b, "]\n");
}

/* --- The command -------------------------------------------------------------------------- */

static void show(struct buf *b, enum form form, bool bundle, const struct cert_list *list,
                 const struct csr *csr)
{
    if (csr) {
        FORMS[form].csr(b, csr);
        return;
    }
    if (form == JSON && bundle) {
        list_as_json(b, list);
        return;
    }
    for (size_t i = 0; i < list->n && (i == 0 || bundle); i++)
        FORMS[form].cert(b, list->v[i]);
}

static int run_inspect(struct invocation *inv)
{
    const char *place = inv->n_args ? arg_text(inv, 0) : "-";
    const char *format = flag_text(inv, "format");
    CLEANUP(buf_free) struct buf b = buf_new(NULL, SHOWN_MAX);
    struct cert_list list;
    struct csr *csr;
    enum form form;

    if (!form_named(format, &form))
        return fail_value(inv, "format", format, "text, json, pem");
    if (flag_bool(inv, "short"))
        form = SHORT;
    if (!cert_source_look(inv, place, flag_bool(inv, "insecure"), &list, &csr))
        return fail(inv);
    show(&b, form, flag_bool(inv, "bundle"), &list, csr);
    if (b.n && b.p[b.n - 1] != '\n')
        buf_byte(&b, '\n');
    if (!buf_done(&b, "what there is to show", &inv->err))
        return fail(inv);
    out_put(inv, buf_slice(&b));
    return 0;
}

static const struct flag INSPECT_FLAGS[] = {
    {"format", FLAG_TEXT, "<format>", "How to show it: text, json or pem.", "text", 0},
    {"short", FLAG_BOOL, NULL, "Show a summary.", NULL, 0},
    {"bundle", FLAG_BOOL, NULL, "Show all certificates, not only the first.", NULL, 0},
    {"insecure", FLAG_BOOL, NULL, "Do not verify the certificate of a server.", NULL,
     FLAG_NO_DEFAULTS},
    {0}};
static const struct flag *const INSPECT_SETS[] = {INSPECT_FLAGS, FLAGS_PEER, NULL};
static const struct flag_rule INSPECT_RULES[] = {
    {RULE_EXCLUDES, "short", "format=json"}, {RULE_EXCLUDES, "short", "format=pem"}, {0}};

const struct command CMD_CERTIFICATE_INSPECT = {
    .name = "inspect",
    .summary = "show a certificate or a certificate request",
    .synopsis = "[<crt-file>]",
    .description = "Shows what is in a certificate, or in a certificate request when there is no "
                   "certificate. Nothing in a file is verified; the certificate of a server is, "
                   "unless --insecure is given.",
    .arguments = "crt-file\tA file with certificates or a request (PEM or DER), a URL, or \"-\", "
                 "the default, for standard input.",
    .examples = "A certificate in a file:\n"
                "$ step certificate inspect web.crt\n"
                "\n"
                "A summary of every certificate that a server shows:\n"
                "$ step certificate inspect --short --bundle https://example.com\n"
                "\n"
                "One value of it:\n"
                "$ step certificate inspect web.crt --format json | jq -r .validity.end",
    .flag_sets = INSPECT_SETS,
    .rules = INSPECT_RULES,
    .most = 1,
    .run = run_inspect,
};
