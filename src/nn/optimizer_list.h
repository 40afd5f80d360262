/* Every optimizer: OPTIMIZER_LIST(ROW) expands ROW(kind, structure) once for each. Adding one: docs/adding.md. */
#ifndef RUNG_OPTIMIZER_LIST_H
#define RUNG_OPTIMIZER_LIST_H

#define OPTIMIZER_LIST(ROW)                                                                                            \
  ROW(RUNG_OPTIMIZER_ADAM, adam_optimizer)                                                                             \
  ROW(RUNG_OPTIMIZER_ADAMW, adamw_optimizer)                                                                           \
  ROW(RUNG_OPTIMIZER_SGD, sgd_optimizer)                                                                               \
  ROW(RUNG_OPTIMIZER_ADAM8BIT, adam8bit_optimizer)

#endif
