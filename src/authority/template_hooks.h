/* What functions of templates that are off by default need from outside of the language
 * (docs/reference/templates.md "Functions that are off"): name lookups and certificates. */
#pragma once

#include "template/template.h"

extern const struct template_hooks TEMPLATE_HOOKS;
