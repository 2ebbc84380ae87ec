/*
 * Every flow of the bootloader's swap on simulated flash, with a loss of power at every operation: see
 * support/boot_sweep.h.
 *
 * boot_swap <flow> <every> <second cuts> <seed> <image 1> <image 2> <image 3> <bad image>
 */
#include <string.h>

#include "boot_report.h"
#include "boot_sweep.h"
#include "flash.h"
#include "image.h"
#include "journal.h"
#include "request.h"
#include "swap.h"
#include "trailer.h"

#define AREA (SLOT_IMAGE_PAGES * SLOT_PAGE_BYTES)
#define IMAGES 4u
#define BAD 3u /* index of the image that is refused */
#define LARGE 100u /* `every` from here on is for large slots */
#define UPLOAD_MARK 0x12345678u

static uint8_t images[IMAGES][AREA];
static uint32_t sizes[IMAGES];
static uint8_t old_area[AREA];

static void notice(uint32_t address, uint32_t value) {
    if (address >= SLOT_JOURNAL && (value & 0xFFFFu) == JOURNAL_STATE(JOURNAL_TESTED, 0u)) {
        world.excused = 1u;
    }
}

static uint32_t holds(uint32_t index) {
    return memcmp(flash_sim.bytes + SLOT_PRIMARY, images[index], sizes[index]) == 0;
}

static uint32_t boot(void) {
    struct boot_report report = {0};
    flash_sim_power_up();
    flash_sim.flicker = sweep.mode == CUT_FLICKER;
    const uint32_t start = boot_decide(&report);
    if (report.counter < world.counter) {
        bad("the security counter fell");
    }
    world.counter = report.counter;
    if (report.event == BOOT_INSTALLED && !world.installs_allowed) {
        bad("an image was installed");
    }
    world.reason = report.reason;
    if (report.event == BOOT_REFUSED && !world.refused) {
        bad("a good request was refused");
    }
    if (world.model != 0u) {
        struct journal journal;
        journal_open(&journal);
        if (journal.model != world.model) {
            bad("the state of the models is lost");
        }
    }
    uint32_t running = NONE;
    if (start != 0u) {
        if (start != SLOT_PRIMARY + SLOT_HEADER_BYTES) {
            bad("another start");
        }
        for (uint32_t i = 0u; i < IMAGES; i++) {
            running = sizes[i] != 0u && i != BAD && holds(i) ? i : running;
        }
        if (running == NONE) {
            bad("what runs is no image");
        }
    }
    return sweep_ran(running);
}

static void upload(uint32_t index);

/* A whole upgrade, to see that the device still can. */
static void live_on(void) {
    if ((sweep.trials % 16u != 0u && sweep.mode < CUT_UNSTABLE) || !boot_may_upload()) {
        return;
    }
    const uint32_t to = ran_last() == 2u ? 1u : 2u;
    struct boot_report report = {0};
    upload(to);
    /* An image that is too old by now is refused, which is right as well. */
    const uint32_t counter = world.counter;
    if (request_test(1u) != REQUEST_PERMANENT) {
        bad("nothing can be asked for");
    }
    flash_sim_power_up();
    (void)boot_decide(&report);
    if (report.event == BOOT_REFUSED ? report.reason != IMAGE_TOO_OLD || counter < 1u
                                     : report.event != BOOT_SWAPPED || !holds(to)) {
        bad("the upgrade afterwards went wrong");
    }
}

static void judge(void) {
    if (!boot_may_upload() && world.phase != ASKING) {
        bad("the device cannot be upgraded");
    }
    if (world.phase == ASKED && world.refused && world.reason != IMAGE_WRONG_HASH && world.reason != IMAGE_TOO_OLD) {
        bad("a refusal without its reason");
    }
    const uint32_t last = ran_last();
    if (world.phase != RESTING && last == world.stable) {
        if (memcmp(flash_sim.bytes + SLOT_PRIMARY, old_area, AREA) != 0) {
            bad("the old image is not what it was");
        }
        if (ran(0u) == world.trial && last == world.stable &&
            memcmp(flash_sim.bytes + SECONDARY_IMAGE, images[world.trial], sizes[world.trial]) != 0) {
            bad("the new image is not in its slot any more");
        }
    } else if (!holds(last)) {
        bad("the new image is not what it was");
    }
    /* Unless its own words are hard to read: then it may come up at any time. */
    const uint32_t pending = request_pending();
    if (world.phase != ASKING && (pending == REQUEST_TEST || pending == REQUEST_PERMANENT)) {
        bad("a request does not end");
    }
    if (world.uploaded && world.phase == RESTING && flash_sim_peek(SECONDARY_TRAILER) != UPLOAD_MARK) {
        bad("the notes of an upload are lost");
    }
}

static uint32_t is_data(uint32_t address, uint32_t value) {
    const uint32_t in_page = address % SLOT_PAGE_BYTES;
    return address < SLOT_JOURNAL && address != PRIMARY_TRAILER && address != SECONDARY_TRAILER &&
           !(address > PRIMARY_TRAILER && address < PRIMARY_END) &&
           !(address > SECONDARY_TRAILER && address < SECONDARY_END) && (in_page != 0u || value != FLASH_BLANK);
}

static uint32_t worth(uint32_t address, uint32_t value) {
    static uint32_t number;
    const uint32_t data = is_data(address, value);
    if (sweep.every == 0u) {
        return 0u;
    }
    /* Of the words that are copied every so many are enough where the slots are large. */
    if (++number % (data ? sweep.every : sweep.every < LARGE ? 1u : 31u) != 0u) {
        return 0u;
    }
    return !data && sweep.every < LARGE ? 4u : 1u;
}

/* Soon after the start, or anywhere. */
static uint32_t later(uint32_t second) {
    return second % 2u != 0u ? 24u : 3u * (AREA / 4u);
}

/* Steps of flows. */

static void upload(uint32_t index) {
    static const uint32_t mark[2] = {UPLOAD_MARK, 0u};
    flash_erase(SECONDARY_TRAILER);
    flash_write(SECONDARY_TRAILER, mark, 2u);
    world.uploaded = 0u;
    upload_to(SECONDARY_IMAGE, images[index], sizes[index]);
    world.uploaded = 1u;
}

static void ask(uint32_t index, uint32_t permanent) {
    memcpy(old_area, flash_sim.bytes + SLOT_PRIMARY, AREA);
    world.uploaded = 0u;
    asking(index, permanent);
    if (request_test(permanent) != (permanent ? REQUEST_PERMANENT : REQUEST_TEST)) {
        bad("the request is not there");
    }
    world.phase = ASKED;
}

static void try_new(uint32_t index) {
    expect(index);
    world.phase = RUNNING;
}

static void confirm(void) {
    if (request_confirmed()) {
        bad("confirmed already");
    }
    world.phase = CONFIRMING;
    if (!request_confirm()) {
        bad("not confirmed");
    }
    world.phase = RESTING;
    world.stable = world.trial;
    begin();
}

static void place(uint32_t address, uint32_t index) {
    memcpy(flash_sim.bytes + address, images[index], sizes[index]);
}

static void prefill(uint32_t seed) {
    flash_sim_reset(seed);
    memset(&world, 0, sizeof world);
    place(SLOT_PRIMARY, 0u);
    /* Leftovers of another upload. */
    place(SECONDARY_IMAGE, 2u);
    place(SLOT_SECONDARY, 2u);
}

static void upgrade(uint32_t from, uint32_t to) {
    rest(from);
    upload(to);
    ask(to, 0u);
    try_new(to);
}

static void flow_revert(void) {
    upgrade(0u, 1u);
    expect(0u);
    rest(0u);
    expect(0u);
    if (!trailer_is_blank(PRIMARY_END) || !request_confirmed()) {
        bad("the old image does not count as confirmed");
    }
}

static void flow_confirm(void) {
    upgrade(0u, 1u);
    confirm();
    expect(1u);
    expect(1u);
}

static void flow_permanent(void) {
    rest(0u);
    upload(1u);
    ask(1u, 1u);
    expect(1u);
    rest(1u);
    if (!request_confirmed()) {
        bad("not confirmed");
    }
    expect(1u);
}

static void flow_refused(void) {
    rest(0u);
    upload(BAD);
    world.refused = 1u;
    ask(BAD, 0u);
    expect(0u);
    rest(0u);
    expect(0u);
}

static void flow_downgrade(void) {
    flow_confirm();
    upload(0u);
    world.refused = 1u;
    ask(0u, 1u);
    expect(1u);
    rest(1u);
    expect(1u);
}

static void keep_a_model(void) {
    struct journal journal;
    flash_sim_hook = 0;
    journal_open(&journal);
    journal_mark_model(&journal, 0x11u);
    world.model = 0x11u;
    flash_sim_hook = sweep_hook;
}

static void flow_again(void) {
    keep_a_model();
    flow_confirm();
    upgrade(1u, 2u);
    expect(1u);
    upgrade(1u, 2u);
    confirm();
    expect(2u);
    /* The new image asks before any other boot. */
    upgrade(2u, 1u);
    confirm();
    upload(2u);
    ask(2u, 0u);
    try_new(2u);
    expect(1u);
}

static void flow_install(void) {
    memset(flash_sim.bytes + SLOT_PRIMARY, 0xFF, AREA);
    place(SECONDARY_IMAGE, 1u);
    world.installs_allowed = 1u;
    rest(1u);
    expect(1u);
    expect(1u);
}

static void flow_install_asked(void) {
    static const uint32_t mark = UPLOAD_MARK;
    memset(flash_sim.bytes + SLOT_PRIMARY, 0x00, AREA / 2u);
    place(SECONDARY_IMAGE, 1u);
    flash_sim_hook = 0;
    flash_write(SECONDARY_TRAILER, &mark, 1u);
    (void)request_test(0u);
    flash_sim_hook = sweep_hook;
    world.installs_allowed = 1u;
    rest(1u);
    expect(1u);
    expect(1u);
}

/* The confirmed image is damaged: the one before is still there, and of the same security counter or not. */
static void flow_damaged(void) {
    flow_confirm();
    upgrade(1u, 2u);
    confirm();
    expect(2u);
    flash_sim.bytes[SLOT_PRIMARY + SLOT_HEADER_BYTES + 100u] ^= 1u;
    world.installs_allowed = 1u;
    rest(1u);
    expect(1u);
    expect(1u);
}

/* Boots that nearly all lose power soon, until the journal has been full several times. */
static void flow_hail(void) {
    const uint32_t rounds = sweep.every;
    uint32_t pages = 0u;
    struct journal journal;
    sweep.every = 0u;
    for (uint32_t round = 0u; round < rounds; round++) {
        prefill(round + 1u);
        keep_a_model();
        flash_sim_hook = 0;
        const uint32_t permanent = round % 3u == 0u;
        rest(0u);
        upload(1u);
        ask(1u, permanent);
        const uint32_t few = 36u + flash_sim_random() % 30u;
        for (uint32_t i = 0u; i < 300u; i++) {
            sweep.countdown = 1u + flash_sim_random() % (i < few ? 12u : 400u);
            sweep.second_mode = flash_sim_random() % CUT_MODES;
            sweep.mode = sweep.second_mode;
            flash_sim_hook = countdown_hook;
            boots(1u);
            if (world.boots > 3u) {
                break;
            }
        }
        flash_sim_hook = 0;
        settle();
        journal_open(&journal);
        pages += journal.sequence;
        sweep.trials++;
    }
    sweep.more = pages;
}

static uint32_t damaging_hook(uint32_t address, uint32_t value) {
    (void)value;
    if (address == PRIMARY_TRAILER + SLOT_PAGE_BYTES - TRAILER_COPY_DONE) {
        flash_sim.bytes[SLOT_PRIMARY + SLOT_HEADER_BYTES + 100u] ^= 1u;
    }
    return CUT_MODES;
}

/* A copy goes wrong without a cut: the new image never runs. */
static void flow_worn(void) {
    struct boot_report report;
    rest(0u);
    upload(1u);
    ask(1u, 1u);
    flash_sim_hook = damaging_hook;
    flash_sim_power_up();
    if (boot_decide(&report) == 0u || report.event != BOOT_REVERTED || report.reason != IMAGE_WRONG_HASH) {
        bad("a damaged copy is not taken back");
    }
    flash_sim_hook = sweep_hook;
    rest(0u);
    expect(0u);
}

static void fields(uint32_t good, uint32_t writes) {
    static uint32_t before;
    if (!good || flash_sim.operations - before != writes) {
        bad("a request or a confirmation is not what it should be");
    }
    before = flash_sim.operations;
}

/* What the application may write, word by word; nothing is cut here. */
static void flow_fields(void) {
    static const uint32_t torn = 0xFFFFFF7Fu, magic = 0xF395C277u;
    flash_sim_hook = 0;
    rest(0u);
    fields(request_pending() == REQUEST_NONE && request_confirmed() && request_confirm(), 0u);
    fields(request_test(0u) == REQUEST_TEST, 5u);
    fields(request_test(0u) == REQUEST_TEST && request_pending() == REQUEST_TEST, 0u);
    fields(request_test(1u) == REQUEST_PERMANENT && request_pending() == REQUEST_PERMANENT, 1u);
    fields(request_test(0u) == REQUEST_PERMANENT && request_test(1u) == REQUEST_PERMANENT, 0u);
    flash_erase(SECONDARY_TRAILER);
    fields(request_test(1u) == REQUEST_PERMANENT, 7u);
    flash_erase(SECONDARY_TRAILER);
    flash_write(SECONDARY_END - TRAILER_MAGIC, &magic, 1u);
    fields(request_pending() == REQUEST_TORN && request_test(0u) == REQUEST_TORN, 2u);
    flash_erase(SECONDARY_TRAILER);
    flash_write(SECONDARY_END - TRAILER_SWAP_INFO, &torn, 1u);
    fields(request_pending() == REQUEST_NONE && request_test(1u) == REQUEST_TORN, 2u);
    flash_erase(SECONDARY_TRAILER);
    trailer_write_magic(PRIMARY_END);
    fields(!request_confirmed() && request_confirm() && request_confirmed() && request_confirm(), 6u);
    flash_erase(PRIMARY_TRAILER);
    flash_write(PRIMARY_END - TRAILER_IMAGE_OK, &torn, 1u);
    trailer_write_magic(PRIMARY_END);
    fields(!request_confirm() && !request_confirmed(), 6u);
    flash_erase(PRIMARY_TRAILER);
}

static const struct flow flows[] = {
    {"revert", flow_revert},       {"confirm", flow_confirm},     {"permanent", flow_permanent},
    {"refused", flow_refused},     {"downgrade", flow_downgrade}, {"again", flow_again},
    {"install", flow_install},     {"asked", flow_install_asked}, {"damaged", flow_damaged},
    {"worn", flow_worn},           {"hail", flow_hail},
    {"fields", flow_fields},
};

static const struct subject swap = {
    .images = images[0],
    .sizes = sizes,
    .count = IMAGES,
    .area = AREA,
    .prefill = prefill,
    .boot = boot,
    .notice = notice,
    .worth = worth,
    .later = later,
    .judge = judge,
    .live_on = live_on,
};

int main(int argc, char **argv) {
    return sweep_main(argc, argv, &swap, flows, sizeof flows / sizeof flows[0]);
}
