/*
 * `step ca rekey`: a new certificate with the same names for a new key.
 */
#include "cli/ca_renew.h"
#include "cli/key_choice.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"

static const char *const NEW_KEY_PASSWORDS[] = {"password-file", NULL};

static bool choose_key(struct renewer *r, struct arena *keep, struct private_key **key,
                       struct err *e)
{
    struct jwk jwk;

    if (!r->new_key)
        return private_key_generate(keep, r->key_type, r->key_bits, key, e);
    if (!ca_cmd_key_load(r->inv, r->new_key, NEW_KEY_PASSWORDS, &jwk)) {
        if (e != &r->inv->err)
            err_move(e, &r->inv->err);
        return false;
    }
    *key = jwk.secret;
    return true;
}

/* The CA takes the key from the request and everything else from the certificate. */
static bool ask(struct renewer *r, const struct private_key *key, struct cert_list *chain,
                struct err *e)
{
    struct invocation *inv = r->inv;
    struct slice csr;

    if (renewer_expired(r))
        return err_set(e, ERR_UNAUTHORIZED, "cannot rekey an expired certificate");
    return ca_cmd_csr(inv->arena, key, SLICE_NONE, NULL, &csr, e) &&
           renewer_ask(r, csr, key->public_key, false, chain, e);
}

static bool write_files(struct renewer *r, const struct private_key *key,
                        const struct cert_list *chain, struct err *e)
{
    struct invocation *inv = r->inv;
    struct arena *secrets = arena_new(&HEAP_SECRET);
    struct slice key_pem, crt_pem = cert_list_pem(inv->arena, chain);

    bool ok = r->key_out ? private_key_pem(secrets, key, KEY_TRADITIONAL, &key_pem, e) &&
                               pair_write(inv->arena, r->key_out, key_pem, r->crt_out, crt_pem, e)
                         : renewer_write(r, r->crt_out, crt_pem, e);
    arena_free(secrets);
    return ok;
}

static bool rekey_once(struct renewer *r, struct arena *keep, struct private_key **key,
                       struct err *e)
{
    struct invocation *inv = r->inv;
    struct cert_list chain = {0};
    struct ca_held fresh;

    if (!choose_key(r, keep, key, e) || !ask(r, *key, &chain, e) ||
        !ca_held_make(inv->arena, &chain, *key, "the answer of the CA", "the request", &fresh, e) ||
        !write_files(r, *key, &chain, e))
        return false;
    if (r->daemon)
        return true;
    note_selected(inv, "Certificate", r->crt_out);
    if (r->key_out)
        note_selected(inv, "Private Key", r->key_out);
    return true;
}

static const struct renew_kind REKEY = {"rekeyed", "rekey", rekey_once};

static int run_rekey(struct invocation *inv)
{
    struct renewer r = {.inv = inv, .kind = &REKEY, .mtls = true};
    const char *out_cert = ca_cmd_text(inv, "out-cert"), *out_key = ca_cmd_text(inv, "out-key");

    if (!key_choice(inv, false, &r.key_type, &r.key_bits, &inv->err) ||
        !renewer_init(&r, "rekey-period"))
        return fail(inv);
    r.new_key = ca_cmd_text(inv, "private-key");
    r.crt_out = out_cert ? out_cert : r.crt;
    r.key_out = out_key ? out_key : r.new_key ? NULL : r.key;
    if (renewer_expired(&r))
        return fail_with(inv, "cannot rekey an expired certificate");
    return renewer_run(&r);
}

static const struct flag REKEY_FLAGS[] = {
    {"out-cert", FLAG_FILE, "<file>",
     "Write the new certificate to <file> instead of replacing the old one.", NULL, 0},
    {"out-key", FLAG_FILE, "<file>",
     "Write the new key to <file> instead of replacing the old one.", NULL, 0},
    {"private-key", FLAG_FILE, "<file>", "Use the private key in <file> instead of making one.",
     NULL, 0},
    {"expires-in", FLAG_DURATION, "<duration>",
     "Rekey only when the certificate expires within <duration> (and a random bit more).", NULL, 0},
    {"rekey-period", FLAG_DURATION, "<duration>",
     "With --daemon: rekey every <duration>, whatever is left of the certificate.", NULL, 0},
    {"daemon", FLAG_BOOL, NULL,
     "Keep running and rekey the certificate again and again, each time with a new key. Files are "
     "replaced without asking.",
     NULL, 0},
    {0}};
static const struct flag *const REKEY_SETS[] = {REKEY_FLAGS,    FLAGS_KEY,     FLAGS_AFTER,
                                                FLAGS_PASSWORD, FLAGS_OFFLINE, FLAGS_FORCE,
                                                FLAGS_CA,       NULL};
static const struct flag_rule REKEY_RULES[] = {{RULE_NEEDS, "rekey-period", "daemon"},
                                               {RULE_EXCLUSIVE, "rekey-period", "expires-in"},
                                               {RULE_EXCLUSIVE, "pid", "pid-file"},
                                               {RULE_EXCLUDES, "daemon", "offline"},
                                               {RULE_EXCLUDES, "private-key", "daemon"},
                                               {RULE_EXCLUDES, "private-key", "kty"},
                                               {0}};

const struct command CMD_CA_REKEY = {
    .name = "rekey",
    .summary = "renew a certificate with a new key",
    .synopsis = "<crt-file> <key-file>",
    .description =
        "Gets a new certificate with the same names and the same length of validity for a new "
        "key. The old certificate is the right to it; it must not have expired.\n\n"
        "Key and certificate are complete on disk before they take their places, so that a crash "
        "leaves files that belong together: the key changes first, and when the certificate could "
        "not follow, the next run puts it in place.",
    .arguments = "crt-file\tThe certificate and its chain (PEM).\n"
                 "key-file\tIts private key (PEM).",
    .examples = "A new key and a new certificate:\n"
                "$ step ca rekey --force web.crt web.key\n\n"
                "Keep the old files:\n"
                "$ step ca rekey --out-cert new.crt --out-key new.key web.crt web.key\n\n"
                "A new key every day, and a server that is told:\n"
                "$ step ca rekey --daemon --rekey-period 24h --exec \"systemctl reload nginx\" "
                "web.crt web.key",
    .exit_codes = "0 rekeyed, or not due yet (then the files are unchanged); 1 failed.",
    .flag_sets = REKEY_SETS,
    .rules = REKEY_RULES,
    .least = 2,
    .most = 2,
    .run = run_rekey,
};
