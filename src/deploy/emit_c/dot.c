/* The emitted dot functions: eq. 11's sum, for four channels at a time, so that each input is loaded once for four
 * products; in plain C and with Arm's instructions on pairs. The texts are C as a reader of NAME.c sees it. */
#include "emit.h"

#include <string.h>

void emit_dot_name(text *to, const emission *at, emit_format format) {
  text_print(to, "dot");
  if (at->format_count < 2) return;
  if (!format.form->planes) text_print(to, "_%s", rung_dtype_name(format.type));
  text_print(to, "_%s", format.form->name);
}

/* What one width of weights needs of a dot function, in plain C and with pairs of 16-bit products. */
typedef struct width_text {
  int width;
  const char *type, *layout, *plain, *pairs, *end;
} width_text;

static const char plain_8[] = "    a0 += x0 * w[0] + x1 * w[1] + x2 * w[2] + x3 * w[3];\n"
                              "    a1 += x0 * w[4] + x1 * w[5] + x2 * w[6] + x3 * w[7];\n"
                              "    a2 += x0 * w[8] + x1 * w[9] + x2 * w[10] + x3 * w[11];\n"
                              "    a3 += x0 * w[12] + x1 * w[13] + x2 * w[14] + x3 * w[15];\n";
static const char pairs_8[] = "    a0 = smlad(x02, even_i8(word(w)), smlad(x13, odd_i8(word(w)), a0));\n"
                              "    a1 = smlad(x02, even_i8(word(w + 4)), smlad(x13, odd_i8(word(w + 4)), a1));\n"
                              "    a2 = smlad(x02, even_i8(word(w + 8)), smlad(x13, odd_i8(word(w + 8)), a2));\n"
                              "    a3 = smlad(x02, even_i8(word(w + 12)), smlad(x13, odd_i8(word(w + 12)), a3));\n";
static const char end_8[] = "  acc[0] = a0;\n"
                            "  acc[1] = a1;\n"
                            "  acc[2] = a2;\n"
                            "  acc[3] = a3;\n";

static const char plain_4[] = "    a0 += x0 * (w[0] & 15) + x1 * (w[0] >> 4) + x2 * (w[2] & 15) + x3 * (w[2] >> 4);\n"
                              "    a1 += x0 * (w[1] & 15) + x1 * (w[1] >> 4) + x2 * (w[3] & 15) + x3 * (w[3] >> 4);\n"
                              "    a2 += x0 * (w[4] & 15) + x1 * (w[4] >> 4) + x2 * (w[6] & 15) + x3 * (w[6] >> 4);\n"
                              "    a3 += x0 * (w[5] & 15) + x1 * (w[5] >> 4) + x2 * (w[7] & 15) + x3 * (w[7] >> 4);\n";
static const char pairs_4[] = "    const uint32_t u = word(w), v = word(w + 4);\n"
                              "    a0 = smlad(x02, u & mask, smlad(x13, (u >> 4) & mask, a0));\n"
                              "    a1 = smlad(x02, (u >> 8) & mask, smlad(x13, (u >> 12) & mask, a1));\n"
                              "    a2 = smlad(x02, v & mask, smlad(x13, (v >> 4) & mask, a2));\n"
                              "    a3 = smlad(x02, (v >> 8) & mask, smlad(x13, (v >> 12) & mask, a3));\n";
static const char end_4[] = "  acc[0] = a0 - 8 * sum;\n"
                            "  acc[1] = a1 - 8 * sum;\n"
                            "  acc[2] = a2 - 8 * sum;\n"
                            "  acc[3] = a3 - 8 * sum;\n";

static const char plain_2[] =
    "    a0 += x0 * (w[0] & 3) + x1 * (w[0] >> 2 & 3) + x2 * (w[2] & 3) + x3 * (w[2] >> 2 & 3);\n"
    "    a1 += x0 * (w[0] >> 4 & 3) + x1 * (w[0] >> 6) + x2 * (w[2] >> 4 & 3) + x3 * (w[2] >> 6);\n"
    "    a2 += x0 * (w[1] & 3) + x1 * (w[1] >> 2 & 3) + x2 * (w[3] & 3) + x3 * (w[3] >> 2 & 3);\n"
    "    a3 += x0 * (w[1] >> 4 & 3) + x1 * (w[1] >> 6) + x2 * (w[3] >> 4 & 3) + x3 * (w[3] >> 6);\n";
static const char pairs_2[] = "    const uint32_t u = word(w);\n"
                              "    a0 = smlad(x02, u & mask, smlad(x13, (u >> 2) & mask, a0));\n"
                              "    a1 = smlad(x02, (u >> 4) & mask, smlad(x13, (u >> 6) & mask, a1));\n"
                              "    a2 = smlad(x02, (u >> 8) & mask, smlad(x13, (u >> 10) & mask, a2));\n"
                              "    a3 = smlad(x02, (u >> 12) & mask, smlad(x13, (u >> 14) & mask, a3));\n";
static const char end_2[] = "  acc[0] = a0 - 2 * sum;\n"
                            "  acc[1] = a1 - 2 * sum;\n"
                            "  acc[2] = a2 - 2 * sum;\n"
                            "  acc[3] = a3 - 2 * sum;\n";

static const char plain_1[] =
    "    a0 += x0 * (w[0] & 1) + x1 * (w[0] >> 1 & 1) + x2 * (w[1] & 1) + x3 * (w[1] >> 1 & 1);\n"
    "    a1 += x0 * (w[0] >> 2 & 1) + x1 * (w[0] >> 3 & 1) + x2 * (w[1] >> 2 & 1) + x3 * (w[1] >> 3 & 1);\n"
    "    a2 += x0 * (w[0] >> 4 & 1) + x1 * (w[0] >> 5 & 1) + x2 * (w[1] >> 4 & 1) + x3 * (w[1] >> 5 & 1);\n"
    "    a3 += x0 * (w[0] >> 6 & 1) + x1 * (w[0] >> 7) + x2 * (w[1] >> 6 & 1) + x3 * (w[1] >> 7);\n";
static const char pairs_1[] = "    const uint32_t u = w[0] | (uint32_t)w[1] << 16;\n"
                              "    a0 = smlad(x02, u & mask, smlad(x13, (u >> 1) & mask, a0));\n"
                              "    a1 = smlad(x02, (u >> 2) & mask, smlad(x13, (u >> 3) & mask, a1));\n"
                              "    a2 = smlad(x02, (u >> 4) & mask, smlad(x13, (u >> 5) & mask, a2));\n"
                              "    a3 = smlad(x02, (u >> 6) & mask, smlad(x13, (u >> 7) & mask, a3));\n";
static const char end_1[] = "  acc[0] = 2 * a0 - sum;\n"
                            "  acc[1] = 2 * a1 - sum;\n"
                            "  acc[2] = 2 * a2 - sum;\n"
                            "  acc[3] = 2 * a3 - sum;\n";

static const width_text widths[] = {
    {8, "int8_t", "/* Weights: 16 bytes hold those of 4 channels by 4 inputs, the first channel's 4 first. */\n\n",
     plain_8, pairs_8, end_8},
    {4, "uint8_t",
     "/* Weights of 4 bits: 8 bytes hold those of 4 channels by 4 inputs, a weight w as the code w + 8, so that in the "
     "end\n"
     " * 8 times the sum of x goes off. A byte holds two neighbouring inputs of a channel, the first in its low bits; "
     "the\n"
     " * bytes are inputs 0 and 1 of channels 0 and 1, inputs 2 and 3 of these, then the same of channels 2 and 3. "
     "*/\n\n",
     plain_4, pairs_4, end_4},
    {2, "uint8_t",
     "/* Weights of 2 bits: 4 bytes hold those of 4 channels by 4 inputs, a weight w as the code w + 2, so that in the "
     "end\n"
     " * twice the sum of x goes off. A byte holds two neighbouring inputs of two channels, the first in its low bits; "
     "the\n"
     " * bytes are inputs 0 and 1 of channels 0 and 1, of channels 2 and 3, then the same of inputs 2 and 3. */\n\n",
     plain_2, pairs_2, end_2},
    {1, "uint8_t",
     "/* Weights of 1 bit: 2 bytes hold those of 4 channels by 4 inputs, -1 as the code 0 and 1 as 1, so that in the "
     "end the\n"
     " * sum is doubled and the sum of x goes off. A byte holds two neighbouring inputs of four channels, the first in "
     "its\n"
     " * low bits: inputs 0 and 1, then inputs 2 and 3. */\n\n",
     plain_1, pairs_1, end_1},
};

static const width_text *find_width(int width) {
  int i = 0;
  while (widths[i].width != width) i++;
  return &widths[i];
}

static const char ragged_text[] = "    if (n < 4) {\n"
                                  "      for (int k = 0; k < n; k++) rest[k] = x[k];\n"
                                  "      x = rest;\n"
                                  "    }\n";

static void emit_dot(text *to, const emission *at, emit_format format, bool pairs) {
  const width_text *width = find_width(format.form->width);
  const char *type = format.type == RUNG_I8 ? "int8_t" : "uint8_t", *suffix = rung_dtype_name(format.type);
  const bool packed = format.form->width < 8;
  /* Inlined, gcc -Os runs out of registers in the loop. */
  text_print(to, "%sstatic const void *", pairs ? "__attribute__((noinline)) " : "");
  emit_dot_name(to, at, format);
  text_print(to,
             "(const void *inputs, const void *weights, int n, int32_t acc[4]) {\n"
             "  const %s *x = inputs;\n"
             "  const %s *w = weights;\n"
             "  int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0%s;\n",
             type, width->type, packed ? ", sum = 0" : "");
  if (pairs && packed)
    text_print(to, "  const uint32_t ones = 0x00010001, mask = in_register(%d * ones);\n",
               (1 << format.form->width) - 1);
  if (at->ragged) text_print(to, "  %s rest[4] = {0, 0, 0, 0}; /* the last inputs, zeros behind them */\n", type);
  text_print(to, "  for (; n > 0; n -= 4, x += 4, w += %d) {\n", 2 * format.form->width);
  if (at->ragged) text_add(to, ragged_text, strlen(ragged_text));
  if (pairs)
    text_print(to, "    const uint32_t x0123 = word(x), x02 = even_%s(x0123), x13 = odd_%s(x0123);\n%s%s", suffix,
               suffix, packed ? "    sum = smlad(x02, ones, smlad(x13, ones, sum));\n" : "", width->pairs);
  else
    text_print(to, "    const int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];\n%s",
               packed ? "    sum += x0 + x1 + x2 + x3;\n" : "");
  if (!pairs) text_print(to, "%s", width->plain);
  text_print(to, "  }\n%s  return w;\n}\n", width->end);
}

/* ---- Pairs of products: the Arm instructions -------------------------------------------------------------------- */

static const char arm_head[] = "/* Arm's instructions on pairs of 16-bit numbers: even and odd widen bytes 0 and 2, 1 "
                               "and 3 of a word; smlad adds both\n"
                               " * products of two pairs to c. */\n"
                               "static inline uint32_t word(const void *bytes) {\n"
                               "  uint32_t w;\n"
                               "  memcpy(&w, bytes, sizeof w);\n"
                               "  return w;\n"
                               "}\n\n"
                               "static inline int32_t smlad(uint32_t a, uint32_t b, int32_t c) {\n"
                               "  int32_t sum;\n"
                               "  __asm__(\"smlad %0, %1, %2, %3\" : \"=r\"(sum) : \"r\"(a), \"r\"(b), \"r\"(c));\n"
                               "  return sum;\n"
                               "}\n\n";

static const char arm_mask[] = "/* Keeps a constant where one instruction can shift and mask with it. */\n"
                               "static inline uint32_t in_register(uint32_t x) {\n"
                               "  __asm__(\"\" : \"+r\"(x));\n"
                               "  return x;\n"
                               "}\n\n";

static void emit_widening(text *to, rung_dtype type) {
  const char *suffix = rung_dtype_name(type), *instruction = type == RUNG_I8 ? "sxtb16" : "uxtb16";
  for (int odd = 0; odd < 2; odd++)
    text_print(to,
               "static inline uint32_t %s_%s(uint32_t x) {\n"
               "  uint32_t pair;\n"
               "  __asm__(\"%s %%0, %%1%s\" : \"=r\"(pair) : \"r\"(x));\n"
               "  return pair;\n"
               "}\n\n",
               odd ? "odd" : "even", suffix, instruction, odd ? ", ror #8" : "");
}

static void emit_arm_helpers(text *to, const emission *at) {
  bool packed = false, bytes[2] = {false, false}; /* u8, i8 */
  for (int i = 0; i < at->format_count; i++) {
    if (at->format[i].form->planes) continue;
    packed = packed || at->format[i].form->width < 8;
    bytes[1] = bytes[1] || at->format[i].form->width == 8;
    bytes[at->format[i].type == RUNG_I8] = true;
  }
  text_add(to, arm_head, strlen(arm_head));
  if (packed) text_add(to, arm_mask, strlen(arm_mask));
  if (bytes[0]) emit_widening(to, RUNG_U8);
  if (bytes[1]) emit_widening(to, RUNG_I8);
}

static void emit_dots(text *to, const emission *at, bool pairs) {
  for (int i = 0; i < at->format_count; i++) {
    if (at->format[i].form->planes) continue;
    text_print(to, EMIT_DOT_SAYS);
    emit_dot(to, at, at->format[i], pairs);
    text_print(to, "\n");
  }
}

bool emit_uses_bytes(const emission *at) {
  for (int i = 0; i < at->format_count; i++)
    if (!at->format[i].form->planes) return true;
  return false;
}

static bool uses_width(const emission *at, int width) {
  for (int i = 0; i < at->format_count; i++)
    if (!at->format[i].form->planes && at->format[i].form->width == width) return true;
  return false;
}

void emit_dot_functions(text *to, const emission *at) {
  if (!emit_uses_bytes(at)) return;
  for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
    if (uses_width(at, widths[i].width)) text_print(to, "%s", widths[i].layout);
  if (at->options.cmsis) {
    text_print(to, "#ifdef SMLAD\n\n");
    emit_arm_helpers(to, at);
    emit_dots(to, at, true);
    text_print(to, "#else\n\n");
  }
  emit_dots(to, at, false);
  if (at->options.cmsis) text_print(to, "#endif\n\n");
}
