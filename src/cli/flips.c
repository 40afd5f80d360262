#include "flips.h"

#include "json.h"
#include "network.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

rung_status flips_check(const session *asked, const rung_model *model) {
  static const option_id of_integers[] = {OPTION_WATCH, OPTION_DAMPING, OPTION_FREEZE};
  const bool has_integers =
      rung_model_quantization(model) && rung_model_scheme(model)->weight_storage == RUNG_STORAGE_F32;
  char bits[8];
  for (size_t i = 0; i < sizeof of_integers / sizeof *of_integers && !has_integers; i++)
    if (asked->option[of_integers[i]].given)
      return rung_fail(RUNG_ERROR_ARGUMENT, "--%s: goes with a model of integer weights only; this one's are %s",
                       options[of_integers[i]].name, network_bits(model, bits));
  return RUNG_OK;
}

rung_oscillation_options flips_options(const session *asked) {
  return (rung_oscillation_options){
      .watch = GIVEN(asked, WATCH), .damping = REAL_OF(asked, DAMPING), .freeze = REAL_OF(asked, FREEZE)};
}

/* "fc1" of "fc1.weight". */
static void tell_layer(session *asked, const char *weight, const rung_oscillation *seen, json *list) {
  char name[256];
  const char *end = strrchr(weight, '.');
  snprintf(name, sizeof name, "%.*s", end ? (int)(end - weight) : (int)strlen(weight), weight);
  report_say(&asked->report,
             "%s: %" PRId64 " flips; of %" PRId64 " weights %" PRId64 " oscillating, %" PRId64 " frozen\n", name,
             seen->flips, seen->weights, seen->oscillating, seen->frozen);
  json *object = json_list_object(list);
  json_text(object, "name", name);
  json_whole(object, "weights", seen->weights);
  json_whole(object, "flips", seen->flips);
  json_whole(object, "oscillating", seen->oscillating);
  json_whole(object, "frozen", seen->frozen);
}

void flips_tell(session *asked, const rung_model *model) {
  const rung_quantization *quantization = rung_model_quantization(model);
  json *list = NULL;
  const rung_node *node;
  for (int i = 0; quantization && (node = rung_graph_node(rung_model_graph(model), i)) != NULL; i++) {
    if (node->op != &rung_op_linear || !rung_quantization_oscillation_state(quantization, node).code) continue;
    const rung_oscillation seen = rung_quantization_oscillation(quantization, node);
    if (!list) list = json_list(asked->report.object, "oscillation");
    tell_layer(asked, node->input[1]->name, &seen, list);
  }
}
