/*
 * The chunked coding (RFC 9112 7.1) as a machine of one byte at a time around stretches of data.
 * Extensions and trailers are read over, with a limit each.
 */
#include "net/http1.h"

#define CHUNK_LINE_MAX 256u

enum {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, /* at the start of a line behind the last chunk */
    TRAILER_LINE,
    TRAILER_LF,
    END_LF,
    END,
    BROKEN,
};

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_text(uint8_t c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static const char *size_byte(struct http1_chunks *c, uint8_t byte)
{
    int digit = hex_value(byte);

    if (digit >= 0) {
        if (++c->digits > 15)
            return "RFC 9112 7.1: chunk size: too many digits";
        c->left = c->left << 4 | (uint64_t)digit;
        return NULL;
    }
    if (!c->digits || (byte != ';' && byte != '\r'))
        return "RFC 9112 7.1: chunk size: expected hex digits";
    c->state = byte == ';' ? EXTENSION : SIZE_LF;
    return NULL;
}

static const char *extension_byte(struct http1_chunks *c, uint8_t byte)
{
    if (byte == '\r') {
        c->state = SIZE_LF;
        return NULL;
    }
    if (!is_text(byte))
        return "RFC 9112 7.1.1: chunk extension: control character";
    if (++c->line > CHUNK_LINE_MAX)
        return "chunk extension: more than 256 bytes";
    return NULL;
}

static const char *trailer_byte(struct http1_chunks *c, uint8_t byte)
{
    if (byte == '\r') {
        c->state = c->state == TRAILER ? END_LF : TRAILER_LF;
        return NULL;
    }
    if (!is_text(byte))
        return "RFC 9112 7.1.2: trailer: control character";
    if (++c->trailer > HTTP1_TRAILER_MAX)
        return "trailer: more than 16 KiB";
    c->state = TRAILER_LINE;
    return NULL;
}

/* The bytes that can only be one thing. */
static const char *fixed_byte(struct http1_chunks *c, uint8_t byte)
{
    static const struct {
        uint8_t byte;
        int next;
    } FIXED[] = {
        [SIZE_LF] = {'\n', DATA},       [DATA_CR] = {'\r', DATA_LF}, [DATA_LF] = {'\n', SIZE},
        [TRAILER_LF] = {'\n', TRAILER}, [END_LF] = {'\n', END},
    };

    if (byte != FIXED[c->state].byte)
        return "RFC 9112 7.1: chunk: expected CR LF";
    if (c->state == SIZE_LF && c->left == 0)
        c->state = TRAILER;
    else
        c->state = FIXED[c->state].next;
    c->digits = 0;
    c->line = 0;
    return NULL;
}

static const char *take_byte(struct http1_chunks *c, uint8_t byte)
{
    switch (c->state) {
    case SIZE:
        return size_byte(c, byte);
    case EXTENSION:
        return extension_byte(c, byte);
    case TRAILER:
    case TRAILER_LINE:
        return trailer_byte(c, byte);
    default:
        return fixed_byte(c, byte);
    }
}

enum http1_step http1_chunks(struct http1_chunks *c, struct slice in, size_t *used,
                             struct slice *data, const char **why)
{
    *used = 0;
    *why = NULL;
    *data = SLICE_NONE;
    while (*used < in.n && c->state < END) {
        if (c->state == DATA) {
            *data = slice_sub(in, *used, c->left < in.n ? (size_t)c->left : in.n);
            *used += data->n;
            c->left -= data->n;
            if (c->left == 0)
                c->state = DATA_CR;
            return HTTP1_MORE;
        }
        *why = take_byte(c, in.p[(*used)++]);
        if (*why)
            c->state = BROKEN;
    }
    if (c->state == BROKEN && !*why)
        *why = "chunk: broken";
    return c->state == END ? HTTP1_DONE : c->state == BROKEN ? HTTP1_BAD : HTTP1_MORE;
}
