/* Running a program: against plain loops, in blocks of any size, within its scratch, from many threads. */
#include "deploy_model.h"

static const rung_scheme schemes[] = {{0},
                                      {.weight_bits = 4, .activation_bits = 4, .activation_signed = true},
                                      {.weight_bits = 1, .activation_bits = 2},
                                      {.weight_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 20}};

/* One layer on one example, in 64 bits (eq. 8 and 9). */
static void plain_layer(const rung_integer_layer *layer, const int32_t *x, int32_t *y) {
  int64_t length = layer->group ? layer->group : layer->in;
  for (int64_t j = 0; j < layer->out; j++) {
    int64_t sum = layer->group ? layer->bias64[j] : 0;
    for (int64_t g = 0; g < layer->groups; g++) {
      int64_t acc = layer->bias[j * layer->groups + g];
      for (int64_t k = g * length; k < layer->in && k < (g + 1) * length; k++)
        acc += x[k] * layer->weight[j * layer->in + k];
      sum += acc * layer->multiplier[j * layer->groups + g];
    }
    int64_t r = (sum + ((int64_t)1 << (layer->shift[j] - 1))) >> layer->shift[j];
    bool logits = layer->output_type == RUNG_I32;
    int64_t low = logits ? INT32_MIN : layer->qmin, high = logits ? INT32_MAX : layer->qmax;
    if (!logits) r += layer->output_zero_point;
    y[j] = (int32_t)(r < low ? low : r > high ? high : r);
  }
}

static void plain_run(const rung_program *program, const uint8_t *input, int32_t *logits) {
  int32_t buffer[2][784], *x = buffer[0], *y = buffer[1];
  for (int k = 0; k < 784; k++) x[k] = input[k];
  for (int i = 0; i < program->count; i++) {
    plain_layer(&program->layer[i].instruction.integers, x, y);
    int32_t *swap = x;
    x = y;
    y = swap;
  }
  memcpy(logits, x, 10 * sizeof *logits);
}

/* Every network's program, run by the library at every level and by plain loops. */
START_TEST(logits_are_those_of_plain_loops) {
  enum { COUNT = 60 };
  pictures data = pictures_load(128, COUNT);
  rung_model *model = calibrated((network)(_i / LENGTH(schemes)), data.train, &schemes[_i % LENGTH(schemes)]);
  const char *active = rung_kernels_active()->level;
  int32_t plain[COUNT * 10];
  for (int level = 0; level < rung_kernels_level_count(); level++) {
    if (!rung_kernels_level(level)) continue;
    expect_ok(rung_kernels_use(rung_kernels_level(level)->level));
    rung_program *program = freeze(model);
    for (int i = 0; i < COUNT && level == 0; i++)
      plain_run(program, (const uint8_t *)data.test->inputs.data + i * 784, plain + i * 10);
    int32_t *logits = logits_of(program, data.test, COUNT);
    ck_assert_mem_eq(logits, plain, sizeof plain);
    free(logits);
    rung_program_free(program);
  }
  expect_ok(rung_kernels_use(active));
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* In blocks of 1, 7, 300 and whatever rung_run takes: an example's logits do not depend on its neighbours. Nothing is
 * allocated, and nothing written beyond the scratch that was asked for or the logits. */
START_TEST(blocks_give_the_same_logits) {
  enum { COUNT = 600, GUARD = 4096 };
  static const int64_t blocks[] = {1, 7, 256, 300, COUNT};
  pictures data = pictures_load(128, COUNT);
  rung_model *model = calibrated(_i ? NETWORK_DEEP : NETWORK_ONE_LAYER, data.train, &schemes[_i % LENGTH(schemes)]);
  rung_program *program = freeze(model);
  int32_t *whole = logits_of(program, data.test, COUNT);
  for (int b = 0; b < LENGTH(blocks); b++) {
    int64_t block = blocks[b];
    size_t bytes = rung_program_scratch(program, block);
    uint8_t *scratch = rung_allocate(bytes + GUARD);
    int32_t logits[COUNT * 10 + 64];
    memset(scratch, 0xA5, bytes + GUARD);
    memset(logits, 0xA5, sizeof logits);
    uint64_t allocations = rung_allocation_count();
    for (int64_t i = 0; i < COUNT; i += block) {
      int64_t count = COUNT - i < block ? COUNT - i : block;
      const uint8_t *input = (const uint8_t *)data.test->inputs.data + i * 784;
      expect_ok(rung_program_run(program, input, logits + i * 10, count, scratch));
    }
    ck_assert_uint_eq(rung_allocation_count(), allocations);
    ck_assert_mem_eq(logits, whole, COUNT * 10 * sizeof *logits);
    for (int i = 0; i < GUARD; i++) ENSURE(scratch[bytes + (size_t)i] == 0xA5);
    for (int i = 0; i < 64; i++) ENSURE(logits[COUNT * 10 + i] == (int32_t)0xA5A5A5A5);
    rung_release(scratch);
  }
  free(whole);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

typedef struct traced {
  const rung_program *program;
  int layers;
  int64_t inside, outside; /* of the clamp */
  int32_t logits[40 * 10];
} traced;

static void look(void *context, int index, rung_dtype type, const void *output, int64_t count, int64_t out) {
  traced *seen = context;
  const rung_integer_layer *layer = &seen->program->layer[index].instruction.integers;
  ck_assert_int_eq(index, seen->layers++);
  ck_assert(type == layer->output_type && count == 40 && out == layer->out);
  if (type == RUNG_I32) {
    memcpy(seen->logits, output, sizeof seen->logits);
    return;
  }
  for (int64_t i = 0; i < count * out; i++) {
    int32_t q = type == RUNG_I8 ? ((const int8_t *)output)[i] : ((const uint8_t *)output)[i];
    if (q >= layer->qmin && q <= layer->qmax)
      seen->inside++;
    else
      seen->outside++;
  }
}

START_TEST(a_trace_shows_every_layer_in_order) {
  pictures data = pictures_load(128, 40);
  rung_model *model = calibrated(NETWORK_DEEP, data.train, &schemes[_i]);
  rung_program *program = freeze(model);
  void *scratch = rung_allocate(rung_program_scratch(program, 40));
  static traced seen;
  seen = (traced){.program = program};
  int32_t logits[40 * 10], *whole = logits_of(program, data.test, 40);
  expect_ok(rung_program_trace(program, data.test->inputs.data, logits, 40, scratch, look, &seen));
  ck_assert_int_eq(seen.layers, 4);
  ck_assert(seen.outside == 0 && seen.inside == 40 * (HIDDEN + 70 + 9));
  ck_assert_mem_eq(seen.logits, logits, sizeof logits);
  ck_assert_mem_eq(whole, logits, sizeof logits);
  free(whole);
  rung_release(scratch);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* Many threads run one program, each with scratch of its own. */
typedef struct shared_run {
  const rung_program *program;
  const rung_dataset *data;
  int32_t logits[3][100 * 10];
  rung_status status[3];
} shared_run;

static void run_whole(void *context, int ith, int nth) {
  (void)nth;
  shared_run *run = context;
  run->status[ith] = rung_run(run->program, run->data->inputs.data, run->logits[ith], 100);
}

START_TEST(threads_share_a_program) {
  static shared_run run;
  pictures data = pictures_load(128, 100);
  rung_model *model = calibrated(NETWORK_DEEP, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  rung_team *team = rung_team_new(3);
  int32_t *alone = logits_of(program, data.test, 100);
  run.program = program;
  run.data = data.test;
  rung_team_run(team, run_whole, &run);
  for (int i = 0; i < rung_team_size(team); i++) {
    ck_assert_int_eq(run.status[i], RUNG_OK);
    ck_assert_mem_eq(run.logits[i], alone, sizeof run.logits[i]);
  }
  free(alone);
  rung_team_free(team);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

START_TEST(no_examples_are_refused) {
  pictures data = pictures_load(64, 64);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  void *scratch = rung_allocate(rung_program_scratch(program, 1));
  int32_t logits[10];
  for (int64_t count = 0; count >= -1; count--) {
    ck_assert_int_eq(rung_run(program, data.test->inputs.data, logits, count), RUNG_ERROR_ARGUMENT);
    ck_assert_int_eq(rung_program_run(program, data.test->inputs.data, logits, count, scratch), RUNG_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(rung_error(), "expected 1 or more"));
  }
  rung_release(scratch);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

TEST_MAIN(CASES(logits_are_those_of_plain_loops, NETWORK_COUNT *LENGTH(schemes)),
          CASES(blocks_give_the_same_logits, LENGTH(schemes)),
          CASES(a_trace_shows_every_layer_in_order, LENGTH(schemes)), CASE(threads_share_a_program),
          CASE(no_examples_are_refused))
