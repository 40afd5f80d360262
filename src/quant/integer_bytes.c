#include <rung/quant.h>

int64_t rung_integer_layer_bytes(const rung_integer_layer *layer) {
  const int64_t weights = (layer->in * layer->out * layer->weight_format.bits + 7) / 8;
  const int64_t bytes = weights + layer->out * layer->groups * 8 + layer->out;
  return layer->group ? bytes + layer->out * 8 : bytes;
}
