/* Names of C: of the network, which is refused where it is none, and of its layers, which are made one. */
#include "emit.h"

#include <stdio.h>
#include <string.h>

#define NAME_MOST 48

static const char *const keywords[] = {
    "auto",   "break",    "case",     "char",      "const",  "continue", "default", "do",      "double",
    "else",   "enum",     "extern",   "float",     "for",    "goto",     "if",      "inline",  "int",
    "long",   "register", "restrict", "return",    "short",  "signed",   "sizeof",  "static",  "struct",
    "switch", "typedef",  "union",    "unsigned",  "void",   "volatile", "while",   "asm",     "bool",
    "catch",  "class",    "delete",   "explicit",  "export", "false",    "friend",  "mutable", "namespace",
    "new",    "operator", "private",  "protected", "public", "template", "this",    "throw",   "true",
    "try",    "typename", "typeid",   "using",     "virtual"};
/* Files of these names would hide the compiler's own. */
static const char *const headers[] = {"assert",    "complex", "ctype",   "errno",  "fenv",   "inttypes", "iso646",
                                      "limits",    "locale",  "math",    "setjmp", "signal", "stdarg",   "stdalign",
                                      "stdatomic", "stdbool", "stddef",  "stdint", "stdio",  "stdlib",   "stdnoreturn",
                                      "string",    "tgmath",  "threads", "time",   "uchar",  "wchar",    "wctype"};

static bool is_among(const char *name, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(name, list[i]) == 0) return true;
  return false;
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_part(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

rung_status emit_check_name(const char *name) {
  size_t length = name ? strlen(name) : 0;
  bool good = length > 0 && length <= NAME_MOST && is_letter(name[0]);
  for (size_t i = 0; i < length && good; i++) good = is_part(name[i]);
  if (!good)
    return rung_fail(RUNG_ERROR_ARGUMENT,
                     "emit: name '%.80s', expected a C identifier that starts with a letter, of 1..%d characters",
                     name ? name : "", NAME_MOST);
  if (is_among(name, keywords, sizeof keywords / sizeof keywords[0]))
    return rung_fail(RUNG_ERROR_ARGUMENT, "emit: name '%s' is a keyword of C or C++", name);
  if (is_among(name, headers, sizeof headers / sizeof headers[0]))
    return rung_fail(RUNG_ERROR_ARGUMENT, "emit: name '%s' is that of a header of C", name);
  return RUNG_OK;
}

static bool is_taken(const emission *at, int index) {
  for (int i = 0; i < index; i++)
    if (strcmp(at->layer[i].id, at->layer[index].id) == 0) return true;
  return false;
}

void emit_make_id(emission *at, int index) {
  emit_layer *layer = &at->layer[index];
  const char *name = layer->instruction->name;
  size_t length = 0;
  if (!is_letter(name[0])) layer->id[length++] = 'l';
  for (; *name && length < EMIT_ID_SIZE - 16; name++) layer->id[length++] = is_part(*name) ? *name : '_';
  for (int n = index; is_taken(at, index); n += at->count)
    snprintf(layer->id + length, EMIT_ID_SIZE - length, "_%d", n);
}
