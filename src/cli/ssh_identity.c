/*
 * Identity certificates.  The CA's /version says whether it wants them; one that stands alone never
 * does, and then nothing of this happens.
 *
 * A host's identity names the machine by a UUID, which stays the same over all certificates.
 */
#include "cli/ssh_identity.h"

#include "base/file.h"

#define MACHINE_ID    "/etc/machine-id"
#define UUID_PREFIX   "urn:uuid:"
#define TOKEN_SECONDS (5 * 60)
#define FILE_MAX      (64u << 10)

static const char *const NO_PASSWORDS[] = {NULL};

static const char *file_of(struct invocation *inv, const char *name)
{
    return path_join(inv->arena, inv->steppath.path, name);
}
#define SETTINGS_FILE(inv) file_of(inv, "config/identity.json")
#define CRT_FILE(inv)      file_of(inv, "identity/identity.crt")
#define KEY_FILE(inv)      file_of(inv, "identity/identity_key")

/* --- What is there --------------------------------------------------------------------------- */

static bool read_settings(struct invocation *inv, const char **crt, const char **key)
{
    struct arena *a = inv->arena;
    struct slice text;

    if (!file_read(a, SETTINGS_FILE(inv), false, FILE_MAX, &text, &inv->err))
        return false;
    const struct json *v = json_read(a, text, &JSON_STRICT, NULL, &inv->err);
    if (!v)
        return err_wrap(&inv->err, "%s", SETTINGS_FILE(inv));
    struct slice type = json_text(json_get(v, "type"));
    struct slice crt_text = json_text(json_get(v, "crt")), key_text = json_text(json_get(v, "key"));
    if (!slice_is_case(type, "mTLS") || !crt_text.n || !key_text.n)
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: expected type mTLS with the files crt and key", SETTINGS_FILE(inv));
    *crt = arena_cstr(a, crt_text);
    *key = arena_cstr(a, key_text);
    return true;
}

/* One that has ended is as good as none; one that is broken is told. */
const struct identity *ssh_identity_load(struct invocation *inv)
{
    struct ca_held *held = arena_alloc(inv->arena, sizeof(*held));
    const char *crt = NULL, *key = NULL;

    if (!file_exists(SETTINGS_FILE(inv)))
        return NULL;
    if (!read_settings(inv, &crt, &key) || !ca_held_load(inv, crt, key, NO_PASSWORDS, held)) {
        note(inv, "The identity is not used: %s", inv->err.text);
        err_clear(&inv->err);
        return NULL;
    }
    struct instant now = inv->clock->now(inv->clock);
    const struct cert *leaf = held->chain.v[0];
    bool valid = instant_cmp(leaf->not_before, now) <= 0 && instant_cmp(now, leaf->not_after) <= 0;
    return valid ? &held->identity : NULL;
}

/* --- Which machine --------------------------------------------------------------------------- */

/* The UUID of the identity that is there, be it valid or not. */
static struct slice known_machine(struct invocation *inv)
{
    struct cert_list chain = {0};

    if (!file_exists(CRT_FILE(inv)) || !cert_list_load(inv->arena, CRT_FILE(inv), &chain, NULL))
        return SLICE_NONE;
    const struct sans *names = &chain.v[0]->sans;
    for (size_t i = 0; i < names->n; i++) {
        struct slice text = names->v[i].text;
        if (names->v[i].kind == SAN_URI && text.n == sizeof(UUID_PREFIX) - 1 + 36 &&
            slice_is_case(slice_sub(text, 0, sizeof(UUID_PREFIX) - 1), UUID_PREFIX))
            return slice_from(text, sizeof(UUID_PREFIX) - 1);
    }
    return SLICE_NONE;
}

static struct slice random_machine(struct invocation *inv)
{
    uint8_t bytes[SSH_UUID_BYTES];

    inv->rng->fill(inv->rng, bytes, sizeof(bytes));
    return ssh_uuid_text(inv->arena, bytes);
}

static bool find_machine(struct invocation *inv, struct slice *uuid)
{
    const char *given = ca_cmd_text(inv, "host-id");
    struct slice text;

    if (given && strcmp(given, "machine") == 0) {
        if (!file_read(inv->arena, MACHINE_ID, false, FILE_MAX, &text, &inv->err))
            return false;
        *uuid = ssh_machine_uuid(inv->arena, text);
        return true;
    }
    *uuid = given ? slice_text(given) : known_machine(inv);
    if (!uuid->n)
        *uuid = random_machine(inv);
    return true;
}

static void add_name(struct arena *a, struct sans *names, struct slice uri)
{
    struct san *v = arena_array(a, names->n + 1, sizeof(*v));

    if (names->n > 0)
        memcpy(v, names->v, names->n * sizeof(*v));
    v[names->n++] = (struct san){.kind = SAN_URI, .text = uri};
    names->v = v;
}

/* --- Request --------------------------------------------------------------------------------- */

bool ssh_identity_wanted(struct ssh_desk *d)
{
    struct json *version;

    if (d->offline.open || !ca_call_json(&d->ca, d->inv->arena, HTTP_GET, "/version", SLICE_NONE,
                                         SLICE_NONE, &version, NULL))
        return false;
    const struct json *v = json_get(version, "requireClientAuthentication");
    return v && v->kind == JSON_BOOL && v->truth;
}

bool ssh_identity_request(struct ssh_desk *d, const struct token *t, struct ca_ssh_sign_wish *wish,
                          struct private_key **key)
{
    struct invocation *inv = d->inv;
    struct arena *a = inv->arena;
    struct ott_names names;
    struct slice uuid;

    *key = NULL;
    if (!ssh_identity_wanted(d))
        return true;
    if (!ott_names(a, t, wish->key_id, NULL, 0, &names, &inv->err))
        return false;
    if (slice_is(wish->type, "host")) {
        if (!find_machine(inv, &uuid))
            return false;
        add_name(a, &names.sans, arena_format(a, UUID_PREFIX "%.*s", SLICE_ARG(uuid)));
    }
    return private_key_generate(inv->secrets, KEY_P256, 0, key, &inv->err) &&
           ca_cmd_csr(a, *key, names.common_name, &names.sans, &wish->identity_csr, &inv->err);
}

/* --- Files ----------------------------------------------------------------------------------- */

static struct slice settings(struct invocation *inv)
{
    struct buf b = buf_new(inv->arena, FILE_MAX);

    buf_text(&b, "{\n    \"type\": \"mTLS\",\n    \"crt\": ");
    json_put_text(&b, slice_text(CRT_FILE(inv)));
    buf_text(&b, ",\n    \"key\": ");
    json_put_text(&b, slice_text(KEY_FILE(inv)));
    buf_text(&b, "\n}\n");
    return buf_slice(&b);
}

static bool write_key(struct invocation *inv, const struct private_key *key)
{
    struct err *e = &inv->err;
    struct slice pem;

    return private_key_pem(inv->secrets, key, KEY_TRADITIONAL, &pem, e) &&
           file_write(KEY_FILE(inv), pem, 0600, 0, e) &&
           file_write(SETTINGS_FILE(inv), settings(inv), 0600, 0, e);
}

bool ssh_identity_write(struct invocation *inv, struct private_key *key,
                        const struct cert_list *chain)
{
    struct err *e = &inv->err;
    struct ca_held held;

    if (key && !ca_held_make(inv->arena, chain, key, "identityCrt of the CA's answer",
                             "the request", &held, e))
        return false;
    return dir_make(file_of(inv, "identity"), 0700, e) &&
           dir_make(file_of(inv, "config"), 0700, e) && (!key || write_key(inv, key)) &&
           file_write(CRT_FILE(inv), cert_list_pem(inv->arena, chain), 0600, 0, e);
}

bool ssh_identity_token(struct invocation *inv, const struct identity *identity, struct slice host,
                        struct slice *token)
{
    struct instant now = inv->clock->now(inv->clock);
    struct token_wish wish = {
        .issuer = SLICE("x5c-identity"),
        .audience = SLICE("/ssh/check-host"),
        .subject = host,
        .not_before = now,
        .not_after = instant_add(now, TOKEN_SECONDS * NS_PER_SEC),
        .x5c_insecure = true,
    };

    *token = SLICE_NONE;
    if (!identity)
        return true;
    wish.x5c = identity->chain;
    wish.n_x5c = identity->n;
    return token_make(inv->arena, &wish, identity->key, JWS_NONE, inv->rng, token, &inv->err);
}
