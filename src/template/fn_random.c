/* Functions that draw from the generator of random bytes. */
#include "base/encode.h"
#include "template/internal.h"

static bool from_set(struct trun *run, int64_t count, const char *set, struct tvalue *out)
{
    struct buf b = run_buf(run);
    size_t n = strlen(set);

    for (int64_t i = 0; i < count && !b.failed && run_step(run); i++)
        buf_byte(&b, (uint8_t)set[run_random(run, n)]);
    return run_text(run, &b, out);
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

static bool fn_alpha(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return from_set(run, args[0].i, LETTERS, out);
}

static bool fn_alpha_num(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return from_set(run, args[0].i, LETTERS DIGITS, out);
}

static bool fn_numeric(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return from_set(run, args[0].i, DIGITS, out);
}

static bool fn_ascii(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return from_set(run, args[0].i, LETTERS DIGITS " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", out);
}

static bool fn_rand_int(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t least = args[0].i, below = args[1].i;

    (void)n;
    if (below <= least)
        return run_fail(run, "invalid argument to Intn");
    *out =
        tvalue_int((int64_t)((uint64_t)least + run_random(run, (uint64_t)below - (uint64_t)least)));
    return true;
}

static bool fn_rand_bytes(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf bytes = run_buf(run), b;
    uint8_t *to;

    (void)n;
    if (args[0].i < 0)
        return run_fail(run, "makeslice: len out of range");
    to = buf_room(&bytes, (size_t)args[0].i);
    if (to)
        run->rng->fill(run->rng, to, (size_t)args[0].i);
    buf_used(&bytes, to ? (size_t)args[0].i : 0);
    if (!run_buf_done(run, &bytes))
        return false;
    b = run_buf(run);
    base64_put(&b, BASE64_STD, buf_slice(&bytes));
    return run_text(run, &b, out);
}

static bool fn_uuid(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    uint8_t u[16];
    struct buf b = run_buf(run);

    (void)args, (void)n;
    run->rng->fill(run->rng, u, sizeof(u));
    u[6] = (u[6] & 0x0f) | 0x40;
    u[8] = (u[8] & 0x3f) | 0x80;
    for (size_t i = 0; i < sizeof(u); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            buf_byte(&b, '-');
        hex_put(&b, slice_of(u + i, 1));
    }
    return run_text(run, &b, out);
}

static bool fn_shuffle(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    struct buf b = run_buf(run);
    size_t count = 0;

    (void)n;
    uint32_t *runes = run_alloc(run, (s.n + 1) * sizeof(*runes));
    for (size_t i = 0; i < s.n;)
        i += rune_at(s, i, &runes[count++]);
    for (size_t i = count; i > 1 && run_step(run); i--) {
        size_t k = (size_t)run_random(run, i);
        uint32_t r = runes[i - 1];
        runes[i - 1] = runes[k];
        runes[k] = r;
    }
    for (size_t i = 0; i < count; i++)
        rune_put(&b, runes[i]);
    return run_text(run, &b, out);
}

static const struct tfunc FUNCTIONS[] = {
    {"randAlpha", "i", fn_alpha, 0},     {"randAlphaNum", "i", fn_alpha_num, 0},
    {"randNumeric", "i", fn_numeric, 0}, {"randAscii", "i", fn_ascii, 0},
    {"randInt", "ii", fn_rand_int, 0},   {"randBytes", "i", fn_rand_bytes, 0},
    {"uuidv4", "", fn_uuid, 0},          {"shuffle", "s", fn_shuffle, 0},
};
const struct function_table FUNCTIONS_RANDOM = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
