/* NAME.h */
#include "emit.h"

static const char opening[] = "/* $name: a neural network in integers, written by Rung. $name.c tells the rest. */\n"
                              "#ifndef $NAME_H\n"
                              "#define $NAME_H\n\n"
                              "#include <stdint.h>\n\n"
                              "#ifdef __cplusplus\n"
                              "extern \"C\" {\n"
                              "#endif\n\n";

static const char closing[] = "#ifdef $NAME_TRACE\n"
                              "/* Yours to define: called with the output of each layer but the last. */\n"
                              "void $name_trace(int layer, const void *output);\n"
                              "#endif\n\n"
                              "#ifdef __cplusplus\n"
                              "}\n"
                              "#endif\n\n"
                              "#endif\n";

static void emit_scales(text *to, const emission *at) {
  const rung_buffer *input = &at->input, *logits = at->layer[at->count - 1].output;
  text_print(to, "/* An input q of ");
  emit_input_range(to, at);
  text_print(to, " stands for the real number $NAME_INPUT_SCALE * (q - $NAME_INPUT_ZERO_POINT), a logit q\n"
                 " * for $NAME_LOGIT_SCALE * q. $name.c uses none of these. */\n");
  text_print(to, "#define $NAME_INPUT_SCALE      ");
  text_real(to, input->scale);
  text_print(to, "\n#define $NAME_INPUT_ZERO_POINT %d\n#define $NAME_LOGIT_SCALE      ", input->zero_point);
  text_real(to, logits->scale);
  text_print(to, "\n\n");
}

void emit_header(text *to, const emission *at) {
  const rung_buffer *input = &at->input, *logits = at->layer[at->count - 1].output;
  text_print(to, "%s#define $NAME_INPUTS  %lld\n#define $NAME_OUTPUTS %lld\n\n", opening, (long long)input->count,
             (long long)logits->count);
  emit_scales(to, at);
  text_print(to,
             "/* Not for two threads at once: the memory between layers is static. */\n"
             "void $name_run(const %s input[$NAME_INPUTS], int32_t logits[$NAME_OUTPUTS]);\n\n"
             "/* The index of the largest logit, of the first one where several are. */\n"
             "int $name_argmax(const int32_t logits[$NAME_OUTPUTS]);\n\n%s",
             emit_input_type(at), closing);
}
