/* The example on a board: the debugger, here the emulator, opens files, prints, and gives the command line. */
#include <stdint.h>
#include <string.h>

#include "recording.h"
#include "semihosting.h"

#define SEMIHOSTING_GET_COMMAND_LINE 0x15
#define CONSOLE ":tt"
#define MODE_RESULTS 4u /* of the console: standard output */
#define MODE_ERRORS 8u  /* of the console: standard error */

#define LINE_BYTES 1024
#define ARGUMENTS 8

/* start.c calls them. */
extern void tfser_main(void);
extern void tfser_tick(void);

static uint32_t file, console[2];

static int32_t open_file(const char *name, uint32_t mode) {
    const struct {
        const char *name;
        uint32_t mode, length;
    } words = {name, mode, (uint32_t)strlen(name)};
    return semihosting(SEMIHOSTING_OPEN, &words);
}

/* Bytes that were not moved. */
static size_t move(int32_t operation, uint32_t handle, const void *data, size_t length) {
    const struct {
        uint32_t handle;
        const void *data;
        size_t length;
    } words = {handle, data, length};
    return (size_t)semihosting(operation, &words);
}

bool recording_open(const char *name) {
    const int32_t handle = open_file(name, SEMIHOSTING_MODE_READ);
    file = (uint32_t)handle;
    return handle >= 0;
}

size_t recording_read(void *bytes, size_t count) {
    size_t done = 0;
    while (done < count) {
        const size_t left = move(SEMIHOSTING_READ, file, (uint8_t *)bytes + done, count - done);
        if (left >= count - done) {
            break;
        }
        done = count - left;
    }
    return done;
}

void recording_say(recording_stream to, const char *text) {
    (void)move(SEMIHOSTING_WRITE, console[to], text, strlen(text));
}

/* Cuts a line into words. Every option has a value; what follows them is one word, a name with spaces in it too. */
static int split(char *line, char *arguments[ARGUMENTS]) {
    int count = 0;
    for (bool option = false, last = false; count < ARGUMENTS && !last; count++) {
        while (*line == ' ') {
            *line++ = '\0';
        }
        if (*line == '\0') {
            break;
        }
        arguments[count] = line;
        last = count > 0 && !option && strncmp(line, "--", 2) != 0;
        option = count > 0 && !option;
        while (!last && *line != '\0' && *line != ' ') {
            line++;
        }
    }
    return count;
}

void tfser_main(void) {
    static char line[LINE_BYTES];
    const struct {
        char *line;
        uint32_t bytes;
    } words = {line, sizeof line};
    char *arguments[ARGUMENTS];
    console[RECORDING_RESULTS] = (uint32_t)open_file(CONSOLE, MODE_RESULTS);
    console[RECORDING_ERRORS] = (uint32_t)open_file(CONSOLE, MODE_ERRORS);
    if (semihosting(SEMIHOSTING_GET_COMMAND_LINE, &words) != 0) {
        line[0] = '\0'; /* there is none, or a longer one: the program says how it is used */
    }
    leave((uint32_t)classify(split(line, arguments), arguments));
}

void tfser_tick(void) {}
