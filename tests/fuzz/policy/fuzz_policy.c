/* Rules from the first half of the input, names from the second. */
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct slice rest = slice_of(data, size), rules;
    const struct policy *p = NULL;
    struct err e = {0};

    if (slice_split(&rest, '\n', &rules)) {
        const struct json *v = json_read(a, rules, &JSON_CONFIG, NULL, NULL);
        for (int use = POLICY_X509; v && use <= POLICY_SSH_HOST; use++) {
            if (!policy_read(a, v, (enum policy_use)use, "policy", &p, &e))
                continue;
            for (int kind = 0; kind < POLICY_KINDS; kind++) {
                bool ok = policy_check_name(a, p, (enum policy_kind)kind, rest, &e);
                (void)ok;
            }
            bool ssh = policy_check_ssh(a, p, &rest, 1, &e);
            (void)ssh;
        }
    }
    arena_free(a);
    return 0;
}
