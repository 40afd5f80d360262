/* The networks that are trained and run, and the pictures. */
#ifndef BENCH_NETWORK_H
#define BENCH_NETWORK_H

#include "bench.h"

enum { NETWORK_INPUTS = 784, NETWORK_CLASSES = 10, NETWORK_HIDDEN = 3 };

typedef struct network {
  const char *name;
  int64_t hidden[NETWORK_HIDDEN + 1]; /* ends with 0 */
  int64_t batch;                      /* that it is trained with */
} network;

enum { NETWORK_COUNT = 3 };
extern const network networks[NETWORK_COUNT];

/* What the command line says of networks and pictures. */
typedef struct network_settings {
  const char *size, *bits, *data; /* size: NULL: every network; bits: NULL: w8a8; data: NULL: MNIST where it is found */
  rung_scheme scheme;
  rung_dataset *pictures;
  void *owned[2];
} network_settings;

#define NETWORK_OPTIONS(settings)                                                                                      \
  {"size", "a network's number 0..2 or its name (all)", BENCH_TEXT, &(settings)->size, 0, 0},                          \
      {"bits", "wNaM of the quantized form (w8a8)", BENCH_TEXT, &(settings)->bits, 0, 0}, {                            \
    "data", "as mnist_mlp takes it (mnist where it is found, else random bytes)", BENCH_TEXT, &(settings)->data, 0, 0  \
  }

/* Checks what was read, and loads the pictures: at least `count`, or so many of random bytes. */
void network_begin(network_settings *settings, int64_t count);
void network_end(network_settings *settings);
bool network_chosen(int index, const network_settings *settings);

/* Its logits in *logits. */
rung_model *network_record(const network *net, int64_t batch, int threads, rung_node **logits);
/* Multiply-adds of its matrix products for a picture, times 2: of the forward pass, and of a training step (forward;
 * the weights' gradients, as much; the inputs' gradients, as much but for the first layer). */
double network_forward_operations(const network *net);
double network_training_operations(const network *net);

#endif
