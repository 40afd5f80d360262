/* The linear layer on integers in a graph of its own, and what it is held against. */
#ifndef TESTS_LAYER_NET_H
#define TESTS_LAYER_NET_H

#include "plain_layer.h"

static const rung_observer_options min_max = {.kind = RUNG_OBSERVER_MIN_MAX};

/* x [batch, in] f32 -> integers -> the layer -> f32 -> g . y */
typedef struct net {
  rung_team *team;
  rung_graph *graph;
  rung_quantizer *input, *output;
  rung_node *x, *w, *b, *q, *layer;
} net;

/* The quantizer stands as given, and does not move. */
static inline rung_quantizer *fixed(const char *name, const rung_format *format, float scale, int32_t zero_point) {
  rung_quantizer *quantizer = rung_quantizer_new(name, format, &min_max);
  ck_assert_msg(quantizer != NULL, "%s", rung_error());
  quantizer->scale = scale;
  quantizer->zero_point = zero_point;
  quantizer->state = RUNG_QUANTIZER_FROZEN;
  return quantizer;
}

/* Takes `output` over; NULL where the case has no output format. */
static inline net make(const layer_case *at, const layer_data *data, rung_quantizer *output, rung_ranges ranges,
                       int threads) {
  net made = {.team = rung_team_new(threads), .output = output};
  made.graph = rung_graph_new(&(rung_graph_options){.batch = PLAIN_BATCH, .team = made.team, .seed = at->seed});
  made.input = at->input.is_signed ? fixed("x", &at->input, 0.03f, -21) : fixed("x", &at->input, 0.02f, 119);
  made.x = rung_graph_parameter(made.graph, "x", RUNG_SHAPE(PLAIN_BATCH, PLAIN_IN));
  made.w = rung_graph_parameter(made.graph, "w", RUNG_SHAPE(PLAIN_OUT, PLAIN_IN));
  made.b = at->no_bias ? NULL : rung_graph_parameter(made.graph, "b", RUNG_SHAPE(PLAIN_OUT));
  made.q = rung_quantize_node(made.x, made.input, RUNG_RANGES_DELAYED);
  made.layer = rung_quantized_linear(
      made.q, made.w, made.b,
      &(rung_quantized_linear_options){.weight_format = at->weight,
                                       .granularity = at->granularity,
                                       .group = at->granularity == RUNG_PER_GROUP ? PLAIN_GROUP : 0,
                                       .clamp = at->clamp,
                                       .output = output,
                                       .ranges = ranges,
                                       .backward = at->backward});
  ck_assert_msg(weigh(rung_dequantize_node(made.layer), NULL, data->g) != NULL, "%s", rung_error());
  memcpy(made.x->value.data, data->x, sizeof data->x);
  memcpy(made.w->value.data, data->w, sizeof data->w);
  if (made.b) memcpy(made.b->value.data, data->b, sizeof data->b);
  return made;
}

static inline void release(net *made) {
  rung_graph_free(made->graph);
  rung_quantizer_free(made->input);
  rung_quantizer_free(made->output);
  rung_team_free(made->team);
}

/* The layer as its definition has it, for the scales that are in force. */
static inline void compute(plain_layer *plain, const layer_case *at, const layer_data *data, const net *made) {
  plain->sx = made->input->scale;
  plain->zx = made->input->zero_point;
  if (made->output) {
    plain->sy = made->output->scale;
    plain->zy = made->output->zero_point;
  }
  plain_forward(plain, at, data);
}

static inline int64_t integer_at(const rung_tensor *tensor, int64_t i) {
  return tensor->type == RUNG_I32  ? ((const int32_t *)tensor->data)[i]
         : tensor->type == RUNG_I8 ? ((const int8_t *)tensor->data)[i]
                                   : ((const uint8_t *)tensor->data)[i];
}

static inline void expect_integers(const plain_layer *plain, const net *made) {
  for (int i = 0; i < PLAIN_BATCH * PLAIN_OUT; i++) ENSURE(integer_at(&made->layer->value, i) == plain->y[i]);
}

/* -0 and 0 are the same. */
static inline void expect_floats(const void *data, const float *expected, int count) {
  for (int i = 0; i < count; i++) ENSURE(((const float *)data)[i] == expected[i]);
}

#endif
