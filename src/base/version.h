/* What this build is. */
#pragma once

#include "base/arena.h"

/* "0.1.0" */
#define NEWEL_VERSION_TEXT NEWEL_VERSION
/* product "Newel CA" or "Newel CLI": "Newel CA/0.1.0 (linux/amd64)" */
char *version_line(struct arena *a, const char *product);
/* "Release Date: 2026-11-24 10:20 UTC" */
char *version_date(struct arena *a);
