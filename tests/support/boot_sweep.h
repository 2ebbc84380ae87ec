/*
 * Losses of power at every operation of a flow of the bootloader's C. At each operation the flash is put
 * aside, the cut applied, and what then happens is judged; then the flow goes on as if nothing had been. The
 * code under test keeps nothing in static variables, so it can be called from within itself.
 */
#ifndef TINYC_BOOT_SWEEP_H
#define TINYC_BOOT_SWEEP_H

#include <stdint.h>

#include "flash_sim.h"

#define NONE 15u /* runs: no image */

enum phase { RESTING, ASKING, ASKED, RUNNING, CONFIRMING };

/* What an observer outside knows. */
struct world {
    enum phase phase;
    uint32_t stable; /* index of the image that is to run in the end */
    uint32_t trial;  /* and of the one that was asked for */
    uint32_t permanent;
    uint32_t refused; /* the request is for an image that is not acceptable */
    uint32_t installs_allowed;
    uint32_t counter; /* the highest that was seen */
    uint32_t ran;     /* images that ran since the phase began, 4 bits each */
    uint32_t boots;
    uint32_t excused; /* power was lost while a trial was marked as one: that counts as a run */
    /* Of the swap alone. */
    uint32_t reason;   /* of the last report */
    uint32_t model;    /* state of models that the journal has to keep */
    uint32_t uploaded; /* the mark of an upload lies in the secondary's trailer */
};

/* What a program has for its flows. */
struct subject {
    uint8_t *images; /* one after the other, each with room for `area` bytes */
    uint32_t *sizes;
    uint32_t count, area;
    void (*prefill)(uint32_t seed);
    uint32_t (*boot)(void); /* the index of the image that is started, or NONE; ends with sweep_ran() */
    void (*notice)(uint32_t address, uint32_t value); /* this operation was cut */
    uint32_t (*worth)(uint32_t address, uint32_t value); /* 0: no cut here; else how often more if unstable */
    uint32_t (*later)(uint32_t second); /* a second cut is in so many operations at most */
    void (*judge)(void);   /* more than that the right image ran */
    void (*live_on)(void); /* what the device still has to be able to do after a recovery */
};

struct flow {
    const char *name;
    void (*run)(void);
};

extern struct world world;

/* From the command line: every so many operations, so many second cuts. The rest is for messages and hooks. */
extern struct sweep {
    const char *flow;
    uint32_t every, seconds;
    uint32_t trials, more; /* more: second cuts, or what else a flow counts */
    uint32_t countdown, second_mode, mode;
} sweep;

/* Ends the program. */
void bad(const char *what);

/* Image `index`, or NONE, was started. */
uint32_t sweep_ran(uint32_t index);

/* The image of that boot, and of the last that was noted. */
uint32_t ran(uint32_t boot_number);
uint32_t ran_last(void);

/* All boots from that one on, if any, ran this image. */
uint32_t all_ran(uint32_t from, uint32_t index);

/* Hooks: a cut at every operation; one when the countdown ends. */
uint32_t sweep_hook(uint32_t address, uint32_t value);
uint32_t countdown_hook(uint32_t address, uint32_t value);

/* Some boots, or less where power is lost. */
void boots(uint32_t count);

/* Boots without a cut, until nothing is left to do, and the verdict. */
void settle(void);

/* Steps of flows. */
void begin(void);
void expect(uint32_t index);
void rest(uint32_t index);
void asking(uint32_t index, uint32_t permanent);

/* Writes `size` bytes as an upload does: pages are erased one by one, blank words stay. */
void upload_to(uint32_t address, const uint8_t *image, uint32_t size);

/* <flow> <every> <second cuts> <seed> <files of images> */
int sweep_main(int argc, char **argv, const struct subject *of, const struct flow *flows, uint32_t count);

#endif
