/* Pruning, copying and distilling, with each allocation failing once. */
#include "network.h"

static const rung_prune_options prunings[] = {{.sparsity = 0.5f},
                                              {.method = RUNG_PRUNE_PER_LAYER, .sparsity = 0.5f},
                                              {.method = RUNG_PRUNE_N_M},
                                              {.method = RUNG_PRUNE_NEURONS, .sparsity = 0.4f},
                                              {.method = RUNG_PRUNE_NEURONS_PER_LAYER, .sparsity = 0.4f}};

static void *prepare_float(int variant, int threads) {
  return network_prepare(variant, threads);
}

static rung_status prune(void *state, uint64_t *result) {
  network *net = state;
  rung_status status = rung_prune(net->model, &prunings[net->variant]);
  if (status == RUNG_OK) *result = rung_model_hash(net->model);
  return status;
}

START_TEST(pruning) {
  for (int variant = 0; variant < RUNG_PRUNE_METHOD_COUNT; variant++)
    fail_each_allocation(&(scenario){"prune", prepare_float, prune, network_finish, false}, variant, 1 + _i);
}
END_TEST

/* Fitted, and every second one calibrated. */
static void *prepare_pruned(int variant, int threads) {
  network *net = variant % 2
                     ? network_calibrated(variant, threads, &(rung_scheme){.weight_bits = 4, .activation_bits = 4})
                     : network_prepare(variant, threads);
  ENSURE(rung_prune(net->model, &prunings[variant < 2 ? 0 : RUNG_PRUNE_NEURONS]) == RUNG_OK);
  return net;
}

static rung_status take(rung_model *model, uint64_t *result) {
  if (!model) return rung_error_status();
  *result = rung_model_hash(model);
  rung_model_free(model);
  return RUNG_OK;
}

static rung_status copy(void *state, uint64_t *result) {
  return take(rung_model_copy(((network *)state)->model, NULL), result);
}

static rung_status remove_pruned(void *state, uint64_t *result) {
  return take(rung_model_without_pruned(((network *)state)->model, NULL), result);
}

START_TEST(copying) {
  for (int variant = 0; variant < 4; variant++) {
    fail_each_allocation(&(scenario){"copy", prepare_pruned, copy, network_finish, false}, variant, 1 + _i);
    fail_each_allocation(&(scenario){"without pruned", prepare_pruned, remove_pruned, network_finish, false}, variant,
                         1 + _i);
  }
}
END_TEST

static rung_model *teacher;

static rung_status fit(void *state, uint64_t *result) {
  network *net = state;
  rung_status status =
      rung_fit(net->model, net->data,
               &(rung_fit_options){
                   .epochs = 2, .prune = {.to = prunings[net->variant], .steps = 4, .every = 2}, .teacher = teacher});
  if (status == RUNG_OK) *result = rung_model_hash(net->model);
  return status;
}

START_TEST(fitting) {
  teacher = network_new(1);
  for (int variant = 0; variant < RUNG_PRUNE_METHOD_COUNT; variant++)
    fail_each_allocation(&(scenario){"fit, pruned and taught", prepare_float, fit, network_finish, false}, variant,
                         1 + _i);
  rung_model_free(teacher);
}
END_TEST

static rung_status save(void *state, uint64_t *result) {
  (void)result;
  return rung_model_save(((network *)state)->model, scratch_path(SCENARIO_FILE));
}

static char saved_path[1024];

static rung_status restore(void *state, uint64_t *result) {
  network *net = state;
  rung_status status = rung_model_restore(net->model, saved_path);
  if (status == RUNG_OK) *result = rung_model_hash(net->model) + (uint64_t)rung_model_pruned(net->model, NULL);
  return status;
}

START_TEST(checkpoints) {
  network *net = prepare_pruned(1, 1);
  snprintf(saved_path, sizeof saved_path, "%s", scratch_path("t.model"));
  const rung_status status = rung_model_save(net->model, saved_path);
  network_finish(net);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip("no cJSON");
  ENSURE(status == RUNG_OK);
  fail_each_allocation(&(scenario){"save pruned", prepare_pruned, save, network_finish, false}, 3, 1);
  fail_each_allocation(&(scenario){"restore pruned", prepare_float, restore, network_finish, false}, 0, 1);
}
END_TEST

TEST_MAIN(CASES(pruning, 2), CASES(copying, 2), CASES(fitting, 2), CASE(checkpoints))
