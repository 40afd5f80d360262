#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#ifdef RUNG_HAVE_CJSON

#include <cjson/cJSON.h>

static bool out_of_memory; /* once so, the object lacks something and is not printed */

static json *kept(json *item, const json *into) {
  if (into && !item) out_of_memory = true;
  return item;
}

bool json_available(void) {
  return true;
}

json *json_new(void) {
  json *object = cJSON_CreateObject();
  out_of_memory = !object;
  return object;
}

void json_free(json *object) {
  cJSON_Delete(object);
}

char *json_print(const json *object) {
  return out_of_memory ? NULL : cJSON_Print(object);
}

char *json_print_compact(const json *object) {
  return out_of_memory ? NULL : cJSON_PrintUnformatted(object);
}

void json_text(json *object, const char *key, const char *text) {
  if (!object) return;
  kept(text ? cJSON_AddStringToObject(object, key, text) : cJSON_AddNullToObject(object, key), object);
}

void json_raw(json *object, const char *key, const char *text) {
  if (object) kept(cJSON_AddRawToObject(object, key, text), object);
}

/* Not cJSON's numbers, which are doubles. */
void json_whole(json *object, const char *key, int64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRId64, number);
  json_raw(object, key, digits);
}

void json_number(json *object, const char *key, double number) {
  if (!object) return;
  kept(isfinite(number) ? cJSON_AddNumberToObject(object, key, number) : cJSON_AddNullToObject(object, key), object);
}

void json_truth(json *object, const char *key, bool truth) {
  if (object) kept(cJSON_AddBoolToObject(object, key, truth), object);
}

json *json_object(json *object, const char *key) {
  return object ? kept(cJSON_AddObjectToObject(object, key), object) : NULL;
}

json *json_list(json *object, const char *key) {
  return object ? kept(cJSON_AddArrayToObject(object, key), object) : NULL;
}

static json *appended(json *list, json *item) {
  if (!kept(item, list) || cJSON_AddItemToArray(list, item)) return item;
  cJSON_Delete(item);
  return kept(NULL, list);
}

json *json_list_object(json *list) {
  return list ? appended(list, cJSON_CreateObject()) : NULL;
}

json *json_list_list(json *list) {
  return list ? appended(list, cJSON_CreateArray()) : NULL;
}

void json_list_number(json *list, double number) {
  if (list) appended(list, isfinite(number) ? cJSON_CreateNumber(number) : cJSON_CreateNull());
}

void json_list_text(json *list, const char *text) {
  if (list) appended(list, cJSON_CreateString(text));
}

void json_list_whole(json *list, int64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRId64, number);
  if (list) appended(list, cJSON_CreateRaw(digits));
}

#else

bool json_available(void) {
  return false;
}
json *json_new(void) {
  return NULL;
}
void json_free(json *object) {
  (void)object;
}
char *json_print(const json *object) {
  (void)object;
  return NULL;
}
char *json_print_compact(const json *object) {
  (void)object;
  return NULL;
}
void json_text(json *object, const char *key, const char *text) {
  (void)object, (void)key, (void)text;
}
void json_raw(json *object, const char *key, const char *text) {
  (void)object, (void)key, (void)text;
}
void json_whole(json *object, const char *key, int64_t number) {
  (void)object, (void)key, (void)number;
}
void json_number(json *object, const char *key, double number) {
  (void)object, (void)key, (void)number;
}
void json_truth(json *object, const char *key, bool truth) {
  (void)object, (void)key, (void)truth;
}
json *json_object(json *object, const char *key) {
  (void)key;
  return object;
}
json *json_list(json *object, const char *key) {
  (void)key;
  return object;
}
json *json_list_object(json *list) {
  return list;
}
json *json_list_list(json *list) {
  return list;
}
void json_list_number(json *list, double number) {
  (void)list, (void)number;
}
void json_list_text(json *list, const char *text) {
  (void)list, (void)text;
}
void json_list_whole(json *list, int64_t number) {
  (void)list, (void)number;
}

#endif

void json_hash(json *object, const char *key, uint64_t hash) {
  char digits[17];
  snprintf(digits, sizeof digits, "%016" PRIx64, hash);
  json_text(object, key, digits);
}
