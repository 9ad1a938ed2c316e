/*
 * From words to a tree: recursive descent with the grammar's own names.  The first error stays and
 * makes every further token the end, so that each function returns soon; only template_parse looks
 * whether there was one.  What can be known here is checked here: functions exist, variables are
 * declared, literals are well formed, names are defined once.
 */
#include "template/lex.h"

struct parser {
    struct arena *a;
    struct template *t;
    struct token *tokens;
    size_t n, at;
    struct err *e;
    bool failed;
    unsigned blocks, parens, ranges;
    struct slice *variables;
    size_t n_variables, cap_variables, base; /* base: first of the current definition */
    size_t action; /* position of the action that is being read, and one; 0: none */
};

/* --- Errors and tokens ----------------------------------------------------------------------- */

static const struct token *peek(struct parser *p)
{
    static const struct token END = {TOKEN_EOF, 0, {(const uint8_t *)"EOF", 3}};
    return p->failed ? &END : &p->tokens[p->at];
}

static const struct token *next(struct parser *p)
{
    const struct token *t = peek(p);
    if (!p->failed && p->at + 1 < p->n)
        p->at++;
    return t;
}

static void *fail_at(struct parser *p, uint32_t pos, const char *why)
{
    unsigned line, column;

    if (p->failed)
        return NULL;
    template_place(p->t, pos, &line, &column);
    err_set(p->e, ERR_MALFORMED, "template: %s:%u:%u: %s", p->t->name, line, column, why);
    p->failed = true;
    return NULL;
}

static void *fail(struct parser *p, const char *why)
{
    return fail_at(p, peek(p)->pos, why);
}

static void *fail_text(struct parser *p, uint32_t pos, const char *before, struct slice text,
                       const char *after)
{
    struct buf shown = buf_new(p->a, 300);

    buf_text(&shown, before);
    quote_put(&shown, slice_sub(text, 0, 60), '"', false);
    buf_text(&shown, after);
    return fail_at(p, pos, arena_cstr(p->a, buf_slice(&shown)));
}

static void *unexpected(struct parser *p, const struct token *t, const char *where)
{
    if (t->kind == TOKEN_ERROR) {
        unsigned line, at_line, column;
        template_place(p->t, t->pos, &at_line, &column);
        template_place(p->t, (uint32_t)(p->action ? p->action - 1 : 0), &line, &column);
        const char *text = arena_cstr(p->a, t->text);
        if (p->action && line != at_line)
            text = arena_printf(p->a, "%s in action started at %s:%u", text, p->t->name, line);
        return fail_at(p, t->pos, text);
    }
    if (t->kind == TOKEN_EOF)
        return fail_at(p, t->pos, "unexpected EOF");
    return fail_text(p, t->pos, "unexpected ", t->text, arena_printf(p->a, " in %s", where));
}

static const struct token *peek_word(struct parser *p)
{
    if (peek(p)->kind == TOKEN_SPACE)
        next(p);
    return peek(p);
}

static const struct token *next_word(struct parser *p)
{
    peek_word(p);
    return next(p);
}

static const struct token *expect(struct parser *p, enum token_kind kind, const char *where)
{
    const struct token *t = next_word(p);
    if (t->kind != kind)
        unexpected(p, t, where);
    return t;
}

static struct tnode *node_new(struct parser *p, enum tnode_kind kind, uint32_t pos)
{
    struct tnode *n = arena_alloc(p->a, sizeof(*n));
    n->kind = kind;
    n->pos = pos;
    return n;
}

static void declare(struct parser *p, struct slice name)
{
    if (p->n_variables == p->cap_variables) {
        size_t cap = p->cap_variables ? 2 * p->cap_variables : 16;
        struct slice *grown = arena_array(p->a, cap, sizeof(*grown));
        if (p->n_variables)
            memcpy(grown, p->variables, p->n_variables * sizeof(*grown));
        p->variables = grown;
        p->cap_variables = cap;
    }
    p->variables[p->n_variables++] = name;
}

static bool declared(const struct parser *p, struct slice name)
{
    for (size_t i = p->base; i < p->n_variables; i++)
        if (slice_eq(p->variables[i], name))
            return true;
    return false;
}

/* --- Terms ----------------------------------------------------------------------------------- */

static struct tnode *number_node(struct parser *p, const struct token *t)
{
    struct tnode *node = node_new(p, N_NUMBER, t->pos);
    struct tnumber *n = node->number = arena_alloc(p->a, sizeof(*n));
    const char *why = NULL;
    uint32_t rune;

    node->text = t->text;
    if (t->kind == TOKEN_CHARACTER) {
        if (!unquote_char(t->text, &rune))
            return fail_text(p, t->pos, "malformed character constant: ", t->text, "");
        *n = (struct tnumber){true, true, true, false, rune, rune, rune, 0, 0};
        return node;
    }
    if (t->kind == TOKEN_COMPLEX)
        why = literal_complex(t->text, n) ? NULL : "illegal number syntax: ";
    else
        why = literal_number(t->text, n);
    return why ? fail_text(p, t->pos, why, t->text, "") : node;
}

static bool read_string(struct parser *p, const struct token *t, struct slice *text)
{
    if (unquote(p->a, t->text, text))
        return true;
    fail_text(p, t->pos, "invalid syntax in string ", t->text, "");
    return false;
}

/* ".a" and the names that follow: each token brings one. */
static void add_name(struct parser *p, struct tnode *n, struct slice name)
{
    struct slice *names = arena_array(p->a, n->n_names + 1, sizeof(*names));

    if (n->n_names)
        memcpy(names, n->names, n->n_names * sizeof(*names));
    names[n->n_names++] = name;
    n->names = names;
}

static struct tnode *pipeline(struct parser *p, const char *where, enum token_kind end);

static struct tnode *parenthesized(struct parser *p)
{
    if (p->parens >= NEST_MAX)
        return fail(p, "max expression depth exceeded");
    p->parens++;
    struct tnode *pipe = pipeline(p, "parenthesized pipeline", TOKEN_CLOSE);
    p->parens--;
    return pipe;
}

static struct tnode *function_node(struct parser *p, const struct token *t)
{
    struct tnode *n = node_new(p, N_FUNCTION, t->pos);

    n->text = t->text;
    n->function = function_find(t->text, p->t->options.set);
    if (!n->function)
        return fail_text(p, t->pos, "function ", t->text, " not defined");
    return n;
}

/* NULL without an error: no term is next. */
static struct tnode *term(struct parser *p)
{
    size_t before = p->at;
    const struct token *t = next_word(p);
    struct tnode *n;

    switch (t->kind) {
    case TOKEN_IDENTIFIER:
        return function_node(p, t);
    case TOKEN_DOT:
        return node_new(p, N_DOT, t->pos);
    case TOKEN_NIL:
        return node_new(p, N_NIL, t->pos);
    case TOKEN_VARIABLE:
        if (!declared(p, t->text))
            return fail_text(p, t->pos, "undefined variable ", t->text, "");
        n = node_new(p, N_VARIABLE, t->pos);
        add_name(p, n, t->text);
        return n;
    case TOKEN_FIELD:
        n = node_new(p, N_FIELD, t->pos);
        add_name(p, n, slice_from(t->text, 1));
        return n;
    case TOKEN_BOOL:
        n = node_new(p, N_BOOL, t->pos);
        n->truth = slice_is(t->text, "true");
        return n;
    case TOKEN_CHARACTER:
    case TOKEN_COMPLEX:
    case TOKEN_NUMBER:
        return number_node(p, t);
    case TOKEN_OPEN:
        return parenthesized(p);
    case TOKEN_STRING:
        n = node_new(p, N_STRING, t->pos);
        n->quoted = t->text;
        return read_string(p, t, &n->text) ? n : NULL;
    default:
        p->at = before;
        return NULL;
    }
}

static bool is_literal(enum tnode_kind k)
{
    return k == N_BOOL || k == N_STRING || k == N_NUMBER || k == N_NIL || k == N_DOT;
}

static struct tnode *operand(struct parser *p)
{
    struct tnode *n = term(p);

    if (!n || peek(p)->kind != TOKEN_FIELD)
        return n;
    if (is_literal(n->kind)) {
        struct buf shown = buf_new(p->a, 1024);
        node_put(&shown, n);
        return fail_text(p, peek(p)->pos, "unexpected . after term ", buf_slice(&shown), "");
    }
    uint32_t pos = peek(p)->pos;
    if (n->kind != N_FIELD && n->kind != N_VARIABLE) {
        struct tnode *chain = node_new(p, N_CHAIN, pos);
        chain->pipe = n;
        n = chain;
    }
    n->pos = pos;
    while (peek(p)->kind == TOKEN_FIELD)
        add_name(p, n, slice_from(next(p)->text, 1));
    return n;
}

/* --- Commands and pipelines ------------------------------------------------------------------ */

static struct tnode *command(struct parser *p)
{
    struct tnode *c = node_new(p, N_COMMAND, peek_word(p)->pos), **last = &c->first;

    for (;;) {
        peek_word(p);
        struct tnode *n = operand(p);
        if (n) {
            *last = n;
            last = &n->next;
        }
        if (p->failed)
            return NULL;
        const struct token *t = peek(p);
        if (t->kind == TOKEN_SPACE) {
            next(p);
            continue;
        }
        if (t->kind == TOKEN_PIPE)
            next(p);
        else if (t->kind != TOKEN_RIGHT && t->kind != TOKEN_CLOSE)
            return unexpected(p, t, "operand");
        break;
    }
    return c->first ? c : fail(p, "empty command");
}

/* "$x :=", "$x =", "$i, $x :=" in front of a pipeline. */
static void declarations(struct parser *p, struct tnode *pipe, const char *where)
{
    bool range = !strcmp(where, "range");

    while (peek_word(p)->kind == TOKEN_VARIABLE) {
        size_t here = p->at;
        struct slice name = next(p)->text;
        const struct token *t = peek_word(p);
        bool comma = t->kind == TOKEN_CHAR && slice_is(t->text, ",");
        if (t->kind != TOKEN_ASSIGN && t->kind != TOKEN_DECLARE && !comma) {
            p->at = here; /* an operand after all */
            return;
        }
        pipe->assign = t->kind == TOKEN_ASSIGN;
        next(p);
        add_name(p, pipe, name);
        declare(p, name);
        if (!comma)
            return;
        if (!range || pipe->n_names > 1) {
            fail(p, arena_printf(p->a, "too many declarations in %s", where));
            return;
        }
        t = peek_word(p);
        if (t->kind != TOKEN_VARIABLE && t->kind != TOKEN_RIGHT && t->kind != TOKEN_CLOSE) {
            fail(p, "range can only initialize variables");
            return;
        }
    }
}

static bool starts_term(enum token_kind k)
{
    return k == TOKEN_BOOL || k == TOKEN_CHARACTER || k == TOKEN_COMPLEX || k == TOKEN_DOT ||
           k == TOKEN_FIELD || k == TOKEN_IDENTIFIER || k == TOKEN_NUMBER || k == TOKEN_NIL ||
           k == TOKEN_STRING || k == TOKEN_VARIABLE || k == TOKEN_OPEN;
}

static struct tnode *check_pipeline(struct parser *p, struct tnode *pipe, const char *where)
{
    unsigned stage = 2;

    if (!pipe->first)
        return fail(p, arena_printf(p->a, "missing value for %s", where));
    for (const struct tnode *c = pipe->first->next; c; c = c->next, stage++)
        if (is_literal(c->first->kind))
            return fail_at(
                p, c->first->pos,
                arena_printf(p->a, "non executable command in pipeline stage %u", stage));
    return pipe;
}

static struct tnode *pipeline(struct parser *p, const char *where, enum token_kind end)
{
    struct tnode *pipe = node_new(p, N_PIPE, peek_word(p)->pos), **last = &pipe->first;

    declarations(p, pipe, where);
    for (;;) {
        const struct token *t = peek_word(p);
        if (t->kind == end) {
            check_pipeline(p, pipe, where);
            next(p);
            return pipe;
        }
        if (!starts_term(t->kind))
            return unexpected(p, t, where);
        struct tnode *c = command(p);
        if (!c)
            return NULL;
        *last = c;
        last = &c->next;
    }
}

/* --- Actions --------------------------------------------------------------------------------- */

static struct tnode *text_or_action(struct parser *p);

/* Up to {{end}} or {{else}}, which *stop gets. */
static struct tnode *item_list(struct parser *p, enum tnode_kind *stop)
{
    struct tnode *list = node_new(p, N_LIST, peek_word(p)->pos), **last = &list->first;

    if (p->blocks >= NEST_MAX)
        return fail(p, "blocks are nested too deeply");
    p->blocks++;
    while (peek_word(p)->kind != TOKEN_EOF) {
        struct tnode *n = text_or_action(p);
        if (!n)
            return NULL;
        if (n->kind == N_END || n->kind == N_ELSE) {
            *stop = n->kind;
            p->blocks--;
            return list;
        }
        *last = n;
        last = &n->next;
    }
    return fail(p, "unexpected EOF");
}

/* if, range, with.  A chain of {{else if}} is a loop here, and nested nodes in the tree. */
static struct tnode *control(struct parser *p, enum tnode_kind kind, const char *word)
{
    static const enum token_kind AGAIN[] = {[N_IF] = TOKEN_IF, [N_WITH] = TOKEN_WITH};
    size_t variables = p->n_variables;
    struct tnode *head = NULL, **place = &head;
    enum tnode_kind stop = N_END;

    for (;;) {
        struct tnode *n = *place = node_new(p, kind, peek_word(p)->pos);
        n->pipe = pipeline(p, word, TOKEN_RIGHT);
        p->ranges += kind == N_RANGE;
        n->body = item_list(p, &stop);
        p->ranges -= kind == N_RANGE;
        if (p->failed)
            return NULL;
        if (stop == N_END)
            break;
        if (kind != N_RANGE && peek(p)->kind == AGAIN[kind]) {
            next(p);
            n->otherwise = node_new(p, N_LIST, peek(p)->pos);
            place = &n->otherwise->first;
            continue;
        }
        n->otherwise = item_list(p, &stop);
        if (p->failed || stop != N_END)
            return fail(p, "expected end; found {{else}}");
        break;
    }
    p->n_variables = variables;
    return head;
}

static bool template_name(struct parser *p, const char *where, struct slice *name)
{
    const struct token *t = next_word(p);

    if (t->kind != TOKEN_STRING)
        return unexpected(p, t, where), false;
    return read_string(p, t, name);
}

static bool is_blank(struct slice s)
{
    uint32_t rune;

    for (size_t i = 0; i < s.n;) {
        i += rune_at(s, i, &rune);
        if (!rune_is_space(rune))
            return false;
    }
    return true;
}

static bool is_empty(const struct tnode *list)
{
    for (const struct tnode *n = list->first; n; n = n->next)
        if (n->kind != N_TEXT || !is_blank(n->text))
            return false;
    return true;
}

static struct tdef *find_def(const struct template *t, struct slice name)
{
    for (struct tdef *d = t->defs; d; d = d->next)
        if (slice_eq(d->name, name))
            return d;
    return NULL;
}

/* An empty body never replaces one and is replaced by any. */
static struct tdef *add_def(struct parser *p, struct slice name, struct tnode *root)
{
    struct tdef *d = find_def(p->t, name);

    if (d && !is_empty(d->root)) {
        if (!is_empty(root))
            return fail_text(p, root->pos, "multiple definition of template ", name, "");
        return d;
    }
    if (!d) {
        d = arena_alloc(p->a, sizeof(*d));
        d->next = p->t->defs;
        d->name = name;
        p->t->defs = d;
    }
    d->root = root;
    return d;
}

/* A definition's body sees no variable but $, and no loop around it. */
static bool definition(struct parser *p, struct slice name, const char *where)
{
    size_t base = p->base, variables = p->n_variables;
    unsigned ranges = p->ranges;
    enum tnode_kind stop;

    p->base = p->n_variables;
    p->ranges = 0;
    declare(p, SLICE("$"));
    struct tnode *root = item_list(p, &stop);
    if (p->failed)
        return false;
    if (stop != N_END)
        return fail(p, arena_printf(p->a, "unexpected {{else}} in %s", where)), false;
    p->base = base;
    p->n_variables = variables;
    p->ranges = ranges;
    return add_def(p, name, root);
}

static struct tnode *block_action(struct parser *p)
{
    struct tnode *n = node_new(p, N_TEMPLATE, peek_word(p)->pos);

    if (!template_name(p, "block clause", &n->text))
        return NULL;
    n->pipe = pipeline(p, "block clause", TOKEN_RIGHT);
    return definition(p, n->text, "block clause") ? n : NULL;
}

static struct tnode *template_action(struct parser *p)
{
    struct tnode *n = node_new(p, N_TEMPLATE, peek_word(p)->pos);

    if (!template_name(p, "template clause", &n->text))
        return NULL;
    if (peek_word(p)->kind == TOKEN_RIGHT)
        next(p);
    else
        n->pipe = pipeline(p, "template clause", TOKEN_RIGHT);
    return n;
}

static struct tnode *jump_action(struct parser *p, enum tnode_kind kind, uint32_t pos)
{
    const char *word = kind == N_BREAK ? "{{break}}" : "{{continue}}";

    expect(p, TOKEN_RIGHT, word);
    if (!p->ranges)
        return fail_at(p, pos, arena_printf(p->a, "%s outside {{range}}", word));
    return node_new(p, kind, pos);
}

static struct tnode *else_action(struct parser *p)
{
    const struct token *t = peek_word(p);

    if (t->kind != TOKEN_IF && t->kind != TOKEN_WITH)
        t = expect(p, TOKEN_RIGHT, "else");
    return node_new(p, N_ELSE, t->pos);
}

/* "{{" is past. */
static struct tnode *action(struct parser *p)
{
    const struct token *t = peek_word(p);
    size_t before = p->at;
    struct tnode *n;

    next(p);
    switch (t->kind) {
    case TOKEN_BLOCK:
        return block_action(p);
    case TOKEN_BREAK:
        return jump_action(p, N_BREAK, t->pos);
    case TOKEN_CONTINUE:
        return jump_action(p, N_CONTINUE, t->pos);
    case TOKEN_ELSE:
        return else_action(p);
    case TOKEN_END:
        t = expect(p, TOKEN_RIGHT, "end");
        return node_new(p, N_END, t->pos);
    case TOKEN_IF:
        return control(p, N_IF, "if");
    case TOKEN_RANGE:
        return control(p, N_RANGE, "range");
    case TOKEN_WITH:
        return control(p, N_WITH, "with");
    case TOKEN_TEMPLATE:
        return template_action(p);
    default:
        p->at = before;
        n = node_new(p, N_ACTION, t->pos);
        n->pipe = pipeline(p, "command", TOKEN_RIGHT);
        return n;
    }
}

static struct tnode *text_or_action(struct parser *p)
{
    const struct token *t = next_word(p);
    struct tnode *n;

    if (t->kind == TOKEN_TEXT) {
        n = node_new(p, N_TEXT, t->pos);
        n->text = t->text;
        return n;
    }
    if (t->kind != TOKEN_LEFT)
        return unexpected(p, t, "input");
    p->action = (size_t)t->pos + 1;
    n = action(p);
    p->action = 0;
    return p->failed ? NULL : n;
}

/* --- The whole text -------------------------------------------------------------------------- */

static bool define_action(struct parser *p)
{
    struct slice name;

    next(p);
    next_word(p);
    if (!template_name(p, "define clause", &name))
        return false;
    expect(p, TOKEN_RIGHT, "define clause");
    return definition(p, name, "define clause");
}

static bool at_define(struct parser *p)
{
    size_t i = p->at + 1;

    if (peek(p)->kind != TOKEN_LEFT)
        return false;
    if (p->tokens[i].kind == TOKEN_SPACE)
        i++;
    return p->tokens[i].kind == TOKEN_DEFINE;
}

static void whole_text(struct parser *p)
{
    struct tnode *root = node_new(p, N_LIST, peek(p)->pos), **last = &root->first;

    declare(p, SLICE("$"));
    while (!p->failed && peek(p)->kind != TOKEN_EOF) {
        if (at_define(p)) {
            define_action(p);
            continue;
        }
        struct tnode *n = text_or_action(p);
        if (!n)
            return;
        if (n->kind == N_END || n->kind == N_ELSE) {
            fail_at(p, n->pos, n->kind == N_END ? "unexpected {{end}}" : "unexpected {{else}}");
            return;
        }
        *last = n;
        last = &n->next;
    }
    if (!p->failed)
        p->t->main = add_def(p, slice_text(p->t->name), root);
}

struct template *template_parse(struct arena *a, const char *name, struct slice text,
                                const struct template_options *options, struct err *e)
{
    struct template *t = arena_alloc(a, sizeof(*t));
    struct parser p = {.a = a, .t = t, .e = e};

    t->name = arena_cstr(a, slice_text(name));
    t->text = text;
    template_options_copy(a, t, options);
    if (text.n > TEXT_MAX) {
        err_set(e, ERR_TOO_LARGE, "template: %s: more than %u bytes of text", name, TEXT_MAX);
        return NULL;
    }
    p.tokens = lex(a, text, &p.n);
    whole_text(&p);
    return p.failed ? NULL : t;
}
