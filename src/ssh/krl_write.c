/* Writing revocation lists: PROTOCOL.krl of OpenSSH. */
#include "ssh/krl.h"

#include "crypto/ssh_wire.h"
#include "ssh/krl_internal.h"

#define RANGE_MIN 3 /* neighbours that are shorter as a range than as a list */

/* How many serials from i on follow one another. */
static size_t neighbours(const struct ssh_krl *k, size_t i)
{
    size_t n = 1;

    while (i + n < k->n_serials && k->serials[i + n] == k->serials[i] + n)
        n++;
    return n;
}

static void put_range(struct buf *b, uint64_t from, uint64_t to)
{
    buf_byte(b, KRL_RANGE);
    size_t at = ssh_open_string(b);
    buf_u64(b, from);
    buf_u64(b, to);
    ssh_close_string(b, at);
}

/* Lists, with ranges between them. */
static void put_serials(struct buf *b, const struct ssh_krl *k)
{
    size_t list = 0;

    for (size_t i = 0; i < k->n_serials;) {
        size_t n = neighbours(k, i);
        if (n >= RANGE_MIN) {
            if (list)
                ssh_close_string(b, list);
            list = 0;
            put_range(b, k->serials[i], k->serials[i] + (n - 1));
            i += n;
            continue;
        }
        if (!list) {
            buf_byte(b, KRL_SERIALS);
            list = ssh_open_string(b);
        }
        buf_u64(b, k->serials[i++]);
    }
    if (list)
        ssh_close_string(b, list);
}

static bool ascending(const struct ssh_krl *k)
{
    uint64_t last = 0;

    for (size_t i = 0; i < k->n_serials; i++) {
        if (k->serials[i] <= last)
            return false;
        last = k->serials[i];
    }
    return true;
}

bool ssh_krl_write(const struct ssh_krl *k, struct buf *b, struct err *e)
{
    if (!ascending(k))
        return err_set(e, ERR_INTERNAL, "KRL: the serials are not in order");
    buf_u64(b, KRL_MAGIC);
    buf_u32(b, KRL_FORMAT);
    buf_u64(b, k->version);
    buf_u64(b, k->generated);
    buf_u64(b, 0); /* flags */
    ssh_put_string(b, SLICE(""));
    ssh_put_string(b, k->comment);
    for (size_t i = 0; i < k->n_cas && k->n_serials > 0; i++) {
        buf_byte(b, KRL_CERTIFICATES);
        size_t at = ssh_open_string(b);
        ssh_put_string(b, k->cas[i].blob);
        ssh_put_string(b, SLICE(""));
        put_serials(b, k);
        ssh_close_string(b, at);
    }
    return buf_done(b, "KRL", e);
}
