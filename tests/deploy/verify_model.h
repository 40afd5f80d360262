/* What the tests of verifying share. */
#ifndef TESTS_VERIFY_MODEL_H
#define TESTS_VERIFY_MODEL_H

#include "deploy_model.h"

#define ALL           (~0u)
#define OF(execution) (1u << RUNG_EXECUTION_##execution)
#define WITHOUT_PEERS (OF(FLOAT) | OF(SIMULATED) | OF(EVALUATION) | OF(TRAINING) | OF(PROGRAM))

static inline rung_verification *verify(rung_model *model, const rung_dataset *data,
                                        const rung_verify_options *options) {
  rung_verification *verification = rung_verify(model, data, options);
  ck_assert_msg(verification != NULL, "%s", rung_error());
  return verification;
}

static inline rung_verification *verify_these(rung_model *model, const rung_dataset *data, unsigned executions) {
  return verify(model, data, &(rung_verify_options){.executions = executions});
}

static const rung_scheme schemes[] = {
    {0},
    {.weight_bits = 4, .activation_bits = 4},
    {.weight_bits = 1},
    {.weight_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 16},
    {.activation_signed = true},
    {.weight_bits = 3, .activation_bits = 5, .activation_signed = true, .activation_symmetric = true},
    {.weight_bits = 2, .activation_bits = 2, .ranges = RUNG_RANGES_CURRENT},
    {.backward = RUNG_BACKWARD_INT8, .observer = {.kind = RUNG_OBSERVER_ENTROPY}},
};

static inline void expect_exact(const rung_verification *verification, rung_execution execution, int64_t examples) {
  const rung_execution_summary summary = rung_verification_summary(verification, execution);
  ck_assert_msg(summary.outcome == RUNG_OUTCOME_RAN, "%s: %s", rung_execution_name(execution), summary.reason);
  ck_assert_int_eq(summary.differ, 0);
  ck_assert_int_eq(summary.largest, 0);
  ck_assert_int_eq(summary.differ_logits, 0);
  ck_assert_int_eq(summary.agree, examples);
  rung_difference first;
  ck_assert(!rung_verification_first(verification, execution, RUNG_EXECUTION_PROGRAM, &first));
}

/* What the first layer's accumulator is for a picture, the multiplier and so on, by plain loops over the layer's own
 * numbers. */
static inline void expect_by_hand(const rung_program *program, const rung_dataset *data, const rung_difference *first) {
  const rung_integer_layer *layer = &program->layer[0].instruction.integers;
  const uint8_t *pixel = (const uint8_t *)data->inputs.data + first->example * 784;
  int64_t accumulator = layer->bias[first->index];
  for (int k = 0; k < 784; k++) accumulator += (int64_t)pixel[k] * layer->weight[first->index * 784 + k];
  ck_assert_int_eq(first->accumulator, accumulator);
  ck_assert_int_eq(first->multiplier, layer->multiplier[first->index]);
  ck_assert_int_eq(first->shift, layer->shift[first->index]);
  const double exact = (double)accumulator * ldexp(layer->multiplier[first->index], -layer->shift[first->index]);
  ck_assert_double_eq_tol(first->exact, exact + layer->output_zero_point, 1e-9);
  const double rounded = fmin(fmax(floor(exact + 0.5) + layer->output_zero_point, layer->qmin), layer->qmax);
  ck_assert_int_eq(first->expected, (int32_t)rounded);
}

static inline void expect_says(const char *text, const char *what) {
  ck_assert_msg(strstr(text, what) != NULL, "'%s' is not in:\n%s", what, text);
}

#endif
