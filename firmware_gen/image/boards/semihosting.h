/* Calls to the emulator: Arm semihosting, version 2.0. */
#ifndef TFSER_SEMIHOSTING_H
#define TFSER_SEMIHOSTING_H

#include <stdint.h>

#define SEMIHOSTING_OPEN 0x01
#define SEMIHOSTING_WRITE 0x05
#define SEMIHOSTING_READ 0x06
#define SEMIHOSTING_EXIT_EXTENDED 0x20
#define SEMIHOSTING_STOPPED_APPLICATION_EXIT 0x20026u

/* Files are opened in binary form. */
#define SEMIHOSTING_MODE_READ 1u
#define SEMIHOSTING_MODE_WRITE 5u

/* `argument` points to the words that the operation takes, 32 bits each. */
static inline int32_t semihosting(int32_t operation, const void *argument) {
    register int32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

__attribute__((noreturn)) static inline void leave(uint32_t code) {
    const uint32_t words[2] = {SEMIHOSTING_STOPPED_APPLICATION_EXIT, code};
    for (;;) {
        (void)semihosting(SEMIHOSTING_EXIT_EXTENDED, words);
    }
}

#endif /* TFSER_SEMIHOSTING_H */
