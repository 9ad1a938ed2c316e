/* Private to this folder: RE2's regular expressions, written anew for PCRE2. */
#pragma once

#include "template/internal.h"

struct regex {
    struct slice pattern; /* as PCRE2 gets it */
    size_t groups;        /* without the whole match */
    struct slice *names;  /* groups + 1; .p == NULL: none */
};
/* False: *why says what RE2 has against it. */
bool regex_translate(struct arena *a, struct slice re, struct regex *out, const char **why);

/* regex_class.c: members of a bracket.  fold: without regard to case. */
void regex_put_rune(struct buf *b, uint32_t rune);
void regex_put_range(struct buf *b, uint32_t low, uint32_t high);
/* \d \D \s \S \w \W; false: the letter is none of them. */
bool regex_put_perl(struct buf *b, uint8_t letter, bool fold);
/* [:alpha:]; false: no such class. */
bool regex_put_posix(struct buf *b, struct slice name, bool negative, bool fold);
/* \p{L}, \p{Greek}; false: no such category or script. */
bool regex_put_property(struct arena *a, struct buf *b, struct slice name, bool negative,
                        bool fold);
