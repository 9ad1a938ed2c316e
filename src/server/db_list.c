/*
 * Questions about certificates, answered row by row: ten million need no more memory than one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "server/db.h"
#include "x509/cert.h"
#include "json/json.h"

struct printer;
typedef void print_fn(struct printer *p, const struct inventory_row *row);
struct printer {
    struct buf out;
    struct arena *a; /* of one row */
    print_fn *print;
    int64_t now;
    uint64_t n, limit; /* limit 0: all */
    bool failed;
};

static const char *status_of(const struct inventory_row *row, int64_t now)
{
    if (row->revoked_at)
        return "revoked";
    return row->not_after <= now ? "ended" : "active";
}

/* --- Forms --------------------------------------------------------------------------------- */

static struct slice one_line(struct arena *a, struct slice names)
{
    struct buf b = buf_new(a, names.n + 1);

    for (size_t i = 0; i < names.n; i++) {
        uint8_t byte = names.p[i];
        buf_byte(&b, byte == '\n' ? ' ' : byte < 0x20 || byte == 0x7f ? '?' : byte);
    }
    return buf_slice(&b);
}

static void print_text(struct printer *p, const struct inventory_row *row)
{
    buf_printf(
        &p->out, "%-7s  %.*s  %-20.*s  %.*s  %.*s\n", status_of(row, p->now),
        SLICE_ARG(rfc3339(p->a, instant_sec(row->not_after))),
        SLICE_ARG(row->provisioner_name.n ? one_line(p->a, row->provisioner_name) : SLICE("-")),
        SLICE_ARG(row->serial),
        SLICE_ARG(one_line(p->a, row->names.n ? row->names : row->subject)));
}

/* A line as in a file of ssh-keygen.  The blob begins with the name of its type (RFC 4251 5). */
static void put_ssh(struct printer *p, const struct inventory_row *row)
{
    struct slice b = row->der;
    size_t n = b.n < 4 ? SIZE_MAX : (size_t)b.p[2] << 8 | b.p[3];

    if (b.n < 4 || b.p[0] != 0 || b.p[1] != 0 || n > b.n - 4)
        return;
    struct slice type = slice_sub(b, 4, n);
    if (slice_is_utf8(type) && slice_find(type, '\n') == type.n)
        buf_printf(&p->out, "%.*s %.*s %.*s\n", SLICE_ARG(type),
                   SLICE_ARG(base64_text(p->a, BASE64_STD, b)),
                   SLICE_ARG(one_line(p->a, row->subject)));
}

static void put_certificate(struct printer *p, const struct inventory_row *row)
{
    if (row->kind == CERT_X509)
        buf_put(&p->out, cert_pem(p->a, row->der));
    else
        put_ssh(p, row);
}

static void print_pem(struct printer *p, const struct inventory_row *row)
{
    put_certificate(p, row);
}

/* RFC 4180: in quotes, quotes doubled. */
static void csv_text(struct buf *b, struct slice s)
{
    buf_byte(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            buf_byte(b, '"');
        buf_byte(b, s.p[i]);
    }
    buf_byte(b, '"');
}

static const char CSV_HEAD[] =
    "serial,status,subject,common_name,names,key_type,fingerprint,provisioner_id,provisioner_name,"
    "provisioner_type,not_before,not_after,issued_at,revoked_at,reason_code,reason,renewed_"
    "from,kind,ca_key\r\n";

static struct slice time_text(struct arena *a, int64_t at)
{
    return at ? rfc3339(a, instant_sec(at)) : SLICE("");
}

/* A record may be silent about when. */
static struct slice revoked_text(struct arena *a, int64_t at, struct slice unknown)
{
    return at == INVENTORY_REVOKED_SOMETIME ? unknown : time_text(a, at);
}

static void print_csv(struct printer *p, const struct inventory_row *row)
{
    bool revoked = row->revoked_at != 0;
    const struct slice cells[] = {
        row->serial,
        slice_text(status_of(row, p->now)),
        row->subject,
        row->common_name,
        one_line(p->a, row->names),
        row->key_type,
        row->fingerprint,
        row->provisioner_id,
        row->provisioner_name,
        row->provisioner_type,
        time_text(p->a, row->not_before),
        time_text(p->a, row->not_after),
        time_text(p->a, row->issued_at),
        revoked_text(p->a, row->revoked_at, SLICE("")),
        revoked ? arena_format(p->a, "%d", row->reason_code) : SLICE(""),
        row->reason,
        row->renewed_from,
        slice_text(cert_kind_text(row->kind)),
        row->ca_key,
    };

    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        if (i > 0)
            buf_byte(&p->out, ',');
        csv_text(&p->out, cells[i]);
    }
    buf_text(&p->out, "\r\n");
}

static void json_names(struct json_writer *j, struct slice names)
{
    struct slice name;

    json_open_list(j, "names");
    while (names.n && slice_split(&names, '\n', &name))
        json_member_text(j, NULL, name);
    json_close(j);
}

static void json_provisioner(struct json_writer *j, const struct inventory_row *row)
{
    json_open(j, "provisioner");
    json_member_text(j, "id", row->provisioner_id);
    json_member_text(j, "name", row->provisioner_name);
    json_member_text(j, "type", row->provisioner_type);
    json_close(j);
}

static void put_json(struct printer *p, const struct inventory_row *row)
{
    struct json_writer j = json_writer(&p->out);

    json_open(&j, NULL);
    json_member_text(&j, "kind", slice_text(cert_kind_text(row->kind)));
    json_member_text(&j, "serial", row->serial);
    json_member_text(&j, "status", slice_text(status_of(row, p->now)));
    json_member_text(&j, "subject", row->subject);
    json_member_text(&j, "commonName", row->common_name);
    json_names(&j, row->names);
    json_member_text(&j, "keyType", row->key_type);
    json_member_text(&j, "fingerprint", row->fingerprint);
    json_provisioner(&j, row);
    json_member_text(&j, "notBefore", time_text(p->a, row->not_before));
    json_member_text(&j, "notAfter", time_text(p->a, row->not_after));
    json_member_text(&j, "issuedAt", time_text(p->a, row->issued_at));
    if (row->revoked_at) {
        json_member_text(&j, "revokedAt", revoked_text(p->a, row->revoked_at, SLICE("")));
        json_member_int(&j, "reasonCode", row->reason_code);
        json_member_text(&j, "reason", row->reason);
    }
    if (row->ca_key.n)
        json_member_text(&j, "caKey", row->ca_key);
    if (row->renewed_from.n)
        json_member_text(&j, "renewedFrom", row->renewed_from);
    json_close(&j);
}

static void print_json(struct printer *p, const struct inventory_row *row)
{
    buf_text(&p->out, p->n == 0 ? "[\n" : ",\n");
    put_json(p, row);
}

static const struct form {
    const char *name;
    print_fn *print;
    const char *head, *tail, *none; /* none: in place of both when there is no row */
} FORMS[] = {
    {"text", print_text, "", "", ""},
    {"csv", print_csv, CSV_HEAD, "", CSV_HEAD},
    {"json", print_json, "", "\n]\n", "[]\n"},
    {"pem", print_pem, "", "", ""},
};

static const struct form *form_of(struct db_call *c, const char *usual)
{
    const char *name = c->flags.format ? c->flags.format : usual;

    for (size_t i = 0; i < COUNT_OF(FORMS); i++) {
        if (strcmp(FORMS[i].name, name) == 0)
            return &FORMS[i];
    }
    err_set(&c->e, ERR_MALFORMED,
            "invalid value '%s' for flag '--format': expected text, csv, json or pem", name);
    return NULL;
}

/* --- Filters ------------------------------------------------------------------------------- */

static bool read_limit(struct db_call *c, unsigned *limit)
{
    uint64_t n = 0;

    *limit = 0;
    if (!c->flags.limit)
        return true;
    if (!slice_to_u64(slice_text(c->flags.limit), &n) || n == 0 || n > UINT32_MAX)
        return err_set(&c->e, ERR_MALFORMED,
                       "invalid value '%s' for flag '--limit': expected a number above 0",
                       c->flags.limit);
    *limit = (unsigned)n;
    return true;
}

static bool read_query(struct db_call *c, struct inventory_query *q)
{
    const struct db_flags *f = &c->flags;
    int64_t within;

    *q = (struct inventory_query){.provisioner = slice_text(f->provisioner),
                                  .san = slice_text(f->san),
                                  .subject = slice_text(f->subject),
                                  .only_revoked = f->revoked,
                                  .only_x509 = f->x509,
                                  .only_ssh = f->ssh,
                                  .only_active = f->active};
    if (f->revoked && f->active)
        return err_set(&c->e, ERR_MALFORMED, "--revoked and --active exclude each other");
    if (f->x509 && f->ssh)
        return err_set(&c->e, ERR_MALFORMED, "--x509 and --ssh exclude each other");
    if (f->since && !db_since("since", f->since, c->clock, &q->issued_since, &c->e))
        return false;
    if (f->expiring_in) {
        if (!db_duration("expiring-in", f->expiring_in, &within, &c->e))
            return false;
        q->expiring_before = c->clock->now(c->clock).sec + within / NS_PER_SEC;
        q->only_active = !f->revoked;
    }
    return read_limit(c, &q->limit);
}

/* --- list, export ---------------------------------------------------------------------------- */

static bool emit(struct printer *p)
{
    p->failed = !buf_ok(&p->out) || fwrite(p->out.p, 1, p->out.n, stdout) != p->out.n;
    buf_reset(&p->out);
    return !p->failed;
}

static bool print_row(const struct inventory_row *row, void *arg)
{
    struct printer *p = arg;
    struct arena_mark mark = arena_mark(p->a);

    p->print(p, row);
    p->n++;
    arena_rewind(p->a, mark);
    return p->out.n < 32768 || emit(p);
}

static bool ask(struct db_call *c, const struct db_source *s, const struct inventory_query *q,
                inventory_fn *visit, void *arg)
{
    return db_can(c, s, s->store && s->store->ops->inventory != NULL, "has no inventory") &&
           s->store->ops->inventory(s->store, q, visit, arg, DEADLINE_NONE, &c->e);
}

static bool print_all(struct db_call *c, const char *usual)
{
    struct printer p = {.a = arena_new(&HEAP_USUAL), .out = buf_new(NULL, 64u << 20)};
    const struct form *form = form_of(c, usual);
    struct inventory_query q;
    struct db_source s = {0};
    bool ok = form && read_query(c, &q) && db_source_configured(c, &s);

    if (ok) {
        p.print = form->print;
        p.now = c->clock->now(c->clock).sec;
        fputs(form->head, stdout);
        ok = ask(c, &s, &q, print_row, &p) && (p.out.n == 0 || emit(&p));
    }
    if (ok)
        fputs(p.n ? form->tail : strcmp(form->head, form->none) == 0 ? "" : form->none, stdout);
    buf_free(&p.out);
    arena_free(p.a);
    db_source_close(&s);
    return ok && !p.failed;
}

bool db_list(struct db_call *c)
{
    return print_all(c, "text");
}

bool db_export(struct db_call *c)
{
    return print_all(c, "csv");
}

/* --- show ---------------------------------------------------------------------------------- */

static void line(struct buf *out, const char *name, struct slice value)
{
    if (value.n)
        buf_printf(out, "%-14s %.*s\n", name, SLICE_ARG(value));
}

static bool show_row(const struct inventory_row *row, void *arg)
{
    struct printer *p = arg;
    struct arena *a = p->a;

    if (p->n++ > 0)
        buf_byte(&p->out, '\n');
    if (row->kind != CERT_X509)
        line(&p->out, "Kind", slice_text(cert_kind_text(row->kind)));
    line(&p->out, "Serial", row->serial);
    line(&p->out, "Status", slice_text(status_of(row, p->now)));
    line(&p->out, row->kind == CERT_X509 ? "Subject" : "Key id", one_line(a, row->subject));
    line(&p->out, "Names", one_line(a, row->names));
    line(&p->out, "Key", row->key_type);
    line(&p->out, "Fingerprint", row->fingerprint);
    line(&p->out, "CA key", row->ca_key);
    line(&p->out, "Not before", time_text(a, row->not_before));
    line(&p->out, "Not after", time_text(a, row->not_after));
    line(&p->out, "Issued", time_text(a, row->issued_at));
    line(&p->out, "Provisioner",
         row->provisioner_name.n
             ? one_line(a, arena_format(a, "%.*s (%.*s)", SLICE_ARG(row->provisioner_name),
                                        SLICE_ARG(row->provisioner_type)))
             : SLICE(""));
    line(&p->out, "Provisioner id", one_line(a, row->provisioner_id));
    line(&p->out, "Renewed from", row->renewed_from);
    if (row->revoked_at) {
        line(&p->out, "Revoked", revoked_text(a, row->revoked_at, SLICE("at an unknown time")));
        line(&p->out, "Reason",
             one_line(a, arena_format(a, "%d %.*s", row->reason_code, SLICE_ARG(row->reason))));
    }
    put_certificate(p, row);
    return true;
}

static bool show_json(const struct inventory_row *row, void *arg)
{
    struct printer *p = arg;

    p->n++;
    put_json(p, row);
    buf_byte(&p->out, '\n');
    return true;
}

bool db_show(struct db_call *c)
{
    struct printer p = {
        .a = c->a, .out = buf_new(NULL, 64u << 20), .now = c->clock->now(c->clock).sec};
    struct inventory_query q = {0};
    struct db_source s = {0};
    struct slice serial;
    bool json = c->flags.format && strcmp(c->flags.format, "json") == 0;

    if (c->flags.format && !json && strcmp(c->flags.format, "text") != 0)
        return err_set(&c->e, ERR_MALFORMED,
                       "invalid value '%s' for flag '--format': expected text or json",
                       c->flags.format);
    if (c->flags.x509 && c->flags.ssh)
        return err_set(&c->e, ERR_MALFORMED, "--x509 and --ssh exclude each other");
    if (!serial_read(c->a, slice_text(c->words[0]), &serial, &c->e))
        return err_wrap(&c->e, "serial number %s", c->words[0]);
    q.serial = serial_decimal(c->a, serial);
    q.only_ssh = c->flags.ssh;
    q.only_x509 = c->flags.x509;
    bool ok = db_source_configured(c, &s) && ask(c, &s, &q, json ? show_json : show_row, &p);
    if (ok && p.n == 0)
        ok = err_set(&c->e, ERR_NOT_FOUND, "there is no certificate %.*s", SLICE_ARG(q.serial));
    ok = ok && emit(&p);
    buf_free(&p.out);
    db_source_close(&s);
    return ok;
}

/* --- stats --------------------------------------------------------------------------------- */

#define PROVISIONERS_MAX 1000
struct stats {
    int64_t now;
    uint64_t all, ssh, active, ended, revoked, week, month;
    struct arena *a;
    struct by {
        struct slice name;
        uint64_t n;
    } by[PROVISIONERS_MAX + 1]; /* the last: all others */
    size_t n_by;
    struct slice table;
    uint64_t rows;
};

static void count_provisioner(struct stats *s, struct slice name)
{
    size_t i = 0;

    while (i < s->n_by && !slice_eq(s->by[i].name, name))
        i++;
    if (i == s->n_by && i < PROVISIONERS_MAX) {
        s->by[i].name = arena_copy(s->a, name);
        s->n_by++;
    }
    s->by[i].n++;
}

static bool count_certificate(const struct inventory_row *row, void *arg)
{
    struct stats *s = arg;
    bool ended = row->not_after <= s->now, active = !ended && !row->revoked_at;

    s->all++;
    s->ssh += row->kind != CERT_X509;
    s->revoked += row->revoked_at != 0;
    s->ended += ended;
    s->active += active;
    s->week += active && row->not_after <= s->now + 7 * 86400;
    s->month += active && row->not_after <= s->now + 30 * 86400;
    count_provisioner(s, row->provisioner_name);
    return true;
}

static bool count_row(struct slice table, struct slice key, struct slice value UNUSED, void *arg,
                      struct err *e UNUSED)
{
    struct stats *s = arg;

    if (key.p) {
        s->rows++;
        return true;
    }
    if (s->table.p)
        printf("  %-50.*s %12llu\n", SLICE_ARG(s->table), (unsigned long long)s->rows);
    s->table = arena_copy(s->a, table);
    s->rows = 0;
    return true;
}

static void say(const char *what, uint64_t n)
{
    printf("%-52s %12llu\n", what, (unsigned long long)n);
}

static void say_certificates(const struct stats *s)
{
    say("Certificates", s->all);
    if (s->ssh)
        say("  of SSH", s->ssh);
    say("  active", s->active);
    say("  active, ending within 7 days", s->week);
    say("  active, ending within 30 days", s->month);
    say("  ended", s->ended);
    say("  revoked", s->revoked);
    printf("By provisioner\n");
    for (size_t i = 0; i <= s->n_by; i++) {
        struct slice name = i == s->n_by ? SLICE("(others)") : s->by[i].name;
        if (s->by[i].n)
            printf("  %-50.*s %12llu\n", SLICE_ARG(name.n ? one_line(s->a, name) : SLICE("(none)")),
                   (unsigned long long)s->by[i].n);
    }
}

bool db_stats(struct db_call *c)
{
    struct stats *s = arena_alloc(c->a, sizeof(*s));
    struct inventory_query q = {0};
    struct db_source source = {0};

    s->a = c->a;
    s->now = c->clock->now(c->clock).sec;
    bool ok = db_source_configured(c, &source);
    if (ok && source.store && (source.store->caps & STORE_INVENTORY)) {
        ok = ask(c, &source, &q, count_certificate, s);
        if (ok)
            say_certificates(s);
    }
    if (ok)
        printf("Rows\n");
    ok = ok && db_source_visit(&source, count_row, s, &c->e) &&
         count_row(SLICE(""), SLICE_NONE, SLICE_NONE, s, &c->e);
    db_source_close(&source);
    return ok;
}
