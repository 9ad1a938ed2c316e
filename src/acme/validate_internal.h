/* Private to the validations: how they are bounded and how they end. */
#pragma once

#include "acme/validate.h"

#define VALIDATION_NS (30 * NS_PER_SEC)

/* What the three functions have in common. */
typedef struct acme_result acme_validate_fn(struct arena *a, const struct acme_validation *v,
                                            const struct acme_validation_settings *s,
                                            struct deadline d);

/* The earlier of d and 30 s from now. */
struct deadline validation_deadline(const struct acme_validation_settings *s, struct deadline d);
/* What goes into a URL or a question: letters, digits, '-', '_' and '.', or an IP address when the
 * identifier is one. */
bool validation_name_ok(const struct acme_validation *v, struct ip *ip, struct err *e) CHECKED;
/* The name as the name service is asked: with a final dot when strict_fqdn says so. */
struct slice validation_rooted(struct arena *a, struct slice name, bool rooted);

struct acme_result validation_valid(void);
struct acme_result validation_result(struct arena *a, enum acme_verdict verdict,
                                     const char *problem, const char *fmt, ...) PRINTF(4, 5);
/* problem and e's text, as INVALID or RETRY. */
struct acme_result validation_failed(struct arena *a, enum acme_verdict verdict,
                                     const char *problem, const struct err *e);
