/* Which levels this build has, which of them this processor can run, and which is in use. */
#include <rung/kernels.h>

#include <stdlib.h>
#include <string.h>

static bool always(void) {
  return true;
}

#if defined(__x86_64__) && !defined(RUNG_PORTABLE)

static bool has_v2(void) {
  return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}

static bool has_v3(void) {
  return has_v2() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}

static bool has_v4(void) {
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_v4vnni(void) {
  return has_v4() && __builtin_cpu_supports("avx512vnni");
}

static bool has_v4bf16(void) {
  return has_v4vnni() && __builtin_cpu_supports("avx512bf16");
}

/* Ascending: the last one that the processor has is the best. */
#define LEVEL_LIST(ROW)                                                                                                \
  ROW(ref, always)                                                                                                     \
  ROW(generic, always) ROW(v2, has_v2) ROW(v3, has_v3) ROW(v4, has_v4) ROW(v4vnni, has_v4vnni) ROW(v4bf16, has_v4bf16)

#elif defined(__aarch64__) && !defined(RUNG_PORTABLE)
#define LEVEL_LIST(ROW) ROW(ref, always) ROW(generic, always) ROW(neon, always)
#else
#define LEVEL_LIST(ROW) ROW(ref, always) ROW(generic, always)
#endif

#define DECLARE_TABLE(name, supported) extern const rung_kernels rung_##name##_table;
LEVEL_LIST(DECLARE_TABLE)

#define LEVEL_ENTRY(name, supported) {&rung_##name##_table, supported},
static const struct {
  const rung_kernels *table;
  bool (*supported)(void);
} levels[] = {LEVEL_LIST(LEVEL_ENTRY)};

enum { level_count = (int)(sizeof levels / sizeof levels[0]) };

static const rung_kernels *active;

int rung_kernels_level_count(void) {
  return level_count;
}

const rung_kernels *rung_kernels_level(int index) {
  if (index < 0 || index >= level_count || !levels[index].supported()) return NULL;
  return levels[index].table;
}

rung_status rung_kernels_use(const char *level) {
  for (int i = 0; i < level_count; i++) {
    if (strcmp(levels[i].table->level, level) != 0) continue;
    if (!levels[i].supported())
      return rung_fail(RUNG_ERROR_ARGUMENT, "level '%s': this processor lacks its instructions", level);
    active = levels[i].table;
    return RUNG_OK;
  }
  return rung_fail(RUNG_ERROR_ARGUMENT, "level '%s': unknown; this build has levels up to '%s'", level,
                   levels[level_count - 1].table->level);
}

/* Before main, so that no thread can see it change. An unknown RUNG_CPU leaves the choice to the processor: a library
 * does not fail at load; the programs that read RUNG_CPU's result print rung_kernels_active()->level. */
__attribute__((constructor)) static void choose(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  for (int i = 0; i < level_count; i++)
    if (levels[i].supported()) active = levels[i].table;
  const char *wanted = getenv("RUNG_CPU");
  if (wanted && *wanted) (void)rung_kernels_use(wanted);
}

const rung_kernels *rung_kernels_active(void) {
  return active;
}
