/* Certificates: what we read libcrypto reads too, and what we say about it holds. */
#include <openssl/err.h>
#include <openssl/x509.h>

#include "x509/chain.h"
#include "x509/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        __builtin_trap();
}

static void noted(void *arg, enum lint_level level, const char *rule, const char *text)
{
    (void)arg;
    (void)level;
    check(rule && text);
}

static void compare(const struct cert *c, X509 *x)
{
    check(c->extensions.n == (size_t)X509_get_ext_count(x));
    check(c->version == X509_get_version(x) + 1);
    check(c->subject.n == (size_t)X509_NAME_entry_count(X509_get_subject_name(x)));
    if (cert_self_signed(c))
        check(X509_verify(x, X509_get0_pubkey(x)) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const unsigned char *p = data;
    struct cert *c;

    if (!cert_read(a, slice_of(data, size), &c, NULL))
        return 0;
    X509 *x = d2i_X509(NULL, &p, (long)size);
    check(x && p == data + size);
    compare(c, x);
    X509_free(x);
    cert_lint(c, noted, NULL);
    struct cert_list list = {&c, 1};
    if (!name_constraints_check(a, &list, &c->sans, NULL))
        check(c->extensions.n > 0);
    struct chain_rules rules = {.anchors = list, .at = c->not_before, .use = CHAIN_SERVER};
    if (chain_verify(a, c, &rules, &list, NULL))
        check(list.n == 1);
    ERR_clear_error();
    return 0;
}
