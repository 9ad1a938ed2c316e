/* Tokens and JWS of strangers: read in every form, judged, verified under fixed keys.  Nothing that
 * the fuzzer makes may verify. */
#include <stdlib.h>

#include "jose/jws.h"

static struct arena *keep;
static struct private_key *ec, *rsa;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    keep = arena_new(&HEAP_USUAL);
    if (!private_key_generate(keep, KEY_P256, 0, &ec, NULL) ||
        !private_key_generate(keep, KEY_RSA, 1024, &rsa, NULL))
        abort();
    return 0;
}

static void must_not_verify(const struct jws *jws)
{
    struct err e = {0};

    if (jws_verify(jws, ec->public_key, &e) || jws_verify(jws, rsa->public_key, &e) ||
        jws_verify_hmac(jws, SLICE("a secret that the fuzzer does not know"), &e))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct err e = {0};
    struct token token;
    struct jws jws;
    struct slice *list;
    size_t n;

    if (token_read(a, slice_of(data, size), &token, &e)) {
        must_not_verify(&token.jws);
        if (!token_times(&token, instant_sec(1790000000), 60, &e) && e.kind != ERR_UNAUTHORIZED)
            abort();
        if (token_chain(a, token.jws.header, "x5c", &list, &n, &e) && (n == 0 || n > 16))
            abort();
        if (token_texts(a, token.claims, "sans", &list, &n, &e) && n && !list)
            abort();
    }
    if (jws_read_json(a, slice_of(data, size), &jws, &e))
        must_not_verify(&jws);
    return 0;
}
