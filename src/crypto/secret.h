/*
 * Secrets: one locked heap (libcrypto's secure heap: mlock, no dump, guard pages) holds private
 * keys, passwords, PINs and HMAC keys.  struct slice is fine for them when its arena was made on
 * HEAP_SECRET: same types, other memory.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

/* First thing in main: makes the locked heap (1 MiB), turns core dumps off.  Where memory cannot
 * be locked (RLIMIT_MEMLOCK) the heap falls back to ordinary memory that is still wiped. */
void secret_init(void);
/* Falls back to the usual heap when the locked one is full or was never made; always wiped. */
extern const struct heap HEAP_SECRET;
/* Wiped, though not locked: for what may be larger than the locked heap. */
extern const struct heap HEAP_WIPED;
/* Constant time for equal lengths. */
bool secret_equal(struct slice a, struct slice b);
void secret_wipe(void *p, size_t n);
/* Whole password file, Unicode white space at the end removed; a FIFO or /dev/fd/N is fine.
 * The password lives in a (make it on HEAP_SECRET), the intermediate buffer is wiped. */
bool secret_read_file(struct arena *a, const char *path, struct slice *password,
                      struct err *e) CHECKED;
