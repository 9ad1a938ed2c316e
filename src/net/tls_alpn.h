/*
 * A handshake that asks for one application protocol and looks at the certificate, whoever it is
 * from: what the tls-alpn-01 challenge needs (RFC 8737).
 */
#pragma once

#include "base/clock.h"
#include "base/ip.h"

/* Connects to address and port, TLS 1.2 or newer, SNI sni, ALPN alpn alone, no verification of any
 * kind; nothing is sent inside the connection.  leaf: the peer's certificate, DER, in a.
 * negotiated: the protocol in a, p == NULL when the peer chose none.
 * ERR_UNAVAILABLE: no TCP connection; ERR_MALFORMED: it stands, but the handshake failed;
 * ERR_NOT_IMPLEMENTED: the peer answered that it does not speak the protocol (alert 120,
 * RFC 7301 3.2); ERR_TIMEOUT. */
bool tls_alpn_peer(struct arena *a, const struct ip *address, uint16_t port, const char *sni,
                   const char *alpn, struct slice *leaf, struct slice *negotiated,
                   struct deadline d, struct err *e) CHECKED;
