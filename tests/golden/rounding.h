/* Made by make_rounding.py with PyTorch 2.15.0. */
/* clang-format off */
enum { GOLDEN_N = 64, GOLDEN_IN = 80, GOLDEN_OUT = 10 };

static const struct {
  int bits, group; /* group 0: per channel; -1: per tensor */
  bool act_order, static_groups, mse;
  float damping;
} golden_gptq[] = {
    {4, 0, false, false, false, 0.01f}, /* 9.5e-04 */
    {3, -1, false, false, false, 0.01f}, /* 4.3e-04 */
    {3, 0, true, false, false, 0.01f}, /* 5.8e-04 */
    {4, 16, false, false, false, 0.01f}, /* 6.9e-04 */
    {4, 24, false, true, false, 0.01f}, /* 2.5e-04 */
    {4, 16, true, true, false, 0.01f}, /* 1.9e-04 */
    {2, 0, false, false, true, 0.1f}, /* 6.5e-06 */
    {3, -1, true, false, true, 0.05f}, /* 4.5e-04 */
    {8, 0, false, false, false, 0.001f}, /* 1.1e-03 */
    {5, 20, false, false, true, 0.01f}, /* 1.2e-04 */
};

static const struct {
  int bits, group;
  rung_clamp clamp;
  float beta;
  bool mse;
} golden_adaround[] = {
    {4, 0, RUNG_CLAMP_NONE, 0.0f, false},
    {3, -1, RUNG_CLAMP_RELU, 20.0f, false},
    {4, 16, RUNG_CLAMP_RELU, 2.0f, true},
    {2, 0, RUNG_CLAMP_RELU, 7.5f, true},
};
