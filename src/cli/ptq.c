#include "ptq.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

/* "fc1=w8a8,fc3=w4": as many layers as pieces. */
static rung_status read_layers(const char *text, rung_scheme *scheme, ptq_asked *to) {
  size_t count = 1;
  for (const char *c = text; *c; c++) count += *c == ',';
  to->layers = rung_allocate(count * (sizeof *to->layers + RUNG_LAYER_NAME) + strlen(text) + 1);
  if (!to->layers) return RUNG_ERROR_MEMORY;
  char *names = (char *)(to->layers + count), *piece = names + count * RUNG_LAYER_NAME;
  strcpy(piece, text);
  for (size_t i = 0; i < count; i++) {
    const size_t length = strcspn(piece, ",");
    piece[length] = '\0';
    if (rung_layer_scheme_parse(piece, &to->layers[i], names + i * RUNG_LAYER_NAME) != RUNG_OK)
      return rung_fail(RUNG_ERROR_ARGUMENT, "--%s", rung_error());
    piece += length + 1;
  }
  scheme->layers = to->layers;
  scheme->layer_count = to->layer_count = (int)count;
  return RUNG_OK;
}

/* "40000", "40k" or "1M": thousands and millions. */
static rung_status read_size(const char *text, int64_t *bytes) {
  const int64_t unit = strchr(text, 'k') ? 1000 : strchr(text, 'M') ? 1000000 : 1;
  const size_t digits = strspn(text, "0123456789");
  *bytes = 0;
  for (size_t i = 0; i < digits && digits <= 12; i++) *bytes = 10 * *bytes + (text[i] - '0');
  *bytes *= unit;
  if (*bytes > 0 && text[digits + (unit > 1)] == '\0') return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "--size-limit '%s': expected bytes, such as 40000, 40k or 1M", text);
}

static void tell_note(void *context, const char *layer, const char *what) {
  session *asked = context;
  report_note(&asked->report, "%s: %s\n", layer, what);
}

rung_status ptq_read(session *asked, rung_scheme *scheme, ptq_asked *to) {
  const char *methods = TEXT_OF(asked, METHOD), *layers = TEXT_OF(asked, LAYER), *size = TEXT_OF(asked, SIZE_LIMIT);
  *to = (ptq_asked){.options = {.note = tell_note, .context = asked}};
  if (methods && rung_ptq_parse(methods, &to->options.methods) != RUNG_OK)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--%s", rung_error());
  if (layers && size)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--layer: with --size-limit the layers' bits are chosen for you; give one");
  if ((methods || size) && scheme->weights != RUNG_WEIGHTS_MAX)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--weights %s and --%s: expected one of them", TEXT_OF(asked, WEIGHT_METHOD),
                     methods ? "method" : "size-limit");
  if (size && GIVEN(asked, BITS) && scheme->weight_bits != 8)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--bits %s: with --size-limit the weights' bits are chosen; expected w8a%d",
                     TEXT_OF(asked, BITS), scheme->activation_bits);
  rung_status status = size ? read_size(size, &to->size_limit) : RUNG_OK;
  if (status == RUNG_OK && layers) status = read_layers(layers, scheme, to);
  return status;
}

/* What the last linear layer puts out are logits, and no activations. */
static rung_status check_layers(rung_model *model, const ptq_asked *how) {
  rung_graph *graph = rung_model_graph(model);
  char last[RUNG_LAYER_NAME] = "", text[RUNG_LAYER_TEXT];
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (node->op == &rung_op_linear) rung_layer_name(node->input[1], last, sizeof last);
  }
  for (int l = 0; l < how->layer_count; l++)
    if (how->layers[l].activation_bits && strcmp(how->layers[l].name, last) == 0)
      return rung_fail(RUNG_ERROR_ARGUMENT, "--layer %s: it puts out the logits, which stay int32; expected %s=wN",
                       rung_layer_scheme_format(&how->layers[l], text), last);
  return RUNG_OK;
}

rung_status ptq_check(const session *asked, rung_model *model, const ptq_asked *how) {
  if (!how->size_limit) return check_layers(model, how);
  const int64_t least = rung_mixed_precision_least(model, NULL);
  if (least == 0) return rung_error_status();
  if (how->size_limit >= least) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "--size-limit %s: the fewest bits take %" PRId64 " bytes",
                   TEXT_OF(asked, SIZE_LIMIT), least);
}

void ptq_free(ptq_asked *of) {
  rung_release(of->layers);
}

/* ---- Doing ------------------------------------------------------------------------------------------------------ */

static const rung_bit_sensitivity *chosen_of(const rung_scheme *scheme, const rung_layer_sensitivity *layer) {
  const int bits = rung_scheme_of_layer(scheme, layer->name).weight_bits;
  return &layer->at[bits - layer->at[0].bits];
}

static void tell_choice(session *asked, const rung_model *model, const rung_sensitivity *sensitivity) {
  json *list = json_list(asked->report.object, "layers");
  report_say(&asked->report, "%-12s %5s %10s %9s %14s\n", "layer", "bits", "bytes", "SQNR, dB", "accuracy lost");
  for (int l = 0; l < sensitivity->layers; l++) {
    const rung_layer_sensitivity *layer = &sensitivity->layer[l];
    const rung_bit_sensitivity *at = chosen_of(rung_model_scheme(model), layer);
    report_say(&asked->report, "%-12s %5d %10" PRId64 " %9.1f %12.2f %%\n", layer->name, at->bits, at->bytes, at->sqnr,
               100 * at->drop);
    json *object = json_list_object(list);
    json_text(object, "name", layer->name);
    json_whole(object, "weight_bits", at->bits);
    json_whole(object, "bytes", at->bytes);
    json_number(object, "sqnr", at->sqnr);
    json_number(object, "accuracy_lost", at->drop);
  }
}

static rung_status choose_bits(session *asked, rung_model *model, const rung_dataset *train, int64_t limit) {
  const rung_mixed_options mixed = {.examples = WHOLE_OF(asked, CALIBRATE)};
  rung_sensitivity *sensitivity = rung_sensitivity_new(model, train, &mixed);
  if (!sensitivity) return rung_error_status();
  rung_status status = rung_mixed_precision_from(model, sensitivity, limit, &mixed);
  if (status == RUNG_OK) tell_choice(asked, model, sensitivity);
  rung_sensitivity_free(sensitivity);
  return status;
}

rung_status ptq_run(session *asked, rung_model *model, const rung_dataset *train, const ptq_asked *how) {
  const int64_t examples = WHOLE_OF(asked, CALIBRATE);
  rung_status status = how->size_limit ? choose_bits(asked, model, train, how->size_limit) : RUNG_OK;
  if (status != RUNG_OK) return status;
  return how->options.methods ? rung_ptq(model, train, examples, &how->options)
                              : rung_calibrate(model, train, examples);
}
