/*
 * The two slots of models on simulated flash, with a loss of power at every operation: see boot_swap_main.c.
 *
 * boot_model <flow> <every> <second cuts> <seed> <image 1 for slot 0> <image 1 for slot 1> ... <bad for slot 1>
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_report.h"
#include "flash.h"
#include "flash_sim.h"
#include "image.h"
#include "journal.h"
#include "model_slot.h"
#include "request.h"
#include "trailer.h"

#define AREA ((SLOT_MODEL_PAGES - 1u) * SLOT_PAGE_BYTES)
#define IMAGES 4u
#define BAD 3u
#define NONE 9u

enum phase { RESTING, ASKING, ASKED, RUNNING, CONFIRMING };

static struct world {
    enum phase phase;
    uint32_t stable, trial; /* indices of images */
    uint32_t permanent, refused, adopts;
    uint32_t ran, boots;
    uint32_t excused;
    uint32_t counter;
} world;

static uint8_t images[IMAGES][2][AREA];
static uint32_t sizes[IMAGES];
static uint32_t every, seconds, trials, second_cuts, countdown, second_mode, now_mode;
static const char *flow_name;

static void bad(const char *what) {
    printf("FAILED %s: %s, operation %u, mode %u, phase %u, ran %x of %u boots\n", flow_name, what,
           (unsigned)flash_sim.operations, (unsigned)now_mode, (unsigned)world.phase, (unsigned)world.ran,
           (unsigned)world.boots);
    exit(1);
}

/* A trial that was marked as one, and was cut before it began. */
static void notice(uint32_t address, uint32_t value) {
    if (address >= SLOT_JOURNAL && address < SLOT_MODEL_0 && (value & 0xFFFEu) == 0xF120u) {
        world.excused = 1u;
    }
}

static uint32_t boot(void) {
    struct boot_report report = {0};
    struct journal journal;
    flash_sim_power_up();
    flash_sim.flicker = now_mode == CUT_FLICKER;
    const uint32_t address = model_decide(&report);
    if ((report.event == BOOT_REFUSED && !world.refused) || (report.event == BOOT_INSTALLED && !world.adopts)) {
        bad("refused or taken without need");
    }
    uint32_t used = NONE;
    if (address != 0u) {
        const uint32_t slot = address == SLOT_MODEL_1;
        if (address != MODEL_SLOT(slot)) {
            bad("another address");
        }
        for (uint32_t i = 0u; i < BAD; i++) {
            used = memcmp(flash_sim.bytes + address, images[i][slot], sizes[i]) == 0 ? i : used;
        }
        if (used == NONE) {
            bad("what is used is no model");
        }
    }
    flash_sim.flicker = 0u;
    journal_open(&journal);
    if (journal.model_counter < world.counter && world.phase != RUNNING) {
        bad("the counter of models fell");
    }
    world.counter = journal.model_counter;
    if (world.boots < 8u) {
        world.ran |= used << 4u * world.boots;
    }
    world.boots++;
    return used;
}

static uint32_t ran(uint32_t number) {
    return world.ran >> 4u * number & 15u;
}

static uint32_t all_ran(uint32_t from, uint32_t index) {
    for (uint32_t i = from; i < world.boots && i < 8u; i++) {
        if (ran(i) != index) {
            return 0u;
        }
    }
    return 1u;
}

static uint32_t happened_later(void) {
    uint32_t at = 0u;
    while (at < world.boots && at < 8u && ran(at) == world.stable) {
        at++;
    }
    return all_ran(at, world.trial) || (!world.permanent && all_ran(at + 1u, world.stable));
}

static void judge_end(void) {
    uint32_t good;
    switch (world.phase) {
    case RESTING:
    case RUNNING:
        good = all_ran(0u, world.stable);
        break;
    case ASKING:
        good = world.refused ? all_ran(0u, world.stable) : happened_later();
        break;
    case ASKED:
        good = world.refused     ? all_ran(0u, world.stable)
               : world.permanent ? all_ran(0u, world.trial)
                                 : (ran(0u) == world.trial && all_ran(1u, world.stable)) ||
                                       (world.excused && all_ran(0u, world.stable));
        break;
    default:
        good = all_ran(0u, world.stable) || all_ran(0u, world.trial);
        break;
    }
    if (!good) {
        bad("the wrong model was used");
    }
}

static uint32_t second_hook(uint32_t address, uint32_t value) {
    if (countdown == 0u || --countdown != 0u) {
        return CUT_MODES;
    }
    second_cuts++;
    notice(address, value);
    now_mode = second_mode == CUT_FLICKER ? CUT_FLICKER : now_mode;
    return second_mode;
}

static void boots(void) {
    if (setjmp(flash_sim_power_lost) == 0) {
        (void)boot();
        (void)boot();
    }
}

static uint32_t sweep_hook(uint32_t address, uint32_t value) {
    static struct flash_sim before;
    static uint32_t number;
    if (++number % every != 0u) {
        return CUT_MODES;
    }
    const struct world known = world;
    before = flash_sim;
    for (uint32_t mode = 0u; mode < CUT_MODES; mode++) {
        const uint32_t more = address < SLOT_MODEL_0 && mode >= CUT_UNSTABLE ? 8u : 1u;
        for (uint32_t second = 0u; second < more * (seconds + 1u); second++) {
            const uint64_t random = flash_sim.random;
            flash_sim = before;
            flash_sim.random = random;
            now_mode = mode;
            notice(address, value);
            flash_sim_cut(address, value, value == FLASH_BLANK, mode);
            if (second % 3u != 0u) {
                countdown = 1u + flash_sim_random() % 16u;
                second_mode = flash_sim_random() % CUT_MODES;
                flash_sim_hook = second_hook;
                boots();
            }
            flash_sim_hook = 0;
            for (uint32_t i = 2u + flash_sim_random() % 3u; i != 0u; i--) {
                (void)boot();
            }
            judge_end();
            trials++;
            world = known;
        }
    }
    const uint64_t random = flash_sim.random;
    flash_sim = before;
    flash_sim.random = random;
    flash_sim_hook = sweep_hook;
    now_mode = 0u;
    return CUT_MODES;
}

static void begin(void) {
    world.ran = 0u;
    world.boots = 0u;
    world.excused = 0u;
}

static void rest(uint32_t index) {
    world.phase = RESTING;
    world.stable = index;
    world.refused = 0u;
    begin();
}

static void expect(uint32_t index) {
    begin();
    if (boot() != index) {
        bad("another model is used");
    }
    begin();
}

static void upload(uint32_t slot, uint32_t index) {
    flash_erase(MODEL_TRAILER(slot));
    for (uint32_t at = 0u; at < sizes[index]; at += 4u) {
        uint32_t word;
        if (at % SLOT_PAGE_BYTES == 0u) {
            flash_erase(MODEL_SLOT(slot) + at);
        }
        memcpy(&word, images[index][slot] + at, 4u);
        if (word != FLASH_BLANK) {
            flash_write(MODEL_SLOT(slot) + at, &word, 1u);
        }
    }
}

static void ask(uint32_t slot, uint32_t index, uint32_t permanent) {
    upload(slot, index);
    begin();
    world.phase = ASKING;
    world.trial = index;
    world.permanent = permanent;
    if (request_model_test(slot, permanent) != (permanent ? REQUEST_PERMANENT : REQUEST_TEST)) {
        bad("the request is not there");
    }
    world.phase = ASKED;
}

static void try_new(uint32_t slot, uint32_t index) {
    ask(slot, index, 0u);
    expect(index);
    world.phase = RUNNING;
}

static void confirm(uint32_t slot) {
    world.phase = CONFIRMING;
    if (request_model_confirmed(slot) || !request_model_confirm(slot)) {
        bad("not confirmed");
    }
    rest(world.trial);
}

static void prefill(uint32_t seed) {
    flash_sim_reset(seed);
    memset(&world, 0, sizeof world);
    memcpy(flash_sim.bytes + SLOT_MODEL_0, images[0][0], sizes[0]);
    flash_sim_hook = 0;
    world.adopts = 1u;
    expect(0u);
    world.adopts = 0u;
    flash_sim_hook = sweep_hook;
}

static void flow_first(void) {
    memset(flash_sim.bytes + SLOT_JOURNAL, 0xFF, 2u * SLOT_PAGE_BYTES);
    memset(flash_sim.bytes + SLOT_MODEL_0, 0xFF, AREA);
    memset(flash_sim.writes, 0, sizeof flash_sim.writes);
    memcpy(flash_sim.bytes + SLOT_MODEL_1, images[1][1], sizes[1]);
    world.adopts = 1u;
    world.counter = 0u;
    rest(1u);
    expect(1u);
    expect(1u);
}

static void flow_revert(void) {
    try_new(1u, 1u);
    expect(0u);
    rest(0u);
    try_new(1u, 2u);
    expect(0u);
    rest(0u);
    expect(0u);
}

static void flow_confirm(void) {
    try_new(1u, 1u);
    confirm(1u);
    expect(1u);
    expect(1u);
}

/* The other slot is free as soon as the trial is confirmed: no boot is between. */
static void flow_again(void) {
    try_new(1u, 1u);
    confirm(1u);
    try_new(0u, 2u);
    expect(1u);
    rest(1u);
    try_new(0u, 2u);
    confirm(0u);
    expect(2u);
}

static void flow_permanent(void) {
    flow_confirm();
    ask(0u, 2u, 1u);
    expect(2u);
    rest(2u);
    expect(2u);
}

static void flow_refused(void) {
    world.refused = 1u;
    ask(1u, BAD, 0u);
    expect(0u);
    rest(0u);
    expect(0u);
}

static void flow_downgrade(void) {
    flow_confirm();
    world.refused = 1u;
    ask(0u, 0u, 1u);
    expect(1u);
    rest(1u);
}

static void flow_damaged(void) {
    flow_confirm();
    try_new(0u, 2u);
    confirm(0u);
    expect(2u);
    flash_sim.bytes[SLOT_MODEL_0 + SLOT_HEADER_BYTES + 30u] ^= 1u;
    world.adopts = 1u;
    rest(1u);
    expect(1u);
    expect(1u);
}

static const struct {
    const char *name;
    void (*run)(void);
} flows[] = {
    {"first", flow_first},         {"revert", flow_revert},   {"confirm", flow_confirm},
    {"permanent", flow_permanent}, {"refused", flow_refused}, {"downgrade", flow_downgrade},
    {"damaged", flow_damaged},     {"again", flow_again},
};

int main(int argc, char **argv) {
    if (argc != 13) {
        return 2;
    }
    flow_name = argv[1];
    every = (uint32_t)atoi(argv[2]);
    seconds = (uint32_t)atoi(argv[3]);
    memset(images, 0xFF, sizeof images);
    for (uint32_t i = 0u; i < 2u * IMAGES; i++) {
        FILE *const file = fopen(argv[5u + i], "rb");
        if (file == 0) {
            return 2;
        }
        sizes[i / 2u] = (uint32_t)fread(images[i / 2u][i % 2u], 1u, AREA, file);
        (void)fclose(file);
    }
    for (uint32_t i = 0u; i < sizeof flows / sizeof flows[0]; i++) {
        if (strcmp(flows[i].name, flow_name) == 0) {
            prefill((uint32_t)atoi(argv[4]));
            flows[i].run();
            const uint32_t operations = flash_sim.operations;
            (void)boot();
            if (flash_sim.operations != operations) {
                bad("a boot without need writes");
            }
            printf("%u operations, %u trials, %u more\n", (unsigned)flash_sim.operations, (unsigned)trials,
                   (unsigned)second_cuts);
            return 0;
        }
    }
    return 2;
}
