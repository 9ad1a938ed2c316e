/* Private to this folder: the words of a template. */
#pragma once

#include "template/internal.h"

enum token_kind {
    TOKEN_ERROR, /* text: what is wrong */
    TOKEN_EOF,
    TOKEN_TEXT,
    TOKEN_LEFT,  /* {{ */
    TOKEN_RIGHT, /* }} */
    TOKEN_SPACE,
    TOKEN_ASSIGN,
    TOKEN_DECLARE,
    TOKEN_PIPE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_CHAR, /* any other printable character */
    TOKEN_BOOL,
    TOKEN_CHARACTER,
    TOKEN_NUMBER,
    TOKEN_COMPLEX,
    TOKEN_STRING,
    TOKEN_FIELD, /* with its point */
    TOKEN_VARIABLE,
    TOKEN_IDENTIFIER,
    TOKEN_DOT,
    TOKEN_BLOCK,
    TOKEN_BREAK,
    TOKEN_CONTINUE,
    TOKEN_DEFINE,
    TOKEN_ELSE,
    TOKEN_END,
    TOKEN_IF,
    TOKEN_NIL,
    TOKEN_RANGE,
    TOKEN_TEMPLATE,
    TOKEN_WITH
};

struct token {
    enum token_kind kind;
    uint32_t pos;
    struct slice text;
};

/* The whole text as tokens; the last one is TOKEN_EOF or TOKEN_ERROR.  The text is below 4 GiB. */
struct token *lex(struct arena *a, struct slice text, size_t *n);

/* literal.c: numbers; NULL, or what is wrong. */
const char *literal_number(struct slice text, struct tnumber *n);
bool literal_complex(struct slice text, struct tnumber *n) CHECKED;
