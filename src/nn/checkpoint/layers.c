/* Layers with bits of their own: metadata "scheme.layers", how many, and "scheme.layer.0" ..., each as "fc1=w8a8". */
#include "checkpoint.h"

#include <stdio.h>
#include <string.h>

enum { KEY_SIZE = 48, MOST_LAYERS = 1 << 16 };

static const char *layer_key(int index, char key[KEY_SIZE]) {
  snprintf(key, KEY_SIZE, "scheme.layer.%d", index);
  return key;
}

void checkpoint_put_layers(checkpoint_out *out, const rung_scheme *scheme) {
  char key[KEY_SIZE], text[RUNG_LAYER_TEXT];
  if (scheme->layer_count == 0) return;
  snprintf(text, sizeof text, "%d", scheme->layer_count);
  checkpoint_put_text(out, "scheme.layers", text);
  for (int i = 0; i < scheme->layer_count; i++)
    checkpoint_put_text(out, layer_key(i, key), rung_layer_scheme_format(&scheme->layers[i], text));
}

static rung_status get_count(const checkpoint_in *in, int *count) {
  const text_field field = {.name = "layers", .kind = FIELD_INT};
  const char *text = rung_safetensors_metadata(in->file, "scheme.layers");
  *count = 0;
  if (text == NULL || (field_parse(&field, text, count) && *count > 0 && *count <= MOST_LAYERS)) return RUNG_OK;
  return rung_fail(RUNG_ERROR_FORMAT, "%s: metadata 'scheme.layers' is '%s', expected 1..%d", in->path, text,
                   MOST_LAYERS);
}

rung_status checkpoint_get_layers(const checkpoint_in *in, rung_scheme *scheme, rung_layer_scheme **layers) {
  char key[KEY_SIZE];
  int count;
  rung_status status = get_count(in, &count);
  if (status != RUNG_OK || count == 0) return status;
  *layers = rung_allocate((size_t)count * (sizeof **layers + RUNG_LAYER_NAME));
  if (*layers == NULL) return RUNG_ERROR_MEMORY;
  scheme->layers = *layers;
  scheme->layer_count = count;
  char *names = (char *)(*layers + count);
  for (int i = 0; i < count; i++) {
    const char *text = rung_safetensors_metadata(in->file, layer_key(i, key));
    if (text == NULL) return rung_fail(RUNG_ERROR_FORMAT, "%s: metadata '%s' is missing", in->path, key);
    if (rung_layer_scheme_parse(text, &(*layers)[i], names + i * RUNG_LAYER_NAME) != RUNG_OK)
      return rung_fail(RUNG_ERROR_FORMAT, "%s: %s", in->path, rung_error());
  }
  return RUNG_OK;
}
