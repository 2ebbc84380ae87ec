/*
 * The part of string.h that the firmware uses, so that it builds without a C library.
 */
#ifndef TINYC_STRING_H
#define TINYC_STRING_H

#include <stddef.h>

void *memcpy(void *restrict target, const void *restrict source, size_t size);
void *memmove(void *target, const void *source, size_t size);
void *memset(void *target, int value, size_t size);
int memcmp(const void *left, const void *right, size_t size);

#endif
