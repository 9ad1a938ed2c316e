/* conformance FILE...: runs conformance files; the last line says "N passed, N failed". */
#include <stdio.h>

#include "template/conform.h"

int main(int argc, char **argv)
{
    struct conform_count all = {0}, one;
    bool good = argc > 1;

    if (!good)
        fprintf(stderr, "usage: %s FILE...\n", argv[0]);
    for (int i = 1; i < argc; i++) {
        good &= conform_file(argv[i], &one);
        all.passed += one.passed;
        all.failed += one.failed;
    }
    printf("%u passed, %u failed\n", all.passed, all.failed);
    return good && !all.failed ? 0 : 1;
}
