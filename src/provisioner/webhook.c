/*
 * Webhooks out of ca.json.  What is wrong is a configuration error that names the member and never
 * shows a secret; what only looks wrong is a warning.
 */
#include "provisioner/webhook.h"

#include "base/encode.h"
#include "base/uri.h"

#define WEBHOOKS_MAX 64
#define NAME_BYTES   256
#define SECRET_MAX   4096

struct webhook_config {
    struct slice id, name, url, kind, cert_type;
    bool no_client_certificate;
    struct slice secret;
    const struct json *bearer, *basic;
};
#define AT(member) offsetof(struct webhook_config, member)
static const struct field FIELDS[] = {
    {"id", FIELD_TEXT, AT(id), 0, NULL},
    {"name", FIELD_TEXT, AT(name), 0, NULL},
    {"url", FIELD_TEXT, AT(url), 0, NULL},
    {"kind", FIELD_TEXT, AT(kind), 0, NULL},
    {"disableTLSClientAuth", FIELD_BOOL, AT(no_client_certificate), FIELD_OMIT_EMPTY, NULL},
    {"certType", FIELD_TEXT, AT(cert_type), 0, NULL},
    {"secret", FIELD_TEXT, AT(secret), FIELD_SECRET, NULL},
    {"bearerToken", FIELD_RAW, AT(bearer), FIELD_SECRET, NULL},
    {"basicAuth", FIELD_RAW, AT(basic), FIELD_SECRET, NULL},
};
#undef AT
const struct shape WEBHOOK_SHAPE = {"webhook", sizeof(struct webhook_config), FIELDS,
                                    COUNT_OF(FIELDS), false};

static const char *const KINDS[] = {"ENRICHING", "AUTHORIZING", "SCEPCHALLENGE", "NOTIFYING"};
static const char *const CERTS[] = {"ALL", "X509", "SSH"};

const char *webhook_kind_name(enum webhook_kind kind)
{
    return KINDS[kind];
}

/* --- URLs ------------------------------------------------------------------------------------ */

/* Nothing that two readers of URLs could see differently. */
static bool is_plain_host(const struct uri *u)
{
    for (size_t i = 0; i < u->host.n; i++) {
        uint8_t c = u->host.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '-' && c != '_' && !(c == ':' && u->host_is_v6))
            return false;
    }
    for (size_t i = 0; i < u->port.n; i++) {
        if (u->port.p[i] < '0' || u->port.p[i] > '9')
            return false;
    }
    return u->host.n > 0;
}

static bool is_visible(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
            return false;
    }
    return true;
}

bool webhook_url_read(struct arena *a, struct slice text, struct slice *url, struct err *e)
{
    struct uri u;

    if (!uri_read(a, text, &u, NULL))
        return err_set(e, ERR_MALFORMED, "not a URL (RFC 3986)");
    if (!slice_is(u.scheme, "https") || u.opaque.n > 0)
        return err_set(e, ERR_MALFORMED, "expected https:// and a host");
    if (u.userinfo.p)
        return err_set(e, ERR_MALFORMED, "a user name or password must not stand in the URL");
    if (!is_plain_host(&u))
        return err_set(e, ERR_MALFORMED, "expected a host name or address behind https://");
    u.fragment = u.raw_fragment = SLICE_NONE;
    *url = uri_text(a, &u);
    return is_visible(*url) ||
           err_set(e, ERR_MALFORMED, "what is no printable ASCII has to be %%-escaped");
}

/* Offset behind a template action that begins at i. */
static size_t skip_action(struct slice text, size_t i)
{
    size_t end = slice_search(slice_from(text, i), SLICE("}}"));

    return end == text.n - i ? text.n : i + end + 2;
}

/* The part of the URL that is fixed already: scheme, and a host without user name.  *steered: a
 * template action stands in the host. */
static bool check_beginning(struct slice text, bool *steered, struct err *e)
{
    static const char SCHEME[] = "https://";
    size_t i = sizeof(SCHEME) - 1;

    *steered = false;
    if (!slice_is_case(slice_sub(text, 0, i), SCHEME))
        return err_set(e, ERR_MALFORMED, "expected https:// and a host");
    while (i < text.n && !strchr("/?#\\", text.p[i])) {
        if (text.p[i] == '@')
            return err_set(e, ERR_MALFORMED, "a user name or password must not stand in the URL");
        if (slice_starts(slice_from(text, i), "{{")) {
            *steered = true;
            i = skip_action(text, i);
        } else {
            i++;
        }
    }
    return i > sizeof(SCHEME) - 1 || err_set(e, ERR_MALFORMED, "expected a host behind https://");
}

/* --- One webhook ----------------------------------------------------------------------------- */

struct maker {
    struct arena *a;
    const struct template_env *env;
    const struct webhook_config *c;
    struct webhook *h;
    const char *warning;
    struct err *e;
};

static void warn(struct maker *m, const char *what)
{
    m->warning = arena_printf(m->a, "%s%swebhook \"%.*s\" %s", m->warning ? m->warning : "",
                              m->warning ? "; " : "", SLICE_ARG(m->c->name), what);
}

static bool make_name(struct maker *m)
{
    const struct webhook_config *c = m->c;

    if (c->name.n == 0)
        return err_set(m->e, ERR_MALFORMED, "name: is missing or empty");
    if (c->name.n > NAME_BYTES || slice_has_nul(c->name))
        return err_set(m->e, ERR_MALFORMED, "name: expected at most %d bytes, none of them NUL",
                       NAME_BYTES);
    if (c->id.n > NAME_BYTES || !is_visible(c->id))
        return err_set(m->e, ERR_MALFORMED, "id: expected at most %d visible ASCII characters",
                       NAME_BYTES);
    m->h->name = c->name;
    m->h->id = c->id;
    return true;
}

static bool make_url(struct maker *m)
{
    struct template_options *o = arena_alloc(m->a, sizeof(*o));
    struct slice text = m->c->url, ignored;
    bool steered;

    *o = (struct template_options){.set = TEMPLATE_TEXT};
    if (m->env) {
        o->allow = m->env->allow;
        o->n_allow = m->env->n_allow;
        o->hooks = m->env->hooks;
        o->clock = m->env->clock;
    }
    if (text.n == 0)
        return err_set(m->e, ERR_MALFORMED, "url: is missing or empty");
    bool fixed = slice_search(text, SLICE("{{")) == text.n;
    if (!check_beginning(text, &steered, m->e) ||
        (fixed && !webhook_url_read(m->a, text, &ignored, m->e)))
        return err_wrap(m->e, "url");
    m->h->url = template_parse(m->a, "url", text, o, m->e);
    if (!m->h->url)
        return err_wrap(m->e, "url");
    if (steered)
        warn(m, "has a template action in the host of its URL: whatever that is made of decides "
                "where requests and their signatures go");
    return true;
}

static bool find_name(struct slice text, const char *const *names, size_t n, int *index)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_is_case(text, names[i])) {
            *index = (int)i;
            return true;
        }
    }
    return false;
}

static bool make_kind(struct maker *m, bool scep)
{
    const struct webhook_config *c = m->c;
    int kind, cert = WEBHOOK_ALL;

    if (!find_name(c->kind, KINDS, COUNT_OF(KINDS), &kind))
        return err_set(m->e, ERR_MALFORMED,
                       "kind: expected ENRICHING, AUTHORIZING, SCEPCHALLENGE or NOTIFYING, found "
                       "\"%.*s\"",
                       SLICE_ARG(slice_sub(c->kind, 0, 64)));
    if (c->cert_type.n > 0 && !find_name(c->cert_type, CERTS, COUNT_OF(CERTS), &cert))
        return err_set(m->e, ERR_MALFORMED, "certType: expected ALL, X509 or SSH, found \"%.*s\"",
                       SLICE_ARG(slice_sub(c->cert_type, 0, 64)));
    m->h->kind = (enum webhook_kind)kind;
    m->h->cert = (enum webhook_cert)cert;
    m->h->no_client_certificate = c->no_client_certificate;
    if (!scep && (kind == WEBHOOK_SCEPCHALLENGE || kind == WEBHOOK_NOTIFYING))
        warn(m, "is of a kind that only SCEP uses; it is never called");
    return true;
}

/* --- Credentials ----------------------------------------------------------------------------- */

static bool make_secret(struct maker *m)
{
    struct slice text = m->c->secret;

    if (text.n == 0)
        return true;
    if (text.n > SECRET_MAX || !base64_read(m->a, BASE64_STD, text, &m->h->secret))
        return err_set(m->e, ERR_MALFORMED, "secret: expected base64 with padding (RFC 4648 4)");
    return true;
}

/* A text, or an object with a text of the member's own name. */
static bool make_bearer(struct maker *m)
{
    const struct json *v = m->c->bearer;

    if (v && v->kind == JSON_OBJECT)
        v = json_get(v, "bearerToken");
    if (!v || v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_TEXT || v->text.n > SECRET_MAX || !is_visible(v->text))
        return err_set(m->e, ERR_MALFORMED,
                       "bearerToken: expected a text of at most %d visible ASCII characters",
                       SECRET_MAX);
    if (v->text.n > 0)
        m->h->authorization = arena_format(m->a, "Bearer %.*s", SLICE_ARG(v->text));
    return true;
}

static bool make_basic(struct maker *m)
{
    const struct json *v = m->c->basic;
    struct slice user = json_text(json_get(v, "username"));
    struct slice password = json_text(json_get(v, "password"));
    struct buf b = buf_new(m->a, 4 * SECRET_MAX);

    if (!v || v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_OBJECT || user.n > SECRET_MAX || password.n > SECRET_MAX ||
        slice_find(user, ':') < user.n)
        return err_set(m->e, ERR_MALFORMED,
                       "basicAuth: expected an object with username (without ':', RFC 7617 2) and "
                       "password");
    if ((user.n == 0 && password.n == 0) || m->h->authorization.n > 0)
        return true; /* the bearer token wins */
    buf_put(&b, user);
    buf_byte(&b, ':');
    buf_put(&b, password);
    m->h->authorization =
        arena_format(m->a, "Basic %.*s", SLICE_ARG(base64_text(m->a, BASE64_STD, buf_slice(&b))));
    return true;
}

static bool make_credentials(struct maker *m)
{
    if (!make_secret(m) || !make_bearer(m) || !make_basic(m))
        return false;
    if (m->h->secret.n == 0 && m->h->authorization.n == 0 && m->h->no_client_certificate)
        warn(m, "has neither secret nor credentials nor a client certificate: its server cannot "
                "know who calls");
    return true;
}

/* --- All ------------------------------------------------------------------------------------- */

static bool is_new(const struct webhook *v, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(v[i].name, v[n].name))
            return err_set(e, ERR_MALFORMED, "name: another webhook is called \"%.*s\" too",
                           SLICE_ARG(v[n].name));
    }
    return true;
}

bool webhooks_make(struct arena *a, const struct template_env *env, const struct objects *list,
                   bool scep, struct webhooks *out, const char **warning, struct err *e)
{
    const struct webhook_config *configs = list->v;
    struct maker m = {.a = a, .env = env, .e = e};

    *out = (struct webhooks){0};
    *warning = NULL;
    if (list->n > WEBHOOKS_MAX)
        return err_set(e, ERR_MALFORMED, "options.webhooks: more than %d", WEBHOOKS_MAX);
    out->v = arena_array(a, list->n + 1, sizeof(*out->v));
    for (size_t i = 0; i < list->n; i++) {
        m.c = &configs[i];
        m.h = &out->v[i];
        if (!make_name(&m) || !is_new(out->v, i, e) || !make_kind(&m, scep) || !make_url(&m) ||
            !make_credentials(&m))
            return err_wrap(e, "options.webhooks[%zu]", i);
        out->n++;
    }
    *warning = m.warning;
    return true;
}
