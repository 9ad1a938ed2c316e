/* The reader of bbolt files. */
#pragma once

#include "store/legacy.h"

struct bbolt;
struct bbolt *bbolt_open(const struct legacy_place *p, struct err *e) CHECKED;
void bbolt_close(struct bbolt *b);
bool bbolt_visit(struct bbolt *b, legacy_row_fn *visit, void *arg, struct err *e) CHECKED;
/* What tells one state of the file from another: both meta pages. */
bool bbolt_state(const char *path, struct arena *a, struct slice *state, struct err *e) CHECKED;
