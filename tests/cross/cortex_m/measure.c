/* What one inference costs on a Cortex-M: the instructions, counted by SysTick, and the bytes of stack, by painting.
 * qemu runs it with `-icount shift=5`, so an instruction takes 32 ns of its clock, however long it takes on silicon;
 * SysTick ticks with the board's processor clock, every 40 ns. A count is therefore right to 2 or so. */
#include "digits.h"
#include "port.h"

#define SYSTICK ((volatile uint32_t *)0xe000e010) /* control, reload, value (Armv7-M ARM, B3.3) */
enum { CONTROL, RELOAD, VALUE };
enum { ENABLE = 1, PROCESSOR_CLOCK = 4, MOST = 0xffffff };
enum { TICK_NS = 40, INSTRUCTION_NS = 1 << 5 };
enum { STACK_BYTES = 4096, PAINT = 0x5a5a5a5a };

extern uint32_t image_stack_top[];

static unsigned char input[DIGITS_INPUTS];
static int32_t logits[DIGITS_OUTPUTS];

void nothing(void);
void loop(void);
void inference(void);

__attribute__((noinline)) void nothing(void) {
  __asm__ volatile("");
}

/* 10,002 instructions: 100 rounds of 98 additions, a subtraction and a branch; two more set it up, and `nothing` has
 * but the return. */
__attribute__((noinline)) void loop(void) {
  __asm__ volatile("movs r0, #100\n"
                   "movs r1, #0\n"
                   "1:\n"
                   ".rept 98\n"
                   "adds r1, r1, #1\n"
                   ".endr\n"
                   "subs r0, r0, #1\n"
                   "bne 1b" ::
                       : "r0", "r1", "cc");
}

__attribute__((noinline)) void inference(void) {
  digits_run((const void *)input, logits);
}

static uint32_t ticks_of(void (*run)(void)) {
  uint32_t before = SYSTICK[VALUE];
  run();
  return (before - SYSTICK[VALUE]) & MOST;
}

static uint32_t instructions_of(void (*run)(void)) {
  return ((ticks_of(run) - ticks_of(nothing)) * TICK_NS + INSTRUCTION_NS / 2) / INSTRUCTION_NS;
}

/* From main down: what `run` and what it calls leave painted over, and main's own frame. */
__attribute__((noinline)) static uint32_t stack_of(void (*run)(void)) {
  uint32_t *bottom = image_stack_top - STACK_BYTES / sizeof(uint32_t), *top;
  __asm__ volatile("mov %0, sp" : "=r"(top));
  for (volatile uint32_t *at = bottom; at < top; at++) *at = PAINT;
  run();
  const volatile uint32_t *at = bottom;
  while (*at == PAINT) at++;
  return (uint32_t)((uintptr_t)image_stack_top - (uintptr_t)at);
}

static void print(const char *what, uint32_t number) {
  port_print(what);
  port_print_number(number);
  port_print("\n");
}

int main(void) {
  int inputs = port_open("inputs");
  if (inputs < 0 || port_read(inputs, input, sizeof input) != sizeof input) return 2;
  SYSTICK[RELOAD] = MOST;
  SYSTICK[VALUE] = 0;
  SYSTICK[CONTROL] = ENABLE | PROCESSOR_CLOCK;
  while (SYSTICK[VALUE] == 0) continue;
  print("loop ", instructions_of(loop));
  print("inference ", instructions_of(inference));
  print("stack ", stack_of(inference));
  return 0;
}
