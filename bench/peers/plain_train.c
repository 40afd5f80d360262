/* A training step of an MLP in plain C, as a careful person writes it without a library: weights [in][out], so that
 * every inner loop runs along memory and the compiler makes vectors of it (-O3 -march=native -ffast-math). FP32, ReLU,
 * softmax cross-entropy, Adam, one thread. */
#include "peer.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LAYERS = 3, PICTURES = 4096 };

typedef struct {
  int in, out;
  float *weights, *gradient, *first, *second; /* [in + 1][out]: the last row is the bias; Adam's two moments */
  float *y, *dy;                              /* [batch][out] */
} layer;

typedef struct {
  layer layers[LAYERS];
  int batch, step;
  uint8_t *pictures, *labels;
  float *x; /* [batch][784] */
} network;

static float *zeros(size_t count) {
  float *values = peer_allocate(count * sizeof *values);
  return memset(values, 0, count * sizeof *values);
}

static void forward(const layer *l, const float *restrict x, int batch, bool relu) {
  for (int b = 0; b < batch; b++) {
    float *restrict y = l->y + (size_t)b * (size_t)l->out;
    memcpy(y, l->weights + l->in * l->out, (size_t)l->out * sizeof *y);
    for (int i = 0; i < l->in; i++) {
      float value = x[b * l->in + i];
      const float *restrict row = l->weights + i * l->out;
      for (int o = 0; o < l->out; o++) y[o] += value * row[o];
    }
    for (int o = 0; relu && o < l->out; o++) y[o] = y[o] > 0 ? y[o] : 0;
  }
}

/* Gradients of the weights; then of the input, through the ReLU that made it. */
static void backward(const layer *l, const float *restrict x, float *restrict dx, int batch) {
  memset(l->gradient, 0, (size_t)((l->in + 1) * l->out) * sizeof(float));
  for (int b = 0; b < batch; b++) {
    const float *restrict dy = l->dy + b * l->out;
    for (int i = 0; i <= l->in; i++) {
      float value = i < l->in ? x[b * l->in + i] : 1;
      float *restrict row = l->gradient + i * l->out;
      for (int o = 0; o < l->out; o++) row[o] += value * dy[o];
    }
    for (int i = 0; dx && i < l->in; i++) {
      const float *restrict row = l->weights + i * l->out;
      float sum = 0;
      for (int o = 0; o < l->out; o++) sum += row[o] * dy[o];
      dx[b * l->in + i] = x[b * l->in + i] > 0 ? sum : 0;
    }
  }
}

static void softmax_gradient(const layer *l, const uint8_t *labels, int batch) {
  for (int b = 0; b < batch; b++) {
    const float *y = l->y + b * l->out;
    float *dy = l->dy + b * l->out, largest = y[0], sum = 0;
    for (int o = 1; o < l->out; o++) largest = y[o] > largest ? y[o] : largest;
    for (int o = 0; o < l->out; o++) sum += dy[o] = expf(y[o] - largest);
    for (int o = 0; o < l->out; o++) dy[o] = (dy[o] / sum - (o == labels[b])) / (float)batch;
  }
}

static void adam(const layer *l, int step) {
  const float rate = 1e-3f * sqrtf(1 - powf(0.999f, (float)step)) / (1 - powf(0.9f, (float)step));
  float *restrict w = l->weights, *restrict g = l->gradient, *restrict m = l->first, *restrict v = l->second;
  for (int i = 0; i < (l->in + 1) * l->out; i++) {
    m[i] = 0.9f * m[i] + 0.1f * g[i];
    v[i] = 0.999f * v[i] + 0.001f * g[i] * g[i];
    w[i] -= rate * m[i] / (sqrtf(v[i]) + 1e-8f);
  }
}

static void train_step(void *argument) {
  network *n = argument;
  int start = n->step * n->batch % PICTURES, inputs = n->layers[0].in;
  n->step++;
  const uint8_t *pictures = n->pictures + (size_t)start * (size_t)inputs;
  for (int i = 0; i < n->batch * inputs; i++) n->x[i] = (float)pictures[i] * (1 / 255.0f);
  for (int i = 0; i < LAYERS; i++) forward(&n->layers[i], i ? n->layers[i - 1].y : n->x, n->batch, i < LAYERS - 1);
  softmax_gradient(&n->layers[LAYERS - 1], n->labels + start, n->batch);
  for (int i = LAYERS - 1; i >= 0; i--) {
    const layer *below = i ? &n->layers[i - 1] : NULL;
    backward(&n->layers[i], below ? below->y : n->x, below ? below->dy : NULL, n->batch);
  }
  for (int i = 0; i < LAYERS; i++) adam(&n->layers[i], n->step);
}

static void measure(const char *name, const int widths[LAYERS + 1], int batch, double seconds) {
  network n = {.batch = batch, .pictures = peer_bytes((size_t)(PICTURES * widths[0]))};
  n.x = zeros((size_t)(batch * widths[0]));
  n.labels = peer_allocate(PICTURES);
  for (int i = 0; i < PICTURES; i++) n.labels[i] = (uint8_t)(i % 10);
  double operations = 0;
  for (int i = 0; i < LAYERS; i++) {
    int in = widths[i], out = widths[i + 1];
    size_t size = (size_t)((in + 1) * out), rows = (size_t)(batch * out);
    n.layers[i] = (layer){in, out, peer_floats(size), zeros(size), zeros(size), zeros(size), zeros(rows), zeros(rows)};
    for (size_t w = 0; w < size; w++) n.layers[i].weights[w] /= sqrtf((float)in);
    operations += (i ? 6.0 : 4.0) * batch * in * out;
  }
  peer_measure("plain-c", name, "step", "gflops", operations, train_step, &n, seconds);
}

int main(int argc, char **argv) {
  double seconds = peer_seconds(argc, argv);
  peer_begin("train", "plain C");
  measure("train/784-256-128-10/b64/fp32", (const int[]){784, 256, 128, 10}, 64, seconds);
  measure("train/784-512-512-10/b128/fp32", (const int[]){784, 512, 512, 10}, 128, seconds);
  peer_end();
  return 0;
}
