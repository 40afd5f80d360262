/* Trains, quantizes and exports what the tests of ONNX files look at.
 * usage: onnx_files SAMPLE FOLDER    SAMPLE: the folder of MNIST's sample, where MNIST itself is not to be had
 *
 * Writes FOLDER/pictures.safetensors, the test pictures; and for each case FOLDER/CASE.onnx, FOLDER/CASE.trace.onnx
 * (programs) and FOLDER/CASE.safetensors: what Rung computes on these pictures, the output of every layer. */
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

enum { MOST_LAYERS = 8, BATCH = 128, EXAMPLES = 20000, NAME_SIZE = 32 };

typedef struct files {
  const char *folder;
  rung_dataset *all_train, *train, *test; /* train: its beginning */
  rung_dataset *real_train, *real_test;   /* the same in f32, standardized */
} files;

static void check(bool ok) {
  if (ok) return;
  fprintf(stderr, "onnx_files: %s\n", rung_error());
  exit(2);
}

static void ok(rung_status status) {
  check(status == RUNG_OK);
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static const char *path_of(const files *to, const char *name, const char *suffix) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s%s", to->folder, name, suffix);
  return path;
}

/* What a network computes on all test pictures, tensor by tensor. */
typedef struct outputs {
  int count;
  rung_named_tensor tensor[MOST_LAYERS];
  char name[MOST_LAYERS][NAME_SIZE];
} outputs;

static void *outputs_add(outputs *to, const char *name, rung_dtype type, rung_shape shape) {
  int64_t elements;
  ok(rung_shape_count(&shape, &elements));
  void *data = rung_allocate((size_t)elements * rung_dtype_size(type));
  check(data != NULL && to->count < MOST_LAYERS);
  snprintf(to->name[to->count], NAME_SIZE, "%s", name);
  to->tensor[to->count] = (rung_named_tensor){to->name[to->count], {.type = type, .shape = shape, .data = data}};
  to->count++;
  return data;
}

static void outputs_write(outputs *from, const char *path) {
  ok(rung_safetensors_write(path, from->tensor, from->count));
  for (int i = 0; i < from->count; i++) rung_release(from->tensor[i].tensor.data);
}

static void write_pictures(const files *to) {
  const rung_tensor labels = {
      .type = RUNG_I32, .shape = RUNG_SHAPE(to->test->count), .data = (void *)(uintptr_t)to->test->labels};
  const rung_named_tensor pictures[] = {{"pictures", to->test->inputs}, {"labels", labels}};
  ok(rung_safetensors_write(path_of(to, "pictures", ".safetensors"), pictures, LENGTH(pictures)));
}

/* The pixels in f32, mean 0 and deviation 1 or so. */
static rung_dataset *standardized(const rung_dataset *pictures) {
  int64_t count = rung_tensor_count(&pictures->inputs);
  rung_tensor real = {.shape = pictures->inputs.shape, .data = rung_allocate((size_t)count * sizeof(float))};
  check(real.data != NULL);
  for (int64_t i = 0; i < count; i++)
    ((float *)real.data)[i] = ((float)((const uint8_t *)pictures->inputs.data)[i] / 255 - 0.13f) / 0.31f;
  rung_dataset *made = rung_dataset_new("real", &real, pictures->labels, pictures->classes, NULL);
  check(made != NULL);
  return made;
}

static void standardized_free(rung_dataset *made) {
  rung_release(made->inputs.data);
  rung_dataset_free(made);
}

/* ---- Networks --------------------------------------------------------------------------------------------------- */

typedef rung_node *network(rung_node *image);

static rung_node *usual_network(rung_node *x) {
  x = rung_relu(rung_linear(x, "fc1", 256));
  x = rung_relu(rung_linear(x, "fc2", 128));
  return rung_linear(x, "fc3", 10);
}

/* No ReLU, a ReLU6, a reshape, a dropout, a folded batch norm, a layer without a bias. */
static rung_node *odd_network(rung_node *x) {
  x = rung_linear(x, "fc1", 61);
  x = rung_reshape(rung_relu6(rung_linear(x, "fc2", 60)), RUNG_SHAPE(4, 15));
  x = rung_dropout(rung_relu(rung_batch_norm(rung_linear(x, "fc3", 33), "bn3")), 0.1f);
  return rung_linear_init(x, "fc4", 10, &(rung_linear_options){.no_bias = true});
}

/* Every operation that the float form knows. */
static rung_node *every_operation(rung_node *x) {
  rung_node *mix = rung_graph_parameter(x->graph, "mix", RUNG_SHAPE(48, 48));
  rung_node *gain = rung_graph_parameter(x->graph, "gain", RUNG_SHAPE(48));
  for (int i = 0; i < 48 * 48 && mix; i++) ((float *)mix->value.data)[i] = (float)(i * 37 % 101 - 50) / 400;
  for (int i = 0; i < 48 && gain; i++) ((float *)gain->value.data)[i] = 1 + (float)i / 48;
  rung_node *h = rung_batch_norm(rung_linear_init(x, "fc1", 48, &(rung_linear_options){.no_bias = true}), "bn1");
  rung_node *side = rung_matmul(rung_tanh(h), mix);
  h = rung_add(rung_gelu(h), side);
  side = rung_multiply(rung_relu(h), gain);
  h = rung_add(rung_multiply(rung_sigmoid(h), h), side);
  h = rung_dropout(rung_relu6(rung_reshape(h, RUNG_SHAPE(6, 8))), 0.1f);
  return rung_dropout(rung_linear(rung_reshape(h, RUNG_SHAPE(2, 4, 6)), "fc2", 10), 0.1f);
}

static rung_model *fitted(const rung_dataset *train, network *record) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .seed = 3, .threads = 1});
  rung_loss_cross_entropy(record(rung_input(model, "image", RUNG_SHAPE(28, 28))));
  ok(rung_model_status(model));
  ok(rung_fit(model, train, &(rung_fit_options){.epochs = 1, .rate = 2e-3f}));
  return model;
}

/* ---- Programs --------------------------------------------------------------------------------------------------- */

static const struct program_case {
  const char *name;
  network *record; /* NULL: the usual one */
  rung_scheme scheme;
  int opset;
  bool qat, real; /* trained in integers; on real inputs */
} program_cases[] = {
    {.name = "w8a8-ptq"},
    {.name = "w8a8-qat", .qat = true},
    {.name = "w4a4-ptq", .scheme = {.weight_bits = 4, .activation_bits = 4}},
    {.name = "w4a4-qat", .scheme = {.weight_bits = 4, .activation_bits = 4}, .qat = true},
    {.name = "w4a4-opset13", .scheme = {.weight_bits = 4, .activation_bits = 4}, .qat = true, .opset = 13},
    {.name = "w8a8-opset21", .opset = 21},
    {.name = "w2a3-qat", .scheme = {.weight_bits = 2, .activation_bits = 3}, .qat = true},
    {.name = "w1a8-qat", .scheme = {.weight_bits = 1}, .qat = true},
    {.name = "w8a8-signed", .scheme = {.activation_signed = true}},
    {.name = "w8a8-symmetric", .scheme = {.activation_signed = true, .activation_symmetric = true}, .qat = true},
    {.name = "w4a4-signed", .scheme = {.weight_bits = 4, .activation_bits = 4, .activation_signed = true}, .qat = true},
    {.name = "w8a8-tensor", .scheme = {.weight_granularity = RUNG_PER_TENSOR}, .qat = true},
    {.name = "w8a8-groups", .scheme = {.weight_granularity = RUNG_PER_GROUP, .weight_group = 48}},
    {.name = "w4a8-groups",
     .scheme = {.weight_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 32},
     .qat = true},
    {.name = "w8a8-odd", .record = odd_network, .qat = true},
    {.name = "w4a4-odd",
     .record = odd_network,
     .scheme = {.weight_bits = 4, .activation_bits = 4, .activation_signed = true, .activation_symmetric = true},
     .qat = true},
    {.name = "w8a8-real", .scheme = {.activation_signed = true}, .real = true},
    {.name = "w4a4-real", .scheme = {.weight_bits = 4, .activation_bits = 4}, .real = true},
};

/* The outputs of one program, a block of examples at a time. */
typedef struct program_trace {
  outputs *to;
  int layers; /* the first one's place there */
  int64_t first, examples;
} program_trace;

static void keep_layer(void *context, int index, rung_dtype type, const void *output, int64_t count, int64_t out) {
  program_trace *trace = context;
  char name[NAME_SIZE];
  snprintf(name, sizeof name, type == RUNG_I32 ? "logits" : "fc%d", index + 1);
  if (trace->first == 0) outputs_add(trace->to, name, type, RUNG_SHAPE(trace->examples, out));
  size_t row = (size_t)out * rung_dtype_size(type);
  memcpy((char *)trace->to->tensor[trace->layers + index].tensor.data + (size_t)trace->first * row, output,
         (size_t)count * row);
}

/* Real inputs, and what they become; that is returned. */
static const void *keep_input(const rung_program *program, const rung_dataset *test, outputs *to) {
  const rung_program_info info = rung_program_describe(program);
  float *image = outputs_add(to, "image", RUNG_F32, test->inputs.shape);
  memcpy(image, test->inputs.data, (size_t)(test->count * info.inputs) * sizeof *image);
  void *q = outputs_add(to, "image.quantized", info.input_type, RUNG_SHAPE(test->count, info.inputs));
  ok(rung_program_quantize(program, image, q, test->count));
  return q;
}

static void run_program(const rung_program *program, const char *input, int64_t examples, outputs *to) {
  const rung_program_info info = rung_program_describe(program);
  void *scratch = rung_allocate(rung_program_scratch(program, BATCH));
  int32_t *logits = rung_allocate((size_t)(BATCH * info.outputs) * sizeof *logits);
  check(scratch && logits);
  program_trace trace = {to, to->count, 0, examples};
  for (; trace.first < examples; trace.first += BATCH) {
    int64_t count = examples - trace.first < BATCH ? examples - trace.first : BATCH;
    ok(rung_program_trace(program, input + trace.first * info.inputs, logits, count, scratch, keep_layer, &trace));
  }
  *(float *)outputs_add(to, "logit_scale", RUNG_F32, RUNG_SHAPE(1)) = info.logit_scale;
  rung_release(scratch);
  rung_release(logits);
}

static void write_program(const files *to, const struct program_case *of) {
  const rung_dataset *train = of->real ? to->real_train : to->train, *test = of->real ? to->real_test : to->test;
  rung_model *model = fitted(train, of->record ? of->record : usual_network);
  ok(rung_quantize(model, &of->scheme));
  ok(rung_calibrate(model, train, 1000));
  if (of->qat) ok(rung_fit(model, train, &(rung_fit_options){.epochs = 1, .rate = 2e-4f}));
  rung_program *program = rung_freeze(model);
  check(program != NULL);
  rung_onnx_options options = {.opset = of->opset};
  ok(rung_program_export_onnx(program, path_of(to, of->name, ".onnx"), &options));
  options.trace = true;
  ok(rung_program_export_onnx(program, path_of(to, of->name, ".trace.onnx"), &options));
  outputs computed = {0};
  const void *input = test->inputs.data;
  if (of->real) input = keep_input(program, test, &computed);
  run_program(program, input, test->count, &computed);
  outputs_write(&computed, path_of(to, of->name, ".safetensors"));
  rung_program_free(program);
  rung_model_free(model);
}

/* ---- Float models ----------------------------------------------------------------------------------------------- */

static const struct model_case {
  const char *name;
  network *record;
} model_cases[] = {{"float", usual_network}, {"float-every", every_operation}};

static void run_model(rung_model *model, const rung_dataset *test, outputs *to) {
  rung_graph *graph = rung_model_bind(model, test);
  check(graph != NULL);
  const rung_tensor *scores = &rung_graph_node(graph, rung_graph_node_count(graph) - 1)->input[0]->value;
  float *logits = outputs_add(to, "logits", RUNG_F32, RUNG_SHAPE(test->count, 10));
  for (int64_t first = 0; first < test->count; first += BATCH) {
    int64_t count = test->count - first < BATCH ? test->count - first : BATCH;
    ok(rung_graph_replay(graph, &(rung_replay_options){.count = count, .first = first}));
    memcpy(logits + first * 10, scores->data, (size_t)count * 10 * sizeof *logits);
  }
}

static void write_model(const files *to, const struct model_case *of) {
  rung_model *model = fitted(to->train, of->record);
  ok(rung_model_export_onnx(model, path_of(to, of->name, ".onnx")));
  outputs computed = {0};
  run_model(model, to->test, &computed);
  outputs_write(&computed, path_of(to, of->name, ".safetensors"));
  rung_model_free(model);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fputs("usage: onnx_files SAMPLE FOLDER\n", stderr);
    return 2;
  }
  files to = {.folder = argv[2]};
  const char *name = "mnist";
  to.test = rung_dataset_load(name, RUNG_TEST);
  if (!to.test) to.test = rung_dataset_load(name = argv[1], RUNG_TEST);
  check(to.test != NULL);
  to.all_train = rung_dataset_load(name, RUNG_TRAIN);
  check(to.all_train != NULL);
  to.train = rung_dataset_view(to.all_train, 0, to.all_train->count < EXAMPLES ? to.all_train->count : EXAMPLES);
  check(to.train != NULL);
  to.real_train = standardized(to.train);
  to.real_test = standardized(to.test);
  write_pictures(&to);
  for (int i = 0; i < LENGTH(program_cases); i++) write_program(&to, &program_cases[i]);
  for (int i = 0; i < LENGTH(model_cases); i++) write_model(&to, &model_cases[i]);
  standardized_free(to.real_train);
  standardized_free(to.real_test);
  rung_dataset_free(to.train);
  rung_dataset_free(to.all_train);
  rung_dataset_free(to.test);
  return 0;
}
