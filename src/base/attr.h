/* Function attributes that the whole house uses. */
#pragma once

#define CHECKED       __attribute__((warn_unused_result))
#define PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define NORETURN      __attribute__((noreturn))
#define UNUSED        __attribute__((unused))
#define CLEANUP(f)    __attribute__((cleanup(f)))
#define COUNT_OF(arr) (sizeof(arr) / sizeof((arr)[0]))
