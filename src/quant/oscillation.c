/* Weights that oscillate (Nagel et al., Overcoming Oscillations in Quantization-Aware Training, ICML 2022).
 *
 *   flip         d(t) = q(t) - q(t-1) is not 0
 *   oscillation  o(t) = 1 where d(t) is a flip and the one before it went the other way, else 0
 *   frequency    f(t) = f(t-1) + m (o(t) - f(t-1))                                                             eq. 65
 *   mean         a(t) = a(t-1) + m (q(t) - a(t-1))                                                             eq. 66
 *   freezing     where f(t) > threshold: q = rne(a(t)) from then on, and dw = 0
 *   damping      dw += 2 lambda (w - s q) where s qmin <= w <= s qmax                                           eq. 67
 */
#include "oscillation.h"

#include <math.h>
#include <string.h>

/* Published for counting: a weight that oscillates more often than this is one that oscillates. */
#define OFTEN 0.005f

oscillation *oscillation_new(rung_node *node, const oscillation *shape, const int8_t *q) {
  const size_t count = (size_t)(shape->out * shape->in);
  oscillation *self = rung_node_allocate(node, 1, sizeof *self);
  if (!self) return NULL;
  *self = *shape;
  rung_oscillation_state *state = &self->state;
  state->code = rung_node_allocate(node, count, sizeof *state->code);
  state->direction = rung_node_allocate(node, count, sizeof *state->direction);
  state->frozen = rung_node_allocate(node, count, sizeof *state->frozen);
  state->flips = rung_node_allocate(node, count, sizeof *state->flips);
  state->frequency = rung_node_allocate(node, count, sizeof *state->frequency);
  state->mean = rung_node_allocate(node, count, sizeof *state->mean);
  if (!state->code || !state->direction || !state->frozen || !state->flips || !state->frequency || !state->mean)
    return NULL;
  memcpy(state->code, q, count);
  for (size_t i = 0; i < count; i++) state->mean[i] = q[i];
  return self;
}

static void note_flip(rung_oscillation_state *state, int64_t i, int8_t q, float momentum) {
  const int flip = (q > state->code[i]) - (q < state->code[i]);
  const float turned = flip != 0 && state->direction[i] == -flip ? 1 : 0;
  state->flips[i] += flip != 0 && state->flips[i] < INT32_MAX;
  if (flip != 0) state->direction[i] = (int8_t)flip;
  state->code[i] = q;
  state->frequency[i] += momentum * (turned - state->frequency[i]);
  state->mean[i] += momentum * ((float)q - state->mean[i]);
}

static void freeze(const oscillation *self, int64_t i) {
  const float nearest = rintf(self->state.mean[i]);
  self->state.code[i] = (int8_t)fminf(fmaxf(nearest, (float)self->qmin), (float)self->qmax);
  if (self->binary) self->state.code[i] = self->state.mean[i] >= 0 ? 1 : -1;
  self->state.frozen[i] = 1;
}

void oscillation_hold(const oscillation *self, int8_t *q, int64_t begin, int64_t end) {
  for (int64_t i = begin * self->in; i < end * self->in; i++)
    if (self->state.frozen[i]) q[i] = self->state.code[i];
}

void oscillation_step(oscillation *self, int8_t *q, int64_t begin, int64_t end) {
  const rung_oscillation_options *now = self->now;
  for (int64_t i = begin * self->in; now->watch && i < end * self->in; i++) {
    if (self->state.frozen[i]) continue;
    note_flip(&self->state, i, q[i], now->momentum);
    if (now->freeze > 0 && self->state.frequency[i] > now->freeze) freeze(self, i);
  }
  oscillation_hold(self, q, begin, end);
}

bool oscillation_has_gradient(const oscillation *self) {
  return self != NULL && (self->now->damping > 0 || self->now->freeze > 0);
}

void oscillation_gradient(const oscillation *self, float *gradient, const int8_t *q, const float *shadow,
                          const float *scale, int64_t begin, int64_t end) {
  const float strength = 2 * self->now->damping;
  for (int64_t row = begin; row < end; row++)
    for (int64_t column = 0; column < self->in; column++, gradient++) {
      const int64_t i = row * self->in + column;
      const float s = scale[row * self->groups + column / self->group];
      const bool inside = shadow[i] >= s * (float)self->qmin && shadow[i] <= s * (float)self->qmax;
      if (self->state.frozen[i])
        *gradient = 0;
      else if (inside)
        *gradient += strength * (shadow[i] - s * (float)q[i]);
    }
}

rung_oscillation oscillation_count(const oscillation *self) {
  rung_oscillation count = {.weights = self->out * self->in};
  for (int64_t i = 0; i < count.weights; i++) {
    count.flips += self->state.flips[i];
    count.frozen += self->state.frozen[i];
    count.oscillating += !self->state.frozen[i] && self->state.frequency[i] > OFTEN;
  }
  return count;
}
