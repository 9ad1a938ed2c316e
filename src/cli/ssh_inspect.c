/*
 * step ssh inspect: what is in a certificate, for people in the way of 'ssh-keygen -L', and for
 * programs.  Texts of a certificate reach a terminal without control characters.
 */
#include <time.h>

#include "base/encode.h"
#include "cli/internal.h"
#include "cli/ssh.h"

#define SHOWN_MAX  (8u << 20)
#define DEEP       "        "
#define DEEPER     DEEP DEEP
#define LINE_BYTES 16

/* A certificate with the parts of its signature. */
struct shown {
    const char *name;
    struct ssh_cert cert;
    struct slice format, signature;
};

/* Seconds of a certificate as ours; beyond what a calendar has is its end. */
static struct instant cert_time(uint64_t sec)
{
    return instant_sec(sec > INT64_MAX ? INT64_MAX : (int64_t)sec);
}

/* --- Text ------------------------------------------------------------------------------------ */

static void put_local_time(struct buf *b, uint64_t sec)
{
    struct instant t = instant_add(cert_time(sec), 0); /* not beyond the year 9999 */
    time_t when = (time_t)t.sec;
    struct tm tm = {0};

    localtime_r(&when, &tm);
    buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_validity(struct buf *b, const struct ssh_cert *c)
{
    buf_text(b, DEEP "Valid: ");
    if (c->valid_before == SSH_FOREVER) {
        buf_text(b, "forever\n");
        return;
    }
    buf_text(b, "from ");
    put_local_time(b, c->valid_after);
    buf_text(b, " to ");
    put_local_time(b, c->valid_before);
    buf_byte(b, '\n');
}

static void put_principals(struct buf *b, const struct ssh_cert *c)
{
    buf_printf(b, DEEP "Principals: %s\n", c->n_principals ? "" : "(none)");
    for (size_t i = 0; i < c->n_principals; i++)
        buf_printf(b, DEEPER "%.*s\n", SLICE_ARG(printable(b->arena, c->principals[i])));
}

static void put_options(struct buf *b, const char *title, const struct ssh_options *o)
{
    buf_printf(b, DEEP "%s: %s\n", title, o->n ? "" : "(none)");
    for (size_t i = 0; i < o->n; i++)
        buf_printf(b, DEEPER "%.*s %.*s\n", SLICE_ARG(printable(b->arena, o->v[i].name)),
                   SLICE_ARG(printable(b->arena, o->v[i].value)));
}

static void put_signature(struct buf *b, struct slice bytes)
{
    buf_text(b, DEEP "Signature:\n");
    for (size_t i = 0; i < bytes.n; i++) {
        bool last = i + 1 == bytes.n || (i + 1) % LINE_BYTES == 0;
        buf_printf(b, "%s%02x%s%s", i % LINE_BYTES ? "" : DEEPER, bytes.p[i],
                   i + 1 < bytes.n ? ":" : "", last ? "\n" : "");
    }
}

static void as_text(struct buf *b, const struct shown *s)
{
    const struct ssh_cert *c = &s->cert;
    struct arena *a = b->arena;

    buf_printf(b, "%s:\n", s->name);
    buf_printf(b, DEEP "Type: %s %s certificate\n", ssh_cert_type_name(c->key.kind),
               ssh_cert_type_text(c->type));
    buf_printf(b, DEEP "Public key: %s-CERT %.*s\n", ssh_key_label(c->key.kind),
               SLICE_ARG(ssh_fingerprint(a, c->key.blob)));
    buf_printf(b, DEEP "Signing CA: %s %.*s (using %.*s)\n", ssh_key_label(c->ca.kind),
               SLICE_ARG(ssh_fingerprint(a, c->ca.blob)), SLICE_ARG(printable(a, s->format)));
    buf_printf(b, DEEP "Key ID: \"%.*s\"\n", SLICE_ARG(printable(a, c->key_id)));
    buf_printf(b, DEEP "Serial: %.*s\n", SLICE_ARG(ssh_serial_text(a, c->serial)));
    put_validity(b, c);
    put_principals(b, c);
    put_options(b, "Critical Options", &c->critical);
    put_options(b, "Extensions", &c->extensions);
    put_signature(b, s->signature);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static struct json *json_of_principals(struct arena *a, const struct ssh_cert *c)
{
    struct json *list = c->n_principals ? json_make_list(a) : json_make_null(a);

    for (size_t i = 0; i < c->n_principals; i++)
        json_append(list, json_make_text(a, c->principals[i]));
    return list;
}

/* Names are data: any bytes. */
static struct json *json_of_options(struct arena *a, const struct ssh_options *o)
{
    struct json *object = json_make_object(a);

    for (size_t i = 0; i < o->n; i++) {
        struct json *value = json_make_text(a, o->v[i].value);
        value->name = o->v[i].name;
        json_append(object, value);
    }
    return object;
}

static struct json *json_of_signature(struct arena *a, const struct shown *s)
{
    struct json *v = json_make_object(a);

    json_set(v, a, "Type", json_make_text(a, s->format));
    json_set(v, a, "Value", json_make_text(a, base64_text(a, BASE64_STD, s->signature)));
    return v;
}

/* An end that never comes is the zero time. */
static struct json *json_of_time(struct arena *a, uint64_t sec)
{
    struct instant t = sec == SSH_FOREVER ? INSTANT_ZERO_GO : instant_add(cert_time(sec), 0);

    return json_make_text(a, rfc3339(a, t));
}

static void as_json(struct buf *b, const struct shown *s)
{
    const struct ssh_cert *c = &s->cert;
    struct arena *a = b->arena;
    struct json *v = json_make_object(a);
    const struct {
        const char *name;
        struct slice text;
    } TEXTS[] = {
        {"Type", slice_text(ssh_cert_type_text(c->type))},
        {"KeyName", slice_text(ssh_cert_type_name(c->key.kind))},
        {"KeyID", c->key_id},
        {"KeyAlgo", slice_text(ssh_key_label(c->key.kind))},
        {"KeyFingerprint", ssh_fingerprint(a, c->key.blob)},
        {"SigningKeyAlgo", slice_text(ssh_key_label(c->ca.kind))},
        {"SigningKeyFingerprint", ssh_fingerprint(a, c->ca.blob)},
    };

    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        json_set(v, a, TEXTS[i].name, json_make_text(a, TEXTS[i].text));
    json_set(v, a, "Signature", json_of_signature(a, s));
    json_set(v, a, "Serial", json_make_uint(a, c->serial));
    json_set(v, a, "ValidAfter", json_of_time(a, c->valid_after));
    json_set(v, a, "ValidBefore", json_of_time(a, c->valid_before));
    json_set(v, a, "Principals", json_of_principals(a, c));
    json_set(v, a, "CriticalOptions", json_of_options(a, &c->critical));
    json_set(v, a, "Extensions", json_of_options(a, &c->extensions));
    json_print(b, v, "  ");
    buf_byte(b, '\n');
}

/* --- The command ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*put)(struct buf *, const struct shown *);
} FORMS[] = {{"text", as_text}, {"json", as_json}};

static int run_inspect(struct invocation *inv)
{
    const char *format = flag_text(inv, "format");
    struct shown s = {.name = inv->n_args ? arg_text(inv, 0) : "-"};
    struct buf b = buf_new(inv->arena, SHOWN_MAX);
    struct err why = {0};
    size_t form = 0;

    while (form < COUNT_OF(FORMS) && strcmp(FORMS[form].name, format) != 0)
        form++;
    if (form == COUNT_OF(FORMS))
        return fail_value(inv, "format", format, "text, json");
    if (!ssh_input_cert(inv, s.name, &s.cert, NULL, &inv->err) ||
        !ssh_signature_read(s.cert.signature, &s.format, &s.signature, &inv->err))
        return fail(inv);
    if (!ssh_cert_verify(inv->arena, &s.cert, &why))
        note(inv, "Warning: nobody should trust this certificate: %s", why.text);
    FORMS[form].put(&b, &s);
    if (!buf_done(&b, "certificate", &inv->err))
        return fail(inv);
    out_put(inv, buf_slice(&b));
    return 0;
}

static const struct flag INSPECT_FLAGS[] = {
    {"format", FLAG_TEXT, "<format>", "How to print it: text or json.", "text", 0}, {0}};
static const struct flag *const INSPECT_SETS[] = {INSPECT_FLAGS, NULL};

const struct command CMD_SSH_INSPECT = {
    .name = "inspect",
    .summary = "show what is in an SSH certificate",
    .synopsis = "[<crt_file>]",
    .description = "Prints all fields of a certificate, like 'ssh-keygen -L' and with the "
                   "signature, or as JSON. The times of the text are local. When the signature "
                   "is not by the key that the certificate names there is a warning; whether that "
                   "key is one to be trusted is not checked.",
    .arguments = "crt_file\tA file with a certificate, as a line of OpenSSH or as base64 alone, or "
                 "\"-\", the default, for standard input.",
    .examples = "Show a certificate:\n"
                "$ step ssh inspect id_ecdsa-cert.pub\n"
                "\n"
                "Show the certificate that the agent holds for joe@example.com:\n"
                "$ step ssh list --raw joe@example.com | step ssh inspect\n"
                "\n"
                "Who may log in with it?\n"
                "$ step ssh inspect --format json id_ecdsa-cert.pub | jq -r '.Principals[]'",
    .flag_sets = INSPECT_SETS,
    .most = 1,
    .run = run_inspect,
    .no_defaults = true,
};
