/* What an epoch came to, kept with the model. */
#include "history.h"

#include <math.h>
#include <string.h>

rung_status history_reserve(rung_model *model, int more) {
  if (more <= model->history_capacity - model->history_count) return RUNG_OK;
  if (more > INT32_MAX - model->history_count)
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: %d epochs after %d, expected at most 2^31 - 1 in all", more,
                     model->history_count);
  const int capacity = model->history_count + more;
  rung_epoch *history = rung_allocate((size_t)capacity * sizeof *history);
  if (!history) return RUNG_ERROR_MEMORY;
  if (model->history_count > 0) memcpy(history, model->history, (size_t)model->history_count * sizeof *history);
  rung_release(model->history);
  model->history = history;
  model->history_capacity = capacity;
  return RUNG_OK;
}

void history_add(rung_model *model, const rung_progress *progress) {
  const bool quantized = model->form != RUNG_FORM_FLOAT, classifies = model_labels(model) != NULL;
  const bool validated = progress->validation.examples > 0;
  model->history[model->history_count++] = (rung_epoch){
      .weight_bits = quantized ? rung_scheme_weight_format(&model->scheme).bits : 0,
      .activation_bits = quantized ? rung_scheme_activation_format(&model->scheme).bits : 0,
      .rate = progress->rate,
      .loss = (float)progress->train.loss,
      .accuracy = classifies ? (float)progress->train.accuracy : NAN,
      .validation_loss = validated ? (float)progress->validation.loss : NAN,
      .validation_accuracy = validated && classifies ? (float)progress->validation.accuracy : NAN,
  };
}

int rung_model_epoch_count(const rung_model *model) {
  return model->history_count;
}

rung_epoch rung_model_epoch(const rung_model *model, int index) {
  return index >= 0 && index < model->history_count ? model->history[index] : (rung_epoch){0};
}
