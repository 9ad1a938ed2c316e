/*
 * step crypto rand: random texts and numbers.  Each choice is uniform: what would favour some
 * letters is thrown away and drawn again.
 */
#include "base/encode.h"
#include "cli/crypto.h"
#include "cli/tool_input.h"
#include "crypto/tool.h"
#include "json/utf8.h"

#define LENGTH_USUAL 32
#define FORMAT_USUAL "ascii"
#define WORDS_USUAL  6
#define DIE_USUAL    6
#define LENGTH_MOST  (1 << 20)
#define DICT_MOST    (16u << 20)
#define WORDS_MOST   (4u << 20)

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static uint64_t below(struct invocation *inv, uint64_t n)
{
    uint64_t v, most = UINT64_MAX - UINT64_MAX % n;

    do
        inv->rng->fill(inv->rng, &v, sizeof(v));
    while (v >= most);
    return v % n;
}

/* --- Formats ------------------------------------------------------------------------------ */

struct format;
typedef bool put_format(struct invocation *, const struct format *, int64_t n, struct buf *);
struct format {
    const char *name;
    put_format *put;
    const char *letters;
    int64_t usual;
};

static bool put_letters(struct invocation *inv, const struct format *f, int64_t n, struct buf *b)
{
    size_t count = strlen(f->letters);

    for (int64_t i = 0; i < n; i++)
        buf_byte(b, (uint8_t)f->letters[below(inv, count)]);
    return true;
}

static bool put_ascii(struct invocation *inv, const struct format *f, int64_t n, struct buf *b)
{
    (void)f;
    for (int64_t i = 0; i < n; i++)
        buf_byte(b, (uint8_t)('!' + below(inv, '~' - '!' + 1)));
    return true;
}

/* 256 pictures in one block of Unicode; one of them is no emoji, and another takes its place. */
static bool put_emoji(struct invocation *inv, const struct format *f, int64_t n, struct buf *b)
{
    enum { FIRST = 0x1f400, MISSING = 0x1f4fe, INSTEAD = 0x1f680 };
    uint8_t bytes[4];

    (void)f;
    for (int64_t i = 0; i < n; i++) {
        uint32_t rune = FIRST + (uint32_t)below(inv, 256);
        buf_put(b, slice_of(bytes, json_utf8_put(bytes, rune == MISSING ? INSTEAD : rune)));
    }
    return true;
}

static bool put_raw(struct invocation *inv, const struct format *f, int64_t n, struct buf *b)
{
    uint8_t *p = buf_room(b, (size_t)n);

    (void)f;
    if (!p)
        return true; /* buf_done tells */
    inv->rng->fill(inv->rng, p, (size_t)n);
    buf_used(b, (size_t)n);
    return true;
}

static bool put_die(struct invocation *inv, const struct format *f, int64_t n, struct buf *b)
{
    (void)f;
    buf_printf(b, "%llu", (unsigned long long)below(inv, (uint64_t)n) + 1);
    return true;
}

static bool put_prime(struct invocation *inv, const struct format *f, int64_t n, struct buf *b)
{
    struct slice decimal;

    (void)f;
    if (!tool_prime(inv->secrets, (unsigned)n, &decimal, &inv->err))
        return false;
    buf_put(b, decimal);
    return true;
}

/* RFC 9562 5.4. */
static bool put_uuid(struct invocation *inv, const struct format *f, int64_t n, struct buf *b)
{
    uint8_t u[16];

    (void)f, (void)n;
    inv->rng->fill(inv->rng, u, sizeof(u));
    u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);
    u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(u); i++)
        buf_printf(b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
    return true;
}

static const struct format FORMATS[] = {
    {"ascii", put_ascii, NULL, LENGTH_USUAL},
    {"alphanumeric", put_letters, LOWER UPPER DIGIT, LENGTH_USUAL},
    {"alphabet", put_letters, LOWER UPPER, LENGTH_USUAL},
    {"hex", put_letters, DIGIT "abcdef", LENGTH_USUAL},
    {"hexadecimal", put_letters, DIGIT "abcdef", LENGTH_USUAL},
    {"dec", put_letters, DIGIT, LENGTH_USUAL},
    {"decimal", put_letters, DIGIT, LENGTH_USUAL},
    {"lower", put_letters, LOWER, LENGTH_USUAL},
    {"upper", put_letters, UPPER, LENGTH_USUAL},
    {"emoji", put_emoji, NULL, LENGTH_USUAL},
    {"raw", put_raw, NULL, LENGTH_USUAL},
    {"die", put_die, NULL, DIE_USUAL},
    {"dice", put_die, NULL, DIE_USUAL},
    {"prime", put_prime, NULL, LENGTH_USUAL},
    {"uuid", put_uuid, NULL, LENGTH_USUAL},
};
#define FORMAT_NAMES                                                                               \
    "ascii, alphanumeric, alphabet, hex, dec, lower, upper, emoji, raw, die, prime, uuid"

static const struct format *format_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(FORMATS); i++) {
        if (slice_is_case(slice_text(name), FORMATS[i].name))
            return &FORMATS[i];
    }
    return NULL;
}

/* --- Dictionary --------------------------------------------------------------------------- */

static size_t count_words(struct slice text)
{
    struct slice line;
    size_t n = 0;

    while (text.n && slice_split(&text, '\n', &line))
        n += slice_trim(line).n > 0;
    return n;
}

static bool load_words(struct invocation *inv, const char *path, struct slice **words, size_t *n)
{
    struct slice text, line;

    if (!tool_read(inv, path, DICT_MOST, &text))
        return false;
    size_t count = count_words(text);
    if (!count || count > WORDS_MOST)
        return err_set(&inv->err, ERR_MALFORMED, "%s: expected words, one on each line", path);
    *words = arena_array(inv->arena, count, sizeof(**words));
    *n = 0;
    while (*n < count && slice_split(&text, '\n', &line)) {
        line = slice_trim(line);
        if (line.n)
            (*words)[(*n)++] = line;
    }
    return true;
}

static bool put_words(struct invocation *inv, const char *path, int64_t n, struct buf *b)
{
    struct slice *words = NULL;
    size_t count = 0;

    if (!load_words(inv, path, &words, &count))
        return false;
    for (int64_t i = 0; i < n; i++) {
        buf_text(b, i ? "-" : "");
        buf_put(b, words[below(inv, count)]);
    }
    return true;
}

/* --- The command -------------------------------------------------------------------------- */

static bool read_length(struct invocation *inv, int64_t usual, int64_t *n)
{
    const char *text = arg_text(inv, 0);
    uint64_t v;

    *n = usual;
    if (!text)
        return true;
    struct slice digits = slice_text(text);
    if (slice_starts(digits, "-") && digits.n > 1)
        digits = slice_from(digits, 1);
    if (!slice_to_u64(digits, &v) || v > INT64_MAX)
        return err_set(&inv->err, ERR_MALFORMED,
                       "positional argument <length> \"%s\" is not a valid number", text);
    *n = (int64_t)v;
    return (v && *text != '-') ||
           err_set(&inv->err, ERR_MALFORMED,
                   "positional argument <length> \"%s\" must be greater than 0", text);
}

static int run_rand(struct invocation *inv)
{
    const char *name = flag_text(inv, "format"), *dict = flag_text(inv, "dictionary");
    const struct format *f = format_named(name);
    struct buf b = buf_new(inv->secrets, 64u << 20);
    int64_t n;

    if (dict && !*dict)
        dict = NULL;
    if (!f && !*name)
        f = format_named(FORMAT_USUAL);
    if (dict && flag_set(inv, "format"))
        return fail_with(inv, "flag '--format' is incompatible with '--dictionary'");
    if (!f)
        return fail_value(inv, "format", name, FORMAT_NAMES);
    if (!read_length(inv, dict ? WORDS_USUAL : f->usual, &n))
        return fail(inv);
    int64_t most = f->put == put_die     ? INT64_MAX
                   : f->put == put_prime ? TOOL_PRIME_MAX
                                         : LENGTH_MOST;
    if (n > most)
        return fail_with(inv, "positional argument <length> \"%lld\" must be at most %lld",
                         (long long)n, (long long)most);
    if (!(dict ? put_words(inv, dict, n, &b) : f->put(inv, f, n, &b)))
        return fail(inv);
    if (f->put != put_raw || dict)
        buf_byte(&b, '\n');
    if (!buf_done(&b, "random text", &inv->err))
        return fail(inv);
    out_put(inv, buf_slice(&b));
    return 0;
}

static const struct flag RAND_FLAGS[] = {
    {"format", FLAG_TEXT, "<format>",
     "What to make: ascii, alphanumeric, alphabet, hex (hexadecimal), dec (decimal), lower, upper, "
     "emoji, raw (bytes), die (dice), prime or uuid.",
     FORMAT_USUAL, 0},
    {"dictionary,dict", FLAG_FILE, "<file>",
     "Choose words from this <file>, which has one on each line.", NULL, 0},
    {0}};
static const struct flag *const RAND_SETS[] = {RAND_FLAGS, NULL};

const struct command CMD_CRYPTO_RAND = {
    .name = "rand",
    .summary = "print random texts and numbers",
    .synopsis = "[<length>]",
    .description = "Prints random characters, words, or a number. All are equally likely.",
    .arguments = "length\tHow many characters (32 by default) or words (6); the faces of a die "
                 "(6), or the bits of a prime (32).",
    .examples = "A password:\n"
                "$ step crypto rand --format alphanumeric 20\n"
                "\n"
                "One to remember:\n"
                "$ step crypto rand --dictionary /usr/share/dict/words",
    .flag_sets = RAND_SETS,
    .most = 1,
    .run = run_rand,
};
