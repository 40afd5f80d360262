/* Whether the kernels of level argv[1] run on this processor: exit status 0, or 77 and why not. Without an argument,
 * prints the level in use. */
#include <rung/kernels.h>

#include <stdio.h>

int main(int argc, char **argv) {
  if (argc == 1) return puts(rung_kernels_active()->level) < 0;
  if (argc == 2 && rung_kernels_use(argv[1]) == RUNG_OK) return 0;
  puts(rung_error());
  return 77;
}
