/*
 * step certificate lint: does a certificate keep the rules of RFC 5280 and of its companions?  The
 * rules are those of x509/lint.c, which the tests run over everything that the authority issues.
 */
#include "cli/certificate.h"
#include "cli/certificate_common.h"
#include "cli/internal.h"
#include "x509/show.h"

#define FINDINGS_MAX (4u << 20)

static const char *const LEVELS[] = {
    [LINT_ERROR] = "error",
    [LINT_WARNING] = "warning",
    [LINT_NOTICE] = "notice",
};

struct linting {
    struct buf *b;
    struct json_writer *json; /* NULL: text */
    unsigned counts[COUNT_OF(LEVELS)];
};

static void found(void *arg, enum lint_level level, const char *rule, const char *text)
{
    struct linting *l = arg;

    l->counts[level]++;
    if (!l->json) {
        buf_printf(l->b, "  %s: %s (%s)\n", LEVELS[level], text, rule);
        return;
    }
    json_open(l->json, NULL);
    json_member_text(l->json, "level", slice_text(LEVELS[level]));
    json_member_text(l->json, "rule", slice_text(rule));
    json_member_text(l->json, "text", slice_text(text));
    json_close(l->json);
}

static void lint_text(struct arena *a, struct linting *l, const struct cert *c)
{
    struct slice subject = printable(a, dn_text(a, &c->subject));
    struct buf *b = l->b, findings = buf_new(a, FINDINGS_MAX);

    l->b = &findings;
    cert_lint(c, found, l);
    l->b = b;
    buf_put(b, subject.n ? subject : SLICE("(no subject)"));
    buf_text(b, findings.n ? ":\n" : ": nothing found\n");
    buf_put(b, buf_slice(&findings));
}

static void lint_json(struct arena *a, struct linting *l, const struct cert *c)
{
    struct json_writer w = json_writer(l->b);
    unsigned before[COUNT_OF(LEVELS)];

    memcpy(before, l->counts, sizeof(before));
    l->json = &w;
    json_open(&w, NULL);
    json_member_text(&w, "subject", dn_text(a, &c->subject));
    json_member_text(&w, "serial_number", serial_decimal(a, c->serial));
    json_member_text(&w, "fingerprint_sha256", cert_fingerprint(a, c->der));
    json_open_list(&w, "findings");
    cert_lint(c, found, l);
    json_close(&w);
    json_member_uint(&w, "errors", l->counts[LINT_ERROR] - before[LINT_ERROR]);
    json_member_uint(&w, "warnings", l->counts[LINT_WARNING] - before[LINT_WARNING]);
    json_member_uint(&w, "notices", l->counts[LINT_NOTICE] - before[LINT_NOTICE]);
    json_close(&w);
}

static bool print_json(struct invocation *inv, struct slice compact)
{
    struct json *tree = json_read(inv->arena, compact, &JSON_API, NULL, &inv->err);
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 2 * FINDINGS_MAX);

    if (!tree)
        return false;
    json_print(&b, json_copy(inv->arena, tree), "  ");
    buf_byte(&b, '\n');
    if (!buf_done(&b, "findings", &inv->err))
        return false;
    out_put(inv, buf_slice(&b));
    return true;
}

static bool lint_all(struct invocation *inv, bool json, const struct cert_list *list,
                     unsigned *errors)
{
    CLEANUP(buf_free) struct buf b = buf_new(NULL, FINDINGS_MAX);
    struct linting l = {.b = &b};
    bool bundle = flag_bool(inv, "bundle");

    if (json && bundle)
        buf_byte(&b, '[');
    for (size_t i = 0; i < list->n && (i == 0 || bundle); i++) {
        if (json && i)
            buf_byte(&b, ',');
        (json ? lint_json : lint_text)(inv->arena, &l, list->v[i]);
    }
    if (json && bundle)
        buf_byte(&b, ']');
    *errors = l.counts[LINT_ERROR];
    if (!buf_done(&b, "findings", &inv->err))
        return false;
    if (json)
        return print_json(inv, buf_slice(&b));
    out_put(inv, buf_slice(&b));
    return true;
}

static int run_lint(struct invocation *inv)
{
    const char *format = flag_text(inv, "format");
    bool json = strcmp(format, "json") == 0;
    struct cert_list list;
    unsigned errors;

    if (!json && strcmp(format, "text") != 0)
        return fail_value(inv, "format", format, "text, json");
    if (!cert_source(inv, arg_text(inv, 0), flag_bool(inv, "insecure"), &list, NULL) ||
        !lint_all(inv, json, &list, &errors))
        return fail(inv);
    return errors ? fail_with(inv, "%u error%s found", errors, errors == 1 ? "" : "s") : 0;
}

static const struct flag LINT_FLAGS[] = {
    {"format", FLAG_TEXT, "<format>", "How to show the findings: text or json.", "text", 0},
    {"bundle", FLAG_BOOL, NULL, "Look at all certificates, not only at the first.", NULL, 0},
    {"insecure", FLAG_BOOL, NULL, "Do not verify the certificate of a server.", NULL,
     FLAG_NO_DEFAULTS},
    {0}};
static const struct flag *const LINT_SETS[] = {LINT_FLAGS, FLAGS_PEER, NULL};

const struct command CMD_CERTIFICATE_LINT = {
    .name = "lint",
    .summary = "check a certificate against the rules for certificates",
    .synopsis = "<crt-file>",
    .description = "Checks a certificate against the rules of RFC 5280, and of the CA/Browser "
                   "Forum where they make sense for a private authority. Each finding is an error, "
                   "a warning or a notice and names the rule. Nothing is verified: neither "
                   "signature nor time.",
    .arguments = "crt-file\tA file with certificates (PEM or DER), a URL, or \"-\" for standard "
                 "input.",
    .examples =
        "A certificate in a file:\n"
        "$ step certificate lint web.crt\n"
        "\n"
        "The rules that the certificate of a server breaks:\n"
        "$ step certificate lint https://example.com --format json | jq -r .findings[].rule",
    .exit_codes = "0 there is no error (there can be warnings), 1 there are errors, or the "
                  "certificate cannot be read.",
    .flag_sets = LINT_SETS,
    .least = 1,
    .most = 1,
    .run = run_lint,
};
