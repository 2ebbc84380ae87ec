#include "boot_sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash.h"

#define NOTED 8u
#define BOOTS 4u

struct world world;
struct sweep sweep;
static const struct subject *subject;

void bad(const char *what) {
    printf("FAILED %s: %s, operation %u, mode %u, phase %u, ran %x of %u boots, second cuts %u\n", sweep.flow, what,
           (unsigned)flash_sim.operations, (unsigned)sweep.mode, (unsigned)world.phase, (unsigned)world.ran,
           (unsigned)world.boots, (unsigned)sweep.more);
    exit(1);
}

uint32_t sweep_ran(uint32_t index) {
    if (world.boots < NOTED) {
        world.ran |= index << 4u * world.boots;
    }
    world.boots++;
    return index;
}

uint32_t ran(uint32_t boot_number) {
    return world.ran >> 4u * boot_number & 15u;
}

static uint32_t noted(void) {
    return world.boots < NOTED ? world.boots : NOTED;
}

uint32_t ran_last(void) {
    return ran(noted() - 1u);
}

uint32_t all_ran(uint32_t from, uint32_t index) {
    for (uint32_t i = from; i < noted(); i++) {
        if (ran(i) != index) {
            return 0u;
        }
    }
    return 1u;
}

/* The stable one for some boots, then the trial: for good, or once. */
static uint32_t happened_later(void) {
    uint32_t at = 0u;
    while (at < noted() && ran(at) == world.stable) {
        at++;
    }
    return all_ran(at, world.trial) || (!world.permanent && all_ran(at + 1u, world.stable));
}

static uint32_t came_back(void) {
    return (ran(0u) == world.trial && all_ran(1u, world.stable)) || (world.excused && all_ran(0u, world.stable));
}

static uint32_t right_one_ran(void) {
    if (world.phase == CONFIRMING) {
        return all_ran(0u, world.stable) || all_ran(0u, world.trial);
    }
    if (world.phase == RESTING || world.phase == RUNNING || world.refused) {
        return all_ran(0u, world.stable);
    }
    /* A request that was cut need not be one, or not at once. */
    if (world.phase == ASKING) {
        return happened_later();
    }
    return world.permanent ? all_ran(0u, world.trial) : came_back();
}

static void judge(void) {
    if (!right_one_ran()) {
        bad("the wrong image ran");
    }
    subject->judge();
}

uint32_t countdown_hook(uint32_t address, uint32_t value) {
    if (sweep.countdown == 0u || --sweep.countdown != 0u) {
        return CUT_MODES;
    }
    sweep.more++;
    subject->notice(address, value);
    if (sweep.second_mode == CUT_FLICKER) {
        sweep.mode = CUT_FLICKER;
    }
    return sweep.second_mode;
}

void boots(uint32_t count) {
    static uint32_t left;
    left = count;
    if (setjmp(flash_sim_power_lost) == 0) {
        while (left-- != 0u) {
            (void)subject->boot();
        }
    }
}

/* The recovery from a cut, with another cut after `after` operations where that is not 0. */
static void recover(uint32_t after) {
    if (after != 0u) {
        sweep.countdown = after;
        sweep.second_mode = flash_sim_random() % CUT_MODES;
        flash_sim_hook = countdown_hook;
        boots(2u);
    }
    flash_sim_hook = 0;
    for (uint32_t i = 2u + flash_sim_random() % 3u; i != 0u; i--) {
        (void)subject->boot();
    }
    judge();
    subject->live_on();
    sweep.trials++;
}

/* The flash as it was; the random numbers go on. */
static void put_back(const struct flash_sim *before) {
    const uint64_t random = flash_sim.random;
    flash_sim = *before;
    flash_sim.random = random;
}

uint32_t sweep_hook(uint32_t address, uint32_t value) {
    static struct flash_sim before;
    const uint32_t worth = subject->worth(address, value);
    if (worth == 0u) {
        return CUT_MODES;
    }
    const struct world known = world;
    before = flash_sim;
    for (uint32_t mode = 0u; mode < CUT_MODES; mode++) {
        /* The words that decide are hard to read in many ways. */
        const uint32_t times = (mode >= CUT_UNSTABLE ? worth : 1u) * (sweep.seconds + 1u);
        for (uint32_t second = 0u; second < times; second++) {
            put_back(&before);
            sweep.mode = mode;
            subject->notice(address, value);
            flash_sim_cut(address, value, value == FLASH_BLANK, mode);
            recover(second % 3u == 0u ? 0u : 1u + flash_sim_random() % subject->later(second));
            world = known;
        }
    }
    put_back(&before);
    flash_sim_hook = sweep_hook;
    sweep.mode = 0u;
    return CUT_MODES;
}

void settle(void) {
    for (uint32_t i = 0u; i < BOOTS; i++) {
        (void)subject->boot();
    }
    judge();
}

void begin(void) {
    world.ran = 0u;
    world.boots = 0u;
    world.excused = 0u;
}

void expect(uint32_t index) {
    begin();
    if (subject->boot() != index) {
        bad("another image runs");
    }
    begin();
}

void rest(uint32_t index) {
    world.phase = RESTING;
    world.stable = index;
    world.refused = 0u;
    world.uploaded = 0u;
    begin();
}

void asking(uint32_t index, uint32_t permanent) {
    begin();
    world.phase = ASKING;
    world.trial = index;
    world.permanent = permanent;
}

void upload_to(uint32_t address, const uint8_t *image, uint32_t size) {
    for (uint32_t at = 0u; at < size; at += 4u) {
        uint32_t word;
        if (at % SLOT_PAGE_BYTES == 0u) {
            flash_erase(address + at);
        }
        memcpy(&word, image + at, 4u);
        if (word != FLASH_BLANK) {
            flash_write(address + at, &word, 1u);
        }
    }
}

static int load(const char *path, uint32_t index) {
    FILE *const file = fopen(path, "rb");
    if (file == 0) {
        return 0;
    }
    subject->sizes[index] = (uint32_t)fread(subject->images + index * subject->area, 1u, subject->area, file);
    (void)fclose(file);
    return 1;
}

int sweep_main(int argc, char **argv, const struct subject *of, const struct flow *flows, uint32_t count) {
    subject = of;
    if (argc != 5 + (int)of->count) {
        return 2;
    }
    sweep.flow = argv[1];
    sweep.every = (uint32_t)atoi(argv[2]);
    sweep.seconds = (uint32_t)atoi(argv[3]);
    memset(of->images, 0xFF, of->count * of->area);
    for (uint32_t i = 0u; i < of->count; i++) {
        if (!load(argv[5u + i], i)) {
            return 2;
        }
    }
    while (count != 0u && strcmp(flows->name, sweep.flow) != 0) {
        flows++;
        count--;
    }
    if (count == 0u) {
        return 2;
    }
    of->prefill((uint32_t)atoi(argv[4]));
    flash_sim_hook = sweep_hook;
    flows->run();
    settle();
    const uint32_t operations = flash_sim.operations;
    (void)of->boot();
    if (flash_sim.operations != operations) {
        bad("a boot without need writes");
    }
    printf("%u operations, %u trials, %u more\n", (unsigned)flash_sim.operations, (unsigned)sweep.trials,
           (unsigned)sweep.more);
    return 0;
}
