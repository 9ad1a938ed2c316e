/* A set of JWKs as JSON (RFC 7517 5): keys are told apart, not understood. */
#pragma once

#include "json/json.h"

/* Empty text is an empty set.  list is the member "keys" of whole.  name is for messages. */
bool keyset_read(struct arena *a, struct slice text, const char *name, struct json **whole,
                 struct json **list, struct err *e) CHECKED;
bool keyset_matches(const struct json *key, const char *kid);
/* All with that name; true when there were some. */
bool keyset_remove(struct json *list, const char *kid);
