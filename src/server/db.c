/* The command line of `step-ca db`. */
#include "server/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/duration.h"
#include "base/file.h"
#include "client/contexts.h"
#include "server/serve.h"

const char DB_HELP[] =
    "NAME\n"
    "      step-ca db -- look after the database of an authority\n\n"
    "USAGE\n"
    "      step-ca db list [<config>] [<filters>] [--limit=<n>] [--format=text|csv|json]\n"
    "      step-ca db show <serial> [<config>] [--x509|--ssh] [--format=text|json]\n"
    "      step-ca db export [<config>] [<filters>] [--format=csv|json|pem]\n"
    "      step-ca db stats [<config>]\n"
    "      step-ca db check [<config>]\n"
    "      step-ca db set-aside <file> [<config>]\n"
    "      step-ca db backup <file> [<config>]\n"
    "      step-ca db reindex [<config>]\n"
    "      step-ca db prune [<config>] [--certificates=<duration>]\n"
    "      step-ca db dump [<type>:<source>] [--value-dir=<dir>]\n"
    "      step-ca db import --from=<type>:<source> [--to=<type>:<source>]\n"
    "      [--value-dir=<dir>] [--dry-run]\n\n"
    "DESCRIPTION\n"
    "      The commands open the database that the configuration names, while the\n"
    "      service runs or not. Without <config> it is $(step path)/config/ca.json.\n\n"
    "      list     one line a certificate, by the end of its validity\n"
    "      show     everything about one certificate; <serial> decimal, or 0x and\n"
    "               hexadecimal\n"
    "      export   certificates with all that is known of them\n"
    "      stats    how many certificates, rows, revocations there are\n"
    "      check    integrity of the file, and of what stands in it\n"
    "      set-aside\n"
    "               move values that are not what their tables hold into a new file,\n"
    "               in the form of dump\n"
    "      backup   a consistent copy into a new file\n"
    "      reindex  the inventory anew, from the certificates that are stored\n"
    "      prune    remove ended tokens and nonces, and with --certificates ended\n"
    "               certificates\n"
    "      dump     every table, key and value as JSON, values in base64\n"
    "      import   copy a database into another one, table by table; run again, it\n"
    "               goes on where it was interrupted\n\n"
    "      <type> is sqlite, bbolt, badger, badgerv1, badgerv2, mysql or postgresql;\n"
    "      <source> is a file, for badger a directory.\n\n"
    "FILTERS\n"
    "      --expiring-in=<duration>\n"
    "          Valid now, and ending within that time.\n"
    "      --since=<time>\n"
    "          Issued since a date or time, or within a duration (24h).\n"
    "      --provisioner=<name>\n"
    "          Issued through this provisioner (name or id).\n"
    "      --san=<name>, --subject=<name>\n"
    "          With this alternative name (dns:a.example or a.example); with this\n"
    "          common name. Of SSH certificates: this principal, this key id.\n"
    "      --active, --revoked\n"
    "          Neither ended nor revoked; revoked.\n"
    "      --x509, --ssh\n"
    "          X.509 certificates; SSH certificates.\n\n"
    "OPTIONS\n"
    "      --config=<file>\n"
    "          The configuration, instead of the word <config>.\n"
    "      --db=<type>:<source>\n"
    "          This database, whatever the configuration says.\n"
    "      --from=<type>:<source>, --to=<type>:<source>\n"
    "          Source and target of an import.\n"
    "      --value-dir=<dir>\n"
    "          Where the value log of a Badger source lies.\n"
    "      --dry-run\n"
    "          Read the source and say what would be imported; nothing is written.\n"
    "      --certificates=<duration>\n"
    "          Remove certificates that ended longer ago than that (90d), with the\n"
    "          records about them. They are kept for ever otherwise.\n"
    "      --context=<name>\n"
    "          Use the paths of this context.\n\n"
    "      <duration> is a number of w, d, h, m, s: 7d, 36h.\n\n"
    "EXIT CODES\n"
    "      0; 1 for a wrong command line; 2 for everything else, and when a check\n"
    "      finds something.\n\n"
    "EXAMPLES\n"
    "      What ends within a week:\n"
    "      $ step-ca db list --expiring-in 7d\n\n"
    "      What an old database holds:\n"
    "      $ step-ca db dump badgerv2:/etc/step-ca/db\n\n"
    "      Into another database:\n"
    "      $ step-ca db import --from sqlite:/etc/step-ca/db/newel.sqlite \\\n"
    "          --to sqlite:/srv/ca/newel.sqlite\n";

struct db_command {
    const char *name;
    bool (*run)(struct db_call *c);
    size_t words;      /* that it must have, before <config> */
    bool no_config;    /* takes no <config> behind them */
    const char *flags; /* beside those that all have; a space around each */
};
#define FLAGS_OF_ALL " config context db help h "
#define FILTERS      " expiring-in since provisioner san subject active revoked x509 ssh limit "
static const struct db_command COMMANDS[] = {
    {"import", db_import, 0, false, " from to value-dir dry-run "},
    {"dump", db_dump, 0, true, " value-dir "},
    {"list", db_list, 0, false, FILTERS "format "},
    {"show", db_show, 1, false, " x509 ssh format "},
    {"export", db_export, 0, false, FILTERS "format "},
    {"stats", db_stats, 0, false, ""},
    {"check", db_check, 0, false, ""},
    {"backup", db_backup, 1, false, ""},
    {"reindex", db_reindex, 0, false, ""},
    {"prune", db_prune, 0, false, " certificates "},
    {"set-aside", db_set_aside, 1, false, ""},
};

const char *db_command_name(const struct db_command *c)
{
    return c->name;
}

/* --- Flags --------------------------------------------------------------------------------- */

struct db_flag {
    const char *name;
    size_t offset;
    bool boolean;
};
#define AT(member) offsetof(struct db_flags, member)
static const struct db_flag FLAGS[] = {
    {"config", AT(config), false},  {"context", AT(context), false},
    {"db", AT(db), false},          {"from", AT(from), false},
    {"to", AT(to), false},          {"value-dir", AT(value_dir), false},
    {"format", AT(format), false},  {"expiring-in", AT(expiring_in), false},
    {"since", AT(since), false},    {"provisioner", AT(provisioner), false},
    {"san", AT(san), false},        {"subject", AT(subject), false},
    {"limit", AT(limit), false},    {"certificates", AT(certificates), false},
    {"revoked", AT(revoked), true}, {"active", AT(active), true},
    {"ssh", AT(ssh), true},         {"x509", AT(x509), true},
    {"dry-run", AT(dry_run), true}, {"help", AT(help), true},
    {"h", AT(help), true},
};
#undef AT

static const struct db_flag *find_flag(const char *name, size_t n)
{
    for (size_t i = 0; i < COUNT_OF(FLAGS); i++) {
        if (strlen(FLAGS[i].name) == n && memcmp(FLAGS[i].name, name, n) == 0)
            return &FLAGS[i];
    }
    return NULL;
}

static bool read_flag(struct db_flags *flags, int argc, char **argv, int *i, struct err *e)
{
    const char *word = argv[*i], *name = word + (word[1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    const struct db_flag *flag = find_flag(name, equals ? (size_t)(equals - name) : strlen(name));
    void *member;

    if (!flag)
        return err_set(e, ERR_MALFORMED, "flag provided but not defined: %s", word);
    member = (char *)flags + flag->offset;
    if (flag->boolean && equals)
        return err_set(e, ERR_MALFORMED, "flag '--%s' takes no value", flag->name);
    if (flag->boolean) {
        *(bool *)member = true;
        return true;
    }
    if (!equals && *i + 1 >= argc)
        return err_set(e, ERR_MALFORMED, "flag needs an argument: %s", word);
    const char *value = equals ? equals + 1 : argv[++*i];
    if (!*value)
        return err_set(e, ERR_MALFORMED, "flag '--%s' has an empty value", flag->name);
    *(const char **)member = value;
    return true;
}

static bool is_set(const struct db_flags *flags, const struct db_flag *flag)
{
    const char *member = (const char *)flags + flag->offset;

    return flag->boolean ? *(const bool *)member
                         : *(const char *const *)(const void *)member != NULL;
}

/* A flag that a command does not know must not be taken for one that it heeds. */
static bool check_flags(const struct db_flags *flags, const struct db_command *command,
                        struct err *e)
{
    char name[32];

    for (size_t i = 0; i < COUNT_OF(FLAGS); i++) {
        snprintf(name, sizeof(name), " %s ", FLAGS[i].name);
        if (is_set(flags, &FLAGS[i]) && !strstr(FLAGS_OF_ALL, name) &&
            !strstr(command->flags, name))
            return err_set(e, ERR_MALFORMED, "step-ca db %s has no flag '--%s'", command->name,
                           FLAGS[i].name);
    }
    return true;
}

static bool take_word(struct db_call *call, const char *word, const struct db_command **command,
                      struct err *e)
{
    if (!*command) {
        for (size_t i = 0; i < COUNT_OF(COMMANDS) && !*command; i++) {
            if (strcmp(word, COMMANDS[i].name) == 0)
                *command = &COMMANDS[i];
        }
        return *command || err_set(e, ERR_MALFORMED, "step-ca db has no command '%s'", word);
    }
    if (call->n_words == COUNT_OF(call->words))
        return err_set(e, ERR_MALFORMED, "too many arguments: %s", word);
    call->words[call->n_words++] = word;
    return true;
}

static bool check_words(struct db_call *call, const struct db_command *command, struct err *e)
{
    size_t most = command->words + 1;

    if (call->n_words < command->words)
        return err_set(e, ERR_MALFORMED, "not enough arguments: step-ca db %s <%s>", command->name,
                       command->run == db_show ? "serial" : "file");
    if (call->n_words > most)
        return err_set(e, ERR_MALFORMED, "too many arguments: %s", call->words[most]);
    if (command->no_config || call->n_words <= command->words)
        return true;
    if (call->flags.config)
        return err_set(e, ERR_MALFORMED, "the configuration is named twice: %s and --config",
                       call->words[command->words]);
    call->flags.config = call->words[command->words];
    return true;
}

bool db_read(struct db_call *call, int argc, char **argv, const struct db_command **command,
             struct err *e)
{
    bool flags = true;

    *command = NULL;
    for (int i = 0; i < argc; i++) {
        if (flags && strcmp(argv[i], "--") == 0) {
            flags = false;
            continue;
        }
        bool flag = flags && argv[i][0] == '-' && argv[i][1] != '\0';
        if (flag ? !read_flag(&call->flags, argc, argv, &i, e)
                 : !take_word(call, argv[i], command, e))
            return false;
    }
    return !*command || call->flags.help ||
           (check_flags(&call->flags, *command, e) && check_words(call, *command, e));
}

/* --- Times --------------------------------------------------------------------------------- */

bool db_duration(const char *flag, const char *text, int64_t *ns, struct err *e)
{
    static const struct {
        char unit;
        int64_t seconds;
    } LONG[] = {{'d', 86400}, {'w', 7 * 86400}};
    struct slice s = slice_text(text);
    uint64_t n;

    for (size_t i = 0; i < COUNT_OF(LONG); i++) {
        if (s.n > 1 && s.p[s.n - 1] == LONG[i].unit && slice_to_u64(slice_sub(s, 0, s.n - 1), &n) &&
            n <= 36500) {
            *ns = (int64_t)n * LONG[i].seconds * NS_PER_SEC;
            return true;
        }
    }
    if (duration_read(s, ns, NULL) && *ns >= 0)
        return true;
    return err_set(e, ERR_MALFORMED,
                   "invalid value '%s' for flag '--%s': expected a duration such as 7d or 36h",
                   text, flag);
}

bool db_since(const char *flag, const char *text, struct clock *clock, int64_t *at, struct err *e)
{
    struct instant t;
    int64_t ago;
    char full[32];

    snprintf(full, sizeof(full), "%.20sT00:00:00Z", text);
    if (rfc3339_read(slice_text(text), &t) || rfc3339_read(slice_text(full), &t)) {
        *at = t.sec;
        return true;
    }
    if (!db_duration(flag, text, &ago, NULL))
        return err_set(e, ERR_MALFORMED,
                       "invalid value '%s' for flag '--%s': expected a date (2026-01-31), a time "
                       "(RFC 3339) or a duration (24h)",
                       text, flag);
    *at = clock->now(clock).sec - ago / NS_PER_SEC;
    return true;
}

/* --- Running ------------------------------------------------------------------------------- */

bool db_flush(struct db_call *c)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    return err_set(&c->e, ERR_UNAVAILABLE, "standard output: not everything could be written");
}

static bool find_config(struct db_call *c)
{
    struct steppath sp = {0};
    struct contexts contexts = {0};

    if (!steppath_load(c->a, c->flags.context, &sp, &contexts, &c->e))
        return false;
    c->config_path = c->flags.config ? c->flags.config : path_join(c->a, sp.path, "config/ca.json");
    return true;
}

/* Tables and logs of an old database are files each. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(struct db_call *c, const struct db_command *command)
{
    raise_file_limit();
    if (!find_config(c)) {
        fprintf(stderr, "%s\n", c->e.text);
        return EXIT_USAGE;
    }
    bool ok = command->run(c) && db_flush(c);
    if (ok)
        return EXIT_OK;
    fflush(stdout);
    if (c->e.kind != ERR_NONE)
        fprintf(stderr, "%s\n", c->e.text);
    return c->understood ? EXIT_FATAL : EXIT_USAGE;
}

int db_command(int argc, char **argv, const char *context)
{
    struct db_call call = {.a = arena_new(&HEAP_USUAL), .clock = &CLOCK_SYSTEM};
    const struct db_command *command;
    int rc = EXIT_OK;

    call.flags.context = context;
    if (!db_read(&call, argc, argv, &command, &call.e)) {
        fprintf(stderr, "%s\nSee `step-ca db --help`.\n", call.e.text);
        rc = EXIT_USAGE;
    } else if (!command || call.flags.help) {
        fputs(DB_HELP, stdout);
    } else {
        rc = run(&call, command);
    }
    arena_free(call.a);
    return rc;
}
