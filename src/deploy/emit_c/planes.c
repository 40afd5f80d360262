/* Integers -1, 0 and 1 as planes of bits, 32 to a word: the emitted functions that multiply them (eq. 70 and 71), and
 * those that put integers into planes and take them out. The texts are C as a reader of NAME.c sees it. */
#include "emit.h"

static const char layout_text[] = "/* Planes of bits: bit k % 32 of a word tells of input k whether it is 1, or -1; "
                                  "where it can be 0, the same bit of "
                                  "the\n"
                                  " * next word whether it is neither. Weights lie likewise, for 4 channels by 32 "
                                  "inputs 4 words, or 4 and 4 more. What "
                                  "is\n"
                                  " * missing to 32 is 0 in every plane. */\n\n";

static const char ones_text[] = "/* How many bits of x are 1: in pairs of bits, in fours, in bytes, all. */\n"
                                "static inline int32_t ones(uint32_t x) {\n"
                                "#if defined(__GNUC__) && (defined(__POPCNT__) || defined(__riscv_zbb))\n"
                                "  return __builtin_popcount(x); /* one instruction */\n"
                                "#else\n"
                                "  x -= x >> 1 & 0x55555555u;\n"
                                "  x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);\n"
                                "  x = (x + (x >> 4)) & 0x0f0f0f0fu;\n"
                                "  return (int32_t)(x * 0x01010101u >> 24 & 63);\n"
                                "#endif\n"
                                "}\n\n";

static const char balance_text[] =
    "/* The sum of products that are 1 or, where signs differ, -1: those that are not 0. "
    "*/\n"
    "static inline int32_t balance(uint32_t nonzero, uint32_t differ) {\n"
    "  return ones(nonzero) - 2 * ones(nonzero & differ);\n"
    "}\n\n";

/* ---- The dot functions ------------------------------------------------------------------------------------------ */

/* What one form needs of a dot function. */
typedef struct plane_text {
  int planes, width;
  const char *sum, *products, *end;
} plane_text;

static const char end_of_n[] = "  acc[0] = n - 2 * a0;\n"
                               "  acc[1] = n - 2 * a1;\n"
                               "  acc[2] = n - 2 * a2;\n"
                               "  acc[3] = n - 2 * a3;\n";
static const char end_of_sum[] = "  acc[0] = sum - 2 * a0;\n"
                                 "  acc[1] = sum - 2 * a1;\n"
                                 "  acc[2] = sum - 2 * a2;\n"
                                 "  acc[3] = sum - 2 * a3;\n";
static const char end_of_balance[] = "  acc[0] = a0;\n"
                                     "  acc[1] = a1;\n"
                                     "  acc[2] = a2;\n"
                                     "  acc[3] = a3;\n";

static const plane_text texts[] = {
    {1, 1, "",
     "    a0 += ones(w[0] ^ x[0]);\n"
     "    a1 += ones(w[1] ^ x[0]);\n"
     "    a2 += ones(w[2] ^ x[0]);\n"
     "    a3 += ones(w[3] ^ x[0]);\n",
     end_of_n},
    {2, 1, ", sum = 0",
     "    sum += ones(x[1]);\n"
     "    a0 += ones((w[0] ^ x[0]) & x[1]);\n"
     "    a1 += ones((w[1] ^ x[0]) & x[1]);\n"
     "    a2 += ones((w[2] ^ x[0]) & x[1]);\n"
     "    a3 += ones((w[3] ^ x[0]) & x[1]);\n",
     end_of_sum},
    {1, 2, "",
     "    a0 += balance(w[4], w[0] ^ x[0]);\n"
     "    a1 += balance(w[5], w[1] ^ x[0]);\n"
     "    a2 += balance(w[6], w[2] ^ x[0]);\n"
     "    a3 += balance(w[7], w[3] ^ x[0]);\n",
     end_of_balance},
    {2, 2, "",
     "    a0 += balance(w[4] & x[1], w[0] ^ x[0]);\n"
     "    a1 += balance(w[5] & x[1], w[1] ^ x[0]);\n"
     "    a2 += balance(w[6] & x[1], w[2] ^ x[0]);\n"
     "    a3 += balance(w[7] & x[1], w[3] ^ x[0]);\n",
     end_of_balance},
};

static void emit_dot(text *to, const emission *at, emit_format format) {
  const plane_text *row = texts;
  while (row->planes != format.form->planes || row->width != format.form->width) row++;
  text_print(to, EMIT_DOT_SAYS "static const void *");
  emit_dot_name(to, at, format);
  text_print(to,
             "(const void *inputs, const void *weights, int n, int32_t acc[4]) {\n"
             "  const uint32_t *x = inputs, *w = weights;\n"
             "  int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0%s;\n"
             "  for (int k = n; k > 0; k -= 32, x += %d, w += %d) {\n%s  }\n%s  return w;\n}\n\n",
             row->sum, row->planes, 4 * row->width, row->products, row->end);
}

void emit_plane_dots(text *to, const emission *at) {
  bool any = false, ternary = false;
  for (int i = 0; i < at->format_count; i++) {
    any = any || at->format[i].form->planes;
    ternary = ternary || (at->format[i].form->planes && at->format[i].form->width == 2);
  }
  if (any) text_print(to, "%s%s%s", layout_text, ones_text, ternary ? balance_text : "");
  for (int i = 0; i < at->format_count; i++)
    if (at->format[i].form->planes) emit_dot(to, at, at->format[i]);
}

/* ---- Into planes, and out of them ------------------------------------------------------------------------------- */

static const char put_text[] = "/* Output j, -1, 0 or 1, into its planes. */\n"
                               "static void put(uint32_t *y, int planes, int j, int q) {\n"
                               "  y += j / 32 * planes;\n"
                               "  for (int p = 0; p < planes; p++) {\n"
                               "    if (j % 32 == 0) y[p] = 0;\n"
                               "    y[p] |= (uint32_t)(p ? q != 0 : q > 0) << j % 32;\n"
                               "  }\n"
                               "}\n\n";

void emit_put(text *to, const emission *at) {
  if (at->packed) text_print(to, "%s", put_text);
}

/* The first layer's input, from the caller's integers or what the table makes of them. */
void emit_pack(text *to, const emission *at) {
  const bool table = rung_program_input_table(at->program), two = at->layer[0].format.form->planes == 2;
  text_print(to,
             "/* The input as planes of bits. */\n"
             "static void read_input(const %s *input, uint32_t *x) {\n"
             "  for (int k = 0; k < $NAME_INPUTS;) {\n"
             "    uint32_t positive = 0%s;\n"
             "    do {\n"
             "      const int q = %s;\n"
             "      positive |= (uint32_t)(q > 0) << k %% 32;\n%s"
             "    } while (++k < $NAME_INPUTS && k %% 32);\n"
             "    *x++ = positive;\n%s"
             "  }\n}\n\n",
             emit_input_type(at), two ? ", nonzero = 0" : "", table ? "input_table[(uint8_t)input[k]]" : "input[k]",
             two ? "      nonzero |= (uint32_t)(q != 0) << k % 32;\n" : "", two ? "    *x++ = nonzero;\n" : "");
}

static const char shown_text[] = "/* What the trace shows of planes: the integers. */\n"
                                 "static const void *integers(const uint32_t *y, int planes, int count) {\n"
                                 "  static int8_t q[%lld];\n"
                                 "  for (int j = 0; j < count; j++) {\n"
                                 "    const uint32_t *word = y + j / 32 * planes;\n"
                                 "    q[j] = word[0] >> j %% 32 & 1 ? 1 : -1;\n"
                                 "    if (planes == 2 && !(word[1] >> j %% 32 & 1)) q[j] = 0;\n"
                                 "  }\n"
                                 "  return q;\n"
                                 "}\n";

void emit_shown(text *to, const emission *at) {
  int64_t most = 0;
  for (int i = 0; i < at->count; i++)
    if (at->layer[i].planes && at->layer[i].instruction->integers.out > most)
      most = at->layer[i].instruction->integers.out;
  if (most) text_print(to, shown_text, (long long)most);
}
