/*
 * ACME for the commands that get certificates (docs/reference/acme.md): where the directory is,
 * whom to believe, how names are proven, and a line for each name.
 *
 * Of a CA that was chosen by --ca-url the trust is the CA's root alone; a directory that --acme
 * names may belong to anybody, so there the system's store counts too.
 */
#include "cli/ca_acme.h"

#include "base/file.h"
#include "client/acme.h"

#define ROOT_FILE "certs/root_ca.crt"

const struct flag FLAGS_ACME[] = {
    {"acme", FLAG_TEXT, "<url>",
     "Get the certificate by ACME from the directory at <url>, whoever it belongs to. A "
     "provisioner of type ACME of one's own CA is chosen with '--provisioner' instead.",
     NULL, FLAG_NO_DEFAULTS},
    {"standalone", FLAG_BOOL, NULL,
     "Prove names by ACME's http-01 with a web server of our own, for as long as it takes. This is "
     "the default.",
     NULL, 0},
    {"webroot", FLAG_FILE, "<directory>",
     "Prove names by ACME's http-01 with the web server that serves this <directory>: the proof "
     "is a file below .well-known/acme-challenge in it, removed afterwards.",
     NULL, 0},
    {"http-listen", FLAG_TEXT, "<address>",
     "The <address>, host:port, of the web server of '--standalone'. The CA comes to port 80: use "
     "another one where a proxy or a redirection leads there.",
     ":80", 0},
    {"tls-alpn-listen", FLAG_TEXT, "<address>",
     "Prove names by ACME's tls-alpn-01 with a TLS server of our own at this <address>, "
     "host:port. The CA comes to port 443.",
     NULL, 0},
    {"contact", FLAG_TEXTS, "<email>",
     "An <email> address for the account of the ACME order. Can be given several times.", NULL, 0},
    {0}};

/* --- Pure parts ------------------------------------------------------------------------------ */

struct sans ca_acme_names(struct arena *a, const struct slice *names, size_t n,
                          struct slice common_name)
{
    struct slice *all = arena_array(a, n + 1, sizeof(*all));
    struct sans out = {0};
    size_t count = names_join(all, 0, names, n);

    for (size_t i = 0; i < count; i++)
        if (slice_eq_case(all[i], common_name))
            common_name = SLICE_NONE;
    count = names_join(all, count, &common_name, 1);
    sans_split(a, all, count, &out);
    return out;
}

struct slice ca_acme_contact(struct arena *a, struct slice text)
{
    if (slice_find(text, ':') < text.n)
        return text;
    return arena_format(a, "mailto:%.*s", SLICE_ARG(text));
}

/* --- What the flags say ---------------------------------------------------------------------- */

static struct acme_responder *responder(struct invocation *inv)
{
    const char *webroot = ca_cmd_text(inv, "webroot"), *tls = ca_cmd_text(inv, "tls-alpn-listen");

    if (webroot)
        return acme_respond_webroot(inv->arena, webroot);
    if (tls)
        return acme_respond_tls_alpn(inv->arena, tls, inv->clock, inv->rng);
    return acme_respond_standalone(inv->arena, ca_cmd_text(inv, "http-listen"));
}

static bool everybodys_trust(struct invocation *inv, struct trust *trust)
{
    const char *usual = path_join(inv->arena, inv->steppath.path, ROOT_FILE);
    struct cert_list roots = {0};

    if (ca_cmd_text(inv, "root") || file_exists(usual)) {
        if (!ca_cmd_roots(inv, &roots))
            return false;
    }
    *trust = ca_cmd_trust(inv->arena, &roots);
    trust->kind = TRUST_SYSTEM_AND_ANCHORS;
    return true;
}

static bool times(struct invocation *inv, struct acme_wish *wish)
{
    struct instant now = inv->clock->now(inv->clock);
    struct time_or_duration begin = flag_time(inv, "not-before"), end = flag_time(inv, "not-after");

    wish->not_before = begin.set ? time_or_duration_from(&begin, now) : INSTANT_ZERO_GO;
    wish->not_after = end.set ? time_or_duration_from(&end, now) : INSTANT_ZERO_GO;
    bool le = slice_search(wish->directory, SLICE("letsencrypt")) < wish->directory.n;
    if (le && (begin.set || end.set))
        return err_set(&inv->err, ERR_MALFORMED,
                       "flag '--%s' cannot be used with Let's Encrypt, which decides about the "
                       "validity itself",
                       begin.set ? "not-before" : "not-after");
    return true;
}

static void contacts(struct invocation *inv, struct acme_wish *wish)
{
    const struct slice *given = flag_texts(inv, "contact", &wish->n_contacts);
    struct slice *urls = arena_array(inv->arena, wish->n_contacts + 1, sizeof(*urls));

    for (size_t i = 0; i < wish->n_contacts; i++)
        urls[i] = ca_acme_contact(inv->arena, given[i]);
    wish->contacts = urls;
}

/* --- The order ------------------------------------------------------------------------------- */

struct teller {
    struct invocation *inv;
    const struct acme_responder *responder;
};

static void tell(void *arg, const struct acme_proof *proof, bool ended, bool ok)
{
    const struct teller *t = arg;

    if (ended)
        note(t->inv, "Using %s mode and %s to validate %.*s .. %s", t->responder->mode,
             t->responder->challenge, SLICE_ARG(proof->name), ok ? "done" : "error");
}

static bool order(struct invocation *inv, const struct ca *ca, struct slice provisioner,
                  struct acme_responder *proves, struct acme_wish *wish, struct cert_list *chain)
{
    struct teller teller = {inv, proves};
    struct acme_client client = {
        .http = ca_cmd_http(inv),
        .clock = inv->clock,
        .rng = inv->rng,
        .timeout_ns = flag_duration(inv, "timeout"),
        .tell = tell,
        .tell_arg = &teller,
    };

    if (provisioner.n) {
        wish->directory = acme_directory_url(inv->arena, ca->url, provisioner);
        client.trust = ca->trust;
    } else {
        wish->directory = slice_text(ca_cmd_text(inv, "acme"));
        if (!slice_starts(wish->directory, "https://"))
            return ca_cmd_bad_value(inv, "acme", ca_cmd_text(inv, "acme"), "expected an https URL");
        if (!everybodys_trust(inv, &client.trust))
            return false;
    }
    if (!times(inv, wish))
        return false;
    contacts(inv, wish);
    note_selected(inv, "CA", arena_cstr(inv->arena, wish->directory));
    return acme_client_order(&client, inv->arena, wish, proves, chain, &inv->err);
}

bool ca_acme_order(struct invocation *inv, const struct ca *ca, struct slice provisioner,
                   const struct sans *names, struct slice csr_der, struct cert_list *chain)
{
    struct acme_wish wish = {.names = names, .csr = csr_der};

    return order(inv, ca, provisioner, responder(inv), &wish, chain);
}

/* --- Devices --------------------------------------------------------------------------------- */

struct attestation {
    struct acme_responder responder; /* first */
    struct kms_plugin *key;
};

static bool attest_begin(struct acme_responder *r UNUSED, const struct acme_proof *p UNUSED,
                         struct err *e UNUSED)
{
    return true;
}

static void attest_end(struct acme_responder *r UNUSED) {}

static bool attest_answer(struct acme_responder *r, struct arena *a, const struct acme_proof *proof,
                          struct slice *json, struct err *e)
{
    const struct attestation *t = (const struct attestation *)r;
    struct buf b = buf_new(a, 1u << 20);
    struct json_writer w = json_writer(&b);
    struct slice object;

    if (!kms_plugin_attest(t->key, proof->key_authorization, &object, e))
        return false;
    json_open(&w, NULL);
    json_member_text(&w, "attObj", object);
    json_close(&w);
    *json = buf_slice(&b);
    return buf_done(&b, "attestation", e);
}

bool ca_acme_order_for_device(struct invocation *inv, const struct ca *ca, struct slice provisioner,
                              const struct ca_acme_device *device, struct slice csr_der,
                              struct cert_list *chain)
{
    struct attestation *t = arena_alloc(inv->arena, sizeof(*t));
    struct acme_wish wish = {.device = device->identifier, .csr = csr_der};

    *t = (struct attestation){
        {"device-attest-01", "attestation", attest_begin, attest_end, attest_answer}, device->key};
    return order(inv, ca, provisioner, &t->responder, &wish, chain);
}
