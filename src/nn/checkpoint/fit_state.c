/* The fit in a checkpoint: its options, how far it is, and the optimizer's slots. */
#include "checkpoint.h"

#include <stdio.h>
#include <string.h>

enum { PREFIX_SIZE = 64 };

/* Slots are "rung.optimizer.SLOT.PARAMETER", and the scales of their codes "rung.optimizer.SLOT.absmax.PARAMETER". */
static const char *slot_prefix(const optimizer_slot *slot, char prefix[PREFIX_SIZE]) {
  snprintf(prefix, PREFIX_SIZE, "rung.optimizer.%s%s%s", slot->name, *slot->part ? "." : "", slot->part);
  return prefix;
}

void checkpoint_put_fit(checkpoint_out *out, const fit_state *fit) {
  char prefix[PREFIX_SIZE];
  optimizer_slot slot;
  checkpoint_put_fields(out, "fit", fit_table, fit->options);
  checkpoint_put_fields(out, "fit", place_table, &fit->place);
  for (int i = 0; optimizer_slot_at(fit->optimizer, i, &slot); i++)
    checkpoint_put(out, slot_prefix(&slot, prefix), slot.parameter->name, slot.state.type, slot.state.shape,
                   slot.state.data);
}

/* Every option must be what it was: with another the rest of the fit would be that of no fit from the beginning. */
static rung_status compare_options(const checkpoint_in *in, const rung_fit_options *options) {
  rung_fit_options before = {0};
  rung_status status = checkpoint_get_fields(in, "fit", fit_table, &before);
  for (const text_field *field = fit_table; field->name != NULL && status == RUNG_OK; field++) {
    char was[FIELD_TEXT], is[FIELD_TEXT];
    if (strcmp(field_format(field, &before, was), field_format(field, options, is)) != 0)
      status = rung_fail(RUNG_ERROR_ARGUMENT, "%s: the fit had %s %s, this one has %s; to resume it must be the same",
                         in->path, field->name, was, is);
  }
  return status;
}

static rung_status check_place(const checkpoint_in *in, const place_fields *place, int64_t batch, int epochs,
                               int64_t examples) {
  if (place->examples != examples)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the fit had %lld examples, this dataset has %lld", in->path,
                     (long long)place->examples, (long long)examples);
  const int64_t steps = (examples + batch - 1) / batch;
  if (place->epoch < 1 || place->epoch > epochs || place->step < 1 || place->step > steps)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: epoch %d, step %lld, expected 1..%d and 1..%lld", in->path, place->epoch,
                     (long long)place->step, epochs, (long long)steps);
  return RUNG_OK;
}

rung_status checkpoint_get_place(const checkpoint_in *in, const rung_model *model, fit_state *fit) {
  model_fields fields = {0};
  const int64_t examples = fit->place.examples, batch = rung_graph_batch(model->graph);
  if (rung_safetensors_metadata(in->file, "fit.epoch") == NULL)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: no fit to resume; it was saved outside one", in->path);
  rung_status status = checkpoint_get_fields(in, "", model_table, &fields);
  if (status == RUNG_OK && fields.batch != batch)
    status = rung_fail(RUNG_ERROR_ARGUMENT, "%s: the fit had batch %lld, this model has %lld", in->path,
                       (long long)fields.batch, (long long)batch);
  if (status == RUNG_OK) status = compare_options(in, fit->options);
  const uint64_t teacher = fit->place.teacher;
  fit->place.teacher = 0; /* of a file from before there were any */
  if (status == RUNG_OK) status = checkpoint_get_fields(in, "fit", place_table, &fit->place);
  if (status == RUNG_OK && fit->place.teacher != teacher)
    status =
        rung_fail(RUNG_ERROR_ARGUMENT,
                  "%s: the fit had a teacher of hash %016llx, this one has %016llx (0: none); to resume it must be "
                  "the same, and say the same",
                  in->path, (unsigned long long)fit->place.teacher, (unsigned long long)teacher);
  if (status == RUNG_OK) status = check_place(in, &fit->place, batch, fit->options->epochs, examples);
  return status;
}

rung_status checkpoint_get_optimizer(const checkpoint_in *in, const rung_model *model, fit_state *fit) {
  char prefix[PREFIX_SIZE];
  optimizer_slot slot;
  for (int i = 0; optimizer_slot_at(fit->optimizer, i, &slot); i++) {
    const rung_tensor *tensor =
        checkpoint_get(in, slot_prefix(&slot, prefix), slot.parameter->name, slot.state.type, slot.state.shape);
    if (tensor == NULL) return rung_error_status();
    memcpy(slot.state.data, tensor->data, (size_t)rung_tensor_count(tensor) * rung_dtype_size(tensor->type));
  }
  const int64_t batch = rung_graph_batch(model->graph), steps = (fit->place.examples + batch - 1) / batch;
  optimizer_skip(fit->optimizer, (fit->place.epoch - 1) * steps + fit->place.step);
  return RUNG_OK;
}
