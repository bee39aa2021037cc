/* Listens to a recording: a decision every half second, the first after a whole window.
 *     classify [--gate DB] [--smoothing SHARE] CLIP.WAV
 * Exit code 0, or 2 where the arguments are wrong or the file is not one that the model can hear.
 * The same program on a computer and on a board; recording.h is all that it asks of them. */
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "recording.h"
#include "tfser.h"
#include "wav.h"

#define EXIT_DONE 0
#define EXIT_WRONG 2 /* arguments or file */

#define DECISION_SAMPLES (TFSER_SAMPLE_RATE_HZ / 2)
#define CHUNK_SAMPLES 256 /* what a microphone's driver might give at once; any number does */

#define DIGITS_OF(number) #number
#define TEXT(number) DIGITS_OF(number)

static void say_number(recording_stream to, uint32_t value, uint32_t decimals) {
    char text[16], *at = text + sizeof text - 1;
    *at = '\0';
    for (uint32_t digits = 0; digits <= decimals || value != 0; digits++, value /= 10) {
        if (decimals != 0 && digits == decimals) {
            *--at = '.';
        }
        *--at = (char)('0' + value % 10);
    }
    recording_say(to, at);
}

static void say_seconds(recording_stream to, uint32_t samples) {
    say_number(to, (uint32_t)((uint64_t)samples * 1000 / TFSER_SAMPLE_RATE_HZ), 3);
    recording_say(to, " s");
}

static int complain(const char *name, const char *what) {
    recording_say(RECORDING_ERRORS, "classify: ");
    recording_say(RECORDING_ERRORS, name);
    recording_say(RECORDING_ERRORS, what);
    return EXIT_WRONG;
}

static int complain_of_format(const char *name, const wav_header *header) {
    const uint32_t numbers[] = {header->format, header->channels, header->rate_hz, header->bits};
    static const char *const units[] = {", channels ", ", Hz ", ", bits ", "\n"};
    (void)complain(name, ": format ");
    for (int i = 0; i < 4; i++) {
        say_number(RECORDING_ERRORS, numbers[i], 0);
        recording_say(RECORDING_ERRORS, units[i]);
    }
    return complain("", "expected format 1 (PCM), channels 1, Hz " TEXT(TFSER_SAMPLE_RATE_HZ) ", bits 16; convert it:\n"
                    "  ffmpeg -i CLIP -ac 1 -ar " TEXT(TFSER_SAMPLE_RATE_HZ) " -c:a pcm_s16le CONVERTED.wav\n");
}

/* Digits with at most one point among them. */
static bool read_number(const char *text, float *value) {
    bool digits = false, point = false;
    float number = 0.0f, unit = 1.0f;
    for (; *text != '\0'; text++) {
        if (*text == '.' && !point) {
            point = true;
            continue;
        }
        if (*text < '0' || *text > '9') {
            return false;
        }
        number = number * 10.0f + (float)(*text - '0');
        unit = point ? unit * 10.0f : unit;
        digits = true;
    }
    *value = number / unit;
    return digits;
}

static bool read_arguments(int count, char *const arguments[], tfser_options *options, const char **name) {
    int i = 1;
    for (; i + 2 < count; i += 2) {
        float *const value = strcmp(arguments[i], "--gate") == 0        ? &options->gate_db
                             : strcmp(arguments[i], "--smoothing") == 0 ? &options->smoothing
                                                                        : NULL;
        if (!value || !read_number(arguments[i + 1], value)) {
            return false;
        }
    }
    if (i + 1 != count || strncmp(arguments[i], "--", 2) == 0) {
        return false;
    }
    *name = arguments[i];
    return true;
}

static void decide(tfser_state *state, uint32_t heard) {
    float probability[TFSER_NUM_LABELS];
    const int status = tfser_classify(state, probability);
    say_seconds(RECORDING_RESULTS, heard);
    if (status == TFSER_OK) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < TFSER_NUM_LABELS; i++) {
            best = probability[i] > probability[best] ? i : best;
        }
        recording_say(RECORDING_RESULTS, "  ");
        recording_say(RECORDING_RESULTS, tfser_labels[best]);
        recording_say(RECORDING_RESULTS, "  ");
        say_number(RECORDING_RESULTS, (uint32_t)(probability[best] * 1000.0f + 0.5f), 3);
        recording_say(RECORDING_RESULTS, "\n");
    } else {
        recording_say(RECORDING_RESULTS, "  (quiet)\n");
    }
}

static int complain_of_end(const char *name, uint32_t heard, uint32_t samples) {
    (void)complain(name, " is cut: it ends after ");
    say_seconds(RECORDING_ERRORS, heard);
    recording_say(RECORDING_ERRORS, ", and its header promises ");
    say_seconds(RECORDING_ERRORS, samples);
    recording_say(RECORDING_ERRORS, "\n");
    return EXIT_WRONG;
}

static int listen(tfser_state *state, const char *name, uint32_t samples) {
    int16_t chunk[CHUNK_SAMPLES];
    uint32_t heard = 0, next = TFSER_WINDOW_SAMPLES;
    while (heard < samples) {
        const uint32_t end = next < samples ? next : samples;
        const uint32_t wanted = end - heard < CHUNK_SAMPLES ? end - heard : CHUNK_SAMPLES;
        const uint32_t taken = (uint32_t)wav_read_samples(chunk, wanted);
        (void)tfser_feed(state, chunk, taken);
        heard += taken;
        if (taken != wanted) {
            return complain_of_end(name, heard, samples);
        }
        if (heard == next) {
            decide(state, heard);
            next += DECISION_SAMPLES;
        }
    }
    return EXIT_DONE;
}

/* A recording that is shorter than a window is heard as one that ends in silence, as in training. */
static void add_silence(tfser_state *state, const char *name, uint32_t missing) {
    static const int16_t silence[1] = {0};
    (void)complain(name, " is short: silence is added up to ");
    say_seconds(RECORDING_ERRORS, TFSER_WINDOW_SAMPLES);
    recording_say(RECORDING_ERRORS, "\n");
    for (uint32_t i = 0; i < missing; i++) {
        (void)tfser_feed(state, silence, 1);
    }
    decide(state, TFSER_WINDOW_SAMPLES);
}

int classify(int count, char *const arguments[]) {
    static tfser_state state;
    alignas(TFSER_ARENA_ALIGNMENT) static uint8_t arena[TFSER_ARENA_BYTES];
    tfser_options options = {.gate_db = 0.0f, .smoothing = 0.0f};
    const char *name;
    if (!read_arguments(count, arguments, &options, &name) || tfser_init(&state, arena, sizeof arena) != TFSER_OK ||
        tfser_set_options(&state, &options) != TFSER_OK) {
        return complain("", "expected [--gate DB, 0 to 1000] [--smoothing SHARE, 0 to below 1] CLIP.WAV\n");
    }
    if (!recording_open(name)) {
        return complain(name, " cannot be opened\n");
    }
    wav_header header = {0, 0, 0, 0, 0};
    const wav_status status = wav_read_header(&header);
    if (status != WAV_OK) {
        return complain(name, status == WAV_NO_WAV ? " is not a WAV file\n"
                                                   : " is cut or damaged: no samples follow its format\n");
    }
    if (header.format != WAV_PCM || header.channels != 1 || header.rate_hz != TFSER_SAMPLE_RATE_HZ ||
        header.bits != 16) {
        return complain_of_format(name, &header);
    }
    const uint32_t samples = header.data_bytes / 2;
    if (samples == 0) {
        return complain(name, " holds no samples\n");
    }
    const int code = listen(&state, name, samples);
    if (code == EXIT_DONE && samples < TFSER_WINDOW_SAMPLES) {
        add_silence(&state, name, TFSER_WINDOW_SAMPLES - samples);
    }
    return code;
}
