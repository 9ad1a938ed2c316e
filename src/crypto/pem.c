/*
 * PEM (RFC 7468), with the headers of RFC 1421 4.6 that encrypted keys of old have.  A block starts
 * with its BEGIN line at the start of a line; what stands between blocks is skipped.  A block that
 * began must end, with the same label: a broken one is an error, never text to skip.
 */
#include "crypto/pem.h"

#include "base/encode.h"

#define BEGIN      "-----BEGIN "
#define END        "-----END "
#define DASHES     "-----"
#define LABEL_MAX  64u
#define COLUMNS    64u
#define BLOCK_ROOM (16u << 20)

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The line at the start of *rest, without its end; *rest moves behind it. */
static bool line_take(struct slice *rest, struct slice *line)
{
    if (!rest->n)
        return false;
    size_t n = slice_find(*rest, '\n');
    *line = slice_sub(*rest, 0, n);
    *rest = slice_from(*rest, n + 1);
    while (line->n && is_blank(line->p[line->n - 1]))
        line->n--;
    return true;
}

/* The label of a "-----BEGIN label-----" or END line. */
static bool boundary(struct slice line, const char *start, struct slice *label)
{
    if (!slice_starts(line, start))
        return false;
    struct slice s = slice_from(line, strlen(start));
    if (!slice_ends(s, DASHES))
        return false;
    *label = slice_sub(s, 0, s.n - strlen(DASHES));
    for (size_t i = 0; i < label->n; i++) {
        if (label->p[i] < 0x20 || label->p[i] > 0x7e)
            return false;
    }
    return label->n <= LABEL_MAX;
}

/* Lines with a colon, which base64 never has, up to a blank line. */
static bool headers_take(struct slice *rest, struct pem *block, struct err *e)
{
    struct slice line, after = *rest;

    while (line_take(&after, &line)) {
        size_t colon = slice_find(line, ':');
        if (colon == line.n)
            return true;
        if (block->n_headers == COUNT_OF(block->headers))
            return err_set(e, ERR_MALFORMED, "PEM: RFC 1421 4.6: more than %zu headers",
                           COUNT_OF(block->headers));
        block->headers[block->n_headers++] = (struct pem_header){
            slice_trim(slice_sub(line, 0, colon)), slice_trim(slice_from(line, colon + 1))};
        *rest = after;
    }
    return true;
}

/* Everything up to the END line. */
static bool body_take(struct slice *rest, struct slice label, struct slice *body, struct err *e)
{
    struct slice start = *rest, line, end_label;

    for (;;) {
        const uint8_t *at = rest->p;
        if (!line_take(rest, &line))
            return err_set(e, ERR_MALFORMED, "PEM: RFC 7468 3: a block has no END line");
        if (slice_starts(line, BEGIN))
            return err_set(e, ERR_MALFORMED, "PEM: RFC 7468 3: a BEGIN line inside a block");
        if (!slice_starts(line, END))
            continue;
        if (!boundary(line, END, &end_label) || !slice_eq(label, end_label))
            return err_set(e, ERR_MALFORMED,
                           "PEM: RFC 7468 3: the labels of the BEGIN and the "
                           "END line differ");
        *body = slice_sub(start, 0, (size_t)(at - start.p));
        return true;
    }
}

bool pem_next(struct arena *a, struct slice *rest, struct pem *block, struct err *e)
{
    struct slice line, body;

    *block = (struct pem){0};
    for (;;) {
        const uint8_t *at = rest->p;
        if (!line_take(rest, &line)) {
            err_clear(e);
            return false;
        }
        if (!slice_starts(line, BEGIN))
            continue;
        if (!boundary(line, BEGIN, &block->label))
            return err_set(e, ERR_MALFORMED, "PEM: RFC 7468 3: a BEGIN line without end");
        if (!headers_take(rest, block, e) || !body_take(rest, block->label, &body, e))
            return false;
        block->text = slice_of(at, (size_t)(rest->p - at));
        break;
    }
    if (!base64_read(a, BASE64_PEM, body, &block->der))
        return err_set(e, ERR_MALFORMED, "PEM: the block '%.*s' is not base64",
                       SLICE_ARG(block->label));
    return true;
}

struct slice pem_header_get(const struct pem *block, const char *name)
{
    for (size_t i = 0; i < block->n_headers; i++) {
        if (slice_is(block->headers[i].name, name))
            return block->headers[i].value;
    }
    return SLICE_NONE;
}

void pem_put(struct buf *b, const char *label, struct slice der)
{
    const size_t bytes_of_line = COLUMNS / 4 * 3;

    buf_printf(b, BEGIN "%s" DASHES "\n", label);
    for (size_t at = 0; at < der.n; at += bytes_of_line) {
        base64_put(b, BASE64_STD, slice_sub(der, at, bytes_of_line));
        buf_byte(b, '\n');
    }
    buf_printf(b, END "%s" DASHES "\n", label);
}

struct slice pem_text(struct arena *a, const char *label, struct slice der)
{
    struct buf b = buf_new(a, 2 * (BLOCK_ROOM + der.n));

    pem_put(&b, label, der);
    return buf_slice(&b);
}

bool pem_looks_like(struct slice text)
{
    return slice_search(text, SLICE(BEGIN)) < text.n;
}

struct slice bom_skip(struct slice text)
{
    static const struct slice MARKS[] = {
        {(const uint8_t *)"\xef\xbb\xbf", 3},
        {(const uint8_t *)"\xfe\xff", 2},
        {(const uint8_t *)"\xff\xfe", 2},
    };

    for (size_t i = 0; i < COUNT_OF(MARKS); i++) {
        if (text.n >= MARKS[i].n && memcmp(text.p, MARKS[i].p, MARKS[i].n) == 0)
            return slice_from(text, MARKS[i].n);
    }
    return text;
}
