/*
 * Signing certificates without a server: the rules of RFC 5280 for who may sign what, and the
 * validity that the flags ask for.
 */
#include "cli/certificate_issue.h"

bool issuing_ca_ok(const struct cert *ca, struct err *e)
{
    if (!ca->has_basic || !ca->basic.ca)
        return err_set(e, ERR_MALFORMED,
                       "it is not a CA: basic constraints do not say so (RFC 5280 4.2.1.9)");
    if (ca->has_key_usage && !(ca->key_usage & KU_CERT_SIGN))
        return err_set(e, ERR_MALFORMED,
                       "its key usage does not allow to sign certificates (RFC 5280 4.2.1.3)");
    return ca->key || err_set(e, ERR_MALFORMED, "its key is of a type that is not supported");
}

bool issuing_path_ok(const struct cert *ca, int path_len, struct err *e)
{
    if (ca->basic.path_len == 0)
        return err_set(e, ERR_MALFORMED,
                       "its path length of 0 allows no further CA below it (RFC 5280 4.2.1.9)");
    if (ca->basic.path_len < 0 || (path_len >= 0 && path_len < ca->basic.path_len))
        return true;
    if (path_len < 0)
        return err_set(e, ERR_MALFORMED,
                       "its path length of %d allows no CA without a path length below it (RFC "
                       "5280 4.2.1.9)",
                       ca->basic.path_len);
    return err_set(e, ERR_MALFORMED,
                   "its path length of %d allows a path length of at most %d below it, not %d (RFC "
                   "5280 4.2.1.9)",
                   ca->basic.path_len, ca->basic.path_len - 1, path_len);
}

bool issuing_times(struct invocation *inv, int64_t life_ns, struct instant *not_before,
                   struct instant *not_after)
{
    struct instant now = instant_truncate(inv->clock->now(inv->clock));
    struct time_or_duration from = flag_time(inv, "not-before"), to = flag_time(inv, "not-after");

    *not_before = instant_truncate(time_or_duration_from(&from, now));
    *not_after = to.set ? instant_truncate(time_or_duration_from(&to, now))
                        : instant_add(*not_before, life_ns);
    if (instant_cmp(*not_before, *not_after) <= 0)
        return true;
    if (from.set && to.set)
        return err_set(&inv->err, ERR_MALFORMED,
                       "flag '--not-before %s' is incompatible with flag '--not-after %s'",
                       flag_text(inv, "not-before"), flag_text(inv, "not-after"));
    return err_set(
        &inv->err, ERR_MALFORMED,
        "the certificate is already expired when it becomes valid: it begins at %.*s and "
        "ends at %.*s",
        SLICE_ARG(rfc3339(inv->arena, *not_before)), SLICE_ARG(rfc3339(inv->arena, *not_after)));
}

void issuing_fit(struct invocation *inv, const struct cert *ca, struct instant not_before,
                 struct instant *not_after)
{
    if (instant_cmp(*not_after, ca->not_after) <= 0)
        return;
    if (!flag_time(inv, "not-after").set && instant_cmp(not_before, ca->not_after) < 0) {
        *not_after = instant_truncate(ca->not_after);
        note(inv, "The certificate ends at %.*s, with the one of its issuer.",
             SLICE_ARG(rfc3339(inv->arena, *not_after)));
        return;
    }
    note(inv, "The certificate ends after the one of its issuer, which ends at %.*s.",
         SLICE_ARG(rfc3339(inv->arena, ca->not_after)));
}
