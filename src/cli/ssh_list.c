/* `step ssh list`: what the SSH agent holds, in the notation of `ssh-add -l` and `ssh-add -L`. */
#include "cli/ssh_common.h"

/* Keys of kinds that we do not know are shown all the same. */
struct shown {
    unsigned bits;
    struct slice hashed; /* what the fingerprint is of */
    const char *label, *suffix;
};

static struct shown show(struct arena *a, struct slice blob)
{
    struct ssh_cert cert;
    struct ssh_key key;

    if (ssh_key_read(a, blob, &key, NULL))
        return (struct shown){ssh_key_bits(&key), blob, ssh_key_label(key.kind), ""};
    if (ssh_cert_read(a, blob, &cert, NULL))
        return (struct shown){ssh_key_bits(&cert.key), cert.key.blob, ssh_key_label(cert.key.kind),
                              "-CERT"};
    return (struct shown){0, blob, "UNKNOWN", ""};
}

static struct slice line_of(struct arena *a, const struct ssh_identity *id, bool raw)
{
    struct slice comment = id->comment.n ? id->comment : SLICE("no comment");

    if (raw)
        return ssh_line_make(a, id->blob, id->comment);
    struct shown s = show(a, id->blob);
    return arena_format(a, "%u %.*s %.*s (%s%s)\n", s.bits, SLICE_ARG(ssh_fingerprint(a, s.hashed)),
                        SLICE_ARG(comment), s.label, s.suffix);
}

/* What another program put there is no reason to trust the reader's terminal to it. */
static struct slice printable_line(struct arena *a, struct slice line)
{
    uint8_t *copy = arena_alloc(a, line.n + 1);

    for (size_t i = 0; i < line.n; i++)
        copy[i] = i + 1 < line.n && (line.p[i] < 0x20 || line.p[i] == 0x7f) ? '?' : line.p[i];
    return slice_of(copy, line.n);
}

static int run_list(struct invocation *inv)
{
    struct slice subject = inv->n_args ? inv->args[0] : SLICE_NONE;
    struct ssh_identity *v;
    struct agent agent;
    size_t n, shown = 0;

    if (!ssh_agent_connect(inv, &agent, &inv->err) ||
        !agent_list(&agent, inv->arena, &v, &n, &inv->err))
        return fail(inv);
    for (size_t i = 0; i < n; i++) {
        if (subject.n && !slice_eq(v[i].comment, subject))
            continue;
        out_put(inv, printable_line(inv->arena, line_of(inv->arena, &v[i], flag_bool(inv, "raw"))));
        shown++;
    }
    if (n == 0)
        note(inv, "The agent has no identities.");
    else if (shown == 0)
        note(inv, "The agent has no identities for %.*s.", SLICE_ARG(subject));
    return 0;
}

static const struct flag LIST_FLAGS[] = {
    {"raw", FLAG_BOOL, NULL, "Print the keys themselves instead of their fingerprints.", NULL, 0},
    {0}};
static const struct flag *const LIST_SETS[] = {LIST_FLAGS, NULL};

const struct command CMD_SSH_LIST = {
    .name = "list",
    .summary = "list the keys and certificates in the SSH agent",
    .synopsis = "[<subject>]",
    .description = "Prints one line for each key that the SSH agent holds: its size, fingerprint, "
                   "comment and type, as 'ssh-add -l' does, or with '--raw' the key itself, as "
                   "'ssh-add -L' does. A certificate has the fingerprint of its key.",
    .arguments = "subject\tOnly keys with that comment, which is the identity of a login.",
    .examples = "Everything that the agent holds:\n"
                "$ step ssh list\n\n"
                "The certificate of a login, to look into it:\n"
                "$ step ssh list --raw alice@example.com | step ssh inspect",
    .flag_sets = LIST_SETS,
    .least = 0,
    .most = 1,
    .run = run_list,
};
