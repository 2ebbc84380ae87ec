/*
 * RADIO in its IEEE 802.15.4 mode, TIMER1 and PPI channels 0 and 1 of the nRF52840. Registers and times from
 * the nRF52840 Product Specification 1.7, backoff and retries from IEEE 802.15.4-2006, 7.5.1.4 and 7.5.6.4.
 *
 * The timer counts 16 MHz. END of a received frame captures it through PPI; the acknowledgement starts
 * when the timer reaches the compare value that follows from it, through PPI again: how fast the core is does
 * not move it. Both interrupts have one priority, so that neither interrupts the other.
 */
#include "radio.h"

#include "cortex_m.h"
#include "mac.h"
#include "radio_registers.h"

/* Times in ticks of the timer. */
#define MICROSECOND 16u
#define TURNAROUND (192u * MICROSECOND)
#define RAMP_UP (40u * MICROSECOND)
#define END_LATENCY (23u * MICROSECOND) /* from the end of a frame on the air to END */
#define BACKOFF (320u * MICROSECOND)    /* 20 symbols */
#define ACK_WAIT (864u * MICROSECOND)   /* 54 symbols */
#define LIFS (640u * MICROSECOND)
#define SOON (4u * MICROSECOND) /* a compare value nearer than that may be missed */
#define MIN_BE 3u
#define MAX_BE 5u
#define MAX_BACKOFFS 4u
#define MAX_RETRIES 3u
#define CHECK_SUM 2u

#define SLOTS 4u
#define ED_OFFSET 92

enum step { LISTEN, ACKNOWLEDGE, ASSESS_AND_SEND };
enum waiting { NOTHING, BACKING_OFF, FOR_ACK };

/* A length byte, the frame, its link quality where the check sum would be, and room to be word-sized. */
struct packet {
    uint8_t bytes[132];
};

static struct packet slots[SLOTS];
static struct radio_frame frames[SLOTS];
static volatile uint32_t taken, stored; /* running numbers of frames; one slot is always being filled */
static struct packet outgoing, ack;
static struct radio_settings own;
static struct radio_counters counts;
static volatile enum radio_outcome outcome;
static volatile uint32_t activity; /* interrupts, modulo 2^32 */
static volatile enum step step;
static volatile enum waiting waiting;
static uint32_t exponent, backoffs, retries, chance, sent_at;
static uint32_t counted_at, counted; /* milliseconds, and the timer when they were over */
static struct lpc_address last_source;
static uint16_t last_check_sum;
static uint8_t last_sequence;

static uint32_t lock(void) {
    uint32_t before;
    __asm volatile("mrs %0, primask\n cpsid i" : "=r"(before)::"memory");
    return before;
}

static void unlock(uint32_t before) {
    __asm volatile("msr primask, %0" ::"r"(before) : "memory");
}

static uint32_t ticks(void) {
    TIMER_CAPTURE(CC_NOW) = 1u;
    return TIMER_CC(CC_NOW);
}

static void wait_for(uint32_t duration, enum waiting what) {
    waiting = what;
    TIMER_COMPARE(CC_WAIT) = 0u;
    TIMER_CC(CC_WAIT) = ticks() + (duration < SOON ? SOON : duration);
    TIMER_INTENSET = TIMER_INT(CC_WAIT);
}

static void stop_waiting(void) {
    waiting = NOTHING;
    TIMER_INTENCLR = TIMER_INT(CC_WAIT);
    TIMER_COMPARE(CC_WAIT) = 0u;
}

static uint32_t random_number(void) {
    chance ^= chance << 13;
    chance ^= chance >> 17;
    chance ^= chance << 5;
    return chance;
}

/* From DISABLED. */
static void begin(enum step what, uint32_t shorts, const struct packet *packet) {
    step = what;
    SHORTS = shorts;
    PACKETPTR = (uint32_t)(uintptr_t)packet;
    EVENTS_DISABLED = EVENTS_END = EVENTS_CRCOK = EVENTS_FRAMESTART = EVENTS_CCABUSY = 0u;
    __asm volatile("" ::: "memory");
    INTENSET = INT_DISABLED;
}

static void listen(void) {
    begin(LISTEN, SHORTS_RECEIVE, &slots[stored % SLOTS]);
    TASKS_RXEN = 1u;
}

static void back_off(void) {
    const uint32_t quiet = ticks() - sent_at; /* others need that long between two frames */
    const uint32_t rest = quiet < LIFS ? LIFS - quiet : 0u;
    wait_for(rest + BACKOFF * (random_number() & ((1u << exponent) - 1u)), BACKING_OFF);
}

static void attempt(void) {
    exponent = MIN_BE;
    backoffs = 0u;
    back_off();
}

static void finish(enum radio_outcome how) {
    stop_waiting();
    sent_at = ticks();
    outcome = how;
}

static void channel_was_busy(void) {
    counts.busy++;
    if (++backoffs > MAX_BACKOFFS) {
        finish(RADIO_CHANNEL_BUSY);
        return;
    }
    exponent = exponent < MAX_BE ? exponent + 1u : MAX_BE;
    back_off();
}

/*
 * The last frame again. Its check sum counts, too: else whoever sends a frame in another's name, with the number that
 * is next, would have the true one dropped here, before anything can tell which is right.
 */
static uint32_t is_repetition(const struct mac_frame *frame, uint16_t check_sum) {
    uint32_t difference = ((uint32_t)frame->sequence ^ last_sequence) | ((uint32_t)check_sum ^ last_check_sum);
    difference |= (uint32_t)frame->source.kind ^ last_source.kind;
    for (uint32_t i = 0; i < sizeof last_source.bytes; i++) {
        difference |= (uint32_t)frame->source.bytes[i] ^ last_source.bytes[i];
    }
    return difference == 0u;
}

/* Arms the acknowledgement: the standard gives it exactly the turnaround time. */
static uint32_t acknowledge(uint8_t sequence) {
    ack.bytes[0] = MAC_ACK_BYTES + CHECK_SUM;
    mac_write_ack(sequence, ack.bytes + 1u);
    begin(ACKNOWLEDGE, SHORTS_SEND, &ack);
    PPI_CHENSET = 1u << PPI_ACK; /* before the timer can get there */
    TIMER_CC(CC_ACK) = TIMER_CC(CC_END) + TURNAROUND - END_LATENCY - RAMP_UP;
    if ((int32_t)(TIMER_CC(CC_ACK) - ticks()) >= (int32_t)SOON) {
        return 1u;
    }
    PPI_CHENCLR = 1u << PPI_ACK;
    if (STATE != STATE_DISABLED) {
        return 1u; /* it has started */
    }
    counts.acks_late++;
    return 0u;
}

/* Keeps a received frame if it is for this node. Returns whether an acknowledgement follows. */
static uint32_t take_frame(void) {
    const uint8_t *bytes = slots[stored % SLOTS].bytes;
    const uint32_t size = bytes[0] & 0x7Fu;
    if (size < CHECK_SUM) {
        counts.bad_check_sum++;
        return 0u;
    }
    const uint8_t length = (uint8_t)(size - CHECK_SUM);
    if (waiting == FOR_ACK && mac_acknowledges(bytes + 1u, length, outgoing.bytes[3])) {
        counts.sent++;
        finish(RADIO_SENT);
        return 0u;
    }
    struct mac_frame frame;
    if (mac_parse(bytes + 1u, length, &frame) != MAC_OK ||
        (own.everything == 0u && !mac_is_for(&frame, own.pan, &own.short_address, &own.extended_address))) {
        counts.filtered++;
        return 0u;
    }
    const uint32_t everybody =
        frame.destination.kind == LPC_ADDRESS_SHORT && frame.destination.bytes[0] == 0xFFu &&
        frame.destination.bytes[1] == 0xFFu;
    const uint32_t wants_ack =
        frame.ack_request && !everybody && frame.destination_pan != MAC_BROADCAST && own.everything == 0u;
    const uint16_t check_sum = (uint16_t)(RXCRC & 0xFFFFu);
    if (wants_ack && is_repetition(&frame, check_sum)) { /* its acknowledgement was lost */
        counts.repeated++;
        return acknowledge(frame.sequence);
    }
    if (stored - taken == SLOTS - 1u) {
        counts.no_room++;
        return 0u;
    }
    const uint32_t quality = bytes[1u + length] * 4u;
    frames[stored % SLOTS] = (struct radio_frame){
        .bytes = bytes + 1u,
        .length = length,
        .quality = (uint8_t)(quality > 255u ? 255u : quality),
        .rssi = (int8_t)-(int32_t)(RSSISAMPLE & 0x7Fu),
    };
    if (wants_ack) {
        last_source = frame.source;
        last_sequence = frame.sequence;
        last_check_sum = check_sum;
    }
    stored++;
    counts.received++;
    return wants_ack && acknowledge(frame.sequence);
}

static void after_sending(void) {
    if (EVENTS_CCABUSY != 0u) {
        channel_was_busy();
    } else if ((outgoing.bytes[1] & 1u << 5) != 0u) {
        wait_for(ACK_WAIT, FOR_ACK);
    } else {
        counts.sent++;
        finish(RADIO_SENT);
    }
}

/* The radio is disabled: a frame came, an acknowledgement or a frame went, or the channel was busy. */
void radio_interrupt(void) {
    activity++;
    EVENTS_DISABLED = 0u;
    if (step == LISTEN) {
        if (EVENTS_END != 0u) {
            if (EVENTS_CRCOK == 0u) {
                counts.bad_check_sum++;
            } else if (take_frame()) {
                return;
            }
        }
    } else if (step == ACKNOWLEDGE) {
        PPI_CHENCLR = 1u << PPI_ACK;
        counts.acks_sent++;
    } else {
        after_sending();
    }
    listen();
}

static void send_now(void) {
    if (step != LISTEN || EVENTS_FRAMESTART != 0u || EVENTS_END != 0u) {
        channel_was_busy(); /* with a frame of somebody else, or an acknowledgement of it */
        return;
    }
    INTENCLR = INT_DISABLED;
    EVENTS_DISABLED = 0u;
    TASKS_DISABLE = 1u;
    (void)wait_for_bits(EVENTS_DISABLED_AT, 1u);
    if (EVENTS_END != 0u) { /* one came in this moment */
        INTENSET = INT_DISABLED;
        channel_was_busy();
        return;
    }
    begin(ASSESS_AND_SEND, SHORTS_ASSESS, &outgoing);
    TASKS_RXEN = 1u;
    counts.attempts++;
}

void radio_timer_interrupt(void) {
    activity++;
    const enum waiting what = waiting;
    stop_waiting();
    if (what == BACKING_OFF) {
        send_now();
    } else if (what == FOR_ACK) {
        counts.no_ack++;
        if (++retries > MAX_RETRIES) {
            finish(RADIO_NO_ACK);
        } else {
            attempt();
        }
    }
}

void radio_init(const struct radio_settings *settings) {
    own = *settings;
    chance = own.seed != 0u ? own.seed : 1u;
    taken = stored = 0u;
    last_source.kind = LPC_ADDRESS_ABSENT;
    counted_at = 0u;
    outcome = RADIO_IDLE;
    waiting = NOTHING;
    POWER = 0u;
    POWER = 1u;
    MODE = MODE_IEEE_802_15_4;
    MODECNF0 = FAST_RAMP_UP;
    FREQUENCY = 5u * (own.channel - 10u);
    TXPOWER = (uint8_t)own.power;
    PCNF0 = LENGTH_OF_8_BITS | PREAMBLE_OF_ZEROS | LENGTH_HAS_CRC;
    PCNF1 = MAC_LARGEST + CHECK_SUM;
    CRCCNF = CRC_OF_TWO;
    CRCPOLY = CRC_POLYNOMIAL;
    CRCINIT = 0u;
    CCACTRL = CCA_ENERGY_ABOVE;
    TIMER_BITMODE = 3u;
    TIMER_PRESCALER = 0u;
    TIMER_CLEAR = 1u;
    TIMER_START = 1u;
    PPI_EVENT(PPI_ACK) = TIMER_COMPARE_AT(CC_ACK);
    PPI_TASK(PPI_ACK) = TASKS_TXEN_AT;
    PPI_EVENT(PPI_END) = EVENTS_END_AT;
    PPI_TASK(PPI_END) = TIMER_CAPTURE_AT(CC_END);
    PPI_CHENCLR = 1u << PPI_ACK;
    PPI_CHENSET = 1u << PPI_END;
    listen();
    NVIC_ISER = 1u << RADIO_INTERRUPT | 1u << TIMER1_INTERRUPT;
}

const struct radio_frame *radio_receive(void) {
    return stored == taken ? 0 : &frames[taken % SLOTS];
}

void radio_release(void) {
    if (stored != taken) {
        taken++;
    }
}

uint32_t radio_send(const uint8_t *bytes, uint8_t length) {
    if (outcome == RADIO_SENDING || length < MAC_ACK_BYTES || length > MAC_LARGEST) {
        return 0u;
    }
    outgoing.bytes[0] = (uint8_t)(length + CHECK_SUM);
    for (uint32_t i = 0; i < length; i++) {
        outgoing.bytes[1u + i] = bytes[i];
    }
    const uint32_t before = lock();
    outcome = RADIO_SENDING;
    retries = 0u;
    attempt();
    unlock(before);
    return 1u;
}

enum radio_outcome radio_outcome(void) {
    return outcome;
}

uint32_t radio_activity(void) {
    return activity;
}

/* The timer wraps after 268 s. */
uint32_t radio_milliseconds(void) {
    const uint32_t before = lock();
    const uint32_t passed = (ticks() - counted_at) / (1000u * MICROSECOND);
    counted_at += passed * (1000u * MICROSECOND);
    counted += passed;
    unlock(before);
    return counted;
}

const struct radio_counters *radio_counters(void) {
    return &counts;
}
