/* What this build is: the product, the machine it was made for, its date. */
#include "base/version.h"

/* A constant and not __DATE__: the same source gives the same bytes. */
#ifndef NEWEL_RELEASE_DATE
#define NEWEL_RELEASE_DATE "2026-11-24 00:00 UTC"
#endif

/* The names of Go's GOOS and GOARCH, which is what scripts around the reference expect. */
#if defined(__linux__)
#define OS "linux"
#elif defined(__FreeBSD__)
#define OS "freebsd"
#elif defined(__OpenBSD__)
#define OS "openbsd"
#else
#define OS "unknown"
#endif

#if defined(__x86_64__)
#define ARCH "amd64"
#elif defined(__aarch64__)
#define ARCH "arm64"
#elif defined(__arm__)
#define ARCH "arm"
#elif defined(__i386__)
#define ARCH "386"
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH "riscv64"
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCH "ppc64le"
#elif defined(__powerpc64__)
#define ARCH "ppc64"
#elif defined(__s390x__)
#define ARCH "s390x"
#elif defined(__loongarch64)
#define ARCH "loong64"
#elif defined(__mips64) && defined(__MIPSEL__)
#define ARCH "mips64le"
#else
#define ARCH "unknown"
#endif

char *version_line(struct arena *a, const char *product)
{
    return arena_printf(a, "%s/%s (%s/%s)", product, NEWEL_VERSION_TEXT, OS, ARCH);
}

char *version_date(struct arena *a)
{
    return arena_printf(a, "Release Date: %s", NEWEL_RELEASE_DATE);
}
