/* step-ca: the server. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/uri.h"
#include "base/version.h"
#include "client/contexts.h"
#include "crypto/secret.h"
#include "server/db.h"
#include "server/export.h"
#include "server/serve.h"

static int usage(const struct err *e)
{
    printf("Incorrect Usage: %s\n\n%s", e->text, OPTIONS_HELP);
    fflush(stdout);
    fprintf(stderr, "%s\n", e->text);
    return EXIT_USAGE;
}

static int print_version(struct arena *a)
{
    printf("%s\n%s\n", version_line(a, "Newel CA"), version_date(a));
    return EXIT_OK;
}

static int run_command(const struct options *o, struct arena *a)
{
    if (strcmp(o->command, "version") == 0)
        return print_version(a);
    if (strcmp(o->command, "help") == 0 || strcmp(o->command, "h") == 0) {
        fputs(OPTIONS_HELP, stdout);
        return EXIT_OK;
    }
    if (!o->argument) { /* the only argument is the vendor's token */
        fputs(OPTIONS_HELP, stdout);
        return EXIT_OK;
    }
    fprintf(stderr, "step-ca %s needs its vendor's service and is not supported\n", o->command);
    return EXIT_USAGE;
}

static int missing_argument(void)
{
    fprintf(stderr, "not enough arguments: step-ca export <config>\n");
    return EXIT_USAGE;
}

/* Three lines on standard output, as operators of the reference know them. */
static int no_configuration(const char *path, const char *why)
{
    printf("step-ca cannot open the configuration %s (%s).\n"
           "Run `step ca init` to create a certificate authority, or name a configuration file.\n"
           "The documentation stands in docs/ of the source and in /usr/share/doc/newel.\n",
           path, why);
    return EXIT_USAGE;
}

static bool check_port(const char *flag, const char *text, struct err *e)
{
    uint64_t port;

    if (!text || (slice_to_u64(slice_text(text), &port) && port <= 65535))
        return true;
    return err_set(e, ERR_MALFORMED, "invalid value '%s' for flag '--%s'", text, flag);
}

static bool check_values(const struct options *o, struct err *e)
{
    struct slice host, port;

    if (o->resolver && !host_port_split(slice_text(o->resolver), &host, &port, e))
        return err_wrap(e, "invalid value '%s' for flag '--resolver'", o->resolver);
    if (!check_port("acme-http-port", o->acme_http_port, e) ||
        !check_port("acme-tls-port", o->acme_tls_port, e))
        return false;
    if (o->token)
        return err_set(e, ERR_MALFORMED, "linked deployments are not supported");
    return true;
}

/* The server takes nothing from them, but a broken environment is told before it serves.  A file
 * that only others may read is none of its business. */
static bool defaults_well_formed(struct arena *a, const struct steppath *sp, struct err *e)
{
    struct json *defaults;

    return defaults_load(a, sp, NULL, &defaults, e) || e->kind != ERR_MALFORMED;
}

static int with_configuration(const struct options *o, struct arena *a)
{
    bool exporting = o->command != NULL;
    const char *given = exporting ? o->argument : o->config;
    struct steppath sp = {0};
    struct contexts contexts = {0};
    struct err e = {0};

    if (!check_values(o, &e) || !steppath_load(a, o->context, &sp, &contexts, &e) ||
        !defaults_well_formed(a, &sp, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return EXIT_USAGE;
    }
    const char *config = given ? given : path_join(a, sp.path, "config/ca.json");
    if (access(config, R_OK) != 0) {
        bool denied = file_exists(config);
        return no_configuration(config, denied ? "permission denied" : "no such file");
    }
    return exporting ? export_command(o, &sp, config) : serve(o, &sp, config);
}

int main(int argc, char **argv)
{
    struct options o;
    struct err e = {0};

    mallopt(M_ARENA_MAX, 2);
    secret_init();
    struct arena *a = arena_new(&HEAP_USUAL);
    int rc = EXIT_OK;
    if (!options_read(&o, argc, argv, &e))
        rc = usage(&e);
    else if (o.help)
        fputs(OPTIONS_HELP, stdout);
    else if (o.version)
        rc = print_version(a);
    else if (o.command && strcmp(o.command, "db") == 0)
        rc = db_command(o.n_rest, o.rest, o.context);
    else if (o.command && strcmp(o.command, "export") != 0)
        rc = run_command(&o, a);
    else if (o.command && !o.argument)
        rc = missing_argument();
    else
        rc = with_configuration(&o, a);
    arena_free(a);
    return rc;
}
