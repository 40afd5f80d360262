/* From reset to main, on any Cortex-M: the vectors that it needs, data copied from flash, bss zeroed. image.ld names
 * the places. */
#include "../port.h"

extern uint32_t image_data[], image_data_end[], image_bss[], image_bss_end[], image_stack_top[];
extern const uint32_t image_data_source[];

int main(void);
void reset(void);

static void fault(void) {
  port_print("fault\n");
  port_exit(3);
}

void reset(void) {
  const uint32_t *from = image_data_source;
  for (uint32_t *to = image_data; to < image_data_end; to++) *to = *from++;
  for (uint32_t *to = image_bss; to < image_bss_end; to++) *to = 0;
  port_exit(main());
}

/* Initial stack pointer, then reset, NMI, HardFault, MemManage, BusFault, UsageFault, SecureFault. */
__attribute__((section(".vectors"), used)) static const struct {
  uint32_t *stack;
  void (*handler[7])(void);
} vectors = {image_stack_top, {reset, fault, fault, fault, fault, fault, fault}};
