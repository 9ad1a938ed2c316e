/*
 * The text/template language with the function library that certificate templates use
 * (docs/reference/templates.md): values -> text.  A template is parsed once, is immutable
 * afterwards and may run in many threads at a time; everything that one run makes lies in the
 * arena that the caller hands in.
 *
 * A run cannot hang or exhaust the process: output, time, loop iterations, nesting and memory are
 * bounded.  What would leave the process or burn CPU is off unless the options allow it by name.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"
#include "json/json.h"

/* --- Values ---------------------------------------------------------------------------------- */

enum tkind {
    T_NONE, /* no value: an absent key */
    T_NIL,  /* null under a present key */
    T_BOOL,
    T_INT,
    T_UINT,
    T_FLOAT,
    T_COMPLEX,
    T_TEXT,
    T_BYTES, /* prints as a list of numbers, JSON base64; text.p == NULL: nil */
    T_LIST,  /* list == NULL: a nil list ("null" in JSON) */
    T_MAP,   /* names are texts, in ascending order; map == NULL: a nil map */
    T_TIME,
    T_OBJECT /* looked into lazily through its type; self == NULL: a nil pointer */
};

struct trun; /* one run of a template; what a method gets to see of it is trun_arena, trun_fail */
struct tvalue;

/* A field of an object type, in the order in which the fields print and stand in JSON. */
struct tfield {
    const char *name; /* as templates spell it: "CommonName" */
    const char *json; /* member name; NULL: not in JSON */
    bool omit_empty;  /* in JSON */
    /* Fills *out (T_NONE when untouched) with what self has there; memory from trun_arena. */
    bool (*get)(struct trun *run, const void *self, struct tvalue *out);
};

/* A method of a type.  params: one letter for each parameter, s text, i int, d whole number of
 * any size (durations), t time, a anything, o an object of the same type; the caller has checked
 * number and types. */
struct tmethod {
    const char *name, *params;
    bool (*call)(struct trun *run, const struct tvalue *self, const struct tvalue *args,
                 struct tvalue *out);
};

/* What a value is called and can do.  Static; users make their own for objects and named lists. */
struct ttype {
    const char *name; /* as typeOf and %T print it: "[]string", "*rsa.PublicKey" */
    const char *kind; /* as kindOf prints it: "slice", "ptr", "struct" */
    enum tkind is;
    const struct ttype *elem;  /* of lists and maps; NULL: anything */
    const struct ttype *plain; /* a named list or map: the unnamed type it stands for */
    const struct tfield *fields;
    size_t n_fields;
    const struct tmethod *methods;
    size_t n_methods;
    /* The type's own text ("String" method); NULL: `{a b}`, or as its kind prints. */
    bool (*text)(const struct tvalue *v, struct buf *out);
    /* What a printf verb makes of it; false: the type says nothing about that verb. */
    bool (*verb)(const struct tvalue *v, uint32_t verb, struct buf *out);
    /* The type's own JSON; NULL: from the fields, or as its kind does. */
    bool (*json)(const struct tvalue *v, struct buf *out);
};

struct tlist {
    size_t n;
    struct tvalue *items;
};
struct tmember {
    struct slice name;
    struct tvalue *value;
};
struct tmap {
    size_t n, cap;
    struct tmember *members; /* ascending by name */
};
struct tzone; /* zone.h */
struct ttime {
    struct instant at;
    const struct tzone *zone; /* NULL: UTC */
    int64_t mono;             /* nanoseconds of the monotonic clock; only when has_mono */
    bool has_mono;
};

struct tvalue {
    enum tkind kind;
    const struct ttype *type; /* NULL for T_NONE and T_NIL */
    union {
        bool truth;
        int64_t i;
        uint64_t u;
        double f;
        struct {
            double re, im;
        } c;
        struct slice text; /* T_TEXT, T_BYTES */
        struct tlist *list;
        struct tmap *map;
        const struct ttime *time;
        const void *self;
    };
};

/* The types of the language itself. */
extern const struct ttype TTYPE_BOOL, TTYPE_INT, TTYPE_INT32, TTYPE_INT64, TTYPE_UINT8,
    TTYPE_UINT32, TTYPE_UINT64, TTYPE_FLOAT, TTYPE_COMPLEX, TTYPE_TEXT, TTYPE_BYTES, TTYPE_TIME,
    TTYPE_DURATION, TTYPE_MONTH, TTYPE_WEEKDAY;
extern const struct ttype TTYPE_LIST, TTYPE_TEXTS, TTYPE_INTS, TTYPE_LISTS; /* []any, []string… */
extern const struct ttype TTYPE_MAP, TTYPE_TEXT_MAP; /* map[string]any, map[string]string */

static inline struct tvalue tvalue_none(void)
{
    return (struct tvalue){.kind = T_NONE};
}
static inline struct tvalue tvalue_nil(void)
{
    return (struct tvalue){.kind = T_NIL};
}
static inline struct tvalue tvalue_bool(bool b)
{
    return (struct tvalue){.kind = T_BOOL, .type = &TTYPE_BOOL, .truth = b};
}
static inline struct tvalue tvalue_int(int64_t i) /* Go's int */
{
    return (struct tvalue){.kind = T_INT, .type = &TTYPE_INT, .i = i};
}
static inline struct tvalue tvalue_int64(int64_t i)
{
    return (struct tvalue){.kind = T_INT, .type = &TTYPE_INT64, .i = i};
}
static inline struct tvalue tvalue_uint64(uint64_t u)
{
    return (struct tvalue){.kind = T_UINT, .type = &TTYPE_UINT64, .u = u};
}
static inline struct tvalue tvalue_float(double f)
{
    return (struct tvalue){.kind = T_FLOAT, .type = &TTYPE_FLOAT, .f = f};
}
/* Borrowed bytes. */
static inline struct tvalue tvalue_text(struct slice s)
{
    return (struct tvalue){.kind = T_TEXT, .type = &TTYPE_TEXT, .text = s.p ? s : slice_of("", 0)};
}
static inline struct tvalue tvalue_bytes(struct slice s)
{
    return (struct tvalue){.kind = T_BYTES, .type = &TTYPE_BYTES, .text = s};
}
static inline struct tvalue tvalue_object(const struct ttype *type, const void *self)
{
    return (struct tvalue){.kind = T_OBJECT, .type = type, .self = self};
}
/* An instant in UTC. */
struct tvalue tvalue_time(struct arena *a, struct instant at);
/* n elements (zeroed: T_NONE, to be filled through v.list->items).  type: TTYPE_LIST or another
 * list type. */
struct tvalue tvalue_list(struct arena *a, const struct ttype *type, size_t n);
/* []string (or a named type over it) of borrowed texts. */
struct tvalue tvalue_texts(struct arena *a, const struct ttype *type, const struct slice *texts,
                           size_t n);
/* An empty map. */
struct tvalue tvalue_map(struct arena *a, const struct ttype *type);
/* Sets or replaces a member; name is borrowed. */
void tmap_set(struct tmap *m, struct arena *a, struct slice name, struct tvalue value);
/* The member's value, NULL when absent. */
const struct tvalue *tmap_get(const struct tmap *m, struct slice name);
bool tmap_remove(struct tmap *m, struct slice name);
/* A JSON tree as values: numbers become floats, objects maps (the last of equal names wins).
 * Texts are borrowed from the tree. */
struct tvalue tvalue_from_json(struct arena *a, const struct json *v);

/* For fields and methods of object types. */
struct arena *trun_arena(struct trun *run);
/* The run ends with this cause; returns false. */
bool trun_fail(struct trun *run, const char *fmt, ...) PRINTF(2, 3);

/* --- Templates ------------------------------------------------------------------------------- */

/* Functions that leave the process or need certificates: handed in, and used only when allowed.
 * Each gets the arguments that the function library's one has. */
struct template_hooks {
    void *user;
    /* getHostByName: one address of a name. */
    bool (*host_by_name)(void *user, struct arena *a, struct slice name, struct slice *address,
                         struct err *e);
    /* genPrivateKey: type "rsa", "ecdsa", "ed25519"; PEM.  NULL: a key of crypto's own. */
    bool (*private_key)(void *user, struct arena *a, struct slice type, struct slice *pem,
                        struct err *e);
    /* genCA, genCAWithKey, genSelfSignedCert…, genSignedCert…, buildCustomCert: `name` says which;
     * args as the template wrote them (a certificate argument is a map of "Cert" and "Key"). */
    bool (*certificate)(void *user, struct arena *a, const char *name, const struct tvalue *args,
                        size_t n, struct slice *cert_pem, struct slice *key_pem, struct err *e);
};

enum template_set {
    TEMPLATE_X509, /* everything */
    TEMPLATE_SSH,  /* without the asn1 functions */
    TEMPLATE_TEXT  /* webhook URLs, SSH configuration files: without the time additions too */
};

struct template_options {
    enum template_set set;
    /* Names of functions that are off otherwise and on here (getHostByName, genPrivateKey, genCA,
     * genCAWithKey, genSelfSignedCert, genSelfSignedCertWithKey, genSignedCert,
     * genSignedCertWithKey, buildCustomCert, bcrypt, htpasswd, derivePassword).  One that is off
     * still parses; calling it ends the run with an error that says how to allow it. */
    const char *const *allow;
    size_t n_allow;
    const struct template_hooks *hooks; /* may be NULL: these functions stay off */
    struct clock *clock;                /* NULL: CLOCK_SYSTEM */
    struct rng *rng;                    /* NULL: RNG_SYSTEM */
    const char *local_zone;             /* NULL: the process's (TZ, else /etc/localtime) */
};

/* Is this the name of a function that has to be allowed (configuration checks)? */
bool template_function_is_off(struct slice name);

struct template;

/* name: what errors call it, "template" for certificates.  text and options must live as long as
 * a; the names in options->allow only during the call.  options may be NULL: TEMPLATE_X509, nothing
 * allowed.  ERR_MALFORMED "template: NAME:LINE:COLUMN: cause" (the column counts bytes from 0). */
struct template *template_parse(struct arena *a, const char *name, struct slice text,
                                const struct template_options *options, struct err *e) CHECKED;

struct template_limits {
    size_t output;       /* bytes */
    size_t memory;       /* bytes that a run may take from the arena, about */
    int64_t time_ns;     /* by the options' clock; an allowed costly function does not count */
    uint64_t iterations; /* of all loops together */
    unsigned depth;      /* templates within templates */
    unsigned costly;     /* calls of allowed functions */
};
/* 1 MiB, 32 MiB, 100 ms, 1 million, 1000, 4. */
extern const struct template_limits TEMPLATE_LIMITS;

#define TEMPLATE_FAIL "fail" /* err.code of what a template said with `fail` */

/*
 * Runs the template on data, which becomes dot and $ (T_NONE is allowed).  Maps that the template
 * sets members in are changed in place: data belongs to this run.  limits NULL: TEMPLATE_LIMITS.
 * What is written to out before an error is of no use.
 *
 * Errors: ERR_MALFORMED with code TEMPLATE_FAIL when the template called `fail`: e->tell is set,
 * e->text is its message (one line, cut at the end when very long) and e->notes has a note named
 * "fail" with the whole message, in a.  ERR_TOO_LARGE, ERR_TIMEOUT for the limits; ERR_INTERNAL
 * otherwise.  All but the first: `template: NAME:LINE:COLUMN: executing "NAME" at <…>: cause`.
 */
bool template_run(const struct template *t, const struct tvalue *data, struct arena *a,
                  const struct template_limits *limits, struct buf *out, struct err *e) CHECKED;

/* The values' own encoders, for tests and for data that was built from objects. */
bool tvalue_put_json(struct buf *b, const struct tvalue *v, struct arena *a, struct err *e) CHECKED;
