/* NAME_test.c: inputs and the logits that the program gives for them. */
#include "emit.h"

#include <stdio.h>

#define SEEDED_EXAMPLES 4

static const char opening[] =
    "/* Runs $name on %lld inputs and compares the logits with those of the integer program.\n"
    " *   cc -std=c99 $name.c $name_test.c -o $name_test && ./$name_test */\n"
    "#include \"$name.h\"\n\n"
    "#include <stdio.h>\n\n"
    "enum { EXAMPLES = %lld };\n\n";

/* The generator, as the emitted test has it and as it is computed here. */
static const char generator[] =
    "/* Knuth's MMIX generator; the high bits, over all the values that an input may have. */\n"
    "static void make(%s input[$NAME_INPUTS]) {\n"
    "  static uint64_t state = 1;\n"
    "  for (int k = 0; k < $NAME_INPUTS; k++) {\n"
    "    state = state * 6364136223846793005u + 1442695040888963407u;\n"
    "    input[k] = (%s)((int)((state >> 33) %% %d)%s);\n"
    "  }\n"
    "}\n\n";

static const char main_text[] = "int main(void) {\n"
                                "  int differ = 0;\n"
                                "  for (int i = 0; i < EXAMPLES; i++) {\n"
                                "%s"
                                "    int32_t logits[$NAME_OUTPUTS];\n"
                                "    $name_run(input, logits);\n"
                                "    for (int j = 0; j < $NAME_OUTPUTS; j++) differ += logits[j] != expected[i][j];\n"
                                "  }\n"
                                "  printf(\"$name: %%d of %%d logits differ\\n\", differ, EXAMPLES * $NAME_OUTPUTS);\n"
                                "  return differ != 0;\n"
                                "}\n";

/* How far a value is from the next one, and how many there are. */
static int step_of(const rung_buffer *input) {
  return input->binary ? 2 : 1;
}

static int values_of(const rung_buffer *input) {
  return (input->qmax - input->qmin) / step_of(input) + 1;
}

static void make_seeded(const rung_buffer *input, char *to, int64_t count) {
  uint64_t state = 1;
  for (int64_t i = 0; i < count * input->count; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    to[i] = (char)((int)((state >> 33) % (uint64_t)values_of(input)) * step_of(input) + input->qmin);
  }
}

static int64_t u8_value(const void *context, int64_t index) {
  return ((const uint8_t *)context)[index];
}

static int64_t i8_value(const void *context, int64_t index) {
  return ((const int8_t *)context)[index];
}

static int64_t i32_value(const void *context, int64_t index) {
  return ((const int32_t *)context)[index];
}

static void emit_template(text *to, const emission *at, const void *examples, const int32_t *logits, int64_t count) {
  const rung_buffer *input = &at->input;
  const int64_t outputs = at->layer[at->count - 1].output->count;
  const char *type = emit_input_type(at);
  text_print(to, opening, (long long)count, (long long)count);
  if (at->options.examples) {
    text_print(to, "static const %s inputs[EXAMPLES][$NAME_INPUTS] = {\n", type);
    for (int64_t i = 0; i < count; i++) {
      text_print(to, "  {\n");
      text_rows(to, input->count, 16, 4, false, input->type == RUNG_I8 ? i8_value : u8_value,
                (const char *)examples + i * input->count);
      text_print(to, "  },\n");
    }
    text_print(to, "};\n\n");
  } else {
    int32_t low = input->qmin;
    char shift[24] = "";
    const char *step = input->binary ? " * 2" : "";
    if (low) snprintf(shift, sizeof shift, "%s %c %d", step, low < 0 ? '-' : '+', low < 0 ? -low : low);
    text_print(to, generator, type, type, values_of(input), shift);
  }
  text_print(to, "static const int32_t expected[EXAMPLES][$NAME_OUTPUTS] = {\n");
  for (int64_t i = 0; i < count; i++) {
    text_print(to, "  {\n");
    text_rows(to, outputs, 8, 11, false, i32_value, logits + i * outputs);
    text_print(to, "  },\n");
  }
  text_print(to, "};\n\n");
  char make[128];
  snprintf(make, sizeof make, "    %s input[$NAME_INPUTS];\n    make(input);\n", type);
  char given[128];
  snprintf(given, sizeof given, "    const %s *input = inputs[i];\n", type);
  text_print(to, main_text, at->options.examples ? given : make);
}

rung_status emit_test(text *to, const emission *at) {
  const rung_buffer *input = &at->input, *output = at->layer[at->count - 1].output;
  const int64_t count = at->options.examples ? at->options.example_count : SEEDED_EXAMPLES;
  size_t inputs, outputs;
  bool fits = rung_size_multiply((size_t)count, (size_t)input->count, &inputs) &&
              rung_size_multiply((size_t)count * sizeof(int32_t), (size_t)output->count, &outputs);
  if (!fits) return rung_fail(RUNG_ERROR_MEMORY, "emit: %lld examples are too many", (long long)count);
  char *seeded = at->options.examples ? NULL : rung_allocate(inputs);
  int32_t *logits = rung_allocate(outputs);
  rung_status status = logits && (seeded || at->options.examples) ? RUNG_OK : RUNG_ERROR_MEMORY;
  if (status == RUNG_OK && seeded) make_seeded(input, seeded, count);
  const void *examples = seeded ? seeded : at->options.examples;
  if (status == RUNG_OK) status = rung_run(at->program, examples, logits, count);
  if (status == RUNG_OK) emit_template(to, at, examples, logits, count);
  rung_release(seeded);
  rung_release(logits);
  return status;
}
