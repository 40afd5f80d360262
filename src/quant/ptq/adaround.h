/* AdaRound from the inside: what a step reads and writes. */
#ifndef RUNG_ADAROUND_H
#define RUNG_ADAROUND_H

#include <rung/quant/ptq.h>

typedef struct adaround {
  rung_ptq_layer *layer;
  rung_adaround_options options; /* the defaults filled in */
  int64_t batch;
  rung_rng rng;
  int32_t qmin, qmax;
  float *base, *step;       /* [out, in]: what h = 0 makes of a weight, and what h = 1 adds: its scale or 0 */
  float *v;                 /* [out, in]: what is learned */
  float *sigmoid;           /* [out, in]: of v */
  float *soft;              /* [out, in]: the softly rounded weights */
  float *gradient;          /* [out, in]: of the loss, to the soft weights first, then to v */
  float *moment1, *moment2; /* [out, in]: Adam's */
  float *target;            /* [n, out]: what the layer gives in the float network */
  double energy;            /* the targets' mean square */
  float *x, *y;             /* [batch, in], [batch, out] */
  float *power;             /* [members, in] */
  char *scratch;            /* of each member's products */
  size_t scratch_bytes;
} adaround;

/* `options` may be NULL. Close it also where it could not be opened. */
rung_status adaround_open(adaround *self, rung_ptq_layer *layer, const rung_adaround_options *options);
void adaround_close(adaround *self);
/* self->gradient from self->v and the examples of step `step`: member ith's part, which ends with its own rows. beta 0:
 * the loss without the regularizer. */
void adaround_gradient(adaround *self, int64_t step, float beta, int ith, int nth);

#endif
