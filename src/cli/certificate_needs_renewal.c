/*
 * step certificate needs-renewal: an answer in the exit code.  Only 0 and 1 are answers; everything
 * that goes wrong has a code of its own, so that a script never takes a mistake for "no".
 */
#include "base/file.h"
#include "cli/certificate.h"
#include "cli/certificate_common.h"

static bool any_reached(const struct cert_list *list, bool bundle, const struct expires_in *x,
                        struct instant now)
{
    for (size_t i = 0; i < list->n && (i == 0 || bundle); i++) {
        if (expires_in_reached(x, list->v[i]->not_before, list->v[i]->not_after, now))
            return true;
    }
    return false;
}

static int run_needs_renewal(struct invocation *inv)
{
    const char *place = arg_text(inv, 0);
    struct expires_in x;
    struct cert_list list;

    if (!expires_in_flag(inv, &x))
        return RENEWAL_TROUBLE;
    if (!cert_source(inv, place, false, &list, NULL)) {
        fail(inv);
        return inv->err.kind == ERR_NOT_FOUND && !cert_url_looks_like(slice_text(place))
                   ? RENEWAL_NO_FILE
                   : RENEWAL_TROUBLE;
    }
    bool needed = any_reached(&list, flag_bool(inv, "bundle"), &x, inv->clock->now(inv->clock));
    return renewal_answer(inv, needed);
}

static const struct flag RENEWAL_FLAGS[] = {
    {"expires-in", FLAG_TEXT, "<percent|duration>",
     "When renewal is due: as soon as <percent> of the lifetime is used (\"75%\"), or the rest is "
     "not longer than <duration> (\"24h\"; \"0s\": expired).",
     EXPIRES_IN_USUAL, 0},
    {"bundle", FLAG_BOOL, NULL, "Look at all certificates, not only at the first.", NULL, 0},
    {"verbose,v", FLAG_BOOL, NULL, "Say the answer in words, too.", NULL, 0},
    {0}};
static const struct flag *const RENEWAL_SETS[] = {RENEWAL_FLAGS, FLAGS_PEER, NULL};

const struct command CMD_CERTIFICATE_NEEDS_RENEWAL = {
    .name = "needs-renewal",
    .summary = "check whether a certificate is due for renewal",
    .synopsis = "<crt-file>",
    .description = "Tells by its exit code whether a certificate should be renewed: when two "
                   "thirds of its lifetime are over, or when --expires-in says.",
    .arguments = "crt-file\tA file with certificates (PEM or DER) or a URL.",
    .examples =
        "Renew when it is time to:\n"
        "$ step certificate needs-renewal web.crt && step ca renew --force web.crt web.key\n"
        "\n"
        "Is there less than a day left?\n"
        "$ step certificate needs-renewal web.crt --expires-in 24h\n"
        "\n"
        "Has the certificate of a server expired?\n"
        "$ step certificate needs-renewal https://example.com --expires-in 0s",
    .exit_codes = "0 the certificate needs renewal, 1 it does not, 2 the file does not exist, 255 "
                  "any other error.",
    .flag_sets = RENEWAL_SETS,
    .least = 1,
    .most = 1,
    .run = run_needs_renewal,
    .error_status = RENEWAL_TROUBLE,
};
