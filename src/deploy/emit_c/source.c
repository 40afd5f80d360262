/* NAME.c */
#include "emit.h"

static const char usage[] = " *   uint8_t input[$NAME_INPUTS];\n"
                            " *   int32_t logits[$NAME_OUTPUTS];\n"
                            " *   $name_run(input, logits);\n"
                            " *   int best = $name_argmax(logits);\n"
                            " *\n";

static const char usage_signed[] = " *   int8_t input[$NAME_INPUTS];\n"
                                   " *   int32_t logits[$NAME_OUTPUTS];\n"
                                   " *   $name_run(input, logits);\n"
                                   " *   int best = $name_argmax(logits);\n"
                                   " *\n";

static const char assumptions[] =
    "/* What is assumed of the compiler. Where something is not so, its line does not compile. */\n"
    "typedef char $name_needs_bytes_of_8_bits[CHAR_BIT == 8 ? 1 : -1];\n"
    "typedef char $name_needs_int_of_32_bits[INT_MAX >= 0x7fffffff ? 1 : -1];\n"
    "typedef char $name_needs_twos_complement[(-1 & 3) == 3 ? 1 : -1];\n"
    "typedef char $name_needs_arithmetic_right_shift[((int64_t)-3 >> 1) == -2 ? 1 : -1];\n\n";

static const char smlad_head[] =
    "#if defined(__GNUC__) && defined(__arm__) && defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN)\n"
    "#define SMLAD /* two products of 16 bits in one instruction; elsewhere plain C, which gives the same */\n"
    "#include <string.h>\n"
    "#endif\n\n";

static const char trace_head[] = "#ifdef $NAME_TRACE\n"
                                 "#define TRACE(layer, output) $name_trace(layer, output)\n";
static const char trace_tail[] = "#else\n"
                                 "#define TRACE(layer, output) ((void)0)\n"
                                 "#endif\n\n";

static const char argmax_text[] = "int $name_argmax(const int32_t logits[$NAME_OUTPUTS]) {\n"
                                  "  int best = 0;\n"
                                  "  for (int j = 1; j < $NAME_OUTPUTS; j++)\n"
                                  "    if (logits[j] > logits[best]) best = j;\n"
                                  "  return best;\n"
                                  "}\n";

const char *emit_input_type(const emission *at) {
  return at->input.type == RUNG_I8 ? "int8_t" : "uint8_t";
}

void emit_input_range(text *to, const emission *at) {
  text_print(to, "%d %s %d", at->input.qmin, at->input.binary ? "or" : "..", at->input.qmax);
}

/* "0.25 * (q - 3)" */
static void emit_real(text *to, const rung_buffer *buffer) {
  const int32_t z = buffer->zero_point;
  text_real(to, buffer->scale);
  if (z)
    text_print(to, " * (q %c %d)", z < 0 ? '+' : '-', z < 0 ? -z : z);
  else
    text_print(to, " * q");
}

static void emit_numbers(text *to, const emission *at) {
  const rung_emit_report *report = &at->report;
  text_print(to, " * Work   %lld multiply-accumulates a run\n", (long long)report->macs);
  text_print(to, " * Flash  %lld bytes of weights, %lld of biases, multipliers, shifts and the table of layers (with\n",
             (long long)report->weight_bytes, (long long)report->constant_bytes);
  text_print(to, " *        32-bit pointers), about %lld of code (Cortex-M4, gcc -Os)\n",
             (long long)report->code_bytes);
  text_print(to, " * RAM    %lld bytes, static; about %lld of stack\n", (long long)report->ram_bytes,
             (long long)report->stack_bytes);
}

static void emit_opening(text *to, const emission *at) {
  const rung_buffer *input = &at->input, *logits = at->layer[at->count - 1].output;
  text_print(to, "/* $name: a neural network in integers, written by Rung. It needs C99 and no library.\n *\n *   ");
  for (int i = 0; i < at->count; i++)
    text_print(to, "%lld -> %s", (long long)at->layer[i].instruction->integers.in, i % 8 == 7 ? "\n *   " : "");
  text_print(to, "%lld\n *\n%s", (long long)logits->count, input->type == RUNG_I8 ? usage_signed : usage);
  text_print(to, " * Input  q in ");
  emit_input_range(to, at);
  text_print(to, ", the real number ");
  emit_real(to, input);
  text_print(to, "\n * Logit  q, the real number ");
  emit_real(to, logits);
  text_print(to, "\n");
  emit_numbers(to, at);
  for (int i = 0; i < at->count; i++)
    text_print(to, " * %s %s: %s\n", i ? "      " : "Forms ", at->layer[i].id, at->layer[i].format.form->name);
  text_print(to, " *\n * Equations (eq.) are those of Rung's docs/quantization.md. */\n"
                 "#include \"$name.h\"\n\n#include <limits.h>\n\n");
  text_print(to, "%s%s%s", at->options.cmsis && emit_uses_bytes(at) ? smlad_head : "", assumptions, trace_head);
  emit_shown(to, at);
  text_print(to, "%s", trace_tail);
}

static void emit_place(text *to, const emission *at, const rung_buffer *buffer) {
  if (buffer->place == RUNG_PLACE_INPUT)
    text_print(to, "input");
  else if (buffer->place == RUNG_PLACE_LOGITS)
    text_print(to, "logits");
  else if (buffer->offset)
    text_print(to, "scratch + %lld", (long long)(at->words ? buffer->offset / 4 : buffer->offset));
  else
    text_print(to, "scratch");
}

static int64_t signed_table_value(const void *context, int64_t index) {
  return (int8_t)((const rung_input_table *)context)->q[index];
}

static int64_t table_value(const void *context, int64_t index) {
  return ((const rung_input_table *)context)->q[index];
}

/* Bytes, or what goes into planes. */
static void emit_input_table(text *to, const emission *at) {
  const emit_layer *first = &at->layer[0];
  const bool is_signed = first->format.form->planes && first->instruction->integers.input_type == RUNG_I8;
  text_print(to,
             "/* What the input becomes before the first layer reads it, by its byte. */\n"
             "static const %s input_table[256] = {\n",
             is_signed ? "int8_t" : "uint8_t");
  text_rows(to, 256, 16, 4, false, is_signed ? signed_table_value : table_value, rung_program_input_table(at->program));
  text_print(to, "};\n\n");
}

/* The first thing that a run does, where the first layer does not read what the caller has. */
static void emit_read_input(text *to, const emission *at) {
  if (at->layer[0].format.form->planes)
    emit_pack(to, at);
  else if (rung_program_input_table(at->program))
    text_print(to,
               "static void read_input(const %s *input, uint8_t *x) {\n"
               "  for (int k = 0; k < $NAME_INPUTS; k++) x[k] = input_table[(uint8_t)input[k]];\n"
               "}\n\n",
               emit_input_type(at));
}

static void emit_call(text *to, const emission *at, int index) {
  const emit_layer *layer = &at->layer[index];
  const char *function = layer->steps ? "_steps" : layer->instruction->integers.group ? "_groups" : "";
  text_print(to, "  linear%s(&layers[%d], ", function, index);
  emit_place(to, at, layer->input);
  text_print(to, ", ");
  emit_place(to, at, layer->output);
  text_print(to, "); /* %s */\n", layer->id);
  if (index == at->count - 1) return;
  text_print(to, "  TRACE(%d, %s", index, layer->planes ? "integers(" : "");
  emit_place(to, at, layer->output);
  if (layer->planes) text_print(to, ", %d, %lld)", layer->planes, (long long)layer->instruction->integers.out);
  text_print(to, ");\n");
}

static void emit_run(text *to, const emission *at) {
  text_print(to, "void $name_run(const %s input[$NAME_INPUTS], int32_t logits[$NAME_OUTPUTS]) {\n",
             emit_input_type(at));
  if (at->layer[0].input->place == RUNG_PLACE_SCRATCH) {
    text_print(to, "  read_input(input, %s", at->words && !at->layer[0].format.form->planes ? "(uint8_t *)(" : "");
    emit_place(to, at, at->layer[0].input);
    text_print(to, "%s);\n", at->words && !at->layer[0].format.form->planes ? ")" : "");
  }
  for (int i = 0; i < at->count; i++) emit_call(to, at, i);
  text_print(to, "}\n\n");
}

void emit_source(text *to, const emission *at) {
  emit_opening(to, at);
  emit_layer_type(to, at);
  emit_plane_dots(to, at);
  emit_dot_functions(to, at);
  emit_linear(to, at);
  emit_weights(to, at);
  emit_table(to, at);
  if (at->scratch)
    text_print(to,
               "/* The layers' outputs; two that are never needed at once share their place. */\n"
               "static %s scratch[%lld];\n\n",
               at->words ? "uint32_t" : "uint8_t", (long long)(at->words ? at->scratch / 4 : at->scratch));
  if (rung_program_input_table(at->program)) emit_input_table(to, at);
  emit_read_input(to, at);
  emit_run(to, at);
  text_print(to, "%s", argmax_text);
}
