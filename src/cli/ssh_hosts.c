/* step ssh hosts: which hosts have certificates. */
#include "cli/internal.h"
#include "cli/ssh.h"
#include "cli/ssh_published.h"

#define TABLE_MAX (64u << 20)
#define TAB       8

struct row {
    struct slice cell[3];
};
static const struct row HEAD = {
    {{(const uint8_t *)"HOSTNAME", 8}, {(const uint8_t *)"ID", 2}, {(const uint8_t *)"TAGS", 4}}};

/* Characters, not bytes. */
static size_t width(struct slice text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        n += (text.p[i] & 0xc0) != 0x80;
    return n;
}

/* Columns end at tab stops. */
static size_t column_width(const struct row *rows, size_t n, size_t column)
{
    size_t most = 0;

    for (size_t i = 0; i < n; i++) {
        size_t w = width(rows[i].cell[column]);
        most = w > most ? w : most;
    }
    return (most / TAB + 1) * TAB;
}

static void put_table(struct buf *b, const struct row *rows, size_t n)
{
    size_t wide[] = {column_width(rows, n, 0), column_width(rows, n, 1)};

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < COUNT_OF(wide); k++) {
            buf_put(b, rows[i].cell[k]);
            for (size_t at = width(rows[i].cell[k]); at < wide[k]; at = (at / TAB + 1) * TAB)
                buf_byte(b, '\t');
        }
        buf_put(b, rows[i].cell[2]);
        buf_byte(b, '\n');
    }
}

static int run_hosts(struct invocation *inv)
{
    struct buf b = buf_new(inv->arena, TABLE_MAX);
    struct arena *a = inv->arena;
    struct ssh_desk desk;
    struct ca_ssh_host *hosts;
    size_t n;

    if (!ssh_published_open(inv, &desk))
        return fail(inv);
    bool ok = ssh_published_hosts(&desk, &hosts, &n);
    ssh_desk_close(&desk);
    if (!ok)
        return fail(inv);
    struct row *rows = arena_array(a, n + 1, sizeof(*rows));
    rows[0] = HEAD;
    for (size_t i = 0; i < n; i++)
        rows[i + 1] = (struct row){
            {printable(a, hosts[i].name), printable(a, hosts[i].id), printable(a, hosts[i].tags)}};
    put_table(&b, rows, n + 1);
    if (!buf_done(&b, "table of hosts", &inv->err))
        return fail(inv);
    out_put(inv, buf_slice(&b));
    return 0;
}

static const struct flag *const HOSTS_SETS[] = {FLAGS_TEMPLATE, FLAGS_LOGIN, FLAGS_OFFLINE,
                                                FLAGS_PASSWORD, FLAGS_CA,    NULL};

const struct command CMD_SSH_HOSTS = {
    .name = "hosts",
    .summary = "list the hosts that have a certificate",
    .synopsis = "",
    .description = "Prints the names of all hosts whose certificates from the authority are still "
                   "valid. The columns ID and TAGS are empty unless a host registry fills them. "
                   "An authority can be configured not to tell; then this is an error.",
    .examples = "All hosts:\n"
                "$ step ssh hosts\n"
                "\n"
                "Only their names:\n"
                "$ step ssh hosts | tail -n +2 | cut -f1",
    .flag_sets = HOSTS_SETS,
    .run = run_hosts,
};
