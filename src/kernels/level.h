/* The names of one level's kernels. Every file of vector/ is compiled once per level with RUNG_LEVEL_ID defined as that
 * level's name, the files of ref/ once as the level "ref"; RUNG_AT_LEVEL(exp) is then rung_v3_exp. */
#ifndef RUNG_LEVEL_H
#define RUNG_LEVEL_H

#include <rung/kernels.h>

#define RUNG_LEVEL_PASTE2(level, name) rung_##level##_##name
#define RUNG_LEVEL_PASTE(level, name)  RUNG_LEVEL_PASTE2(level, name)
#define RUNG_AT_LEVEL(name)            RUNG_LEVEL_PASTE(RUNG_LEVEL_ID, name)

/* Declares each kernel of this level with the type that the table gives it. */
#define RUNG_DECLARE_KERNEL(name) __typeof__(*((rung_kernels *)0)->name) RUNG_AT_LEVEL(name);
RUNG_KERNEL_LIST(RUNG_DECLARE_KERNEL)

#endif
