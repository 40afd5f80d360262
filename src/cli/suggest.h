/* What was probably meant by a name that is none. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

/* The nearest of `names` [count] to `word`; NULL if none is near. */
const char *suggest(const char *word, const char *const *names, int count);

#endif
