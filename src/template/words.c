/*
 * Names as programs write them: "HTTPServer" is the words HTTP and Server.  A word is a run of one
 * class of characters; an upper-case run that a lower-case letter follows gives its last letter to
 * the next word.  Numbers stick to the word before them, unless letters follow.
 */
#include "template/internal.h"

enum word { W_NONE, W_NUMBER, W_UPPER, W_LETTERS, W_CONNECTOR, W_PUNCT, W_OTHER };

struct words {
    struct slice rest;
    enum word kind;
    struct slice word;
};

static bool is_connector(uint32_t r)
{
    return r == '-' || r == '_' || rune_is_space(r);
}

/* Letters of alphabets; Chinese characters are none. */
static bool is_alphabet(uint32_t r)
{
    return rune_is_letter(r) && !(r >= 0x4e00 && r <= 0x9fcc) && !(r >= 0x3400 && r <= 0x4d85) &&
           !(r >= 0x20000 && r <= 0x2b81d);
}

/* The next rune that is valid; bad bytes before it belong to it.  Without one: before. */
static size_t next_rune(struct slice s, size_t at, uint32_t before, uint32_t *rune)
{
    size_t from = at;

    while (at < s.n) {
        at += rune_at(s, at, rune);
        if (*rune != 0xfffd)
            return at - from;
    }
    *rune = before;
    return at - from;
}

static bool is_letters(uint32_t r)
{
    return is_alphabet(r) && !rune_is_upper(r);
}

static bool is_other(uint32_t r)
{
    return !is_connector(r) && !is_alphabet(r) && !rune_is_number(r) && !rune_is_punct(r);
}

static size_t run_of(struct slice s, size_t at, uint32_t r, bool (*in)(uint32_t))
{
    while (at < s.n) {
        size_t size = next_rune(s, at, r, &r);
        if (!size || !in(r))
            break;
        at += size;
    }
    return at;
}

/* at: behind the first upper-case letter. */
static size_t upper_word(struct slice s, size_t at, uint32_t r)
{
    size_t last = at;

    if (at >= s.n)
        return at;
    size_t size = next_rune(s, at, r, &r);
    if (!rune_is_upper(r))
        return is_alphabet(r) ? run_of(s, at + size, r, is_letters) : at;
    while (rune_is_upper(r)) {
        last = at;
        at += size;
        if (at >= s.n)
            return at;
        size = next_rune(s, at, r, &r);
    }
    return is_alphabet(r) ? last : at;
}

static void next_word(struct words *w)
{
    static const struct {
        enum word kind;
        bool (*in)(uint32_t);
    } CLASSES[] = {{W_CONNECTOR, is_connector},
                   {W_PUNCT, rune_is_punct},
                   {W_UPPER, rune_is_upper},
                   {W_LETTERS, is_alphabet},
                   {W_NUMBER, rune_is_number}};
    struct slice s = w->rest;
    uint32_t r;

    w->kind = W_NONE;
    w->word = slice_sub(s, 0, 0);
    if (!s.n)
        return;
    size_t at = next_rune(s, 0, 0xfffd, &r);
    if (r != 0xfffd) {
        size_t i = 0;
        while (i < COUNT_OF(CLASSES) && !CLASSES[i].in(r))
            i++;
        w->kind = i < COUNT_OF(CLASSES) ? CLASSES[i].kind : W_OTHER;
        if (w->kind == W_UPPER)
            at = upper_word(s, at, r);
        else if (w->kind == W_LETTERS)
            at = run_of(s, at, r, is_letters);
        else
            at = run_of(s, at, r, w->kind == W_OTHER ? is_other : CLASSES[i].in);
    }
    w->word = slice_sub(s, 0, at);
    w->rest = slice_from(s, at);
}

static void put_word(struct buf *b, enum word kind, struct slice s, char connector)
{
    uint32_t r;

    if (kind != W_UPPER && kind != W_CONNECTOR)
        return buf_put(b, s);
    for (size_t i = 0; i < s.n;) {
        i += rune_at(s, i, &r);
        rune_put(b, is_connector(r) ? (uint32_t)connector : rune_lower(r));
    }
}

/* Letters and numbers that go on without a break. */
static void put_mixed(struct buf *b, struct words *w, char connector)
{
    while (w->kind == W_LETTERS || w->kind == W_NUMBER) {
        put_word(b, w->kind, w->word, connector);
        next_word(w);
    }
}

static bool breaks(enum word k)
{
    return k != W_CONNECTOR && k != W_PUNCT;
}

/* A word is written; w is at a number behind it. */
static void put_number(struct buf *b, struct words *w, char connector)
{
    struct slice number = w->word;

    next_word(w);
    if (w->kind != W_LETTERS) {
        put_word(b, W_NUMBER, number, connector);
        if (breaks(w->kind))
            buf_byte(b, (uint8_t)connector);
        return;
    }
    buf_byte(b, (uint8_t)connector);
    put_word(b, W_NUMBER, number, connector);
    put_mixed(b, w, connector);
    if (w->kind != W_NONE && breaks(w->kind))
        buf_byte(b, (uint8_t)connector);
}

void words_join(struct buf *b, struct slice s, char connector)
{
    struct words w = {.rest = s};

    next_word(&w);
    while (w.rest.n) {
        enum word before = w.kind;
        struct slice last = w.word;
        if (before != W_CONNECTOR)
            put_word(b, before, last, connector);
        next_word(&w);
        if (before == W_NUMBER) {
            put_mixed(b, &w, connector);
            if (w.kind != W_NONE && breaks(w.kind))
                buf_byte(b, (uint8_t)connector);
        } else if (before == W_CONNECTOR) {
            put_word(b, before, last, connector);
        } else if (before != W_PUNCT && w.kind != W_NUMBER) {
            if (breaks(w.kind))
                buf_byte(b, (uint8_t)connector);
        } else if (before != W_PUNCT && w.rest.n) {
            put_number(b, &w, connector);
        }
    }
    put_word(b, w.kind, w.word, connector);
}

void words_camel(struct buf *b, struct slice s)
{
    uint32_t now = 0, before;
    size_t at = 0;
    bool first_upper = false;

    /* Connectors in front stay. */
    while (at < s.n) {
        at += rune_at(s, at, &now);
        if (!is_connector(now)) {
            first_upper = rune_is_upper(now);
            now = rune_upper(now);
            break;
        }
        rune_put(b, now);
    }
    if (at >= s.n) {
        if (s.n)
            rune_put(b, now);
        return;
    }
    while (at < s.n) {
        before = now;
        at += rune_at(s, at, &now);
        if (is_connector(now) && is_connector(before)) {
            rune_put(b, before);
            continue;
        }
        if (is_connector(before)) {
            first_upper = rune_is_upper(now);
            now = rune_upper(now);
            continue;
        }
        if (first_upper && rune_is_upper(now))
            now = rune_lower(now);
        else
            first_upper = false;
        rune_put(b, before);
    }
    rune_put(b, now);
}
