/*
 * `step ca acme eab`: keys for external account binding (RFC 8555 7.3.4), in the authority's own
 * database.
 *
 * Whoever can write the database is the authority's administrator, so nothing else is asked for;
 * the authority's keys stay closed.  The server need not be told: it reads a key when an account
 * shows it.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "cli/acme_desk.h"
#include "crypto/secret.h"

#define COMMIT_TRIES 10
#define OUTPUT_MAX   (64u << 20)

/* --- Showing --------------------------------------------------------------------------------- */

static struct slice encoded_key(struct arena *a, const struct acme_eab_key *key)
{
    return base64_text(a, BASE64_URL_RAW, key->key);
}

static bool is_bound(const struct acme_eab_key *key)
{
    return key->account.n > 0;
}

static void put_json(struct desk *d, struct json_writer *w, const struct acme_eab_key *key,
                     bool secret)
{
    struct arena *a = d->inv->arena;

    json_open(w, NULL);
    json_member_text(w, "id", key->id);
    json_member_text(w, "provisioner", d->provisioner->name);
    if (secret)
        json_member_text(w, "hmacKey", encoded_key(d->secrets, key));
    json_member_text(w, "reference", key->reference);
    json_member_text(w, "account", key->account);
    json_member_text(w, "createdAt", rfc3339(a, key->created));
    if (is_bound(key))
        json_member_text(w, "boundAt", rfc3339(a, key->bound));
    if (acme_eab_has_policy(key))
        json_member_tree(w, "policy", key->policy);
    json_close(w);
}

static struct slice time_text(struct arena *a, struct instant t)
{
    struct civil c = instant_civil(t);

    return instant_is_zero(t) ? SLICE("")
                              : arena_format(a, "%04d-%02d-%02d %02d:%02d:%02d +00:00", c.year,
                                             c.month, c.day, c.hour, c.minute, c.second);
}

/* --- The database ---------------------------------------------------------------------------- */

/* Who has learned these commands with a server behind them should know where the keys go. */
static void tell_unused(struct invocation *inv)
{
    static const char *const FLAGS[] = {"ca-url",
                                        "root",
                                        "admin-cert",
                                        "admin-key",
                                        "admin-subject",
                                        "admin-provisioner",
                                        "admin-password-file"};

    for (size_t i = 0; i < COUNT_OF(FLAGS); i++) {
        if (flag_source(inv, FLAGS[i]) == SOURCE_LINE)
            note(inv,
                 "flag '--%s' changes nothing: the keys are in the database of the authority's "
                 "configuration ('--ca-config'), which is opened here",
                 FLAGS[i]);
    }
}

static bool open_here(struct invocation *inv, struct desk *d)
{
    tell_unused(inv);
    return desk_open(inv, inv->args[0], d);
}

/* --- add ------------------------------------------------------------------------------------- */

/* Another process may have changed the list of keys meanwhile. */
static bool again(const struct work *w, int tries)
{
    return w->err.kind == ERR_CHANGED && tries < COMMIT_TRIES;
}

static bool add(struct desk *d, struct slice reference, struct acme_eab_key *key)
{
    struct work w;
    int tries = 0;
    bool ok;

    do {
        work_init(&w, &d->services, NULL, d->secrets, deadline_in(d->inv->clock, DESK_TIME));
        ok = acme_eab_add(&w, d->provisioner, reference, key);
    } while (!ok && again(&w, ++tries));
    if (!ok)
        err_move(&d->inv->err, &w.err);
    return ok;
}

static void show_added(struct desk *d, const struct acme_eab_key *key)
{
    static const char ROW[] = "%-36.*s%-28.*s%-48.*s%.*s\n";
    struct buf b = buf_new(d->secrets, 65536);
    struct json_writer w = json_writer(&b);

    if (flag_bool(d->inv, "json")) {
        put_json(d, &w, key, true);
        buf_byte(&b, '\n');
    } else {
        buf_printf(&b, ROW, SLICE_ARG(SLICE("Key ID")), SLICE_ARG(SLICE("Provisioner")),
                   SLICE_ARG(SLICE("Key (base64, raw url encoded)")),
                   SLICE_ARG(SLICE("Reference")));
        buf_printf(&b, ROW, SLICE_ARG(key->id), SLICE_ARG(d->provisioner->name),
                   SLICE_ARG(encoded_key(d->secrets, key)), SLICE_ARG(key->reference));
    }
    out_put(d->inv, buf_slice(&b));
}

static int run_add(struct invocation *inv)
{
    struct slice reference = inv->n_args > 1 ? inv->args[1] : SLICE("");
    struct acme_eab_key key = {0};
    struct desk d;

    if (!open_here(inv, &d))
        return fail(inv);
    bool ok = add(&d, reference, &key);
    if (ok)
        show_added(&d, &key);
    desk_close(&d);
    return ok ? 0 : fail(inv);
}

/* --- list ------------------------------------------------------------------------------------ */

static const char LIST_ROW[] = "%-36.*s%-28.*s%-16.*s%-30.*s%-30.*s%-40.*s%.*s\n";

static void put_row(struct desk *d, struct buf *b, const struct acme_eab_key *key)
{
    struct arena *a = d->inv->arena;

    buf_printf(b, LIST_ROW, SLICE_ARG(key->id), SLICE_ARG(d->provisioner->name),
               SLICE_ARG(SLICE("*****")), SLICE_ARG(time_text(a, key->created)),
               SLICE_ARG(is_bound(key) ? time_text(a, key->bound) : SLICE("")),
               SLICE_ARG(key->account), SLICE_ARG(key->reference));
}

static void put_head(struct buf *b)
{
    buf_printf(b, LIST_ROW, SLICE_ARG(SLICE("Key ID")), SLICE_ARG(SLICE("Provisioner")),
               SLICE_ARG(SLICE("Key (masked)")), SLICE_ARG(SLICE("Created At")),
               SLICE_ARG(SLICE("Bound At")), SLICE_ARG(SLICE("Account")),
               SLICE_ARG(SLICE("Reference")));
}

/* Those with the reference that was asked for come first in *keys; how many. */
static size_t wanted(struct desk *d, struct acme_eab_key *keys, size_t n)
{
    size_t kept = 0;

    if (d->inv->n_args < 2)
        return n;
    for (size_t i = 0; i < n; i++)
        if (slice_eq(keys[i].reference, d->inv->args[1]))
            keys[kept++] = keys[i];
    return kept;
}

static bool load(struct desk *d, struct acme_eab_key **keys, size_t *n)
{
    struct work w;

    work_init(&w, &d->services, NULL, d->secrets, deadline_in(d->inv->clock, DESK_TIME));
    if (!acme_eab_list(&w, d->provisioner, keys, n)) {
        err_move(&d->inv->err, &w.err);
        return false;
    }
    *n = wanted(d, *keys, *n);
    return true;
}

static bool put_list(struct desk *d, const struct acme_eab_key *keys, size_t n, struct buf *b)
{
    struct json_writer w = json_writer(b);

    if (flag_bool(d->inv, "json")) {
        json_open_list(&w, NULL);
        for (size_t i = 0; i < n; i++)
            put_json(d, &w, &keys[i], false);
        json_close(&w);
        buf_byte(b, '\n');
    } else if (n == 0) {
        buf_printf(b, "No ACME EAB keys stored for provisioner %.*s\n",
                   SLICE_ARG(d->provisioner->name));
    } else {
        put_head(b);
        for (size_t i = 0; i < n; i++)
            put_row(d, b, &keys[i]);
    }
    return buf_done(b, "the list of keys", &d->inv->err);
}

/* A pager is run as it stands, never by a shell: one plain word. */
static const char *pager_of(struct invocation *inv)
{
    const char *pager = getenv("PAGER");

    if (flag_bool(inv, "no-pager") || flag_bool(inv, "json") || !isatty(inv->out_fd) || !pager ||
        !*pager || strpbrk(pager, " \t\n'\"\\$`;|&<>()*?[]{}~#!"))
        return NULL;
    return pager;
}

static void feed(int fd, struct slice text)
{
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n <= 0)
            return; /* the reader has seen enough */
        text = slice_from(text, (size_t)n);
    }
}

/* False: no pager ran, and the text is still to be shown. */
static bool page(const char *pager, struct slice text)
{
    int ends[2], status;

    if (pipe(ends) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp(pager, pager, (char *)NULL);
        _exit(127);
    }
    close(ends[0]);
    if (child > 0) {
        void (*before)(int) = signal(SIGPIPE, SIG_IGN);
        feed(ends[1], text);
        signal(SIGPIPE, before);
    }
    close(ends[1]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 127);
}

static int run_list(struct invocation *inv)
{
    struct buf b = buf_new(inv->arena, OUTPUT_MAX);
    struct acme_eab_key *keys;
    struct desk d;
    size_t n;

    if (!open_here(inv, &d))
        return fail(inv);
    bool ok = load(&d, &keys, &n) && put_list(&d, keys, n, &b);
    desk_close(&d);
    if (!ok)
        return fail(inv);
    const char *pager = pager_of(inv);
    if (!pager || !page(pager, buf_slice(&b)))
        out_put(inv, buf_slice(&b));
    return 0;
}

/* --- remove ---------------------------------------------------------------------------------- */

static int run_remove(struct invocation *inv)
{
    struct desk d;
    struct work w;
    int tries = 0;
    bool ok;

    if (!open_here(inv, &d))
        return fail(inv);
    do {
        work_init(&w, &d.services, NULL, d.secrets, deadline_in(inv->clock, DESK_TIME));
        ok = acme_eab_remove(&w, d.provisioner, inv->args[1]);
    } while (!ok && again(&w, ++tries));
    if (!ok)
        err_move(&inv->err, &w.err);
    desk_close(&d);
    if (!ok)
        return fail(inv);
    if (flag_bool(inv, "json"))
        out_line(inv, "{\"status\":\"ok\"}");
    else
        out_line(inv, "Key was deleted successfully!");
    return 0;
}

/* --- Commands -------------------------------------------------------------------------------- */

#define CONFIG_FLAG                                                                                \
    {                                                                                              \
        "ca-config", FLAG_FILE, "<file>",                                                          \
            "The authority's configuration <file>, which names the database. Default: "            \
            "config/ca.json in the step path.",                                                    \
            NULL, 0                                                                                \
    }
#define JSON_FLAG                                                                                  \
    {                                                                                              \
        "json", FLAG_BOOL, NULL, "Print JSON.", NULL, 0                                            \
    }
/* Of commands that ask the server. */
#define ADMIN_FLAG(name)                                                                           \
    {                                                                                              \
        name, FLAG_TEXT, "<text>", "Not needed: the database is opened here.", NULL, FLAG_HIDDEN   \
    }
static const struct flag ADMIN_FLAGS[] = {ADMIN_FLAG("admin-cert"),
                                          ADMIN_FLAG("admin-key"),
                                          ADMIN_FLAG("admin-subject,admin-name"),
                                          ADMIN_FLAG("admin-provisioner,admin-issuer"),
                                          ADMIN_FLAG("admin-password-file,password-file"),
                                          {0}};
static const struct flag CHANGE_FLAGS[] = {CONFIG_FLAG, JSON_FLAG, {0}};
static const struct flag LIST_FLAGS[] = {
    CONFIG_FLAG,
    JSON_FLAG,
    {"limit", FLAG_INT, "<number>",
     "How many keys one request to the authority may ask for; the local database is read whole.",
     NULL, FLAG_HIDDEN},
    {"no-pager", FLAG_BOOL, NULL, "Do not show the list with the program that PAGER names.", NULL,
     0},
    {0}};
static const struct flag *const CHANGE_SETS[] = {CHANGE_FLAGS, FLAGS_CA, ADMIN_FLAGS, NULL};
static const struct flag *const LIST_SETS[] = {LIST_FLAGS, FLAGS_CA, ADMIN_FLAGS, NULL};

#define PROVISIONER_ARGUMENT "provisioner\tThe name of a provisioner of type ACME.\n"

static const struct command ADD = {
    .name = "add",
    .summary = "make a key that one ACME account can be bound with",
    .synopsis = "<provisioner> [reference]",
    .description =
        "Makes a key for external account binding (RFC 8555 7.3.4) and prints it: its identifier "
        "and the MAC key in the form that ACME clients take. Each key binds one account. The "
        "provisioner must require bindings ('requireEAB').",
    .arguments = PROVISIONER_ARGUMENT
    "reference\tA name of one's own for the key, once per provisioner: whom it was given to.",
    .examples = "A key for a web server's certbot:\n"
                "$ step ca acme eab add acme web01\n"
                "$ certbot register --eab-kid … --eab-hmac-key … --server …",
    .flag_sets = CHANGE_SETS,
    .least = 1,
    .most = 2,
    .run = run_add,
};

static const struct command LIST = {
    .name = "list",
    .summary = "list the keys of a provisioner",
    .synopsis = "<provisioner> [reference]",
    .description = "Lists the keys for external account binding, without their secrets, and the "
                   "account that each was bound to.",
    .arguments = PROVISIONER_ARGUMENT "reference\tOnly the key with this reference.",
    .examples = "Which keys have not been used yet:\n"
                "$ step ca acme eab list acme --json | jq '.[] | select(.account == \"\")'",
    .flag_sets = LIST_SETS,
    .least = 1,
    .most = 2,
    .run = run_list,
};

static const struct command REMOVE = {
    .name = "remove",
    .summary = "remove a key",
    .synopsis = "<provisioner> <key-id>",
    .description = "Removes a key for external account binding. An account that was bound with "
                   "it stays what it is.",
    .arguments = PROVISIONER_ARGUMENT "key-id\tThe identifier of the key, as 'list' shows it.",
    .examples = "Take back a key that was never used:\n"
                "$ step ca acme eab remove acme Q3xT8mWb5ZrN1cVh7KpLs0YdJf6GuAe2",
    .flag_sets = CHANGE_SETS,
    .least = 2,
    .most = 2,
    .run = run_remove,
};

static const struct command *const EAB_SUB[] = {&ADD, &LIST, &REMOVE, NULL};
static const struct command EAB = {
    .name = "eab",
    .summary = "manage keys for ACME external account binding",
    .description = "Keys that let only those who were given one open an account with an ACME "
                   "provisioner. They live in the authority's database, and these commands run "
                   "where that is.",
    .sub = EAB_SUB,
};
static const struct command *const ACME_SUB[] = {&EAB, NULL};
extern const struct command CMD_CA_ACME; /* ca.c */
const struct command CMD_CA_ACME = {
    .name = "acme",
    .summary = "manage what ACME provisioners need",
    .description = "Commands for the authority's ACME provisioners.",
    .sub = ACME_SUB,
};
