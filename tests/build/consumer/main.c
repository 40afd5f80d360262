/* Uses a bit of every library that Rung rests on (threads, maths, zlib's place), in the C that is also C++. */
#include <rung/rung.h>

#include <stdio.h>

static void count(void *context, int ith, int nth) {
  ((int *)context)[ith] = nth;
}

int main(void) {
  int seen[2] = {0, 0};
  rung_team *team = rung_team_new(2);
  if (team == NULL) return 1;
  rung_team_run(team, count, seen);
  rung_team_free(team);

  rung_tensor tensor;
  if (rung_idx_read("no such file", &tensor) != RUNG_ERROR_IO) return 1;
  rung_model_free(rung_model_new(NULL));
  printf("%d %s, level %s\n", seen[0], rung_error(), rung_kernels_active()->level);
  return seen[0] < 1;
}
