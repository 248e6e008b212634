/* Pictures of who needs whom: a tree for people, mermaid and dot for documents. Pure. */
#ifndef ROADIE_UI_GRAPH_ART_H
#define ROADIE_UI_GRAPH_ART_H

#include "base/bytes.h"
#include "stack/spec.h"

/* All draw the services whose include[] is set. The tree starts at what nobody needs; what was already drawn
 * with its needs is drawn without them the next time, with an ellipsis. */
void graph_draw_tree(const struct spec *spec, const bool *include, bool colour, struct buf *out);
void graph_draw_mermaid(const struct spec *spec, const bool *include, struct buf *out);
void graph_draw_dot(const struct spec *spec, const bool *include, struct buf *out);
const char *need_condition_name(enum need_condition condition);

#endif
