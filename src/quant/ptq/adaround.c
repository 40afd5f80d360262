/* AdaRound (Nagel et al., ICML 2020): each weight goes down or up, and which is learned.
 *
 *   W~[j,k] = s clamp(floor(W[j,k] / s) + h(V[j,k]), qmin, qmax)                                              (eq. 36)
 *   h(v)    = clamp(1.2 sigmoid(v) - 0.1, 0, 1)                                                               (eq. 37)
 *   loss    = 1/(n E) sum_i |f(W x_float[i] + b) - f(W~ x[i] + b)|^2
 *             + lambda sum_jk 1 - |2 h(V[j,k]) - 1|^beta                                                        (eq.
 * 38)
 *
 * V starts where W~ = W. f is the clamp behind the layer, x what the layer reads in the network quantized so far. The
 * first sum keeps the output, the second draws each h to 0 or 1: not at all in the warm start, then with beta falling
 * from 20, where only those near the ends feel it, to 2. At the end h is rounded.
 *
 * E, which the paper does not have, is the mean square of f(W x_float + b). Without it lambda would weigh against the
 * square of whatever unit the outputs are in: where they are large no h would ever come to an end, and rounding it
 * would be worse than to nearest. Where they are about 1, as behind a batch norm, it is the paper's loss.
 *
 * A step: the members make their rows of W~ and gather theirs of the batch; y = x W~^T + b; dy = 2/(n E) f'(y) (f(y) -
 * target); dW~ = dy^T x; and each takes its rows of dW~ on to V and moves V by Adam. */
#include "adaround.h"
#include "members.h"
#include "ptq.h"

#include <math.h>
#include <string.h>

#define STRETCH 1.2f /* zeta - gamma */
#define GAMMA   (-0.1f)

/* 2 h - 1 before the clamp, as zeta - 1 = -gamma. */
static float twice_from_half(float sigmoid) {
  return 2 * STRETCH * (sigmoid - 0.5f);
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static rung_status check(const rung_adaround_options *options) {
  if (options->steps < 0 || options->batch < 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "adaround: %d steps of %d examples, expected 1 or more of each",
                     options->steps, options->batch);
  const struct {
    const char *name;
    float value, most;
  } ranges[] = {{"rate", options->rate, 1},
                {"regularization", options->regularization, INFINITY},
                {"warm_start", options->warm_start, 1},
                {"beta_start", options->beta_start, 1000},
                {"beta_end", options->beta_end, 1000}};
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
    if (!(ranges[i].value >= 0 && ranges[i].value <= ranges[i].most))
      return rung_fail(RUNG_ERROR_ARGUMENT, "adaround: %s %g, expected 0..%g", ranges[i].name, (double)ranges[i].value,
                       (double)ranges[i].most);
  return RUNG_OK;
}

static rung_adaround_options with_defaults(const rung_adaround_options *options) {
  rung_adaround_options filled = options ? *options : (rung_adaround_options){0};
  if (filled.steps == 0) filled.steps = 10000;
  if (filled.batch == 0) filled.batch = 32;
  if (filled.rate == 0) filled.rate = 1e-3f;
  if (filled.regularization == 0) filled.regularization = 0.01f;
  if (filled.beta_start == 0) filled.beta_start = 20;
  if (filled.beta_end == 0) filled.beta_end = 2;
  if (filled.warm_start == 0) filled.warm_start = 0.2f;
  return filled;
}

static const float *float_inputs(const rung_ptq_layer *layer) {
  return layer->x_float ? layer->x_float : layer->x;
}

static rung_status check_finite(const rung_ptq_layer *layer, const float *values, int64_t count, const char *what) {
  float min, max;
  bool has_nan;
  rung_kernels_active()->min_max(values, count, &min, &max, &has_nan);
  if (!has_nan && isfinite(min) && isfinite(max)) return RUNG_OK;
  return rung_fail(RUNG_ERROR_NUMERIC, "adaround: %s: %s in its %s, expected finite numbers", layer->name,
                   has_nan ? "nan" : "infinity", what);
}

static rung_status check_layer(const rung_ptq_layer *layer) {
  rung_status status = rung_ptq_check_layer(layer, true);
  if (status == RUNG_OK && layer->format.bits == 1)
    status = rung_fail(RUNG_ERROR_UNSUPPORTED, "adaround: %s: binary weights, expected 2 bits or more", layer->name);
  if (status == RUNG_OK) status = check_finite(layer, layer->x, layer->n * layer->in, "inputs");
  if (status == RUNG_OK) status = check_finite(layer, float_inputs(layer), layer->n * layer->in, "inputs");
  return status;
}

static rung_gemm product_with(const adaround *self, const float *x, int64_t rows, const float *weight, float *y) {
  const rung_ptq_layer *layer = self->layer;
  return (rung_gemm){.m = rows,
                     .n = layer->out,
                     .k = layer->in,
                     .a = {.data = x, .stride = layer->in},
                     .b = {.data = weight, .stride = layer->in, .transpose = true},
                     .c = y,
                     .c_stride = layer->out,
                     .bias = layer->bias};
}

/* dW~ = dy^T x. */
static rung_gemm product_of_gradient(const adaround *self) {
  const rung_ptq_layer *layer = self->layer;
  return (rung_gemm){.m = layer->out,
                     .n = layer->in,
                     .k = self->batch,
                     .a = {.data = self->y, .stride = layer->out, .transpose = true},
                     .b = {.data = self->x, .stride = layer->in},
                     .c = self->gradient,
                     .c_stride = layer->in};
}

static void multiply(const adaround *self, const rung_gemm *gemm, int ith, int nth) {
  rung_gemm_run(gemm, self->scratch + self->scratch_bytes * (size_t)ith, ith, nth);
}

static float *matrix(int64_t rows, int64_t columns) {
  size_t count, bytes;
  if (rung_size_multiply((size_t)rows, (size_t)columns, &count) && rung_size_multiply(count, sizeof(float), &bytes))
    return rung_allocate(bytes);
  rung_fail(RUNG_ERROR_MEMORY, "adaround: a matrix [%lld, %lld] is too large", (long long)rows, (long long)columns);
  return NULL;
}

static rung_status allocate(adaround *self) {
  const rung_ptq_layer *layer = self->layer;
  const int64_t in = layer->in, out = layer->out;
  float **const weights[] = {&self->base, &self->step,     &self->v,       &self->sigmoid,
                             &self->soft, &self->gradient, &self->moment1, &self->moment2};
  for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++)
    if (!(*weights[i] = matrix(out, in))) return RUNG_ERROR_MEMORY;
  const rung_gemm forward = product_with(self, NULL, layer->n, NULL, NULL), backward = product_of_gradient(self);
  const size_t bytes = rung_gemm_scratch(&forward), other = rung_gemm_scratch(&backward);
  self->scratch_bytes = ((bytes > other ? bytes : other) + RUNG_ALIGNMENT - 1) / RUNG_ALIGNMENT * RUNG_ALIGNMENT;
  self->scratch = rung_allocate(self->scratch_bytes * (size_t)members_count(layer->team));
  self->power = matrix(members_count(layer->team), in);
  self->target = matrix(layer->n, out);
  self->x = matrix(self->batch, in);
  self->y = matrix(self->batch, out);
  return self->scratch && self->power && self->target && self->x && self->y ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* Weights w [n] that share `scale`: base and step, W~ = base + step h, and v, at which W~ = W: -log(1.2 / (h + 0.1) -
 * 1). Where both ways are clamped to one integer the step is 0. */
static void start(adaround *self, int64_t at, int64_t n, float scale) {
  const float *w = self->layer->weight + at, qmin = (float)self->qmin, qmax = (float)self->qmax;
  float *base = self->base + at, *step = self->step + at, *v = self->v + at;
  for (int64_t k = 0; k < n; k++) {
    const float q = w[k] / scale, lower = floorf(q);
    const bool is_free = lower >= qmin && lower < qmax;
    base[k] = scale * (lower < qmin ? qmin : lower > qmax ? qmax : lower);
    step[k] = is_free ? scale : 0;
    v[k] = STRETCH / (q - lower - GAMMA) - 1;
  }
  rung_kernels_active()->log(v, v, n);
  for (int64_t k = 0; k < n; k++) v[k] = -v[k];
}

static float clamped(rung_clamp clamp, float y) {
  if (clamp == RUNG_CLAMP_NONE) return y;
  const float positive = y > 0 ? y : 0;
  return clamp == RUNG_CLAMP_RELU6 && positive > 6 ? 6 : positive;
}

static void make_targets(void *context, int ith, int nth) {
  adaround *self = context;
  const rung_ptq_layer *layer = self->layer;
  const rung_gemm product = product_with(self, float_inputs(layer), layer->n, layer->weight, self->target);
  multiply(self, &product, ith, nth);
  members_meet(layer->team);
  int64_t begin, end;
  rung_slice(layer->n * layer->out, 16, ith, nth, &begin, &end);
  for (int64_t i = begin; i < end; i++) self->target[i] = clamped(layer->clamp, self->target[i]);
}

/* E; 1 where nothing comes through the clamp. */
static rung_status measure_energy(adaround *self) {
  const rung_ptq_layer *layer = self->layer;
  const int64_t count = layer->n * layer->out;
  double squares = 0;
  for (int64_t i = 0; i < count; i++) squares += (double)self->target[i] * (double)self->target[i];
  self->energy = squares > 0 ? squares / (double)count : 1;
  return check_finite(layer, self->target, count, "outputs");
}

rung_status adaround_open(adaround *self, rung_ptq_layer *layer, const rung_adaround_options *options) {
  *self = (adaround){.layer = layer, .options = with_defaults(options), .rng = layer->rng};
  rung_status status = check(&self->options);
  if (status == RUNG_OK) status = check_layer(layer);
  if (status != RUNG_OK) return status;
  self->batch = self->options.batch < layer->n ? self->options.batch : layer->n;
  rung_format_range(&layer->format, &self->qmin, &self->qmax);
  status = allocate(self);
  if (status != RUNG_OK) return status;
  ptq_find_scales(layer, self->options.mse);
  for (int64_t s = 0; s < rung_ptq_scale_count(layer); s++) {
    int64_t count;
    const float *w = rung_ptq_scaled_weights(layer, s, &count);
    start(self, w - layer->weight, count, layer->scale[s]);
  }
  members_run(layer->team, make_targets, self);
  return measure_energy(self);
}

void adaround_close(adaround *self) {
  float *const arrays[] = {self->base,    self->step,    self->v,      self->sigmoid, self->soft, self->gradient,
                           self->moment1, self->moment2, self->target, self->x,       self->y,    self->power};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) rung_release(arrays[i]);
  rung_release(self->scratch);
}

/* ---- The loss's gradient ---------------------------------------------------------------------------------------- */

/* Example i of a step's batch: a function of the step, so that any member can ask. All of them where they fit. */
static int64_t example(const adaround *self, int64_t step, int64_t i) {
  if (self->batch == self->layer->n) return i;
  const uint64_t number = (uint64_t)(step * self->batch + i);
  uint32_t four[4];
  rung_rng_block(&self->rng, number / 4, four);
  return (int64_t)((uint64_t)four[number % 4] * (uint64_t)self->layer->n >> 32);
}

static void gather(adaround *self, int64_t step, int ith, int nth) {
  const int64_t in = self->layer->in;
  int64_t begin, end;
  rung_slice(self->batch, 1, ith, nth, &begin, &end);
  for (int64_t i = begin; i < end; i++)
    memcpy(self->x + i * in, self->layer->x + example(self, step, i) * in, (size_t)in * sizeof(float));
}

/* eq. 36 */
static void soften_row(adaround *self, int64_t row) {
  const int64_t in = self->layer->in, at = row * in;
  const float *base = self->base + at, *step = self->step + at;
  float *sigmoid = self->sigmoid + at, *soft = self->soft + at;
  rung_kernels_active()->sigmoid(sigmoid, self->v + at, in);
  for (int64_t k = 0; k < in; k++) {
    const float t = twice_from_half(sigmoid[k]), clipped = fabsf(t) < 1 ? t : copysignf(1, t);
    soft[k] = base[k] + step[k] * (0.5f + 0.5f * clipped);
  }
}

/* dy in place of y. */
static void differ(adaround *self, int64_t step, int ith, int nth) {
  const rung_ptq_layer *layer = self->layer;
  const float mean = (float)(2 / ((double)self->batch * self->energy));
  int64_t begin, end;
  rung_slice(self->batch, 1, ith, nth, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    float *y = self->y + i * layer->out;
    const float *target = self->target + example(self, step, i) * layer->out;
    for (int64_t j = 0; j < layer->out; j++) {
      const float value = clamped(layer->clamp, y[j]);
      y[j] = layer->clamp == RUNG_CLAMP_NONE || (y[j] > 0 && value == y[j]) ? mean * (value - target[j]) : 0;
    }
  }
}

/* |2 h - 1|^exponent as exp(exponent log |2 h - 1|): log 0 = -inf gives 0. */
static void powers(const float *sigmoid, float *power, int64_t n, float exponent) {
  const rung_kernels *kernels = rung_kernels_active();
  for (int64_t k = 0; k < n; k++) {
    const float r = fabsf(twice_from_half(sigmoid[k]));
    power[k] = r < 1 ? r : 1;
  }
  kernels->log(power, power, n);
  for (int64_t k = 0; k < n; k++) power[k] *= exponent;
  kernels->exp(power, power, n);
}

/* From dW~ to dV: straight, but 0 where h is clamped. The regularizer pulls h to its nearer end, by 2 lambda beta
 * |2 h - 1|^(beta - 1). (Two loops, because the compiler makes vectors of no loop that has both.) */
static void row_gradient(adaround *self, int64_t row, float beta, float *power) {
  const int64_t in = self->layer->in, at = row * in;
  const float *step = self->step + at, *sigmoid = self->sigmoid + at;
  const float pull = 2 * self->options.regularization * beta;
  float *gradient = self->gradient + at;
  if (beta != 0) powers(sigmoid, power, in, beta - 1);
  for (int64_t k = 0; k < in; k++) {
    const float slope = STRETCH * sigmoid[k] * (1 - sigmoid[k]), side = twice_from_half(sigmoid[k]);
    gradient[k] = slope * (step[k] * gradient[k] - pull * copysignf(power[k], side));
  }
  for (int64_t k = 0; k < in; k++) {
    const float total = gradient[k];
    gradient[k] = fabsf(twice_from_half(sigmoid[k])) < 1 ? total : 0;
  }
}

void adaround_gradient(adaround *self, int64_t step, float beta, int ith, int nth) {
  const rung_ptq_layer *layer = self->layer;
  int64_t begin, end;
  rung_slice(layer->out, 1, ith, nth, &begin, &end);
  for (int64_t row = begin; row < end; row++) soften_row(self, row);
  gather(self, step, ith, nth);
  members_meet(layer->team);
  const rung_gemm forward = product_with(self, self->x, self->batch, self->soft, self->y);
  multiply(self, &forward, ith, nth);
  members_meet(layer->team);
  differ(self, step, ith, nth);
  members_meet(layer->team);
  const rung_gemm backward = product_of_gradient(self);
  multiply(self, &backward, ith, nth);
  members_meet(layer->team);
  for (int64_t row = begin; row < end; row++) row_gradient(self, row, beta, self->power + ith * layer->in);
}

/* ---- Learning --------------------------------------------------------------------------------------------------- */

/* 0 in the warm start, then a line from beta_start to beta_end. */
static float beta_of(const rung_adaround_options *options, int64_t step) {
  const float warm = options->warm_start * (float)options->steps;
  if ((float)step < warm) return 0;
  const float part = ((float)step - warm) / ((float)options->steps - warm);
  return options->beta_start + part * (options->beta_end - options->beta_start);
}

static void learn(void *context, int ith, int nth) {
  adaround *self = context;
  const rung_ptq_layer *layer = self->layer;
  rung_adam_step by = {
      .rate = self->options.rate, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .gradient_scale = 1};
  double power1 = 1, power2 = 1;
  int64_t begin, end;
  rung_slice(layer->out, 1, ith, nth, &begin, &end);
  const int64_t at = begin * layer->in, count = (end - begin) * layer->in;
  for (int64_t step = 0; step < self->options.steps; step++) {
    adaround_gradient(self, step, beta_of(&self->options, step), ith, nth);
    by.correction1 = (float)(1 / (1 - (power1 *= (double)by.beta1)));
    by.correction2 = (float)(1 / (1 - (power2 *= (double)by.beta2)));
    rung_kernels_active()->adam(self->v + at, self->gradient + at, self->moment1 + at, self->moment2 + at, count, &by);
  }
}

/* base + step or base is a multiple of the scale but for its rounding: nearest makes it one. */
static void round_weights(adaround *self) {
  rung_ptq_layer *layer = self->layer;
  for (int64_t i = 0; i < layer->out * layer->in; i++)
    layer->weight[i] = self->base[i] + (self->v[i] >= 0 ? self->step[i] : 0);
  for (int64_t s = 0; s < rung_ptq_scale_count(layer); s++) {
    int64_t count;
    float *w = rung_ptq_scaled_weights(layer, s, &count);
    rung_ptq_round(&layer->format, w, count, layer->scale[s]);
  }
}

rung_status rung_ptq_adaround(rung_ptq_layer *layer, const rung_adaround_options *options) {
  adaround self;
  rung_status status = adaround_open(&self, layer, options);
  if (status == RUNG_OK) {
    members_run(layer->team, learn, &self);
    status = check_finite(layer, self.v, layer->out * layer->in, "gradients");
  }
  if (status == RUNG_OK) round_weights(&self);
  adaround_close(&self);
  return status;
}

static rung_status round_layer(rung_ptq_layer *layer, const rung_ptq_options *options) {
  return rung_ptq_adaround(layer, &options->adaround);
}

static rung_status check_options(const rung_ptq_options *options) {
  return check(&options->adaround);
}

const ptq_method adaround_method = {
    .name = "adaround", .phase = RUNG_PTQ_ROUNDING, .round = round_layer, .check = check_options};
