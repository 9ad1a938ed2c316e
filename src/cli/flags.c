/*
 * Flags that many commands share, each text written once.  A command lists the sets it understands
 * (struct command, flag_sets) besides its own array.
 */
#include "cli/internal.h"

const struct flag FLAGS_EVERYWHERE[] = {
    {"help,h", FLAG_BOOL, NULL, "Show help and exit.", NULL, FLAG_NO_ENV | FLAG_HIDDEN},
    {"non-interactive", FLAG_BOOL, NULL, "Never ask: a missing value is an error.", NULL,
     FLAG_HIDDEN},
    {0}};

const struct flag FLAGS_GLOBAL[] = {
    {"config", FLAG_FILE, "<file>",
     "Read defaults of flags from this <file> instead of the step path's config/defaults.json. "
     "Not used while a context is selected.",
     NULL, FLAG_NO_ENV},
    {"non-interactive", FLAG_BOOL, NULL,
     "Never ask a question: a missing value is an error that names the flag to give. The variable "
     "STEP_NON_INTERACTIVE does the same.",
     NULL, 0},
    {"help,h", FLAG_BOOL, NULL, "Show help and exit.", NULL, FLAG_NO_ENV},
    {"version,v", FLAG_BOOL, NULL, "Show the version and exit.", NULL, FLAG_NO_ENV},
    {0}};

#define CONTEXT_FLAG                                                                               \
    {                                                                                              \
        "context", FLAG_TEXT, "<name>",                                                            \
            "The <name> of the context to use for this command instead of the selected one.",      \
            NULL, FLAG_NO_DEFAULTS                                                                 \
    }

#define PASSWORD_FLAG                                                                              \
    {                                                                                              \
        "password-file", FLAG_FILE, "<file>",                                                      \
            "The <file> with the password that encrypts or decrypts the private key.", NULL, 0     \
    }

const struct flag FLAGS_CONTEXT[] = {CONTEXT_FLAG, {0}};

const struct flag FLAGS_CA[] = {
    {"ca-url", FLAG_TEXT, "<uri>", "The <uri> of the certificate authority.", NULL, 0},
    {"root", FLAG_FILE, "<file>",
     "The PEM <file> with the root certificates that the connection to the authority is checked "
     "against. Default: certs/root_ca.crt in the step path.",
     NULL, 0},
    CONTEXT_FLAG,
    {"timeout", FLAG_DURATION, "<duration>",
     "How long one request may take, such as \"30s\" or \"2m\".", "1m", 0},
    {0}};

const struct flag FLAGS_FORCE[] = {
    {"force,f", FLAG_BOOL, NULL, "Overwrite existing files without asking.", NULL, 0}, {0}};

const struct flag FLAGS_KEY[] = {
    {"kty", FLAG_TEXT, "<type>", "The <type> of key to create: EC (the default), OKP or RSA.", NULL,
     0},
    {"size", FLAG_INT, "<bits>", "The size of an RSA key in <bits>: 2048 (the default) or more.",
     NULL, 0},
    {"curve,crv", FLAG_TEXT, "<curve>",
     "The <curve> of an EC or OKP key: P-256 (the default for EC), P-384, P-521, or Ed25519 (OKP).",
     NULL, 0},
    {0}};

const struct flag FLAGS_OFFLINE[] = {
    {"offline", FLAG_BOOL, NULL,
     "Act as the authority in this process, with its configuration, keys and database; no server "
     "is contacted.",
     NULL, 0},
    {"ca-config", FLAG_FILE, "<file>",
     "The authority's configuration <file> for --offline. Default: config/ca.json in the step "
     "path.",
     NULL, 0},
    {0}};

const struct flag FLAGS_TEMPLATE[] = {
    {"set", FLAG_TEXTS, "<key=value>",
     "Template data: sets <key=value>, where a value that is JSON counts as JSON. Can be given "
     "several times.",
     NULL, 0},
    {"set-file", FLAG_FILE, "<file>", "The JSON <file> with template data.", NULL, 0},
    {0}};

const struct flag FLAGS_X5C[] = {
    {"x5c-cert", FLAG_FILE, "<chain>",
     "The certificate <chain> (leaf first) that goes into the token of an X5C provisioner.", NULL,
     0},
    {"x5c-key", FLAG_FILE, "<file>", "The private key <file> that belongs to --x5c-cert.", NULL, 0},
    {"x5c-chain", FLAG_TEXTS, "<file>",
     "A further certificate <file> of the chain. Can be given several times.", NULL, 0},
    {"x5c-insecure", FLAG_BOOL, NULL,
     "Put the chain into the header x5cInsecure, for programs that do not check x5c.", NULL, 0},
    {0}};

const struct flag FLAGS_LOGIN[] = {
    {"console", FLAG_BOOL, NULL,
     "Log in for an OIDC provisioner on another device instead of in a browser here.", NULL, 0},
    {0}};

const struct flag FLAGS_PASSWORD[] = {PASSWORD_FLAG, {0}};

const struct flag FLAGS_PROVISIONER[] = {
    {"provisioner,issuer", FLAG_TEXT, "<name>", "The <name> of the provisioner to use.", NULL, 0},
    {"provisioner-password-file", FLAG_FILE, "<file>",
     "The <file> with the password that decrypts the provisioner's key.", NULL, 0},
    PASSWORD_FLAG,
    {0}};

const struct flag FLAGS_VALIDITY[] = {
    {"not-before", FLAG_TIME, "<time|duration>",
     "When validity begins: an RFC 3339 time, or a duration from now such as \"-1m\".", NULL, 0},
    {"not-after", FLAG_TIME, "<time|duration>",
     "When validity ends: an RFC 3339 time, or a duration from now such as \"24h\".", NULL, 0},
    {0}};

const struct flag FLAGS_INSECURE[] = {{"insecure", FLAG_BOOL, NULL,
                                       "Confirm that an unsafe choice is meant.", NULL,
                                       FLAG_HIDDEN | FLAG_NO_DEFAULTS},
                                      {0}};
