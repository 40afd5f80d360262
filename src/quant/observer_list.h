/* Every observer: OBSERVER_LIST(ROW) expands ROW(kind, structure) once for each. Adding one: docs/adding.md. */
#ifndef RUNG_OBSERVER_LIST_H
#define RUNG_OBSERVER_LIST_H

#define OBSERVER_LIST(ROW)                                                                                             \
  ROW(RUNG_OBSERVER_MIN_MAX, min_max_observer)                                                                         \
  ROW(RUNG_OBSERVER_MOVING_AVERAGE, moving_average_observer)                                                           \
  ROW(RUNG_OBSERVER_PERCENTILE, percentile_observer)                                                                   \
  ROW(RUNG_OBSERVER_MSE, mse_observer)                                                                                 \
  ROW(RUNG_OBSERVER_ENTROPY, entropy_observer)

#endif
