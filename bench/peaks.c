/* What this machine can do at most: the instruction that a product is made of, over and over, on twelve accumulators
 * that lie in registers, so that neither its latency nor memory is in the way. */
#include "bench.h"

#include <string.h>

enum { accumulators = 12, copy_bytes = 64 << 20 };

/* A function that does STEPS `times` times. CLEAR(i) zeroes register i, LEAVE is how it ends. */
#define TWELVE(STEP)                                                                                                   \
  STEP("0")                                                                                                            \
  STEP("1") STEP("2") STEP("3") STEP("4") STEP("5") STEP("6") STEP("7") STEP("8") STEP("9") STEP("10") STEP("11")
#define LOOP(NAME, ATTRIBUTE, CLEAR, STEPS, COUNT_DOWN, LEAVE, ...)                                                    \
  ATTRIBUTE static void NAME(int64_t times) {                                                                          \
    __asm__ volatile(TWELVE(CLEAR) CLEAR("12") CLEAR("13") CLEAR("14") "1:\n\t" STEPS COUNT_DOWN LEAVE                 \
                     : "+r"(times)                                                                                     \
                     :                                                                                                 \
                     : "cc", __VA_ARGS__);                                                                             \
  }

typedef struct loop {
  void (*run)(int64_t times);
  int operations; /* of a twelfth of STEPS */
} loop;

#if defined(__x86_64__)

#define X86_LOOP(NAME, TARGET, CLEAR, STEPS, LEAVE)                                                                    \
  LOOP(NAME, __attribute__((target(TARGET))), CLEAR, STEPS, "sub $1, %0\n\tjnz 1b\n\t", LEAVE, "xmm0", "xmm1", "xmm2", \
       "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14")
#define SSE_LOOP(NAME, STEPS)         X86_LOOP(NAME, "sse2", CLEAR_SSE, STEPS, "")
#define AVX_LOOP(NAME, TARGET, STEPS) X86_LOOP(NAME, TARGET, CLEAR_AVX, STEPS, "vzeroupper")

#define CLEAR_SSE(i)   "pxor %%xmm" i ", %%xmm" i "\n\t"
#define CLEAR_AVX(i)   "vpxor %%xmm" i ", %%xmm" i ", %%xmm" i "\n\t" /* and all above it */
#define ON(OP, R, i)   OP " %%" R "mm12, %%" R "mm13, %%" R "mm" i "\n\t"
#define FMA_ZMM(i)     ON("vfmadd231ps", "z", i)
#define FMA_YMM(i)     ON("vfmadd231ps", "y", i)
#define BYTES_ZMM(i)   ON("vpdpbusd", "z", i)
#define BF16_ZMM(i)    ON("vdpbf16ps", "z", i)
#define MUL_ADD_XMM(i) "mulps %%xmm12, %%xmm" i "\n\taddps %%xmm13, %%xmm" i "\n\t"
/* Products of pairs, then sums: an addition beside each product would keep the units of the next one busy. */
#define PAIRS_ZMM(i) ON("vpmaddwd", "z", i)
#define PAIRS_YMM(i) ON("vpmaddwd", "y", i)
#define PAIRS_XMM(i) "movdqa %%xmm12, %%xmm" i "\n\tpmaddwd %%xmm13, %%xmm" i "\n\t"
#define ADD_ZMM(i)   "vpaddd %%zmm14, %%zmm" i ", %%zmm" i "\n\t"
#define ADD_YMM(i)   "vpaddd %%ymm14, %%ymm" i ", %%ymm" i "\n\t"
#define ADD_XMM(i)   "paddd %%xmm14, %%xmm" i "\n\t"

AVX_LOOP(fma_zmm, "avx512f", TWELVE(FMA_ZMM))
AVX_LOOP(fma_ymm, "avx2,fma", TWELVE(FMA_YMM))
SSE_LOOP(mul_add_xmm, TWELVE(MUL_ADD_XMM))
AVX_LOOP(bytes_zmm, "avx512vnni", TWELVE(BYTES_ZMM))
AVX_LOOP(pairs_zmm, "avx512bw", TWELVE(PAIRS_ZMM) TWELVE(ADD_ZMM))
AVX_LOOP(pairs_ymm, "avx2", TWELVE(PAIRS_YMM) TWELVE(ADD_YMM))
SSE_LOOP(pairs_xmm, TWELVE(PAIRS_XMM) TWELVE(ADD_XMM))
AVX_LOOP(bf16_zmm, "avx512bf16", TWELVE(BF16_ZMM))

/* By level, the last for all others. */
static const struct {
  const char *level;
  loop f32, int8;
} levels[] = {{"v4bf16", {fma_zmm, 32}, {bytes_zmm, 128}},
              {"v4vnni", {fma_zmm, 32}, {bytes_zmm, 128}},
              {"v4", {fma_zmm, 32}, {pairs_zmm, 64}},
              {"v3", {fma_ymm, 16}, {pairs_ymm, 32}},
              {"", {mul_add_xmm, 8}, {pairs_xmm, 16}}};

static loop find_bf16(void) {
  return __builtin_cpu_supports("avx512bf16") ? (loop){bf16_zmm, 64} : (loop){NULL, 0};
}

#elif defined(__aarch64__)

#define ARM_LOOP(NAME, STEPS)                                                                                          \
  LOOP(NAME, , CLEAR_V, STEPS, "subs %0, %0, #1\n\tb.ne 1b\n\t", "", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",   \
       "v8", "v9", "v10", "v11", "v12", "v13", "v14")

#define CLEAR_V(i) "movi v" i ".4s, #0\n\t"
#define FMLA(i)    "fmla v" i ".4s, v12.4s, v13.4s\n\t"
#define SMLAL(i)   "smlal v" i ".4s, v12.4h, v13.4h\n\t"

ARM_LOOP(fmla, TWELVE(FMLA))
ARM_LOOP(smlal, TWELVE(SMLAL))

static const struct {
  const char *level;
  loop f32, int8;
} levels[] = {{"", {fmla, 8}, {smlal, 8}}};

static loop find_bf16(void) {
  return (loop){NULL, 0};
}

#else /* the compiler keeps twelve chains in registers; unlike from the start, lest they be taken for one */

#define PLAIN_LOOP(NAME, TYPE)                                                                                         \
  static void NAME(int64_t times) {                                                                                    \
    static volatile TYPE start = 1;                                                                                    \
    const TYPE x = start, y = start;                                                                                   \
    TYPE sum[accumulators];                                                                                            \
    for (int i = 0; i < accumulators; i++) sum[i] = start;                                                             \
    for (int64_t t = 0; t < times; t++)                                                                                \
      for (int i = 0; i < accumulators; i++) sum[i] = sum[i] * x + y;                                                  \
    for (int i = 0; i < accumulators; i++) start = sum[i];                                                             \
  }

PLAIN_LOOP(multiply_add_f32, float)
PLAIN_LOOP(multiply_add_u32, uint32_t)

static const struct {
  const char *level;
  loop f32, int8;
} levels[] = {{"", {multiply_add_f32, 2}, {multiply_add_u32, 2}}};

static loop find_bf16(void) {
  return (loop){NULL, 0};
}

#endif

static void raise(double *peak, double found) {
  if (found > *peak) *peak = found;
}

static void measure(double *peak, loop l) {
  enum { times = 50000 };
  if (!l.run) return;
  double started = bench_clock();
  l.run(times);
  raise(peak, (double)times * accumulators * l.operations / (bench_clock() - started));
}

void bench_measure_arithmetic(double peaks[BENCH_PEAKS]) {
  const char *level = rung_kernels_active()->level;
  size_t i = 0;
  while (levels[i].level[0] && strcmp(levels[i].level, level) != 0) i++;
  measure(&peaks[BENCH_F32], levels[i].f32);
  measure(&peaks[BENCH_INT8], levels[i].int8);
  measure(&peaks[BENCH_BF16], find_bf16());
}

void bench_measure_copy(double peaks[BENCH_PEAKS]) {
  char *from = rung_allocate(copy_bytes), *to = rung_allocate(copy_bytes);
  bench_check(from && to);
  memset(from, 1, copy_bytes); /* its pages are its own, not the one page of zeros */
  for (int i = 0; i < 10; i++) {
    double started = bench_clock();
    memcpy(to, from, copy_bytes);
    __asm__ volatile("" : : "r"(to) : "memory");
    raise(&peaks[BENCH_COPY], 2.0 * copy_bytes / (bench_clock() - started));
  }
  rung_release(from);
  rung_release(to);
}
