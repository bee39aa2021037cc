/* The example on a computer: C's standard library. */
#include <stdio.h>

#include "recording.h"

static FILE *file;

bool recording_open(const char *name) {
    file = fopen(name, "rb");
    return file != NULL;
}

size_t recording_read(void *bytes, size_t count) { return fread(bytes, 1, count, file); }

void recording_say(recording_stream to, const char *text) {
    if (to == RECORDING_ERRORS) {
        (void)fflush(stdout); /* what was said before is read before */
    }
    (void)fputs(text, to == RECORDING_ERRORS ? stderr : stdout);
}

int main(int count, char *arguments[]) {
    const int code = classify(count, arguments);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        recording_say(RECORDING_ERRORS, "classify: the results cannot be written\n");
        return 2;
    }
    return code;
}
