/* A loaded definition back as key = value rows. Pure. */
#ifndef ROADIE_UI_CONFIG_ROWS_H
#define ROADIE_UI_CONFIG_ROWS_H

#include "stack/spec.h"

/* Called once a row; at has the row's own origin where it is known, else its section's. */
typedef void (*config_fn)(void *ctx, const char *key, const char *value, const struct origin *at);

void config_stack_rows(const struct spec *spec, config_fn fn, void *ctx);
void config_service_rows(const struct spec *spec, const struct spec_service *service, config_fn fn,
                         void *ctx);

#endif
