/* What truststore*.c share. */
#pragma once

#include "cli/truststore.h"

/* Runs a program with words and what it reads, its output dropped; as root, through sudo when
 * needed, with `privileged`. */
bool store_run(const char *const *words, bool privileged, struct slice input,
               struct err *e) CHECKED;
/* Each changes one kind of store; *done counts those that were changed. */
bool store_system(struct invocation *inv, const struct truststore_change *change, unsigned *done);
bool store_java(struct invocation *inv, const struct truststore_change *change, unsigned *done);
bool store_nss(struct invocation *inv, const struct truststore_change *change, unsigned *done);
