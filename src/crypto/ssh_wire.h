/* RFC 4251 5: what keys, certificates, revocation lists and agent messages of OpenSSH are made of.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

/* Each takes what it reads off *in; false (and *in as it was) when it is not there. */
bool ssh_take_byte(struct slice *in, uint8_t *v) CHECKED;
bool ssh_take_u32(struct slice *in, uint32_t *v) CHECKED;
bool ssh_take_u64(struct slice *in, uint64_t *v) CHECKED;
bool ssh_take_string(struct slice *in, struct slice *s) CHECKED;
/* Not negative, in its shortest form; without the zero that may stand first. */
bool ssh_take_mpint(struct slice *in, struct slice *number) CHECKED;

void ssh_put_string(struct buf *b, struct slice s);
/* Big-endian; zeros in front are dropped. */
void ssh_put_mpint(struct buf *b, struct slice number);
/* A string whose content is written between the two calls. */
size_t ssh_open_string(struct buf *b);
void ssh_close_string(struct buf *b, size_t at);
