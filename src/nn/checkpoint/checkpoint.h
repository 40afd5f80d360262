/* Checkpoints from the inside (docs/checkpoints.md tells what is in one): save.c writes them, load.c reads them;
 * quantizers.c, masks.c, history.c and fit_state.c know both directions of a part. */
#ifndef RUNG_CHECKPOINT_H
#define RUNG_CHECKPOINT_H

#include "../model.h"
#include "../optimizer.h"
#include "fields.h"

#define CHECKPOINT_VERSION "1"

/* A fit under way: what goes on from a checkpoint. */
typedef struct fit_state {
  const rung_fit_options *options; /* the defaults filled in */
  optimizer *optimizer;
  place_fields place;
} fit_state;

/* ---- Writing: what a file will hold, collected; a first failure stays ------------------------------------------- */

typedef struct checkpoint_out {
  rung_arena *arena; /* of names, of texts and of what is copied */
  rung_named_tensor *tensors;
  int tensor_count, tensor_capacity;
  rung_metadata *metadata;
  int metadata_count, metadata_capacity;
  rung_status status;
} checkpoint_out;

/* A tensor named "PREFIX" or "PREFIX.NAME"; `data` is borrowed. */
void checkpoint_put(checkpoint_out *out, const char *prefix, const char *name, rung_dtype type, rung_shape shape,
                    const void *data);
void checkpoint_put_text(checkpoint_out *out, const char *key, const char *value);
/* All fields of the object, "PREFIX.FIELD". */
void checkpoint_put_fields(checkpoint_out *out, const char *prefix, const text_field *table, const void *object);
/* Zeroed memory that lives until the file is written; NULL once something failed. */
void *checkpoint_memory(checkpoint_out *out, size_t count, size_t size);

void checkpoint_put_layers(checkpoint_out *out, const rung_scheme *scheme);
void checkpoint_put_quantizers(checkpoint_out *out, const rung_quantization *quantization);
void checkpoint_put_scales(checkpoint_out *out, const rung_quantization *quantization);
void checkpoint_put_masks(checkpoint_out *out, const rung_model *model);
void checkpoint_put_oscillation(checkpoint_out *out, const rung_model *model);
void checkpoint_put_history(checkpoint_out *out, const rung_model *model);
void checkpoint_put_fit(checkpoint_out *out, const fit_state *fit);

/* The model, and the fit if it is not NULL. */
rung_status checkpoint_save(const rung_model *model, const fit_state *fit, const char *path);

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

typedef struct checkpoint_in {
  const char *path;
  const rung_safetensors *file;
} checkpoint_in;

/* The tensor "PREFIX.NAME" of this type and shape; NULL with a message. */
const rung_tensor *checkpoint_get(const checkpoint_in *in, const char *prefix, const char *name, rung_dtype type,
                                  rung_shape shape);
rung_status checkpoint_get_fields(const checkpoint_in *in, const char *prefix, const text_field *table, void *object);

/* Of parameters that the file has, checked; `scheme` may be NULL. */
rung_status checkpoint_check_masks(const checkpoint_in *in, const rung_model *model, const rung_scheme *scheme);
/* The model's masks become the file's; none, where the file has none. */
rung_status checkpoint_set_masks(const checkpoint_in *in, rung_model *model);

/* Sets the scheme's layers, in memory that is `layers` from then on, also where it fails: rung_release it. */
rung_status checkpoint_get_layers(const checkpoint_in *in, rung_scheme *scheme, rung_layer_scheme **layers);
rung_status checkpoint_get_quantizers(const checkpoint_in *in, rung_quantization *quantization);
rung_status checkpoint_get_scales(const checkpoint_in *in, rung_quantization *quantization);
/* Before the integers are made. Of a file without any: none is watched. */
rung_status checkpoint_get_oscillation(const checkpoint_in *in, rung_model *model);
/* Of a file without one: none. */
rung_status checkpoint_get_history(const checkpoint_in *in, rung_model *model);

/* Opens a checkpoint of this version. */
rung_status checkpoint_open(const char *path, checkpoint_in *in, rung_safetensors **file);
/* Checks that the file is of such a model before it changes anything, then sets all of it. */
rung_status checkpoint_restore(const checkpoint_in *in, rung_model *model);
/* Sets `place`, if the file was written by such a fit: same options, same size of the dataset and batch. */
rung_status checkpoint_get_place(const checkpoint_in *in, const rung_model *model, fit_state *fit);
/* The optimizer's slots and step; it is new. */
rung_status checkpoint_get_optimizer(const checkpoint_in *in, const rung_model *model, fit_state *fit);

/* 64-bit numbers as 8 bytes, the lowest first. */
void checkpoint_encode(uint64_t value, uint8_t bytes[8]);
uint64_t checkpoint_decode(const uint8_t bytes[8]);

#endif
