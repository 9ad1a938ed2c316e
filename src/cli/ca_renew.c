/*
 * `step ca renew`, and what it shares with `step ca rekey`: a certificate and its key are read,
 * the CA is asked, the files are written, somebody is told.
 *
 * A certificate that is valid proves itself in the TLS handshake.  One that has expired cannot;
 * then (or with --mtls=false) a token signed with its key goes along, and the CA decides.
 */
#include "cli/ca_renew.h"
#include "base/file.h"

static const char *const KEY_PASSWORDS[] = {"password-file", NULL};

/* --- What both commands share ---------------------------------------------------------------- */

bool renewer_expired(const struct renewer *r)
{
    struct clock *clock = r->inv->clock;

    return instant_cmp(clock->now(clock), r->held.chain.v[0]->not_after) > 0;
}

/* A pair that a crash took apart is put together again. */
static bool load_pair(struct renewer *r)
{
    struct invocation *inv = r->inv;
    struct cert_list chain = {0};
    struct jwk jwk;
    struct err why = {0};

    if (!cert_list_load(inv->arena, r->crt, &chain, &inv->err) ||
        !ca_cmd_key_load(inv, r->key, KEY_PASSWORDS, &jwk))
        return false;
    if (ca_held_make(inv->arena, &chain, jwk.secret, r->crt, r->key, &r->held, &inv->err))
        return true;
    if (!pair_mend(inv->arena, jwk.secret, r->crt, &chain, &why)) {
        if (why.kind != ERR_NONE)
            err_move(&inv->err, &why);
        return false;
    }
    err_clear(&inv->err);
    note(inv, "%s did not fit the key: the certificate of an interrupted rekey was put there.",
         r->crt);
    return ca_held_make(inv->arena, &chain, jwk.secret, r->crt, r->key, &r->held, &inv->err);
}

static bool read_timing(struct renewer *r, const char *period_flag)
{
    struct invocation *inv = r->inv;
    const struct cert *leaf = r->held.chain.v[0];
    int64_t validity = instant_sub(leaf->not_after, leaf->not_before);
    const char *why = arena_printf(
        inv->arena, "it must be shorter than the validity period of the certificate, %.*s",
        SLICE_ARG(duration_text(inv->arena, validity)));

    r->timing.has_expires_in = ca_cmd_text(inv, "expires-in") != NULL;
    r->timing.expires_in = flag_duration(inv, "expires-in");
    r->timing.period = flag_duration(inv, period_flag);
    if (r->timing.has_expires_in && (r->timing.expires_in < 0 || r->timing.expires_in > validity))
        return ca_cmd_bad_value(inv, "expires-in", flag_text(inv, "expires-in"), why);
    if (ca_cmd_text(inv, period_flag) && (r->timing.period <= 0 || r->timing.period >= validity))
        return ca_cmd_bad_value(inv, period_flag, flag_text(inv, period_flag), why);
    return true;
}

bool renewer_init(struct renewer *r, const char *period_flag)
{
    struct invocation *inv = r->inv;

    r->crt = arg_text(inv, 0);
    r->key = arg_text(inv, 1);
    r->daemon = flag_bool(inv, "daemon");
    r->offline = flag_bool(inv, "offline");
    if (strcmp(r->crt, r->key) == 0)
        return err_set(&inv->err, ERR_MALFORMED,
                       "positional arguments <crt-file> and <key-file> cannot be equal in '%s "
                       "<crt-file> <key-file>'",
                       inv->path);
    if (!renew_after_flags(inv, &r->after) ||
        (!r->offline && (!ca_cmd_url(inv, &r->url) || !ca_cmd_roots(inv, &r->roots))))
        return false;
    return load_pair(r) && read_timing(r, period_flag);
}

static bool ask_ourselves(struct renewer *r, const struct key *key, bool by_token,
                          struct cert_list *chain, struct err *e)
{
    struct ca_offline o;

    if (!ca_offline_open(r->inv, &o)) {
        if (e != &r->inv->err)
            err_move(e, &r->inv->err);
        return false;
    }
    bool ok = ca_offline_renew(&o, &r->held, key, by_token, chain, e);
    ca_offline_close(&o);
    return ok;
}

static bool renew_token(struct renewer *r, struct slice *bearer, struct err *e)
{
    struct invocation *inv = r->inv;

    return renew_token_make(inv->arena, token_audience(inv->arena, r->url, TOKEN_RENEW, SLICE_NONE),
                            &r->held.chain, r->held.key, inv->clock->now(inv->clock), inv->rng,
                            bearer, e);
}

bool renewer_ask(struct renewer *r, struct slice csr, const struct key *key, bool by_token,
                 struct cert_list *chain, struct err *e)
{
    struct arena *a = r->inv->arena;
    struct slice bearer = SLICE_NONE;

    if (r->offline)
        return ask_ourselves(r, key, by_token, chain, e);
    struct ca ca = ca_cmd_ca(r->inv, r->url, &r->roots);
    ca.identity = by_token ? NULL : &r->held.identity;
    if (csr.n)
        return ca_rekey(&ca, a, csr, chain, e);
    if (by_token && !renew_token(r, &bearer, e))
        return false;
    return ca_renew(&ca, a, bearer, chain, e);
}

bool renewer_write(struct renewer *r, const char *path, struct slice content, struct err *e)
{
    if (r->daemon)
        return file_write(path, content, 0600, FILE_KEEP_MODE, e);
    return write_result(r->inv, path, content, 0600, e);
}

static bool too_early(struct renewer *r)
{
    struct invocation *inv = r->inv;
    const struct cert *leaf = r->held.chain.v[0];
    struct instant now = inv->clock->now(inv->clock);

    if (!r->timing.has_expires_in || renew_due(leaf, r->timing.expires_in, now, inv->rng))
        return false;
    int64_t left = renew_rounded(instant_sub(leaf->not_after, now));
    note(inv, "certificate not %s: expires in %.*s", r->kind->done,
         SLICE_ARG(duration_text(inv->arena, left)));
    return true;
}

int renewer_run(struct renewer *r)
{
    struct invocation *inv = r->inv;
    struct private_key *key;

    if (r->daemon)
        return renew_daemon(r);
    if (too_early(r))
        return 0;
    if ((r->crt_out && !may_write(inv, r->crt_out, &inv->err)) ||
        (r->key_out && !may_write(inv, r->key_out, &inv->err)))
        return fail(inv);
    if (!r->kind->once(r, inv->secrets, &key, &inv->err) ||
        !renew_after_run(inv->arena, &r->after, &inv->err))
        return fail(inv);
    return 0;
}

/* --- renew ----------------------------------------------------------------------------------- */

static bool renew_once(struct renewer *r, struct arena *keep, struct private_key **key,
                       struct err *e)
{
    struct invocation *inv = r->inv;
    struct cert_list chain = {0};
    struct ca_held fresh;

    (void)keep;
    *key = r->held.key;
    bool by_token = !r->mtls || renewer_expired(r);
    if (!renewer_ask(r, SLICE_NONE, NULL, by_token, &chain, e) ||
        !ca_held_make(inv->arena, &chain, r->held.key, "the answer of the CA", r->key, &fresh, e) ||
        !renewer_write(r, r->crt_out, cert_list_pem(inv->arena, &chain), e))
        return false;
    if (!r->daemon)
        note(inv, "Your certificate has been saved in %s.", r->crt_out);
    return true;
}

static const struct renew_kind RENEW = {"renewed", "renewal", renew_once};

static int run_renew(struct invocation *inv)
{
    struct renewer r = {.inv = inv, .kind = &RENEW};
    const char *out = ca_cmd_text(inv, "out");

    if (!renewer_init(&r, "renew-period"))
        return fail(inv);
    r.crt_out = out ? out : r.crt;
    r.mtls = flag_bool(inv, "mtls");
    return renewer_run(&r);
}

static const struct flag RENEW_FLAGS[] = {
    {"mtls", FLAG_BOOL, NULL,
     "Show the certificate in the TLS handshake. With --mtls=false a token signed with its key "
     "goes along instead, as it does for an expired certificate: for a CA behind a proxy.",
     NULL, FLAG_TRUE},
    {"out,output-file", FLAG_FILE, "<file>",
     "Write the new certificate to <file> instead of replacing the old one.", NULL, 0},
    {"expires-in", FLAG_DURATION, "<duration>",
     "Renew only when the certificate expires within <duration> (and a random bit more).", NULL, 0},
    {"renew-period", FLAG_DURATION, "<duration>",
     "With --daemon: renew every <duration>, whatever is left of the certificate.", NULL, 0},
    {"daemon", FLAG_BOOL, NULL,
     "Keep running and renew the certificate again and again, each time when two thirds of its "
     "validity have passed. Files are replaced without asking.",
     NULL, 0},
    {0}};
static const struct flag *const RENEW_SETS[] = {
    RENEW_FLAGS, FLAGS_AFTER, FLAGS_PASSWORD, FLAGS_OFFLINE, FLAGS_FORCE, FLAGS_CA, NULL};
static const struct flag_rule RENEW_RULES[] = {{RULE_NEEDS, "renew-period", "daemon"},
                                               {RULE_EXCLUSIVE, "renew-period", "expires-in"},
                                               {RULE_EXCLUSIVE, "pid", "pid-file"},
                                               {RULE_EXCLUDES, "daemon", "offline"},
                                               {0}};

const struct command CMD_CA_RENEW = {
    .name = "renew",
    .summary = "renew a certificate",
    .synopsis = "<crt-file> <key-file>",
    .description =
        "Gets a new certificate for the same key, with the same names and the same length of "
        "validity. The certificate itself is the right to it, so no password is needed and a timer "
        "can do it; one that has expired is renewed when its provisioner allows that.\n\n"
        "With '--daemon' the command stays and does it in time, by default when two thirds of the "
        "validity have passed. When the CA cannot be reached it tries again after a minute, then "
        "less often. SIGHUP renews at once, SIGTERM ends the daemon.",
    .arguments = "crt-file\tThe certificate and its chain (PEM).\n"
                 "key-file\tIts private key (PEM).",
    .examples = "Renew, without being asked whether the file may be replaced:\n"
                "$ step ca renew --force web.crt web.key\n\n"
                "From a timer: only when less than eight hours are left, then tell the server:\n"
                "$ step ca renew --force --expires-in 8h --exec \"systemctl reload nginx\" web.crt "
                "web.key\n\n"
                "Stay and keep it fresh:\n"
                "$ step ca renew --daemon --pid-file /run/nginx.pid web.crt web.key",
    .exit_codes = "0 renewed, or not due yet (then the file is unchanged); 1 failed.",
    .flag_sets = RENEW_SETS,
    .rules = RENEW_RULES,
    .least = 2,
    .most = 2,
    .run = run_renew,
};
