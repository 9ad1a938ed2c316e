/*
 * Passwords on any terminal: one that may be made up, and the source that key files draw on.
 */
#include "base/clock.h"
#include "cli/terminal.h"
#include "crypto/secret.h"

#define GENERATED 32u

/* --- Made up --------------------------------------------------------------------------------- */

static bool not_empty(struct slice text, struct err *e)
{
    return !slice_empty(slice_trim(text)) ||
           err_set(e, ERR_MALFORMED, "the password must not be empty");
}

/* Uniform: bytes that would favour the first letters are thrown away. */
static void generate(char out[GENERATED + 1])
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const unsigned n = sizeof(LETTERS) - 1;
    uint8_t byte;

    for (size_t i = 0; i < GENERATED;) {
        RNG_SYSTEM.fill(&RNG_SYSTEM, &byte, 1);
        if (byte < 256 / n * n)
            out[i++] = LETTERS[byte % n];
    }
    out[GENERATED] = 0;
}

bool terminal_password_or_generate(struct terminal *t, struct arena *secrets, const char *label,
                                   const char *flag, struct slice *answer, struct err *e)
{
    if (!t->password(t, secrets, label, flag, answer, e))
        return false;
    if (!slice_empty(*answer))
        return true;
    char *made = arena_alloc(secrets, GENERATED + 1);
    generate(made);
    if (!t->text(t, secrets, "Password", made, flag, not_empty, answer, e))
        return false;
    *answer = slice_trim_end_unicode(*answer);
    return true;
}

/* --- For key files --------------------------------------------------------------------------- */

struct terminal_source {
    struct password_source source;
    struct terminal *terminal;
    struct slice fixed;
    const char *flag;
};

static bool source_get(struct password_source *source, const char *what, unsigned attempt,
                       struct arena *secrets, struct slice *password, struct err *e)
{
    struct terminal_source *s = (struct terminal_source *)source;

    (void)attempt; /* a fixed password has one try, which the caller counts */
    if (!slice_empty(s->fixed)) {
        *password = s->fixed;
        return true;
    }
    char *label = arena_printf(secrets, "Please enter the password to decrypt %s", what);
    return s->terminal->password(s->terminal, secrets, label, s->flag, password, e);
}

struct password_source *terminal_password_source(struct arena *a, struct terminal *t,
                                                 struct slice fixed, const char *flag,
                                                 unsigned tries)
{
    struct terminal_source *s = arena_alloc(a, sizeof(*s));

    s->source = (struct password_source){source_get, slice_empty(fixed) ? tries : 1};
    s->terminal = t;
    s->fixed = fixed;
    s->flag = flag;
    return &s->source;
}
