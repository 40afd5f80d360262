/* One level's table; compiled once per level. */
#include "level.h"

#define TEXT2(x) #x
#define TEXT(x)  TEXT2(x)

#define KERNEL_ENTRY(name) .name = RUNG_AT_LEVEL(name),
extern const rung_kernels RUNG_AT_LEVEL(table);
const rung_kernels RUNG_AT_LEVEL(table) = {.level = TEXT(RUNG_LEVEL_ID), RUNG_KERNEL_LIST(KERNEL_ENTRY)};
