/* Password hashes as text: strict, and never more expensive than this machine can bear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"
#include "cli/phc.h"

#define SALT "AAECAwQFBgcICQoLDA0ODw" /* bytes 0 to 15 */
#define HASH "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"

static void hashes_of_others_are_read(void **state)
{
    static const struct {
        const char *text;
        enum phc_alg alg;
        uint32_t ln, r, p, t, m, version, cost;
    } CASES[] = {
        {"$scrypt$ln=15,r=8,p=1$" SALT "$" HASH, PHC_SCRYPT, 15, 8, 1, 0, 0, 0, 0},
        {"$scrypt$p=2,ln=1$" SALT "$" HASH, PHC_SCRYPT, 1, 8, 2, 0, 0, 0, 0},
        {"$scrypt$" SALT "$" HASH, PHC_SCRYPT, 16, 8, 1, 0, 0, 0, 0},
        {"$argon2id$v=19$m=65536,t=1,p=4$" SALT "$" HASH, PHC_ARGON2ID, 0, 0, 4, 1, 65536, 19, 0},
        {"$argon2i$m=32768,t=3,p=4$" SALT "$" HASH, PHC_ARGON2I, 0, 0, 4, 3, 32768, 0, 0},
        {"$argon2i$v=19$" SALT "$" HASH, PHC_ARGON2I, 0, 0, 1, 3, 12, 19, 0},
        {"$argon2id$m=16777216,t=128,p=32$" SALT "$" HASH, PHC_ARGON2ID, 0, 0, 32, 128, 16777216, 0,
         0},
        {"$2a$10$EjgjuVb0Yfcv.ac4B6CQ3uXvLeR9nKiQbg1xR4EJUYLyC3LXWkQtm", PHC_BCRYPT, 0, 0, 0, 0, 0,
         0, 10},
        {"$2b$04$EjgjuVb0Yfcv.ac4B6CQ3uXvLeR9nKiQbg1xR4EJUYLyC3LXWkQtm", PHC_BCRYPT, 0, 0, 0, 0, 0,
         0, 4},
        {"$2y$20$EjgjuVb0Yfcv.ac4B6CQ3uXvLeR9nKiQbg1xR4EJUYLyC3LXWkQtm", PHC_BCRYPT, 0, 0, 0, 0, 0,
         0, 20},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        struct phc p;
        if (!phc_read(a, slice_text(CASES[i].text), &p, &e))
            fail_msg("%s: %s", CASES[i].text, e.text);
        assert_int_equal(p.alg, CASES[i].alg);
        assert_int_equal(p.ln, CASES[i].ln);
        assert_int_equal(p.r, CASES[i].r);
        assert_int_equal(p.p, CASES[i].p);
        assert_int_equal(p.t, CASES[i].t);
        assert_int_equal(p.m, CASES[i].m);
        assert_int_equal(p.version, CASES[i].version);
        assert_int_equal(p.cost, CASES[i].cost);
        if (p.alg == PHC_BCRYPT)
            continue;
        assert_int_equal(p.salt.n, 16);
        assert_int_equal(p.hash.n, 32);
        assert_int_equal(p.hash.p[31], 0x3f);
    }
    arena_free(a);
}

static void what_is_wrong_or_too_expensive_is_refused(void **state)
{
    static const struct {
        const char *text, *error;
    } CASES[] = {
        {"", "cannot decode password hash"},
        {"foo", "cannot decode password hash"},
        {"$", "cannot decode password hash"},
        {"$scrypt", "cannot decode password hash"},
        {"$scrypt$", "cannot decode password hash"},
        {"$scrypt$ln=15$" SALT, "cannot decode password hash"},
        {"$scrypt$ln=15$" SALT "$" HASH "$", "cannot decode password hash"},
        {"$scrypt$ln=15$" SALT "$" HASH "$x", "cannot decode password hash"},
        {"$scrypt$v=19$ln=15$" SALT "$" HASH, "invalid scrypt version"},
        {"$foo$ln=15$" SALT "$" HASH, "unknown algorithm 'foo'"},
        {"$bcrypt$" SALT "$" HASH, "unknown algorithm 'bcrypt'"},
        {"$scrypt$ln=0$" SALT "$" HASH, "invalid scrypt parameter ln"},
        {"$scrypt$ln=21$" SALT "$" HASH, "invalid scrypt parameter ln"},
        {"$scrypt$ln=99999999999999999999$" SALT "$" HASH, "invalid scrypt parameter ln"},
        {"$scrypt$ln=05$" SALT "$" HASH, "invalid scrypt parameter ln"},
        {"$scrypt$ln=$" SALT "$" HASH, "invalid scrypt parameter ln"},
        {"$scrypt$ln=-1$" SALT "$" HASH, "invalid scrypt parameter ln"},
        {"$scrypt$ln=15,ln=15$" SALT "$" HASH, "invalid scrypt parameter 'ln=15'"},
        {"$scrypt$ln=15,$" SALT "$" HASH, "invalid scrypt parameter ''"},
        {"$scrypt$r=33$" SALT "$" HASH, "invalid scrypt parameter r"},
        {"$scrypt$p=33$" SALT "$" HASH, "invalid scrypt parameter p"},
        {"$scrypt$m=8$" SALT "$" HASH, "invalid scrypt parameter 'm=8'"},
        {"$argon2id$v=16$m=8,t=1,p=1$" SALT "$" HASH, "invalid argon2id version 'v=16'"},
        {"$argon2id$v=19$m=16777217,t=1,p=1$" SALT "$" HASH, "invalid argon2id parameter m"},
        {"$argon2id$v=19$m=8,t=129,p=1$" SALT "$" HASH, "invalid argon2id parameter t"},
        {"$argon2id$v=19$m=8,t=1,p=33$" SALT "$" HASH, "invalid argon2id parameter p"},
        {"$argon2d$v=19$m=8,t=1,p=1$" SALT "$" HASH, "unknown algorithm 'argon2d'"},
        {"$scrypt$ln=15$" SALT "==$" HASH, "the salt is not base64 without padding"},
        {"$scrypt$ln=15$" SALT "$" HASH "=", "the hash is not base64 without padding"},
        {"$scrypt$ln=15$AAAA$" HASH, "a salt of 3 bytes, expected 8 to 512"},
        {"$scrypt$ln=15$" SALT "$AAAA", "a hash of 3 bytes, expected 8 to 512"},
        {"$2", "a kind that we do not know"},
        {"$2a$", "expected 60 characters of bcrypt"},
        {"$2x$10$EjgjuVb0Yfcv.ac4B6CQ3uXvLeR9nKiQbg1xR4EJUYLyC3LXWkQtm",
         "a kind that we do not know"},
        {"$2a$03$EjgjuVb0Yfcv.ac4B6CQ3uXvLeR9nKiQbg1xR4EJUYLyC3LXWkQtm", "invalid bcrypt cost 3"},
        {"$2a$21$EjgjuVb0Yfcv.ac4B6CQ3uXvLeR9nKiQbg1xR4EJUYLyC3LXWkQtm", "invalid bcrypt cost 21"},
        {"$2a$1x$EjgjuVb0Yfcv.ac4B6CQ3uXvLeR9nKiQbg1xR4EJUYLyC3LXWkQtm",
         "expected 60 characters of bcrypt"},
        {"$2a$10$EjgjuVb0Yfcv:ac4B6CQ3uXvLeR9nKiQbg1xR4EJUYLyC3LXWkQtm", "not bcrypt's base64"},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        struct phc p;
        if (phc_read(a, slice_text(CASES[i].text), &p, &e))
            fail_msg("%s was read", CASES[i].text);
        if (!strstr(e.text, CASES[i].error))
            fail_msg("%s: %s, expected %s", CASES[i].text, e.text, CASES[i].error);
    }
    arena_free(a);
}

static void what_we_write_is_read_back(void **state)
{
    static const char *const TEXTS[] = {"$scrypt$ln=15,r=8,p=1$" SALT "$" HASH,
                                        "$argon2i$v=19$m=32768,t=3,p=4$" SALT "$" HASH,
                                        "$argon2id$v=19$m=65536,t=1,p=4$" SALT "$" HASH};
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        struct err e = {0};
        struct phc p;
        assert_true(phc_read(a, slice_text(TEXTS[i]), &p, &e));
        assert_true(slice_is(phc_text(a, &p), TEXTS[i]));
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_others_are_read),
        cmocka_unit_test(what_is_wrong_or_too_expensive_is_refused),
        cmocka_unit_test(what_we_write_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
