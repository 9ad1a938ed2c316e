/*
 * Time zones from the system's database (TZif, RFC 9636).  A zone is read when a template names it,
 * into the run's arena; a name can only lead below the database's folder.  After the last
 * transition the rule at the file's end goes on.
 */
#include <stdlib.h>

#include "base/file.h"
#include "template/internal.h"

#define ZONE_FOLDER "/usr/share/zoneinfo/"
#define ZONE_LOCAL  "/etc/localtime"
#define ZONE_MAX    65536u

struct kind {
    int32_t offset;
    bool summer;
    struct slice name;
};

/* When summer begins or ends: Mm.w.d, Jn or n, and the second of the day. */
struct rule_day {
    char form;
    int month, week, day;
    int32_t second;
};

struct tail_rule {
    bool there, has_summer;
    struct kind usual, summer;
    struct rule_day begin, end;
};

struct tzone {
    size_t n, n_kinds;
    int64_t *at;
    uint8_t *which;
    struct kind *kinds;
    struct tail_rule tail;
};

/* --- Reading the file ------------------------------------------------------------------------ */

struct cursor {
    struct slice s;
    size_t at;
    bool bad;
};

static struct slice take(struct cursor *c, size_t n)
{
    if (c->bad || c->s.n - c->at < n) {
        c->bad = true;
        return slice_of("\0\0\0\0\0\0\0\0", 8);
    }
    c->at += n;
    return slice_of(c->s.p + c->at - n, n);
}

static int64_t take_int(struct cursor *c, size_t n)
{
    struct slice s = take(c, n);
    uint64_t v = s.p[0] & 0x80 ? UINT64_MAX : 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | s.p[i];
    return (int64_t)v;
}

struct counts {
    size_t utc, standard, leap, times, types, names;
};

static uint8_t take_header(struct cursor *c, struct counts *n)
{
    struct slice head = take(c, 20);
    size_t *const fields[] = {&n->utc, &n->standard, &n->leap, &n->times, &n->types, &n->names};

    if (c->bad || !slice_starts(head, "TZif")) {
        c->bad = true;
        return 0;
    }
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        *fields[i] = (size_t)(take_int(c, 4) & 0xffffff);
    return head.p[4];
}

static bool read_body(struct arena *a, struct cursor *c, const struct counts *n, size_t width,
                      struct tzone *z)
{
    struct slice names;

    if (!n->types || n->types > 256)
        return false;
    z->n = n->times;
    z->n_kinds = n->types;
    z->at = arena_array(a, n->times + 1, sizeof(*z->at));
    z->which = arena_alloc(a, n->times + 1);
    z->kinds = arena_array(a, n->types, sizeof(*z->kinds));
    for (size_t i = 0; i < n->times && !c->bad; i++)
        z->at[i] = take_int(c, width);
    for (size_t i = 0; i < n->times && !c->bad; i++) {
        z->which[i] = take(c, 1).p[0];
        c->bad |= z->which[i] >= n->types;
    }
    size_t *starts = arena_array(a, n->types, sizeof(*starts));
    for (size_t i = 0; i < n->types && !c->bad; i++) {
        z->kinds[i].offset = (int32_t)take_int(c, 4);
        z->kinds[i].summer = take(c, 1).p[0];
        starts[i] = take(c, 1).p[0];
    }
    names = take(c, n->names);
    for (size_t i = 0; i < n->types && !c->bad; i++) {
        struct slice rest = slice_from(names, starts[i]);
        z->kinds[i].name = arena_copy(a, slice_sub(rest, 0, slice_find(rest, 0)));
    }
    take(c, n->leap * (width + 4) + n->standard + n->utc);
    return !c->bad;
}

/* --- The rule at the end (POSIX TZ) ---------------------------------------------------------- */

static bool rule_name(struct slice *s, struct slice *name)
{
    size_t n = 0;

    if (s->n && s->p[0] == '<') {
        n = slice_find(*s, '>');
        *name = slice_sub(*s, 1, n - 1);
        *s = slice_from(*s, n + 1);
        return n > 1;
    }
    while (n < s->n && rune_is_letter(s->p[n]))
        n++;
    *name = slice_sub(*s, 0, n);
    *s = slice_from(*s, n);
    return n >= 3;
}

static bool rule_number(struct slice *s, int most, int *v)
{
    size_t n = 0;

    for (*v = 0; n < s->n && s->p[n] >= '0' && s->p[n] <= '9' && *v <= most; n++)
        *v = *v * 10 + (s->p[n] - '0');
    *s = slice_from(*s, n);
    return n && *v <= most;
}

/* [+-]h[:m[:s]] */
static bool rule_time(struct slice *s, int32_t *seconds)
{
    static const int UNITS[] = {3600, 60, 1};
    bool negative = s->n && s->p[0] == '-';
    int v;

    if (s->n && (s->p[0] == '-' || s->p[0] == '+'))
        *s = slice_from(*s, 1);
    *seconds = 0;
    for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
        if (!rule_number(s, i ? 59 : 168, &v))
            return false;
        *seconds += v * UNITS[i];
        if (!s->n || s->p[0] != ':')
            break;
        *s = slice_from(*s, 1);
    }
    if (negative)
        *seconds = -*seconds;
    return true;
}

static bool skip(struct slice *s, char c)
{
    if (!s->n || s->p[0] != (uint8_t)c)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

static bool rule_day(struct slice *s, struct rule_day *d)
{
    if (!skip(s, ','))
        return false;
    d->form = s->n && (s->p[0] == 'M' || s->p[0] == 'J') ? (char)s->p[0] : '0';
    if (d->form != '0')
        *s = slice_from(*s, 1);
    if (d->form == 'M') {
        if (!rule_number(s, 12, &d->month) || !d->month || !skip(s, '.') ||
            !rule_number(s, 5, &d->week) || !d->week || !skip(s, '.') ||
            !rule_number(s, 6, &d->day))
            return false;
    } else if (!rule_number(s, 366, &d->day)) {
        return false;
    }
    d->second = 7200;
    return !skip(s, '/') || rule_time(s, &d->second);
}

static void read_rule(struct arena *a, struct slice s, struct tail_rule *r)
{
    s = arena_copy(a, s);
    if (!rule_name(&s, &r->usual.name) || !rule_time(&s, &r->usual.offset))
        return;
    r->usual.offset = -r->usual.offset;
    r->there = true;
    if (!s.n)
        return;
    r->there = rule_name(&s, &r->summer.name);
    r->summer.offset = r->usual.offset + 3600;
    if (s.n && s.p[0] != ',') {
        r->there &= rule_time(&s, &r->summer.offset);
        r->summer.offset = -r->summer.offset;
    }
    r->summer.summer = true;
    r->has_summer = true;
    r->there &= rule_day(&s, &r->begin) && rule_day(&s, &r->end);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Second of the year at which a rule's day begins, plus its time. */
static int64_t rule_second(const struct rule_day *d, int64_t year)
{
    int64_t day = d->day, first;
    int weekday;

    if (d->form == 'J')
        day = d->day - 1 + (is_leap(year) && d->day >= 60);
    if (d->form != 'M')
        return day * 86400 + d->second;
    first = civil_seconds(year, d->month, 1, 0, 0, 0) / 86400;
    weekday = (int)(((first + 4) % 7 + 7) % 7);
    day = (d->day - weekday + 7) % 7 + 7 * (d->week - 1);
    int64_t length = civil_seconds(year, d->month + 1, 1, 0, 0, 0) / 86400 - first;
    while (day >= length)
        day -= 7;
    return (first + day) * 86400 - civil_seconds(year, 1, 1, 0, 0, 0) + d->second;
}

static const struct kind *by_rule(const struct tail_rule *r, int64_t sec)
{
    struct ttime t = {.at = {(int64_t)((uint64_t)sec + (uint64_t)r->usual.offset), 0}};
    struct tcivil c = civil_of(&t);
    int64_t start = civil_seconds(c.year, 1, 1, 0, 0, 0), begin, end;
    int64_t now = (int64_t)((uint64_t)sec - (uint64_t)start);

    if (!r->has_summer)
        return &r->usual;
    begin = rule_second(&r->begin, c.year) - r->usual.offset;
    end = rule_second(&r->end, c.year) - r->summer.offset;
    bool summer = begin < end ? now >= begin && now < end : now >= begin || now < end;
    return summer ? &r->summer : &r->usual;
}

/* --- Zones ----------------------------------------------------------------------------------- */

static const struct tzone *read_zone(struct arena *a, struct slice file)
{
    struct tzone *z = arena_alloc(a, sizeof(*z));
    struct cursor c = {file, 0, false};
    struct counts n = {0};
    size_t width = 4;

    if (take_header(&c, &n) >= '2') {
        take(&c, n.times * 5 + n.types * 6 + n.names + n.leap * 8 + n.standard + n.utc);
        take_header(&c, &n);
        width = 8;
    }
    if (c.bad || !read_body(a, &c, &n, width, z))
        return NULL;
    if (width == 8 && c.at < file.n && file.p[c.at] == '\n') {
        struct slice rest = slice_from(file, c.at + 1);
        read_rule(a, slice_sub(rest, 0, slice_find(rest, '\n')), &z->tail);
    }
    return z;
}

static const struct tzone *load_path(struct trun *run, const char *path)
{
    struct slice file;

    if (!file_read(run->a, path, false, ZONE_MAX, &file, NULL))
        return NULL;
    run->memory += ZONE_MAX;
    return read_zone(run->a, file);
}

static bool name_is_safe(struct slice name)
{
    if (!name.n || name.n > 64 || name.p[0] == '/' || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && !(c && strchr("/_+-", c)))
            return false;
    }
    return true;
}

static const struct tzone ZONE_UTC = {
    .n_kinds = 1,
    .kinds = (struct kind[]){{0, false, {(const uint8_t *)"UTC", 3}}},
};

const struct tzone *zone_load(struct trun *run, struct slice name)
{
    if (!name.n || slice_is(name, "UTC"))
        return &ZONE_UTC;
    if (!name_is_safe(name))
        return NULL;
    return load_path(run, arena_printf(run->a, ZONE_FOLDER "%.*s", SLICE_ARG(name)));
}

const struct tzone *zone_local(struct trun *run)
{
    const char *name = run->t->options.local_zone;

    if (run->local)
        return run->local;
    if (!name)
        name = getenv("TZ");
    if (!name) {
        run->local = load_path(run, ZONE_LOCAL);
    } else {
        struct slice s = slice_text(name);
        if (s.n && s.p[0] == ':')
            s = slice_from(s, 1);
        run->local = s.n && s.p[0] == '/' ? load_path(run, (const char *)s.p) : zone_load(run, s);
    }
    if (!run->local)
        run->local = &ZONE_UTC;
    return run->local;
}

const struct tzone *zone_fixed(struct arena *a, struct slice name, int32_t offset)
{
    struct tzone *z = arena_alloc(a, sizeof(*z));

    z->n_kinds = 1;
    z->kinds = arena_alloc(a, sizeof(*z->kinds));
    *z->kinds = (struct kind){offset, false, name};
    return z;
}

/* Before the first transition: the first kind when no transition uses it, else the first that is
 * not summer. */
static const struct kind *first_kind(const struct tzone *z)
{
    bool used = false;

    for (size_t i = 0; i < z->n && !used; i++)
        used = z->which[i] == 0;
    if (!used)
        return &z->kinds[0];
    if (z->n && z->kinds[z->which[0]].summer)
        for (size_t i = z->which[0]; i > 0; i--)
            if (!z->kinds[i - 1].summer)
                return &z->kinds[i - 1];
    for (size_t i = 0; i < z->n_kinds; i++)
        if (!z->kinds[i].summer)
            return &z->kinds[i];
    return &z->kinds[0];
}

static const struct kind *kind_at(const struct tzone *z, int64_t sec)
{
    size_t low = 0, high = z->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (z->at[middle] <= sec)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == z->n && z->tail.there)
        return by_rule(&z->tail, sec);
    return low ? &z->kinds[z->which[low - 1]] : first_kind(z);
}

bool zone_is_utc(const struct tzone *zone)
{
    return !zone || zone == &ZONE_UTC;
}

int32_t zone_at(const struct tzone *zone, int64_t sec, struct slice *abbreviation)
{
    const struct kind *k = kind_at(zone ? zone : &ZONE_UTC, sec);

    if (abbreviation)
        *abbreviation = k->name;
    return k->offset;
}

int64_t zone_resolve(const struct tzone *zone, int64_t local)
{
    int32_t offset = zone_at(zone, local, NULL);

    if (offset)
        offset = zone_at(zone, (int64_t)((uint64_t)local - (uint64_t)offset), NULL);
    return (int64_t)((uint64_t)local - (uint64_t)offset);
}

bool zone_abbreviation(const struct tzone *zone, struct slice name, int64_t near, int32_t *offset)
{
    const struct tzone *z = zone ? zone : &ZONE_UTC;
    struct slice now;

    for (size_t i = 0; i < z->n_kinds; i++) {
        *offset = z->kinds[i].offset;
        if (!slice_eq(z->kinds[i].name, name))
            continue;
        int32_t real = zone_at(z, near - *offset, &now);
        if (slice_eq(now, name)) {
            *offset = real;
            return true;
        }
    }
    for (size_t i = 0; i < z->n_kinds; i++)
        if (slice_eq(z->kinds[i].name, name)) {
            *offset = z->kinds[i].offset;
            return true;
        }
    return false;
}
