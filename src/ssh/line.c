/* Lines of .pub files: sshd(8) "AUTHORIZED_KEYS FILE FORMAT". */
#include "base/encode.h"
#include "ssh/key_private.h"

#define LINE_MAX_BYTES (512u << 10)

/* The next word; blanks inside double quotes belong to it (options have such). */
static struct slice take_word(struct slice *line, bool quotes)
{
    bool quoted = false;
    size_t n = 0;

    while (line->n > 0 && (line->p[0] == ' ' || line->p[0] == '\t'))
        *line = slice_from(*line, 1);
    while (n < line->n) {
        uint8_t c = line->p[n];
        if (!quoted && (c == ' ' || c == '\t'))
            break;
        if (quotes && c == '"' && (n == 0 || line->p[n - 1] != '\\'))
            quoted = !quoted;
        n++;
    }
    struct slice word = slice_sub(*line, 0, n);
    *line = slice_from(*line, n);
    return word;
}

/* TYPE BASE64 COMMENT; the blob must say the same type. */
static bool read_key(struct arena *a, struct slice line, struct ssh_line *out)
{
    struct slice type = take_word(&line, false), text = take_word(&line, false), name, rest;

    if (type.n == 0 || text.n == 0 || !base64_read(a, BASE64_STD, text, &out->blob))
        return false;
    rest = out->blob;
    if (!ssh_take_string(&rest, &name) || !slice_eq(name, type))
        return false;
    out->type = name;
    out->comment = slice_trim(line);
    return true;
}

static bool read_line(struct arena *a, struct slice line, struct ssh_line *out)
{
    if (read_key(a, line, out))
        return true;
    take_word(&line, true); /* options */
    return read_key(a, line, out);
}

bool ssh_line_read(struct arena *a, struct slice text, struct ssh_line *out, struct err *e)
{
    struct slice rest = text, line;

    while (slice_split(&rest, '\n', &line)) {
        line = slice_trim(line);
        if (line.n == 0 || line.p[0] == '#' || line.n > LINE_MAX_BYTES)
            continue;
        if (read_line(a, line, out))
            return true;
    }
    return err_set(e, ERR_MALFORMED,
                   "expected a line \"TYPE BASE64 COMMENT\" of an OpenSSH key or certificate, "
                   "found none");
}

struct slice ssh_line_make(struct arena *a, struct slice blob, struct slice comment)
{
    struct buf b = buf_new(a, 2 * LINE_MAX_BYTES);
    struct slice rest = blob, name;

    if (!ssh_take_string(&rest, &name))
        return SLICE_NONE;
    buf_put(&b, name);
    buf_byte(&b, ' ');
    base64_put(&b, BASE64_STD, blob);
    if (comment.n > 0) {
        buf_byte(&b, ' ');
        buf_put(&b, comment);
    }
    buf_byte(&b, '\n');
    return buf_ok(&b) ? buf_slice(&b) : SLICE_NONE;
}
