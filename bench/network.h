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

/* Whether `text` (NULL: any) is the network's number or name. */
bool network_chosen(int index, const char *text);
/* Fails the program where `text` is neither NULL nor any network's number or name. */
void network_check(const char *text);

/* Its logits in *logits. */
rung_model *network_record(const network *net, int64_t batch, int threads, rung_node **logits);
/* Multiply-adds of its matrix products for a picture, times 2: of the forward pass, and of a training step (forward;
 * the weights' gradients, as much; the inputs' gradients, as much but for the first layer). */
double network_forward_operations(const network *net);
double network_training_operations(const network *net);

typedef struct pictures {
  rung_dataset *dataset;
  const char *source; /* what they are */
  void *owned[2];
} pictures;

/* `name` as rung_dataset_load takes it; NULL: MNIST where it is found, else `count` pictures of random bytes. */
pictures pictures_load(const char *name, int64_t count);
void pictures_free(pictures *p);

#endif
