/*
 * How rules and names spell a domain and a mailbox.  Both are read by the same two functions, so
 * that what a rule cannot say no name can either: a name with another spelling of what a rule
 * denies (a dot at its end, quotes, escapes) is brought into the rule's form or is no name at all.
 */
#include "policy/internal.h"
#include "x509/idna.h"

/* RFC 1123 section 2.1: something, and no hyphen at either end. */
static bool is_label(struct slice s)
{
    return s.n > 0 && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

bool policy_domain(struct arena *a, struct slice name, struct slice *ascii)
{
    struct slice out, rest, label;

    if (!idna_lookup(a, name, &out) || out.n == 0)
        return false;
    /* After the conversion: other full stops have become dots by it. */
    rest = out;
    while (slice_split(&rest, '.', &label)) {
        if (!is_label(label))
            return false;
    }
    *ascii = policy_lower(a, out);
    return true;
}

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 5322 section 3.2.3 */
static bool is_atext(uint8_t c)
{
    static const char OTHERS[] = "!#$%&'*+-/=?^_`{|}~";

    return is_letter_or_digit(c) || (c != 0 && strchr(OTHERS, c));
}

/* The length of a dot-atom at the front of text; 0: none. */
static size_t dot_atom(struct slice text)
{
    bool in_atom = false;
    size_t i = 0;

    for (; i < text.n && (is_atext(text.p[i]) || (text.p[i] == '.' && in_atom)); i++)
        in_atom = text.p[i] != '.';
    return in_atom ? i : 0;
}

/* The same of a quoted string; what it stands for goes to *plain. */
static size_t quoted(struct arena *a, struct slice text, struct slice *plain)
{
    uint8_t *out = arena_alloc(a, text.n + 1);
    size_t n = 0;

    for (size_t i = 1; i < text.n; i++) {
        if (text.p[i] == '"') {
            *plain = slice_of(out, n);
            return i + 1;
        }
        if (text.p[i] == '\\' && ++i == text.n)
            return 0;
        if (text.p[i] < ' ' || text.p[i] > '~')
            return 0;
        out[n++] = text.p[i];
    }
    return 0;
}

/* A label that no host has but mail goes to: '_', a hyphen at an end. */
static bool is_mail_label(struct slice s)
{
    if (s.n == 0 || slice_eq_case(slice_sub(s, 0, 4), SLICE("xn--")))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '-' && s.p[i] != '_' && !is_letter_or_digit(s.p[i]))
            return false;
    return true;
}

/* A domain of the last kind is one that no rule has. */
static bool mail_domain(struct arena *a, struct slice name, struct slice *ascii)
{
    struct slice rest = name, label;

    if (policy_domain(a, name, ascii))
        return true;
    if (name.n == 0)
        return false;
    while (slice_split(&rest, '.', &label)) {
        if (!is_mail_label(label))
            return false;
    }
    *ascii = policy_lower(a, name);
    return true;
}

bool policy_mailbox(struct arena *a, struct slice text, struct slice *local, struct slice *domain)
{
    size_t n = slice_starts(text, "\"") ? quoted(a, text, local) : dot_atom(text);

    if (n == 0 || n == text.n || text.p[n] != '@')
        return false;
    if (text.p[0] != '"')
        *local = slice_sub(text, 0, n);
    return mail_domain(a, slice_from(text, n + 1), domain);
}
