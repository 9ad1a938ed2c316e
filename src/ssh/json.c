/* Members of the certificate JSON, one reader each; a table says which is which. */
#include "ssh/json.h"

#include "base/clock.h"
#include "base/encode.h"

struct reader {
    struct arena *a;
    struct ssh_cert_json *out;
    const char *name; /* of the member being read */
    struct err *e;
};

static bool wrong(const struct reader *r, const char *expected)
{
    return err_set(r->e, ERR_MALFORMED, "SSH certificate JSON: %s: expected %s", r->name, expected);
}

static bool read_type(const struct reader *r, const struct json *v)
{
    struct slice text = json_text(v);

    if (slice_is_case(text, "user"))
        r->out->cert.type = SSH_USER;
    else if (slice_is_case(text, "host"))
        r->out->cert.type = SSH_HOST;
    else
        return wrong(r, "\"user\" or \"host\"");
    return true;
}

static bool read_key_id(const struct reader *r, const struct json *v)
{
    if (v->kind != JSON_TEXT)
        return wrong(r, "a text");
    r->out->cert.key_id = v->text;
    return true;
}

static bool read_principals(const struct reader *r, const struct json *v)
{
    struct ssh_cert *c = &r->out->cert;

    if (v->kind != JSON_LIST)
        return wrong(r, "a list of texts");
    c->principals = arena_array(r->a, v->n + 1, sizeof(*c->principals));
    for (const struct json *one = v->first; one; one = one->next) {
        if (one->kind != JSON_TEXT)
            return wrong(r, "a list of texts only");
        c->principals[c->n_principals++] = one->text;
    }
    return true;
}

static bool read_options(const struct reader *r, const struct json *v, struct ssh_options *out)
{
    if (v->kind != JSON_OBJECT)
        return wrong(r, "an object of texts");
    if (v->n > SSH_OPTIONS_MAX)
        return wrong(r, "fewer members");
    out->v = arena_array(r->a, v->n + 1, sizeof(*out->v));
    for (const struct json *one = v->first; one; one = one->next) {
        if (one->kind != JSON_TEXT)
            return wrong(r, "an object of texts only");
        size_t i = 0;
        while (i < out->n && !slice_eq(out->v[i].name, one->name))
            i++;
        out->v[i] = (struct ssh_option){one->name, one->text}; /* the last one wins */
        out->n += i == out->n;
    }
    return true;
}

static bool read_critical(const struct reader *r, const struct json *v)
{
    return read_options(r, v, &r->out->cert.critical);
}

static bool read_extensions(const struct reader *r, const struct json *v)
{
    return read_options(r, v, &r->out->cert.extensions);
}

static bool read_time(const struct reader *r, const struct json *v, int64_t *out)
{
    struct instant t;

    if (v->kind != JSON_TEXT || !rfc3339_read(v->text, &t) || t.sec < 0)
        return wrong(r, "a time such as \"2026-01-02T15:04:05Z\" (RFC 3339), not before 1970");
    *out = t.sec;
    return true;
}

static bool read_after(const struct reader *r, const struct json *v)
{
    return read_time(r, v, &r->out->valid_after);
}

static bool read_before(const struct reader *r, const struct json *v)
{
    return read_time(r, v, &r->out->valid_before);
}

static bool read_serial(const struct reader *r, const struct json *v)
{
    if (!json_uint(v, &r->out->cert.serial))
        return wrong(r, "a number from 0 to 18446744073709551615");
    r->out->has_serial = r->out->cert.serial != 0;
    return true;
}

static bool read_bytes(const struct reader *r, const struct json *v, struct slice *out)
{
    if (v->kind != JSON_TEXT || !base64_read(r->a, BASE64_STD, v->text, out))
        return wrong(r, "base64 text");
    return true;
}

static bool read_nonce(const struct reader *r, const struct json *v)
{
    return read_bytes(r, v, &r->out->cert.nonce);
}

static bool read_reserved(const struct reader *r, const struct json *v)
{
    return read_bytes(r, v, &r->out->cert.reserved);
}

static const struct {
    const char *name;
    bool (*read)(const struct reader *r, const struct json *v);
} MEMBERS[] = {
    {"type", read_type},
    {"keyId", read_key_id},
    {"principals", read_principals},
    {"validAfter", read_after},
    {"validBefore", read_before},
    {"criticalOptions", read_critical},
    {"extensions", read_extensions},
    {"serial", read_serial},
    {"nonce", read_nonce},
    {"reserved", read_reserved},
};

bool ssh_cert_from_json(struct arena *a, const struct json *v, struct ssh_cert_json *out,
                        struct err *e)
{
    struct reader r = {a, out, NULL, e};

    memset(out, 0, sizeof(*out));
    if (v->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "SSH certificate JSON: expected an object");
    for (size_t i = 0; i < COUNT_OF(MEMBERS); i++) {
        const struct json *member = json_get(v, MEMBERS[i].name);
        r.name = MEMBERS[i].name;
        if (member && member->kind != JSON_NULL && !MEMBERS[i].read(&r, member))
            return false;
    }
    r.name = "type";
    return out->cert.type != 0 || wrong(&r, "\"user\" or \"host\"");
}
