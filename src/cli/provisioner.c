/*
 * `step ca provisioner`: what may ask the authority for certificates, listed and managed.
 */
#include "cli/provisioner_edit.h"

#define LIST_MAX (64u << 20)

/* --- list ---------------------------------------------------------------------------------------
 */

static int run_list(struct invocation *inv)
{
    struct json *list = json_make_list(inv->arena);
    struct buf b = buf_new(inv->arena, LIST_MAX);
    const struct json **found;
    struct ca ca;
    size_t n;

    if (!ca_cmd_connect(inv, &ca, NULL) || !ca_provisioners(&ca, inv->arena, &found, &n, &inv->err))
        return fail(inv);
    for (size_t i = 0; i < n; i++)
        json_append(list, json_copy(inv->arena, found[i]));
    json_print(&b, list, "   ");
    buf_byte(&b, '\n');
    if (!buf_done(&b, "the list of provisioners", &inv->err))
        return fail(inv);
    out_put(inv, buf_slice(&b));
    return 0;
}

static const struct flag *const CA_SETS[] = {FLAGS_CA, NULL};

static const struct command LIST = {
    .name = "list",
    .summary = "list the authority's provisioners",
    .synopsis = "",
    .description = "Prints the provisioners of the authority as a JSON list. What is secret is "
                   "not shown; a provisioner that cannot be used says why in 'stateReason'.",
    .examples = "Names and types:\n"
                "$ step ca provisioner list | jq -r '.[] | .name + \" \" + .type'",
    .flag_sets = CA_SETS,
    .run = run_list,
};

/* --- jwe-key ------------------------------------------------------------------------------------
 */

static int run_jwe_key(struct invocation *inv)
{
    struct slice jwe;
    struct ca ca;

    if (inv->args[0].n == 0)
        return fail_with(inv, "the key identifier must not be empty");
    if (!ca_cmd_connect(inv, &ca, NULL) ||
        !ca_encrypted_key(&ca, inv->arena, inv->args[0], &jwe, &inv->err))
        return fail(inv);
    out_line(inv, "%.*s", SLICE_ARG(jwe));
    return 0;
}

static const struct command JWE_KEY = {
    .name = "jwe-key",
    .summary = "print the encrypted private key of a JWK provisioner",
    .synopsis = "<kid>",
    .description = "Fetches the private key of a JWK provisioner, encrypted under the "
                   "provisioner's password, and prints it as a compact JWE.",
    .arguments = "kid\tThe identifier of the key; 'step ca provisioner list' shows it in 'key'.",
    .examples = "The key, decrypted with the provisioner's password:\n"
                "$ step ca provisioner jwe-key 1vKbCD… | step crypto jwe decrypt",
    .flag_sets = CA_SETS,
    .least = 1,
    .most = 1,
    .run = run_jwe_key,
};

/* --- remove
 * --------------------------------------------------------------------------------------- */

static int run_remove(struct invocation *inv)
{
    struct provisioner_file file;
    struct json *entry;

    if (!provisioner_file_open(inv, &file))
        return fail(inv);
    entry = provisioner_file_find(inv, &file, inv->args[0]);
    if (!entry)
        return fail(inv);
    json_remove_item(file.list, entry);
    return provisioner_file_save(inv, &file, NULL) ? 0 : fail(inv);
}

static const struct flag *const REMOVE_SETS[] = {FLAGS_CA_CONFIG, FLAGS_CA, NULL};

static const struct command REMOVE = {
    .name = "remove",
    .summary = "remove a provisioner from the authority's configuration",
    .synopsis = "<name>",
    .description = "Removes a provisioner from the configuration file of the authority, which has "
                   "to be told to read it again (signal SIGHUP) or restarted. Certificates that "
                   "it issued stay valid, but can no longer be renewed.",
    .arguments = "name\tThe name of the provisioner.",
    .examples = "$ step ca provisioner remove ops",
    .flag_sets = REMOVE_SETS,
    .least = 1,
    .most = 1,
    .run = run_remove,
};

static const struct command *const SUB[] = {
    &LIST,
    &JWE_KEY,
    &CMD_CA_PROVISIONER_ADD,
    &CMD_CA_PROVISIONER_UPDATE,
    &REMOVE,
    &CMD_CA_PROVISIONER_WEBHOOK,
    NULL,
};

const struct command CMD_CA_PROVISIONER = {
    .name = "provisioner",
    .summary = "list and manage what may ask the authority for certificates",
    .description = "A provisioner decides who gets certificates, and proves it: a JWK provisioner "
                   "with a key pair whose private half is kept encrypted under a password, an X5C "
                   "provisioner with certificates of another authority, an ACME provisioner with "
                   "challenges.",
    .sub = SUB,
};
