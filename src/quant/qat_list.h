/* Every way in which a weight comes by its scale and integers: WEIGHT_METHOD_LIST(ROW) expands ROW(kind, structure)
 * once for each. Adding one: docs/adding.md. */
#ifndef RUNG_QAT_LIST_H
#define RUNG_QAT_LIST_H

#define WEIGHT_METHOD_LIST(ROW) ROW(RUNG_WEIGHTS_MAX, max_weights)

#endif
