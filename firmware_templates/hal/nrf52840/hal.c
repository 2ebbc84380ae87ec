/*
 * nRF52840 and nRF5340: the crystal, UARTE0, flash controller of the nRF52840, FICR device number. What else
 * they differ in is in soc.h. Registers from the nRF52840 Product Specification 1.7, of which the nRF5340's
 * have the same.
 *
 * The core stands still while flash is written or erased, so EasyDMA receives: into a row of blocks that
 * is walked round and round. The chip takes the address of the next block when it begins one, so that one
 * block is being filled and one is queued. Which bytes of a block have come is told by the bytes
 * themselves: a queued block holds nothing but EMPTY. Counting RXDRDY would be too early, as the chip
 * raises it before the byte is in RAM.
 */
#include "hal.h"

#include "board.h"
#include "cortex_m.h"
#include "soc.h"

#define CLOCK_TASKS_HFCLKSTART REG32(SOC_CLOCK)
#define CLOCK_EVENTS_HFCLKSTARTED (SOC_CLOCK + 0x100u)

#define NVMC_READY 0x4001E400u
#define NVMC_CONFIG REG32(0x4001E504u)
#define NVMC_ERASEPAGEPARTIAL REG32(0x4001E518u)
#define NVMC_ERASEPAGEPARTIALCFG REG32(0x4001E51Cu)
#define NVMC_READ_ONLY 0u
#define NVMC_WRITE 1u
#define NVMC_ERASE 2u

#define GPIO_OUTSET(port) REG32(SOC_GPIO + 0x008u + 0x300u * (port))
#define GPIO_DIRSET(port) REG32(SOC_GPIO + 0x018u + 0x300u * (port))
#define GPIO_PIN_CNF(port, pin) REG32(SOC_GPIO + 0x200u + 0x300u * (port) + 4u * (pin))

#define UART_TASKS_STARTRX REG32(SOC_UART + 0x000u)
#define UART_TASKS_STOPRX REG32(SOC_UART + 0x004u)
#define UART_TASKS_STARTTX REG32(SOC_UART + 0x008u)
#define UART_EVENTS_ENDRX (SOC_UART + 0x110u)
#define UART_EVENTS_ENDTX (SOC_UART + 0x120u)
#define UART_EVENTS_RXTO (SOC_UART + 0x144u)
#define UART_EVENTS_RXSTARTED (SOC_UART + 0x14Cu)
#define UART_SHORTS REG32(SOC_UART + 0x200u)
#define UART_ENABLE REG32(SOC_UART + 0x500u)
#define UART_PSEL_TXD REG32(SOC_UART + 0x50Cu)
#define UART_PSEL_RXD REG32(SOC_UART + 0x514u)
#define UART_BAUDRATE REG32(SOC_UART + 0x524u)
#define UART_RXD_PTR REG32(SOC_UART + 0x534u)
#define UART_RXD_MAXCNT REG32(SOC_UART + 0x538u)
#define UART_TXD_PTR REG32(SOC_UART + 0x544u)
#define UART_TXD_MAXCNT REG32(SOC_UART + 0x548u)
#define UART_CONFIG REG32(SOC_UART + 0x56Cu)
#define UART_ENDRX_STARTRX (1u << 5)
#define UART_WITH_DMA 8u

/* The values of the Product Specification, "UARTE, BAUDRATE". */
#if BOARD_UART_BAUD == 9600
#define BAUDRATE 0x00275000u
#elif BOARD_UART_BAUD == 19200
#define BAUDRATE 0x004EA000u
#elif BOARD_UART_BAUD == 38400
#define BAUDRATE 0x009D0000u
#elif BOARD_UART_BAUD == 57600
#define BAUDRATE 0x00EB0000u
#elif BOARD_UART_BAUD == 115200
#define BAUDRATE 0x01D60000u
#elif BOARD_UART_BAUD == 230400
#define BAUDRATE 0x03B00000u
#elif BOARD_UART_BAUD == 250000
#define BAUDRATE 0x04000000u
#elif BOARD_UART_BAUD == 460800
#define BAUDRATE 0x07400000u
#elif BOARD_UART_BAUD == 921600
#define BAUDRATE 0x0F000000u
#elif BOARD_UART_BAUD == 1000000
#define BAUDRATE 0x10000000u
#else
#error "the UARTE has no such baud rate"
#endif

#define RAM_ORIGIN 0x20000000u
#define COPY_BYTES 32u

#define PSEL(port, pin) (((port) << 5) | (pin))

/*
 * Flash is only written on boards with slots. There a whole message, in the longest form that its lines can
 * have, comes while the one before it is written; and a block takes longer than the core stands still.
 */
#if BOARD_HAS_SLOTS
#define BLOCK 256u
#define BLOCKS ((BOARD_SMP_BUFFER_BYTES / 93u + 1u) * 127u / BLOCK + 3u)
#else
#define BLOCK 32u
#define BLOCKS 3u
#endif

/* A byte that no line of SMP has. As garbage it is seen together with the next other byte. */
#define EMPTY 0xAAu

static volatile uint8_t received[BLOCKS * BLOCK];
static uint32_t next_byte; /* of `received`, to be read */
static uint32_t filling;   /* the block that the chip fills */
static uint32_t behind;    /* full blocks that are not read to their end; `next_byte` is in the first one */

static void empty_block(uint32_t block) {
    for (uint32_t i = 0; i < BLOCK; i++) {
        received[block * BLOCK + i] = EMPTY;
    }
}

static void queue_block(uint32_t block) {
    REG32(UART_EVENTS_RXSTARTED) = 0u;
    UART_RXD_PTR = (uint32_t)(uintptr_t)(received + block * BLOCK);
}

static uint32_t block_after(uint32_t block) {
    return block + 1u == BLOCKS ? 0u : block + 1u;
}

/* Queues the next block when one is full. To be called more often than a block takes on the line. */
static void follow_receiver(void) {
    if (REG32(UART_EVENTS_ENDRX) == 0u) {
        return;
    }
    /* The chip has begun the queued block by itself. Its address may change once it says so. */
    (void)wait_for_bits(UART_EVENTS_RXSTARTED, 1u);
    filling = block_after(filling);
    behind++;
    if (behind == BLOCKS - 1u) {
        next_byte = filling * BLOCK; /* nobody reads: the bytes before are lost */
        behind = 0u;
    }
    const uint32_t queued = block_after(filling);
    empty_block(queued);
    queue_block(queued);
    REG32(UART_EVENTS_ENDRX) = 0u;
}

static void start_uart(void) {
    hal_uart_stop(); /* whoever ran before may have left it on */
    GPIO_OUTSET(BOARD_UART_TX_PORT) = 1u << BOARD_UART_TX_PIN; /* idle level before the pin drives */
    GPIO_DIRSET(BOARD_UART_TX_PORT) = 1u << BOARD_UART_TX_PIN;
    GPIO_PIN_CNF(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN) = 3u << 2; /* input with pull-up */
    UART_PSEL_TXD = PSEL(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN);
    UART_PSEL_RXD = PSEL(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN);
    UART_BAUDRATE = BAUDRATE;
    UART_CONFIG = 0u; /* 8N1, no flow control */
    UART_SHORTS = UART_ENDRX_STARTRX;
    UART_ENABLE = UART_WITH_DMA;
    next_byte = 0u;
    filling = 0u;
    behind = 0u;
    empty_block(0u);
    empty_block(1u);
    queue_block(0u);
    UART_RXD_MAXCNT = BLOCK;
    REG32(UART_EVENTS_ENDRX) = 0u;
    UART_TASKS_STARTRX = 1u;
    (void)wait_for_bits(UART_EVENTS_RXSTARTED, 1u);
    queue_block(1u);
}

void hal_init(void) {
    soc_start();
    CLOCK_TASKS_HFCLKSTART = 1u;
    (void)wait_for_bits(CLOCK_EVENTS_HFCLKSTARTED, 1u);
    start_uart();
    cycle_counter_start();
}

void hal_uart_stop(void) {
    if (UART_ENABLE == UART_WITH_DMA) {
        UART_SHORTS = 0u;
        REG32(UART_EVENTS_RXTO) = 0u;
        UART_TASKS_STOPRX = 1u;
        (void)wait_for_bits(UART_EVENTS_RXTO, 1u);
    }
    UART_ENABLE = 0u;
}

uint32_t hal_uart_ready(void) {
    if (behind != 0u || received[next_byte] != EMPTY) {
        return 1u;
    }
    follow_receiver();
    if (behind != 0u) {
        return 1u;
    }
    /* In the rest of this block, or already in the queued one: bytes after one that looks like none. */
    uint32_t at = next_byte;
    for (uint32_t i = 0; i < BLOCK; i++) {
        if (received[at] != EMPTY) {
            return 1u;
        }
        at = at + 1u == sizeof received ? 0u : at + 1u;
    }
    return 0u;
}

uint8_t hal_uart_read_byte(void) {
    while (!hal_uart_ready()) {
    }
    const uint8_t byte = received[next_byte++];
    if (next_byte % BLOCK == 0u) {
        if (behind == 0u) {
            if (!wait_for_bits(UART_EVENTS_ENDRX, 1u)) {
                start_uart(); /* it began this block a second time: bytes are lost, and its place unknown */
                return byte;
            }
            follow_receiver();
        }
        behind--;
        next_byte %= sizeof received;
        follow_receiver(); /* never past the queued block, however many bytes there are to read */
    }
    return byte;
}

static void send(const uint8_t *data, uint32_t size) {
    UART_TXD_PTR = (uint32_t)(uintptr_t)data;
    UART_TXD_MAXCNT = size;
    REG32(UART_EVENTS_ENDTX) = 0u;
    __asm volatile("" ::: "memory"); /* the data is in RAM before it is sent */
    UART_TASKS_STARTTX = 1u;
    while (REG32(UART_EVENTS_ENDTX) == 0u) {
        follow_receiver();
    }
}

/* EasyDMA reads RAM alone: what lies in flash goes there first. */
void hal_uart_write(const uint8_t *data, uint32_t size) {
    uint8_t copy[COPY_BYTES];
    if ((uintptr_t)data >= RAM_ORIGIN) {
        send(data, size);
        return;
    }
    for (uint32_t at = 0; at < size; at += sizeof copy) {
        const uint32_t part = size - at < sizeof copy ? size - at : sizeof copy;
        for (uint32_t i = 0; i < part; i++) {
            copy[i] = data[at + i];
        }
        send(copy, part);
    }
}

#if BOARD_HAS_SLOTS
#define ERASE_STEP_MS 2u /* less than a block takes at the highest rate */
/* tERASEPAGE is 85 ms, other parts of the family tell up to 89.7 ms; without the crystal a ms may be 8 % less. */
#define ERASE_STEPS 50u

void hal_flash_write(uint32_t address, const uint32_t *words, uint32_t count) {
    NVMC_CONFIG = NVMC_WRITE;
    for (uint32_t i = 0; i < count; i++) {
        REG32(address + 4u * i) = words[i];
        __asm volatile("dsb" ::: "memory"); /* it has left the core before READY is asked */
        (void)wait_for_bits(NVMC_READY, 1u);
        follow_receiver();
    }
    NVMC_CONFIG = NVMC_READ_ONLY;
}

void hal_flash_erase(uint32_t address) {
    NVMC_CONFIG = NVMC_ERASE;
    NVMC_ERASEPAGEPARTIALCFG = ERASE_STEP_MS;
    for (uint32_t step = 0; step < ERASE_STEPS; step++) {
        NVMC_ERASEPAGEPARTIAL = address;
        __asm volatile("dsb" ::: "memory");
        (void)wait_for_bits(NVMC_READY, 1u);
        follow_receiver();
    }
    NVMC_CONFIG = NVMC_READ_ONLY;
}
#endif

void hal_reset(void) {
    system_reset(); /* ENDTX has told that the last byte left */
}

uint32_t hal_cycles(void) {
    return cycle_counter_read();
}

void hal_device_id(uint8_t id[8]) {
    store_word(id, REG32(SOC_DEVICE_ID));
    store_word(id + 4, REG32(SOC_DEVICE_ID + 4u));
}
