/*
 * The service from start to end, in the order of docs/reference/step-ca.md: configuration,
 * passwords, pid file, store, core, registry, certificate, listeners, READY; then signals.
 */
#include "server/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "acme/acme.h"
#include "authority/ssh.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/log.h"
#include "base/uri.h"
#include "base/version.h"
#include "server/candidate.h"
#include "server/database.h"
#include "server/keeper.h"
#include "server/listeners.h"
#include "server/notify.h"
#include "server/passwords.h"

#define DRAIN        (60 * NS_PER_SEC)
#define POOL_THREADS 256
#define POOL_QUEUE   4096

struct server {
    const struct options *options;
    const struct steppath *sp;
    const char *config_path;
    struct passwords passwords;
    struct services services;
    struct http_server *http;
    struct listeners listeners;
    bool listeners_made;
    struct keeper *keeper;
    struct resolver *resolver;
    char *db_text; /* canonical db member: a reload must not change it */
    bool pid_written;
};

static int fatal(const struct err *e)
{
    fprintf(stderr, "%s\n", e->text);
    return e->code && strcmp(e->code, CONFIG_LINKED) == 0 ? EXIT_USAGE : EXIT_FATAL;
}

/* --- Pid file -------------------------------------------------------------------------------- */

static const char *pid_path; /* for the second signal's handler */

static bool write_pid(struct server *v, struct err *e)
{
    char text[32];
    const char *path = v->options->pidfile;
    int n;

    if (!path)
        return true;
    n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (!file_write(path, slice_of(text, (size_t)n), 0644, 0, e))
        return err_wrap(e, "--pidfile");
    v->pid_written = true;
    pid_path = path;
    return true;
}

static void remove_pid(struct server *v)
{
    if (v->pid_written && unlink(v->options->pidfile) != 0)
        log_warn("removing %s: %s", v->options->pidfile, strerror(errno));
    v->pid_written = false;
}

/* --- Signals while starting ------------------------------------------------------------------ */

/* Terminal and pid file are put right, and then the signal does what it usually does. */
static void interrupted(int number)
{
    passwords_show_typing();
    if (pid_path)
        unlink(pid_path);
    signal(number, SIG_DFL);
    raise(number);
}

/* SIGINT and SIGTERM wait for their turn, except while the start itself waits for a person at the
 * terminal or for the writer of a FIFO. */
static void interruptible(bool on)
{
    struct sigaction act = {.sa_handler = interrupted};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (on) {
        sigaction(SIGINT, &act, NULL);
        sigaction(SIGTERM, &act, NULL);
    }
    pthread_sigmask(on ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

static bool read_passwords(struct server *v, struct err *e)
{
    interruptible(true);
    bool ok = passwords_read(&v->passwords, v->options, e);
    interruptible(false);
    return ok;
}

/* --- The CRL ------------------------------------------------------------------------ */

static bool make_crl(struct server *v, struct err *e)
{
    struct authority *a = authority_take(&v->services);
    struct arena *arena = arena_new(&HEAP_USUAL);
    struct work w;

    work_init(&w, &v->services, a, arena, deadline_in(v->services.clock, 300 * NS_PER_SEC));
    bool ok = crl_generate(&w);
    if (!ok)
        err_move(e, &w.err);
    arena_free(arena);
    authority_drop(a);
    return ok;
}

/* --- Reload ----------------------------------------------------------------------------------- */

static bool reload_checked(struct server *v, struct arena *a, struct config **config, struct err *e)
{
    if (!config_load(a, v->config_path, config, candidate_warn, NULL, e) ||
        !config_validate(a, *config, candidate_warn, NULL, e))
        return false;
    if (slice_is((*config)->db_text.p ? (*config)->db_text : SLICE(""), v->db_text))
        return true;
    return err_set(e, ERR_MALFORMED,
                   "%s: the database cannot change while the service runs; "
                   "restart it",
                   config_where(a, *config, "db"));
}

static bool swap_in(struct server *v, struct candidate *c, struct listener_change *change,
                    struct err *e)
{
    int64_t renew_in;
    struct instant not_after;

    if (!server_cert_issue(&v->services, c->core, &renew_in, &not_after, e)) {
        listeners_abandon(change);
        candidate_drop(c);
        return false;
    }
    authority_publish(&v->services, c->core, c->registry);
    listeners_apply(&v->listeners, change);
    keeper_schedule(v->keeper, renew_in);
    struct err why = {0};
    if (!make_crl(v, &why))
        log_error("the CRL could not be made: %s", why.text);
    return true;
}

static bool try_reload(struct server *v, struct err *e)
{
    struct arena *a = arena_new(&HEAP_WIPED);
    struct listener_change change;
    struct candidate c = {0};
    struct config *config;

    passwords_refresh(&v->passwords);
    if (!reload_checked(v, a, &config, e)) {
        arena_free(a);
        return false;
    }
    if (!candidate_build(&c, &v->services, &v->passwords, a, config, e))
        return false;
    if (!listeners_prepare(&v->listeners, config, &change, e)) {
        candidate_drop(&c);
        return false;
    }
    return swap_in(v, &c, &change, e);
}

static void reload(struct server *v)
{
    struct err e = {0};

    log_line("reloading ...");
    notify_reloading();
    if (try_reload(v, &e))
        log_line("the configuration was read again");
    else
        log_error("reload failed, the old configuration stays: %s", e.text);
    notify_state("READY=1");
}

/* --- Start ------------------------------------------------------------------------------------ */

static bool open_store(struct server *v, const struct config *config, struct err *e)
{
    interruptible(true); /* an import takes its time, and leaves nothing when it is cut off */
    v->services.store = database_open(config, v->services.clock, e);
    interruptible(false);
    return v->services.store != NULL;
}

static bool wait_for_renewal(void *arg)
{
    keeper_renew_now(arg);
    return true;
}

/* As a line for authorized_keys. */
static void print_ssh_key(struct arena *a, const char *which, const struct ssh_signer *s)
{
    if (s->signer)
        log_info("SSH %s CA Key: %s %.*s", which, ssh_key_type_name(s->key.kind),
                 SLICE_ARG(base64_text(a, BASE64_STD, s->key.blob)));
}

static void print_information(struct server *v, const struct core *core)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    const struct texts *names = &core->config->dns_names;
    struct slice address = core->config->address;
    struct slice port = slice_from(address, slice_rfind(address, ':') + 1);

    log_info("Starting %s", version_line(a, "Newel CA"));
    log_info("Documentation: docs/ of the source, or /usr/share/doc/newel");
    if (v->sp->context)
        log_info("Current context: %s", v->sp->context);
    log_info("Config file: %s", v->config_path);
    log_info("The primary server URL is https://%.*s:%.*s", SLICE_ARG(core->dns_primary),
             SLICE_ARG(port));
    log_info("Root certificates are available at https://%.*s:%.*s/roots.pem",
             SLICE_ARG(core->dns_primary), SLICE_ARG(port));
    if (names->n > 1) {
        struct buf b = buf_new(a, 64u << 10);
        for (size_t i = 1; i < names->n; i++)
            buf_printf(&b, "%s%.*s", i > 1 ? ", " : "", SLICE_ARG(names->v[i]));
        log_info("Additional configured hostnames: %.*s", SLICE_ARG(buf_slice(&b)));
    }
    for (size_t i = 0; i < core->roots.n; i++)
        log_info("X.509 Root Fingerprint: %.*s", SLICE_ARG(core->root_fingerprints[i]));
    if (core->ssh) {
        print_ssh_key(a, "Host", &core->ssh->host);
        print_ssh_key(a, "User", &core->ssh->user);
    }
    arena_free(a);
}

static uint16_t port_option(const char *text, uint16_t usual)
{
    uint64_t port;

    return text && slice_to_u64(slice_text(text), &port) && port != 0 ? (uint16_t)port : usual;
}

/* What goes out: names by our resolver, calls by our client, ACME's validations. */
static bool start_outgoing(struct server *v, struct err *e)
{
    const struct options *o = v->options;
    struct arena *a = arena_new(&HEAP_USUAL);
    struct acme_validation_settings settings = {
        .clock = v->services.clock,
        .http_port = port_option(o->acme_http_port, 80),
        .tls_port = port_option(o->acme_tls_port, 443),
        .strict_fqdn = o->acme_strict_fqdn,
    };

    v->resolver = resolver_new(o->resolver, e);
    v->services.http = http_client_new(version_line(a, "Newel CA"));
    arena_free(a);
    if (!v->resolver)
        return err_wrap(e, "--resolver");
    http_client_set_resolver(v->services.http, v->resolver);
    settings.http = v->services.http;
    settings.resolver = v->resolver;
    if (services_durable(&v->services))
        v->services.acme = acme_service_new(&v->services, &settings);
    return true;
}

static bool start_network(struct server *v, const struct config *config, struct err *e)
{
    struct http_server_options options = {.clock = v->services.clock};
    struct listener_change change;

    v->http = http_server_new(&options, e);
    if (!v->http)
        return false;
    listeners_init(&v->listeners, &v->services, v->http);
    v->listeners_made = true;
    if (!listeners_prepare(&v->listeners, config, &change, e))
        return false;
    listeners_apply(&v->listeners, &change);
    return true;
}

static bool start_authority(struct server *v, struct arena *a, const struct config *config,
                            struct err *e)
{
    struct candidate c = {0};
    struct instant not_after;
    int64_t renew_in;

    interruptible(true);
    bool built = candidate_build(&c, &v->services, &v->passwords, a, config, e);
    interruptible(false);
    if (!built)
        return false;
    v->services.started = instant_truncate(v->services.clock->now(v->services.clock));
    authority_publish(&v->services, c.core, c.registry);
    if (!make_crl(v, e))
        return err_wrap(e, "crl");
    v->services.tls = tls_slot_new();
    if (!server_cert_issue(&v->services, c.core, &renew_in, &not_after, e))
        return false;
    authority_warn(&v->services, c.core, c.registry);
    v->keeper = keeper_new(&v->services);
    keeper_schedule(v->keeper, renew_in);
    tls_slot_on_expiring(v->services.tls, wait_for_renewal, v->keeper);
    print_information(v, c.core);
    return true;
}

static bool start(struct server *v, struct err *e)
{
    struct arena *a = arena_new(&HEAP_WIPED);
    struct config *config;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (!config_load(a, v->config_path, &config, candidate_warn, NULL, e) ||
        !read_passwords(v, e) || !write_pid(v, e) ||
        !config_validate(a, config, candidate_warn, NULL, e) || !open_store(v, config, e)) {
        arena_free(a);
        return false;
    }
    v->db_text =
        strndup(config->db_text.p ? (const char *)config->db_text.p : "", config->db_text.n);
    v->services.pool = pool_new(cores > 1 ? (unsigned)cores : 2, POOL_THREADS, POOL_QUEUE);
    if (!start_authority(v, a, config, e) || !start_outgoing(v, e) || !start_network(v, config, e))
        return false;
    keeper_start(v->keeper);
    notify_state("READY=1");
    return true;
}

/* --- End -------------------------------------------------------------------------------------- */

static void exit_at_once(int number)
{
    (void)number;
    if (pid_path)
        unlink(pid_path);
    _exit(EXIT_FATAL);
}

static void stop(struct server *v)
{
    if (v->listeners_made)
        listeners_close(&v->listeners);
    if (v->http)
        http_server_stop(v->http, deadline_in(v->services.clock, DRAIN));
    keeper_stop(v->keeper);
    if (v->services.pool)
        pool_stop(v->services.pool);
    if (v->services.acme)
        acme_service_stop(v->services.acme);
    if (v->services.store)
        store_close(v->services.store);
    if (v->http)
        http_server_free(v->http);
    if (v->listeners_made)
        listeners_end(&v->listeners);
    acme_service_free(v->services.acme);
    if (v->services.http)
        http_client_free(v->services.http);
    if (v->resolver)
        resolver_free(v->resolver);
    services_end(&v->services);
    if (v->services.tls)
        tls_slot_free(v->services.tls);
    passwords_end(&v->passwords);
    remove_pid(v);
    free(v->db_text);
}

static void watched_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

static void second_signal_kills(void)
{
    struct sigaction act = {.sa_handler = exit_at_once};
    sigset_t set;

    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void wait_for_end(struct server *v)
{
    sigset_t set;
    int number;

    watched_signals(&set);
    while (sigwait(&set, &number) == 0) {
        if (number != SIGHUP)
            break;
        reload(v);
    }
    log_line("shutting down ...");
    notify_state("STOPPING=1");
    second_signal_kills();
}

/* Each connection is a file; the soft limit is often 1024. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("the limit of open files stays as it is: %s", strerror(errno));
}

int serve(const struct options *o, const struct steppath *sp, const char *config)
{
    struct server v = {.options = o, .sp = sp, .config_path = config};
    struct err e = {0};
    sigset_t set;

    watched_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    log_quiet(o->quiet);
    raise_file_limit();
    services_init(&v.services, &CLOCK_SYSTEM, &RNG_SYSTEM);
    v.services.sp = sp;
    bool ok = start(&v, &e);
    if (ok)
        wait_for_end(&v);
    stop(&v);
    return ok ? EXIT_OK : fatal(&e);
}
