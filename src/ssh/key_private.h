/* What the files of this folder share. */
#pragma once

#include "crypto/ssh_wire.h"
#include "ssh/key.h"

/* The fields that follow a type name. */
bool ssh_key_fields(struct arena *a, enum ssh_key_kind kind, struct slice *in, struct ssh_key *k,
                    struct err *e) CHECKED;
/* SSH_KEY_KINDS when it is none of ours. */
enum ssh_key_kind ssh_key_kind_named(struct slice name);
enum ssh_key_kind ssh_cert_kind_named(struct slice name);
/* The whole key again: type name and fields. */
void ssh_key_put_fields(struct buf *b, const struct ssh_key *k);
