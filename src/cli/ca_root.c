/*
 * `step ca root`, `roots` and `federation`: certificates to believe.  The first is proven by its
 * fingerprint, the others by a connection that is verified already.
 */
#include "cli/ca_common.h"

static bool hand_over(struct invocation *inv, struct slice pem, const char *what)
{
    const char *path = arg_text(inv, 0);

    if (!path) {
        out_put(inv, pem);
        return true;
    }
    if (!write_result(inv, path, pem, 0600, &inv->err))
        return false;
    note(inv, "The %s has been saved in %s.", what, path);
    return true;
}

static bool target_is_free(struct invocation *inv)
{
    return !arg_text(inv, 0) || may_write(inv, arg_text(inv, 0), &inv->err);
}

static int run_root(struct invocation *inv)
{
    const char *fingerprint = ca_cmd_text(inv, "fingerprint");
    struct slice url;
    struct cert *root;

    if (!ca_cmd_url(inv, &url))
        return fail(inv);
    if (!fingerprint) {
        ca_cmd_required(inv, "fingerprint");
        return fail(inv);
    }
    if (!target_is_free(inv) ||
        !ca_root_by_fingerprint(ca_cmd_http(inv), inv->arena, url, slice_text(fingerprint), &root,
                                &inv->err) ||
        !hand_over(inv, cert_pem(inv->arena, root->der), "root certificate"))
        return fail(inv);
    return 0;
}

static int run_list(struct invocation *inv, bool federation)
{
    struct cert_list list = {0};
    struct ca ca;

    if (!ca_cmd_connect(inv, &ca, NULL) || !target_is_free(inv) ||
        !ca_roots(&ca, inv->arena, federation, &list, &inv->err) ||
        !hand_over(inv, cert_list_pem(inv->arena, &list),
                   federation ? "federation certificate bundle" : "root certificate bundle"))
        return fail(inv);
    return 0;
}

static int run_roots(struct invocation *inv)
{
    return run_list(inv, false);
}

static int run_federation(struct invocation *inv)
{
    return run_list(inv, true);
}

static const struct flag ROOT_FLAGS[] = {{"fingerprint", FLAG_TEXT, "<fingerprint>",
                                          "The SHA-256 <fingerprint> of the root certificate.",
                                          NULL, 0},
                                         {0}};
static const struct flag *const ROOT_SETS[] = {ROOT_FLAGS, FLAGS_FORCE, FLAGS_CA, NULL};
static const struct flag *const LIST_SETS[] = {FLAGS_FORCE, FLAGS_CA, NULL};

const struct command CMD_CA_ROOT = {
    .name = "root",
    .summary = "download the root certificate and check its fingerprint",
    .synopsis = "[root-file]",
    .description = "Downloads the root certificate over a connection that proves nothing, and "
                   "keeps it only when its SHA-256 is the fingerprint that was given. Get the "
                   "fingerprint from the operator of the CA.",
    .arguments = "root-file\tWhere to write the certificate (PEM). Default: standard output.",
    .examples = "Get the root of a CA:\n"
                "$ step ca root root_ca.crt --ca-url https://ca.example.internal:9000 "
                "--fingerprint c8d3f2…",
    .flag_sets = ROOT_SETS,
    .most = 1,
    .run = run_root,
};

const struct command CMD_CA_ROOTS = {
    .name = "roots",
    .summary = "download all root certificates of the CA",
    .synopsis = "[roots-file]",
    .description = "Downloads the roots of the CA, over a connection that is verified with the "
                   "root that is known. After a root was replaced the bundle has both.",
    .arguments = "roots-file\tWhere to write the certificates (PEM). Default: standard output.",
    .examples = "Refresh the bundle of a service:\n"
                "$ step ca roots --force /etc/ssl/internal-roots.pem",
    .flag_sets = LIST_SETS,
    .most = 1,
    .run = run_roots,
};

const struct command CMD_CA_FEDERATION = {
    .name = "federation",
    .summary = "download the roots of the CA and of those federated with it",
    .synopsis = "[federation-file]",
    .description = "Downloads the roots of the CA and of the authorities that its operator lists "
                   "as federated.",
    .arguments = "federation-file\tWhere to write the certificates (PEM). Default: standard "
                 "output.",
    .examples = "Show the bundle:\n"
                "$ step ca federation",
    .flag_sets = LIST_SETS,
    .most = 1,
    .run = run_federation,
};
