/* ONNX Runtime. */
#include "verify.h"

static rung_status open_onnx(verify_execution *execution) {
  return execution_give_up(execution, RUNG_OUTCOME_NOT_AVAILABLE, "this build writes no ONNX");
}

const execution_kind execution_onnx = {.name = "onnx", .simulates = true, .open = open_onnx};
