/* Conformance files: a JSON list of {group, template, data, output | error, message?}, run case by
 * case (docs/reference/templates.md). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct conform_count {
    unsigned passed, failed;
};
/* Each failing case is printed on standard output.  False when the file cannot be read. */
bool conform_file(const char *path, struct conform_count *count);
