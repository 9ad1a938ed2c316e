/* The reader of Badger directories. */
#pragma once

#include "store/legacy.h"

struct badger;
bool badger_exists(const char *dir);
struct badger *badger_open(const struct legacy_place *p, struct err *e) CHECKED;
void badger_close(struct badger *b);
const char *badger_format(const struct badger *b);
bool badger_visit(struct badger *b, legacy_row_fn *visit, void *arg, struct err *e) CHECKED;
/* What tells one state of the directory from another: the manifest, and which files there are. */
bool badger_state(const struct legacy_place *p, struct arena *a, struct slice *state,
                  struct err *e) CHECKED;
