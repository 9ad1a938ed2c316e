/*
 * step-kms-plugin: one run of the program for each question.  What it is told stands on its
 * standard input, what it says on its standard output; what went wrong it says itself, on standard
 * error, which is ours.
 */
#include "cli/kms_plugin.h"

#include "base/encode.h"
#include "cli/internal.h"
#include "cli/program.h"
#include "crypto/keyfile.h"

#define WORD       "kms"
#define OUTPUT_MAX (256u << 10)

bool kms_plugin_open(struct invocation *inv, const char *uri, struct kms_plugin *k, struct err *e)
{
    struct slice text = slice_text(uri);

    *k = (struct kms_plugin){.inv = inv, .uri = uri};
    if (slice_find(text, ':') == text.n || slice_starts(text, "-"))
        return err_set(e, ERR_MALFORMED, "key '%s': expected a URI such as yubikey:slot-id=9a",
                       uri);
    k->program = plugin_find(inv->arena, &inv->steppath, WORD);
    return k->program ||
           err_set(e, ERR_NOT_FOUND,
                   "key '%s' is reached by the program step-kms-plugin, which is not installed: "
                   "put it into %s/plugins or a directory of PATH",
                   uri, inv->steppath.base);
}

static bool ask(const struct kms_plugin *k, const char *const *words, struct slice input,
                struct slice *output, struct err *e)
{
    char *argv[10] = {(char *)(uintptr_t)k->program};
    size_t n = 1;

    for (; *words && n < COUNT_OF(argv) - 2; words++)
        argv[n++] = (char *)(uintptr_t)*words;
    argv[n++] = (char *)(uintptr_t)k->uri;
    argv[n] = NULL;
    return program_ask(k->inv->arena, argv, input, OUTPUT_MAX, output, e);
}

/* --- The key ---------------------------------------------------------------------------------- */

static bool sign(struct signer *s, struct sig_alg alg, struct slice message, struct slice digest,
                 struct buf *sig, struct deadline d UNUSED, struct err *e)
{
    struct kms_plugin *k = s->state;
    const char *name = alg.digest == DIGEST_NONE ? NULL : digest_name(alg.digest);
    const char *with_alg[] = {"sign", "--format", "base64", "--alg", name, NULL};
    const char *without[] = {"sign", "--format", "base64", NULL};
    bool rsa = s->public_key->type == KEY_RSA;
    struct slice text, bytes;

    if (alg.scheme == SIG_RSA_PSS)
        return err_set(e, ERR_NOT_IMPLEMENTED, "RSASSA-PSS with a key of step-kms-plugin");
    if (!ask(k, rsa ? with_alg : without, digest.p ? digest : message, &text, e))
        return false;
    if (!base64_read(k->inv->arena, BASE64_STD, slice_trim(text), &bytes))
        return err_set(e, ERR_MALFORMED, "%s sign: expected a signature in base64", k->program);
    buf_put(sig, bytes);
    return true;
}

static void release(struct signer *s UNUSED) {}

bool kms_plugin_signer(struct kms_plugin *k, struct signer **signer, struct err *e)
{
    static const struct signer_ops OPS = {sign, release};
    static const char *const WORDS[] = {"key", NULL};
    struct signer *s = arena_alloc(k->inv->arena, sizeof(*s));
    struct slice pem;

    if (!ask(k, WORDS, SLICE(""), &pem, e) ||
        !public_key_read(k->inv->arena, pem, k->uri, NULL, &s->public_key, e))
        return false;
    s->ops = &OPS;
    s->name = k->uri;
    s->state = k;
    *signer = s;
    return true;
}

/* --- Its attestation -------------------------------------------------------------------------- */

bool kms_plugin_attest(struct kms_plugin *k, struct slice key_authorization, struct slice *object,
                       struct err *e)
{
    static const char *const WORDS[] = {"attest", "--format", "step", NULL};
    struct slice text, bytes;

    if (!ask(k, WORDS, key_authorization, &text, e))
        return false;
    *object = slice_trim(text);
    return (object->n > 0 && base64_read(k->inv->arena, BASE64_URL_RAW, *object, &bytes)) ||
           err_set(e, ERR_MALFORMED, "%s attest: expected an attestation object in base64url",
                   k->program);
}
