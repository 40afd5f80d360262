/* Post-training quantization as it is asked for: --method, --layer, --size-limit. */
#ifndef CLI_PTQ_H
#define CLI_PTQ_H

#include "session.h"

typedef struct ptq_asked {
  rung_ptq_options options;
  int64_t size_limit;        /* bytes; 0: none */
  rung_layer_scheme *layers; /* of --layer, owned */
  int layer_count;
} ptq_asked;

/* Reads the three into `to` and `scheme`, which borrows the layers. `to` is to be freed also where this fails. */
rung_status ptq_read(session *asked, rung_scheme *scheme, ptq_asked *to);
void ptq_free(ptq_asked *of);
/* What the network rules out of it, before there is any data: bits of activations for a layer that has none, and a
 * limit that nothing fits. The model has its scheme. */
rung_status ptq_check(const session *asked, rung_model *model, const ptq_asked *how);
/* Quantizes the model, which has a scheme, as was asked: bits for its layers, if there is a limit, then ranges and
 * integers. Tells what was chosen. */
rung_status ptq_run(session *asked, rung_model *model, const rung_dataset *train, const ptq_asked *how);

#endif
