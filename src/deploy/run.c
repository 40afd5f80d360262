/* Running a program: each instruction's product, from its buffer to the next. */
#include "program.h"

#define RUN_BLOCK 256 /* examples at a time where the caller leaves the scratch to us */

static size_t aligned(size_t bytes) {
  return (bytes + RUNG_ALIGNMENT - 1) & ~(size_t)(RUNG_ALIGNMENT - 1);
}

/* Layer i of `program` on `count` examples. */
static rung_qgemm layer_product(const rung_program *program, int i, int64_t count) {
  rung_qgemm product = program->layer[i].product;
  product.m = count;
  return product;
}

static size_t buffers_bytes(const rung_program *program, int64_t count) {
  return aligned((size_t)count * (size_t)program->scratch);
}

size_t rung_program_scratch(const rung_program *program, int64_t count) {
  size_t most = 0;
  for (int i = 0; i < program->count; i++) {
    rung_qgemm product = layer_product(program, i, count);
    size_t bytes = rung_qgemm_scratch(&product);
    most = bytes > most ? bytes : most;
  }
  return buffers_bytes(program, count) + aligned(most);
}

rung_status rung_program_trace(const rung_program *program, const void *input, int32_t *logits, int64_t count,
                               void *scratch, rung_program_watch *watch, void *context) {
  if (count < 1) return rung_fail(RUNG_ERROR_ARGUMENT, "run: %lld examples, expected 1 or more", (long long)count);
  char *rest = (char *)scratch + buffers_bytes(program, count);
  const void *x = input;
  if (program->table) {
    uint8_t *q = (uint8_t *)scratch + count * program->buffer[0].offset;
    for (int64_t i = 0; i < count * program->buffer[0].count; i++)
      q[i] = program->table->q[((const uint8_t *)input)[i]];
    x = q;
  }
  for (int i = 0; i < program->count; i++) {
    const rung_buffer *output = &program->buffer[program->layer[i].instruction.output];
    rung_qgemm product = layer_product(program, i, count);
    product.a = x;
    product.y = output->place == RUNG_PLACE_LOGITS ? (char *)logits : (char *)scratch + count * output->offset;
    rung_qgemm_run(&product, rest, 0, 1);
    if (watch) watch(context, i, product.y_type, product.y, count, product.n);
    x = product.y;
  }
  return RUNG_OK;
}

rung_status rung_program_run(const rung_program *program, const void *input, int32_t *logits, int64_t count,
                             void *scratch) {
  return rung_program_trace(program, input, logits, count, scratch, NULL, NULL);
}

rung_status rung_run(const rung_program *program, const void *input, int32_t *logits, int64_t count) {
  const rung_program_info info = rung_program_describe(program);
  int64_t block = count < RUN_BLOCK ? count : RUN_BLOCK;
  if (block < 1) block = 1;
  void *scratch = rung_allocate(rung_program_scratch(program, block));
  rung_status status = scratch ? RUNG_OK : RUNG_ERROR_MEMORY;
  for (int64_t first = 0; (first < count || count < 1) && status == RUNG_OK; first += block) {
    int64_t n = count - first < block ? count - first : block;
    status =
        rung_program_run(program, (const char *)input + first * info.inputs, logits + first * info.outputs, n, scratch);
  }
  rung_release(scratch);
  return status;
}
