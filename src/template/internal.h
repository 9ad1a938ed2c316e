/*
 * Private to this folder: the tree, one run, and what its files offer each other.
 *
 * Errors.  A function of the library that fails says only its cause (run_fail and friends); the
 * evaluator knows the place and makes the sentence.  The first error stays.
 *
 * Memory.  What a run makes is charged to run->memory.  Small things (a list of what was handed in)
 * are charged and made at once; what can multiply (repeat, until, printf's width) is written to a
 * buffer that ends where the limit is.  The evaluator looks at the account after each call.
 */
#pragma once

#include "template/template.h"

/* --- The tree (parse.c) ---------------------------------------------------------------------- */

enum tnode_kind {
    N_TEXT,
    N_ACTION,
    N_IF,
    N_RANGE,
    N_WITH,
    N_TEMPLATE,
    N_BREAK,
    N_CONTINUE,
    N_LIST,
    N_PIPE,
    N_COMMAND,
    N_FUNCTION,
    N_FIELD,
    N_VARIABLE,
    N_CHAIN,
    N_DOT,
    N_NIL,
    N_BOOL,
    N_NUMBER,
    N_STRING,
    N_END, /* only while parsing, like N_ELSE */
    N_ELSE
};

/* A literal under all the types that can hold it. */
struct tnumber {
    bool is_int, is_uint, is_float, is_complex;
    int64_t i;
    uint64_t u;
    double f, re, im;
};

struct tfunc;
struct tnode {
    enum tnode_kind kind;
    uint32_t pos; /* offset in the text */
    struct tnode *next;
    struct slice text;   /* TEXT, FUNCTION and TEMPLATE: name; STRING: value; NUMBER: as written */
    struct slice quoted; /* STRING: as written */
    struct slice *names; /* FIELD, CHAIN: a.b.c; VARIABLE: "$x" first; PIPE: variables it sets */
    size_t n_names;
    struct tnode *pipe;  /* of ACTION, IF, RANGE, WITH, TEMPLATE; CHAIN: what is looked into */
    struct tnode *first; /* LIST: nodes; PIPE: commands; COMMAND: operands */
    struct tnode *body, *otherwise; /* lists of IF, RANGE, WITH */
    const struct tfunc *function;
    struct tnumber *number;
    bool truth;  /* BOOL */
    bool assign; /* PIPE: '=' instead of ':=' */
};

/* A named template of one text. */
struct tdef {
    struct tdef *next;
    struct slice name;
    struct tnode *root;
};

struct template
{
    const char *name;
    struct slice text;
    struct tdef *defs; /* the main one is the last */
    struct tdef *main;
    struct template_options options;
    const char *const *allow; /* copies */
};

/* Longest text; deepest nesting of blocks, and of parentheses (only these recurse: worker threads
 * have small stacks). */
#define TEXT_MAX 1048576u
#define NEST_MAX 100u

void template_options_copy(struct arena *a, struct template *t, const struct template_options *o);
/* What an error shows of a node: its source, normalized. */
void node_put(struct buf *b, const struct tnode *n);
void template_place(const struct template *t, uint32_t pos, unsigned *line, unsigned *column);

/* --- Functions ------------------------------------------------------------------------------- */

typedef bool function_fn(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out);

enum function_flags {
    FUNCTION_AND = 1, /* evaluated by the evaluator: they stop early */
    FUNCTION_OR = 2,
    FUNCTION_OFF = 4,  /* only when the options allow it */
    FUNCTION_TIME = 8, /* the certificate templates' own additions */
    FUNCTION_ASN1 = 16
};

/*
 * params, one letter each: s text, i int, u uint32, f float64, b bool, t time, m map of anything,
 * l list of anything, c certificate, a anything (no value becomes nil), v anything as it is.
 * A '*' at the end repeats the last letter any number of times, none included.
 */
struct tfunc {
    const char *name, *params;
    function_fn *call;
    unsigned flags;
};
/* NULL when the set of functions has none of that name. */
const struct tfunc *function_find(struct slice name, enum template_set set);

struct function_table {
    const struct tfunc *functions;
    size_t n;
};
extern const struct function_table FUNCTIONS_BUILTIN, FUNCTIONS_TEXT, FUNCTIONS_WORDS,
    FUNCTIONS_RANDOM, FUNCTIONS_NUMBER, FUNCTIONS_FLOAT, FUNCTIONS_LIST, FUNCTIONS_MAP,
    FUNCTIONS_JSON, FUNCTIONS_ENCODE, FUNCTIONS_PASSWORD, FUNCTIONS_HOOKS, FUNCTIONS_REFLECT,
    FUNCTIONS_REGEX, FUNCTIONS_SEMVER, FUNCTIONS_URL, FUNCTIONS_TIME, FUNCTIONS_DATE,
    FUNCTIONS_ASN1;

/* --- One run (run.c, exec.c) ----------------------------------------------------------------- */

struct tvariable {
    struct slice name;
    struct tvalue value;
};

struct trun {
    const struct template *t;
    const struct template_limits *limits;
    struct arena *a;
    struct buf *out;
    struct err *e;
    struct clock *clock;
    struct rng *rng;

    const struct tdef *def; /* what is being executed, and where */
    const struct tnode *at;
    struct tvariable *variables;
    size_t n_variables, cap_variables, base; /* base: the running template's first */
    struct tframe *frames;
    size_t n_frames, cap_frames;

    size_t memory;
    int64_t deadline;
    uint64_t steps, iterations;
    unsigned depth, costly;
    bool told; /* *e is complete */
    bool failed;
    enum err_kind kind;
    char cause[360];
    const struct tzone *local;
};

/* expr.c: what stands between "{{" and "}}".  final: what the pipeline hands over, or NULL. */
bool eval_pipeline(struct trun *run, const struct tvalue *dot, const struct tnode *pipe,
                   struct tvalue *out) CHECKED;
bool variable_push(struct trun *run, struct slice name, struct tvalue value) CHECKED;
bool variable_set(struct trun *run, struct slice name, struct tvalue value) CHECKED;
/* Makes the error sentence of what went wrong at run->at. */
bool exec_error(struct trun *run, const char *fmt, ...) PRINTF(2, 3);
bool exec_cause(struct trun *run, const char *what); /* "error calling WHAT: cause" */

/* The cause of a failure.  All return false. */
bool run_fail(struct trun *run, const char *fmt, ...) PRINTF(2, 3);
bool run_fail_kind(struct trun *run, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);
/* One step of work: time is looked at now and then. */
bool run_step(struct trun *run) CHECKED;
/* n steps' worth: for loops over text. */
bool run_steps(struct trun *run, size_t n) CHECKED;
/* Charged memory, zeroed. */
void *run_alloc(struct trun *run, size_t n);
/* The account is not overdrawn. */
bool run_memory_ok(struct trun *run) CHECKED;
/* A buffer that may grow as far as the account allows, and its end: a text value. */
struct buf run_buf(struct trun *run);
bool run_buf_done(struct trun *run, const struct buf *b) CHECKED;
bool run_text(struct trun *run, const struct buf *b, struct tvalue *out) CHECKED;
struct instant run_now(struct trun *run);
/* Even over 0 .. below - 1; below is not 0. */
uint64_t run_random(struct trun *run, uint64_t below);

/* Growing list of values. */
struct tlist_maker {
    struct tvalue *items;
    size_t n, cap;
};
bool list_add(struct trun *run, struct tlist_maker *m, struct tvalue v) CHECKED;
struct tvalue list_made(struct trun *run, const struct tlist_maker *m, const struct ttype *type);
struct tvalue run_list(struct trun *run, const struct ttype *type, size_t n);
void run_map_set(struct trun *run, struct tmap *m, struct slice name, struct tvalue value);

/* --- Values (value.c) ------------------------------------------------------------------------ */

bool value_is_nil(const struct tvalue *v); /* none, nil, or a nil list, map, pointer */
bool value_truth(const struct tvalue *v);
bool value_empty(const struct tvalue *v); /* as `default` sees it */
bool value_is_text(const struct tvalue *v);
bool value_is_list(const struct tvalue *v); /* bytes too */
size_t value_count(const struct tvalue *v); /* of a list */
struct tvalue value_item(const struct tvalue *v, size_t i);
const char *value_kind_name(const struct tvalue *v);
const char *value_type_name(const struct tvalue *v);
/* A value of that type may be handed to a parameter of that type. */
bool type_fits(const struct ttype *value, const struct ttype *parameter);
/* Deep equality: types matter. */
bool value_equal(struct trun *run, const struct tvalue *a, const struct tvalue *b, bool *equal);
/* Deepest nesting of a value that is printed, encoded, compared or copied. */
#define VALUE_DEPTH 200u

/* The text of a value as the function library makes it: texts and bytes as they are. */
bool value_text(struct trun *run, const struct tvalue *v, struct slice *text);
bool value_json(struct trun *run, struct buf *b, const struct tvalue *v, bool html,
                const char *indent);
double value_to_float(const struct tvalue *v);
int64_t value_to_int(const struct tvalue *v);

/* --- Printing (print.c, printf.c, float.c, quote.c) ------------------------------------------ */

struct tprint {
    struct trun *run;
    struct buf *b;
    bool width_set, precision_set, minus, plus, sharp, space, zero, plus_v, sharp_v;
    bool erroring;
    int width, precision;
};
void print_value(struct tprint *p, const struct tvalue *v, uint32_t verb, unsigned depth);
bool print_plain(struct trun *run, struct buf *b, const struct tvalue *v); /* %v */
bool print_all(struct trun *run, struct buf *b, const struct tvalue *args, size_t n, bool line);
bool print_format(struct trun *run, struct buf *b, struct slice format, const struct tvalue *args,
                  size_t n);
/* strconv's: format e E f g G x X b, precision -1: shortest. */
void float_put(struct buf *b, double v, char format, int precision);
/* Go quoting; quote is '"' or '\''.  ascii: escape everything that is not ASCII. */
void quote_put(struct buf *b, struct slice s, char quote, bool ascii);
void quote_rune_put(struct buf *b, uint32_t rune, bool ascii);
bool rune_printable(uint32_t rune);
/* What stands between quotes or backquotes, quotes included. */
bool unquote(struct arena *a, struct slice quoted, struct slice *text) CHECKED;
/* 'c' */
bool unquote_char(struct slice quoted, uint32_t *rune) CHECKED;

/* --- Text (text.c) --------------------------------------------------------------------------- */

/* The rune at s.p[at]; U+FFFD and 1 for a bad byte. */
size_t rune_at(struct slice s, size_t at, uint32_t *rune);
size_t rune_before(struct slice s, size_t end, uint32_t *rune); /* the one that ends at end */
size_t rune_count(struct slice s);
void rune_put(struct buf *b, uint32_t rune); /* surrogates and beyond: U+FFFD */
bool rune_is_letter(uint32_t r);
bool rune_is_digit(uint32_t r);
bool rune_is_space(uint32_t r);
bool rune_is_upper(uint32_t r);
bool rune_is_lower(uint32_t r);
bool rune_is_title(uint32_t r);
bool rune_is_punct(uint32_t r);
bool rune_is_number(uint32_t r);
uint32_t rune_upper(uint32_t r);
uint32_t rune_lower(uint32_t r);
uint32_t rune_title(uint32_t r);

/* "FirstName" -> "first_name" (words.c) */
void words_join(struct buf *b, struct slice s, char connector);
void words_camel(struct buf *b, struct slice s);

/* --- Numbers (number.c): Go's literal syntax ------------------------------------------------- */

bool number_int(struct slice s, int base, int64_t *v) CHECKED; /* base 0: by prefix, '_' */
bool number_uint(struct slice s, int base, uint64_t *v) CHECKED;
bool number_float(struct slice s, double *v) CHECKED;
int64_t float_to_int(double d); /* what the reference's machine does out of range */

/* --- Time (time_*.c, zone.c) ----------------------------------------------------------------- */

struct tzone;
/* NULL: unknown. */
const struct tzone *zone_load(struct trun *run, struct slice name);
const struct tzone *zone_local(struct trun *run);
const struct tzone *zone_fixed(struct arena *a, struct slice name, int32_t offset);
/* Offset in seconds and abbreviation at an instant; zone NULL: UTC. */
int32_t zone_at(const struct tzone *zone, int64_t sec, struct slice *abbreviation);
bool zone_is_utc(const struct tzone *zone);
/* An instant by its local reading. */
int64_t zone_resolve(const struct tzone *zone, int64_t local);
/* The offset that the zone uses for an abbreviation, if it ever does. */
bool zone_abbreviation(const struct tzone *zone, struct slice name, int64_t near, int32_t *offset);

struct tcivil {
    int64_t year;
    int month, day, hour, minute, second, weekday, yearday;
    int32_t offset;
    struct slice zone;
};
struct tcivil civil_of(const struct ttime *t);
/* Seconds since 1970 of a civil UTC reading; fields may be out of range. */
int64_t civil_seconds(int64_t year, int64_t month, int64_t day, int64_t hour, int64_t minute,
                      int64_t second);
void time_put(struct buf *b, const struct ttime *t, struct slice layout);
void time_put_plain(struct buf *b, const struct ttime *t); /* its String method */
bool time_read(struct trun *run, struct slice layout, struct slice text, const struct tzone *usual,
               const struct tzone *local, struct ttime *out, const char **why);
bool time_put_json(struct buf *b, const struct ttime *t);
struct tvalue time_value(struct trun *run, struct ttime t);
struct slice time_layout(struct slice name);
extern const char MONTHS[12][10], WEEKDAYS[7][10];

/* --- Decimal numbers (decimal.c) ------------------------------------------------------------- */

enum decimal_op { DECIMAL_ADD, DECIMAL_SUB, DECIMAL_MUL, DECIMAL_DIV };
bool decimal_fold(struct trun *run, enum decimal_op op, const double *v, size_t n, double *out);
