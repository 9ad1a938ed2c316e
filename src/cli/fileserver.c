/*
 * step fileserver: the files of a directory over HTTP or HTTPS, on demand only for clients with a
 * certificate.  SIGHUP reads certificate, key and roots again; SIGINT and SIGTERM end it.
 */
#include "cli/fileserver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/certificate_common.h"
#include "cli/key_files.h"
#include "cli/tree.h"
#include "net/server.h"

#define STOP_NS  (5 * NS_PER_SEC)
#define WRITE_NS (3600 * NS_PER_SEC) /* large files on slow lines */

struct serving {
    struct invocation *inv;
    const char *cert, *key, *roots, *pidfile; /* NULL: none */
    struct files files;
    struct http_server *server;
    struct listener *listener;
    struct tls_slot *slot;
};

static const char *text_flag(const struct invocation *inv, const char *name)
{
    const char *value = flag_text(inv, name);

    return value && *value ? value : NULL;
}

/* --- TLS ---------------------------------------------------------------------------------- */

static struct slice *ders_of(struct arena *a, const struct cert_list *list)
{
    struct slice *v = arena_array(a, list->n + 1, sizeof(*v));

    for (size_t i = 0; i < list->n; i++)
        v[i] = list->v[i]->der;
    return v;
}

static bool load_tls(struct serving *s)
{
    struct invocation *inv = s->inv;
    struct arena *a = inv->arena;
    struct cert_list chain, roots = {0};
    struct key_file file;

    if (!cert_list_load(a, s->cert, &chain, &inv->err) ||
        !key_file_load(inv, s->key, NULL, &file) ||
        (s->roots && !cert_roots_load(a, s->roots, &roots, &inv->err)))
        return false;
    if (!file.secret)
        return err_set(&inv->err, ERR_MALFORMED, "%s holds no private key", s->key);
    if (!chain.v[0]->key || !key_eq(chain.v[0]->key, file.key))
        return err_set(&inv->err, ERR_MALFORMED,
                       "the private key in %s does not belong to the certificate in %s", s->key,
                       s->cert);
    const struct tls_settings settings = {
        .min_version = 12,
        .max_version = 13,
        .client_anchors = ders_of(a, &roots),
        .n_client_anchors = roots.n,
    };
    const struct tls_credentials own = {ders_of(a, &chain), chain.n, file.secret};
    return tls_slot_set(s->slot, &settings, &own, chain.v[0]->not_after, &inv->err);
}

/* What cannot be read leaves in force what was. */
static void reload(struct serving *s)
{
    struct invocation *inv = s->inv;

    if (!s->slot)
        return;
    err_clear(&inv->err);
    if (load_tls(s))
        note(inv, "certificate and key were read again");
    else
        note(inv, "reload failed: %s", inv->err.text);
}

/* --- The server --------------------------------------------------------------------------- */

static void limits(void *arg, const struct http_request *head, struct http_limits *out)
{
    (void)arg, (void)head;
    out->body_max = 0;
}

static void dispatch(void *arg, struct http_exchange *x)
{
    files_answer(arg, x);
    http_finish(x);
}

static bool open_directory(struct serving *s, const char *path)
{
    s->files.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->files.dir >= 0 || err_errno(&s->inv->err, errno, "open", path);
}

static bool start(struct serving *s)
{
    const struct http_server_options options = {.write_ns = WRITE_NS};
    const struct http_app app = {.arg = &s->files, .limits = limits, .dispatch = dispatch};
    struct err *e = &s->inv->err;

    s->slot = s->cert ? tls_slot_new() : NULL;
    if (s->slot && !load_tls(s))
        return false;
    s->server = http_server_new(&options, e);
    s->listener =
        s->server ? listener_open(s->server, flag_text(s->inv, "address"), s->slot, &app, e) : NULL;
    if (!s->listener)
        return false;
    if (s->pidfile &&
        !file_write(s->pidfile, arena_format(s->inv->arena, "%ld\n", (long)getpid()), 0644, 0, e))
        return false;
    listener_start(s->listener);
    note(s->inv, "serving %s at %s", s->slot ? "HTTPS" : "HTTP", listener_address(s->listener));
    return true;
}

static void stop(struct serving *s)
{
    if (s->listener)
        listener_close(s->listener);
    if (s->server) {
        http_server_stop(s->server, deadline_in(&CLOCK_SYSTEM, STOP_NS));
        http_server_free(s->server);
    }
    if (s->slot)
        tls_slot_free(s->slot);
    if (s->files.dir >= 0)
        close(s->files.dir);
}

/* --- The command -------------------------------------------------------------------------- */

static bool check_flags(struct serving *s)
{
    struct err *e = &s->inv->err;

    if (s->cert && !s->key)
        return err_set(e, ERR_MALFORMED, "flag '--cert' requires the '--key' flag");
    if (s->key && !s->cert)
        return err_set(e, ERR_MALFORMED, "flag '--key' requires the '--cert' flag");
    return !s->roots || s->cert ||
           err_set(e, ERR_MALFORMED, "flag '--roots' requires the '--cert' and '--key' flags");
}

static int run_fileserver(struct invocation *inv)
{
    struct serving s = {
        .inv = inv,
        .cert = text_flag(inv, "cert"),
        .key = text_flag(inv, "key"),
        .roots = text_flag(inv, "roots"),
        .pidfile = text_flag(inv, "pidfile"),
        .files = {.dir = -1},
    };
    sigset_t waited, before;
    int number = 0;

    s.files.need_client = s.roots != NULL;
    sigemptyset(&waited);
    sigaddset(&waited, SIGHUP);
    sigaddset(&waited, SIGINT);
    sigaddset(&waited, SIGTERM);
    if (!check_flags(&s) || !open_directory(&s, arg_text(inv, 0)))
        return fail(inv);
    pthread_sigmask(SIG_BLOCK, &waited, &before); /* the server's threads inherit it */
    bool ok = start(&s);
    while (ok && sigwait(&waited, &number) == 0 && number == SIGHUP)
        reload(&s);
    stop(&s);
    if (ok && s.pidfile)
        unlink(s.pidfile);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok ? 0 : fail(inv);
}

static const struct flag FILESERVER_FLAGS[] = {
    {"address", FLAG_TEXT, "<host:port>",
     "Where to listen. Without a host on all addresses, with port 0 on one that is free.", ":0", 0},
    {"cert", FLAG_FILE, "<file>", "The <file> with the certificate chain of the server.", NULL, 0},
    {"key", FLAG_FILE, "<file>", "The <file> with its private key.", NULL, 0},
    {"roots", FLAG_FILE, "<roots>",
     "Answer only clients with a certificate of these authorities: a PEM file, a comma-separated "
     "list of files, or a directory.",
     NULL, 0},
    {"pidfile", FLAG_FILE, "<file>", "Write the number of the process to this <file>.", NULL, 0},
    {0}};
static const struct flag *const FILESERVER_SETS[] = {FILESERVER_FLAGS, NULL};

const struct command CMD_FILESERVER = {
    .name = "fileserver",
    .summary = "serve the files of a directory over HTTP or HTTPS",
    .synopsis = "<dir>",
    .description =
        "Serves the files of a directory, with --cert and --key over HTTPS (TLS 1.2 and later). A "
        "directory shows its index.html, or a list of what is in it. Nothing outside of the "
        "directory is served, whatever a path or a symbolic link says. A file beyond 256 MiB is "
        "served in ranges only.\n\n"
        "SIGHUP makes it read certificate, key and roots again, SIGINT and SIGTERM end it.",
    .arguments = "dir\tThe directory.",
    .examples = "Look at a certificate at work:\n"
                "$ step ca certificate localhost localhost.crt localhost.key\n"
                "$ step fileserver --address localhost:8443 --cert localhost.crt \\\n"
                "    --key localhost.key .\n"
                "\n"
                "Only for clients of the same authority:\n"
                "$ step fileserver --address :8443 --cert srv.crt --key srv.key \\\n"
                "    --roots $(step path)/certs/root_ca.crt /srv/files",
    .flag_sets = FILESERVER_SETS,
    .least = 1,
    .most = 1,
    .run = run_fileserver,
};
