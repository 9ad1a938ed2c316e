/*
 * step certificate install and uninstall: a root certificate in the trust stores of this machine.
 */
#include "cli/certificate.h"
#include "cli/certificate_common.h"
#include "cli/truststore.h"
#include "x509/show.h"

#define SHOWN_MAX (1u << 20)

static unsigned chosen_stores(const struct invocation *inv)
{
    bool all = flag_bool(inv, "all");

    return (flag_bool(inv, "no-system") ? 0u : STORE_SYSTEM) |
           (all || flag_bool(inv, "java") ? STORE_JAVA : 0u) |
           (all || flag_bool(inv, "firefox") ? STORE_NSS : 0u);
}

static int change(struct invocation *inv, bool remove)
{
    const char *path = arg_text(inv, 0), *prefix = flag_text(inv, "prefix");
    struct buf shown = buf_new(inv->arena, SHOWN_MAX);
    unsigned stores = chosen_stores(inv);
    struct cert_list list;

    if (!stores)
        return fail_with(inv, "flag '--no-system' requires the '--java' or the '--firefox' flag");
    if (!cert_list_load(inv->arena, path, &list, &inv->err))
        return fail(inv);
    if (list.n != 1)
        return fail_with(inv, "%s: expected one certificate, found %zu", path, list.n);
    const struct truststore_change wish = {
        .root = list.v[0],
        .name = truststore_name(inv->arena, list.v[0], prefix && *prefix ? prefix : NULL),
        .remove = remove,
    };
    if (!truststore_apply(inv, &wish, stores))
        return fail(inv);
    out_line(inv, "Certificate %s has been %s.", path, remove ? "removed" : "installed");
    cert_show_short(&shown, wish.root);
    out_put(inv, buf_slice(&shown));
    return 0;
}

static int run_install(struct invocation *inv)
{
    return change(inv, false);
}

static int run_uninstall(struct invocation *inv)
{
    return change(inv, true);
}

static const struct flag STORE_FLAGS[] = {
    {"prefix", FLAG_TEXT, "<name>",
     "The <name> before the serial number by which the stores know the certificate. Default: its "
     "common name.",
     NULL, 0},
    {"java", FLAG_BOOL, NULL, "Also change the trust store of the Java in $JAVA_HOME.", NULL, 0},
    {"firefox", FLAG_BOOL, NULL,
     "Also change the trust stores of Firefox and Chrome in the profiles of this user.", NULL, 0},
    {"no-system", FLAG_BOOL, NULL, "Do not change the trust store of the system.", NULL, 0},
    {"all", FLAG_BOOL, NULL, "Change all of them: the system's, Java's and those of browsers.",
     NULL, 0},
    {0}};
static const struct flag *const STORE_SETS[] = {STORE_FLAGS, NULL};

const struct command CMD_CERTIFICATE_INSTALL = {
    .name = "install",
    .summary = "make this machine trust a root certificate",
    .synopsis = "<crt-file>",
    .description =
        "Installs a root certificate in the trust store of the system, and on demand in those of "
        "Java and of browsers. It must be a CA certificate that signed itself.\n\n"
        "Where root's rights are needed and this user does not have them, sudo is asked. A store "
        "whose tools are not installed (certutil for browsers, keytool for Java) is passed over.",
    .arguments = "crt-file\tA file with the root certificate (PEM or DER).",
    .examples = "Trust the root of an authority:\n"
                "$ step certificate install $(step path)/certs/root_ca.crt\n"
                "\n"
                "Only in browsers:\n"
                "$ step certificate install --firefox --no-system root_ca.crt",
    .flag_sets = STORE_SETS,
    .least = 1,
    .most = 1,
    .run = run_install,
};

const struct command CMD_CERTIFICATE_UNINSTALL = {
    .name = "uninstall",
    .summary = "make this machine no longer trust a root certificate",
    .synopsis = "<crt-file>",
    .description = "Removes a root certificate from the trust stores that 'step certificate "
                   "install' put it into. --prefix must be the same.",
    .arguments = "crt-file\tA file with the root certificate (PEM or DER).",
    .examples = "From the system:\n"
                "$ step certificate uninstall root_ca.crt\n"
                "\n"
                "From everywhere:\n"
                "$ step certificate uninstall --all root_ca.crt",
    .flag_sets = STORE_SETS,
    .least = 1,
    .most = 1,
    .run = run_uninstall,
};
