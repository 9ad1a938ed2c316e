/*
 * From text to words.  Outside of actions there is one word, text up to "{{"; inside there are
 * the words of a small language in which blanks count (".a .b" are two operands, ".a.b" is one).
 * Trim markers ("{{- ", " -}}") are dealt with here, the parser never sees them.  The first thing
 * that is wrong becomes the last token.
 */
#include "template/lex.h"

struct lexer {
    struct arena *a;
    struct slice text;
    size_t at, start;
    unsigned parens;
    bool failed;
    struct token *tokens;
    size_t n, cap;
};

static void add(struct lexer *l, enum token_kind kind, struct slice text, size_t pos)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct token *grown = arena_array(l->a, cap, sizeof(*grown));
        if (l->n)
            memcpy(grown, l->tokens, l->n * sizeof(*grown));
        l->tokens = grown;
        l->cap = cap;
    }
    l->tokens[l->n++] = (struct token){kind, (uint32_t)pos, text};
}

/* The word from start to here. */
static void emit(struct lexer *l, enum token_kind kind)
{
    add(l, kind, slice_sub(l->text, l->start, l->at - l->start), l->start);
    l->start = l->at;
}

static void fail(struct lexer *l, const char *why)
{
    if (!l->failed)
        add(l, TOKEN_ERROR, slice_text(why), l->start);
    l->failed = true;
}

static void fail_rune(struct lexer *l, const char *what, uint32_t r)
{
    char shown[8] = "";

    if (r >= 0x20 && r < 0x7f)
        memcpy(shown, (char[]){' ', '\'', (char)r, '\''}, 4);
    fail(l, arena_printf(l->a, "%s U+%04X%s", what, r, shown));
}

static bool at_end(const struct lexer *l)
{
    return l->at >= l->text.n;
}

/* 0 at the end. */
static uint8_t byte_at(const struct lexer *l, size_t i)
{
    return i < l->text.n ? l->text.p[i] : 0;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(uint32_t r)
{
    return r == '_' || rune_is_letter(r) || rune_is_digit(r);
}

static bool here(const struct lexer *l, size_t at, const char *word)
{
    return at <= l->text.n && slice_starts(slice_from(l->text, at), word);
}

static bool at_right_delim(const struct lexer *l, bool *trim)
{
    *trim = is_space(byte_at(l, l->at)) && here(l, l->at + 1, "-}}");
    return *trim || here(l, l->at, "}}");
}

static void skip_space(struct lexer *l)
{
    while (is_space(byte_at(l, l->at)))
        l->at++;
    l->start = l->at;
}

static bool at_terminator(const struct lexer *l)
{
    uint8_t c = byte_at(l, l->at);
    return at_end(l) || is_space(c) || (c && strchr(".,|:)(", c)) || here(l, l->at, "}}");
}

/* --- Words inside an action ------------------------------------------------------------------ */

static void lex_quoted(struct lexer *l, uint8_t quote, enum token_kind kind, const char *open)
{
    for (;;) {
        if (at_end(l) || byte_at(l, l->at) == '\n')
            return fail(l, open);
        uint8_t c = byte_at(l, l->at++);
        if (c == quote)
            return emit(l, kind);
        if (c == '\\' && (at_end(l) || byte_at(l, l->at++) == '\n'))
            return fail(l, open);
    }
}

static void lex_raw(struct lexer *l)
{
    size_t n = slice_find(slice_from(l->text, l->at), '`');

    if (l->at + n >= l->text.n)
        return fail(l, "unterminated raw quoted string");
    l->at += n + 1;
    emit(l, TOKEN_STRING);
}

static bool accept(struct lexer *l, const char *set)
{
    uint8_t c = byte_at(l, l->at);
    if (!c || !strchr(set, c))
        return false;
    l->at++;
    return true;
}

static void accept_all(struct lexer *l, const char *set)
{
    while (accept(l, set))
        ;
}

static bool scan_number(struct lexer *l)
{
    const char *digits = "0123456789_";
    uint32_t r;

    accept(l, "+-");
    bool decimal = true, hex = false;
    if (accept(l, "0")) {
        if ((hex = accept(l, "xX")))
            digits = "0123456789abcdefABCDEF_";
        else if (accept(l, "oO"))
            digits = "01234567_";
        else if (accept(l, "bB"))
            digits = "01_";
        decimal = digits[2] == '2' && digits[8] == '8' && !hex;
    }
    accept_all(l, digits);
    if (accept(l, "."))
        accept_all(l, digits);
    if ((decimal && accept(l, "eE")) || (hex && accept(l, "pP"))) {
        accept(l, "+-");
        accept_all(l, "0123456789_");
    }
    accept(l, "i");
    if (at_end(l))
        return true;
    rune_at(l->text, l->at, &r);
    return !is_word(r);
}

static void lex_number(struct lexer *l)
{
    bool good = scan_number(l);
    uint8_t next = byte_at(l, l->at);
    enum token_kind kind = TOKEN_NUMBER;

    if (good && (next == '+' || next == '-')) { /* 1+2i */
        kind = TOKEN_COMPLEX;
        good = scan_number(l) && l->text.p[l->at - 1] == 'i';
    }
    if (!good)
        return fail(l, arena_printf(l->a, "bad number syntax: \"%.*s\"",
                                    SLICE_ARG(slice_sub(l->text, l->start, l->at - l->start))));
    emit(l, kind);
}

/* Letters and digits up to what may end a word. */
static bool scan_word(struct lexer *l)
{
    uint32_t r = 0;

    while (!at_end(l)) {
        size_t n = rune_at(l->text, l->at, &r);
        if (!is_word(r))
            break;
        l->at += n;
    }
    if (at_terminator(l))
        return true;
    fail_rune(l, "bad character", r);
    return false;
}

static void lex_identifier(struct lexer *l)
{
    static const struct {
        const char *word;
        enum token_kind kind;
    } WORDS[] = {
        {"block", TOKEN_BLOCK},
        {"break", TOKEN_BREAK},
        {"continue", TOKEN_CONTINUE},
        {"define", TOKEN_DEFINE},
        {"else", TOKEN_ELSE},
        {"end", TOKEN_END},
        {"if", TOKEN_IF},
        {"nil", TOKEN_NIL},
        {"range", TOKEN_RANGE},
        {"template", TOKEN_TEMPLATE},
        {"with", TOKEN_WITH},
        {"true", TOKEN_BOOL},
        {"false", TOKEN_BOOL},
    };

    if (!scan_word(l))
        return;
    struct slice word = slice_sub(l->text, l->start, l->at - l->start);
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (slice_is(word, WORDS[i].word))
            return emit(l, WORDS[i].kind);
    emit(l, TOKEN_IDENTIFIER);
}

/* The point or dollar sign is past. */
static void lex_name(struct lexer *l, enum token_kind alone, enum token_kind named)
{
    if (at_terminator(l))
        return emit(l, alone);
    if (scan_word(l))
        emit(l, named);
}

static void lex_space(struct lexer *l)
{
    bool trim;

    while (is_space(byte_at(l, l->at))) {
        if (at_right_delim(l, &trim))
            break; /* this blank belongs to " -}}" */
        l->at++;
    }
    if (l->at > l->start)
        emit(l, TOKEN_SPACE);
}

/* One word that begins with r, which is past; false: none does. */
static bool lex_mark(struct lexer *l, uint32_t r)
{
    static const struct {
        char mark;
        enum token_kind kind;
    } MARKS[] = {{'=', TOKEN_ASSIGN}, {'|', TOKEN_PIPE}};

    for (size_t i = 0; i < COUNT_OF(MARKS); i++)
        if (r == (uint8_t)MARKS[i].mark)
            return emit(l, MARKS[i].kind), true;
    if (r == ':') {
        if (accept(l, "="))
            emit(l, TOKEN_DECLARE);
        else
            fail(l, "expected :=");
        return true;
    }
    if (r == '(') {
        l->parens++;
        return emit(l, TOKEN_OPEN), true;
    }
    if (r != ')')
        return false;
    if (!l->parens)
        return fail(l, "unexpected right paren"), true;
    l->parens--;
    return emit(l, TOKEN_CLOSE), true;
}

static void lex_word(struct lexer *l)
{
    uint32_t r;
    uint8_t next;

    if (is_space(byte_at(l, l->at)))
        return lex_space(l);
    l->at += rune_at(l->text, l->at, &r);
    next = byte_at(l, l->at);
    if (lex_mark(l, r))
        return;
    if (r == '"')
        return lex_quoted(l, '"', TOKEN_STRING, "unterminated quoted string");
    if (r == '\'')
        return lex_quoted(l, '\'', TOKEN_CHARACTER, "unterminated character constant");
    if (r == '`')
        return lex_raw(l);
    if (r == '$')
        return lex_name(l, TOKEN_VARIABLE, TOKEN_VARIABLE);
    if (r == '.' && !at_end(l) && (next < '0' || next > '9'))
        return lex_name(l, TOKEN_DOT, TOKEN_FIELD);
    if (r == '.' || r == '+' || r == '-' || (r >= '0' && r <= '9') || is_word(r)) {
        l->at = l->start;
        return is_word(r) && (r < '0' || r > '9') ? lex_identifier(l) : lex_number(l);
    }
    if (r >= 0x20 && r < 0x7f)
        return emit(l, TOKEN_CHAR);
    fail_rune(l, "unrecognized character in action:", r);
}

static void lex_action(struct lexer *l)
{
    bool trim;

    while (!l->failed) {
        if (at_right_delim(l, &trim)) {
            if (l->parens)
                return fail(l, "unclosed left paren");
            l->at += trim ? 2 : 0;
            l->start = l->at;
            l->at += 2;
            emit(l, TOKEN_RIGHT);
            if (trim)
                skip_space(l);
            return;
        }
        if (at_end(l))
            return fail(l, "unclosed action");
        lex_word(l);
    }
}

/* "/ *" is here. */
static void lex_comment(struct lexer *l)
{
    size_t n = slice_search(slice_from(l->text, l->at + 2), SLICE("*/"));
    bool trim;

    if (l->at + 2 + n >= l->text.n)
        return fail(l, "unclosed comment");
    l->at += 2 + n + 2;
    if (!at_right_delim(l, &trim))
        return fail(l, "comment ends before closing delimiter");
    l->at += trim ? 4 : 2;
    l->start = l->at;
    if (trim)
        skip_space(l);
}

/* Text up to the next action, and the action's opening. */
static void lex_outside(struct lexer *l)
{
    struct slice rest = slice_from(l->text, l->at);
    size_t n = slice_search(rest, SLICE("{{")), after = l->at + n + 2;
    bool there = n < rest.n, trim;

    trim = there && byte_at(l, after) == '-' && is_space(byte_at(l, after + 1));
    l->at += n;
    while (trim && l->at > l->start && is_space(l->text.p[l->at - 1]))
        l->at--;
    if (l->at > l->start)
        emit(l, TOKEN_TEXT);
    if (!there)
        return;
    l->start = after - 2;
    l->at = trim ? after + 2 : after;
    if (here(l, l->at, "/*"))
        return lex_comment(l);
    add(l, TOKEN_LEFT, SLICE("{{"), l->start);
    l->start = l->at;
    l->parens = 0;
    lex_action(l);
}

struct token *lex(struct arena *a, struct slice text, size_t *n)
{
    struct lexer l = {.a = a, .text = text};

    while (!l.failed && l.at < text.n)
        lex_outside(&l);
    if (!l.failed)
        add(&l, TOKEN_EOF, SLICE("EOF"), text.n);
    *n = l.n;
    return l.tokens;
}
