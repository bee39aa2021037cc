/* What the example needs of the place where it runs: one file to read, and where to print. */
#ifndef RECORDING_H
#define RECORDING_H

#include <stdbool.h>
#include <stddef.h>

typedef enum { RECORDING_RESULTS, RECORDING_ERRORS } recording_stream;

/* False where there is no such file, or it may not be read. */
bool recording_open(const char *name);

/* Bytes that were read: `count`, or fewer at the end of the file. */
size_t recording_read(void *bytes, size_t count);

void recording_say(recording_stream to, const char *text);

/* The program, in classify.c; main() or its like calls it. Returns the exit code. */
int classify(int count, char *const arguments[]);

#endif /* RECORDING_H */
