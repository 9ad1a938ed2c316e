/*
 * Which key to make: the rules between --kty, --curve and --size, the same for every command that
 * makes one (docs/reference/command-line.md, "Keys").
 */
#pragma once

#include "cli/cli.h"
#include "crypto/key.h"

/* What the user said.  NULL and size_given false: nothing. */
struct key_wish {
    const char *kty, *curve;
    bool size_given;
    int64_t size;
    bool insecure;        /* RSA below 2048 bits is meant */
    bool insecure_listed; /* the command has that flag, so that a message may name it */
};
/* EC P-256 unless something else is asked.  bits: of an RSA key, else 0. */
bool key_choice_of(const struct key_wish *wish, enum key_type *type, unsigned *bits,
                   struct err *e) CHECKED;
/* The same from the flags --kty, --curve and --size of the command. */
bool key_choice(struct invocation *inv, bool insecure, enum key_type *type, unsigned *bits,
                struct err *e) CHECKED;
/* P-256, P-384, P-521; KEY_NONE for another name. */
enum key_type key_choice_curve(const char *name);
