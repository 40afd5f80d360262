/* The history in a checkpoint: one row of f32 an epoch. */
#include "../history.h"
#include "checkpoint.h"

#include <string.h>

enum { COLUMNS = sizeof(rung_epoch) / sizeof(float) };

static void to_row(const rung_epoch *epoch, float row[COLUMNS]) {
  const float columns[] = {
      (float)epoch->weight_bits, (float)epoch->activation_bits, epoch->rate, epoch->loss, epoch->accuracy,
      epoch->validation_loss,    epoch->validation_accuracy};
  _Static_assert(sizeof columns == COLUMNS * sizeof(float), "a column a field");
  memcpy(row, columns, sizeof columns);
}

/* A file may hold any number; bits are 0 .. 8. */
static int to_bits(float column) {
  return column >= 1 && column <= 8 ? (int)column : 0;
}

static rung_epoch from_row(const float row[COLUMNS]) {
  return (rung_epoch){to_bits(row[0]), to_bits(row[1]), row[2], row[3], row[4], row[5], row[6]};
}

void checkpoint_put_history(checkpoint_out *out, const rung_model *model) {
  if (model->history_count == 0) return;
  float *rows = checkpoint_memory(out, (size_t)model->history_count * COLUMNS, sizeof *rows);
  if (rows == NULL) return;
  for (int i = 0; i < model->history_count; i++) to_row(&model->history[i], rows + (size_t)i * COLUMNS);
  checkpoint_put(out, "rung.history", "", RUNG_F32, RUNG_SHAPE(model->history_count, COLUMNS), rows);
}

rung_status checkpoint_get_history(const checkpoint_in *in, rung_model *model) {
  const rung_tensor *found = rung_safetensors_find(in->file, "rung.history");
  if (found == NULL) { /* never trained, or written before there was one */
    model->history_count = 0;
    return RUNG_OK;
  }
  const int64_t epochs = found->data != NULL && found->shape.rank == 2 ? found->shape.extent[0] : 1;
  const rung_shape shape = RUNG_SHAPE(epochs, COLUMNS);
  const rung_tensor *tensor = rung_safetensors_expect(in->file, "rung.history", RUNG_F32, &shape);
  if (tensor == NULL) return rung_error_status();
  if (epochs > INT32_MAX)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: a history of %lld epochs, expected fewer than 2^31", in->path,
                     (long long)epochs);
  if (history_reserve(model, (int)epochs) != RUNG_OK) return RUNG_ERROR_MEMORY;
  for (int64_t i = 0; i < epochs; i++) model->history[i] = from_row((const float *)tensor->data + i * COLUMNS);
  model->history_count = (int)epochs;
  return RUNG_OK;
}
