/* Where data enters a program: integers as they are, reals by eq. 2, and integers that stand for reals as these. */
#include "program.h"

#include <string.h>

/* x [n] on the grid of buffer 0 (eq. 2; of one bit, eq. 33). */
static void quantize(const rung_buffer *to, void *q, const float *x, int64_t n) {
  const rung_kernels *kernels = rung_kernels_active();
  const float inverse = 1 / to->scale;
  if (to->binary)
    for (int64_t i = 0; i < n; i++) ((int8_t *)q)[i] = x[i] >= 0 ? 1 : -1;
  else if (to->type == RUNG_I8)
    kernels->quantize_i8(q, x, n, inverse, to->zero_point, to->qmin, to->qmax);
  else
    kernels->quantize_u8(q, x, n, inverse, to->zero_point, to->qmin, to->qmax);
}

rung_status rung_program_quantize(const rung_program *program, const float *x, void *q, int64_t count) {
  const rung_buffer *first = &program->buffer[0];
  const rung_kernels *kernels = rung_kernels_active();
  for (int64_t i = 0; i < count; i++) {
    float least, most;
    bool has_nan;
    kernels->min_max(x + i * first->count, first->count, &least, &most, &has_nan);
    if (has_nan) return rung_fail(RUNG_ERROR_NUMERIC, "quantize: example %lld holds a NaN", (long long)i);
    quantize(first, (uint8_t *)q + i * first->count, x + i * first->count, first->count);
  }
  return RUNG_OK;
}

/* Integers of the program's own, or what stands for reals where it takes these. */
static rung_status check_type(const rung_program *program, const rung_dataset *dataset) {
  const rung_program_info wants = rung_program_describe(program);
  const rung_tensor *inputs = &dataset->inputs;
  if (program->real_inputs) return RUNG_OK;
  if (inputs->type != wants.input_type)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: inputs are %s, the program takes %s", dataset->name,
                     rung_dtype_name(inputs->type), rung_dtype_name(wants.input_type));
  if (inputs->scale != wants.input_scale || inputs->zero_point != wants.input_zero_point)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: inputs have scale %g and zero point %d, the program takes %g and %d",
                     dataset->name, (double)inputs->scale, inputs->zero_point, (double)wants.input_scale,
                     wants.input_zero_point);
  return RUNG_OK;
}

rung_status rung_program_check(const rung_program *program, const rung_dataset *dataset) {
  int64_t have = rung_tensor_count(&dataset->inputs) / dataset->count, want = program->buffer[0].count;
  if (have != want)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: an example has %lld values, the program takes %lld", dataset->name,
                     (long long)have, (long long)want);
  return check_type(program, dataset);
}

/* Through the reals that they stand for, as the graph's input computes them, `CHUNK` at a time. */
static void quantize_integers(const rung_program *program, const rung_tensor *inputs, int64_t first, int64_t count,
                              void *q) {
  enum { CHUNK = 1024 };
  const rung_buffer *to = &program->buffer[0];
  const rung_kernels *kernels = rung_kernels_active();
  const uint8_t *from = (const uint8_t *)inputs->data + first;
  float x[CHUNK];
  for (int64_t i = 0, n; i < count; i += n) {
    n = count - i < CHUNK ? count - i : CHUNK;
    if (inputs->type == RUNG_U8)
      kernels->dequantize_u8(x, from + i, n, inputs->scale, inputs->zero_point);
    else
      kernels->dequantize_i8(x, (const int8_t *)from + i, n, inputs->scale, inputs->zero_point);
    quantize(to, (uint8_t *)q + i, x, n);
  }
}

rung_status rung_program_take(const rung_program *program, const rung_dataset *dataset, int64_t first, int64_t count,
                              void *q) {
  const rung_tensor *inputs = &dataset->inputs;
  const int64_t each = program->buffer[0].count;
  rung_status status = rung_program_check(program, dataset);
  if (status != RUNG_OK) return status;
  if (inputs->type == RUNG_F32)
    return rung_program_quantize(program, (const float *)inputs->data + first * each, q, count);
  if (program->real_inputs)
    quantize_integers(program, inputs, first * each, count * each, q);
  else
    memcpy(q, (const char *)inputs->data + first * each, (size_t)(count * each));
  return RUNG_OK;
}

const void *program_inputs(const rung_program *program, const rung_dataset *dataset, void **owned) {
  *owned = NULL;
  if (rung_program_check(program, dataset) != RUNG_OK) return NULL;
  if (!program->real_inputs) return dataset->inputs.data;
  *owned = rung_allocate((size_t)rung_tensor_count(&dataset->inputs));
  if (!*owned) return NULL;
  if (rung_program_take(program, dataset, 0, dataset->count, *owned) == RUNG_OK) return *owned;
  rung_release(*owned);
  *owned = NULL;
  return NULL;
}
