/* The emitted C. */
#include "verify.h"

static rung_status open_emitted(verify_execution *execution) {
  return execution_give_up(execution, RUNG_OUTCOME_NOT_AVAILABLE, "this build has no C emitter");
}

const execution_kind execution_emitted = {.name = "emitted", .exact = true, .open = open_emitted};
