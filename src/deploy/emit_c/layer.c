/* The emitted table of layers, and the two functions that run a row of it: store (eq. 8) and linear (eq. 9 and 11),
 * written once and shared by all layers. */
#include "emit.h"

static const char layer_head[] =
    "/* A layer: y[j], j < out, from x[k], k < in. */\n"
    "typedef struct layer {\n"
    "  const void *weight;            /* in units of 4 channels, along the inputs first */\n";
static const char dot_member[] =
    "  const void *(*dot)(const void *inputs, const void *weights, int n, int32_t acc[4]);\n";
static const char bias_member[] =
    "  const int32_t *bias;           /* [out]: eq. 12, less z_x times the sum of the weights (eq. 11) */\n";
static const char group_members[] =
    "  const int64_t *bias64;         /* [out]: of eq. 9, with each group's constant part times its M_g */\n"
    "  int group, groups;             /* inputs that share a scale, and how often they do */\n";
static const char threshold_member[] =
    "  const int32_t *threshold;      /* [out, steps]: the sums from which on y is higher: eq. 72 */\n"
    "  int steps;                     /* 1 of y -1 or 1, 2 of -1, 0 or 1 */\n";
static const char layer_tail[] =
    "  const int32_t *multiplier;     /* [out]: M of eq. 7; [out, groups]: M_g of eq. 9 */\n"
    "  const uint8_t *shift;          /* [out]: n - 1 */\n"
    "  int in, out;\n"
    "  int32_t zero_point, low, high; /* z_y, qmin and qmax of eq. 8 */\n"
    "  int wide;                      /* whether y is int32_t: logits */\n";
static const char binary_member[] = "  int binary;                    /* whether y is a sign, -1 or 1: eq. 33 */\n";
static const char planes_member[] = "  int planes;                    /* of bits that y is put into; 0: none */\n";

void emit_layer_type(text *to, const emission *at) {
  text_print(to, "%s%s%s%s%s", layer_head, at->format_count > 1 ? dot_member : "", at->ungrouped ? bias_member : "",
             at->grouped ? group_members : "", at->steps ? threshold_member : "");
  text_print(to, "%s%s%s} layer;\n\n", layer_tail, at->binary ? binary_member : "", at->packed ? planes_member : "");
}

static const char store_head[] =
    "/* y[j] from the sum times M: eq. 8. (sum + 2^(n-1)) >> n is ((sum >> (n-1)) + 1) >> 1. */\n"
    "static void store(const layer *l, void *y, int j, int64_t sum) {\n";
static const char store_binary[] = "  if (l->binary) {\n"
                                   "    store_low(%sy, j, sum < 0 ? -1 : 1);\n"
                                   "    return;\n"
                                   "  }\n";
static const char store_clamp[] = "  int64_t r = (((sum >> l->shift[j]) + 1) >> 1) + l->zero_point;\n"
                                  "  if (r < l->low) r = l->low;\n"
                                  "  if (r > l->high) r = l->high;\n"
                                  "  if (l->wide)\n"
                                  "    ((int32_t *)y)[j] = (int32_t)r;\n";
static const char store_planes[] = "  else if (l->planes)\n"
                                   "    put(y, l->planes, j, (int)r);\n";
static const char store_tail[] = "  else\n"
                                 "    ((uint8_t *)y)[j] = (uint8_t)r; /* of an int8_t, its bits */\n"
                                 "}\n\n";

static const char low_text[] = "/* y[j], -1, 0 or 1. */\n"
                               "static void store_low(void *y, int j, int q) {\n"
                               "  ((int8_t *)y)[j] = (int8_t)q;\n"
                               "}\n\n";
static const char low_planes_text[] = "/* y[j], -1, 0 or 1. */\n"
                                      "static void store_low(const layer *l, void *y, int j, int q) {\n"
                                      "  if (l->planes)\n"
                                      "    put(y, l->planes, j, q);\n"
                                      "  else\n"
                                      "    ((int8_t *)y)[j] = (int8_t)q;\n"
                                      "}\n\n";

static const char linear_head[] = "/* One layer, four channels at a time. */\n"
                                  "static void linear(const layer *l, const void *x, void *y) {\n"
                                  "  const void *w = l->weight;\n"
                                  "  for (int j = 0; j < l->out; j += 4) {\n"
                                  "    int32_t acc[4];\n";
static const char linear_tail[] =
    "    for (int c = 0; c < 4 && j + c < l->out; c++)\n"
    "      store(l, y, j + c, (int64_t)(acc[c] + l->bias[j + c]) * l->multiplier[j + c]);\n"
    "  }\n"
    "}\n\n";

static const char steps_text[] =
    "/* One layer whose outputs are -1, 0 and 1, or -1 and 1, four channels at a time. */\n"
    "static void linear_steps(const layer *l, const void *x, void *y) {\n"
    "  const void *w = l->weight;\n"
    "  for (int j = 0; j < l->out; j += 4) {\n"
    "    int32_t acc[4];\n"
    "    w = %s(x, w, l->in, acc);\n"
    "    for (int c = 0; c < 4 && j + c < l->out; c++) {\n"
    "      const int32_t *t = l->threshold + (j + c) * l->steps;\n"
    "      store_low(%sy, j + c, (acc[c] >= t[0]) + (acc[c] >= t[l->steps - 1]) - 1);\n"
    "    }\n"
    "  }\n"
    "}\n\n";

static const char groups_head[] =
    "/* One layer whose weights have a scale a group, four channels at a time: eq. 9. */\n"
    "static void linear_groups(const layer *l, const void *x, void *y) {\n"
    "  const void *w = l->weight;\n"
    "  for (int j = 0; j < l->out; j += 4) {\n"
    "    int64_t sum[4] = {0};\n"
    "    for (int g = 0; g < l->groups; g++) {\n"
    "      const int first = g * l->group, n = l->in - first < l->group ? l->in - first : l->group;\n"
    "      int32_t acc[4];\n";
static const char groups_tail[] =
    "      for (int c = 0; c < 4 && j + c < l->out; c++)\n"
    "        sum[c] += (int64_t)acc[c] * l->multiplier[(j + c) * l->groups + g];\n"
    "    }\n"
    "    for (int c = 0; c < 4 && j + c < l->out; c++) store(l, y, j + c, sum[c] + l->bias64[j + c]);\n"
    "  }\n"
    "}\n\n";

void emit_linear(text *to, const emission *at) {
  const char *dot = at->format_count > 1 ? "l->dot" : "dot";
  const char *l = at->packed ? "l, " : "";
  emit_put(to, at);
  if (at->steps || at->binary) text_print(to, "%s", at->packed ? low_planes_text : low_text);
  text_print(to, "%s", store_head);
  if (at->binary) text_print(to, store_binary, l);
  text_print(to, "%s%s%s", store_clamp, at->packed ? store_planes : "", store_tail);
  if (at->ungrouped) text_print(to, "%s    w = %s(x, w, l->in, acc);\n%s", linear_head, dot, linear_tail);
  if (at->steps) text_print(to, steps_text, dot, l);
  if (at->grouped)
    text_print(to, "%s      w = %s((const uint8_t *)x + first, w, n, acc);\n%s", groups_head, dot, groups_tail);
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

/* What the sum is held against, or scaled by. */
static void emit_scaling(text *to, const emit_layer *layer) {
  const rung_integer_layer *integers = &layer->instruction->integers;
  const char *id = layer->id;
  if (layer->steps) {
    text_print(to, "   .threshold = %s_threshold,\n   .steps = %d,\n", id, layer->steps);
    return;
  }
  if (integers->group)
    text_print(to, "   .bias64 = %s_bias64,\n   .group = %lld,\n   .groups = %lld,\n", id, (long long)integers->group,
               (long long)integers->groups);
  else
    text_print(to, "   .bias = %s_bias,\n", id);
  text_print(to, "   .multiplier = %s_multiplier,\n   .shift = %s_shift,\n", id, id);
}

static void emit_row(text *to, const emission *at, const emit_layer *layer) {
  const rung_integer_layer *integers = &layer->instruction->integers;
  text_print(to, "  {.weight = %s_weight,\n", layer->id);
  if (at->format_count > 1) {
    text_print(to, "   .dot = ");
    emit_dot_name(to, at, layer->format);
    text_print(to, ",\n");
  }
  emit_scaling(to, layer);
  text_print(to, "   .in = %lld,\n   .out = %lld", (long long)integers->in, (long long)integers->out);
  if (layer->planes) text_print(to, ",\n   .planes = %d", layer->planes);
  if (layer->output->type == RUNG_I32)
    text_print(to, ",\n   .low = INT32_MIN,\n   .high = INT32_MAX,\n   .wide = 1");
  else if (!layer->steps)
    text_print(to, ",\n   .zero_point = %d,\n   .low = %d,\n   .high = %d%s", integers->output_zero_point,
               integers->qmin, integers->qmax, integers->binary ? ",\n   .binary = 1" : "");
  text_print(to, "},\n");
}

void emit_table(text *to, const emission *at) {
  text_print(to, "static const layer layers[%d] = {\n", at->count);
  for (int i = 0; i < at->count; i++) emit_row(to, at, &at->layer[i]);
  text_print(to, "};\n\n");
}
