/* Scales that are not made from what they are of: "rung.given.fc1.weight.scale" came from outside,
 * "rung.learned.relu.4.scale" was trained. Where a file has none, as files of before have not, they are 0: not given,
 * not learned yet. */
#include "checkpoint.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

typedef struct scale_kind {
  const char *prefix;
  rung_graph *(*graph)(const rung_quantization *quantization);
} scale_kind;

static const scale_kind kinds[] = {{"rung.given", rung_quantization_given},
                                   {"rung.learned", rung_quantization_learned}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

void checkpoint_put_scales(checkpoint_out *out, const rung_quantization *quantization) {
  for (int k = 0; k < KINDS; k++) {
    const rung_graph *graph = kinds[k].graph(quantization);
    const rung_node *scale;
    for (int i = 0; (scale = rung_graph_node(graph, i)) != NULL; i++)
      if (*(const float *)scale->value.data != 0)
        checkpoint_put(out, kinds[k].prefix, scale->name, RUNG_F32, scale->value.shape, scale->value.data);
  }
}

static rung_status get_scale(const checkpoint_in *in, const char *prefix, rung_node *scale) {
  char name[1024];
  snprintf(name, sizeof name, "%s.%s", prefix, scale->name);
  const size_t bytes = (size_t)rung_tensor_count(&scale->value) * sizeof(float);
  memset(scale->value.data, 0, bytes);
  if (rung_safetensors_find(in->file, name) == NULL) return RUNG_OK;
  const rung_tensor *stored = rung_safetensors_expect(in->file, name, RUNG_F32, &scale->value.shape);
  if (stored == NULL) return rung_error_status();
  for (int64_t i = 0; i < rung_tensor_count(stored); i++) {
    const float value = ((const float *)stored->data)[i];
    if (!(value >= FLT_MIN && value <= FLT_MAX))
      return rung_fail(RUNG_ERROR_FORMAT, "%s: tensor '%s': value %lld is %g, expected a positive, normal number",
                       in->path, name, (long long)i, (double)value);
  }
  memcpy(scale->value.data, stored->data, bytes);
  return RUNG_OK;
}

rung_status checkpoint_get_scales(const checkpoint_in *in, rung_quantization *quantization) {
  for (int k = 0; k < KINDS; k++) {
    const rung_graph *graph = kinds[k].graph(quantization);
    rung_node *scale;
    for (int i = 0; (scale = rung_graph_node(graph, i)) != NULL; i++) {
      rung_status status = get_scale(in, kinds[k].prefix, scale);
      if (status != RUNG_OK) return status;
    }
  }
  return RUNG_OK;
}
