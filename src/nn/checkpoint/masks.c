/* The masks of a checkpoint: "rung.mask.PARAMETER", u8, of the parameter's shape, 1 where it stays. */
#include "checkpoint.h"

#include "../prune/prune.h"

#include <stdio.h>

#define PREFIX "rung.mask"

void checkpoint_put_masks(checkpoint_out *out, const rung_model *model) {
  const int count = rung_model_parameter_count(model);
  for (int i = 0; i < count; i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    const uint8_t *keep = rung_model_mask(model, i);
    if (keep != NULL) checkpoint_put(out, PREFIX, parameter.name, RUNG_U8, parameter.shape, keep);
  }
}

static bool has_mask(const checkpoint_in *in, const char *parameter) {
  char name[1024];
  snprintf(name, sizeof name, PREFIX ".%s", parameter);
  return rung_safetensors_find(in->file, name) != NULL;
}

/* Its numbers are 0 and 1, and the parameter is 0 where it says so. */
static rung_status check_mask(const checkpoint_in *in, const rung_parameter *parameter) {
  const rung_tensor *mask = checkpoint_get(in, PREFIX, parameter->name, RUNG_U8, parameter->shape);
  if (mask == NULL) return rung_error_status();
  const uint8_t *keep = mask->data;
  const float *value = rung_safetensors_find(in->file, parameter->name)->data;
  for (int64_t k = 0; k < rung_tensor_count(mask); k++)
    if (keep[k] > 1 || (keep[k] == 0 && value[k] != 0))
      return rung_fail(RUNG_ERROR_FORMAT,
                       "%s: mask of '%s': value %lld is %u where the weight is %g, expected 0 or 1, "
                       "and 0 where the weight is 0 only",
                       in->path, parameter->name, (long long)k, keep[k], (double)value[k]);
  return RUNG_OK;
}

rung_status checkpoint_check_masks(const checkpoint_in *in, const rung_model *model, const rung_scheme *scheme) {
  const int count = rung_model_parameter_count(model);
  rung_status status = RUNG_OK;
  for (int i = 0; i < count && status == RUNG_OK; i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    if (!has_mask(in, parameter.name)) continue;
    status = check_mask(in, &parameter);
    if (status == RUNG_OK && scheme != NULL && prune_check_scheme(scheme) != RUNG_OK)
      status = rung_fail(RUNG_ERROR_FORMAT, "%s: %s", in->path, rung_error());
  }
  return status;
}

rung_status checkpoint_set_masks(const checkpoint_in *in, rung_model *model) {
  model_free_masks(model);
  for (int i = 0; i < rung_graph_node_count(model->graph); i++) {
    const rung_node *node = rung_graph_node(model->graph, i);
    if (!rung_node_is_parameter(node) || !has_mask(in, node->name)) continue;
    const rung_tensor *mask = checkpoint_get(in, PREFIX, node->name, RUNG_U8, node->value.shape);
    uint8_t *keep = mask != NULL ? prune_mask(model, node) : NULL;
    if (keep == NULL) return rung_error_status();
    memcpy(keep, mask->data, (size_t)rung_tensor_count(mask));
  }
  return RUNG_OK;
}
