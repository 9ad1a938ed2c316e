/* step crypto winpe extract: the certificates in the signature of a program for Windows. */
#include "base/file.h"
#include "cli/crypto.h"
#include "cli/winpe.h"
#include "crypto/pem.h"

#define FILE_MOST (512u << 20)
#define PEM_MOST  (64u << 20)

static int run_extract(struct invocation *inv)
{
    struct buf b = buf_new(inv->arena, PEM_MOST);
    struct winpe_certs certs;
    struct slice file;

    /* Not a secret, and too large for their heap. */
    if (!file_read(inv->arena, arg_text(inv, 0), true, FILE_MOST, &file, &inv->err) ||
        !winpe_read(inv->arena, file, &certs, &inv->err))
        return fail(inv);
    for (size_t i = 0; i < certs.n; i++)
        pem_put(&b, "CERTIFICATE", certs.v[i]);
    if (!buf_done(&b, "certificates", &inv->err))
        return fail(inv);
    out_put(inv, buf_slice(&b));
    return 0;
}

static const struct command EXTRACT = {
    .name = "extract",
    .summary = "print the certificates of a signed program for Windows",
    .synopsis = "<file>",
    .description = "Prints the certificates in the Authenticode signatures of a PE file, as PEM. "
                   "The signature is not verified.",
    .arguments = "file\tThe program; \"-\": standard input.",
    .examples = "The certificates:\n"
                "$ step crypto winpe extract setup.exe\n"
                "\n"
                "Who signed it:\n"
                "$ step crypto winpe extract setup.exe | step certificate inspect --short",
    .least = 1,
    .most = 1,
    .run = run_extract,
};

static const struct command *const WINPE_COMMANDS[] = {&EXTRACT, NULL};
const struct command CMD_CRYPTO_WINPE = {
    .name = "winpe",
    .summary = "look at signed programs for Windows",
    .description = "Looks at programs for Windows (Portable Executable files).",
    .sub = WINPE_COMMANDS,
};
