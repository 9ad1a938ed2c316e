/* What people and scripts look at: `certificate inspect` in text, short and JSON form, and a
 * linter for RFC 5280. */
#pragma once

#include "x509/crl.h"
#include "x509/csr.h"

void cert_show_text(struct buf *b, const struct cert *c); /* docs/reference/inspect.md */
void cert_show_short(struct buf *b, const struct cert *c);
void cert_show_json(struct buf *b, const struct cert *c, const char *indent);
void csr_show_text(struct buf *b, const struct csr *c);
void csr_show_short(struct buf *b, const struct csr *c);
void csr_show_json(struct buf *b, const struct csr *c, const char *indent);
/* `crl inspect`: reason is NULL for a valid list, else why it is not. */
void crl_show_text(struct buf *b, const struct crl *crl, const char *reason);
void crl_show_json(struct buf *b, const struct crl *crl, const char *reason, const char *indent);
/* Go-style name of a signature algorithm: "ECDSA-SHA256", "SHA256-RSAPSS"; NULL when unknown. */
const char *sig_alg_name(struct sig_alg alg);

enum lint_level { LINT_ERROR, LINT_WARNING, LINT_NOTICE };
typedef void lint_fn(void *arg, enum lint_level level, const char *rule, const char *text);
/* Calls found() for each finding; returns the number of errors. */
unsigned cert_lint(const struct cert *c, lint_fn *found, void *arg);
