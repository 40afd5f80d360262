/* Inputs of few bits: the table from byte to byte against the formula, for every byte there is. */
#include "ops/quantized_ops.h"
#include "quant_data.h"

static const struct {
  const char *name;
  rung_dtype type;
  float scale;
  int32_t zero_point;
  float a, b; /* the rescaling; a = 0: none */
  int bits;
  bool is_signed;
  int32_t qmin, qmax;
  float grid; /* the scale that comes of it */
} inputs[] = {
    {"pixels", RUNG_U8, 1 / 255.0f, 0, 0, 0, 8, false, 0, 255, 1 / 255.0f},
    {"pixels", RUNG_U8, 1 / 255.0f, 0, 0, 0, 2, false, 0, 3, 1 / 3.0f},
    {"pixels", RUNG_U8, 1 / 255.0f, 0, 2, -1, 1, true, -1, 1, 1},
    {"pixels", RUNG_U8, 1 / 255.0f, 0, 2, -1, 2, true, -1, 1, 1},
    {"pixels", RUNG_U8, 1 / 255.0f, 0, 2, -1, 8, true, -127, 127, 1 / 127.0f},
    {"levels", RUNG_I8, 0.5f, -3, 0, 0, 4, true, -7, 7, 65.0f / 7},
    {"levels", RUNG_I8, 0.5f, -3, -1, 0.25f, 1, true, -1, 1, 1},
};

START_TEST(the_table_is_the_formula) {
  uint8_t byte[256];
  for (int k = 0; k < 256; k++) byte[k] = (uint8_t)k;
  const rung_tensor data = {.type = inputs[_i].type,
                            .shape = RUNG_SHAPE(1, 256),
                            .data = byte,
                            .scale = inputs[_i].scale,
                            .zero_point = inputs[_i].zero_point};
  rung_graph *real = rung_graph_new(&(rung_graph_options){.batch = 1});
  rung_node *rescale = rung_rescale(rung_graph_input(real, "x", RUNG_SHAPE(256)), inputs[_i].a, inputs[_i].b);
  if (inputs[_i].a == 0) rescale = NULL;
  rung_quantizer *grid = requantize_input_grid(&data, rescale, inputs[_i].bits, inputs[_i].name);
  ck_assert_msg(grid != NULL, "%s", rung_error());
  ck_assert(grid->qmin == inputs[_i].qmin && grid->qmax == inputs[_i].qmax && grid->zero_point == 0);
  ck_assert_float_eq_tol(grid->scale, inputs[_i].grid, 1e-6f * inputs[_i].grid);
  ck_assert(grid->format.is_signed == inputs[_i].is_signed && grid->state == RUNG_QUANTIZER_FROZEN);

  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 1});
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(256));
  ck_assert_int_eq(rung_graph_bind(x, &data), RUNG_OK);
  x->value.type = data.type;
  x->value.scale = data.scale;
  x->value.zero_point = data.zero_point;
  rung_node *q = rung_requantize_input(x, rescale, grid);
  ck_assert_msg(q != NULL, "%s", rung_error());
  ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.count = 1}), RUNG_OK);
  for (int k = 0; k < 256; k++) {
    const int code = data.type == RUNG_I8 ? (int8_t)k : k;
    float r = data.scale * (float)(code - data.zero_point);
    if (rescale) r = inputs[_i].a * r + inputs[_i].b;
    const int expected =
        inputs[_i].bits == 1 ? (r >= 0 ? 1 : -1) : plain_quantize(r, grid->scale, 0, grid->qmin, grid->qmax);
    const uint8_t made = ((const uint8_t *)q->value.data)[k];
    ck_assert_int_eq(inputs[_i].is_signed ? (int8_t)made : made, expected);
  }
  rung_quantizer_free(grid);
  rung_graph_free(graph);
  rung_graph_free(real);
}
END_TEST

/* Pixels are all positive. */
START_TEST(a_sign_needs_negative_values) {
  uint8_t byte[2] = {0, 255};
  const rung_tensor data = {.type = RUNG_U8, .shape = RUNG_SHAPE(1, 2), .data = byte, .scale = 1 / 255.0f};
  ck_assert_ptr_null(requantize_input_grid(&data, NULL, 1, "image"));
  ck_assert_str_eq(rung_error(),
                   "quantize: 'image' has no negative values, whose sign an input of 1 bit is; rescale it, "
                   "or give it more bits");
}
END_TEST

/* 2 x - 1 of pixels: the middle of the range lies between 127 and 128. */
START_TEST(pixels_become_signs) {
  const rung_tensor data = {.type = RUNG_U8, .shape = RUNG_SHAPE(1, 1), .scale = 1 / 255.0f};
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 1});
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(1)), *rescale = rung_rescale(x, 2, -1);
  rung_quantizer *sign = requantize_input_grid(&data, rescale, 1, "x");
  x->value.type = RUNG_U8;
  x->value.scale = data.scale;
  rung_node *q = rung_requantize_input(x, rescale, sign);
  const rung_input_table *table = rung_node_input_table(q);
  ck_assert_ptr_nonnull(table);
  ck_assert_ptr_null(rung_node_input_table(x));
  for (int k = 0; k < 256; k++) ck_assert_int_eq((int8_t)table->q[k], k > 127 ? 1 : -1);
  rung_quantizer_free(sign);
  rung_graph_free(graph);
}
END_TEST

TEST_MAIN(CASE(a_sign_needs_negative_values), CASES(the_table_is_the_formula, LENGTH(inputs)),
          CASE(pixels_become_signs))
