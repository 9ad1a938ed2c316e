/*
 * step ssh config: sets OpenSSH up to use certificates, on the side of users or of a host.  What
 * is written says the CA, which makes it of its templates and of the variables that are sent.
 */
#include "base/file.h"
#include "cli/internal.h"
#include "cli/ssh_config_files.h"
#include "cli/ssh_published.h"

#define DATA_MAX         (1u << 20)
#define PAIRS_MAX        32
#define TEMPLATE_VERSION "v2" /* of the files: one that is not for clients before 0.18 */

/* --- --roots, --federation -------------------------------------------------------------------- */

static bool print_keys(struct invocation *inv, struct ssh_desk *desk, bool federation)
{
    bool host = flag_bool(inv, "host");
    struct ssh_trust trust;

    if (!ssh_published_keys(desk, federation, &trust))
        return false;
    const struct ssh_keys *keys = host ? &trust.host : &trust.user;
    if (keys->n == 0)
        return err_set(&inv->err, ERR_NOT_FOUND, "the CA has no key for certificates of %s",
                       host ? "hosts" : "users");
    for (size_t i = 0; i < keys->n; i++)
        out_put(inv, ssh_line_make(inv->arena, keys->v[i].blob, SLICE("")));
    return true;
}

/* --- Variables -------------------------------------------------------------------------------- */

static void set_text(struct json *data, struct arena *a, const char *name, struct slice text)
{
    json_set_exact(data, a, name, json_make_text(a, text));
}

/* Values are texts; of anything else it is the JSON. */
static struct slice text_of(struct arena *a, const struct json *v)
{
    struct buf b = buf_new(a, DATA_MAX);

    if (v->kind == JSON_TEXT)
        return v->text;
    json_print(&b, v, NULL);
    return buf_slice(&b);
}

static bool add_file(struct invocation *inv, struct json *data)
{
    const char *path = ca_cmd_text(inv, "set-file");
    struct arena *a = inv->arena;
    struct slice text;

    if (!path)
        return true;
    if (!file_read(a, path, true, DATA_MAX, &text, &inv->err))
        return false;
    const struct json *read = json_read(a, text, &JSON_STRICT, NULL, &inv->err);
    if (!read)
        return err_wrap(&inv->err, "%s", path);
    if (read->kind != JSON_OBJECT)
        return err_set(&inv->err, ERR_MALFORMED, "%s: expected a JSON object", path);
    for (const struct json *v = read->first; v; v = v->next)
        set_text(data, a, arena_cstr(a, v->name), text_of(a, v));
    return true;
}

/* Of a host that has several: how often is this one set? */
static size_t times_set(struct invocation *inv, const char *name)
{
    size_t n, times = 0;
    const struct slice *sets = flag_texts(inv, "set", &n);

    for (size_t i = 0; i < n; i++)
        times += slice_is(slice_sub(sets[i], 0, slice_find(sets[i], '=')), name);
    return times;
}

/* How often the CA is asked: once for each certificate with its key.  Without a key for each the
 * last ones count, as with every other variable. */
static size_t count_pairs(struct invocation *inv)
{
    size_t n = times_set(inv, "Certificate");

    return flag_bool(inv, "host") && n > 1 && times_set(inv, "Key") == n ? n : 1;
}

/* The pair-th certificate and key of `pairs`; everything else in any case. */
static bool add_sets(struct invocation *inv, size_t pair, size_t pairs, struct json *data)
{
    static const char *const PAIRED[] = {"Certificate", "Key"};
    size_t n, seen[COUNT_OF(PAIRED)] = {0};
    const struct slice *sets = flag_texts(inv, "set", &n);

    for (size_t i = 0; i < n; i++) {
        size_t equals = slice_find(sets[i], '=');
        bool other = false;
        if (equals == 0 || equals == sets[i].n)
            return ca_cmd_bad_value(inv, "set", arena_cstr(inv->arena, sets[i]),
                                    "expected key=value");
        struct slice name = slice_sub(sets[i], 0, equals);
        for (size_t k = 0; k < COUNT_OF(PAIRED) && pairs > 1; k++)
            other |= slice_is(name, PAIRED[k]) && seen[k]++ != pair;
        if (!other)
            set_text(data, inv->arena, arena_cstr(inv->arena, name),
                     slice_from(sets[i], equals + 1));
    }
    return true;
}

/* Who logs in: whom the certificate in the agent lets in. */
static bool add_user(struct invocation *inv, struct ssh_desk *desk, struct json *data)
{
    const struct ssh_login *login;
    struct ssh_login *logins;
    struct ssh_trust trust;
    struct agent agent;
    size_t n;

    if (json_get_exact(data, "User"))
        return true;
    if (!ssh_agent_connect(inv, &agent, &inv->err) ||
        !ssh_logins(inv, &agent, &logins, &n, &inv->err))
        return err_wrap(&inv->err, "use the flag '--set User=<name>', or the agent");
    if (!ssh_published_keys(desk, false, &trust))
        return false;
    login = ssh_login_find(inv, logins, n, &trust.user, SLICE_NONE);
    if (!login || login->cert.n_principals == 0)
        return err_set(&inv->err, ERR_NOT_FOUND,
                       "the agent holds no certificate of this CA: run 'step ssh login', or use "
                       "the flag '--set User=<name>'");
    set_text(data, inv->arena, "User", login->cert.principals[0]);
    return true;
}

static bool make_data(struct invocation *inv, struct ssh_desk *desk, size_t pair, size_t pairs,
                      struct slice *text)
{
    struct arena *a = inv->arena;
    struct json *data = json_make_object(a);
    struct buf b = buf_new(a, DATA_MAX);

    set_text(data, a, "GOOS", SLICE("linux"));
    set_text(data, a, "StepPath", slice_text(inv->steppath.path));
    set_text(data, a, "StepBasePath", slice_text(inv->steppath.base));
    set_text(data, a, "StepSSHTemplateVersion", SLICE(TEMPLATE_VERSION));
    if (inv->steppath.context)
        set_text(data, a, "Context", slice_text(inv->steppath.context));
    if (flag_bool(inv, "console"))
        set_text(data, a, "Console", SLICE("true"));
    if (!add_file(inv, data) || !add_sets(inv, pair, pairs, data) ||
        (!flag_bool(inv, "host") && !add_user(inv, desk, data)))
        return false;
    json_print(&b, data, NULL);
    *text = buf_slice(&b);
    return buf_done(&b, "the variables", &inv->err);
}

/* --- The command ------------------------------------------------------------------------------ */

static bool get_files(struct invocation *inv, struct ssh_desk *desk, struct ca_ssh_file **files,
                      size_t *n)
{
    uint32_t type = flag_bool(inv, "host") ? SSH_HOST : SSH_USER;
    size_t pairs = count_pairs(inv), n_more;
    struct ca_ssh_file *more;
    struct slice data;

    if (pairs > PAIRS_MAX)
        return err_set(&inv->err, ERR_TOO_LARGE, "more than %d certificates with their keys",
                       PAIRS_MAX);
    if (!make_data(inv, desk, 0, pairs, &data) || !ssh_published_files(desk, type, data, files, n))
        return false;
    for (size_t i = 1; i < pairs; i++) {
        if (!make_data(inv, desk, i, pairs, &data) ||
            !ssh_published_files(desk, type, data, &more, &n_more) ||
            !ssh_config_merge_all(inv->arena, *files, *n, more, n_more, &inv->err))
            return false;
    }
    return true;
}

static bool write_files(struct invocation *inv, struct ssh_desk *desk)
{
    struct ca_ssh_file *files;
    size_t n;

    if (!get_files(inv, desk, &files, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!ssh_config_file(inv, &files[i], flag_bool(inv, "dry-run")))
            return false;
    }
    if (n == 0)
        note(inv, "No configuration changes were found.");
    return true;
}

static bool refresh_krl(struct invocation *inv, struct ssh_desk *desk, const char *path)
{
    struct slice krl;

    return ssh_published_krl(desk, &krl) &&
           ssh_config_krl(inv, path, krl, flag_bool(inv, "dry-run"));
}

static bool configure(struct invocation *inv, struct ssh_desk *desk)
{
    const char *krl = ca_cmd_text(inv, "krl");

    if (flag_bool(inv, "roots") || flag_bool(inv, "federation"))
        return print_keys(inv, desk, flag_bool(inv, "federation"));
    if (krl && !refresh_krl(inv, desk, krl))
        return false;
    return (krl && !flag_bool(inv, "host")) || write_files(inv, desk);
}

static int run_config(struct invocation *inv)
{
    struct ssh_desk desk;

    if (!ssh_published_open(inv, &desk))
        return fail(inv);
    bool ok = configure(inv, &desk);
    ssh_desk_close(&desk);
    return ok ? 0 : fail(inv);
}

static const struct flag CONFIG_FLAGS[] = {
    {"host", FLAG_BOOL, NULL, "Set up the server of this host and not its users.", NULL, 0},
    {"roots", FLAG_BOOL, NULL,
     "Print the keys that sign certificates of users, or with --host those of hosts.", NULL, 0},
    {"federation", FLAG_BOOL, NULL,
     "Print the keys of the federation, in which the certificates of others count as well.", NULL,
     0},
    {"krl", FLAG_FILE, "<file>",
     "Write the list of revoked certificates to <file>, for sshd's RevokedKeys. Without --host "
     "nothing else is written.",
     NULL, 0},
    {"set", FLAG_TEXTS, "<key=value>",
     "A variable for the templates of the authority. Can be given several times.", NULL, 0},
    {"set-file", FLAG_FILE, "<file>", "The JSON <file> with variables for the templates.", NULL, 0},
    {"dry-run", FLAG_BOOL, NULL, "Show what would be written, and write nothing.", NULL, 0},
    {0}};
static const struct flag *const CONFIG_SETS[] = {
    CONFIG_FLAGS, FLAGS_LOGIN, FLAGS_FORCE, FLAGS_OFFLINE, FLAGS_PASSWORD, FLAGS_CA, NULL};
static const struct flag_rule CONFIG_RULES[] = {
    {RULE_EXCLUDES, "roots", "federation"},    {RULE_EXCLUDES, "roots", "set"},
    {RULE_EXCLUDES, "federation", "set"},      {RULE_EXCLUDES, "roots", "set-file"},
    {RULE_EXCLUDES, "federation", "set-file"}, {RULE_EXCLUDES, "roots", "krl"},
    {RULE_EXCLUDES, "federation", "krl"},      {0}};

const struct command CMD_SSH_CONFIG = {
    .name = "config",
    .summary = "set OpenSSH up to use certificates",
    .synopsis = "",
    .description =
        "Asks the authority for the configuration of users or, with --host, of a server, and "
        "writes it: a part of ~/.ssh/config and files below the step path, or a part of "
        "/etc/ssh/sshd_config and /etc/ssh/ca.pub. Parts that an earlier run wrote are replaced, "
        "everything else in these files stays. Run again, it changes nothing but the date.\n\n"
        "Users are named by the certificate that 'step ssh login' put into the agent, or by "
        "'--set User=<name>'. A host names the files of its key and its certificate below "
        "/etc/ssh: '--set Key=<file> --set Certificate=<file>'. One that has several keys gives "
        "both "
        "for each of them.\n\n"
        "--krl keeps a list of revoked certificates fresh, which sshd reads for every login when "
        "sshd_config has 'RevokedKeys <file>'. A list that is older than the one in the file is "
        "refused. Let a timer run it; sshd needs no reload.",
    .examples = "Set up the account of this user:\n"
                "$ step ssh config\n"
                "\n"
                "Set up the server of this host:\n"
                "$ step ssh config --host --set Certificate=ssh_host_ecdsa_key-cert.pub "
                "--set Key=ssh_host_ecdsa_key\n"
                "\n"
                "The key that a server must trust to let users in:\n"
                "$ step ssh config --roots > /etc/ssh/ca.pub\n"
                "\n"
                "Refresh the list of revoked certificates:\n"
                "$ step ssh config --krl /etc/ssh/revoked.krl",
    .flag_sets = CONFIG_SETS,
    .rules = CONFIG_RULES,
    .run = run_config,
};
