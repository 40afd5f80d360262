/* Where data enters a program: integers as they are, reals by eq. 2. */
#include "program.h"

rung_status rung_program_quantize(const rung_program *program, const float *x, void *q, int64_t count) {
  const rung_buffer *first = &program->buffer[0];
  const rung_kernels *kernels = rung_kernels_active();
  const float inverse = 1 / first->scale;
  for (int64_t i = 0; i < count; i++) {
    float least, most;
    bool has_nan;
    kernels->min_max(x + i * first->count, first->count, &least, &most, &has_nan);
    if (has_nan) return rung_fail(RUNG_ERROR_NUMERIC, "quantize: example %lld holds a NaN", (long long)i);
    if (first->type == RUNG_I8)
      kernels->quantize_i8((int8_t *)q + i * first->count, x + i * first->count, first->count, inverse,
                           first->zero_point, first->qmin, first->qmax);
    else
      kernels->quantize_u8((uint8_t *)q + i * first->count, x + i * first->count, first->count, inverse,
                           first->zero_point, first->qmin, first->qmax);
  }
  return RUNG_OK;
}

rung_status program_check_inputs(const rung_program *program, const rung_dataset *dataset) {
  const rung_buffer *first = &program->buffer[0];
  if (dataset->inputs.type != first->type && !(dataset->inputs.type == RUNG_F32 && program->real_inputs))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: inputs are %s, the program takes %s", dataset->name,
                     rung_dtype_name(dataset->inputs.type), rung_dtype_name(first->type));
  int64_t have = rung_tensor_count(&dataset->inputs) / dataset->count;
  if (have != first->count)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: an example has %lld values, the program takes %lld", dataset->name,
                     (long long)have, (long long)first->count);
  if (dataset->inputs.type != RUNG_F32 &&
      (dataset->inputs.scale != first->scale || dataset->inputs.zero_point != first->zero_point))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: inputs have scale %g and zero point %d, the program takes %g and %d",
                     dataset->name, (double)dataset->inputs.scale, dataset->inputs.zero_point, (double)first->scale,
                     first->zero_point);
  return RUNG_OK;
}

const void *program_inputs(const rung_program *program, const rung_dataset *dataset, void **owned) {
  *owned = NULL;
  if (program_check_inputs(program, dataset) != RUNG_OK) return NULL;
  if (dataset->inputs.type != RUNG_F32) return dataset->inputs.data;
  *owned = rung_allocate((size_t)rung_tensor_count(&dataset->inputs));
  if (!*owned) return NULL;
  if (rung_program_quantize(program, dataset->inputs.data, *owned, dataset->count) == RUNG_OK) return *owned;
  rung_release(*owned);
  *owned = NULL;
  return NULL;
}
