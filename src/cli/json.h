/* A JSON object being put together; NULL, where none is wanted, takes everything and does nothing. A NULL text, and a
 * number that is none, become null. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cJSON json;

bool json_available(void); /* false in a build without cJSON, whose objects are all NULL */

json *json_new(void);
void json_free(json *object);
char *json_print(const json *object);         /* with line ends; free it. NULL: no memory, now or before */
char *json_print_compact(const json *object); /* the same on one line */

void json_text(json *object, const char *key, const char *text);
void json_whole(json *object, const char *key, int64_t number);
void json_number(json *object, const char *key, double number);
void json_truth(json *object, const char *key, bool truth);
void json_hash(json *object, const char *key, uint64_t hash);   /* 16 digits, as text */
void json_raw(json *object, const char *key, const char *text); /* a value that is JSON already */
json *json_object(json *object, const char *key);               /* a new one inside */
json *json_list(json *object, const char *key);                 /* [], which the next five fill */
json *json_list_object(json *list);
json *json_list_list(json *list);
void json_list_number(json *list, double number);
void json_list_text(json *list, const char *text);
void json_list_whole(json *list, int64_t number);

#endif
