/* Numbers of PROTOCOL.krl. */
#pragma once

#define KRL_MAGIC  0x5353484b524c0a00u /* "SSHKRL\n\0" */
#define KRL_FORMAT 1u
#define KRL_MAX    (512u << 20)

enum krl_section {
    KRL_CERTIFICATES = 1,
    KRL_EXPLICIT_KEYS = 2,
    KRL_SHA1 = 3,
    KRL_SIGNATURE = 4,
    KRL_SHA256 = 5,
    KRL_EXTENSION = 255
};
enum krl_certificates {
    KRL_SERIALS = 0x20,
    KRL_RANGE = 0x21,
    KRL_BITMAP = 0x22,
    KRL_KEY_IDS = 0x23,
    KRL_CERT_EXTENSION = 0x39
};
