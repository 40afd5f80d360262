/* rung/autograd.h: record a computation once, replay it many times, forward and backward.
 *
 *   rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 64});
 *   rung_node *x = rung_graph_input(graph, "image", RUNG_SHAPE(784));
 *   rung_node *w = rung_graph_parameter(graph, "w", RUNG_SHAPE(10, 784));
 *   rung_node *label = rung_graph_label(graph, "label");
 *   rung_node *loss = rung_cross_entropy(rung_linear_with(x, w, NULL), label);
 *   rung_graph_bind(x, &pictures);
 *   rung_graph_bind(label, &labels);
 *   rung_graph_replay(graph, &(rung_replay_options){.count = 64, .backward = true});
 *
 * Recording is sticky: the first failure leaves its message in rung_error(), that call and every later one that gets
 * its NULL return NULL, so a network is written without a check on each line and checked once at the end. All memory is
 * planned while recording; a replay allocates nothing (but for the first, which sizes the threads' scratch). */
#ifndef RUNG_AUTOGRAD_H
#define RUNG_AUTOGRAD_H

#include <rung/core.h>
#include <rung/io.h>
#include <rung/kernels.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rung_graph rung_graph;
typedef struct rung_node rung_node;

/* ---- Recording -------------------------------------------------------------------------------------------------- */

typedef struct rung_graph_options {
  int64_t batch;   /* the largest number of examples in a replay; 0: 64 */
  rung_team *team; /* borrowed; NULL: the calling thread alone */
  uint64_t seed;   /* of dropout and the like */
} rung_graph_options;

RUNG_API rung_graph *rung_graph_new(const rung_graph_options *options);
RUNG_API void rung_graph_free(rung_graph *graph);

/* What an example brings, [batch, shape...]. An input is f32, or stays u8 or i8 (with the data's scale and zero point)
 * when all that read it can read integers. A label is i32 [batch]; a target is f32. */
RUNG_API rung_node *rung_graph_input(rung_graph *graph, const char *name, rung_shape shape);
RUNG_API rung_node *rung_graph_label(rung_graph *graph, const char *name);
/* What is learned: an f32 value and its gradient, owned by the graph, zero at first. Names are unique in a graph. */
RUNG_API rung_node *rung_graph_parameter(rung_graph *graph, const char *name, rung_shape shape);

/* Operations. [n] stands for the batch, which stays the outermost extent. Gradients flow to every f32 operand. */
RUNG_API rung_node *rung_linear_with(rung_node *x, rung_node *weight,
                                     rung_node *bias);       /* [n,...] as [n,in], [out,in], [out] or NULL -> [n,out] */
RUNG_API rung_node *rung_matmul(rung_node *a, rung_node *b); /* [n,k] [k,m] -> [n,m] */
RUNG_API rung_node *rung_add(rung_node *a, rung_node *b);    /* same shapes, or b [d] on a [n,...,d] */
RUNG_API rung_node *rung_multiply(rung_node *a, rung_node *b); /* element by element; shapes as for rung_add */
RUNG_API rung_node *rung_relu(rung_node *x);
RUNG_API rung_node *rung_relu6(rung_node *x);
RUNG_API rung_node *rung_sigmoid(rung_node *x);
RUNG_API rung_node *rung_tanh(rung_node *x);
RUNG_API rung_node *rung_gelu(rung_node *x); /* the exact form, with erf */
/* scale x + offset: pixels 0 .. 1 to -1 .. 1 by (x, 2, -1). */
RUNG_API rung_node *rung_rescale(rung_node *x, float scale, float offset);
RUNG_API rung_node *rung_reshape(rung_node *x, rung_shape shape); /* of an example: [n, ...] -> [n, shape...] */
RUNG_API rung_node *rung_dropout(rung_node *x,
                                 float probability); /* of dropping, 0 <= p < 1; scaled by 1/(1-p); training only */
/* x [n,d], scale and shift [d], running mean and variance [d] (parameters that no gradient reaches); or these [1], one
 * number each for the whole tensor, whose n d elements then are what a column's n are below. Normalizes by the
 * batch's mean and (biased) variance in training and by the running ones otherwise; running = (1 - momentum) running +
 * momentum batch, the variance unbiased (n / (n - 1)) as in PyTorch. Frozen (neither scale nor shift trainable) or only
 * adding its shift (see rung_batch_norm_is_shift), it stays with the running ones. Ioffe and Szegedy, 2015. */
RUNG_API rung_node *rung_batch_norm_with(rung_node *x, rung_node *scale, rung_node *shift, rung_node *running_mean,
                                         rung_node *running_variance, float momentum, float epsilon);
RUNG_API rung_node *rung_sum(rung_node *x);  /* of all elements -> scalar */
RUNG_API rung_node *rung_mean(rung_node *x); /* of all elements -> scalar */
/* Losses, means over the batch (and over the elements, where an example has several) -> scalar. */
RUNG_API rung_node *rung_cross_entropy(rung_node *logits, rung_node *label); /* [n,classes], i32 [n] */
RUNG_API rung_node *rung_squared_error(rung_node *x, rung_node *target);     /* mean (x - t)^2 */
RUNG_API rung_node *rung_squared_hinge(rung_node *scores,
                                       rung_node *label); /* [n,classes], i32 [n]: mean over n and classes of max(0, 1 -
                                                             y s)^2, y = +1 for the label's class, else -1 */

/* Distillation (Hinton et al., 2015): in replays with .training, and only there, the value of a rung_cross_entropy is
 *   mean over n of (1 - alpha) cross entropy + alpha T^2 KL(softmax(teacher / T) || softmax(logits / T))  (eq. 63). */
typedef struct rung_distillation {
  const float *logits; /* [examples, classes]: the teacher's, of each example of the bound sources; borrowed */
  int64_t examples;
  float temperature; /* T > 0 */
  float alpha;       /* 0 < alpha <= 1 */
} rung_distillation;

/* `distillation` NULL: from the labels alone again. Memory for a batch is taken the first time. */
RUNG_API rung_status rung_cross_entropy_distill(rung_node *cross_entropy, const rung_distillation *distillation);

/* RUNG_OK, or what recording first failed with (its message is then rung_error() again). */
RUNG_API rung_status rung_graph_status(const rung_graph *graph);

/* ---- Replaying -------------------------------------------------------------------------------------------------- */

/* Says where an input, label or target reads its examples: source [count, ...], whose example shape and type fit. The
 * memory is borrowed and must outlive the replays. */
RUNG_API rung_status rung_graph_bind(rung_node *leaf, const rung_tensor *source);

/* What a leaf is bound to, or NULL. */
RUNG_API const rung_tensor *rung_graph_bound(const rung_node *leaf);

/* Takes elements begin .. end-1 of a parameter's gradient, final, from the member that computed them. */
typedef void rung_gradient_take(void *context, const rung_node *parameter, const float *gradient, int64_t begin,
                                int64_t end);
/* Whether it wants this one so. */
typedef bool rung_gradient_takes(const void *context, const rung_node *parameter);

typedef struct rung_replay_options {
  int64_t count;         /* examples, 1 .. batch */
  int64_t first;         /* the examples are first .. first+count-1 of the bound sources ... */
  const uint32_t *rows;  /* ... or, if not NULL, rows[first .. first+count-1] */
  bool training;         /* dropout drops, batch norm uses the batch, observers observe */
  bool rehearsal;        /* ... but for dropout, which keeps all; and the step is not counted */
  bool backward;         /* then the gradient of the last node, a scalar, to every parameter */
  const rung_node *last; /* stop after this node (no backward); NULL: the whole graph */
  /* The optimizer. `update` is called on every member of the team after the backward pass, within the same run of
   * the team. With `take`, the gradients of the parameters for which rung_node_is_taken are given to that, piece by
   * piece, as they come, when nothing reads the parameter any more; they are not stored. With `takes`, of those
   * parameters only for which it is true; the others' gradients are whole when `update` is called. */
  rung_task *update;
  rung_gradient_take *take;
  rung_gradient_takes *takes; /* NULL: all */
  void *context;              /* of all three */
} rung_replay_options;

RUNG_API rung_status rung_graph_replay(rung_graph *graph, const rung_replay_options *options);
/* Plans the replays of a graph as it is bound now, which the first of them else does: all memory that they take is
 * asked for here. */
RUNG_API rung_status rung_graph_plan(rung_graph *graph);

/* ---- Looking ---------------------------------------------------------------------------------------------------- */

RUNG_API int rung_graph_node_count(const rung_graph *graph);
RUNG_API rung_node *rung_graph_node(const rung_graph *graph, int index);        /* in order of recording */
RUNG_API rung_node *rung_graph_find(const rung_graph *graph, const char *name); /* NULL if there is none (no message) */
RUNG_API rung_arena *rung_graph_arena(rung_graph *graph);
RUNG_API int64_t rung_graph_batch(const rung_graph *graph);
RUNG_API rung_team *rung_graph_team(const rung_graph *graph); /* never NULL */
RUNG_API rung_rng rung_graph_rng(const rung_graph *graph);
/* Replays with .training so far: where random streams (dropout) stand. To be stored, and put back. */
RUNG_API uint64_t rung_graph_step(const rung_graph *graph);
RUNG_API void rung_graph_set_step(rung_graph *graph, uint64_t step);
/* Whether a backward pass gives the node a gradient. For a parameter false means that it is not trained (running
 * means). */
RUNG_API void rung_node_set_trainable(rung_node *parameter, bool trainable);
/* Whether an optimizer's weight decay reaches the parameter, as it does at first. Before the parameter is shared. */
RUNG_API void rung_node_set_decays(rung_node *parameter, bool decays);

/* ---- Writing an operation (docs/adding.md) ---------------------------------------------------------------------- */

#define RUNG_MAX_INPUTS 6

/* What a member of the team knows while it replays. */
typedef struct rung_replay {
  int ith, nth;
  bool training, backward;
  bool drops;    /* dropout drops: in training, unless it is a rehearsal */
  uint64_t step; /* replays with .training so far, rehearsals not counted: the position in random streams */
  rung_team *team;
  void *scratch;            /* this member's, at least the node's scratch_bytes */
  rung_gradient_take *take; /* NULL: gradients are stored */
  rung_gradient_takes *takes;
  void *context; /* of both */
} rung_replay;

typedef struct rung_op {
  const char *name;
  int input_count; /* the most inputs; the optional ones stand last and may be NULL */
  /* Sets node->value's type and shape, and scratch_bytes; allocates what else the op keeps (rung_node_allocate). Inputs
   * are recorded nodes, in node->input. */
  rung_status (*infer)(rung_node *node);
  /* Once before each replay, on one thread, in order of recording: what all members should see alike; may be NULL. */
  void (*prepare)(rung_node *node, const rung_replay *replay);
  /* Computes this member's slice of the value; reads whatever it likes of the inputs. */
  void (*forward)(rung_node *node, const rung_replay *replay);
  /* From node->gradient to each input's gradient that is wanted: this member's slice of each. NULL: none flows. */
  void (*backward)(rung_node *node, const rung_replay *replay);
  /* The gradients of the inputs in `weights`, if the op has them apart: no other node waits for those of parameters, so
   * they come when all members are done with every `backward`, and at once after `backward` where an input in `weights`
   * was computed. Where rung_node_takes, rung_node_take gets them instead. May be NULL. */
  void (*backward_weights)(rung_node *node, const rung_replay *replay);
  unsigned weights; /* bit k: input k */
  /* Once after the whole replay, on one thread; may be NULL. */
  void (*settle)(rung_node *node, const rung_replay *replay);
  /* Element i of the value depends on element i of the inputs alone, and both directions slice by rung_node_slice: no
   * barrier is then needed between such neighbours. */
  bool elementwise;
  bool reads_integers; /* forward and backward take input 0 in any representation */
} rung_op;

struct rung_node {
  const rung_op *op;
  const char *name;
  rung_graph *graph;
  int index; /* in order of recording */
  rung_node *input[RUNG_MAX_INPUTS];
  rung_tensor value;    /* the outermost extent is the replay's count while it runs, if `batched` */
  rung_tensor gradient; /* f32, the value's shape; data NULL where no gradient is wanted */
  bool batched;         /* the outermost extent is the batch */
  bool trainable;       /* a parameter that a gradient should reach */
  bool undecayed;       /* ... and weight decay should not */
  /* input i's gradient already holds another consumer's part in this pass: add to it. Set while recording. */
  bool accumulate[RUNG_MAX_INPUTS];
  const void *attributes; /* the op's own, a copy of what it was recorded with */
  size_t attribute_bytes;
  void *state;          /* the op's own, from rung_node_allocate */
  size_t scratch_bytes; /* that each member needs while it is in this op */
};

/* Records `op` on `inputs` (op->input_count of them, NULLs for the optional ones) with a copy of `attributes`. */
RUNG_API rung_node *rung_record(const rung_op *op, rung_node *const *inputs, const void *attributes, size_t bytes);
/* The same for an op without inputs. */
RUNG_API rung_node *rung_record_leaf(rung_graph *graph, const rung_op *op, const char *name, const void *attributes,
                                     size_t bytes);
/* Makes recording fail for good with the thread's current message, or the first one again. Returns NULL. */
RUNG_API rung_node *rung_graph_fail(rung_graph *graph, rung_status status);
/* Zeroed memory that lives as long as the graph. NULL with a message on failure. */
RUNG_API void *rung_node_allocate(rung_node *node, size_t count, size_t size);
RUNG_API bool rung_node_wants_gradient(const rung_node *node); /* false for NULL */
/* Whether a replay with `take` takes this parameter's gradient: one operation alone reads it, and can hand it over. */
RUNG_API bool rung_node_is_taken(const rung_node *parameter);
/* A recorded parameter of another graph: same value, same gradient, in this one. */
RUNG_API rung_node *rung_graph_share(rung_graph *graph, rung_node *parameter);
RUNG_API bool rung_node_is_parameter(const rung_node *node);
RUNG_API bool rung_node_is_input(const rung_node *node); /* input, label or target */
/* Whether this op is to hand over input k's gradient in this replay, every element of it once, and the handing over. */
RUNG_API bool rung_node_takes(const rung_node *node, int k, const rung_replay *replay);
RUNG_API void rung_node_take(const rung_node *node, int k, const rung_replay *replay, const float *gradient,
                             int64_t begin, int64_t end);
/* Two gradients of weights, handed over or stored: that of input k is the product; the sum of node->gradient's rows. */
RUNG_API void rung_node_weight_product(const rung_node *node, int k, const rung_gemm *product,
                                       const rung_replay *replay);
RUNG_API void rung_node_weight_row_sum(const rung_node *node, int k, const rung_replay *replay);
/* The gradient of input k as it lies in memory, [elements of the input], each member's slice of it. */
RUNG_API void rung_node_weight_gradient(const rung_node *node, int k, const rung_replay *replay, const float *gradient);
/* Scratch bytes for rung_node_weight_product. */
RUNG_API size_t rung_node_weight_scratch(const rung_gemm *product);
RUNG_API void rung_node_slice(const rung_node *node, const rung_replay *replay, int64_t *begin, int64_t *end);
/* The tensor as an operand of a matrix product: its outermost extent as rows, the rest as columns. The result points
 * into the tensor. */
RUNG_API rung_matrix rung_tensor_matrix(const rung_tensor *tensor, bool transpose);

/* Every operation of this floor; what drives the gradient checks. */
RUNG_API int rung_op_count(void);
RUNG_API const rung_op *rung_op_at(int index);

/* What a reader of graphs tells operations apart by, as in node->op == &rung_op_linear, and what some were recorded
 * with.
 */
RUNG_API extern const rung_op rung_op_linear, rung_op_matmul, rung_op_add, rung_op_multiply, rung_op_relu,
    rung_op_relu6, rung_op_sigmoid, rung_op_tanh, rung_op_gelu, rung_op_rescale, rung_op_reshape, rung_op_dropout,
    rung_op_batch_norm, rung_op_sum, rung_op_mean, rung_op_cross_entropy, rung_op_squared_error, rung_op_squared_hinge;
RUNG_API float rung_rescale_scale(const rung_node *rescale);
RUNG_API float rung_rescale_offset(const rung_node *rescale);
RUNG_API float rung_dropout_probability(const rung_node *dropout);
RUNG_API float rung_batch_norm_epsilon(const rung_node *batch_norm);
RUNG_API float rung_batch_norm_momentum(const rung_node *batch_norm);
/* Whether all that is left of a batch norm is its shift, y = x + shift: a scale that is not trained and is
 * sqrt(running variance + epsilon), and a running mean of 0. False of other operations. */
RUNG_API bool rung_batch_norm_is_shift(const rung_node *node);

#ifdef __cplusplus
}
#endif

#endif
