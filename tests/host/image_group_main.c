/*
 * The SMP server with the Image group on a simulated flash. The serial port is standard input and output. A
 * child is one start of the chip: it ends at a reset and where the power is cut, and the next one begins. The
 * flash lies in a file that the test looks into; what is done to it against the rules ends the program.
 */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flash.h"
#include "hal.h"
#include "model_use.h"
#include "request.h"
#include "slots.h"
#include "smp.h"
#include "smp_frame.h"

#define WORDS (FLASH_BYTES / 4u)
#define REQUIRE(condition) ((condition) ? (void)0 : (void)(fprintf(stderr, "line %d\n", __LINE__), _exit(7)))

enum mode { BEFORE = 0, AFTER = 1, TORN = 2, FIRST_HALF = 3, SECOND_HALF = 4 };
enum ending { ENDED = 0, RESET = 3, CUT = 4 };

static struct shared {
    uint32_t cut, mode, seed; /* at this operation the power goes */
    uint32_t unstable;        /* torn cells read differently after each start */
    uint32_t count;           /* operations so far */
    uint32_t boots;
    uint32_t broken; /* a word that is to read as if its writing had failed */
    uint32_t models; /* slot in use, 4 on trial, 8 the firmware refuses the models in the slots */
    uint32_t report[16];
    uint32_t flash[WORDS];
    uint32_t torn[WORDS];
    uint8_t writes[WORDS];
} *shared;

uint32_t *simulated_report(void) {
    return shared->report;
}

static uint32_t chance_state;

static uint32_t chance(void) {
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 17;
    chance_state ^= chance_state << 5;
    return chance_state;
}

/* Changes some of the bits that differ between what is there and what is wanted. */
static void tear(uint32_t word, uint32_t wanted) {
    const uint32_t changing = shared->flash[word] ^ wanted;
    const uint32_t uncertain = shared->unstable ? changing & chance() & chance() : 0u;
    shared->flash[word] ^= changing & (shared->seed % 3u == 1u ? ~0u : shared->seed % 3u == 2u ? 0u : chance());
    shared->torn[word] |= uncertain;
}

/* Whether the power goes at this operation, which then is done in part. */
static uint32_t is_cut(void) {
    return shared->count++ == shared->cut;
}

void flash_write(uint32_t address, const uint32_t *words, uint32_t count) {
    for (uint32_t i = 0u; i < count; i++) {
        const uint32_t word = address / 4u + i;
        REQUIRE(address % 4u == 0u && word < WORDS);
        const uint32_t cut = is_cut();
        if (cut && shared->mode == TORN) {
            chance_state = shared->seed * 2654435761u + shared->count;
            tear(word, shared->flash[word] & words[i]);
            /* What left no trace may be written again: a word takes two writes. */
            shared->writes[word] |= shared->flash[word] != 0xFFFFFFFFu;
        } else if (!cut || shared->mode == AFTER) {
            REQUIRE(shared->writes[word]++ == 0u);
            shared->flash[word] &= shared->broken == 4u * word ? 0u : words[i];
        }
        if (cut) {
            _exit(CUT);
        }
    }
}

void flash_erase(uint32_t address) {
    REQUIRE(address % SLOT_PAGE_BYTES == 0u && address < FLASH_BYTES && address >= SLOT_SECONDARY);
    const uint32_t first = address / 4u, count = SLOT_PAGE_BYTES / 4u;
    const uint32_t cut = is_cut();
    chance_state = shared->seed * 2654435761u + shared->count;
    for (uint32_t i = 0u; i < count; i++) {
        const uint32_t half = shared->mode == FIRST_HALF ? i < count / 2u : i >= count / 2u;
        if (!cut || shared->mode == AFTER || (shared->mode > TORN && half)) {
            shared->flash[first + i] = 0xFFFFFFFFu;
            shared->writes[first + i] = 0u;
            shared->torn[first + i] = 0u;
        } else if (shared->mode == TORN) {
            tear(first + i, 0xFFFFFFFFu);
            shared->writes[first + i] &= shared->flash[first + i] != 0xFFFFFFFFu;
        }
    }
    if (cut) {
        _exit(CUT);
    }
}

uint32_t flash_word(uint32_t address) {
    REQUIRE(address % 4u == 0u && address < FLASH_BYTES);
    return shared->flash[address / 4u];
}

const uint8_t *flash_at(uint32_t address) {
    return (const uint8_t *)shared->flash + address;
}

void hal_uart_write(const uint8_t *data, uint32_t size) {
    REQUIRE(write(1, data, size) == (ssize_t)size);
}

void hal_reset(void) {
    _exit(RESET);
}

uint32_t smp_own_group(struct smp_request *request) {
    (void)request;
    return SMP_UNSUPPORTED;
}

uint32_t smp_put_own_group(const struct smp_request *request) {
    (void)request;
    return 0u;
}

uint32_t smp_may_upload(void) {
    return TINYC_BOOTLOADER || request_confirmed();
}

#if SLOT_MODEL_PAGES

uint32_t model_in_use(void) {
    return shared->models & 3u;
}

uint32_t model_on_trial(void) {
    return (shared->models & 4u) != 0u && !request_model_confirmed(model_in_use());
}

uint32_t model_would_run(uint32_t slot) {
    (void)slot;
    return (shared->models & 8u) == 0u;
}

#endif

static void tell(const char *text) {
    hal_uart_write((const uint8_t *)text, (uint32_t)strlen(text));
}

static void serve(void) {
    uint8_t byte;
    while (read(0, &byte, 1u) == 1) {
        const uint32_t size = smp_frame_feed(byte);
        if (size != 0u) {
            smp_serve(size);
            tell("!done\n");
        }
    }
    _exit(ENDED);
}

int main(int count, char **arguments) {
    int status = 0;
    REQUIRE(count == 2);
    const int file = open(arguments[1], O_RDWR);
    shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    REQUIRE(shared != MAP_FAILED);
    for (;;) {
        chance_state = ++shared->boots * 40503u;
        for (uint32_t i = 0u; i < WORDS; i++) {
            if (shared->torn[i] != 0u) {
                shared->flash[i] ^= shared->torn[i] & chance();
            }
        }
        const pid_t child = fork();
        if (child == 0) {
            serve();
        }
        REQUIRE(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
        if (WEXITSTATUS(status) == RESET) {
            tell("!reset\n");
        } else if (WEXITSTATUS(status) == CUT) {
            tell("!cut\n");
        } else {
            return WEXITSTATUS(status);
        }
    }
}
