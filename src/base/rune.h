/* Characters of texts that somebody else wrote: which of them a line of ours can show. */
#pragma once

#include "base/buf.h"

/* The character at s.p[0] (s is not empty); *n is its length, 1 for a byte that is not valid UTF-8
 * (then false). */
bool rune_read(struct slice s, uint32_t *rune, size_t *n);
/* False: controls, blanks other than ' ', format and private characters: what a reader could not
 * see, or what would turn the line around. */
bool rune_visible(uint32_t rune);
/* The letter behind the backslash for the controls that have one; 0 for the others. */
char rune_escape(uint32_t rune, bool json);
/* How many bytes at the start stand for themselves between quotes: nearly all of nearly every
 * value. */
size_t rune_plain_run(struct slice s, bool json);
/* In place: each byte of what is not printable UTF-8 becomes '?'. */
void text_clean(uint8_t *p, size_t n);
/* "…", with quotes, backslashes and whatever is not printable escaped: \n, \x1b, \u202e. */
void text_quote(struct buf *b, struct slice s);
