/*
 * Executing a tree.  What nests (bodies, loops, templates in templates) stands on a stack of
 * frames in the arena, not on the thread's: how deep a template may go is a matter of its limits
 * alone.  A list frame runs its nodes and goes; a range frame starts the body once more or goes; a
 * template frame waits for its root list and restores what was before.
 */
#include <stdarg.h>
#include <stdio.h>

#include "template/internal.h"

enum frame_kind { FRAME_LIST, FRAME_RANGE, FRAME_TEMPLATE };

struct tframe {
    enum frame_kind kind;
    const struct tnode *node; /* LIST: next to run; RANGE, TEMPLATE: the action */
    struct tvalue dot;
    size_t mark; /* variables that stay when the frame goes */
    /* RANGE: what is iterated; maps as a copy of their members */
    struct tvalue over;
    struct tmember *members;
    uint64_t index, count;
    size_t body_mark;
    /* TEMPLATE: who called */
    const struct tdef *def;
    size_t base;
};

/* --- Errors ---------------------------------------------------------------------------------- */

/* "template: NAME:LINE:COLUMN: executing "NAME" at <EXPRESSION>: cause", told once. */
static bool tell(struct trun *run, enum err_kind kind, const char *cause)
{
    unsigned line = 1, column = 0;
    char shown[96] = "";

    if (run->told)
        return false;
    run->told = run->failed = true;
    if (run->at) {
        struct buf b = buf_new(run->a, sizeof(shown) - 5);
        template_place(run->t, run->at->pos, &line, &column);
        node_put(&b, run->at);
        snprintf(shown, sizeof(shown), "%.*s%s", SLICE_ARG(buf_slice(&b)), b.failed ? "..." : "");
    }
    const char *name = run->def ? arena_cstr(run->a, run->def->name) : run->t->name;
    return err_set(run->e, kind, "template: %s:%u:%u: executing \"%.60s\" at <%s>: %s",
                   run->t->name, line, column, name, shown, cause);
}

bool exec_error(struct trun *run, const char *fmt, ...)
{
    char cause[sizeof(run->cause)];
    va_list args;

    if (run->told)
        return false;
    va_start(args, fmt);
    int n = vsnprintf(cause, sizeof(cause), fmt, args);
    va_end(args);
    return tell(run, ERR_INTERNAL, n < 0 ? "" : cause);
}

bool exec_cause(struct trun *run, const char *what)
{
    char cause[sizeof(run->cause) + 80];

    if (run->told)
        return false;
    if (!what || run->kind == ERR_TOO_LARGE || run->kind == ERR_TIMEOUT)
        return tell(run, run->kind, run->cause);
    snprintf(cause, sizeof(cause), "error calling %.40s: %s", what, run->cause);
    return tell(run, run->kind, cause);
}

/* --- Variables ------------------------------------------------------------------------------- */

bool variable_push(struct trun *run, struct slice name, struct tvalue value)
{
    if (run->n_variables == run->cap_variables) {
        size_t cap = run->cap_variables ? 2 * run->cap_variables : 16;
        struct tvariable *grown = run_alloc(run, cap * sizeof(*grown));
        if (run->n_variables)
            memcpy(grown, run->variables, run->n_variables * sizeof(*grown));
        run->variables = grown;
        run->cap_variables = cap;
        if (!run_memory_ok(run))
            return exec_cause(run, NULL);
    }
    run->variables[run->n_variables++] = (struct tvariable){name, value};
    return true;
}

bool variable_set(struct trun *run, struct slice name, struct tvalue value)
{
    for (size_t i = run->n_variables; i > run->base; i--)
        if (slice_eq(run->variables[i - 1].name, name)) {
            run->variables[i - 1].value = value;
            return true;
        }
    return exec_error(run, "undefined variable: %.*s", SLICE_ARG(name));
}

/* --- Frames ---------------------------------------------------------------------------------- */

static struct tframe *push(struct trun *run, enum frame_kind kind, const struct tnode *node,
                           const struct tvalue *dot, size_t mark)
{
    struct tvalue keep = *dot;

    if (run->n_frames == run->cap_frames) {
        size_t cap = run->cap_frames ? 2 * run->cap_frames : 16;
        struct tframe *grown = run_alloc(run, cap * sizeof(*grown));
        if (run->n_frames)
            memcpy(grown, run->frames, run->n_frames * sizeof(*grown));
        run->frames = grown;
        run->cap_frames = cap;
    }
    struct tframe *f = &run->frames[run->n_frames++];
    *f = (struct tframe){.kind = kind, .node = node, .dot = keep, .mark = mark};
    return f;
}

static void pop(struct trun *run)
{
    run->n_variables = run->frames[--run->n_frames].mark;
}

static void push_list(struct trun *run, const struct tnode *list, const struct tvalue *dot,
                      size_t mark)
{
    push(run, FRAME_LIST, list->first, dot, mark);
}

/* break and continue: to the innermost range; break ends it too. */
static void jump(struct trun *run, bool leave)
{
    while (run->n_frames && run->frames[run->n_frames - 1].kind != FRAME_RANGE)
        pop(run);
    if (leave && run->n_frames)
        pop(run);
}

/* --- Actions --------------------------------------------------------------------------------- */

static bool out_ok(struct trun *run)
{
    if (buf_ok(run->out) && run->out->n <= run->limits->output)
        return true;
    run_fail_kind(run, ERR_TOO_LARGE, "more than %zu bytes of output", run->limits->output);
    return exec_cause(run, NULL);
}

static bool print_result(struct trun *run, const struct tnode *n, struct tvalue v)
{
    run->at = n;
    if (v.kind == T_NONE || v.kind == T_NIL)
        buf_text(run->out, "<no value>");
    else if (v.kind == T_TEXT && !v.type->text)
        buf_put(run->out, v.text);
    else if (!print_all(run, run->out, &v, 1, false))
        return exec_cause(run, NULL);
    return out_ok(run);
}

static bool run_branch(struct trun *run, const struct tnode *n, const struct tvalue *dot)
{
    size_t mark = run->n_variables;
    struct tvalue v, here = *dot;

    if (!eval_pipeline(run, dot, n->pipe, &v))
        return false;
    if (value_truth(&v))
        push_list(run, n->body, n->kind == N_WITH ? &v : &here, mark);
    else if (n->otherwise)
        push_list(run, n->otherwise, &here, mark);
    else
        run->n_variables = mark;
    return true;
}

static bool count_range(struct trun *run, const struct tnode *n, struct tframe *f)
{
    const struct tvalue *v = &f->over;

    switch (v->kind) {
    case T_NONE:
    case T_NIL:
        return true;
    case T_INT:
    case T_UINT:
        if (n->pipe->n_names > 1)
            return exec_error(run, "can't use an integer to iterate over more than one variable");
        f->count = v->kind == T_UINT ? v->u : v->i > 0 ? (uint64_t)v->i : 0;
        return true;
    case T_LIST:
    case T_BYTES:
        f->count = value_count(v);
        return true;
    case T_MAP:
        f->count = v->map ? v->map->n : 0;
        f->members = run_alloc(run, f->count * sizeof(*f->members) + 1);
        for (size_t i = 0; i < f->count; i++) {
            f->members[i] = v->map->members[i];
            f->members[i].value = run_alloc(run, sizeof(struct tvalue));
            *f->members[i].value = *v->map->members[i].value;
        }
        return true;
    default:
        return exec_error(run, "range can't iterate over a value of type %s", value_type_name(v));
    }
}

static bool run_range(struct trun *run, const struct tnode *n, const struct tvalue *dot)
{
    struct tframe f = {.kind = FRAME_RANGE, .node = n, .dot = *dot, .mark = run->n_variables};

    if (!eval_pipeline(run, dot, n->pipe, &f.over) || !count_range(run, n, &f))
        return false;
    if (!run_memory_ok(run))
        return exec_cause(run, NULL);
    if (!f.count && n->otherwise) {
        push_list(run, n->otherwise, &f.dot, f.mark);
        return true;
    }
    f.body_mark = run->n_variables;
    *push(run, FRAME_RANGE, n, &f.dot, f.mark) = f;
    return true;
}

static bool set_loop_variables(struct trun *run, const struct tnode *pipe, struct tvalue index,
                               struct tvalue item)
{
    size_t n = pipe->n_names;

    if (!pipe->assign) { /* they are the last that were declared */
        if (n)
            run->variables[run->n_variables - 1].value = item;
        if (n > 1)
            run->variables[run->n_variables - 2].value = index;
        return true;
    }
    if (n > 1 && !variable_set(run, pipe->names[0], index))
        return false;
    return variable_set(run, pipe->names[n - 1], item);
}

static bool next_round(struct trun *run, struct tframe *f)
{
    struct tvalue item, index = tvalue_none();

    run->n_variables = f->body_mark;
    if (f->index == f->count) {
        pop(run);
        return true;
    }
    run->at = f->node;
    if (++run->iterations > run->limits->iterations) {
        run_fail_kind(run, ERR_TOO_LARGE, "more than %llu rounds of loops",
                      (unsigned long long)run->limits->iterations);
        return exec_cause(run, NULL);
    }
    if (f->over.kind == T_INT || f->over.kind == T_UINT) {
        item = f->over;
        item.u = f->index;
    } else if (f->over.kind == T_MAP) {
        index = tvalue_text(f->members[f->index].name);
        item = *f->members[f->index].value;
    } else {
        index = tvalue_int((int64_t)f->index);
        item = value_item(&f->over, f->index);
    }
    f->index++;
    if (!set_loop_variables(run, f->node->pipe, index, item))
        return false;
    push_list(run, f->node->body, &item, run->n_variables);
    return true;
}

static const struct tdef *find(const struct template *t, struct slice name)
{
    for (const struct tdef *d = t->defs; d; d = d->next)
        if (slice_eq(d->name, name))
            return d;
    return NULL;
}

static bool run_template(struct trun *run, const struct tnode *n, const struct tvalue *dot)
{
    const struct tdef *def = find(run->t, n->text);
    struct tvalue v = tvalue_none();

    if (!def)
        return exec_error(run, "template \"%.60s\" not defined", arena_cstr(run->a, n->text));
    if (run->depth >= run->limits->depth)
        return exec_error(run, "exceeded maximum template depth (%u)", run->limits->depth);
    if (n->pipe && !eval_pipeline(run, dot, n->pipe, &v))
        return false;
    struct tframe *f = push(run, FRAME_TEMPLATE, n, dot, run->n_variables);
    f->def = run->def;
    f->base = run->base;
    run->depth++;
    run->def = def;
    run->base = run->n_variables;
    if (!variable_push(run, SLICE("$"), v))
        return false;
    push_list(run, def->root, &v, run->n_variables);
    return true;
}

static void leave_template(struct trun *run, const struct tframe *f)
{
    run->def = f->def;
    run->base = f->base;
    run->depth--;
    pop(run);
}

static bool run_action(struct trun *run, const struct tnode *n, const struct tvalue *dot)
{
    struct tvalue v;

    /* Variables stay until the next end. */
    return eval_pipeline(run, dot, n->pipe, &v) &&
           (n->pipe->n_names > 0 || print_result(run, n, v));
}

static bool run_node(struct trun *run, const struct tnode *n, const struct tvalue *dot)
{
    run->at = n;
    switch (n->kind) {
    case N_TEXT:
        buf_put(run->out, n->text);
        return out_ok(run);
    case N_ACTION:
        return run_action(run, n, dot);
    case N_IF:
    case N_WITH:
        return run_branch(run, n, dot);
    case N_RANGE:
        return run_range(run, n, dot);
    case N_TEMPLATE:
        return run_template(run, n, dot);
    default:
        jump(run, n->kind == N_BREAK);
        return true;
    }
}

static bool run_frames(struct trun *run)
{
    while (run->n_frames) {
        struct tframe *f = &run->frames[run->n_frames - 1];
        if (!run_step(run) || !run_memory_ok(run))
            return exec_cause(run, NULL);
        if (f->kind == FRAME_TEMPLATE) {
            leave_template(run, f);
        } else if (f->kind == FRAME_RANGE) {
            if (!next_round(run, f))
                return false;
        } else if (!f->node) {
            pop(run);
        } else {
            const struct tnode *n = f->node;
            struct tvalue dot = f->dot;
            f->node = n->next;
            if (!run_node(run, n, &dot))
                return false;
        }
    }
    return true;
}

bool template_run(const struct template *t, const struct tvalue *data, struct arena *a,
                  const struct template_limits *limits, struct buf *out, struct err *e)
{
    struct trun run = {
        .t = t,
        .limits = limits ? limits : &TEMPLATE_LIMITS,
        .a = a,
        .out = out,
        .e = e,
        .clock = t->options.clock ? t->options.clock : &CLOCK_SYSTEM,
        .rng = t->options.rng ? t->options.rng : &RNG_SYSTEM,
        .def = t->main,
    };

    run.deadline = run.clock->mono_ns(run.clock) + run.limits->time_ns;
    if (!variable_push(&run, SLICE("$"), *data))
        return false;
    push_list(&run, t->main->root, data, run.n_variables);
    return run_frames(&run);
}
