/* The order of things: cycles, who needs whom. Pure; works on spec.services' indices. */
#ifndef ROADIE_STACK_GRAPH_H
#define ROADIE_STACK_GRAPH_H

#include "stack/spec.h"

/* Reports each dependency cycle once, as a path "a → b → a" at the line that closes it. */
void graph_check_cycles(const struct spec *spec, struct problems *problems);
/* Marks in include[service_count] everything that the marked services need, transitively; stops at
 * excluded services. */
void graph_close_over_needs(const struct spec *spec, bool *include);
/* Marks in include[service_count] everything that needs the marked services, transitively. */
void graph_close_over_dependents(const struct spec *spec, bool *include);
/* A topological order (dependencies first), stable by definition order; out has service_count places. */
void graph_start_order(const struct spec *spec, size_t *out);

#endif
