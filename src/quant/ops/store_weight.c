/* store_weight: a weight w [rows, columns] as what a storage format keeps of it (eq. 58), its scales from its own
 * present values.
 *
 * forward   y[i] = decode(encode(w[i]))
 * backward  dw[i] += dy[i], straight through: by its scale no weight lies outside */
#include "../storage.h"

static rung_status infer(rung_node *node) {
  const rung_storage *storage = node->attributes;
  const rung_tensor *weight = &node->input[0]->value;
  rung_status status = rung_storage_check(storage, "weight_storage");
  if (status != RUNG_OK) return status;
  if (storage_kind_of(storage->format)->double_quantized)
    return rung_fail(RUNG_ERROR_ARGUMENT, "weight_storage %s: its scales depend on all weights; train with nf4",
                     rung_storage_name(storage->format));
  if (weight->type != RUNG_F32 || weight->shape.rank != 2)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is %s of rank %d, expected f32 of rank 2", node->name,
                     node->input[0]->name, rung_dtype_name(weight->type), weight->shape.rank);
  node->value.type = RUNG_F32;
  node->value.shape = weight->shape;
  return RUNG_OK;
}

/* One scale or none: every member finds it for itself, which costs less than waiting for another. */
static void forward_whole(rung_node *node, const rung_replay *replay, const storage_kind *kind) {
  const float *w = node->input[0]->value.data;
  const float scale = kind->scale ? kind->scale(kind, w, rung_tensor_count(&node->value)) : 1;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  storage_round(kind, w + begin, end - begin, scale, (float *)node->value.data + begin);
}

static void forward(rung_node *node, const rung_replay *replay) {
  const rung_storage *storage = node->attributes;
  const storage_kind *kind = storage_kind_of(storage->format);
  const int64_t rows = node->value.shape.extent[0], columns = node->value.shape.extent[1];
  const int64_t blocks = storage_block_count(storage, rows, columns);
  if (blocks == 1) {
    forward_whole(node, replay, kind);
    return;
  }
  const float *w = node->input[0]->value.data;
  float *y = node->value.data;
  int64_t begin, end;
  rung_slice(blocks, 1, replay->ith, replay->nth, &begin, &end);
  for (int64_t b = begin; b < end; b++) {
    const storage_block block = storage_block_at(storage, rows, columns, b);
    const float *from = w + block.begin;
    storage_round(kind, from, block.count, kind->scale(kind, from, block.count), y + block.begin);
  }
}

static void backward(rung_node *node, const rung_replay *replay) {
  rung_node *weight = node->input[0];
  if (!rung_node_wants_gradient(weight)) return;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  rung_kernels_active()->scale_add((float *)weight->gradient.data + begin, (const float *)node->gradient.data + begin,
                                   1, end - begin, node->accumulate[0]);
}

static const rung_op store_weight_op = {
    .name = "store_weight", .input_count = 1, .infer = infer, .forward = forward, .backward = backward};

rung_node *rung_store_weight(rung_node *weight, const rung_storage *storage) {
  return rung_record(&store_weight_op, &weight, storage, sizeof *storage);
}
