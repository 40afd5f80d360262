/* Files and folders named on the command line. What cannot be written is told before the work, not after it. */
#ifndef CLI_PATH_H
#define CLI_PATH_H

#include <rung/core.h>

/* `what` is how messages call the path: "--from", "MODEL". */
rung_status path_check_input(const char *what, const char *path); /* is there and can be read */
/* Its folder is there and can be written into, and no folder or device stands in its place. */
rung_status path_check_output(const char *what, const char *path);
/* A folder that can be written into, or may be made. */
rung_status path_check_folder(const char *what, const char *path);
/* False if one of the two is not there. Links are followed. */
bool path_is_same_file(const char *a, const char *b);
bool path_is_folder(const char *path);
rung_status path_make_folder(const char *path);

bool path_ends_with(const char *path, const char *ending);

#endif
