/*
 * A thread asks the system for some hundred bytes and hands them out.  Each byte is handed out
 * once, and gone from here then.
 */
#include "crypto/random.h"

#include "crypto/secret.h"

#define STOCK 256u

static _Thread_local struct {
    struct rng *of;
    size_t left;
    uint8_t bytes[STOCK]; /* the first `left` */
} stock;

static void refill(struct rng *rng)
{
    rng->fill(rng, stock.bytes, STOCK);
    stock.of = rng;
    stock.left = STOCK;
}

void random_few(struct rng *rng, uint8_t *to, size_t n)
{
    if (n > STOCK) {
        rng->fill(rng, to, n);
        return;
    }
    if (n > stock.left || stock.of != rng)
        refill(rng);
    stock.left -= n;
    memcpy(to, stock.bytes + stock.left, n);
    secret_wipe(stock.bytes + stock.left, n);
}
