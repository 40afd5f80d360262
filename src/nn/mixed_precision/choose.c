/* One choice a layer, the least sum of losses, a limit on the sum of bytes: the multiple-choice knapsack problem
 * (eq. 46). */
#include <rung/nn/mixed_precision.h>

#include <math.h>
#include <string.h>

typedef struct search {
  const rung_bit_choice *table; /* [layers, choices] */
  int layers, choices;
  int64_t limit;
  /* [layers + 1]: the least that the layers from l on take and cost */
  int64_t *least_bytes;
  double *least_loss;
  int *present, *best; /* [layers] */
  double best_loss;
  int64_t best_bytes;
} search;

static const rung_bit_choice *at(const search *s, int layer, int choice) {
  return &s->table[layer * s->choices + choice];
}

/* ---- Greedy ----------------------------------------------------------------------------------------------------- */

static int64_t bytes_of(const search *s, const int *chosen) {
  int64_t bytes = 0;
  for (int l = 0; l < s->layers; l++) bytes += at(s, l, chosen[l])->bytes;
  return bytes;
}

/* The layer whose next choice (step -1 or +1) is the best of those that fit `room` more bytes; -1: none. Down: the
 * least loss added for a byte saved. Up: the most loss saved for a byte. */
static int best_step(const search *s, const int *chosen, int step, int64_t room) {
  int best = -1;
  double best_rate = 0;
  for (int l = 0; l < s->layers; l++) {
    const int to = chosen[l] + step;
    if (to < 0 || to >= s->choices) continue;
    const rung_bit_choice *now = at(s, l, chosen[l]), *then = at(s, l, to);
    const int64_t more = then->bytes - now->bytes;
    const double rate = (then->loss - now->loss) / fabs((double)more);
    if (more > room || (step > 0 && rate >= 0) || (best >= 0 && rate >= best_rate)) continue;
    best = l;
    best_rate = rate;
  }
  return best;
}

static void search_greedy(const search *s, int *chosen) {
  for (int l = 0; l < s->layers; l++) chosen[l] = s->choices - 1;
  int64_t bytes = bytes_of(s, chosen);
  while (bytes > s->limit) {
    chosen[best_step(s, chosen, -1, 0)]--;
    bytes = bytes_of(s, chosen);
  }
  for (int l; (l = best_step(s, chosen, 1, s->limit - bytes)) >= 0; bytes = bytes_of(s, chosen)) chosen[l]++;
}

/* ---- Exact: branch and bound ------------------------------------------------------------------------------------ */

static bool is_better(const search *s, double loss, int64_t bytes) {
  return loss < s->best_loss || (loss == s->best_loss && bytes < s->best_bytes);
}

/* The layers before `layer` are chosen. A bound is a sum in another order than the losses that it is held against, so
 * what is cut off must be worse by more than rounding. */
static void branch(search *s, int layer, int64_t bytes, double loss) {
  if (layer == s->layers) {
    if (!is_better(s, loss, bytes)) return;
    s->best_loss = loss;
    s->best_bytes = bytes;
    memcpy(s->best, s->present, (size_t)s->layers * sizeof *s->best);
    return;
  }
  if ((loss + s->least_loss[layer]) * (1 - 1e-12) > s->best_loss) return;
  for (int c = s->choices - 1; c >= 0; c--) { /* the most bits first: a good bound early */
    const rung_bit_choice *choice = at(s, layer, c);
    if (bytes + choice->bytes + s->least_bytes[layer + 1] > s->limit) continue;
    s->present[layer] = c;
    branch(s, layer + 1, bytes + choice->bytes, loss + choice->loss);
  }
}

static void search_exact(search *s) {
  s->best_loss = INFINITY;
  s->best_bytes = INT64_MAX;
  branch(s, 0, 0, 0);
}

/* ---- Both ------------------------------------------------------------------------------------------------------- */

static void set_bounds(search *s) {
  for (int l = s->layers - 1; l >= 0; l--) {
    int64_t bytes = INT64_MAX;
    double loss = INFINITY;
    for (int c = 0; c < s->choices; c++) {
      bytes = at(s, l, c)->bytes < bytes ? at(s, l, c)->bytes : bytes;
      loss = fmin(loss, at(s, l, c)->loss);
    }
    s->least_bytes[l] = s->least_bytes[l + 1] + bytes;
    s->least_loss[l] = s->least_loss[l + 1] + loss;
  }
}

static rung_status check(const search *s, rung_bit_search kind) {
  if (s->layers < 1 || s->choices < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "bits: %d layers, %d choices, expected 1 or more", s->layers, s->choices);
  if ((int)kind < 0 || kind >= RUNG_BIT_SEARCH_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "bits: search %d, expected 0..%d", (int)kind, RUNG_BIT_SEARCH_COUNT - 1);
  for (int l = 0; l < s->layers; l++)
    for (int c = 0; c < s->choices; c++) {
      const rung_bit_choice *choice = at(s, l, c);
      const bool ascends = c == 0 || choice->bytes > at(s, l, c - 1)->bytes;
      if (choice->bytes < 1 || choice->bytes > INT64_MAX / s->layers || !ascends)
        return rung_fail(RUNG_ERROR_ARGUMENT, "bits: layer %d, choice %d: %lld bytes, expected more than before", l, c,
                         (long long)choice->bytes);
      if (!(choice->loss >= 0) || isinf(choice->loss))
        return rung_fail(RUNG_ERROR_ARGUMENT, "bits: layer %d, choice %d: loss %g, expected 0 or more", l, c,
                         choice->loss);
    }
  return RUNG_OK;
}

static rung_status run(search *s, rung_bit_search kind, int *chosen) {
  set_bounds(s);
  if (s->least_bytes[0] > s->limit)
    return rung_fail(RUNG_ERROR_ARGUMENT, "a limit of %lld bytes: the fewest bits take %lld", (long long)s->limit,
                     (long long)s->least_bytes[0]);
  const bool small = s->layers <= RUNG_BIT_SEARCH_LAYERS;
  if (kind == RUNG_BIT_SEARCH_GREEDY || (kind == RUNG_BIT_SEARCH_DEFAULT && !small)) {
    search_greedy(s, chosen);
    return RUNG_OK;
  }
  search_exact(s);
  memcpy(chosen, s->best, (size_t)s->layers * sizeof *chosen);
  return RUNG_OK;
}

rung_status rung_choose_bits(const rung_bit_choice *table, int layers, int choices, int64_t limit, rung_bit_search kind,
                             int *chosen) {
  search s = {.table = table, .layers = layers, .choices = choices, .limit = limit};
  rung_status status = check(&s, kind);
  if (status != RUNG_OK) return status;
  const size_t count = (size_t)layers;
  s.least_bytes = rung_allocate((count + 1) * (sizeof(int64_t) + sizeof(double)) + 2 * count * sizeof(int));
  if (!s.least_bytes) return RUNG_ERROR_MEMORY;
  s.least_loss = (double *)(s.least_bytes + count + 1);
  s.present = (int *)(s.least_loss + count + 1);
  s.best = s.present + count;
  status = run(&s, kind, chosen);
  rung_release(s.least_bytes);
  return status;
}
