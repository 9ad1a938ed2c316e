/* step crypto otp: one-time passwords by time (RFC 6238), for both sides of a login. */
#include "cli/crypto.h"
#include "cli/otp.h"
#include "cli/qr.h"
#include "cli/tool_input.h"
#include "crypto/secret.h"

#define SECRET_USUAL 20
#define SECRET_MOST  128
#define PERIOD_USUAL 30
#define DIGITS_USUAL 6
#define SKEW_MOST    1000
#define FILE_MOST    (64u << 10)

/* --- Flags -------------------------------------------------------------------------------- */

#define ALG_FLAG                                                                                   \
    {                                                                                              \
        "alg,algorithm", FLAG_TEXT, "<algorithm>",                                                 \
            "The <algorithm> of the HMAC: SHA1, SHA256 or SHA512.", "SHA1", 0                      \
    }
#define PERIOD_FLAG                                                                                \
    {                                                                                              \
        "period", FLAG_INT, "<seconds>", "How many <seconds> a password holds.", "30", 0           \
    }
#define LENGTH_FLAG                                                                                \
    {                                                                                              \
        "length,digits", FLAG_INT, "<digits>", "How many <digits> a password has.", "6", 0         \
    }

/* 0 counts as not given. */
static bool number_flag(struct invocation *inv, const char *flag, int64_t usual, int64_t least,
                        int64_t most, unsigned *value)
{
    int64_t n = flag_int(inv, flag) ? flag_int(inv, flag) : usual;

    *value = (unsigned)n;
    return (n >= least && n <= most) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "invalid value '%lld' for flag '--%s'; options are %lld to %lld", (long long)n,
                   flag, (long long)least, (long long)most);
}

static bool alg_flag(struct invocation *inv, enum digest *alg)
{
    const char *text = flag_text(inv, "alg");

    return otp_alg_named(slice_text(text), alg) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "invalid value '%s' for flag '--alg'; options are SHA1, SHA256, SHA512", text);
}

/* --- generate ----------------------------------------------------------------------------- */

static bool make(struct invocation *inv, struct otp *o)
{
    unsigned size;

    *o = (struct otp){0};
    if (!alg_flag(inv, &o->alg) ||
        !number_flag(inv, "period", PERIOD_USUAL, 1, OTP_PERIOD_MAX, &o->period) ||
        !number_flag(inv, "length", DIGITS_USUAL, 6, OTP_DIGITS_MAX, &o->digits) ||
        !number_flag(inv, "secret-size", SECRET_USUAL, 1, SECRET_MOST, &size))
        return false;
    uint8_t *secret = arena_alloc(inv->secrets, size);
    inv->rng->fill(inv->rng, secret, size);
    o->secret = slice_of(secret, size);
    return true;
}

static bool show_qr(struct invocation *inv, struct slice url)
{
    struct slice lines, line;

    if (!qr_lines(inv->secrets, url, &lines, &inv->err))
        return false;
    while (lines.n && slice_split(&lines, '\n', &line))
        note(inv, "%.*s", SLICE_ARG(line));
    return true;
}

static bool write_qr(struct invocation *inv, const char *path, struct slice url)
{
    struct slice png;

    return qr_png(inv->secrets, url, &png, &inv->err) &&
           write_result(inv, path, png, 0644, &inv->err);
}

static int run_generate(struct invocation *inv)
{
    const char *qr = flag_text(inv, "qr");
    struct otp o;

    if (!make(inv, &o))
        return fail(inv);
    struct slice url =
        otp_url(inv->secrets, &o, flag_text(inv, "issuer"), flag_text(inv, "account"));
    if (qr && *qr && !(strcmp(qr, "-") == 0 ? show_qr(inv, url) : write_qr(inv, qr, url)))
        return fail(inv);
    struct slice text = flag_bool(inv, "url") ? url : base32_text(inv->secrets, o.secret);
    out_line(inv, "%.*s", SLICE_ARG(text));
    return 0;
}

static const struct flag GENERATE_FLAGS[] = {
    {"issuer,iss", FLAG_TEXT, "<name>", "Who asks for the passwords.", NULL, 0},
    {"account", FLAG_TEXT, "<name>", "Whose they are: a user name or an e-mail address.", NULL, 0},
    ALG_FLAG,
    PERIOD_FLAG,
    LENGTH_FLAG,
    {"secret-size", FLAG_INT, "<bytes>", "The size of the secret in <bytes>.", "20", 0},
    {"url", FLAG_BOOL, NULL, "Print the otpauth URL that authenticator programs read.", NULL, 0},
    {"qr", FLAG_FILE, "<file>",
     "Write the URL as a QR code into this PNG <file>, or show it on the terminal: \"-\".", NULL,
     0},
    {0}};
static const struct flag *const GENERATE_SETS[] = {GENERATE_FLAGS, FLAGS_FORCE, NULL};
static const struct flag_rule GENERATE_RULES[] = {
    {RULE_REQUIRED, "issuer", NULL}, {RULE_REQUIRED, "account", NULL}, {0}};

static const struct command GENERATE = {
    .name = "generate",
    .summary = "make the secret of one-time passwords",
    .synopsis = "",
    .description = "Prints a fresh secret in base32, or as a URL, and writes it as a QR code when "
                   "asked to.",
    .examples =
        "A secret:\n"
        "$ step crypto otp generate --issuer example.com --account alice > alice.totp\n"
        "\n"
        "To be scanned from this terminal:\n"
        "$ step crypto otp generate --issuer example.com --account alice --qr - > alice.totp",
    .flag_sets = GENERATE_SETS,
    .rules = GENERATE_RULES,
    .run = run_generate,
};

/* --- verify ------------------------------------------------------------------------------- */

static bool secret_file(struct invocation *inv, const char **path)
{
    const char *flag = flag_text(inv, "secret");

    *path = flag && *flag ? flag : arg_text(inv, 0);
    return *path ||
           err_set(&inv->err, ERR_MALFORMED, "'%s' requires the '--secret' flag", inv->path);
}

/* Flags say more than the URL, the URL more than defaults. */
static bool read_secret(struct invocation *inv, struct otp *o)
{
    const char *path;
    struct slice text;
    struct otp flags = {0};

    if (!alg_flag(inv, &flags.alg) ||
        !number_flag(inv, "period", PERIOD_USUAL, 1, OTP_PERIOD_MAX, &flags.period) ||
        !number_flag(inv, "length", DIGITS_USUAL, 1, OTP_DIGITS_MAX, &flags.digits) ||
        !secret_file(inv, &path) || !tool_read(inv, path, FILE_MOST, &text))
        return false;
    *o = flags;
    if (slice_starts(slice_trim(text), "otpauth:")) {
        if (!otp_url_read(inv->secrets, text, o, &inv->err))
            return err_wrap(&inv->err, "error reading %s", path);
        o->alg = flag_set(inv, "alg") ? flags.alg : o->alg;
        o->period = flag_set(inv, "period") ? flags.period : o->period;
        o->digits = flag_set(inv, "length") ? flags.digits : o->digits;
        return true;
    }
    return (base32_read(inv->secrets, text, &o->secret) && o->secret.n) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "error reading %s: expected a secret in base32 or an otpauth URL", path);
}

static bool read_skew(struct invocation *inv, uint64_t *skew)
{
    int64_t n = flag_int(inv, "skew");

    *skew = (uint64_t)n;
    if (n < 0 || n > SKEW_MOST)
        return err_set(&inv->err, ERR_MALFORMED,
                       "invalid value '%lld' for flag '--skew'; options are 0 to %d", (long long)n,
                       SKEW_MOST);
    return n <= 1 || flag_bool(inv, "insecure") ||
           err_set(&inv->err, ERR_MALFORMED,
                   "'--skew' values greater than 1 require the '--insecure' flag");
}

/* Looks at every period, so that time tells nothing. */
static bool matches(const struct otp *o, uint64_t counter, uint64_t skew, struct slice code)
{
    char expected[OTP_DIGITS_MAX + 1];
    bool good = false;

    for (uint64_t c = counter > skew ? counter - skew : 0; c <= counter + skew; c++) {
        otp_code(o, c, expected);
        good |= secret_equal(slice_text(expected), code);
    }
    secret_wipe(expected, sizeof(expected));
    return good;
}

static int run_verify(struct invocation *inv)
{
    struct time_or_duration when = flag_time(inv, "time");
    struct instant at = time_or_duration_from(&when, inv->clock->now(inv->clock));
    struct slice code;
    struct otp o;
    uint64_t skew;

    if (!read_skew(inv, &skew) || !read_secret(inv, &o) ||
        !tool_input(inv, "Please enter the passcode", &code))
        return fail(inv);
    code = slice_trim(code);
    if (at.sec < 0)
        return fail_with(inv, "flag '--time' must not be before 1970");
    if (code.n != o.digits)
        return fail_with(inv,
                         "error while validating TOTP: Input length unexpected: %zu, expected %u",
                         code.n, o.digits);
    bool good = matches(&o, (uint64_t)at.sec / o.period, skew, code);
    out_line(inv, good ? "ok" : "fail");
    return good ? 0 : 1;
}

static const struct flag VERIFY_FLAGS[] = {
    {"secret", FLAG_FILE, "<file>", "The <file> with the secret in base32, or with an otpauth URL.",
     NULL, 0},
    ALG_FLAG,
    PERIOD_FLAG,
    LENGTH_FLAG,
    {"skew", FLAG_INT, "<periods>",
     "How many <periods> before and after are accepted too; more than 1 requires --insecure.", "0",
     0},
    {"time", FLAG_TIME, "<time|duration>",
     "When the password must hold: an RFC 3339 time, or a duration from now. Default: now.", NULL,
     0},
    {0}};
static const struct flag *const VERIFY_SETS[] = {VERIFY_FLAGS, FLAGS_INSECURE, NULL};

static const struct command VERIFY = {
    .name = "verify",
    .summary = "verify a one-time password",
    .synopsis = "[<secret-file>]",
    .description = "Reads a password from standard input, or asks for it, and prints \"ok\" when "
                   "it is the one of the present period, else \"fail\".",
    .arguments = "secret-file\tThe file with the secret; the same as --secret.",
    .examples = "Ask for it:\n"
                "$ step crypto otp verify --secret alice.totp\n"
                "\n"
                "Accept the one before and the one after, too:\n"
                "$ echo 123456 | step crypto otp verify --secret alice.totp --skew 1",
    .exit_codes = "0 and \"ok\" when it holds; 1 and \"fail\" when not.",
    .flag_sets = VERIFY_SETS,
    .most = 1,
    .run = run_verify,
};

static const struct command *const OTP_COMMANDS[] = {&GENERATE, &VERIFY, NULL};
const struct command CMD_CRYPTO_OTP = {
    .name = "otp",
    .summary = "make and verify one-time passwords",
    .description = "Makes the secrets of one-time passwords by time (TOTP, RFC 6238) and verifies "
                   "passwords.",
    .sub = OTP_COMMANDS,
};
