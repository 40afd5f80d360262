/* The table of techniques: what a technique is, and what it gets and gives.
 *
 * A technique is one file, bench/techniques/NAME.c, or shares one with its kin; it defines `const technique
 * technique_NAME`, and is one row in technique_list.h. It gets a trained FP32 network, freshly loaded, and leaves it as
 * it would be shipped; the harness measures it, over seeds, with round-to-nearest (the technique `ptq`) at the same
 * setting beside it. docs/techniques.md
 */
#ifndef BENCH_TECHNIQUE_H
#define BENCH_TECHNIQUE_H

#include "../bench.h"

/* One run: a dataset, a seed, and the FP32 network trained with it. */
typedef struct trial {
  const char *data;                 /* as rung_dataset_load takes it */
  const rung_dataset *train, *test; /* calibrate and train on `train` alone */
  const char *network;              /* the text of its layers, all but the last with a ReLU (rung_record_text) */
  const char *checkpoint;           /* of the trained FP32 network */
  uint64_t seed;                    /* of the network, and of all that a technique draws */
  int threads;
  int epochs;       /* of FP32 training */
  int qat_epochs;   /* for what trains on */
  float rate;       /* of FP32 training */
  float qat_rate;   /* Adam, cosine to 0 */
  int64_t examples; /* of the training set to calibrate on, from its first on */
  double accuracy;  /* of the FP32 network on the test set */
  uint64_t hash;    /* of its weights */
  bool outliers;    /* this network has outlier channels (trial_load) */
  bool quick;       /* to see that it works: a small network, and a technique of many steps takes few */
} trial;

/* What is measured. A technique may set any of these itself; what it leaves at 0 the harness measures. */
typedef struct technique_result {
  double accuracy; /* on the test set, of the model in the form it was left in */
  int64_t bytes;   /* of the frozen program's parameters; where there is no program, of the weights as they are stored
                      and the biases in f32, which the technique has to set */
  double layer_error; /* mean over the linear layers of |x (w_q - w)^T|^2 / |x w^T|^2, x the inputs that the layer reads
                         in the float network on the test set (held out); only where .rounds */
  double output_error; /* of the network's outputs, |y_q - y|^2 / |y|^2 on the test set */
} technique_result;

typedef struct technique {
  const char *name; /* "bias-correction" */
  const char *help; /* one line, with the paper */
  /* Where it is measured: settings separated by commas, "w4a8, w3a8 per-tensor, w4a4 group 32 outliers". Each is
   * wNaM and words behind it: per-tensor, per-channel (the default), group N (weights); outliers: the network has
   * outlier channels put in, see trial_load. */
  const char *settings;
  bool rounds; /* it chooses integers for weights that stay what they are: layer_error means something */
  /* `model` is the trained FP32 network; `scheme` is the setting's, to be passed to rung_quantize, other fields added
   * as the technique needs. Leaves the model quantized, in integer form if it has one. */
  rung_status (*run)(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result);
} technique;

/* A new copy of the trained FP32 network; rung_model_free it. NULL with a message.
 *
 * With trial->outliers, the case that methods for outliers were made for, which small MLPs do not have by themselves:
 * in each hidden layer some neurons (1 in 64, at least 2) are scaled by 2^5 (row of the weight and bias) and the
 * columns of the next layer that read them by 2^-5. ReLU commutes with a positive scale and powers of two are exact, so
 * the float network computes the same bits; its activations now have outlier channels, and its weights outlier rows. */
rung_model *trial_load(const trial *t);

/* The usual ways to go on, for techniques. */
rung_status trial_quantize(const trial *t, rung_model *model, const rung_scheme *scheme); /* and calibrate */
/* ... by these methods, bit 1 << rung_ptq_method for each, with their standard parameters. */
rung_status trial_ptq(const trial *t, rung_model *model, const rung_scheme *scheme, uint32_t methods);
rung_status trial_fit(const trial *t, rung_model *model); /* qat_epochs at qat_rate */

/* For techniques whose network no form of a model computes. */
/* `count` numbers of a tensor of f32 or u8, from number `first` on, as real numbers. */
void trial_read(const rung_tensor *x, int64_t first, int64_t count, float *to);
/* Sets accuracy and output_error of outputs y [test examples, classes], beside those of `real`, the float network. */
rung_status trial_measure_outputs(const trial *t, rung_model *real, const float *y, technique_result *result);

extern const technique *const techniques[];
extern const int technique_count;

#endif
