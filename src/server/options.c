/* Flags of step-ca as a table. */
#include "server/options.h"

#include <stdlib.h>
#include <string.h>

const char OPTIONS_HELP[] =
    "NAME\n"
    "      step-ca -- an online certificate authority\n\n"
    "USAGE\n"
    "      step-ca [<config>] [--password-file=<file>] [--pidfile=<file>] [--quiet]\n"
    "      [--context=<name>] [--resolver=<addr>]\n"
    "      step-ca export <config> [--password-file=<file>]\n"
    "      step-ca db <command>\n"
    "      step-ca version | help\n\n"
    "DESCRIPTION\n"
    "      Serves the certificate authority that the configuration file describes.\n"
    "      Without <config> it is $(step path)/config/ca.json. `step ca init` makes\n"
    "      one. SIGHUP reads the configuration again, SIGTERM ends the service when\n"
    "      open requests are answered. `step-ca db --help` tells about the commands\n"
    "      for the database.\n\n"
    "OPTIONS\n"
    "      --password-file=<file>\n"
    "          File with the password of the issuing key (a FIFO works too).\n"
    "      --ssh-host-password-file=<file>\n"
    "          Password of the SSH host key, where it differs.\n"
    "      --ssh-user-password-file=<file>\n"
    "          Password of the SSH user key, where it differs.\n"
    "      --issuer-password-file=<file>\n"
    "          Password of a registration authority's issuer key.\n"
    "      --resolver=<addr>\n"
    "          DNS server (host:port) for every look-up of this process.\n"
    "      --acme-http-port=<port>, --acme-tls-port=<port>\n"
    "          Ports for http-01 and tls-alpn-01 validation instead of 80 and 443;\n"
    "          need --insecure.\n"
    "      --acme-strict-fqdn\n"
    "          Names in ACME validations are looked up with a dot at the end.\n"
    "      --insecure\n"
    "          Allow the two port flags.\n"
    "      --context=<name>\n"
    "          Use the paths of this context (STEP_CA_CONTEXT).\n"
    "      --pidfile=<file>\n"
    "          Write the process id to this file; it is removed at the end.\n"
    "      --quiet\n"
    "          No start-up information (STEP_CA_QUIET).\n"
    "      --help, -h\n"
    "          Show this text.\n"
    "      --version, -v\n"
    "          Show the version.\n\n"
    "EXIT CODES\n"
    "      0 after SIGINT or SIGTERM; 1 for a wrong command line or a missing\n"
    "      configuration; 2 for everything else that keeps it from serving.\n\n"
    "EXAMPLES\n"
    "      Serve the default configuration:\n"
    "      $ step-ca --password-file password.txt\n\n"
    "      Serve a configuration elsewhere:\n"
    "      $ step-ca /etc/step-ca/config/ca.json --password-file /etc/step-ca/password.txt\n";

struct option {
    const char *name, *env;
    size_t offset;
    bool boolean;
};
#define AT(member) offsetof(struct options, member)
static const struct option OPTIONS[] = {
    {"password-file", NULL, AT(password_file), false},
    {"ssh-host-password-file", NULL, AT(ssh_host_password_file), false},
    {"ssh-user-password-file", NULL, AT(ssh_user_password_file), false},
    {"issuer-password-file", NULL, AT(issuer_password_file), false},
    {"resolver", NULL, AT(resolver), false},
    {"token", "STEP_CA_TOKEN", AT(token), false},
    {"quiet", "STEP_CA_QUIET", AT(quiet), true},
    {"context", "STEP_CA_CONTEXT", AT(context), false},
    {"acme-http-port", NULL, AT(acme_http_port), false},
    {"acme-tls-port", NULL, AT(acme_tls_port), false},
    {"acme-strict-fqdn", NULL, AT(acme_strict_fqdn), true},
    {"pidfile", NULL, AT(pidfile), false},
    {"insecure", NULL, AT(insecure), true},
    {"help", NULL, AT(help), true},
    {"h", NULL, AT(help), true},
    {"version", NULL, AT(version), true},
    {"v", NULL, AT(version), true},
};

static bool read_bool(const char *text, bool *value)
{
    static const char *const TEXTS[2][6] = {{"0", "f", "F", "FALSE", "false", "False"},
                                            {"1", "t", "T", "TRUE", "true", "True"}};

    for (int truth = 0; truth < 2; truth++) {
        for (size_t i = 0; i < COUNT_OF(TEXTS[0]); i++) {
            if (strcmp(text, TEXTS[truth][i]) == 0) {
                *value = truth == 1;
                return true;
            }
        }
    }
    return false;
}

static bool set_value(struct options *o, const struct option *option, const char *text,
                      const char *where, struct err *e)
{
    char *member = (char *)o + option->offset;

    if (!option->boolean) {
        *(const char **)(void *)member = text;
        return true;
    }
    if (!read_bool(text, (bool *)(void *)member))
        return err_set(e, ERR_MALFORMED, "invalid value '%s' for %s", text, where);
    return true;
}

static const struct option *find(const char *name, size_t n)
{
    for (size_t i = 0; i < COUNT_OF(OPTIONS); i++) {
        if (strlen(OPTIONS[i].name) == n && memcmp(OPTIONS[i].name, name, n) == 0)
            return &OPTIONS[i];
    }
    return NULL;
}

static bool read_flag(struct options *o, int argc, char **argv, int *i, struct err *e)
{
    const char *word = argv[*i];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    const struct option *option = find(name, equals ? (size_t)(equals - name) : strlen(name));
    char where[64] = "the flag";

    if (!option)
        return err_set(e, ERR_MALFORMED, "flag provided but not defined: %s", word);
    if (equals)
        return set_value(o, option, equals + 1, where, e);
    if (option->boolean)
        return set_value(o, option, "true", where, e);
    if (*i + 1 >= argc)
        return err_set(e, ERR_MALFORMED, "flag needs an argument: %s", word);
    return set_value(o, option, argv[++*i], where, e);
}

static bool read_environment(struct options *o, struct err *e)
{
    for (size_t i = 0; i < COUNT_OF(OPTIONS); i++) {
        const char *value = OPTIONS[i].env ? getenv(OPTIONS[i].env) : NULL;
        if (value && value[0] != '\0' && !set_value(o, &OPTIONS[i], value, OPTIONS[i].env, e))
            return false;
    }
    return true;
}

static bool is_command(const char *word)
{
    static const char *const COMMANDS[] = {"version", "help", "h", "export", "onboard", "db"};

    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++) {
        if (strcmp(word, COMMANDS[i]) == 0)
            return true;
    }
    return false;
}

static bool take_word(struct options *o, const char *word, struct err *e)
{
    if (!o->command && !o->config && is_command(word)) {
        o->command = word;
        return true;
    }
    if (o->command && !o->argument) {
        o->argument = word;
        return true;
    }
    if (o->command || o->config)
        return err_set(e, ERR_MALFORMED, "too many arguments: %s", word);
    o->config = word;
    return true;
}

bool options_read(struct options *o, int argc, char **argv, struct err *e)
{
    bool flags = true;

    *o = (struct options){0};
    if (!read_environment(o, e))
        return false;
    for (int i = 1; i < argc; i++) {
        if (flags && strcmp(argv[i], "--") == 0) {
            flags = false;
            continue;
        }
        bool flag = flags && argv[i][0] == '-' && argv[i][1] != '\0';
        if (flag ? !read_flag(o, argc, argv, &i, e) : !take_word(o, argv[i], e))
            return false;
        if (o->command && strcmp(o->command, "db") == 0) { /* has flags of its own */
            o->rest = argv + i + 1;
            o->n_rest = argc - i - 1;
            return true;
        }
    }
    if ((o->acme_http_port || o->acme_tls_port) && !o->insecure)
        return err_set(e, ERR_MALFORMED, "flag '--%s' requires the '--insecure' flag",
                       o->acme_http_port ? "acme-http-port" : "acme-tls-port");
    return true;
}
