/*
 * Records of heads on simulated flash: cuts at every operation, worn pages, wrong bits, wear.
 *
 * learn_store <flow> <seed> <count>
 *
 * A state is filled with numbers that follow from its name, so that what a start finds can be told: 0 is the
 * factory's, OTHER is none that was ever saved. learn_store.c keeps nothing in static variables with LEARN_PERSISTS, so
 * that it can be called from within its own operations. TEST_UNITS: what the ring is made of.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash.h"
#include "flash_sim.h"
#include "learn_store.h"

#define OTHER 0xFFFFFFFFu
#define KNOWN 4096u
#define PAGES LEARN_FLASH_PAGES

static struct learn_head state_of(uint32_t name) {
    struct learn_head state;
    uint8_t *const bytes = (void *)&state;
    uint32_t x = name * 2654435761u + 1u;
    if (name == 0u) {
        return learn_factory;
    }
    for (uint32_t i = 0u; i < sizeof state; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
    }
    memcpy(bytes, &name, sizeof name);
    return state;
}

static struct learn_names names_of(uint32_t name) {
    struct learn_names names;
    memset(&names, (int)(name % 251u), sizeof names);
    return names;
}

/* Which one lies there. */
static uint32_t name_of(const struct learn_head *head) {
    uint32_t name;
    if (memcmp(head, &learn_factory, sizeof learn_factory) == 0) {
        return 0u;
    }
    memcpy(&name, head, sizeof name);
    const struct learn_head state = state_of(name);
    return memcmp(head, &state, sizeof state) == 0 ? name : OTHER;
}

static struct {
    const char *flow;
    uint32_t trials, seconds, mode, again;
} sweep;

/* What may be active, and last-good. */
static struct {
    uint32_t old, fresh, old_good, fresh_good, second;
} world;

static void bad(const char *what, uint32_t found) {
    printf("FAILED %s: %s, operation %u, mode %u, second cut %u, found %x, old %x, new %x\n", sweep.flow, what,
           (unsigned)flash_sim.operations, (unsigned)sweep.mode, (unsigned)sweep.again, (unsigned)found,
           (unsigned)world.old, (unsigned)world.fresh);
    exit(1);
}

static uint32_t start(struct learn_store *store) {
    struct learn_names names;
    flash_sim_power_up();
    flash_sim.flicker = sweep.mode == CUT_FLICKER;
    learn_store_open(store, &names);
    const uint32_t found = name_of(learn_store_active(store)), good = name_of(learn_store_good(store));
    if (found == OTHER || good == OTHER) {
        bad("a head that was never saved", found);
    }
    const struct learn_names wanted = names_of(found);
    if (found != 0u && memcmp(&names, &wanted, sizeof names) != 0) {
        bad("other names", found);
    }
    if (found != world.old && found != world.fresh && (world.second == 0u || found != world.second)) {
        bad("neither the old nor the new head", found);
    }
    if (good != world.old_good && good != world.fresh_good && good != world.old && good != world.fresh) {
        bad("another last-good head", good);
    }
    return found;
}

static uint32_t save(struct learn_store *store, uint32_t name, uint32_t reason) {
    const struct learn_facts facts = {reason, name, 1u, 2u, 3u, 4u};
    const struct learn_head state = state_of(name);
    const struct learn_names names = names_of(name);
    const struct learn_head *const head = reason == LEARN_REVERT ? learn_store_good(store) : &state;
    return learn_store_save(store, head, &names, &facts);
}

static uint32_t countdown;

static uint32_t second_hook(uint32_t address, uint32_t value) {
    (void)address;
    (void)value;
    if (countdown == 0u || --countdown != 0u) {
        return CUT_MODES;
    }
    sweep.seconds++;
    sweep.again = 1u + flash_sim_random() % (CUT_MODES - 1u);
    sweep.mode = sweep.again == CUT_FLICKER ? CUT_FLICKER : sweep.mode;
    return sweep.again;
}

/* A start and a save that lose power after so many operations. */
static void cut_again(uint32_t operations) {
    static struct learn_store store;
    world.second = 3000u + flash_sim_random() % 1000u;
    countdown = operations;
    flash_sim_hook = second_hook;
    if (setjmp(flash_sim_power_lost) == 0) {
        (void)start(&store);
        (void)save(&store, world.second, LEARN_PROMOTION);
    }
    flash_sim_hook = 0;
}

static void recover(uint32_t after) {
    struct learn_store store;
    uint32_t found, before = 0u, seen = 0u;
    sweep.again = 0u;
    if (after != 0u) {
        cut_again(after);
    }
    for (uint32_t i = 0u; i < 3u; i++) {
        found = start(&store);
        /* What was new once is not old again. */
        if (after == 0u && seen && before == world.fresh && found != world.fresh) {
            bad("a new head that goes away", found);
        }
        before = found;
        seen = 1u;
    }
    /* Life goes on. */
    for (uint32_t name = 2000u; name < 2003u; name++) {
        if (!save(&store, name, LEARN_PROMOTION) || name_of(learn_store_active(&store)) != name) {
            bad("nothing can be saved afterwards", name);
        }
        world.old = world.fresh = name;
        world.old_good = name == 2000u ? found : name - 1u;
        world.fresh_good = 0u;
        if (name != 2001u && start(&store) != name) {
            bad("what was saved afterwards is lost", name);
        }
    }
    world.second = 0u;
    sweep.trials++;
}

static uint32_t sweep_hook(uint32_t address, uint32_t value) {
    static struct flash_sim aside;
    const uint64_t known_random = flash_sim.random;
    aside = flash_sim;
    aside.random = known_random;
    for (uint32_t mode = 0u; mode < CUT_MODES; mode++) {
        for (uint32_t time = 0u; time < (mode >= CUT_BITS ? 4u : 2u); time++) {
            const uint64_t random = flash_sim.random;
            const uint32_t old = world.old, fresh = world.fresh, old_good = world.old_good, good = world.fresh_good;
            flash_sim = aside;
            flash_sim.random = random;
            sweep.mode = mode;
            flash_sim_hook = 0;
            flash_sim_cut(address, value, value == FLASH_BLANK, mode);
            recover(time % 2u == 0u ? 0u : 1u + flash_sim_random() % 150u);
            world.old = old;
            world.fresh = fresh;
            world.old_good = old_good;
            world.fresh_good = good;
        }
    }
    const uint64_t random = flash_sim.random;
    flash_sim = aside;
    flash_sim.random = random;
    sweep.mode = 0u;
    flash_sim_hook = sweep_hook;
    return CUT_MODES;
}

static uint32_t reason_of(uint32_t step, uint32_t active) {
    return step % 7u == 6u && active != 0u ? LEARN_FACTORY : step % 5u == 4u && active != 0u ? LEARN_REVERT
                                                                                             : LEARN_PROMOTION;
}

/* Saves of all kinds, with and without starts between them; each operation of each is cut. */
static void flow_cuts(uint32_t count) {
    struct learn_store store;
    (void)start(&store);
    for (uint32_t step = 0u; step < count; step++) {
        const uint32_t active = name_of(learn_store_active(&store)), good = name_of(learn_store_good(&store));
        uint32_t reason = reason_of(step, active);
        reason = reason == LEARN_REVERT && good == 0u ? LEARN_FACTORY : reason;
        const uint32_t name = reason == LEARN_REVERT ? good : reason == LEARN_FACTORY ? 0u : 1u + step;
        world.old = active;
        world.old_good = good;
        world.fresh = name;
        world.fresh_good = reason == LEARN_PROMOTION && TEST_UNITS >= 3 ? active : 0u;
        flash_sim_hook = sweep_hook;
        if (!save(&store, name, reason)) {
            bad("not saved", name);
        }
        flash_sim_hook = 0;
        world.old = name;
        world.old_good = world.fresh_good;
        if (name_of(learn_store_active(&store)) != name || name_of(learn_store_good(&store)) != world.fresh_good) {
            bad("another head is active", name);
        }
        if (step % 3u == 0u) {
            const uint32_t operations = flash_sim.operations;
            if (start(&store) != name || flash_sim.operations != operations) {
                bad("a start changes something", name);
            }
        }
    }
    printf("%u operations, %u trials, %u second cuts\n", (unsigned)flash_sim.operations, (unsigned)sweep.trials,
           (unsigned)sweep.seconds);
}

/* Every bit of the region is wrong once: the heads that are found are ones that were saved. */
static void flow_bits(uint32_t count) {
    struct learn_store store;
    uint32_t lost = 0u;
    (void)start(&store);
    for (uint32_t name = 1u; name <= count; name++) {
        (void)save(&store, name, LEARN_PROMOTION);
    }
    static struct flash_sim aside;
    aside = flash_sim;
    world.old = count;
    for (uint32_t bit = 8u * LEARN_FLASH_ORIGIN; bit < 8u * FLASH_SIM_BYTES; bit++) {
        struct learn_names names;
        flash_sim.bytes[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
        learn_store_open(&store, &names);
        const uint32_t found = name_of(learn_store_active(&store)), good = name_of(learn_store_good(&store));
        if ((found != count && found != count - 1u) || (good != count - 1u && good != count - 2u && good != 0u)) {
            bad("a wrong bit", found);
        }
        lost += found != count;
        memcpy(flash_sim.bytes, aside.bytes, sizeof aside.bytes);
        memcpy(flash_sim.writes, aside.writes, sizeof aside.writes);
        sweep.trials++;
    }
    printf("%u bits, %u of them cost a head\n", (unsigned)sweep.trials, (unsigned)lost);
}

static uint32_t erases[PAGES];

static uint32_t wear_hook(uint32_t address, uint32_t value) {
    if (value == FLASH_BLANK && address % LEARN_FLASH_PAGE == 0u) {
        erases[(address - LEARN_FLASH_ORIGIN) / LEARN_FLASH_PAGE]++;
    }
    return CUT_MODES;
}

static void flow_wear(uint32_t count) {
    struct learn_store store;
    (void)start(&store);
    flash_sim_hook = wear_hook;
    for (uint32_t step = 0u; step < count; step++) {
        struct learn_names names;
        const uint32_t good = name_of(learn_store_good(&store));
        const uint32_t is_revert = flash_sim_random() % 16u == 0u && good != 0u;
        const uint32_t name = is_revert ? good : 1u + step % KNOWN;
        if (!save(&store, name, is_revert ? LEARN_REVERT : LEARN_PROMOTION)) {
            bad("not saved", name);
        }
        if (flash_sim_random() % 64u == 0u) {
            learn_store_open(&store, &names);
        }
        if (name_of(learn_store_active(&store)) != name) {
            bad("another head is active", name);
        }
    }
    for (uint32_t page = 0u; page < PAGES; page++) {
        printf("%u%s", (unsigned)erases[page], page + 1u < PAGES ? " " : "\n");
    }
}

static uint32_t worn; /* a bit for each page */

/* A bit falls that should have stayed. */
static uint32_t worn_hook(uint32_t address, uint32_t value) {
    const uint32_t page = (address - LEARN_FLASH_ORIGIN) / LEARN_FLASH_PAGE;
    if (value != FLASH_BLANK && (worn >> page & 1u) != 0u && address % LEARN_FLASH_PAGE == 64u) {
        flash_sim.bytes[address] &= (uint8_t)(value == 0u ? 0u : ~(value & (0u - value)));
    }
    return CUT_MODES;
}

static void flow_worn(uint32_t count) {
    struct learn_store store;
    uint32_t active = 0u, refused = 0u;
    (void)start(&store);
    flash_sim_hook = worn_hook;
    for (uint32_t step = 0u; step < count; step++) {
        const uint32_t name = 1u + step % KNOWN;
        worn = step % 50u == 49u ? UINT32_MAX : flash_sim_random() & flash_sim_random();
        if (save(&store, name, LEARN_PROMOTION)) {
            active = name;
        } else {
            refused++;
        }
        if (step % 11u == 0u) {
            struct learn_names names;
            learn_store_open(&store, &names);
        }
        if (name_of(learn_store_active(&store)) != active) {
            bad("another head is active", active);
        }
    }
    printf("%u refused\n", (unsigned)refused);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(uint32_t count);
    } flows[] = {{"cuts", flow_cuts}, {"bits", flow_bits}, {"wear", flow_wear}, {"worn", flow_worn}};
    if (argc != 4) {
        return 2;
    }
    sweep.flow = argv[1];
    flash_sim_reset((uint64_t)atoi(argv[2]));
    for (uint32_t i = 0u; i < sizeof flows / sizeof flows[0]; i++) {
        if (strcmp(flows[i].name, argv[1]) == 0) {
            flows[i].run((uint32_t)atoi(argv[3]));
            return 0;
        }
    }
    return 2;
}
