/* Rules of the linter: shared by lint*.c only. */
#pragma once

#include "x509/show.h"

struct lint_rule {
    enum lint_level level;
    const char *rule, *text;
    bool (*broken)(const struct cert *c);
};
extern const struct lint_rule LINT_NAME_RULES[];
extern const size_t LINT_NAME_RULES_N;
