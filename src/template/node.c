/* What errors show: a node's source with one blank between operands, and its place in the text. */
#include "template/internal.h"

static void put_names(struct buf *b, const struct tnode *n, const char *first)
{
    for (size_t i = 0; i < n->n_names; i++) {
        buf_text(b, i ? "." : first);
        buf_put(b, n->names[i]);
    }
}

static void put_row(struct buf *b, const struct tnode *first, const char *between)
{
    for (const struct tnode *n = first; n; n = n->next) {
        if (n != first)
            buf_text(b, between);
        if (n->kind == N_PIPE)
            buf_byte(b, '(');
        node_put(b, n);
        if (n->kind == N_PIPE)
            buf_byte(b, ')');
    }
}

static void put_pipe(struct buf *b, const struct tnode *n)
{
    for (size_t i = 0; i < n->n_names; i++) {
        buf_text(b, i ? ", " : "");
        buf_put(b, n->names[i]);
    }
    if (n->n_names)
        buf_text(b, n->assign ? " = " : " := ");
    put_row(b, n->first, " | ");
}

static void put_chain(struct buf *b, const struct tnode *n)
{
    bool pipe = n->pipe->kind == N_PIPE;

    buf_text(b, pipe ? "(" : "");
    node_put(b, n->pipe);
    buf_text(b, pipe ? ")" : "");
    put_names(b, n, ".");
}

/* Bodies do not belong to what is wrong with their action. */
static void put_action(struct buf *b, const struct tnode *n, const char *word)
{
    buf_text(b, "{{");
    buf_text(b, word);
    if (n->kind == N_TEMPLATE) {
        buf_byte(b, ' ');
        quote_put(b, n->text, '"', false);
    }
    if (n->pipe && *word)
        buf_byte(b, ' ');
    if (n->pipe)
        put_pipe(b, n->pipe);
    buf_text(b, "}}");
}

void node_put(struct buf *b, const struct tnode *n)
{
    static const char *const WORDS[] = {
        [N_ACTION] = "",           [N_IF] = "if",       [N_RANGE] = "range",
        [N_WITH] = "with",         [N_BREAK] = "break", [N_CONTINUE] = "continue",
        [N_TEMPLATE] = "template",
    };

    switch (n->kind) {
    case N_PIPE:
        return put_pipe(b, n);
    case N_COMMAND:
        return put_row(b, n->first, " ");
    case N_FIELD:
        return put_names(b, n, ".");
    case N_VARIABLE:
        return put_names(b, n, "");
    case N_CHAIN:
        return put_chain(b, n);
    case N_DOT:
        return buf_byte(b, '.');
    case N_NIL:
        return buf_text(b, "nil");
    case N_BOOL:
        return buf_text(b, n->truth ? "true" : "false");
    case N_STRING:
        return buf_put(b, n->quoted);
    case N_FUNCTION:
    case N_NUMBER:
    case N_TEXT:
        return buf_put(b, n->text);
    case N_LIST:
    case N_END:
    case N_ELSE:
        return;
    default:
        return put_action(b, n, WORDS[n->kind]);
    }
}

void template_place(const struct template *t, uint32_t pos, unsigned *line, unsigned *column)
{
    *line = 1;
    *column = pos;
    for (uint32_t i = 0; i < pos && i < t->text.n; i++)
        if (t->text.p[i] == '\n') {
            ++*line;
            *column = pos - i - 1;
        }
}
