/*
 * Key files as commands read and write them: one reader for every format that a key comes in, and
 * the password that a new file gets.
 *
 * Functions that return bool leave their error in inv->err.
 */
#pragma once

#include "cli/cli.h"
#include "crypto/keyfile.h"
#include "jose/jwk.h"

#define KEY_TEXT_MAX (1u << 20)

enum key_origin { ORIGIN_PEM, ORIGIN_OPENSSH_LINE, ORIGIN_JOSE, ORIGIN_DER };
struct key_file {
    enum key_origin origin;
    bool openssh;               /* a PEM file of OpenSSH */
    const struct key *key;      /* NULL: oct */
    struct private_key *secret; /* NULL: a public key */
    struct jwk jwk;             /* ORIGIN_JOSE */
};

/* Text of a key file, and its name for messages: path NULL or "-" is standard input. */
bool key_text_load(struct invocation *inv, const char *path, struct slice *text, const char **name);
/* A key of any kind: PEM (one block), an OpenSSH public line, JWK, JWE, DER.  Its password comes
 * from the file that the flag names (NULL: no flag), else from a prompt. */
bool key_file_read(struct invocation *inv, struct slice text, const char *name, const char *flag,
                   struct key_file *file);
/* Both. */
bool key_file_load(struct invocation *inv, const char *path, const char *flag,
                   struct key_file *file);

/* Password for what is about to be written: none with --no-password, the flag's file, else a prompt
 * that insists.  what: "the private key". */
bool key_new_password(struct invocation *inv, const char *flag, const char *what,
                      struct slice *password);
/* PEM, encrypted unless the password is empty (then in that form). */
bool key_pem(struct arena *a, const struct private_key *key, struct slice password,
             enum key_encoding plain, struct slice *pem, struct err *e) CHECKED;

/* positional arguments <A> and <B> cannot be equal in '…' */
bool arguments_differ(struct invocation *inv, int first, const char *first_name, int second,
                      const char *second_name);
/* 'step … cmd <a> <b>': the command with its positional arguments. */
const char *arguments_usage(const struct invocation *inv);
