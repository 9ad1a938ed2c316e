/*
 * Evaluating what stands in an action: pipelines of commands whose first operand is a function, a
 * field or method, a variable or a literal.  A call checks how many arguments there are and whether
 * each fits its parameter before the function sees them; functions never look at types again.
 */
#include "template/internal.h"

static bool eval_command(struct trun *run, const struct tvalue *dot, const struct tnode *c,
                         const struct tvalue *final, struct tvalue *out);
static bool eval_function(struct trun *run, const struct tvalue *dot, const struct tnode *n,
                          const struct tnode *at, const struct tnode *args,
                          const struct tvalue *final, struct tvalue *out);

static const char *shown(struct trun *run, const struct tnode *n)
{
    struct buf b = buf_new(run->a, 80);
    node_put(&b, n);
    return arena_printf(run->a, "%.*s%s", SLICE_ARG(buf_slice(&b)), b.failed ? "..." : "");
}

bool eval_pipeline(struct trun *run, const struct tvalue *dot, const struct tnode *pipe,
                   struct tvalue *out)
{
    struct tvalue v = tvalue_none();
    bool first = true;

    run->at = pipe;
    for (const struct tnode *c = pipe->first; c; c = c->next) {
        struct tvalue before = v;
        if (!eval_command(run, dot, c, first ? NULL : &before, &v))
            return false;
        if (v.kind == T_NIL) /* what a container holds as null is no value once it was looked at */
            v = tvalue_none();
        first = false;
    }
    /* range fills in its variables itself, round by round. */
    for (size_t i = 0; i < pipe->n_names; i++)
        if (pipe->assign ? !variable_set(run, pipe->names[i], v)
                         : !variable_push(run, pipe->names[i], v))
            return false;
    *out = v;
    return true;
}

/* --- Parameters ------------------------------------------------------------------------------ */

static const char *parameter_name(char letter)
{
    static const struct {
        char letter;
        const char *name;
    } NAMES[] = {
        {'s', "string"},
        {'i', "int"},
        {'u', "uint32"},
        {'f', "float64"},
        {'b', "bool"},
        {'t', "time.Time"},
        {'d', "time.Duration"},
        {'l', "[]interface {}"},
        {'m', "map[string]interface {}"},
        {'c', "sprig.certificate"},
    };

    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (NAMES[i].letter == letter)
            return NAMES[i].name;
    return "interface {}";
}

static bool fits(char letter, const struct tvalue *v, const struct ttype *own)
{
    switch (letter) {
    case 's':
        return v->kind == T_TEXT && v->type == &TTYPE_TEXT;
    case 'i':
        return v->type == &TTYPE_INT;
    case 'u':
        return v->type == &TTYPE_UINT32;
    case 'f':
        return v->type == &TTYPE_FLOAT;
    case 'b':
        return v->type == &TTYPE_BOOL;
    case 't':
        return v->type == &TTYPE_TIME;
    case 'd':
        return v->type == &TTYPE_DURATION;
    case 'l':
        return v->kind == T_LIST && type_fits(v->type, &TTYPE_LIST);
    case 'm':
        return v->kind == T_MAP && type_fits(v->type, &TTYPE_MAP);
    case 'c':
        return v->kind == T_MAP || (v->kind == T_OBJECT && v->type->is == T_OBJECT);
    default: /* 'o' */
        return v->type == own;
    }
}

/* Makes *v what the parameter takes. */
static bool validate(struct trun *run, char letter, const struct ttype *own, struct tvalue *v)
{
    if (letter == 'v')
        return true;
    if (letter == 'a') {
        if (v->kind == T_NONE)
            *v = tvalue_nil();
        return true;
    }
    if (v->kind == T_NONE) {
        if (letter == 'l')
            *v = (struct tvalue){.kind = T_LIST, .type = &TTYPE_LIST};
        else if (letter == 'm')
            *v = (struct tvalue){.kind = T_MAP, .type = &TTYPE_MAP};
        else
            return exec_error(run, "invalid value; expected %s", parameter_name(letter));
        return true;
    }
    if (v->kind == T_NIL || !fits(letter, v, own))
        return exec_error(run, "wrong type for value; expected %s; got %s", parameter_name(letter),
                          v->kind == T_NIL ? "interface {}" : value_type_name(v));
    return true;
}

static bool constant(struct trun *run, const struct tnode *n, struct tvalue *out)
{
    const struct tnumber *c = n->number;
    struct slice text = n->text;
    bool rune = text.p[0] == '\'',
         hex = text.n > 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x', mark = false;

    run->at = n;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t ch = text.p[i];
        mark |= ch == '.' || ch == 'p' || ch == 'P' || (!hex && (ch == 'e' || ch == 'E'));
    }
    if (c->is_complex)
        *out = (struct tvalue){.kind = T_COMPLEX, .type = &TTYPE_COMPLEX, .c = {c->re, c->im}};
    else if (c->is_float && !rune && mark)
        *out = tvalue_float(c->f);
    else if (c->is_int)
        *out = tvalue_int(c->i);
    else
        return exec_error(run, "%.*s overflows int", SLICE_ARG(text));
    return true;
}

static bool literal_for(struct trun *run, char letter, const struct tnode *n, struct tvalue *out)
{
    const struct tnumber *c = n->number;

    run->at = n;
    switch (letter) {
    case 's':
        *out = tvalue_text(n->text);
        return n->kind == N_STRING || exec_error(run, "expected string; found %s", shown(run, n));
    case 'b':
        *out = tvalue_bool(n->truth);
        return n->kind == N_BOOL || exec_error(run, "expected bool; found %s", shown(run, n));
    case 'i':
    case 'd':
        if (n->kind != N_NUMBER || !c->is_int)
            return exec_error(run, "expected integer; found %s", shown(run, n));
        *out = tvalue_int(c->i);
        if (letter == 'd')
            out->type = &TTYPE_DURATION;
        return true;
    case 'u':
        if (n->kind != N_NUMBER || !c->is_uint)
            return exec_error(run, "expected unsigned integer; found %s", shown(run, n));
        *out = tvalue_uint64((uint32_t)c->u);
        out->type = &TTYPE_UINT32;
        return true;
    case 'f':
        if (n->kind != N_NUMBER || !c->is_float)
            return exec_error(run, "expected float; found %s", shown(run, n));
        *out = tvalue_float(c->f);
        return true;
    case 'a':
    case 'v':
        if (n->kind == N_NUMBER)
            return constant(run, n, out);
        *out = n->kind == N_BOOL ? tvalue_bool(n->truth) : tvalue_text(n->text);
        return true;
    default:
        return exec_error(run, "can't handle %s for arg of type %s", shown(run, n),
                          parameter_name(letter));
    }
}

static bool nil_for(struct trun *run, char letter, struct tvalue *out)
{
    if (!strchr("lmav", letter))
        return exec_error(run, "cannot assign nil to %s", parameter_name(letter));
    *out = tvalue_none();
    return validate(run, letter, NULL, out);
}

static bool eval_chain(struct trun *run, const struct tvalue *dot, const struct tnode *n,
                       const struct tnode *args, const struct tvalue *final, struct tvalue *out);

/* An operand as it is; literals are the caller's. */
static bool eval_operand(struct trun *run, const struct tvalue *dot, const struct tnode *n,
                         struct tvalue *out)
{
    switch (n->kind) {
    case N_DOT:
        *out = *dot;
        return true;
    case N_PIPE:
        return eval_pipeline(run, dot, n, out);
    case N_FUNCTION:
        return eval_function(run, dot, n, n, NULL, NULL, out);
    default:
        return eval_chain(run, dot, n, NULL, NULL, out);
    }
}

static bool eval_arg(struct trun *run, const struct tvalue *dot, char letter,
                     const struct ttype *own, const struct tnode *n, struct tvalue *out)
{
    run->at = n;
    if (n->kind == N_NIL)
        return nil_for(run, letter, out);
    if (n->kind == N_BOOL || n->kind == N_NUMBER || n->kind == N_STRING)
        return literal_for(run, letter, n, out);
    return eval_operand(run, dot, n, out) && validate(run, letter, own, out);
}

/* --- Calls ----------------------------------------------------------------------------------- */

struct call {
    const char *name, *params;
    const struct ttype *own; /* methods: whose */
    const struct tnode *args;
    const struct tvalue *final;
    struct tvalue *values;
    size_t n;
};

static bool count_args(struct trun *run, struct call *c, size_t *given)
{
    size_t fixed = strlen(c->params);
    bool more = fixed && c->params[fixed - 1] == '*';

    fixed -= more ? 2 : 0;
    *given = 0;
    for (const struct tnode *n = c->args; n; n = n->next)
        ++*given;
    c->n = *given + (c->final != NULL);
    if (more ? c->n >= fixed : c->n == fixed)
        return true;
    return exec_error(run, "wrong number of args for %s: want %s%zu got %zu", c->name,
                      more ? "at least " : "", fixed, more ? *given : c->n);
}

static char letter_at(const char *params, size_t i)
{
    size_t n = strlen(params);

    if (params[n - 1] != '*')
        return params[i];
    return i < n - 2 ? params[i] : params[n - 2];
}

static bool collect(struct trun *run, const struct tvalue *dot, struct call *c)
{
    size_t given, i = 0;

    if (!count_args(run, c, &given))
        return false;
    c->values = run_alloc(run, (c->n + 1) * sizeof(*c->values));
    for (const struct tnode *n = c->args; n; n = n->next, i++)
        if (!eval_arg(run, dot, letter_at(c->params, i), c->own, n, &c->values[i]))
            return false;
    if (!c->final)
        return true;
    c->values[i] = *c->final;
    return validate(run, letter_at(c->params, i), c->own, &c->values[i]);
}

/* `and` and `or` stop at the first argument that decides. */
static bool eval_logic(struct trun *run, const struct tvalue *dot, const struct tfunc *f,
                       const struct tnode *args, const struct tvalue *final, struct tvalue *out)
{
    bool stop_at = f->flags & FUNCTION_OR;

    if (!args && !final)
        return exec_error(run, "wrong number of args for %s: want at least 1 got 0", f->name);
    for (; args; args = args->next) {
        if (!eval_arg(run, dot, 'v', NULL, args, out))
            return false;
        if (value_truth(out) == stop_at)
            return true;
    }
    if (final)
        *out = *final;
    return true;
}

static bool allowed(struct trun *run, const struct tfunc *f)
{
    size_t i = 0, n = run->t->options.n_allow;

    while (i < n && strcmp(run->t->allow[i], f->name) != 0)
        i++;
    if (i == n)
        return run_fail(run, "the function is off; the configuration can allow it "
                             "(authority.templateFunctions)");
    if (++run->costly > run->limits->costly)
        return run_fail_kind(run, ERR_TOO_LARGE, "more than %u calls of costly functions",
                             run->limits->costly);
    return true;
}

static bool call_function(struct trun *run, const struct tfunc *f, const struct call *c,
                          struct tvalue *out)
{
    if (!(f->flags & FUNCTION_OFF))
        return f->call(run, c->values, c->n, out);
    if (!allowed(run, f))
        return false;
    /* Who allowed it wants it: its time does not count. */
    int64_t before = run->clock->mono_ns(run->clock);
    bool good = f->call(run, c->values, c->n, out);
    run->deadline += run->clock->mono_ns(run->clock) - before;
    return good;
}

static bool eval_function(struct trun *run, const struct tvalue *dot, const struct tnode *n,
                          const struct tnode *at, const struct tnode *args,
                          const struct tvalue *final, struct tvalue *out)
{
    const struct tfunc *f = n->function;
    struct call c = {.name = f->name, .params = f->params, .args = args, .final = final};

    run->at = n;
    *out = tvalue_none();
    if (f->flags & (FUNCTION_AND | FUNCTION_OR))
        return eval_logic(run, dot, f, args, final, out);
    if (!collect(run, dot, &c))
        return false;
    if (call_function(run, f, &c, out) && run_step(run) && run_memory_ok(run))
        return true;
    run->at = at;
    return exec_cause(run, f->name);
}

/* --- Fields and methods ---------------------------------------------------------------------- */

static const struct tmethod *find_method(const struct ttype *t, struct slice name)
{
    for (size_t i = 0; i < t->n_methods; i++)
        if (slice_is(name, t->methods[i].name))
            return &t->methods[i];
    return NULL;
}

static const struct tfield *find_field(const struct ttype *t, struct slice name)
{
    for (size_t i = 0; i < t->n_fields; i++)
        if (slice_is(name, t->fields[i].name))
            return &t->fields[i];
    return NULL;
}

static bool call_method(struct trun *run, const struct tvalue *dot, const struct tvalue *self,
                        const struct tmethod *m, const struct tnode *args,
                        const struct tvalue *final, struct tvalue *out)
{
    struct call c = {m->name, m->params, self->type, args, final, NULL, 0};
    const struct tnode *at = run->at;

    if (self->kind == T_OBJECT && !self->self)
        return exec_error(run, "nil pointer evaluating %s.%s", self->type->name, m->name);
    if (!collect(run, dot, &c))
        return false;
    *out = tvalue_none();
    if (m->call(run, self, c.values, out) && run_memory_ok(run))
        return true;
    run->at = at;
    return exec_cause(run, m->name);
}

static bool object_field(struct trun *run, const struct tvalue *v, const struct tfield *f,
                         struct tvalue *out)
{
    if (!v->self)
        return exec_error(run, "nil pointer evaluating %s.%s", v->type->name, f->name);
    *out = tvalue_none();
    return f->get(run, v->self, out) ? true : exec_cause(run, f->name);
}

static bool eval_field(struct trun *run, const struct tvalue *dot, struct slice name,
                       const struct tnode *args, const struct tvalue *final, struct tvalue v,
                       struct tvalue *out)
{
    *out = tvalue_none();
    if (v.kind == T_NONE)
        return true;
    if (v.kind == T_NIL)
        return exec_error(run, "nil pointer evaluating interface {}.%.*s", SLICE_ARG(name));
    const struct tmethod *m = find_method(v.type, name);
    if (m)
        return call_method(run, dot, &v, m, args, final, out);
    const struct tfield *f = v.kind == T_OBJECT ? find_field(v.type, name) : NULL;
    if (!f && v.kind != T_MAP)
        return exec_error(run, "can't evaluate field %.*s in type %s", SLICE_ARG(name),
                          value_type_name(&v));
    if (args || final)
        return exec_error(run,
                          f ? "%.*s has arguments but cannot be invoked as function"
                            : "%.*s is not a method but has arguments",
                          SLICE_ARG(name));
    if (f)
        return object_field(run, &v, f, out);
    const struct tvalue *member = v.map ? tmap_get(v.map, name) : NULL;
    if (member)
        *out = *member;
    return true;
}

static const struct tvalue *find_variable(const struct trun *run, struct slice name)
{
    for (size_t i = run->n_variables; i > run->base; i--)
        if (slice_eq(run->variables[i - 1].name, name))
            return &run->variables[i - 1].value;
    return NULL;
}

static bool no_arguments(struct trun *run, const struct tnode *n, const struct tnode *args,
                         const struct tvalue *final)
{
    return (!args && !final) ||
           exec_error(run, "can't give argument to non-function %s", shown(run, n));
}

/* .a.b, $x.a.b, (…).a.b: the last name gets the arguments. */
static bool eval_chain(struct trun *run, const struct tvalue *dot, const struct tnode *n,
                       const struct tnode *args, const struct tvalue *final, struct tvalue *out)
{
    struct tvalue v = *dot;
    size_t i = 0;

    run->at = n;
    if (n->kind == N_VARIABLE) {
        const struct tvalue *known = find_variable(run, n->names[0]);
        if (!known)
            return exec_error(run, "undefined variable: %.*s", SLICE_ARG(n->names[0]));
        v = *known;
        i = 1;
        if (n->n_names == 1) {
            *out = v;
            return no_arguments(run, n, args, final);
        }
    } else if (n->kind == N_CHAIN) {
        if (!eval_operand(run, dot, n->pipe, &v))
            return false;
    }
    for (; i + 1 < n->n_names; i++) {
        struct tvalue inner;
        if (!eval_field(run, dot, n->names[i], NULL, NULL, v, &inner))
            return false;
        v = inner;
    }
    return eval_field(run, dot, n->names[i], args, final, v, out);
}

static bool eval_command(struct trun *run, const struct tvalue *dot, const struct tnode *c,
                         const struct tvalue *final, struct tvalue *out)
{
    const struct tnode *n = c->first, *args = n->next;

    switch (n->kind) {
    case N_FUNCTION:
        return eval_function(run, dot, n, c, args, final, out);
    case N_FIELD:
    case N_VARIABLE:
    case N_CHAIN:
        return eval_chain(run, dot, n, args, final, out);
    case N_PIPE:
        return no_arguments(run, n, args, final) && eval_pipeline(run, dot, n, out);
    default:
        break;
    }
    run->at = n;
    if (!no_arguments(run, n, args, final))
        return false;
    if (n->kind == N_NIL)
        return exec_error(run, "nil is not a command");
    if (n->kind == N_DOT) {
        *out = *dot;
        return true;
    }
    return literal_for(run, 'v', n, out);
}
