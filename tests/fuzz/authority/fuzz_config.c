/*
 * Arbitrary bytes as ca.json, as far as a start goes without files: read, validated, and every
 * provisioner made.  What was accepted once is accepted again after it was printed, with the same
 * values.
 */
#include <stdlib.h>

#include "authority/config.h"
#include "provisioner/provisioner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void warn(void *arg, const char *text)
{
    (void)arg;
    if (text[0] == 0)
        abort();
}

static void check(bool good)
{
    if (!good)
        abort();
}

static void make_provisioners(struct arena *a, const struct config *c)
{
    const struct json *list = c->authority.provisioners;
    struct audiences audiences;
    struct claims global;
    struct provisioner_env env = {&CLOCK_SYSTEM, &audiences, &global};
    size_t index = 0;

    audiences_build(a, c->dns_names.v, c->dns_names.n, &audiences);
    claims_resolve(&CLAIMS_BUILT_IN, c->authority.claims, &global);
    for (const struct json *v = list ? list->first : NULL; v; v = v->next, index++) {
        const char *key = arena_printf(a, "authority.provisioners[%zu]", index);
        struct provisioner *p;
        struct err e = {0};
        if (!provisioner_make(a, v, config_where(a, c, key), &env, &p, &e)) {
            check(e.kind != ERR_NONE && e.text[0] != 0);
            continue;
        }
        /* A listing is JSON whatever stands in the file. */
        check(json_read(a, p->listing, &JSON_STRICT, NULL, NULL) != NULL);
        check(p->id.n == p->token_id.n);
    }
}

static void read_again(struct arena *a, const struct config *c)
{
    struct buf b = buf_new(a, 64u << 20);
    struct config *again;

    json_print(&b, json_copy(a, c->tree), "\t");
    check(buf_ok(&b));
    check(config_read(a, buf_slice(&b), "again", &again, NULL, NULL, NULL));
    check(config_validate(a, again, NULL, NULL, NULL));
    check(again->backdate == c->backdate && again->crl_cache == c->crl_cache &&
          again->crl_renew == c->crl_renew);
    check(again->dns_names.n == c->dns_names.n && again->root.n == c->root.n);
    check(slice_eq(again->db_text, c->db_text) && slice_eq(again->password, c->password));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct config *c;
    struct err e = {0};

    if (!config_read(a, arena_copy(a, slice_of(data, size)), "ca.json", &c, warn, NULL, &e)) {
        check(e.kind != ERR_NONE && e.text[0] != 0);
    } else {
        check(c->dns_names.n > 0 || c->dns_names_given);
        if (config_validate(a, c, warn, NULL, &e)) {
            make_provisioners(a, c);
            read_again(a, c);
        }
    }
    arena_free(a);
    return 0;
}
