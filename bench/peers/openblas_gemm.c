/* OpenBLAS's sgemm at the shapes of bench_gemm, by the names that it has in the Python package scipy-openblas32. */
#include "peer.h"

#include <cblas.h>

typedef struct {
  CBLAS_TRANSPOSE left, right;
  int m, n, k;
  const float *a, *b;
  float *c;
} product;

static void run(void *argument) {
  const product *p = argument;
  scipy_cblas_sgemm(CblasRowMajor, p->left, p->right, p->m, p->n, p->k, 1, p->a, p->left == CblasTrans ? p->m : p->k,
                    p->b, p->right == CblasTrans ? p->k : p->n, 0, p->c, p->n);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    CBLAS_TRANSPOSE left, right;
    int m, n, k;
  } cases[] = {
      {"gemm/f32/128x512x784/nt", CblasNoTrans, CblasTrans, 128, 512, 784},
      {"gemm/f32/512x784x128/tn", CblasTrans, CblasNoTrans, 512, 784, 128},
      {"gemm/f32/784x512x128/tn", CblasTrans, CblasNoTrans, 784, 512, 128},
      {"gemm/f32/512x512x512/nn", CblasNoTrans, CblasNoTrans, 512, 512, 512},
      {"gemm/f32/512x512x512/nt", CblasNoTrans, CblasTrans, 512, 512, 512},
      {"gemm/f32/512x512x512/tn", CblasTrans, CblasNoTrans, 512, 512, 512},
  };
  double seconds = peer_seconds(argc, argv);
  scipy_openblas_set_num_threads(1);
  peer_begin("gemm", scipy_openblas_get_config());
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    size_t m = (size_t)cases[i].m, n = (size_t)cases[i].n, k = (size_t)cases[i].k;
    product p = {cases[i].left, cases[i].right,     cases[i].m,         cases[i].n,
                 cases[i].k,    peer_floats(m * k), peer_floats(k * n), peer_allocate(m * n * sizeof(float))};
    peer_measure("openblas", cases[i].name, "call", "gflops", 2.0 * (double)(m * n * k), run, &p, seconds);
  }
  peer_end();
  return 0;
}
