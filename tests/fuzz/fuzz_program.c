/* Reads the bytes as a program's file and, if it is taken, runs it on zeros and on the largest inputs. */
#include "fuzz.h"

#include <rung/deploy.h>

#define MOST_INTEGERS 4096 /* more are not run, for speed */

static void run(const rung_program *program, const rung_program_info *info) {
  static uint8_t input[2 * MOST_INTEGERS];
  static int32_t logits[2 * MOST_INTEGERS];
  memset(input, 0, (size_t)info->inputs);
  memset(input + info->inputs, info->input_type == RUNG_I8 ? 0x7f : 0xff, (size_t)info->inputs);
  ENSURE(rung_run(program, input, logits, 2) == RUNG_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_bound_memory(bytes, size, 1 << 22, 64);
  rung_program *program = rung_program_load(fuzz_file(bytes, size));
  if (program == NULL) {
    fuzz_check_refusal();
    return 0;
  }
  fuzz_taken++;
  rung_program_info info = rung_program_describe(program);
  ENSURE(info.layers > 0 && info.inputs > 0 && info.outputs > 0 && info.layers == rung_program_count(program));
  for (int i = 0; i < info.layers; i++) {
    int64_t magnitude;
    int bits;
    ENSURE(rung_program_bound(program, i, &magnitude, &bits) == RUNG_OK && bits >= 1 && bits <= 32);
  }
  if (info.inputs <= MOST_INTEGERS && info.outputs <= MOST_INTEGERS) run(program, &info);
  rung_program_free(program);
  return 0;
}
