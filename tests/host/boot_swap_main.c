/*
 * Every flow of the bootloader on simulated flash, with a loss of power at every operation. At each operation
 * of a flow the flash is put aside, the cut applied, and what then happens is judged; then the flow goes on as
 * if nothing had been. The code under test keeps nothing in static variables, so it can be called from within
 * itself.
 *
 * boot_swap <flow> <every> <second cuts> <seed> <image 1> <image 2> <image 3> <bad image>
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_report.h"
#include "flash.h"
#include "flash_sim.h"
#include "image.h"
#include "journal.h"
#include "request.h"
#include "swap.h"
#include "trailer.h"

#define AREA (SLOT_IMAGE_PAGES * SLOT_PAGE_BYTES)
#define IMAGES 4u
#define BAD 3u /* index of the image that is refused */
#define BOOTS 4u
#define NONE 99u
#define LARGE 100u /* `every` from here on is for large slots */
#define UPLOAD_MARK 0x12345678u

enum phase { RESTING, ASKING, ASKED, RUNNING, CONFIRMING };

/* What an observer outside knows. */
static struct world {
    enum phase phase;
    uint32_t stable; /* index of the image that is to run in the end */
    uint32_t trial;  /* and of the one that was asked for */
    uint32_t permanent;
    uint32_t refused; /* the request is for an image that is not acceptable */
    uint32_t installs_allowed;
    uint32_t counter; /* the highest that a report had */
    uint32_t ran;     /* images that ran since the phase began, 4 bits each */
    uint32_t boots;
    uint32_t reason; /* of the last report */
    uint32_t excused; /* power was lost while TESTED was written: that counts as a run */
    uint32_t model;    /* state of models that the journal has to keep */
    uint32_t uploaded; /* the mark of an upload lies in the secondary's trailer */
} world;

static uint8_t images[IMAGES][AREA];
static uint32_t sizes[IMAGES];
static uint8_t old_area[AREA];

static uint32_t every, seconds, trials, cuts_in_recovery, countdown, second_mode;
static const char *flow_name;
static uint32_t now_mode;

static void bad(const char *what) {
    printf("FAILED %s: %s, operation %u, mode %u, phase %u, ran %x of %u boots, seconds %u\n", flow_name, what,
           (unsigned)flash_sim.operations, (unsigned)now_mode, (unsigned)world.phase, (unsigned)world.ran,
           (unsigned)world.boots, (unsigned)cuts_in_recovery);
    exit(1);
}

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
    flash_sim.flicker = now_mode == CUT_FLICKER;
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
    if (world.boots < 8u) {
        world.ran |= running << 4u * world.boots;
    }
    world.boots++;
    return running;
}

static uint32_t ran(uint32_t boot_number) {
    return world.ran >> 4u * boot_number & 15u;
}

/* All boots from that one on, and at least one, ran this image. */
static uint32_t all_ran(uint32_t from, uint32_t index) {
    for (uint32_t i = from; i < world.boots && i < 8u; i++) {
        if (ran(i) != index) {
            return 0u;
        }
    }
    return 1u;
}

static uint32_t came_back(void) {
    return (ran(0u) == world.trial && all_ran(1u, world.stable)) ||
           (world.excused && all_ran(0u, world.stable));
}

/* The stable one for some boots, then the trial: for good, or once. */
static uint32_t happened_later(void) {
    uint32_t at = 0u;
    while (at < world.boots && at < 8u && ran(at) == world.stable) {
        at++;
    }
    return all_ran(at, world.trial) || (!world.permanent && all_ran(at + 1u, world.stable));
}

static void judge_end(void) {
    uint32_t good;
    if (!boot_may_upload() && world.phase != ASKING) {
        bad("the device cannot be upgraded");
    }
    switch (world.phase) {
    case RESTING:
    case RUNNING:
        good = all_ran(0u, world.stable);
        break;
    case ASKING:
    case ASKED:
        good = world.refused ? all_ran(0u, world.stable)
             : world.permanent ? all_ran(0u, world.trial) : came_back();
        /* A request that was cut need not be one, or not at once. */
        good |= world.phase == ASKING && happened_later();
        break;
    default:
        good = all_ran(0u, world.stable) || all_ran(0u, world.trial);
        break;
    }
    if (!good) {
        bad("the wrong image ran");
    }
    if (world.phase == ASKED && world.refused && world.reason != IMAGE_WRONG_HASH && world.reason != IMAGE_TOO_OLD) {
        bad("a refusal without its reason");
    }
    const uint32_t last = ran((world.boots < 8u ? world.boots : 8u) - 1u);
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

static void upload(uint32_t index);

/* A whole upgrade, to see that the device still can. */
static void go_on_living(void) {
    const uint32_t to = ran((world.boots < 8u ? world.boots : 8u) - 1u) == 2u ? 1u : 2u;
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

static uint32_t second_hook(uint32_t address, uint32_t value) {
    if (countdown == 0u || --countdown != 0u) {
        return CUT_MODES;
    }
    cuts_in_recovery++;
    notice(address, value);
    if (second_mode == CUT_FLICKER) {
        now_mode = CUT_FLICKER;
    }
    return second_mode;
}

/* Some boots, or less where power is lost. */
static void boots(uint32_t count) {
    static uint32_t left;
    left = count;
    if (setjmp(flash_sim_power_lost) == 0) {
        while (left-- != 0u) {
            (void)boot();
        }
    }
}

/* The recovery from a cut, with another cut after `after` operations where that is not 0. */
static void recover(uint32_t after) {
    if (after != 0u) {
        countdown = after;
        second_mode = flash_sim_random() % CUT_MODES;
        flash_sim_hook = second_hook;
        boots(2u);
    }
    flash_sim_hook = 0;
    for (uint32_t i = 2u + flash_sim_random() % 3u; i != 0u; i--) {
        (void)boot();
    }
    judge_end();
    if ((trials % 16u == 0u || now_mode >= CUT_UNSTABLE) && boot_may_upload()) {
        go_on_living();
    }
    trials++;
}

static uint32_t is_data(uint32_t address, uint32_t value) {
    const uint32_t in_page = address % SLOT_PAGE_BYTES;
    return address < SLOT_JOURNAL && address != PRIMARY_TRAILER && address != SECONDARY_TRAILER &&
           !(address > PRIMARY_TRAILER && address < PRIMARY_END) &&
           !(address > SECONDARY_TRAILER && address < SECONDARY_END) && (in_page != 0u || value != FLASH_BLANK);
}

static uint32_t sweep_hook(uint32_t address, uint32_t value) {
    static struct flash_sim before;
    static uint32_t number;
    if (every == 0u) {
        return CUT_MODES;
    }
    /* Of the words that are copied every so many are enough where the slots are large. */
    const uint32_t data = is_data(address, value);
    if (++number % (data ? every : every < LARGE ? 1u : 31u) != 0u) {
        return CUT_MODES;
    }
    const struct world known = world;
    before = flash_sim;
    const uint32_t is_erase = value == FLASH_BLANK;
    for (uint32_t mode = 0u; mode < CUT_MODES; mode++) {
        /* The words that decide are hard to read in many ways. */
        const uint32_t more = !data && mode >= CUT_UNSTABLE && every < LARGE ? 4u : 1u;
        const uint32_t times = more * (seconds + 1u);
        for (uint32_t second = 0u; second < times; second++) {
            const uint64_t random = flash_sim.random;
            flash_sim = before;
            flash_sim.random = random;
            now_mode = mode;
            notice(address, value);
            flash_sim_cut(address, value, is_erase, mode);
            /* Soon after the start, or anywhere. */
            const uint32_t range = second % 2u != 0u ? 24u : 3u * (AREA / 4u);
            recover(second % 3u == 0u ? 0u : 1u + flash_sim_random() % range);
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

/* Steps of flows. */

static void begin(void) {
    world.ran = 0u;
    world.boots = 0u;
    world.excused = 0u;
}

static void expect(uint32_t index) {
    begin();
    if (boot() != index) {
        bad("another image runs");
    }
    begin();
}

static void upload(uint32_t index) {
    static const uint32_t mark[2] = {UPLOAD_MARK, 0u};
    flash_erase(SECONDARY_TRAILER);
    flash_write(SECONDARY_TRAILER, mark, 2u);
    world.uploaded = 0u;
    for (uint32_t at = 0u; at < sizes[index]; at += 4u) {
        uint32_t word;
        if (at % SLOT_PAGE_BYTES == 0u) {
            flash_erase(SECONDARY_IMAGE + at);
        }
        memcpy(&word, images[index] + at, 4u);
        if (word != FLASH_BLANK) {
            flash_write(SECONDARY_IMAGE + at, &word, 1u);
        }
    }
    world.uploaded = 1u;
}

static void ask(uint32_t index, uint32_t permanent) {
    memcpy(old_area, flash_sim.bytes + SLOT_PRIMARY, AREA);
    begin();
    world.uploaded = 0u;
    world.phase = ASKING;
    world.trial = index;
    world.permanent = permanent;
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

static void rest(uint32_t index) {
    world.phase = RESTING;
    world.stable = index;
    world.refused = 0u;
    world.uploaded = 0u;
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
static uint32_t hail_hook(uint32_t address, uint32_t value) {
    if (--countdown != 0u) {
        return CUT_MODES;
    }
    notice(address, value);
    return second_mode;
}

static void flow_hail(void) {
    const uint32_t rounds = every;
    struct journal journal;
    every = 0u;
    for (uint32_t round = 0u; round < rounds; round++) {
        prefill(round + 1u);
        keep_a_model();
        flash_sim_hook = 0;
        const uint32_t permanent = round % 3u == 0u;
        flow_name = "hail";
        rest(0u);
        upload(1u);
        ask(1u, permanent);
        const uint32_t few = 36u + flash_sim_random() % 30u;
        for (uint32_t i = 0u; i < 300u; i++) {
            countdown = 1u + flash_sim_random() % (i < few ? 12u : 400u);
            second_mode = flash_sim_random() % CUT_MODES;
            now_mode = second_mode;
            flash_sim_hook = hail_hook;
            boots(1u);
            if (world.boots > 3u) {
                break;
            }
        }
        flash_sim_hook = 0;
        for (uint32_t i = 0u; i < BOOTS; i++) {
            (void)boot();
        }
        judge_end();
        journal_open(&journal);
        cuts_in_recovery += journal.sequence;
        trials++;
    }
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

static const struct {
    const char *name;
    void (*run)(void);
} flows[] = {
    {"revert", flow_revert},       {"confirm", flow_confirm},     {"permanent", flow_permanent},
    {"refused", flow_refused},     {"downgrade", flow_downgrade}, {"again", flow_again},
    {"install", flow_install},     {"asked", flow_install_asked}, {"damaged", flow_damaged},
    {"worn", flow_worn},           {"hail", flow_hail},
    {"fields", flow_fields},
};

static void load(uint32_t index, const char *path) {
    FILE *const file = fopen(path, "rb");
    memset(images[index], 0xFF, AREA);
    if (file == 0) {
        bad("no such image");
    }
    sizes[index] = (uint32_t)fread(images[index], 1u, AREA, file);
    (void)fclose(file);
}

int main(int argc, char **argv) {
    if (argc != 9) {
        return 2;
    }
    flow_name = argv[1];
    every = (uint32_t)atoi(argv[2]);
    seconds = (uint32_t)atoi(argv[3]);
    for (uint32_t i = 0u; i < IMAGES; i++) {
        load(i, argv[5u + i]);
    }
    for (uint32_t i = 0u; i < sizeof flows / sizeof flows[0]; i++) {
        if (strcmp(flows[i].name, flow_name) != 0) {
            continue;
        }
        prefill((uint32_t)atoi(argv[4]));
        flash_sim_hook = sweep_hook;
        flows[i].run();
        if (flows[i].run != flow_hail) {
            for (uint32_t n = 0u; n < BOOTS; n++) {
                (void)boot();
            }
            judge_end();
            const uint32_t operations = flash_sim.operations;
            (void)boot();
            if (flash_sim.operations != operations) {
                bad("a boot without need writes");
            }
        }
        printf("%u operations, %u trials, %u more\n", (unsigned)flash_sim.operations, (unsigned)trials,
               (unsigned)cuts_in_recovery);
        return 0;
    }
    return 2;
}
