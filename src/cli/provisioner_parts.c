/*
 * What a provisioner of each type is made of, and the flags that say it.  A type is one row of
 * TYPES: its flags and the function that turns them into members; it serves `add` and `update`
 * alike, which differ only in what must be given.
 */
#include "base/encode.h"
#include "base/file.h"
#include "cli/pki.h"
#include "cli/provisioner_edit.h"
#include "jose/jwe.h"

#define KEY_FILE_MAX (1u << 20)

const struct flag FLAGS_PROVISIONER_TYPES[] = {
    {"create", FLAG_BOOL, NULL, "Make a new key for a JWK provisioner.", NULL, 0},
    {"public-key", FLAG_FILE, "<file>",
     "The <file> with the public key of a JWK provisioner, as JWK or PEM.", NULL, 0},
    {"private-key", FLAG_FILE, "<file>",
     "The <file> with the private key of a JWK provisioner; it is kept encrypted, for clients to "
     "fetch.",
     NULL, 0},
    {"x5c-roots,x5c-root", FLAG_FILE, "<file>",
     "The PEM <file> with the root certificates of an X5C provisioner.", NULL, 0},
    {"force-cn", FLAG_BOOL, NULL, "An ACME provisioner fills in an absent common name.", NULL, 0},
    {"require-eab", FLAG_BOOL, NULL, "An ACME provisioner demands external account binding.", NULL,
     0},
    {"challenge", FLAG_TEXTS, "<challenge>",
     "A <challenge> that an ACME provisioner offers: http-01, dns-01, tls-alpn-01 or "
     "device-attest-01. Can be given several times.",
     NULL, 0},
    {"attestation-format", FLAG_TEXTS, "<format>",
     "An attestation <format> that an ACME provisioner accepts: apple, step or tpm. Can be given "
     "several times.",
     NULL, 0},
    {"attestation-roots", FLAG_TEXTS, "<file>",
     "A PEM <file> with root certificates for attestations. Can be given several times.", NULL, 0},
    {0}};

const struct flag FLAGS_PROVISIONER_TEMPLATE[] = {
    {"x509-template", FLAG_FILE, "<file>",
     "The <file> with the certificate template of the provisioner; its text is kept in the "
     "configuration. Empty: no template.",
     NULL, 0},
    {"x509-template-data", FLAG_FILE, "<file>",
     "The JSON <file> with an object of values for the template. Empty: none.", NULL, 0},
    {"ssh-template", FLAG_FILE, "<file>",
     "The <file> with the template for SSH certificates; its text is kept in the configuration. "
     "Empty: no template.",
     NULL, 0},
    {"ssh-template-data", FLAG_FILE, "<file>",
     "The JSON <file> with an object of values for that template. Empty: none.", NULL, 0},
    {0}};

const struct flag FLAGS_PROVISIONER_CLAIMS[] = {
    {"x509-min-dur", FLAG_DURATION, "<duration>", "Shortest validity of certificates.", NULL, 0},
    {"x509-max-dur", FLAG_DURATION, "<duration>", "Longest validity of certificates.", NULL, 0},
    {"x509-default-dur", FLAG_DURATION, "<duration>", "Usual validity of certificates.", NULL, 0},
    {"ssh-user-min-dur", FLAG_DURATION, "<duration>", "Shortest validity of SSH user certificates.",
     NULL, 0},
    {"ssh-user-max-dur", FLAG_DURATION, "<duration>", "Longest validity of SSH user certificates.",
     NULL, 0},
    {"ssh-user-default-dur", FLAG_DURATION, "<duration>",
     "Usual validity of SSH user certificates.", NULL, 0},
    {"ssh-host-min-dur", FLAG_DURATION, "<duration>", "Shortest validity of SSH host certificates.",
     NULL, 0},
    {"ssh-host-max-dur", FLAG_DURATION, "<duration>", "Longest validity of SSH host certificates.",
     NULL, 0},
    {"ssh-host-default-dur", FLAG_DURATION, "<duration>",
     "Usual validity of SSH host certificates.", NULL, 0},
    {"disable-renewal", FLAG_BOOL, NULL, "Refuse to renew certificates.", NULL, 0},
    {"allow-renewal-after-expiry", FLAG_BOOL, NULL, "Renew certificates that have expired.", NULL,
     0},
    {"disable-smallstep-extensions", FLAG_BOOL, NULL,
     "Leave the extension that names the provisioner out of certificates.", NULL, 0},
    {"ssh", FLAG_BOOL, NULL, "Issue SSH certificates; '--ssh=false' turns it off.", NULL,
     FLAG_TRUE},
    {0}};

const struct flag_rule PROVISIONER_RULES[] = {
    {RULE_EXCLUDES, "create", "public-key"}, {RULE_EXCLUDES, "create", "private-key"}, {0}};

/* --- JWK -----------------------------------------------------------------------------------------
 */

static const char *const PASSWORDS[] = {"password-file", NULL};

static bool password_for_key(struct invocation *inv, struct slice *password)
{
    return ca_cmd_password(inv, PASSWORDS, password) &&
           (password->n > 0 ||
            terminal_password_or_generate(
                inv->terminal, inv->secrets,
                "Choose a password for the provisioner's private key (empty: generate one)",
                "--password-file", password, &inv->err));
}

static bool read_key_file(struct invocation *inv, const char *path, struct slice *text,
                          struct jwk *jwk)
{
    struct slice password;

    if (!file_read(inv->secrets, path, false, KEY_FILE_MAX, text, &inv->err) || !jwk)
        return inv->err.kind == ERR_NONE;
    if (!ca_cmd_password(inv, PASSWORDS, &password))
        return false;
    struct password_source *source = terminal_password_source(
        inv->arena, inv->terminal, password, "--password-file", pem_looks_like(*text) ? 1 : 3);
    return jose_key_read(inv->secrets, *text, path, source, jwk, &inv->err);
}

/* A kid names the key in every token: it is never left out. */
static bool read_public(struct invocation *inv, const char *path, struct jwk *jwk)
{
    struct slice text;

    if (!read_key_file(inv, path, &text, jwk))
        return false;
    if (jwk->kty == JWK_OCT || !jwk->key)
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: expected a public key, found a symmetric one, which would be published",
                       path);
    jwk->secret = NULL;
    if (jwk->kid.n == 0)
        jwk->kid = jwk_thumbprint(inv->arena, jwk->key);
    return true;
}

/* An encrypted JWK stays as it is; in a JSON form it is written down compactly. */
static bool compact_jwe(struct invocation *inv, const char *path, struct slice text,
                        struct slice *compact)
{
    struct arena *a = inv->arena;
    struct jwe jwe, again;

    if (!jwe_read(a, text, &jwe, &inv->err))
        return err_wrap(&inv->err, "%s", path);
    const struct slice parts[] = {jwe.encrypted_key, jwe.iv, jwe.ciphertext, jwe.tag};
    struct buf b = buf_new(a, JWE_MAX);
    buf_put(&b, jwe.protected_text);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        buf_byte(&b, '.');
        base64_put(&b, BASE64_URL_RAW, parts[i]);
    }
    *compact = buf_slice(&b);
    if (!buf_done(&b, path, &inv->err))
        return false;
    /* Unprotected headers and aad have no place there (RFC 7516 3.1). */
    if (slice_eq(jwe.aad_text, jwe.protected_text) && jwe_read(a, *compact, &again, NULL))
        return true;
    return err_set(&inv->err, ERR_MALFORMED,
                   "%s: has no compact form (RFC 7516 7.1): unprotected headers or aad", path);
}

static bool belongs(struct invocation *inv, const char *path, const struct jwk *public_half,
                    const struct jwk *secret)
{
    if (!secret->secret)
        return err_set(&inv->err, ERR_MALFORMED, "%s: expected a private key, found a public one",
                       path);
    return key_eq(public_half->key, secret->key) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "%s: the private key does not belong to the provisioner's public key", path);
}

/* The encryptedKey of a private key file. */
static bool seal_private(struct invocation *inv, const char *path, const struct jwk *public_half,
                         struct slice *sealed)
{
    struct jwk jwk, whole = *public_half;
    struct slice text, password;

    if (!read_key_file(inv, path, &text, NULL))
        return false;
    bool encrypted = jwe_looks_like(slice_trim(text));
    if (encrypted && !compact_jwe(inv, path, slice_trim(text), sealed))
        return false;
    if (encrypted && !ca_cmd_text(inv, "password-file"))
        return true; /* believed: nobody gave the password that would prove it */
    if (!read_key_file(inv, path, &text, &jwk) || !belongs(inv, path, public_half, &jwk))
        return false;
    if (encrypted)
        return true;
    whole.secret = jwk.secret;
    return password_for_key(inv, &password) &&
           (jwe_seal_jwk(inv->arena, &whole, password, JWE_COMPACT, sealed, &inv->err) ||
            err_wrap(&inv->err, "%s", path));
}

static void put_text(struct invocation *inv, struct json *entry, const char *name,
                     struct slice text)
{
    if (text.n > 0)
        json_set(entry, inv->arena, name, json_make_text(inv->arena, text));
    else
        json_remove(entry, name);
}

static bool create_key(struct invocation *inv, struct json *entry)
{
    struct json *object;
    struct slice password;

    if (!password_for_key(inv, &password) ||
        !pki_jwk_provisioner(inv->arena, inv->secrets, SLICE(""), password, &object, &inv->err))
        return false;
    json_set(entry, inv->arena, "key", json_copy(inv->arena, json_get(object, "key")));
    put_text(inv, entry, "encryptedKey", json_text(json_get(object, "encryptedKey")));
    return true;
}

static bool jwk_members(struct invocation *inv, struct json *entry, bool adding)
{
    const char *public_path = ca_cmd_text(inv, "public-key");
    const char *private_path = ca_cmd_text(inv, "private-key");
    struct slice sealed = SLICE_NONE;
    struct jwk jwk = {0};

    if (flag_bool(inv, "create"))
        return create_key(inv, entry);
    if (adding && !public_path)
        return ca_cmd_required(inv, "public-key");
    if (public_path && !read_public(inv, public_path, &jwk))
        return false;
    if (!public_path && private_path &&
        !jwk_from_json(inv->arena, json_get(entry, "key"), &jwk, &inv->err))
        return err_wrap(&inv->err, "the provisioner's key");
    if (private_path && !seal_private(inv, private_path, &jwk, &sealed))
        return false;
    if (public_path) {
        json_set(entry, inv->arena, "key", jwk_json(inv->arena, &jwk, false));
        json_remove(entry, "encryptedKey"); /* it belonged to the key that is gone */
    }
    if (private_path || flag_set(inv, "private-key"))
        put_text(inv, entry, "encryptedKey", sealed);
    return true;
}

/* --- X5C and ACME
 * ---------------------------------------------------------------------------------- */

static bool load_roots(struct invocation *inv, const char *path, bool any_ca,
                       struct cert_list *roots)
{
    struct cert_list list = {0};

    if (!cert_list_load(inv->arena, path, &list, &inv->err))
        return false;
    for (size_t i = 0; i < list.n; i++) {
        const struct cert *c = list.v[i];
        bool signs = c->has_key_usage && (c->key_usage & KU_CERT_SIGN);
        bool ca = c->has_basic && c->basic.ca;
        if (any_ca && !ca)
            return err_set(&inv->err, ERR_MALFORMED,
                           "%s: certificate %zu is not one of a CA (RFC 5280 4.2.1.9)", path,
                           i + 1);
        if (!any_ca && !signs)
            return err_set(&inv->err, ERR_MALFORMED,
                           "%s: certificate %zu lacks the key usage keyCertSign "
                           "(RFC 5280 4.2.1.3)",
                           path, i + 1);
        cert_list_add(inv->arena, roots, list.v[i]);
    }
    return true;
}

static void put_roots(struct invocation *inv, struct json *entry, const char *name,
                      const struct cert_list *roots)
{
    put_text(inv, entry, name,
             base64_text(inv->arena, BASE64_STD, cert_list_pem(inv->arena, roots)));
}

static bool x5c_members(struct invocation *inv, struct json *entry, bool adding)
{
    const char *path = ca_cmd_text(inv, "x5c-roots");
    struct cert_list roots = {0};

    if (!path)
        return !adding ||
               err_set(&inv->err, ERR_MALFORMED, "'--type X5C' requires the '--x5c-roots' flag");
    if (!load_roots(inv, path, false, &roots))
        return false;
    put_roots(inv, entry, "roots", &roots);
    return true;
}

static void put_switch(struct invocation *inv, struct json *entry, const char *flag,
                       const char *name)
{
    if (!flag_set(inv, flag))
        return;
    if (flag_bool(inv, flag))
        json_set(entry, inv->arena, name, json_make_bool(inv->arena, true));
    else
        json_remove(entry, name);
}

/* Case is forgiven, the usual form is written. */
static const char *one_of(const char *const *allowed, struct slice text)
{
    for (; *allowed; allowed++)
        if (slice_is_case(text, *allowed))
            return *allowed;
    return NULL;
}

static struct json *item_called(const struct json *list, struct slice text)
{
    for (struct json *v = list->first; v; v = v->next)
        if (slice_eq_case(json_text(v), text))
            return v;
    return NULL;
}

/* First --remove-F, then --F; an empty list is no member. */
static bool put_texts(struct invocation *inv, struct json *entry, const char *flag,
                      const char *name, const char *const *allowed, const char *options)
{
    struct arena *a = inv->arena;
    const char *remove = arena_printf(inv->arena, "remove-%s", flag);
    const struct json *there = json_get(entry, name);
    struct json *list = there && there->kind == JSON_LIST ? json_copy(a, there) : json_make_list(a),
                *item;
    size_t n_add, n_remove = 0;
    const struct slice *add = flag_texts(inv, flag, &n_add), *gone = NULL;

    if (flag_listed(inv, remove))
        gone = flag_texts(inv, remove, &n_remove);
    for (size_t i = 0; i < n_remove; i++)
        while ((item = item_called(list, gone[i])))
            json_remove_item(list, item);
    for (size_t i = 0; i < n_add; i++) {
        const char *text = one_of(allowed, add[i]);
        if (!text)
            return ca_cmd_bad_value(inv, flag, arena_cstr(inv->arena, add[i]), options);
        if (!item_called(list, slice_text(text)))
            json_append(list, json_make_text(a, slice_text(text)));
    }
    if (n_add + n_remove == 0)
        return true;
    if (list->n > 0)
        json_set(entry, a, name, list);
    else
        json_remove(entry, name);
    return true;
}

static bool acme_members(struct invocation *inv, struct json *entry, bool adding)
{
    static const char *const CHALLENGES[] = {"http-01", "dns-01", "tls-alpn-01", "device-attest-01",
                                             NULL};
    static const char *const FORMATS[] = {"apple", "step", "tpm", NULL};
    struct cert_list roots = {0};
    size_t n;
    const struct slice *paths = flag_texts(inv, "attestation-roots", &n);

    (void)adding;
    put_switch(inv, entry, "force-cn", "forceCN");
    put_switch(inv, entry, "require-eab", "requireEAB");
    if (!put_texts(inv, entry, "challenge", "challenges", CHALLENGES,
                   "options are http-01, dns-01, tls-alpn-01, device-attest-01") ||
        !put_texts(inv, entry, "attestation-format", "attestationFormats", FORMATS,
                   "options are apple, step, tpm"))
        return false;
    for (size_t i = 0; i < n; i++)
        if (paths[i].n > 0 && !load_roots(inv, arena_cstr(inv->arena, paths[i]), true, &roots))
            return false;
    if (n > 0)
        put_roots(inv, entry, "attestationRoots", &roots);
    return true;
}

/* Its name and claims are all that it has. */
static bool sshpop_members(struct invocation *inv, struct json *entry, bool adding)
{
    (void)inv, (void)entry, (void)adding;
    return true;
}

/* --- The types
 * ------------------------------------------------------------------------------------ */

static const struct {
    const char *type;
    const char *flags[10]; /* NULL-terminated */
    bool (*members)(struct invocation *, struct json *, bool);
} TYPES[] = {
    {"JWK", {"create", "public-key", "private-key"}, jwk_members},
    {"X5C", {"x5c-roots"}, x5c_members},
    {"ACME",
     {"force-cn", "require-eab", "challenge", "attestation-format", "attestation-roots",
      "remove-challenge", "remove-attestation-format"},
     acme_members},
    {"SSHPOP", {NULL}, sshpop_members},
};

static size_t type_row(const struct provisioner_type *type)
{
    size_t i = 0;

    while (i < COUNT_OF(TYPES) && strcmp(TYPES[i].type, type->name) != 0)
        i++;
    return i;
}

bool provisioner_flags_fit(struct invocation *inv, const struct provisioner_type *type)
{
    size_t row = type_row(type);

    if (row == COUNT_OF(TYPES))
        return err_set(&inv->err, ERR_NOT_IMPLEMENTED, "type %s is not supported by this version",
                       type->name);
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        for (const char *const *flag = TYPES[i].flags; i != row && *flag; flag++)
            if (flag_listed(inv, *flag) && flag_source(inv, *flag) == SOURCE_LINE)
                return err_set(&inv->err, ERR_MALFORMED,
                               "flag '--%s' is incompatible with flag '--type %s'", *flag,
                               type->written);
    }
    return true;
}

bool provisioner_put_members(struct invocation *inv, const struct provisioner_type *type,
                             struct json *entry, bool adding)
{
    return TYPES[type_row(type)].members(inv, entry, adding);
}

/* --- Claims --------------------------------------------------------------------------------------
 */

static const struct {
    const char *flag, *member;
} DURATIONS[] = {
    {"x509-min-dur", "minTLSCertDuration"},
    {"x509-max-dur", "maxTLSCertDuration"},
    {"x509-default-dur", "defaultTLSCertDuration"},
    {"ssh-user-min-dur", "minUserSSHCertDuration"},
    {"ssh-user-max-dur", "maxUserSSHCertDuration"},
    {"ssh-user-default-dur", "defaultUserSSHCertDuration"},
    {"ssh-host-min-dur", "minHostSSHCertDuration"},
    {"ssh-host-max-dur", "maxHostSSHCertDuration"},
    {"ssh-host-default-dur", "defaultHostSSHCertDuration"},
};

static const char *const CLAIMS_ORDER[] = {"minTLSCertDuration",
                                           "maxTLSCertDuration",
                                           "defaultTLSCertDuration",
                                           "minUserSSHCertDuration",
                                           "maxUserSSHCertDuration",
                                           "defaultUserSSHCertDuration",
                                           "minHostSSHCertDuration",
                                           "maxHostSSHCertDuration",
                                           "defaultHostSSHCertDuration",
                                           "enableSSHCA",
                                           "disableRenewal",
                                           "allowRenewalAfterExpiry",
                                           "disableSmallstepExtensions",
                                           NULL};

static struct json *member_object(struct arena *a, struct json *entry, const char *name)
{
    struct json *object = (struct json *)json_get(entry, name);

    if (object && object->kind == JSON_OBJECT)
        return object;
    object = json_make_object(a);
    json_set(entry, a, name, object);
    return object;
}

bool provisioner_put_claims(struct invocation *inv, struct json *entry,
                            const struct claims *in_force)
{
    const struct {
        const char *flag, *member;
        bool usual;
    } switches[] = {
        {"ssh", "enableSSHCA", in_force && in_force->enable_ssh_ca},
        {"disable-renewal", "disableRenewal", in_force && in_force->disable_renewal},
        {"allow-renewal-after-expiry", "allowRenewalAfterExpiry",
         in_force && in_force->allow_renewal_after_expiry},
        {"disable-smallstep-extensions", "disableSmallstepExtensions",
         in_force && in_force->disable_smallstep_extensions},
    };
    struct arena *a = inv->arena;
    struct json *claims = member_object(a, entry, "claims");

    for (size_t i = 0; i < COUNT_OF(DURATIONS); i++) {
        if (!flag_set(inv, DURATIONS[i].flag))
            continue;
        struct slice text = duration_text(a, flag_duration(inv, DURATIONS[i].flag));
        put_text(inv, claims, DURATIONS[i].member,
                 ca_cmd_text(inv, DURATIONS[i].flag) ? text : SLICE_NONE);
    }
    for (size_t i = 0; i < COUNT_OF(switches); i++) {
        bool value = in_force && !flag_set(inv, switches[i].flag)
                         ? switches[i].usual
                         : flag_bool(inv, switches[i].flag);
        json_set(claims, a, switches[i].member, json_make_bool(a, value));
    }
    json_order(claims, CLAIMS_ORDER);
    return true;
}

void provisioner_order(struct json *entry)
{
    static const char *const MEMBERS[] = {"type",
                                          "name",
                                          "key",
                                          "encryptedKey",
                                          "roots",
                                          "forceCN",
                                          "termsOfService",
                                          "website",
                                          "caaIdentities",
                                          "requireEAB",
                                          "challenges",
                                          "attestationFormats",
                                          "attestationRoots",
                                          "claims",
                                          "options",
                                          NULL};
    json_order(entry, MEMBERS);
}
