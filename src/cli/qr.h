/* QR codes (ISO/IEC 18004) as PNG files and on terminals. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#define QR_PIXELS 200u
/* 200 × 200 pixels, black on white, as many pixels to a module as fit with the quiet zone. */
bool qr_png(struct arena *a, struct slice text, struct slice *png, struct err *e) CHECKED;
/* Lines of block characters: two modules, one above the other, to a character. */
bool qr_lines(struct arena *a, struct slice text, struct slice *lines, struct err *e) CHECKED;
