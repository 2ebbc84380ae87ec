/*
 * The two slots of models on simulated flash, with a loss of power at every operation: see
 * support/boot_sweep.h.
 *
 * boot_model <flow> <every> <second cuts> <seed> <image 1 for slot 0> <image 1 for slot 1> ... <bad for slot 1>
 */
#include <string.h>

#include "boot_report.h"
#include "boot_sweep.h"
#include "flash.h"
#include "image.h"
#include "journal.h"
#include "model_slot.h"
#include "request.h"
#include "trailer.h"

#define AREA ((SLOT_MODEL_PAGES - 1u) * SLOT_PAGE_BYTES)
#define IMAGES 4u
#define BAD 3u

static uint8_t images[IMAGES][2][AREA];
static uint32_t sizes[IMAGES][2];

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
    flash_sim.flicker = sweep.mode == CUT_FLICKER;
    const uint32_t address = model_decide(&report);
    if ((report.event == BOOT_REFUSED && !world.refused) ||
        (report.event == BOOT_INSTALLED && !world.installs_allowed)) {
        bad("refused or taken without need");
    }
    uint32_t used = NONE;
    if (address != 0u) {
        const uint32_t slot = address == SLOT_MODEL_1;
        if (address != MODEL_SLOT(slot)) {
            bad("another address");
        }
        for (uint32_t i = 0u; i < BAD; i++) {
            used = memcmp(flash_sim.bytes + address, images[i][slot], sizes[i][slot]) == 0 ? i : used;
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
    return sweep_ran(used);
}

static uint32_t worth(uint32_t address, uint32_t value) {
    static uint32_t number;
    (void)value;
    if (++number % sweep.every != 0u) {
        return 0u;
    }
    return address < SLOT_MODEL_0 ? 8u : 1u;
}

static uint32_t later(uint32_t second) {
    (void)second;
    return 16u;
}

/* A model is used where it lies: that the right one was used is all there is to see. */
static void nothing_more(void) {
}

static void upload(uint32_t slot, uint32_t index) {
    flash_erase(MODEL_TRAILER(slot));
    upload_to(MODEL_SLOT(slot), images[index][slot], sizes[index][slot]);
}

static void ask(uint32_t slot, uint32_t index, uint32_t permanent) {
    upload(slot, index);
    asking(index, permanent);
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
    memcpy(flash_sim.bytes + SLOT_MODEL_0, images[0][0], sizes[0][0]);
    flash_sim_hook = 0;
    world.installs_allowed = 1u;
    expect(0u);
    world.installs_allowed = 0u;
}

static void flow_first(void) {
    memset(flash_sim.bytes + SLOT_JOURNAL, 0xFF, 2u * SLOT_PAGE_BYTES);
    memset(flash_sim.bytes + SLOT_MODEL_0, 0xFF, AREA);
    memset(flash_sim.writes, 0, sizeof flash_sim.writes);
    memcpy(flash_sim.bytes + SLOT_MODEL_1, images[1][1], sizes[1][1]);
    world.installs_allowed = 1u;
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
    world.installs_allowed = 1u;
    rest(1u);
    expect(1u);
    expect(1u);
}

static const struct flow flows[] = {
    {"first", flow_first},         {"revert", flow_revert},   {"confirm", flow_confirm},
    {"permanent", flow_permanent}, {"refused", flow_refused}, {"downgrade", flow_downgrade},
    {"damaged", flow_damaged},     {"again", flow_again},
};

static const struct subject models = {
    .images = images[0][0],
    .sizes = sizes[0],
    .count = 2u * IMAGES,
    .area = AREA,
    .prefill = prefill,
    .boot = boot,
    .notice = notice,
    .worth = worth,
    .later = later,
    .judge = nothing_more,
    .live_on = nothing_more,
};

int main(int argc, char **argv) {
    return sweep_main(argc, argv, &models, flows, sizeof flows / sizeof flows[0]);
}
