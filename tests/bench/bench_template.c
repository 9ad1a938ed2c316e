/*
 * What certificate templates cost: the text that says what every certificate is without a template,
 * and the same certificate without it.  CPU time of this process; evaluation of the default leaf
 * template should take less than 10 microseconds.  Nothing is asserted, machines differ.
 *
 *   bench_template [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "authority/template_leaf.h"
#include "base/clock.h"

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void need(bool good, const struct err *e)
{
    if (good)
        return;
    fprintf(stderr, "bench_template: %s\n", e->text);
    exit(1);
}

struct bench {
    struct arena *a;
    struct csr *csr;
    struct grant grant;
    const struct template *t;
    struct tvalue data;
};

static void set_up(struct bench *b)
{
    static struct slice names[] = {{(const uint8_t *)"web.test", 8},
                                   {(const uint8_t *)"www.web.test", 12}};
    static const struct template_options OPTIONS = {.set = TEMPLATE_X509};
    struct private_key *key;
    struct csr_wish wish = {.common_name = names[0]};
    struct slice der;
    struct err e = {0};

    b->a = arena_new(NULL);
    sans_split(b->a, names, COUNT_OF(names), &wish.sans);
    need(private_key_generate(b->a, KEY_P256, 0, &key, &e), &e);
    need(csr_make(b->a, &wish, signer_local(b->a, key, "bench"), &der, &e), &e);
    need(csr_read(b->a, der, &b->csr, &e), &e);
    b->grant.x509.subject.common_name = names[0];
    b->grant.x509.sans = wish.sans;
    b->t = template_parse(b->a, "template", slice_text(TEMPLATE_LEAF), &OPTIONS, &e);
    need(b->t, &e);
}

static void make_data(struct bench *b)
{
    struct template_inputs in = {.grant = &b->grant};

    b->data = template_data_x509(b->a, &in);
    template_data_request(b->a, &b->data, b->csr);
}

static void evaluate(struct bench *b)
{
    struct buf out = buf_new(b->a, 1u << 20);
    struct err e = {0};

    need(template_run(b->t, &b->data, b->a, NULL, &out, &e), &e);
}

static void whole(struct bench *b)
{
    struct leaf_json leaf = {0};
    struct err e = {0};

    make_data(b);
    need(template_to_leaf(b->a, b->t, &b->data, &leaf, &e), &e);
}

static void measure(struct bench *b, const char *what, long rounds, void (*run)(struct bench *))
{
    double begin = now_us();

    for (long i = 0; i < rounds; i++) {
        struct arena_mark mark = arena_mark(b->a);
        run(b);
        arena_rewind(b->a, mark);
    }
    printf("%-34s %7.2f us\n", what, (now_us() - begin) / (double)rounds);
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
    struct bench b = {0};

    if (rounds < 1) {
        fprintf(stderr, "usage: bench_template [ROUNDS]\n");
        return 2;
    }
    set_up(&b);
    measure(&b, "variables", rounds, make_data);
    make_data(&b);
    measure(&b, "evaluation", rounds, evaluate);
    measure(&b, "variables, evaluation, JSON, leaf", rounds, whole);
    arena_free(b.a);
    return 0;
}
