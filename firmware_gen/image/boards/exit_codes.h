/* Exit codes of the programs here: firmware_gen.image.harness reads them. */
#ifndef TFSER_EXIT_CODES_H
#define TFSER_EXIT_CODES_H

#define LEAVE_DONE 0u
#define LEAVE_NO_FILE 90u
#define LEAVE_CUT_INPUT 91u
#define LEAVE_NOT_WRITTEN 92u
#define LEAVE_WRONG_INPUT 93u
#define LEAVE_FAULT 99u

#endif /* TFSER_EXIT_CODES_H */
