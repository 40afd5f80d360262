/* Reading ONNX: what PyTorch and ONNX Runtime wrote (golden/onnx, made by golden/make_onnx.py), what Rung wrote itself,
 * and what is refused. */
#include "deploy_model.h"
#include "onnx_file.h"
#include "peers.h"

#include <fcntl.h>

enum { EXAMPLES = 32, PIXELS = 16, CLASSES = 4 };

/* ---- The golden files -------------------------------------------------------------------------------------------- */

typedef struct golden {
  char path[512];
  float x[EXAMPLES * PIXELS], logits[EXAMPLES * CLASSES];
  int32_t label[EXAMPLES]; /* of the largest logit */
  rung_dataset *data;
} golden;

static void read_golden(golden *file, const char *name, const char *values) {
  char path[512];
  snprintf(file->path, sizeof file->path, TEST_DATA "/golden/onnx/%s.onnx", name);
  snprintf(path, sizeof path, TEST_DATA "/golden/onnx/%s.bin", values);
  size_t size;
  unsigned char *bytes = scratch_read(path, &size);
  ck_assert_uint_eq(size, sizeof file->x + sizeof file->logits);
  memcpy(file->x, bytes, sizeof file->x);
  memcpy(file->logits, bytes + sizeof file->x, sizeof file->logits);
  free(bytes);
  for (int i = 0; i < EXAMPLES; i++)
    for (int j = 1; j < CLASSES; j++)
      if (file->logits[i * CLASSES + j] > file->logits[i * CLASSES + file->label[i]]) file->label[i] = j;
  const rung_tensor inputs = {.shape = RUNG_SHAPE(EXAMPLES, 1, 4, 4), .data = file->x};
  file->data = rung_dataset_new(name, &inputs, file->label, CLASSES, NULL);
  ck_assert_ptr_nonnull(file->data);
}

static rung_model *import(const char *path) {
  rung_model *model = rung_model_import_onnx(path, &(rung_model_options){.batch = EXAMPLES, .threads = 1, .seed = 3});
  if (!model && strstr(rung_error(), "this build has no ONNX")) test_skip("this build has no ONNX");
  ck_assert_msg(model != NULL, "%s", rung_error());
  return model;
}

/* The scores of the first `count` examples in float form, to be freed. */
static float *scores_of(rung_model *model, const rung_dataset *data, int64_t count) {
  expect_ok(rung_model_use(model, RUNG_FORM_FLOAT));
  rung_graph *graph = rung_model_bind(model, data);
  ck_assert_msg(graph != NULL, "%s", rung_error());
  expect_ok(rung_graph_replay(graph, &(rung_replay_options){.count = count}));
  const rung_node *scores = rung_graph_node(graph, rung_graph_node_count(graph) - 1)->input[0];
  size_t bytes = (size_t)(count * scores->value.shape.extent[1]) * sizeof(float);
  float *copy = malloc(bytes);
  memcpy(copy, scores->value.data, bytes);
  return copy;
}

/* Within `share` of the largest magnitude of all. */
static void expect_close(const float *have, const float *want, int count, double share) {
  double most = 0;
  for (int i = 0; i < count; i++) most = fmax(most, fabs((double)want[i]));
  for (int i = 0; i < count; i++)
    ck_assert_msg(fabs((double)have[i] - (double)want[i]) <= share * most, "value %d is %g, expected %g", i,
                  (double)have[i], (double)want[i]);
}

static const struct {
  const char *name, *values;
} exported[] = {
    {"mlp_legacy13", "mlp"},
    {"mlp_legacy20", "mlp"},
    {"mlp_dynamo18", "mlp"},
    {"mlp_dynamo20", "mlp"},
    {"kinds_legacy13", "kinds"},
    {"kinds_legacy20", "kinds"},
    {"kinds_dynamo18", "kinds"},
    {"kinds_dynamo20", "kinds"},
    {"norm_legacy13", "norm"},
    {"norm_legacy20", "norm"},
    {"norm_dynamo18", "norm"},
    {"norm_dynamo20", "norm"},
    {"view_legacy13", "view"},
    {"view_legacy20", "view"},
    {"view_dynamo18", "view"},
    {"view_dynamo20", "view"},
    {"residual_legacy13", "residual"},
    {"residual_legacy20", "residual"},
    {"residual_dynamo18", "residual"},
    {"residual_dynamo20", "residual"},
    {"fixed", "fixed"},
    {"half", "half"},
    {"bfloat16", "bfloat16"},
    {"double", "double"},
    {"external", "external"},
};

START_TEST(what_pytorch_exported_computes_its_logits) {
  golden file = {0};
  read_golden(&file, exported[_i].name, exported[_i].values);
  rung_model *model = import(file.path);
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_FLOAT);
  float *scores = scores_of(model, file.data, EXAMPLES);
  expect_close(scores, file.logits, EXAMPLES * CLASSES, 1e-5 / 10);
  rung_metrics metrics;
  expect_ok(rung_evaluate(model, file.data, &metrics));
  ck_assert(metrics.accuracy == 1);
  free(scores);
  rung_model_free(model);
  rung_dataset_free(file.data);
}
END_TEST

/* Names and values are those of the module's state_dict. */
START_TEST(parameters_are_pytorchs) {
  static const struct {
    const char *name, *weights;
    int missing; /* weights that the exporter gave a name of its own */
  } cases[] = {{"mlp_legacy13", "mlp", 0},
               {"mlp_dynamo20", "mlp", 0},
               {"view_dynamo20", "view", 0},
               {"view_legacy13", "view", 1},
               {"norm_legacy13", "norm", 1}};
  golden file = {0};
  char path[512];
  snprintf(path, sizeof path, TEST_DATA "/golden/onnx/%s.safetensors", cases[_i].weights);
  read_golden(&file, cases[_i].name, cases[_i].weights);
  rung_model *model = import(file.path);
  rung_safetensors *weights = rung_safetensors_open(path);
  if (!weights && rung_error_status() == RUNG_ERROR_UNSUPPORTED) test_skip("this build has no cJSON");
  ck_assert_msg(weights != NULL, "%s", rung_error());
  int missing = 0;
  for (int p = 0; p < rung_model_parameter_count(model); p++) {
    const rung_parameter parameter = rung_model_parameter(model, p);
    const rung_tensor *tensor = rung_safetensors_find(weights, parameter.name);
    missing += tensor == NULL && strstr(parameter.name, "weight") != NULL;
    if (!tensor) continue;
    ck_assert(rung_shape_equal(&tensor->shape, &parameter.shape));
    ck_assert_mem_eq(parameter.value, tensor->data, (size_t)rung_tensor_count(tensor) * sizeof(float));
  }
  ck_assert_int_eq(missing, cases[_i].missing);
  rung_safetensors_free(weights);
  rung_model_free(model);
  rung_dataset_free(file.data);
}
END_TEST

static void expect_no_difference(rung_model *model, const rung_dataset *data) {
  rung_program *program = freeze(model);
  rung_agreement agreement;
  expect_ok(rung_program_compare(program, model, data, &agreement));
  ck_assert_int_gt(agreement.logits, 0);
  ck_assert_int_eq(agreement.differ_evaluation, 0);
  rung_program_free(program);
}

/* PTQ, QAT, and out again as a float network that comes in once more. */
START_TEST(an_import_is_quantized_trained_and_exported) {
  static const char *const names[][2] = {
      {"mlp_legacy13", "mlp"}, {"norm_legacy13", "norm"}, {"norm_dynamo20", "norm"}, {"mlp_dynamo18", "mlp"}};
  golden file = {0};
  read_golden(&file, names[_i][0], names[_i][1]);
  rung_model *model = import(file.path);
  uint64_t before = rung_model_hash(model);
  calibrate(model, file.data, &(rung_scheme){0});
  expect_no_difference(model, file.data);
  fit(model, file.data, 1, 1e-3f);
  expect_no_difference(model, file.data);
  ck_assert_uint_ne(rung_model_hash(model), before);
  expect_ok(rung_model_export_onnx(model, scratch_path("out.onnx")));
  rung_model *again = import(scratch_path("out.onnx"));
  float *scores = scores_of(model, file.data, EXAMPLES), *same = scores_of(again, file.data, EXAMPLES);
  expect_close(same, scores, EXAMPLES * CLASSES, 1e-6);
  free(scores);
  free(same);
  rung_model_free(again);
  rung_model_free(model);
  rung_dataset_free(file.data);
}
END_TEST

/* ---- Quantized files --------------------------------------------------------------------------------------------- */

/* ONNX Runtime's files, up to where it rounds the logits to 8 bits: one of our steps apart, and its sums of f32. */
START_TEST(what_onnx_runtime_quantized_computes_its_logits) {
  static const char *const names[] = {"qdq_channel", "qdq_tensor", "qdq_signed", "qdq_matmul"};
  golden file = {0};
  read_golden(&file, names[_i], names[_i]);
  rung_model *model = import(file.path);
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_INTEGER);
  rung_program *program = freeze(model);
  const float step = rung_program_describe(program).logit_scale;
  int32_t logits[EXAMPLES * CLASSES];
  float real[EXAMPLES * CLASSES];
  uint8_t q[EXAMPLES * PIXELS];
  expect_ok(rung_program_quantize(program, file.x, q, EXAMPLES));
  expect_ok(rung_run(program, q, logits, EXAMPLES));
  for (int i = 0; i < EXAMPLES * CLASSES; i++) {
    real[i] = step * (float)logits[i];
    ck_assert_msg(fabsf(real[i] - file.logits[i]) <= step + 1e-6f, "logit %d is %g, expected %g, a step is %g", i,
                  (double)real[i], (double)file.logits[i], (double)step);
  }
  rung_program_free(program);
  float *scores = scores_of(model, file.data, EXAMPLES); /* the float network has the ReLUs that the file left out */
  expect_close(scores, file.logits, EXAMPLES * CLASSES, 0.1);
  free(scores);
  expect_ok(rung_model_use(model, RUNG_FORM_INTEGER));
  fit(model, file.data, 1, 1e-3f);
  expect_no_difference(model, file.data);
  rung_model_free(model);
  rung_dataset_free(file.data);
}
END_TEST

/* In fc1, fc3, fc4, fc2, one behind the other. */
static const rung_layer_scheme own_bits[] = {
    {"fc3", .weight_bits = 4}, {"fc2", .weight_bits = 3}, {"fc1", .weight_bits = 8, .activation_bits = 6}};

static const struct {
  network kind;
  rung_scheme scheme;
  rung_onnx_options options;
} own[] = {
    {NETWORK_RELU, {0}, {0}},
    {NETWORK_RELU6, {0}, {0}},
    {NETWORK_RESHAPE, {0}, {0}},
    {NETWORK_DROPOUT, {.weight_bits = 4}, {0}},
    {NETWORK_NORM, {0}, {0}},
    {NETWORK_NO_BIAS_NORM, {0}, {0}},
    {NETWORK_NO_BIAS, {0}, {0}},
    {NETWORK_NO_ACTIVATION, {0}, {0}},
    {NETWORK_ONE_LAYER, {0}, {0}},
    {NETWORK_DEEP, {.weight_granularity = RUNG_PER_TENSOR}, {0}},
    {NETWORK_DEEP, {.weight_bits = 4, .activation_bits = 4}, {0}},
    {NETWORK_DEEP, {.weight_bits = 4, .activation_bits = 4}, {.opset = 13}},
    {NETWORK_DEEP, {.weight_bits = 2, .activation_bits = 2}, {0}},
    {NETWORK_RELU, {.weight_bits = 1}, {0}},
    {NETWORK_RELU, {.weight_bits = 5, .activation_bits = 6}, {0}},
    {NETWORK_NO_ACTIVATION, {.activation_signed = true}, {0}},
    {NETWORK_RELU, {.activation_signed = true}, {0}},
    {NETWORK_NO_ACTIVATION, {.activation_signed = true, .activation_symmetric = true}, {0}},
    {NETWORK_NO_ACTIVATION, {.activation_bits = 4, .activation_signed = true}, {0}},
    {NETWORK_DEEP, {.weight_granularity = RUNG_PER_GROUP, .weight_group = 32}, {0}},
    {NETWORK_RELU, {.weight_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 16}, {0}},
    {NETWORK_DEEP, {.layers = own_bits, .layer_count = 2}, {0}},
    {NETWORK_DEEP, {.weight_bits = 2, .activation_bits = 4, .layers = own_bits, .layer_count = 3}, {0}},
};

/* A program, exported and imported, freezes to the same integers; then it trains on. */
START_TEST(what_rung_quantized_comes_back) {
  pictures data = pictures_load(256, 200);
  rung_model *model = calibrated(own[_i].kind, data.train, &own[_i].scheme);
  fit(model, data.train, 1, 1e-3f);
  rung_program *program = freeze(model);
  rung_status status = rung_program_export_onnx(program, scratch_path("qdq.onnx"), &own[_i].options);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip("this build has no ONNX");
  expect_ok(status);
  rung_model *back = import(scratch_path("qdq.onnx"));
  rung_program *same = freeze(back);
  int32_t *logits = logits_of(program, data.test, 200), *again = logits_of(same, data.test, 200);
  ck_assert_mem_eq(again, logits, 200 * 10 * sizeof *logits);
  ck_assert(rung_program_describe(same).logit_scale == rung_program_describe(program).logit_scale);
  ck_assert_int_eq(rung_program_describe(same).weight_bytes, rung_program_describe(program).weight_bytes);
  expect_no_difference(back, data.test);
  fit(back, data.train, 1, 1e-3f);
  expect_no_difference(back, data.test);
  free(logits);
  free(again);
  rung_program_free(same);
  rung_program_free(program);
  rung_model_free(back);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* An input in f32 keeps its bits, where they are others than those of activations. */
START_TEST(bits_of_real_inputs_come_back) {
  golden file = {0};
  read_golden(&file, "mlp_dynamo20", "mlp");
  rung_model *model = import(file.path);
  calibrate(model, file.data, &(rung_scheme){.weight_bits = 4, .activation_bits = 4, .input_bits = 6});
  rung_program *program = freeze(model);
  expect_ok(rung_program_export_onnx(program, scratch_path("qdq.onnx"), NULL));
  rung_model *back = import(scratch_path("qdq.onnx"));
  ck_assert_int_eq(rung_model_scheme(back)->input_bits, 6);
  rung_metrics one, other;
  expect_ok(rung_evaluate(model, file.data, &one));
  expect_ok(rung_evaluate(back, file.data, &other));
  ck_assert(one.loss == other.loss);
  rung_program_free(program);
  rung_model_free(back);
  rung_model_free(model);
  rung_dataset_free(file.data);
}
END_TEST

/* Where the weights are tiny a bias takes many bits, more than the product of two scales in f32 tells. */
START_TEST(biases_of_many_bits_come_back) {
  pictures data = pictures_load(256, 200);
  rung_model *model = network_new(NETWORK_RELU, 1);
  fit(model, data.train, 1, 2e-3f);
  for (int p = 0; p < rung_model_parameter_count(model); p++) {
    const rung_parameter parameter = rung_model_parameter(model, p);
    for (int64_t j = 0; j < HIDDEN && strcmp(parameter.name, "fc1.bias") == 0; j++) parameter.value[j] += 0.7f;
    for (int64_t i = 0; i < 784 * HIDDEN && strcmp(parameter.name, "fc1.weight") == 0; i++) parameter.value[i] *= 1e-3f;
  }
  calibrate(model, data.train, &(rung_scheme){0});
  rung_program *program = freeze(model);
  ck_assert_int_gt(abs(rung_program_instruction(program, 0)->integers.bias[0]), 1 << 25);
  rung_status status = rung_program_export_onnx(program, scratch_path("qdq.onnx"), NULL);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip("this build has no ONNX");
  expect_ok(status);
  rung_model *back = import(scratch_path("qdq.onnx"));
  rung_program *same = freeze(back);
  ck_assert_mem_eq(rung_program_instruction(same, 0)->integers.bias,
                   rung_program_instruction(program, 0)->integers.bias, HIDDEN * sizeof(int32_t));
  rung_program_free(same);
  rung_program_free(program);
  rung_model_free(back);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- What is refused --------------------------------------------------------------------------------------------- */

/* In one line that begins with the path, and has it once. */
static void expect_refused(const char *path, const char *says) {
  rung_model *model = rung_model_import_onnx(path, NULL);
  if (!model && strstr(rung_error(), "this build has no ONNX")) test_skip("this build has no ONNX");
  ck_assert_msg(model == NULL, "imported, expected '%s'", says);
  ck_assert_msg(strncmp(rung_error(), path, strlen(path)) == 0 && strstr(rung_error(), says) != NULL, "'%s' lacks '%s'",
                rung_error(), says);
  ck_assert_msg(strstr(rung_error() + 1, path) == NULL, "%s", rung_error());
}

#define FULL      "Gemm(x, w, b) -> y; transB=1"
#define QUANTIZED "QuantizeLinear(x, s, _) -> xq", "DequantizeLinear(xq, s, _) -> xr"

START_TEST(what_rung_lacks_is_named) {
  static const struct {
    const char *nodes[7], *says;
  } cases[] = {
      {{"Conv(x, w) -> y"}, "node 'y' (Conv): no such layer in Rung"},
      {{"Relu(x) -> y", "Relu(x) -> y"}, "two values are named 'y'"},
      {{"Relu(y) -> z", "Relu(z) -> y"}, "node 'z' (Relu): reads 'y', which nothing before it computes"},
      {{"Relu(lost) -> y"}, "reads 'lost', which nothing before it computes"},
      {{"Relu(x) -> w", "Relu(w) -> y"}, "two values are named 'w'"},
      {{"Relu(x) -> z"}, "nothing computes its output 'y'"},
      {{"Relu(x) -> y; alpha=1"}, "attribute 'alpha' is not known"},
      {{"Gemm(x, w, b) -> y; transB=1, transA=1"}, "transA is set, expected 0"},
      {{"Gemm(x, w, b) -> y; transB=1, alpha=1"}, "one of its attributes is not a real number"},
      {{"Gemm(x, w) -> y"}, "its input is [64, 3], expected [batch, 2] for its weight"},
      {{"Gemm(x, x, b) -> y"}, "its second input is no constant matrix"},
      {{"Gemm(x, w, c) -> y; transB=1"}, "its bias 'c' is not a constant of 2 reals"},
      {{"MatMul(x, q) -> y"}, "its second input is no constant matrix"},
      {{"Add(x, v) -> y"}, "'v' is not a constant of 3 reals"},
      {{"Add(one, half) -> y"}, "is a constant; expected what the network computes"},
      {{"Clip(x, zero, one) -> y"}, "its bounds are 0 and 1, expected 0 and 6 (ReLU6), or 0 and none (ReLU)"},
      {{"Clip(x, _, six) -> y"}, "its bounds are -inf and 6"},
      {{"Erf(x) -> y"}, "it is read only as the erf(x / sqrt 2) of a GELU"},
      {{"Div(x, sqrt2) -> y"}, "is part of a GELU that is not whole"},
      {{"Div(x, six) -> y"}, "no such layer in Rung"},
      {{"Mul(x, x) -> y"}, "no such layer in Rung"},
      {{"Softmax(x) -> z", "Gemm(z, w, b) -> y; transB=1"}, "a softmax is read only at the end"},
      {{"Softmax(x) -> y; axis=0"}, "axis 0 of rank 2, expected the last"},
      {{"Flatten(x) -> y; axis=0"}, "axis 0, expected 1"},
      {{"Reshape(x, wide) -> y"}, "extent 1 of its shape is 6, in an example of 3 numbers"},
      {{"Reshape(x, batch1) -> y"}, "the first extent of its shape is 1, expected the batch"},
      {{"Reshape(x, x) -> y"}, "input 'x' is not known beforehand, expected a constant of integers"},
      {{"Shape(x) -> z", "Gather(z, i3) -> k", "Reshape(x, k) -> y"}, "index 3 of a shape of rank 2"},
      {{"Dropout(x, one) -> y"}, "dropout"},
      {{"Dropout(x) -> z, mask", "Add(z, mask) -> y"}, "its output 'mask' is read; only the first is computed"},
      {{"Cast(x) -> y; to=7"}, "a cast to element type 7"},
      {{"BatchNormalization(x, c, c, c, b) -> y"}, "'b' has 2 numbers, expected 3"},
      {{"BatchNormalization(x, c, c, c, c) -> y; training_mode=1"}, "it is in training mode"},
      {{"Gemm(x, nan_w, b) -> y; transB=1"}, "linear1.weight: value 4 is"},
      {{"QuantizeLinear(x, s, _) -> z", "Relu(z) -> y"}, "is integers; expected a DequantizeLinear between"},
      {{"QuantizeLinear(x, zero, _) -> z", "DequantizeLinear(z, zero, _) -> y"}, "a scale is not a positive"},
      {{QUANTIZED, "Gemm(xr, w, b) -> y; transB=1"}, "only some of its weights and activations are quantized"},
      {{"DequantizeLinear(q, s2, zq) -> wr; axis=0", "Gemm(x, wr, b) -> y; transB=1"}, "only some of its"},
      {{"QuantizeLinear(x, s, _) -> xq", "DequantizeLinear(xq, half, zq) -> xr", "Relu(xr) -> y"},
       "it has not as many zero points as scales"},
      {{QUANTIZED, "DequantizeLinear(q, s, zq) -> wr", "Gemm(xr, wr, b) -> y; transB=1"},
       "it has not as many zero points as scales"},
      {{QUANTIZED, "DequantizeLinear(q, s2, zq) -> wr; axis=0", "Gemm(xr, wr, b) -> z; transB=1",
        "BatchNormalization(z, b, b, b, one2) -> y"},
       "BatchNormalization with 'batch_norm2.weight' in a quantized file"},
      {{QUANTIZED, "DequantizeLinear(q64, s2, zq) -> wr; axis=0", "Gemm(xr, wr, b) -> y; transB=1"},
       "weight 'q64' reaches 64, expected the weights to reach 1, 3, 7, 15, 31, 63 or 127"},
      {{QUANTIZED, "DequantizeLinear(q, s2, z1) -> wr; axis=0", "Gemm(xr, wr, b) -> y; transB=1"},
       "weight 'q' is asymmetric: zero point 1, expected 0"},
      {{QUANTIZED, "DequantizeLinear(q1, s2, zq) -> wr; axis=0", "Gemm(xr, wr, b) -> y; transB=1"},
       "weight 'q1', output 1: Rung cannot hold its integers"},
      {{QUANTIZED, "DequantizeLinear(xq, half, _) -> xh", "Gemm(xh, w, b) -> y; transB=1"}, "only some of its weights"},
      {{QUANTIZED, "DequantizeLinear(xq, sqrt2, _) -> xh", "Gemm(xh, w, b) -> y; transB=1"},
       "its scale and zero point are not those that 'xq' was quantized with"},
      {{QUANTIZED, "DequantizeLinear(q, c, _) -> wr; axis=1", "Gemm(xr, wr, b) -> y; transB=1"},
       "has a scale for each of its inputs"},
      {{QUANTIZED, "DequantizeLinear(q, s2, zq) -> wr; axis=1", "Gemm(xr, wr, b) -> y; transB=1"},
       "its scales do not fit the tensor"},
  };
  ck_assert_int_lt(_i, LENGTH(cases));
  expect_refused(onnx_file(cases[_i].nodes), cases[_i].says);
  ck_assert_int_eq(LENGTH(cases), 48);
}
END_TEST

/* ---- What is read, by hand --------------------------------------------------------------------------------------- */

static double gelu_of(double x) {
  return x / 2 * (1 + erf(x / sqrt(2)));
}

/* y for x = (1, 2, 3), where w x + b = (6.5, -2.5). */
START_TEST(small_graphs_compute_what_they_say) {
  const float g0 = (float)gelu_of(6.5), g1 = (float)gelu_of(-2.5);
  const struct {
    const char *nodes[9]; /* NULL ends them */
    float y[2];
  } cases[] = {
      {{FULL}, {6.5f, -2.5f}},
      {{"Gemm(x, wt, b) -> y"}, {6.5f, -2.5f}},
      {{"Gemm(x, wt, b) -> y; alpha=0.5, beta=2.0"}, {4, -2}},
      {{"Gemm(x, wt) -> y"}, {6, -2}},
      {{"Gemm(x, wt, half) -> y"}, {6.5f, -1.5f}},
      {{"MatMul(x, wt) -> z", "Add(z, b) -> y"}, {6.5f, -2.5f}},
      {{"MatMul(x, wt) -> z", "Add(b, z) -> y"}, {6.5f, -2.5f}},
      {{"MatMul(x, wt) -> z", "Identity(b) -> k", "Cast(z) -> c2; to=1", "Add(c2, k) -> y"}, {6.5f, -2.5f}},
      {{"MatMul(x, wt) -> z", "Add(z, b) -> k", "Add(k, z) -> y"}, {12.5f, -4.5f}},
      {{"Add(x, c) -> z", "MatMul(z, wt) -> y"}, {12, -4}},
      {{"Gemm(x, w, b) -> z; transB=1", "Relu(z) -> y"}, {6.5f, 0}},
      {{"Gemm(x, w, b) -> z; transB=1", "Clip(z, zero) -> y"}, {6.5f, 0}},
      {{"Gemm(x, w, b) -> z; transB=1", "Clip(z, zero, six) -> y"}, {6, 0}},
      {{"Gemm(x, w, b) -> z; transB=1", "Clip(z) -> y; min=0.0, max=6.0"}, {6, 0}},
      {{"Dropout(x, half) -> z, mask", "Gemm(z, wt, b) -> y"}, {6.5f, -2.5f}},
      {{"Flatten(x) -> z; axis=-1", "Gemm(z, wt, b) -> y"}, {6.5f, -2.5f}},
      {{"Reshape(x, minus) -> z", "Gemm(z, wt, b) -> y"}, {6.5f, -2.5f}},
      {{"Shape(x) -> s1; start=0, end=1", "Unsqueeze(i3, i0) -> k", "Concat(s1, k) -> t; axis=0", "Reshape(x, t) -> z",
        "Gemm(z, wt, b) -> y"},
       {6.5f, -2.5f}},
      {{"Shape(x) -> s1", "Gather(s1, i0) -> n; axis=0", "Unsqueeze(n, i0) -> k", "Squeeze(k) -> l",
        "Unsqueeze(l, i0) -> m", "Concat(m, m) -> t; axis=0", "Gather(t, i0) -> u", "Gemm(x, wt, b) -> y"},
       {6.5f, -2.5f}},
      {{FULL, "Conv(x, w) -> unused"}, {6.5f, -2.5f}},
      {{"Gemm(x, wt, b) -> z", "Gelu(z) -> y"}, {g0, g1}},
      {{"Gemm(x, wt, b) -> z", "Div(z, sqrt2) -> d", "Erf(d) -> e", "Add(one, e) -> f", "Mul(f, half) -> g",
        "Mul(g, z) -> y"},
       {g0, g1}},
      {{"Gemm(x, wt, b) -> z", "Div(z, sqrt2) -> d", "Erf(d) -> e", "Add(e, one) -> f", "Mul(z, f) -> g",
        "Mul(g, half) -> y"},
       {g0, g1}},
      {{"Gemm(x, wt, b) -> z", "Mul(half, z) -> h", "Div(z, sqrt2) -> d", "Erf(d) -> e", "Add(e, one) -> f",
        "Mul(h, f) -> y"},
       {g0, g1}},
      {{"Gemm(x, w, b) -> z; transB=1", "LogSoftmax(z) -> y"}, {6.5f, -2.5f}},
  };
  static const float x[] = {1, 2, 3};
  static const int32_t label = 0;
  const rung_tensor inputs = {.shape = RUNG_SHAPE(1, 3), .data = (void *)(uintptr_t)x};
  rung_dataset *data = rung_dataset_new("x", &inputs, &label, 2, NULL);
  rung_model *model = import(onnx_file(cases[_i].nodes));
  float *y = scores_of(model, data, 1);
  expect_close(y, cases[_i].y, 2, 1e-6);
  ck_assert_int_eq(LENGTH(cases), 25);
  free(y);
  rung_model_free(model);
  rung_dataset_free(data);
}
END_TEST

/* At scales 0.5 and 0.25; inputs at 0.5 from 0. */
START_TEST(integers_of_a_file_are_the_programs) {
  static const struct {
    const char *weight;
    int bits;
    int8_t q[6];
  } cases[] = {{"DequantizeLinear(q, s2, zq) -> wr; axis=0", 8, {127, -64, 1, 127, 0, -127}},
               {"DequantizeLinear(q, s2, _) -> wr; axis=-2", 8, {127, -64, 1, 127, 0, -127}},
               {"DequantizeLinear(q4, s2, _) -> wr; axis=0", 4, {7, -7, 1, 7, 0, -7}},
               {"DequantizeLinear(q2, s2, _) -> wr; axis=0", 2, {1, -1, 0, 1, 0, -1}}};
  const char *const nodes[] = {QUANTIZED, cases[_i].weight, "Gemm(xr, wr, b) -> y; transB=1", NULL};
  rung_model *model = import(onnx_file(nodes));
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_INTEGER);
  rung_program *program = freeze(model);
  const rung_integer_layer *layer = &rung_program_instruction(program, 0)->integers;
  ck_assert_mem_eq(layer->weight, cases[_i].q, sizeof cases[_i].q);
  ck_assert_int_eq(layer->weight_format.bits, cases[_i].bits);
  ck_assert(layer->weight_scale[0] == 0.5f && layer->weight_scale[1] == 0.25f);
  ck_assert(layer->input_scale == 0.5f && layer->input_zero_point == 0 && layer->input_type == RUNG_U8);
  ck_assert(layer->bias[0] == 2 && layer->bias[1] == -4);
  rung_program_free(program);
  rung_model_free(model);
}
END_TEST

/* A regression has no softmax, and another loss. */
static void put_gemm(message *graph, const char *input, const char *weight, const char *output) {
  message node = {0};
  put_text(&node, 1, input);
  put_text(&node, 1, weight);
  put_text(&node, 2, output);
  put_text(&node, 4, "Gemm");
  put_attribute(&node, "transB", "1");
  put_message(graph, 1, &node);
}

/* Names that a text cannot hold become some that it can, each its own; so the model comes back from its file. */
START_TEST(names_fit_the_text) {
  static const char *const weights[] = {"a b.weight", "a,b.weight", "a_b_1.weight", "\xc3\xa9;\n.weight"};
  static const char *const values[] = {"my x;1", "h1", "h2", "h3", "y"};
  static const float ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  static message graph, model;
  graph.size = model.size = 0;
  for (int i = 0; i < LENGTH(weights); i++) {
    put_tensor(&graph, weights[i], 1, 2, (int64_t[]){3, 3}, ones, sizeof ones);
    put_gemm(&graph, values[i], weights[i], values[i + 1]);
  }
  put_value(&graph, 11, values[0], 1, (int64_t[]){3});
  put_value(&graph, 12, "y", 0, NULL);
  put_model(&model, &graph, 13);
  rung_model *imported = import(scratch_write("names.onnx", model.bytes, model.size)), *loaded;
  char *text = rung_model_text(imported), *again;
  ck_assert_msg(text != NULL, "%s", rung_error());
  ck_assert_str_eq(text, "input 3 as my_x_1; linear 3 no-bias as a_b, linear 3 no-bias as a_b_1, "
                         "linear 3 no-bias as a_b_1_2, linear 3 no-bias as ____; cross-entropy");
  const char *path = scratch_path("names.safetensors");
  expect_ok(rung_model_save(imported, path));
  loaded = rung_model_load(path, NULL);
  ck_assert_msg(loaded != NULL, "%s", rung_error());
  again = rung_model_text(loaded);
  ck_assert_str_eq(again, text);
  rung_release(again);
  rung_release(text);
  rung_model_free(loaded);
  rung_model_free(imported);
}
END_TEST

START_TEST(the_loss_can_be_chosen) {
  static const char *const nodes[] = {FULL, NULL}, *const softmax[] = {"Softmax(x) -> y", NULL};
  const float x[] = {1, 2, 3, 0, 0, 0}, y[] = {6.5f, -2.5f, 1.5f, -0.5f};
  const rung_tensor inputs = {.shape = RUNG_SHAPE(2, 3), .data = (void *)(uintptr_t)x};
  const rung_tensor targets = {.shape = RUNG_SHAPE(2, 2), .data = (void *)(uintptr_t)y};
  rung_dataset *data = rung_dataset_new("x", &inputs, NULL, 0, &targets);
  rung_model_free(import(onnx_file(nodes)));
  rung_model *model =
      rung_model_import_onnx_with(onnx_file(nodes), &(rung_onnx_import_options){.loss = "squared-error"});
  ck_assert_msg(model != NULL, "%s", rung_error());
  rung_metrics metrics;
  expect_ok(rung_evaluate(model, data, &metrics));
  ck_assert_msg(fabs(metrics.loss - 0.25) < 1e-6, "loss %g", metrics.loss); /* one of four values is 1 off */
  rung_model_free(model);
  ck_assert_ptr_null(
      rung_model_import_onnx_with(onnx_file(softmax), &(rung_onnx_import_options){.loss = "squared-error"}));
  ck_assert_ptr_nonnull(strstr(rung_error(), "a softmax is read only at the end"));
  ck_assert_ptr_null(rung_model_import_onnx_with(onnx_file(nodes), &(rung_onnx_import_options){.loss = "least"}));
  ck_assert_ptr_nonnull(strstr(rung_error(), "least"));
  rung_dataset_free(data);
}
END_TEST

/* ---- Files that are no models ------------------------------------------------------------------------------------ */

/* A model of one Gemm whose weight is as given. */
static const char *weight_file(void (*put_weight)(message *tensor)) {
  static message graph, model, tensor;
  graph.size = model.size = tensor.size = 0;
  put_weight(&tensor);
  put_text(&tensor, 8, "weight");
  put_message(&graph, 5, &tensor);
  put_node(&graph, "Gemm(x, weight) -> y; transB=1");
  put_value(&graph, 11, "x", 1, (int64_t[]){3});
  put_value(&graph, 12, "y", 0, NULL);
  put_model(&model, &graph, 13);
  return scratch_write("weight.onnx", model.bytes, model.size);
}

static void short_weight(message *tensor) {
  put_int(tensor, 1, 2);
  put_int(tensor, 1, 3);
  put_int(tensor, 2, 1);
  put_bytes(tensor, 9, "12345678901234567890123", 23);
}

static void overflowing_weight(message *tensor) {
  put_int(tensor, 1, INT64_C(1) << 33);
  put_int(tensor, 1, INT64_C(1) << 33);
  put_int(tensor, 2, 1);
  put_bytes(tensor, 9, "", 0);
}

static void negative_weight(message *tensor) {
  put_int(tensor, 1, -2);
  put_int(tensor, 1, -3);
  put_int(tensor, 2, 1);
  put_bytes(tensor, 9, "", 0);
}

static void string_weight(message *tensor) {
  put_int(tensor, 1, 1);
  put_int(tensor, 2, 8);
  put_text(tensor, 6, "text");
}

static void typed_weight(message *tensor) {
  put_int(tensor, 1, 2);
  put_int(tensor, 1, 3);
  put_int(tensor, 2, 1);
  put_bytes(tensor, 4, "1234", 4);
}

static void ranked_weight(message *tensor) {
  for (int i = 0; i < 7; i++) put_int(tensor, 1, 1);
  put_int(tensor, 2, 1);
  put_bytes(tensor, 9, "1234", 4);
}

START_TEST(tensors_are_held_against_their_data) {
  static const struct {
    void (*put)(message *tensor);
    const char *says;
  } cases[] = {{short_weight, "tensor 'weight' has 23 bytes of data, expected 24"},
               {overflowing_weight, "its extents are not all positive, or too many elements"},
               {negative_weight, "its extents are not all positive"},
               {string_weight, "has element type 8"},
               {typed_weight, "has 1 elements in the field of its type, expected 6"},
               {ranked_weight, "has rank 7, expected at most 6"}};
  expect_refused(weight_file(cases[_i].put), cases[_i].says);
  ck_assert_int_eq(LENGTH(cases), 6);
}
END_TEST

/* ---- Data in files beside the model ------------------------------------------------------------------------------ */

enum { DATA_BYTES = 40 };

/* What a tensor [2, 3] says of where its data lies, and what is said of it; NULL: nothing, it is taken. */
static const struct {
  const char *location, *offset, *length, *says;
} external[] = {
    {"weights", "16", "24", NULL},
    {"weights", "16", NULL, NULL},
    {"weights", "0", "24", NULL},
    {"weights", NULL, "24", NULL},
    {"weights", NULL, NULL, "has 40 bytes of data, expected 24"},
    {"weights", "8", "28", "has 28 bytes of data, expected 24"},
    {"weights", "17", "24", "offset '17' and length '24', expected within the 40 bytes of 'weights'"},
    {"weights", "41", NULL, "offset '41' and length ''"},
    {"weights", "18446744073709551600", "40", "offset '18446744073709551600'"},
    {"weights", "999999999999999999", "24", "expected within"},
    {"weights", "0", "18446744073709551615", "length '18446744073709551615'"},
    {"weights", "-16", "24", "offset '-16'"},
    {"weights", "16 ", "24", "offset '16 '"},
    {"weights", "", "24", "expected within"},
    {"nowhere", "0", "24", "nowhere: cannot be opened: No such file"},
    {"empty", "0", "24", "empty: 0 bytes"},
    {"folder", "0", "24", "folder: not a regular file"},
    {"pipe", "0", "24", "pipe: not a regular file"},
    {"/dev/zero", "0", "24", "lies in '/dev/zero', expected a file in the model's folder"},
    {"../weights", "0", "24", "lies in '../weights'"},
    {"folder/weights", "0", "24", "lies in 'folder/weights'"},
    {"..", "0", "24", "lies in '..'"},
    {".", "0", "24", "lies in '.'"},
    {"", "0", "24", "lies in ''"},
    {NULL, "0", "24", "lies in ''"},
};

static void put_entry(message *tensor, const char *key, const char *value) {
  message entry = {0};
  if (!value) return;
  put_text(&entry, 1, key);
  put_text(&entry, 2, value);
  put_message(tensor, 13, &entry);
}

static int external_case;

static void external_weight(message *tensor) {
  put_int(tensor, 1, 2);
  put_int(tensor, 1, 3);
  put_int(tensor, 2, 1);
  put_entry(tensor, "offset", external[external_case].offset);
  put_entry(tensor, "location", external[external_case].location);
  put_entry(tensor, "checksum", "none of ours");
  put_entry(tensor, "length", external[external_case].length);
  put_int(tensor, 14, 1);
}

START_TEST(data_beside_the_model_is_held_against_its_file) {
  float values[DATA_BYTES / 4];
  for (int i = 0; i < LENGTH(values); i++) values[i] = (float)i;
  scratch_write("weights", values, sizeof values);
  scratch_write("empty", "", 0);
  scratch_write("folder/weights", values, sizeof values);
  remove(scratch_path("pipe")); /* of the case before */
  ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0600), 0);
  external_case = _i;
  const char *path = weight_file(external_weight);
  if (external[_i].says) {
    expect_refused(path, external[_i].says);
    return;
  }
  rung_model *model = import(path);
  const float first = external[_i].offset ? strtof(external[_i].offset, NULL) / 4 : 0;
  for (int i = 0; i < 6; i++) ck_assert(rung_model_parameter(model, 0).value[i] == first + (float)i);
  rung_model_free(model);
}
END_TEST

/* A model that was opened by its descriptor alone has no folder: /proc/self/fd is none. */
START_TEST(a_file_without_a_name_has_no_folder) {
  char path[64];
  external_case = 0;
  const char *name = weight_file(external_weight);
  int descriptor = open(name, O_RDONLY | O_CLOEXEC);
  ck_assert(descriptor >= 0 && remove(name) == 0);
  snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
  if (access(path, R_OK) == 0) expect_refused(path, "the model is in no folder");
  close(descriptor);
}
END_TEST

/* Every byte that PyTorch wrote of where its data lies, changed: a model or a refusal. */
START_TEST(a_damaged_place_does_no_harm) {
  size_t size, data_size;
  unsigned char *bytes = scratch_read(TEST_DATA "/golden/onnx/external.onnx", &size);
  unsigned char *data = scratch_read(TEST_DATA "/golden/onnx/external.onnx.data", &data_size);
  scratch_write("external.onnx.data", data, data_size);
  rung_rng rng = rung_rng_seed(1);
  int taken = 0;
  for (size_t at = 0; at < size; at++) {
    unsigned char kept = bytes[at];
    bytes[at] ^= (unsigned char)(1 + rung_rng_below(&rng, 15));
    rung_model *model = rung_model_import_onnx(scratch_write("damaged.onnx", bytes, size), NULL);
    if (!model) ENSURE(*rung_error() && strchr(rung_error(), '\n') == NULL);
    taken += model != NULL;
    rung_model_free(model);
    bytes[at] = kept;
  }
  scratch_write("external.onnx.data", data, data_size - 1);
  expect_refused(scratch_write("damaged.onnx", bytes, size), "expected within the 1151 bytes");
  ck_assert(taken > 0);
  free(data);
  free(bytes);
}
END_TEST

/* `depth` messages of a type that holds itself: a node's attribute holds a graph (field 6), that a node, ... */
static const char *nested_file(int depth) {
  uint8_t *bytes = malloc((size_t)depth * 18 + 64);
  size_t size = 0, capacity = (size_t)depth * 18 + 64, at = capacity;
  for (int level = 0; level < depth * 3; level++) {
    static const int fields[] = {6, 5, 1}; /* of attribute, node and graph */
    uint8_t head[8];
    size_t length = 0;
    head[length++] = (uint8_t)(fields[level % 3] << 3 | 2);
    for (uint64_t rest = size;; rest >>= 7) {
      head[length++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
      if (rest <= 0x7f) break;
    }
    at -= length;
    size += length;
    memcpy(bytes + at, head, length);
  }
  message head = {0};
  put_varint(&head, 7 << 3 | 2);
  put_varint(&head, size);
  uint8_t *whole = malloc(head.size + size);
  memcpy(whole, head.bytes, head.size);
  memcpy(whole + head.size, bytes + at, size);
  const char *path = scratch_write("nested.onnx", whole, head.size + size);
  free(whole);
  free(bytes);
  return path;
}

START_TEST(what_is_no_model_is_refused) {
  static uint8_t zeros[2 << 20];
  expect_refused(scratch_path("missing.onnx"), "cannot be opened");
  expect_refused(TEST_DATA "/golden", "");
  expect_refused(scratch_write("empty.onnx", "", 0), "0 bytes");
  expect_refused(scratch_write("text.onnx", "not a model", 11), "no ONNX file");
  expect_refused(scratch_write("zeros.onnx", zeros, 100), "no ONNX");
  expect_refused(nested_file(3), "operator set 0");
  expect_refused(nested_file(40000), "nested more than 16 messages deep"); /* the stack holds no such recursion */
  for (size_t i = 0; i < sizeof zeros; i += 2) zeros[i] = 8 << 3 | 2;      /* a million empty operator sets */
  expect_refused(scratch_write("many.onnx", zeros, sizeof zeros), "small messages");
}
END_TEST

/* Few bytes that ask for much memory. */
START_TEST(memory_is_bounded_by_the_files_size) {
  static message graph, model;
  graph.size = model.size = 0;
  put_node(&graph, "Flatten(x) -> y");
  put_value(&graph, 11, "x", 2, (int64_t[]){1 << 20, 1 << 10});
  put_value(&graph, 12, "y", 0, NULL);
  put_model(&model, &graph, 13);
  expect_refused(scratch_write("wide.onnx", model.bytes, model.size),
                 "input 'x': 1073741824 numbers more than the 0 so far, of at most ");
  graph.size = model.size = 0;
  put_value(&graph, 11, "x", 1, (int64_t[]){1 << 20});
  put_value(&graph, 12, "y", 0, NULL);
  put_node(&graph, "Relu(x) -> y");
  put_model(&model, &graph, 13);
  expect_refused(scratch_write("wide.onnx", model.bytes, model.size), "node 'y' (Relu): 1048576 numbers more than the");
}
END_TEST

/* A file cut off anywhere, and one with a byte changed: a model or a refusal, nothing else. */
START_TEST(damaged_files_do_no_harm) {
  static const char *const names[] = {"norm_legacy13", "view_legacy13", "qdq_channel", "kinds_dynamo20"};
  char path[512];
  snprintf(path, sizeof path, TEST_DATA "/golden/onnx/%s.onnx", names[_i]);
  size_t size;
  unsigned char *bytes = scratch_read(path, &size);
  rung_rng rng = rung_rng_seed((uint64_t)_i);
  for (int round = 0; round < 400; round++) {
    size_t at = rung_rng_below(&rng, (uint32_t)size), length = round % 4 == 0 ? at : size;
    unsigned char kept = bytes[at];
    bytes[at] ^= (unsigned char)(1 + rung_rng_below(&rng, 255));
    const char *damaged = scratch_write("damaged.onnx", bytes, length);
    rung_model *model = rung_model_import_onnx(damaged, &(rung_model_options){.batch = 2, .threads = 1});
    if (!model) ENSURE(*rung_error() && strchr(rung_error(), '\n') == NULL);
    rung_model_free(model);
    bytes[at] = kept;
  }
  free(bytes);
}
END_TEST

/* ---- PyTorch at hand --------------------------------------------------------------------------------------------- */

static const char *const mnist_program =
    "import sys, torch, warnings\n"
    "from torch import nn\n"
    "warnings.filterwarnings('ignore')\n"
    "torch.manual_seed(3)\n"
    "m = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),\n"
    "                  nn.Linear(128, 10)).eval()\n"
    "x = torch.rand(64, 1, 28, 28)\n"
    "torch.onnx.export(m, (x,), sys.argv[1] + '.onnx', dynamo=False, opset_version=17, input_names=['image'],\n"
    "                  dynamic_axes={'image': {0: 'batch'}})\n"
    "open(sys.argv[1] + '.bin', 'wb').write(x.numpy().tobytes() + m(x).detach().numpy().tobytes())\n";

START_TEST(a_network_of_mnists_size_computes_pytorchs_logits) {
  const char *python = peers_python("torch, onnx");
  enum { COUNT = 64 };
  const char *stem = scratch_path("mnist");
  peers_run(python, mnist_program, stem);
  size_t size;
  float *values = (float *)(void *)scratch_read(scratch_path("mnist.bin"), &size);
  ck_assert_uint_eq(size, COUNT * (784 + 10) * sizeof(float));
  static const int32_t labels[COUNT];
  const rung_tensor inputs = {.shape = RUNG_SHAPE(COUNT, 1, 28, 28), .data = values};
  rung_dataset *data = rung_dataset_new("mnist", &inputs, labels, 10, NULL);
  rung_model *model =
      rung_model_import_onnx(scratch_path("mnist.onnx"), &(rung_model_options){.batch = COUNT, .threads = 1});
  if (!model && strstr(rung_error(), "this build has no ONNX")) test_skip("this build has no ONNX");
  ck_assert_msg(model != NULL, "%s", rung_error());
  float *scores = scores_of(model, data, COUNT);
  expect_close(scores, values + COUNT * 784, COUNT * 10, 1e-5);
  free(scores);
  free(values);
  rung_model_free(model);
  rung_dataset_free(data);
}
END_TEST

TEST_MAIN(CASES(what_pytorch_exported_computes_its_logits, LENGTH(exported)), CASES(parameters_are_pytorchs, 5),
          CASES(an_import_is_quantized_trained_and_exported, 4),
          CASES(what_onnx_runtime_quantized_computes_its_logits, 4), CASES(what_rung_quantized_comes_back, LENGTH(own)),
          CASE(bits_of_real_inputs_come_back), CASE(biases_of_many_bits_come_back), CASES(what_rung_lacks_is_named, 48),
          CASES(small_graphs_compute_what_they_say, 25), CASES(integers_of_a_file_are_the_programs, 4),
          CASE(names_fit_the_text), CASE(the_loss_can_be_chosen), CASES(tensors_are_held_against_their_data, 6),
          CASES(data_beside_the_model_is_held_against_its_file, LENGTH(external)),
          CASE(a_file_without_a_name_has_no_folder), CASE(a_damaged_place_does_no_harm),
          CASE(what_is_no_model_is_refused), CASE(memory_is_bounded_by_the_files_size),
          CASES(damaged_files_do_no_harm, 4), CASE(a_network_of_mnists_size_computes_pytorchs_logits))
