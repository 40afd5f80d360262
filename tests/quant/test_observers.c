#include "quant_data.h"

#include "golden/quant.h"
#include "histogram.h"
#include "observer.h"

static const rung_format u8 = {8, false, false};

static rung_observer *make(rung_observer_kind kind, const rung_format *format) {
  rung_observer *observer = rung_observer_new(&(rung_observer_options){.kind = kind}, format);
  ck_assert_msg(observer != NULL, "%s", rung_error());
  return observer;
}

static void observe(rung_observer *observer, const float *x, int64_t n) {
  ck_assert_msg(rung_observer_observe(observer, x, n) == RUNG_OK, "%s", rung_error());
}

static void range_of(const rung_observer *observer, float *rmin, float *rmax) {
  ck_assert_msg(rung_observer_range(observer, rmin, rmax) == RUNG_OK, "%s", rung_error());
  ck_assert(isfinite(*rmin) && isfinite(*rmax) && *rmin <= *rmax);
}

/* ---- What all observers do -------------------------------------------------------------------------------------- */

START_TEST(names_parse_back) {
  for (int i = 0; i < RUNG_OBSERVER_KIND_COUNT; i++) {
    rung_observer_kind kind = RUNG_OBSERVER_KIND_COUNT;
    ck_assert_int_eq(rung_observer_parse(rung_observer_name((rung_observer_kind)i), &kind), RUNG_OK);
    ck_assert_int_eq(kind, i);
  }
  rung_observer_kind kind = RUNG_OBSERVER_MSE;
  ck_assert_int_eq(rung_observer_parse("median", &kind), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "observer 'median', expected one of default, min-max, moving-average, percentile, "
                                 "mse, entropy");
  ck_assert_int_eq(kind, RUNG_OBSERVER_MSE);
  ck_assert_str_eq(rung_observer_name(RUNG_OBSERVER_KIND_COUNT), "unknown");
}
END_TEST

START_TEST(what_is_not_finite_is_named_and_not_observed) {
  rung_observer *observer = make((rung_observer_kind)_i, &u8);
  static const struct {
    float value;
    const char *message;
  } wrong[] = {{NAN, "observer: value 17 is nan, expected a finite number"},
               {INFINITY, "observer: value 17 is inf, expected a finite number"},
               {-INFINITY, "observer: value 17 is -inf, expected a finite number"}};
  float x[40], before[2], after[2];
  fill(x, 40, 0, 1);
  ck_assert_int_eq(rung_observer_range(observer, &before[0], &before[1]), RUNG_ERROR_STATE);
  observe(observer, x, 40);
  range_of(observer, &before[0], &before[1]);
  for (int i = 0; i < LENGTH(wrong); i++) {
    fill(x, 40, 2, 2);
    x[17] = wrong[i].value;
    ck_assert_int_eq(rung_observer_observe(observer, x, 40), RUNG_ERROR_NUMERIC);
    ck_assert_str_eq(rung_error(), wrong[i].message);
    range_of(observer, &after[0], &after[1]);
    ck_assert_mem_eq(before, after, sizeof before);
  }
  ck_assert_int_eq(rung_observer_observe(observer, x, 0), RUNG_ERROR_ARGUMENT);
  rung_observer_reset(observer);
  ck_assert_int_eq(rung_observer_range(observer, &after[0], &after[1]), RUNG_ERROR_STATE);
  observe(observer, (float[]){1, 2}, 2);
  range_of(observer, &after[0], &after[1]);
  ck_assert(after[0] >= 0 && after[1] <= 2);
  rung_observer_free(observer);
}
END_TEST

START_TEST(doubled_values_double_the_range) {
  enum { N = 3000 };
  float x[N];
  for (int f = 0; f < LENGTH(formats); f += 4)
    for (int distribution = 0; distribution < DISTRIBUTIONS; distribution++) {
      float range[2], wide[2];
      fill(x, N, distribution, 5);
      rung_observer *observer = make((rung_observer_kind)_i, &formats[f]);
      observe(observer, x, N);
      range_of(observer, &range[0], &range[1]);
      for (int i = 0; i < N; i++) x[i] = ldexpf(x[i], 20);
      rung_observer_reset(observer);
      observe(observer, x, N);
      range_of(observer, &wide[0], &wide[1]);
      ck_assert(wide[0] == ldexpf(range[0], 20) && wide[1] == ldexpf(range[1], 20));
      rung_observer_free(observer);
    }
}
END_TEST

/* Of all but the moving average, whose point it is that batches count alike. */
START_TEST(batches_are_as_good_as_their_union) {
  enum { N = 4000 };
  float x[N];
  if (_i == RUNG_OBSERVER_MOVING_AVERAGE || _i == RUNG_OBSERVER_DEFAULT) return;
  for (int distribution = 0; distribution < DISTRIBUTIONS; distribution++) {
    float whole[2], pieces[2];
    fill(x, N, distribution, 6);
    x[N - 1] *= 40; /* the range grows late */
    rung_observer *observer = make((rung_observer_kind)_i, &u8);
    observe(observer, x, N);
    range_of(observer, &whole[0], &whole[1]);
    rung_observer_reset(observer);
    for (int i = 0; i < N; i += 125) observe(observer, x + i, 125);
    range_of(observer, &pieces[0], &pieces[1]);
    ck_assert(fabsf(whole[0] - pieces[0]) <= 0.02f * (whole[1] - whole[0]));
    ck_assert(fabsf(whole[1] - pieces[1]) <= 0.02f * (whole[1] - whole[0]));
    rung_observer_free(observer);
  }
}
END_TEST

START_TEST(single_values_and_extremes_have_a_range) {
  static const float values[] = {5.3f,     -5.3f,        0,      -0.0f,      FLT_MIN, FLT_MIN / 4, FLT_MAX,
                                 -FLT_MAX, FLT_TRUE_MIN, 1e-20f, 16777217.0f};
  for (int f = 0; f < LENGTH(formats); f++)
    for (int i = 0; i < LENGTH(values); i++) {
      rung_observer *observer = make((rung_observer_kind)_i, &formats[f]);
      float rmin, rmax, scale;
      int32_t zero_point;
      for (int batch = 0; batch < 2; batch++) {
        observe(observer, (float[]){values[i], values[i] / 2}, 2);
        range_of(observer, &rmin, &rmax);
        ck_assert(rmin >= fminf(values[i], 0) && rmax <= fmaxf(values[i], 0));
        ck_assert_int_eq(rung_qparams(&formats[f], rmin, rmax, &scale, &zero_point), RUNG_OK);
      }
      rung_observer_free(observer);
    }
}
END_TEST

START_TEST(a_range_is_enough_for_those_that_say_so) {
  for (int kind = 1; kind < RUNG_OBSERVER_KIND_COUNT; kind++) {
    rung_observer *a = make((rung_observer_kind)kind, &u8), *b = make((rung_observer_kind)kind, &u8);
    bool enough = rung_observer_needs_range_only(a);
    ck_assert(enough == (kind == RUNG_OBSERVER_MIN_MAX || kind == RUNG_OBSERVER_MOVING_AVERAGE));
    for (int batch = 0; batch < 3; batch++) {
      float range[2][2], x[3] = {-1 + (float)batch, 0.3f, 2};
      if (enough) observe(a, x, 3);
      rung_observer_observe_range(b, x[0] < 0.3f ? x[0] : 0.3f, 2);
      rung_observer_observe_range(b, NAN, 2);
      rung_observer_observe_range(b, 3, 2);
      ck_assert_int_eq(rung_observer_range(b, &range[1][0], &range[1][1]), enough ? RUNG_OK : RUNG_ERROR_STATE);
      if (!enough) continue;
      range_of(a, &range[0][0], &range[0][1]);
      ck_assert_mem_eq(range[0], range[1], sizeof range[0]);
    }
    rung_observer_free(a);
    rung_observer_free(b);
  }
  rung_observer_free(NULL);
}
END_TEST

/* ---- PyTorch's numbers ------------------------------------------------------------------------------------------ */

static void observe_golden(rung_observer *observer, const float *values, int batches, bool rectified, float *all) {
  for (int b = 0; b < batches; b++) {
    float *x = all + 1024 * b;
    for (int i = 0; i < 1024; i++) {
      x[i] = values[1024 * b + i] * golden_growth[b];
      if (rectified) x[i] = fmaxf(x[i], 0);
    }
    observe(observer, x, 1024);
  }
}

/* The squared error of all values with this scale and zero point, on PyTorch's grid. */
static double error_on(const rung_format *format, float scale, int32_t zero_point, const float *x, int n) {
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  double sum = 0;
  for (int i = 0; i < n; i++) {
    double e = (double)x[i] - (double)scale * (plain_quantize(x[i], scale, zero_point, qmin, qmax) - zero_point);
    sum += e * e;
  }
  return sum / n;
}

/* min-max and the moving average: the same numbers. PyTorch's HistogramObserver moves its ends greedily; our search has
 * to be at least as good, but for the resolution of the bins. */
START_TEST(ranges_are_those_of_pytorch) {
  float *values = load_floats("quant_values.bin", 4096), all[4096], rmin, rmax, scale;
  int32_t zero_point;
  rung_observer *observer = make(golden_observers[_i].kind, &golden_observers[_i].format);
  observe_golden(observer, values, golden_observers[_i].batches, golden_observers[_i].rectified, all);
  range_of(observer, &rmin, &rmax);
  ck_assert_int_eq(rung_qparams(&golden_observers[_i].format, rmin, rmax, &scale, &zero_point), RUNG_OK);
  if (rung_observer_needs_range_only(observer)) {
    ck_assert(scale == golden_observers[_i].scale);
    ck_assert_int_eq(zero_point, golden_observers[_i].zero_point);
  } else {
    int n = 1024 * golden_observers[_i].batches;
    double ours = quantization_error(&golden_observers[_i].format, rmin, rmax, all, n);
    double theirs =
        error_on(&golden_observers[_i].format, golden_observers[_i].scale, golden_observers[_i].zero_point, all, n);
    ck_assert_msg(ours <= 1.01 * theirs, "error %g, PyTorch's %g", ours, theirs);
  }
  rung_observer_free(observer);
  free(values);
}
END_TEST

/* ---- The histogram ---------------------------------------------------------------------------------------------- */

START_TEST(bins_hold_exactly_the_values_between_their_edges) {
  enum { N = 2000, BATCHES = 6 };
  static const float growth[BATCHES] = {1e-3f, 1, 0.01f, 30, 1e4f, 1};
  static float x[BATCHES * N];
  static histogram h;
  histogram_reset(&h);
  for (int b = 0; b < BATCHES; b++) {
    float min, max, *batch = x + b * N;
    bool has_nan;
    fill(batch, N, (_i + b) % DISTRIBUTIONS, (uint64_t)(10 + b));
    for (int i = 0; i < N; i++) batch[i] *= growth[b];
    rung_kernels_active()->min_max(batch, N, &min, &max, &has_nan);
    histogram_add(&h, batch, N, min, max);
    double expected[HISTOGRAM_BINS] = {0}, zeros = 0;
    int lowest = HISTOGRAM_BINS, highest = 0;
    for (int i = 0; i < (b + 1) * N; i++) {
      if (x[i] == 0) {
        zeros++;
        continue;
      }
      int bin = (int)floor(ldexp((double)x[i], -h.exponent)) - h.first;
      ENSURE(bin >= 0 && bin < HISTOGRAM_BINS);
      expected[bin]++;
      lowest = bin < lowest ? bin : lowest;
      highest = bin > highest ? bin : highest;
    }
    lowest = -h.first < lowest ? -h.first : lowest; /* 0 is in it too */
    highest = -h.first > highest ? -h.first : highest;
    ck_assert_mem_eq(h.count, expected, sizeof expected);
    ck_assert(h.zeros == zeros);
    ck_assert_int_ge(highest - lowest + 1, HISTOGRAM_BINS / 2); /* no coarser than it has to be */
  }
}
END_TEST

/* Bins 1 wide; values come one by one, each a bin further, below or above, so that the window moves by single bins. */
START_TEST(the_window_moves_by_single_bins) {
  enum { FIRST = 1500, MORE = 400 };
  float sign = _i ? -1 : 1;
  histogram h;
  histogram_reset(&h);
  for (int i = 0; i <= MORE; i++) {
    float x = sign * (i == 0 ? FIRST + 0.5f : 0.5f - (float)i);
    histogram_add(&h, &x, 1, x, x);
    ck_assert_int_eq(h.exponent, 0);
    for (int bin = 0; bin < HISTOGRAM_BINS; bin++) {
      float centre = sign * ((float)(h.first + bin) + 0.5f);
      ENSURE(h.count[bin] == (centre == FIRST + 0.5f || (centre < 0 && centre > -(float)i)));
    }
  }
}
END_TEST

START_TEST(fading_forgets) {
  enum { N = 4000 };
  float x[N], faded[2], fresh[2];
  rung_observer *observer = make((rung_observer_kind)_i, &(rung_format){4, false, false});
  bool fades = !rung_observer_needs_range_only(observer);
  fill(x, N, 1, 1);
  for (int i = 0; i < N; i++) x[i] *= 2;
  x[0] = 8; /* the range that both see */
  observe(observer, x, N);
  rung_observer_fade(observer, fades ? 1e-6f : 0);
  range_of(observer, &fresh[0], &fresh[1]);
  for (int i = 0; i < N; i++) x[i] /= 4;
  observe(observer, x, N);
  range_of(observer, &faded[0], &faded[1]);
  ck_assert(fades ? faded[1] < 0.6f * fresh[1] : faded[1] == fresh[1] || _i == RUNG_OBSERVER_MOVING_AVERAGE);
  rung_observer_free(observer);
}
END_TEST

/* ---- The searches ----------------------------------------------------------------------------------------------- */

START_TEST(mse_is_no_worse_than_min_max) {
  enum { N = 5000 };
  float x[N], rmin, rmax;
  const rung_format *format = &formats[_i];
  for (int distribution = 0; distribution < DISTRIBUTIONS; distribution++)
    for (uint64_t seed = 0; seed < 3; seed++) {
      fill(x, N, distribution, 20 + seed);
      rung_observer *observer = make(RUNG_OBSERVER_MSE, format), *min_max = make(RUNG_OBSERVER_MIN_MAX, format);
      observe(observer, x, N);
      observe(min_max, x, N);
      range_of(observer, &rmin, &rmax);
      double searched = quantization_error(format, rmin, rmax, x, N);
      range_of(min_max, &rmin, &rmax);
      double widest = quantization_error(format, rmin, rmax, x, N);
      ck_assert_msg(searched <= widest * 1.01, "distribution %d: %g, min-max %g", distribution, searched, widest);
      if (format->bits <= 4 && distribution == 2) ck_assert(searched < widest); /* outliers are cut */
      rung_observer_free(observer);
      rung_observer_free(min_max);
    }
}
END_TEST

/* Every range on a grid, the error from the values themselves. */
static double exhaustive_error(const rung_format *format, const float *x, int n, float min, float max) {
  enum { STEPS = 40 };
  double best = INFINITY;
  for (int a = min < 0 ? 1 : STEPS; a <= STEPS; a++)
    for (int b = max > 0 ? 1 : STEPS; b <= STEPS; b++) {
      if (format->symmetric && a != b && min < 0 && max > 0) continue;
      double error =
          quantization_error(format, fminf(min, 0) * (float)a / STEPS, fmaxf(max, 0) * (float)b / STEPS, x, n);
      best = error < best ? error : best;
    }
  return best;
}

START_TEST(mse_finds_what_exhaustive_search_finds) {
  enum { N = 400 };
  static const rung_format small[] = {
      {2, false, false}, {3, true, false}, {4, false, false}, {2, true, true}, {4, true, true}};
  float x[N], rmin, rmax, min, max;
  bool has_nan;
  for (int f = 0; f < LENGTH(small); f++) {
    fill(x, N, _i, 31);
    rung_observer *observer = make(RUNG_OBSERVER_MSE, &small[f]);
    observe(observer, x, N);
    range_of(observer, &rmin, &rmax);
    rung_kernels_active()->min_max(x, N, &min, &max, &has_nan);
    double ours = quantization_error(&small[f], rmin, rmax, x, N), best = exhaustive_error(&small[f], x, N, min, max);
    ck_assert_msg(ours <= 1.03 * best, "%d bits: %g, exhaustively %g", small[f].bits, ours, best);
    rung_observer_free(observer);
  }
}
END_TEST

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

START_TEST(percentile_is_that_of_the_sorted_values) {
  enum { N = 20000 };
  static const float parts[] = {0.9999f, 0.999f, 0.99f, 0.9f, 1};
  static float x[N];
  fill(x, N, _i, 40);
  for (int p = 0; p < LENGTH(parts); p++) {
    rung_observer *observer =
        rung_observer_new(&(rung_observer_options){.kind = RUNG_OBSERVER_PERCENTILE, .percentile = parts[p]}, &u8);
    float rmin, rmax;
    observe(observer, x, N);
    range_of(observer, &rmin, &rmax);
    qsort(x, N, sizeof *x, ascending);
    float bin = ldexpf(1, observer->histogram->exponent);
    int cut = (int)((1 - (double)parts[p]) * N); /* at most so many values lie beyond */
    if (x[0] < 0)
      ck_assert(rmin >= x[cut > 0 ? cut - 1 : 0] - bin && rmin <= x[cut + 1] + bin);
    else
      ck_assert(rmin == x[0]);
    if (x[N - 1] > 0)
      ck_assert(rmax <= x[N - cut > N - 1 ? N - 1 : N - cut] + bin && rmax >= x[N - 2 - cut] - bin);
    else
      ck_assert(rmax == x[N - 1]);
    rung_observer_free(observer);
  }
}
END_TEST

/* KL(P || Q) with P and Q written out bin by bin, as the slides do it. */
static double plain_divergence(const histogram *h, int begin, int end, int levels) {
  double p[HISTOGRAM_BINS * 2] = {0}, q[HISTOGRAM_BINS * 2] = {0}, raw[HISTOGRAM_BINS * 2] = {0}, n = 0, inside = 0,
                            kl = 0;
  int bins = end - begin;
  for (int i = 0; i < HISTOGRAM_BINS; i++) {
    int at = i < begin ? 0 : i >= end ? bins - 1 : i - begin;
    p[at] += h->count[i];
    n += h->count[i];
    if (i < begin || i >= end) continue;
    raw[at] += h->count[i];
    inside += h->count[i];
  }
  for (int l = 0; l < levels; l++) {
    int from = bins * l / levels, to = bins * (l + 1) / levels, used = 0;
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += raw[i];
      used += p[i] > 0;
    }
    for (int i = from; i < to; i++)
      if (p[i] > 0) q[i] = sum / used;
  }
  for (int i = 0; i < bins; i++)
    if (p[i] > 0) kl += p[i] / n * log(p[i] / n * inside / q[i]);
  return kl;
}

START_TEST(entropy_finds_the_least_divergence) {
  enum { N = 6000, CANDIDATES = 128 };
  static const rung_format some[] = {
      {8, false, false}, {4, false, false}, {2, false, false}, {8, true, true}, {4, true, true}};
  static float x[N];
  fill(x, N, _i, 50);
  for (int f = 0; f < LENGTH(some); f++) {
    rung_observer *observer = make(RUNG_OBSERVER_ENTROPY, &some[f]);
    observe(observer, x, N);
    float rmin, rmax;
    range_of(observer, &rmin, &rmax);
    const histogram *h = observer->histogram;
    int low = (int)floor(ldexp((double)h->low, -h->exponent)),
        high = (int)floor(ldexp((double)h->high, -h->exponent)) + 1;
    int widest = -low > high ? -low : high, levels = 1 << some[f].bits;
    double least = INFINITY, chosen = INFINITY;
    for (int k = 1; k <= CANDIDATES; k++) {
      int t = widest * k / CANDIDATES, begin = -t, end = t;
      if (!some[f].symmetric) begin = low > -t ? low : -t, end = high < t ? high : t;
      if (end - begin < levels) continue;
      double kl = plain_divergence(h, begin - h->first, end - h->first, levels);
      float limit = ldexpf((float)t, h->exponent);
      if (rmin == fmaxf(observer->min, -limit) && rmax == fminf(observer->max, limit)) chosen = kl;
      least = kl < least ? kl : least;
    }
    ck_assert_msg(chosen <= least + 1e-9, "%d bits: divergence %g, the least is %g", some[f].bits, chosen, least);
    rung_observer_free(observer);
  }
}
END_TEST

START_TEST(entropy_cuts_outliers) {
  enum { N = 20000 };
  static float x[N];
  float rmin, rmax;
  fill(x, N, 1, 60);
  for (int i = 0; i < 5; i++) x[i] = 20;
  rung_observer *observer = make(RUNG_OBSERVER_ENTROPY, &(rung_format){4, false, false});
  observe(observer, x, N);
  range_of(observer, &rmin, &rmax);
  ck_assert_msg(rmin == 0 && rmax > 2 && rmax < 10, "[%g, %g]", (double)rmin, (double)rmax);
  rung_observer_free(observer);
}
END_TEST

/* ---- As plain data ---------------------------------------------------------------------------------------------- */

/* One observer that goes on, and one that was put together from the other's state: the same from there on. */
START_TEST(a_state_put_back_goes_on) {
  if (_i == RUNG_OBSERVER_DEFAULT) return;
  rung_observer *one = make((rung_observer_kind)_i, &u8), *other = make((rung_observer_kind)_i, &u8);
  static rung_observer_state state, same;
  float x[200], range[4];
  for (uint64_t batch = 0; batch < 6; batch++) {
    fill(x, 200, (int)(batch % 5), batch);
    observe(one, x, 200);
    rung_observer_fade(one, 0.92f);
    if (batch > 3) {
      observe(other, x, 200);
      rung_observer_fade(other, 0.92f);
    }
    rung_observer_get_state(one, &state);
    if (batch == 3) ck_assert_msg(rung_observer_set_state(other, &state) == RUNG_OK, "%s", rung_error());
  }
  rung_observer_get_state(other, &same);
  ck_assert_mem_eq(&state, &same, sizeof state);
  range_of(one, &range[0], &range[1]);
  range_of(other, &range[2], &range[3]);
  ck_assert(range[0] == range[2] && range[1] == range[3]);
  rung_observer_free(one);
  rung_observer_free(other);
}
END_TEST

START_TEST(a_state_that_cannot_be_is_refused) {
  rung_observer *observer = make(RUNG_OBSERVER_MSE, &u8), *plain = make(RUNG_OBSERVER_MIN_MAX, &u8);
  static rung_observer_state good, bad, after;
  float x[50];
  fill(x, 50, 0, 1);
  observe(observer, x, 50);
  rung_observer_get_state(observer, &good);
#define REFUSE(change)                                                                                                 \
  do {                                                                                                                 \
    bad = good;                                                                                                        \
    bad.change;                                                                                                        \
    ck_assert_int_eq(rung_observer_set_state(observer, &bad), RUNG_ERROR_ARGUMENT);                                    \
    rung_observer_get_state(observer, &after);                                                                         \
    ck_assert_mem_eq(&after, &good, sizeof good);                                                                      \
  } while (0)
  REFUSE(min = 2);
  REFUSE(max = NAN);
  REFUSE(min = -INFINITY);
  REFUSE(exponent = -127);
  REFUSE(exponent = 128);
  REFUSE(exponent += 1);
  REFUSE(first += 1);
  REFUSE(low = 0.5f);
  REFUSE(high = -0.5f);
  REFUSE(high = 1e30f);
  REFUSE(zeros = -1);
  REFUSE(zeros = NAN);
  REFUSE(count[7] = -1);
  REFUSE(count[RUNG_HISTOGRAM_BINS - 1] = INFINITY);
  REFUSE(has_histogram = false);
  ck_assert_int_eq(rung_observer_set_state(plain, &good), RUNG_ERROR_ARGUMENT);
  rung_observer_free(observer);
  rung_observer_free(plain);
}
END_TEST

TEST_MAIN(CASE(names_parse_back), CASES(what_is_not_finite_is_named_and_not_observed, RUNG_OBSERVER_KIND_COUNT),
          CASES(doubled_values_double_the_range, RUNG_OBSERVER_KIND_COUNT),
          CASES(batches_are_as_good_as_their_union, RUNG_OBSERVER_KIND_COUNT),
          CASES(single_values_and_extremes_have_a_range, RUNG_OBSERVER_KIND_COUNT),
          CASE(a_range_is_enough_for_those_that_say_so), CASES(ranges_are_those_of_pytorch, LENGTH(golden_observers)),
          CASES(bins_hold_exactly_the_values_between_their_edges, DISTRIBUTIONS),
          CASES(the_window_moves_by_single_bins, 2), CASES(fading_forgets, RUNG_OBSERVER_KIND_COUNT),
          CASES(mse_is_no_worse_than_min_max, LENGTH(formats)),
          CASES(mse_finds_what_exhaustive_search_finds, DISTRIBUTIONS),
          CASES(percentile_is_that_of_the_sorted_values, DISTRIBUTIONS),
          CASES(entropy_finds_the_least_divergence, DISTRIBUTIONS), CASE(entropy_cuts_outliers),
          CASES(a_state_put_back_goes_on, RUNG_OBSERVER_KIND_COUNT), CASE(a_state_that_cannot_be_is_refused))
