/* What the FP32 network and the integer one answer, example by example. */
#include "parts.h"

#include "network.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_PICTURES = 48, MOST_PIXELS = 64 * 64, MOST_CLASSES = 32 };

typedef struct answers {
  const subject *of;
  int32_t *real, *integer; /* [examples]: the class with the largest score */
} answers;

/* ---- Answering -------------------------------------------------------------------------------------------------- */

/* What the loss reads, [n, classes]: f32, or the integer network's i32 logits. */
static const rung_tensor *scores_of(const rung_model *model) {
  rung_graph *graph = rung_model_graph(model);
  const rung_node *scores = rung_graph_node(graph, rung_graph_node_count(graph) - 1)->input[0];
  if (rung_model_form(model) == RUNG_FORM_FLOAT) return &scores->value;
  return &rung_quantization_node(rung_model_quantization(model), RUNG_ARITHMETIC_INTEGER, scores)->value;
}

/* The first of the largest. */
static int32_t winner(const rung_tensor *scores, int64_t row) {
  const int64_t classes = scores->shape.extent[1];
  const float *real = (const float *)scores->data + row * classes;
  const int32_t *integer = (const int32_t *)scores->data + row * classes;
  int32_t best = 0;
  for (int32_t j = 1; j < classes; j++)
    if (scores->type == RUNG_F32 ? real[j] > real[best] : integer[j] > integer[best]) best = j;
  return best;
}

static rung_status answer(rung_model *model, const rung_dataset *test, int32_t *to) {
  rung_graph *graph = rung_model_bind(model, test);
  if (!graph) return rung_error_status();
  const int64_t batch = rung_graph_batch(graph);
  for (int64_t first = 0; first < test->count; first += batch) {
    const int64_t left = test->count - first, count = left < batch ? left : batch;
    rung_status status = rung_graph_replay(graph, &(rung_replay_options){.count = count, .first = first});
    if (status != RUNG_OK) return status;
    for (int64_t i = 0; i < count; i++) to[first + i] = winner(scores_of(model), i);
  }
  return RUNG_OK;
}

/* ---- Telling ---------------------------------------------------------------------------------------------------- */

/* Accuracy or loss of the present form, under `key`. */
static rung_status test_form(const subject *of, rung_model *model, const char *key) {
  rung_metrics metrics;
  report *to = &of->asked->report;
  json *object = json_object(of->object, key);
  char bits[8] = "fp32";
  rung_status status = rung_evaluate(model, of->test, &metrics);
  if (status != RUNG_OK) return status;
  if (rung_model_form(model) != RUNG_FORM_FLOAT) network_bits(model, bits);
  if (of->test->labels)
    report_say(to, "%s: %.2f %% of %" PRId64 " examples, loss %.4f\n", bits, 100 * metrics.accuracy, metrics.examples,
               metrics.loss);
  else
    report_say(to, "%s: loss %.6g over %" PRId64 " examples\n", bits, metrics.loss, metrics.examples);
  json_text(object, "bits", bits);
  if (of->test->labels) json_number(object, "accuracy", metrics.accuracy);
  json_number(object, "loss", metrics.loss);
  return RUNG_OK;
}

static void put_confusion(const answers *all) {
  const rung_dataset *test = all->of->test;
  const int64_t classes = test->classes;
  if (classes > MOST_CLASSES) return;
  int64_t *counts = calloc((size_t)(classes * classes), sizeof *counts);
  if (!counts) return;
  for (int64_t i = 0; i < test->count; i++)
    if (all->integer[i] < classes) counts[test->labels[i] * classes + all->integer[i]]++;
  json *rows = json_list(all->of->object, "confusion");
  for (int64_t i = 0; i < classes; i++) {
    json *row = json_list_list(rows);
    for (int64_t j = 0; j < classes; j++) json_list_whole(row, counts[i * classes + j]);
  }
  free(counts);
}

/* Pixels 0 .. 255 of a grey picture as two hexadecimal digits each; f32 ones between the least and the largest. */
static void put_picture(json *object, const rung_tensor *inputs, int64_t index) {
  const int64_t count = inputs->shape.extent[1] * inputs->shape.extent[2];
  const uint8_t *pixels = (const uint8_t *)inputs->data + index * count;
  const float *real = (const float *)inputs->data + index * count;
  float least = 0, most = 1;
  char text[2 * MOST_PIXELS + 1];
  for (int64_t i = 0; i < count && inputs->type == RUNG_F32; i++) {
    least = i == 0 || real[i] < least ? real[i] : least;
    most = i == 0 || real[i] > most ? real[i] : most;
  }
  for (int64_t i = 0; i < count; i++) {
    const float share = inputs->type == RUNG_F32 && most > least ? (real[i] - least) / (most - least) : 0;
    snprintf(text + 2 * i, 3, "%02x", inputs->type == RUNG_U8 ? (unsigned)pixels[i] : (unsigned)(255 * share));
  }
  json_text(object, "pixels", text);
}

static bool are_pictures(const rung_tensor *inputs) {
  const rung_shape *shape = &inputs->shape;
  return shape->rank == 3 && shape->extent[1] > 1 && shape->extent[2] > 1 &&
         shape->extent[1] * shape->extent[2] <= MOST_PIXELS && (inputs->type == RUNG_U8 || inputs->type == RUNG_F32);
}

static void put_changed(const answers *all) {
  const rung_dataset *test = all->of->test;
  const bool pictures = are_pictures(&test->inputs);
  int64_t changed = 0, won = 0, lost = 0;
  json *object = json_object(all->of->object, "changed"), *list = json_list(object, "examples");
  for (int64_t i = 0; i < test->count; i++) {
    if (all->real[i] == all->integer[i]) continue;
    won += all->integer[i] == test->labels[i];
    lost += all->real[i] == test->labels[i];
    if (++changed > MOST_PICTURES) continue;
    json *row = json_list_object(list);
    json_whole(row, "index", i);
    json_whole(row, "label", test->labels[i]);
    json_whole(row, "float", all->real[i]);
    json_whole(row, "integer", all->integer[i]);
    if (pictures) put_picture(row, &test->inputs, i);
  }
  json_whole(object, "count", changed);
  json_whole(object, "won", won);
  json_whole(object, "lost", lost);
  if (pictures) json_whole(object, "height", test->inputs.shape.extent[1]);
  if (pictures) json_whole(object, "width", test->inputs.shape.extent[2]);
  report_say(&all->of->asked->report,
             "another answer in integers: %" PRId64 " examples, %" PRId64 " of them now right, %" PRId64 " now wrong\n",
             changed, won, lost);
}

static void put_classes(const subject *of) {
  char number[16];
  json *list = json_list(of->object, "classes");
  for (int32_t i = 0; i < of->test->classes; i++) {
    snprintf(number, sizeof number, "%" PRId32, i);
    json_list_text(list, of->test->class_names ? of->test->class_names[i] : number);
  }
}

rung_status part_answers(const subject *of) {
  const size_t bytes = (size_t)of->test->count * sizeof(int32_t);
  answers all = {.of = of, .real = rung_allocate(bytes), .integer = rung_allocate(bytes)};
  rung_status status = all.real && all.integer ? rung_model_use(of->real, RUNG_FORM_FLOAT) : RUNG_ERROR_MEMORY;
  if (status == RUNG_OK) status = test_form(of, of->real, "float");
  if (status == RUNG_OK && of->test->labels) status = answer(of->real, of->test, all.real);
  if (status == RUNG_OK) status = rung_model_use(of->model, RUNG_FORM_INTEGER);
  if (status == RUNG_OK) status = test_form(of, of->model, "integer");
  if (status == RUNG_OK && of->test->labels) status = answer(of->model, of->test, all.integer);
  if (status == RUNG_OK && of->test->labels) {
    put_classes(of);
    put_confusion(&all);
    put_changed(&all);
  }
  rung_release(all.real);
  rung_release(all.integer);
  return status;
}
