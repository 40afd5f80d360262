/* From a measurement and a limit to a scheme. */
#include "../model.h"

#include <rung/nn/mixed_precision.h>

#include <math.h>

static void fill_table(const rung_sensitivity *s, bool by_accuracy, rung_bit_choice *table) {
  for (int l = 0; l < s->layers; l++)
    for (int c = 0; c < s->choices; c++) {
      const rung_bit_sensitivity *at = &s->layer[l].at[c];
      *table++ = (rung_bit_choice){.bytes = at->bytes, .loss = by_accuracy ? fmax(at->drop, 0) : at->noise};
    }
}

static rung_status set_bits(rung_model *model, const rung_sensitivity *s, const int *chosen,
                            rung_layer_scheme *layers) {
  for (int l = 0; l < s->layers; l++)
    layers[l] =
        (rung_layer_scheme){.name = s->layer[l].name,
                            .weight_bits = s->layer[l].at[chosen[l]].bits,
                            .activation_bits = rung_scheme_of_layer(&model->scheme, s->layer[l].name).activation_bits};
  rung_scheme scheme = model->scheme;
  scheme.layers = layers;
  scheme.layer_count = s->layers;
  return rung_quantize(model, &scheme);
}

rung_status rung_mixed_precision_from(rung_model *model, const rung_sensitivity *s, int64_t limit,
                                      const rung_mixed_options *options) {
  const rung_mixed_options defaults = {0};
  if (!options) options = &defaults;
  rung_status status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  if (!model->has_scheme) return rung_fail(RUNG_ERROR_STATE, "bits: the model has no scheme; call rung_quantize");
  const size_t layers = (size_t)s->layers, entries = layers * (size_t)s->choices;
  rung_bit_choice *table = rung_allocate(entries * sizeof *table + layers * (sizeof(rung_layer_scheme) + sizeof(int)));
  if (!table) return RUNG_ERROR_MEMORY;
  rung_layer_scheme *of_layers = (rung_layer_scheme *)(table + entries);
  int *chosen = (int *)(of_layers + layers);
  fill_table(s, options->by_accuracy, table);
  status = rung_choose_bits(table, s->layers, s->choices, limit, options->search, chosen);
  if (status == RUNG_OK) status = set_bits(model, s, chosen, of_layers);
  rung_release(table);
  return status;
}

rung_status rung_mixed_precision(rung_model *model, const rung_dataset *dataset, int64_t limit,
                                 const rung_mixed_options *options) {
  rung_sensitivity *sensitivity = rung_sensitivity_new(model, dataset, options);
  if (!sensitivity) return rung_error_status();
  rung_status status = rung_mixed_precision_from(model, sensitivity, limit, options);
  rung_sensitivity_free(sensitivity);
  return status;
}
