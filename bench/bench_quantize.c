/* Quantizing, dequantizing and observing, in bytes read and written a second, beside memcpy on the same buffers: in the
 * L1 and L2 cache and in memory. One thread. */
#include "bench.h"

#include <string.h>

typedef struct place {
  const char *name;
  int64_t count; /* of floats; x and y are two such arrays */
} place;
static const place places[] = {{"l1", 2 << 10}, {"l2", 64 << 10}, {"memory", 16 << 20}};
enum { place_count = sizeof places / sizeof places[0] };

typedef struct buffers {
  int64_t count;
  float *x, *y;
  uint8_t *q, *mask;
  rung_observer *observer[RUNG_OBSERVER_KIND_COUNT];
} buffers;

static const float scale = 1.0f / 32;
static const rung_format format = {.bits = 8};

/* ---- The work: ROW(name, bytes read and written for an element, what it does with `b` and the kernels `k`) ------- */

#define WORK_LIST(ROW)                                                                                                 \
  ROW(copy, 4 + 4, memcpy(b->y, b->x, (size_t)b->count * sizeof *b->x))                                                \
  ROW(min_max, 4, k->min_max(b->x, b->count, &min, &max, &has_nan))                                                    \
  ROW(quantize_u8, 4 + 1, k->quantize_u8(b->q, b->x, b->count, 1 / scale, 128, 0, 255))                                \
  ROW(quantize_i8, 4 + 1, k->quantize_i8((int8_t *)b->q, b->x, b->count, 1 / scale, 0, -127, 127))                     \
  ROW(dequantize_u8, 1 + 4, k->dequantize_u8(b->y, b->q, b->count, scale, 128))                                        \
  ROW(dequantize_i8, 1 + 4, k->dequantize_i8(b->y, (const int8_t *)b->q, b->count, scale, 0))                          \
  ROW(fake_quantize, 4 + 4, k->fake_quantize(b->y, NULL, b->x, b->count, scale, 1 / scale, 128, 0, 255))               \
  ROW(fake_quantize_mask, 4 + 4 + 0.125,                                                                               \
      k->fake_quantize(b->y, b->mask, b->x, b->count, scale, 1 / scale, 128, 0, 255))                                  \
  ROW(observe_min_max, 4, observe(b, RUNG_OBSERVER_MIN_MAX))                                                           \
  ROW(observe_moving_average, 4, observe(b, RUNG_OBSERVER_MOVING_AVERAGE))                                             \
  ROW(observe_percentile, 4, observe(b, RUNG_OBSERVER_PERCENTILE))                                                     \
  ROW(observe_mse, 4, observe(b, RUNG_OBSERVER_MSE))                                                                   \
  ROW(observe_entropy, 4, observe(b, RUNG_OBSERVER_ENTROPY))

static void observe(const buffers *b, rung_observer_kind kind) {
  bench_check(rung_observer_observe(b->observer[kind], b->x, b->count) == RUNG_OK);
}

/* The compiler is told that all memory was read: no copy is left out. */
#define FUNCTION(NAME, BYTES, CALL)                                                                                    \
  static void run_##NAME(void *context) {                                                                              \
    const buffers *b = context;                                                                                        \
    const rung_kernels *k = rung_kernels_active();                                                                     \
    float min, max;                                                                                                    \
    bool has_nan;                                                                                                      \
    (void)k, (void)min, (void)max, (void)has_nan;                                                                      \
    CALL;                                                                                                              \
    __asm__ volatile("" : : "r"(b->y) : "memory");                                                                     \
  }
WORK_LIST(FUNCTION)

#define ENTRY(NAME, BYTES, CALL) {#NAME, BYTES, run_##NAME},
static const struct {
  const char *name;
  double bytes;
  void (*run)(void *context);
} works[] = {WORK_LIST(ENTRY)};
enum { work_count = sizeof works / sizeof works[0], copy = 0 };

/* ---- Buffers ---------------------------------------------------------------------------------------------------- */

static buffers make_buffers(int64_t count) {
  const size_t bytes = (size_t)count;
  buffers b = {.count = count,
               .x = rung_allocate(bytes * sizeof *b.x),
               .y = rung_allocate(bytes * sizeof *b.y),
               .q = rung_allocate(bytes),
               .mask = rung_allocate((bytes + 7) / 8)};
  bench_check(b.x && b.y && b.q && b.mask);
  rung_rng rng = rung_rng_seed(1);
  for (int64_t i = 0; i < count; i++) b.x[i] = 10 * rung_rng_uniform(&rng) - 5;
  memset(b.y, 0, bytes * sizeof *b.y); /* pages of their own before the clock runs, not the page of zeros */
  memset(b.q, 1, bytes);
  for (int kind = RUNG_OBSERVER_MIN_MAX; kind < RUNG_OBSERVER_KIND_COUNT; kind++) {
    b.observer[kind] = rung_observer_new(&(rung_observer_options){.kind = (rung_observer_kind)kind}, &format);
    bench_check(b.observer[kind] != NULL);
  }
  return b;
}

static void free_buffers(buffers *b) {
  for (int kind = RUNG_OBSERVER_MIN_MAX; kind < RUNG_OBSERVER_KIND_COUNT; kind++) rung_observer_free(b->observer[kind]);
  rung_release(b->mask);
  rung_release(b->q);
  rung_release(b->y);
  rung_release(b->x);
}

static void add_place(bench *b, const place *p, buffers *at) {
  const bench_row *beside = NULL;
  *at = make_buffers(b->quick && p->count > 1 << 20 ? 1 << 20 : p->count);
  for (int i = 0; i < work_count; i++) {
    bench_row row = {.unit = "call",
                     .peak = BENCH_COPY,
                     .work = works[i].bytes * (double)at->count,
                     .beside = beside,
                     .run = works[i].run,
                     .context = at};
    snprintf(row.name, sizeof row.name, "quantize/%s/%s", p->name, works[i].name);
    bench_row *added = bench_add(b, &row);
    if (i == copy && added) beside = added->beside = added;
  }
}

int main(int argc, char **argv) {
  bench b = bench_begin("quantize", argc, argv, NULL, 0);
  buffers at[place_count];
  for (int i = 0; i < place_count; i++) add_place(&b, &places[i], &at[i]);
  bench_run(&b);
  int status = bench_end(&b);
  for (int i = 0; i < place_count; i++) free_buffers(&at[i]);
  return status;
}
