#include "op_list.h"

#define OP_ENTRY(name) &rung_op_##name,
static const rung_op *const ops[] = {RUNG_OP_LIST(OP_ENTRY)};

int rung_op_count(void) {
  return (int)(sizeof ops / sizeof ops[0]);
}

const rung_op *rung_op_at(int index) {
  return index >= 0 && index < rung_op_count() ? ops[index] : NULL;
}
