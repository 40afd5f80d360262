#include "network.h"

#include <string.h>

const network networks[NETWORK_COUNT] = {{"784-256-128-10", {256, 128}, 64},
                                         {"784-512-512-10", {512, 512}, 128},
                                         {"784-1024-1024-1024-10", {1024, 1024, 1024}, 256}};

rung_model *network_record(const network *net, int64_t batch, int threads, rung_node **logits) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = batch, .threads = threads, .seed = 1});
  rung_node *x = rung_input(model, "image", RUNG_SHAPE(28, 28));
  for (int i = 0; net->hidden[i]; i++) {
    char name[16];
    snprintf(name, sizeof name, "fc%d", i + 1);
    x = rung_relu(rung_linear(x, name, net->hidden[i]));
  }
  *logits = rung_linear(x, "logits", NETWORK_CLASSES);
  rung_loss_cross_entropy(*logits);
  bench_check(model && rung_model_status(model) == RUNG_OK);
  return model;
}

double network_forward_operations(const network *net) {
  double sum = 0;
  int64_t in = NETWORK_INPUTS;
  for (int i = 0; net->hidden[i]; in = net->hidden[i++]) sum += 2.0 * (double)(in * net->hidden[i]);
  return sum + 2.0 * (double)(in * NETWORK_CLASSES);
}

double network_training_operations(const network *net) {
  return 3 * network_forward_operations(net) - 2.0 * (double)(NETWORK_INPUTS * net->hidden[0]);
}

/* ---- Settings --------------------------------------------------------------------------------------------------- */

bool network_chosen(int index, const network_settings *s) {
  char number[16];
  snprintf(number, sizeof number, "%d", index);
  return !s->size || !strcmp(s->size, number) || !strcmp(s->size, networks[index].name);
}

static void make_random(network_settings *s, int64_t count) {
  rung_rng rng = rung_rng_seed(1);
  size_t bytes = (size_t)count * NETWORK_INPUTS;
  uint32_t *pixels = s->owned[0] = rung_allocate(bytes);
  int32_t *labels = s->owned[1] = rung_allocate((size_t)count * sizeof *labels);
  bench_check(pixels && labels);
  for (size_t i = 0; i < bytes / sizeof *pixels; i++) pixels[i] = rung_rng_u32(&rng);
  for (int64_t i = 0; i < count; i++) labels[i] = (int32_t)rung_rng_below(&rng, NETWORK_CLASSES);
  rung_tensor inputs = {.type = RUNG_U8, .shape = RUNG_SHAPE(count, 28, 28), .data = pixels, .scale = 1.0f / 255};
  s->pictures = rung_dataset_new("random", &inputs, labels, NETWORK_CLASSES, NULL);
}

void network_begin(network_settings *s, int64_t count) {
  bool any = false;
  for (int i = 0; i < NETWORK_COUNT; i++) any = any || network_chosen(i, s);
  if (!any)
    bench_fail("--size '%s': expected 0..%d or a name such as %s", s->size, NETWORK_COUNT - 1, networks[0].name);
  if (!s->bits) s->bits = "w8a8";
  if (rung_scheme_parse_bits(s->bits, &s->scheme) != RUNG_OK) bench_fail("--bits: %s", rung_error());
  s->pictures = rung_dataset_load(s->data ? s->data : "mnist", RUNG_TRAIN);
  if (!s->pictures && !s->data) make_random(s, count);
  bench_check(s->pictures != NULL);
  if (s->pictures->count < count)
    bench_fail("--data '%s': %lld pictures, expected %lld or more", s->data ? s->data : "mnist",
               (long long)s->pictures->count, (long long)count);
}

void network_end(network_settings *s) {
  rung_dataset_free(s->pictures);
  for (int i = 0; i < 2; i++) rung_release(s->owned[i]);
}
