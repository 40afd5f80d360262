/* oneDNN's matmul at the shapes of bench_gemm, at its best: every operand but the rows of the left one in the layout
 * that oneDNN asks for, reordered outside of the timing. u8 x s8, to s32 bare, and to u8 requantized with a scale a
 * column. */
#include "peer.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>
#include <string.h>

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void check(dnnl_status_t status, const char *what) {
  if (status == dnnl_success) return;
  fprintf(stderr, "onednn_gemm: %s: status %d\n", what, (int)status);
  exit(1);
}
#define CHECK(call) check(call, #call)

static dnnl_memory_desc_t matrix(int64_t rows, int64_t columns, dnnl_data_type_t type, dnnl_format_tag_t tag) {
  dnnl_memory_desc_t layout;
  CHECK(dnnl_memory_desc_create_with_tag(&layout, 2, (dnnl_dims_t){rows, columns}, type, tag));
  return layout;
}

static dnnl_memory_t memory(const_dnnl_memory_desc_t layout, void *data) {
  dnnl_memory_t made;
  CHECK(dnnl_memory_create(&made, layout, engine, data));
  return made;
}

typedef struct {
  dnnl_primitive_t primitive;
  dnnl_exec_arg_t arguments[6];
  int count;
} product;

static void run(void *argument) {
  const product *p = argument;
  CHECK(dnnl_primitive_execute(p->primitive, stream, p->count, p->arguments));
  CHECK(dnnl_stream_wait(stream));
}

/* The right operand [k,n], given row by row or column by column, in the layout that the primitive wants. */
static dnnl_memory_t packed(const_dnnl_primitive_desc_t description, int64_t k, int64_t n, dnnl_data_type_t type,
                            dnnl_format_tag_t tag, void *data) {
  dnnl_memory_t plain = memory(matrix(k, n, type, tag), data);
  dnnl_memory_t wanted =
      memory(dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0), DNNL_MEMORY_ALLOCATE);
  dnnl_primitive_desc_t reorder_description;
  dnnl_primitive_t reorder;
  const_dnnl_memory_desc_t from, to;
  CHECK(dnnl_memory_get_memory_desc(plain, &from));
  CHECK(dnnl_memory_get_memory_desc(wanted, &to));
  CHECK(dnnl_reorder_primitive_desc_create(&reorder_description, from, engine, to, engine, NULL));
  CHECK(dnnl_primitive_create(&reorder, reorder_description));
  run(&(product){reorder, {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, wanted}}, 2});
  return wanted;
}

static void measure(const char *name, int64_t m, int64_t n, int64_t k, dnnl_data_type_t left, dnnl_data_type_t right,
                    dnnl_data_type_t out, dnnl_format_tag_t left_tag, dnnl_format_tag_t right_tag, double seconds) {
  bool requantize = out == dnnl_u8;
  dnnl_primitive_attr_t attributes;
  CHECK(dnnl_primitive_attr_create(&attributes));
  if (requantize) {
    CHECK(dnnl_primitive_attr_set_scales_mask(attributes, DNNL_ARG_WEIGHTS, 2)); /* one a column */
    CHECK(dnnl_primitive_attr_set_zero_points_mask(attributes, DNNL_ARG_DST, 0));
  }
  dnnl_memory_desc_t a = matrix(m, k, left, left_tag), b = matrix(k, n, right, dnnl_format_tag_any);
  dnnl_memory_desc_t c = matrix(m, n, out, dnnl_ab), bias = matrix(1, n, dnnl_f32, dnnl_ab);
  dnnl_primitive_desc_t description;
  CHECK(dnnl_matmul_primitive_desc_create(&description, engine, a, b, requantize ? bias : NULL, c, attributes));

  product p = {.count = 3};
  CHECK(dnnl_primitive_create(&p.primitive, description));
  size_t most = (size_t)(m * k > k * n ? m * k : k * n);
  void *data = left == dnnl_f32 ? (void *)peer_floats(most) : (void *)peer_bytes(most);
  p.arguments[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, memory(a, data)};
  p.arguments[1] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, packed(description, k, n, right, right_tag, data)};
  p.arguments[2] = (dnnl_exec_arg_t){DNNL_ARG_DST, memory(c, peer_allocate((size_t)(m * n) * 4))};
  if (requantize) {
    static int32_t zero_point = 3;
    dnnl_dims_t columns = {n}, one = {1};
    dnnl_memory_desc_t scales, point;
    CHECK(dnnl_memory_desc_create_with_tag(&scales, 1, columns, dnnl_f32, dnnl_a));
    CHECK(dnnl_memory_desc_create_with_tag(&point, 1, one, dnnl_s32, dnnl_a));
    float *scale = peer_allocate((size_t)n * sizeof *scale);
    for (int64_t i = 0; i < n; i++) scale[i] = 1e-4f + 1e-7f * (float)i;
    p.arguments[3] = (dnnl_exec_arg_t){DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, memory(scales, scale)};
    p.arguments[4] = (dnnl_exec_arg_t){DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, memory(point, &zero_point)};
    p.arguments[5] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, memory(bias, peer_floats((size_t)n))};
    p.count = 6;
  }
  peer_measure("onednn", name, "call", left == dnnl_f32 ? "gflops" : "gops", 2.0 * (double)(m * n * k), run, &p,
               seconds);
}

int main(int argc, char **argv) {
  double seconds = peer_seconds(argc, argv);
  char version[64];
  const dnnl_version_t *v = dnnl_version();
  snprintf(version, sizeof version, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
  CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
  CHECK(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
  peer_begin("gemm", version);
  measure("gemm/f32/128x512x784/nt", 128, 512, 784, dnnl_f32, dnnl_f32, dnnl_f32, dnnl_ab, dnnl_ba, seconds);
  measure("gemm/f32/512x784x128/tn", 512, 784, 128, dnnl_f32, dnnl_f32, dnnl_f32, dnnl_ba, dnnl_ab, seconds);
  measure("gemm/f32/784x512x128/tn", 784, 512, 128, dnnl_f32, dnnl_f32, dnnl_f32, dnnl_ba, dnnl_ab, seconds);
  measure("gemm/f32/512x512x512/nn", 512, 512, 512, dnnl_f32, dnnl_f32, dnnl_f32, dnnl_ab, dnnl_ab, seconds);
  measure("gemm/f32/512x512x512/nt", 512, 512, 512, dnnl_f32, dnnl_f32, dnnl_f32, dnnl_ab, dnnl_ba, seconds);
  measure("gemm/f32/512x512x512/tn", 512, 512, 512, dnnl_f32, dnnl_f32, dnnl_f32, dnnl_ba, dnnl_ab, seconds);
  measure("gemm/int8/252x256x784/bare", 252, 256, 784, dnnl_u8, dnnl_s8, dnnl_s32, dnnl_ab, dnnl_ba, seconds);
  measure("gemm/int8/1024x1024x1024/bare", 1024, 1024, 1024, dnnl_u8, dnnl_s8, dnnl_s32, dnnl_ab, dnnl_ba, seconds);
  measure("gemm/int8/252x256x784/requantize", 252, 256, 784, dnnl_u8, dnnl_s8, dnnl_u8, dnnl_ab, dnnl_ba, seconds);
  measure("gemm/int8/1024x1024x1024/requantize", 1024, 1024, 1024, dnnl_u8, dnnl_s8, dnnl_u8, dnnl_ab, dnnl_ba,
          seconds);
  peer_end();
  return 0;
}
