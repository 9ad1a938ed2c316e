/*
 * Errors: a kind, a message and the context that callers put in front.  Functions that can fail
 * return bool (or a pointer) and fill their last argument.  No allocation: an error can be told
 * when nothing else works.
 */
#pragma once

#include "base/attr.h"
#include "base/slice.h"

enum err_kind {
    ERR_NONE,
    ERR_MALFORMED,    /* bytes or values that are not acceptable (vague, see err_classify) */
    ERR_UNAUTHORIZED, /* who asks is not known well enough */
    ERR_FORBIDDEN,    /* known, but may not */
    ERR_NOT_FOUND,
    ERR_EXISTS,
    ERR_CHANGED, /* a lost race: the caller may run again */
    ERR_TOO_LARGE,
    ERR_RATE,
    ERR_NOT_IMPLEMENTED,
    ERR_UNAVAILABLE, /* try again later */
    ERR_TIMEOUT,
    ERR_INTERNAL, /* everything else (vague, see err_classify) */
    ERR_KINDS
};

struct err_note {
    struct err_note *next;
    struct slice name, text;
};

struct err {
    enum err_kind kind;
    const char *code;       /* a module's own name for it ("badNonce"); static text or NULL */
    bool tell;              /* the requester may read the text although the kind hides it */
    struct err_note *notes; /* arena list: ACME sub-problems, a webhook's code and message */
    char text[480];         /* "outer: inner", cut at the end with "..." when full */
};

/* Returns false, so that "return err_set(e, ERR_FORBIDDEN, …);" works.  Replaces what is there.
 * e may be NULL everywhere: nobody wants to know.  Control characters of the formatted text are
 * replaced by '?', so that an error is always one line. */
bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);
/* Puts "context: " in front; never changes the kind.  Returns false. */
bool err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);
/* MALFORMED and INTERNAL take the new kind; every other kind stays: the inner class wins.  A DER
 * reader cannot know whether its bytes came from a client, a token or a file.  Returns false. */
bool err_classify(struct err *e, enum err_kind kind);
/* Adds ": strerror(errno_value)" text. Kind by errno: ENOENT NOT_FOUND, EACCES/EPERM FORBIDDEN,
 * EEXIST EXISTS, else INTERNAL.  Form: "op path failed: no such file or directory". */
bool err_errno(struct err *e, int errno_value, const char *op, const char *path);
void err_clear(struct err *e);
/* Copies from to to. */
void err_move(struct err *to, const struct err *from);

/* HTTP status of a kind (docs/errors.md): 400, 401, 403, 404, 409, 409, 413, 429, 501, 503, 503,
 * 500; ERR_NONE 200. */
int err_status(enum err_kind kind);
/* The kind with that status: how a remote CA's answer comes back. */
enum err_kind err_kind_of_status(int status);
const char *err_kind_name(enum err_kind kind);
