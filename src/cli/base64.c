/* step base64: encodes and decodes (RFC 4648), in either alphabet, with and without padding. */
#include "base/encode.h"
#include "cli/crypto.h"
#include "cli/tool_input.h"
#include "cli/tree.h"

#define TEXT_MAX (256u << 20)

static bool read_text(struct invocation *inv, struct slice *text)
{
    struct buf b = buf_new(inv->secrets, TEXT_MAX);

    if (!inv->n_args && tool_piped())
        return tool_read(inv, NULL, TEXT_MAX, text);
    if (!inv->n_args)
        return tool_input(inv, "Please enter text", text);
    for (int i = 0; i < inv->n_args; i++) {
        buf_text(&b, i ? " " : "");
        buf_put(&b, inv->args[i]);
    }
    *text = buf_slice(&b);
    return buf_done(&b, "text", &inv->err);
}

/* --- Decoding ----------------------------------------------------------------------------- */

static struct slice without_lines(struct invocation *inv, struct slice text)
{
    struct buf b = buf_new(inv->secrets, text.n + 1);

    text = slice_trim(text);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '\n' && text.p[i] != '\r')
            buf_byte(&b, text.p[i]);
    }
    return buf_slice(&b);
}

static bool has(struct slice s, uint8_t byte)
{
    return slice_find(s, byte) < s.n;
}

static enum base64_form form_of(struct invocation *inv, struct slice text)
{
    bool raw = flag_bool(inv, "raw"), url = flag_bool(inv, "url");

    if (!raw && !url) {
        url = has(text, '-') || has(text, '_');
        raw = !slice_ends(text, "=");
    }
    if (url)
        return raw ? BASE64_URL_RAW : BASE64_URL;
    return raw ? BASE64_STD_RAW : BASE64_STD;
}

/* Other encoders leave bits behind the last byte; they mean nothing, and the strict reader refuses
 * them. */
static void clear_spare_bits(struct slice text, bool url)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint8_t *p = (uint8_t *)(uintptr_t)text.p;
    size_t n = text.n;

    while (n && p[n - 1] == '=')
        n--;
    if (n % 4 < 2)
        return;
    unsigned mask = n % 4 == 2 ? 0x30 : 0x3c;
    const char *at = memchr(LETTERS, p[n - 1], sizeof(LETTERS) - 1);
    unsigned value = at                              ? (unsigned)(at - LETTERS)
                     : p[n - 1] == (url ? '-' : '+') ? 62
                     : p[n - 1] == (url ? '_' : '/') ? 63
                                                     : 64;
    if (value < 64)
        p[n - 1] = (uint8_t)LETTERS[value & mask]; /* 60 at most */
}

static int decode(struct invocation *inv, struct slice text)
{
    struct slice bytes;

    text = without_lines(inv, text);
    enum base64_form form = form_of(inv, text);
    bool url = form == BASE64_URL || form == BASE64_URL_RAW;
    clear_spare_bits(text, url);
    if (!base64_read(inv->secrets, form, text, &bytes))
        return fail_with(inv, "error decoding input: RFC 4648 %d: illegal base64 data %s padding",
                         url ? 5 : 4,
                         form == BASE64_URL || form == BASE64_STD ? "with" : "without");
    out_put(inv, bytes);
    return 0;
}

/* --- The command -------------------------------------------------------------------------- */

static int run_base64(struct invocation *inv)
{
    bool raw = flag_bool(inv, "raw"), url = flag_bool(inv, "url");
    enum base64_form form =
        url ? (raw ? BASE64_URL_RAW : BASE64_URL) : (raw ? BASE64_STD_RAW : BASE64_STD);
    struct slice text;

    if (!read_text(inv, &text))
        return fail(inv);
    if (flag_bool(inv, "decode"))
        return decode(inv, text);
    out_line(inv, "%.*s", SLICE_ARG(base64_text(inv->secrets, form, text)));
    return 0;
}

static const struct flag BASE64_FLAGS[] = {
    {"d,decode", FLAG_BOOL, NULL, "Decode.", NULL, 0},
    {"r,raw", FLAG_BOOL, NULL, "Without padding.", NULL, 0},
    {"u,url", FLAG_BOOL, NULL, "With the alphabet for URLs and file names.", NULL, 0},
    {0}};
static const struct flag *const BASE64_SETS[] = {BASE64_FLAGS, NULL};

const struct command CMD_BASE64 = {
    .name = "base64",
    .summary = "encode and decode base64",
    .synopsis = "[<text>...]",
    .description = "Encodes the words, joined by blanks, or standard input. When decoding without "
                   "--raw and --url, alphabet and padding are told by the text.",
    .arguments = "text\tWhat to encode or decode; standard input when there is none.",
    .examples = "Encode:\n"
                "$ echo -n hello | step base64\n"
                "\n"
                "The header of a token:\n"
                "$ cut -d. -f1 token | step base64 -d",
    .flag_sets = BASE64_SETS,
    .most = -1,
    .run = run_base64,
};
