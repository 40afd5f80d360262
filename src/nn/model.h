/* The model from the inside. */
#ifndef RUNG_MODEL_H
#define RUNG_MODEL_H

#include <rung/nn.h>

struct rung_model {
  rung_team *team;
  rung_graph *graph; /* the float one; owns the parameters */
  rung_rng rng;      /* of the order of examples */
  uint64_t epochs;   /* trained so far: no two epochs share an order */
  bool has_scheme;
  rung_scheme scheme;
  rung_layer_scheme *layers;       /* the scheme's, owned */
  rung_quantization *quantization; /* NULL until calibrated */
  rung_tensor inputs;              /* what it was calibrated with: type, scale and zero point */
  rung_form form;
  rung_epoch *history; /* [history_count], room for history_capacity */
  int history_count, history_capacity;
  uint8_t **mask; /* [mask_count], by index in `graph`: of parameters, 1 where they stay; NULL: all of it stays */
  int mask_count;
};

/* Makes a copy of the scheme the model's. */
rung_status model_set_scheme(rung_model *model, const rung_scheme *scheme);
/* The form that calibrating leaves the model in. */
rung_form model_quantized_form(const rung_model *model);
/* The graph of the present form. */
rung_graph *model_present_graph(const rung_model *model);
/* The loss, the scores it looks at (integers in integer form), and its labels or targets; of the present form. */
rung_node *model_loss(const rung_model *model);
const rung_tensor *model_scores(const rung_model *model);
const rung_tensor *model_labels(const rung_model *model); /* NULL in a regression */
/* RUNG_OK if all was recorded and the model ends in a loss. */
rung_status model_check_loss(const rung_model *model);
/* Binds the inputs and the labels or targets of the present form's graph to `dataset`. */
rung_status model_bind(rung_model *model, const rung_dataset *dataset, rung_graph **graph);
/* Binds one example of zeros, of the type that the data will be: all that quantizing asks of them. */
rung_status model_bind_types(rung_model *model, const rung_tensor *inputs);
/* How many rows of scores [n, classes], f32 or i32, have their label's score as the largest (the first one on a tie).
 */
int64_t model_count_correct(const rung_tensor *scores, const int32_t *labels);

/* The mask of a parameter of any form's graph; NULL: it has none. */
const uint8_t *model_mask(const rung_model *model, const rung_node *parameter);
/* Sets what is pruned to 0. */
void model_apply_masks(rung_model *model);
void model_free_masks(rung_model *model);

#endif
