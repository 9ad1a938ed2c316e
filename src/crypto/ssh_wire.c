/* RFC 4251 5. */
#include "crypto/ssh_wire.h"

bool ssh_take_byte(struct slice *in, uint8_t *v)
{
    if (in->n < 1)
        return false;
    *v = in->p[0];
    *in = slice_from(*in, 1);
    return true;
}

bool ssh_take_u32(struct slice *in, uint32_t *v)
{
    if (in->n < 4)
        return false;
    *v = (uint32_t)in->p[0] << 24 | (uint32_t)in->p[1] << 16 | (uint32_t)in->p[2] << 8 | in->p[3];
    *in = slice_from(*in, 4);
    return true;
}

bool ssh_take_u64(struct slice *in, uint64_t *v)
{
    uint32_t high, low;
    struct slice at = *in;

    if (!ssh_take_u32(&at, &high) || !ssh_take_u32(&at, &low))
        return false;
    *v = (uint64_t)high << 32 | low;
    *in = at;
    return true;
}

bool ssh_take_string(struct slice *in, struct slice *s)
{
    struct slice at = *in;
    uint32_t n;

    if (!ssh_take_u32(&at, &n) || n > at.n)
        return false;
    *s = slice_sub(at, 0, n);
    *in = slice_from(at, n);
    return true;
}

bool ssh_take_mpint(struct slice *in, struct slice *number)
{
    struct slice at = *in, s;

    if (!ssh_take_string(&at, &s))
        return false;
    if (s.n > 0 && s.p[0] & 0x80)
        return false;
    if (s.n > 0 && s.p[0] == 0) {
        if (s.n == 1 || !(s.p[1] & 0x80))
            return false;
        s = slice_from(s, 1);
    }
    *number = s;
    *in = at;
    return true;
}

void ssh_put_string(struct buf *b, struct slice s)
{
    buf_u32(b, (uint32_t)s.n);
    buf_put(b, s);
}

void ssh_put_mpint(struct buf *b, struct slice number)
{
    while (number.n > 0 && number.p[0] == 0)
        number = slice_from(number, 1);
    bool zero_first = number.n > 0 && number.p[0] & 0x80;
    buf_u32(b, (uint32_t)(number.n + zero_first));
    if (zero_first)
        buf_byte(b, 0);
    buf_put(b, number);
}

size_t ssh_open_string(struct buf *b)
{
    buf_u32(b, 0);
    return b->n;
}

void ssh_close_string(struct buf *b, size_t at)
{
    if (!buf_ok(b))
        return;
    uint32_t n = (uint32_t)(b->n - at);
    for (size_t i = 0; i < 4; i++)
        b->p[at - 4 + i] = (uint8_t)(n >> (24 - 8 * i));
}
