/* platform.h on this machine: files in the current folder, no clock, no paint. */
#include "platform.h"

#include <stdio.h>
#include <stdlib.h>

static FILE *input, *output, *measured;

int main(void) { harness_run(); }

void platform_leave(uint32_t code) {
    const int kept = fclose(output) == 0 && fclose(measured) == 0;
    exit((int)(code == LEAVE_DONE && !kept ? LEAVE_NOT_WRITTEN : code));
}

void platform_open(void) {
    input = fopen(INPUT_FILE, "rb");
    output = fopen(OUTPUT_FILE, "wb");
    measured = fopen(MEASURED_FILE, "wb");
    if (!input || !output || !measured) {
        exit(LEAVE_NO_FILE);
    }
}

uint32_t platform_read(void *data, uint32_t bytes) { return bytes - (uint32_t)fread(data, 1, bytes, input); }

static void write_all(FILE *file, const void *data, uint32_t bytes) {
    if (fwrite(data, 1, bytes, file) != bytes) {
        exit(LEAVE_NOT_WRITTEN);
    }
}

void platform_write_output(const void *data, uint32_t bytes) { write_all(output, data, bytes); }

void platform_write_measured(const void *data, uint32_t bytes) { write_all(measured, data, bytes); }

void platform_start_clock(void) {}

uint32_t platform_ticks(void) { return 0; }

void platform_paint(uint32_t *stack) { (void)stack; }

uint32_t platform_stack_used(const uint32_t *stack) {
    (void)stack;
    return 0;
}
