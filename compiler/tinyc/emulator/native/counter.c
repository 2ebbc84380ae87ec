/* Counts what the emulated core executes, from the block hook of the emulator's engine.

   The engine calls tinyc_count_block() before every translated block. A block that is not known
   yet is described by the host program, once; from then on it costs a table look-up. Stops are
   requested here and nowhere else, so that a block is always executed as a whole or not at all. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_LIMIT 1024u
#define STACK_LIMIT 256u

/* Of a Cortex-M; only such a core has interrupts that are masked. */
enum { REGISTER_PRIMASK = 123, REGISTER_BASEPRI = 124, REGISTER_FAULTMASK = 126 };

typedef struct {
    uint32_t address, size;
    uint32_t instructions, cycles, taken_cycles, sends_event;
    uint64_t count, taken;
    uint32_t watched, reserved; /* `watched`: index + 1 of the function that begins here, 0 for none */
} block_t;

typedef struct {
    uint32_t address, depth;
    uint64_t calls, instructions, cycles;
} watched_t;

typedef struct {
    uint32_t function, return_address, stack_pointer, reserved;
    uint64_t instructions, cycles;
} frame_t;

typedef struct counter counter_t;
typedef int (*describe_t)(uint32_t address, uint32_t size, block_t *block);
typedef int (*stop_t)(void *engine);
typedef int (*read_t)(void *engine, int reg, void *value);

struct counter {
    /* Shared with the host program; the order is fixed there too. */
    uint64_t instructions, cycles, deadline;
    uint32_t stop_request, masked_priority, event, stopped;
    uint32_t last_address, last_end, block_count, watch_count, misaligned, misaligned_pc;
    /* Private. */
    uint32_t depth, capacity, previous; /* `previous`: index + 1 of the block before, 0 for none */
    block_t *blocks;
    uint32_t *slots; /* index + 1, 0 for empty */
    watched_t watched[WATCH_LIMIT];
    frame_t stack[STACK_LIMIT];
    describe_t describe;
    stop_t stop;
    read_t read;
    int stack_pointer, link, status; /* the engine's numbers of registers; `status` 0: no IT blocks */
};

counter_t *tinyc_counter_new(describe_t describe, stop_t stop, read_t read, int stack_pointer, int link,
                             int status) {
    counter_t *counter = calloc(1, sizeof *counter);
    if (counter == NULL) return NULL;
    counter->capacity = 1u << 6; /* grows */
    counter->blocks = calloc(counter->capacity, sizeof *counter->blocks);
    counter->slots = calloc(2u * counter->capacity, sizeof *counter->slots);
    if (counter->blocks == NULL || counter->slots == NULL) {
        free(counter->blocks);
        free(counter->slots);
        free(counter);
        return NULL;
    }
    counter->describe = describe;
    counter->stop = stop;
    counter->read = read;
    counter->stack_pointer = stack_pointer;
    counter->link = link;
    counter->status = status;
    return counter;
}

void tinyc_counter_free(counter_t *counter) {
    free(counter->blocks);
    free(counter->slots);
    free(counter);
}

const block_t *tinyc_counter_blocks(const counter_t *counter) { return counter->blocks; }
const watched_t *tinyc_counter_watched(const counter_t *counter) { return counter->watched; }

static uint32_t *find_slot(const counter_t *counter, uint32_t address, uint32_t size) {
    const uint32_t mask = 2u * counter->capacity - 1u;
    uint32_t at = ((address >> 1) * 2654435761u + size) & mask;
    while (counter->slots[at] != 0u) {
        const block_t *block = &counter->blocks[counter->slots[at] - 1u];
        if (block->address == address && block->size == size) break;
        at = (at + 1u) & mask;
    }
    return &counter->slots[at];
}

static int grow(counter_t *counter) {
    const uint32_t capacity = 2u * counter->capacity;
    block_t *blocks = realloc(counter->blocks, capacity * sizeof *blocks);
    if (blocks == NULL) return 0;
    counter->blocks = blocks;
    uint32_t *slots = calloc(2u * (size_t)capacity, sizeof *slots);
    if (slots == NULL) return 0;
    free(counter->slots);
    counter->slots = slots;
    counter->capacity = capacity;
    for (uint32_t i = 0; i < counter->block_count; ++i)
        *find_slot(counter, blocks[i].address, blocks[i].size) = i + 1u;
    return 1;
}

static uint32_t read_register(const counter_t *counter, void *engine, int reg) {
    uint32_t value = 0;
    counter->read(engine, reg, &value);
    return value;
}

/* Whether the pending interrupt that was masked when the run began may be taken by now. */
static int unmasked(const counter_t *counter, void *engine) {
    if (read_register(counter, engine, REGISTER_PRIMASK) & 1u) return 0;
    if (read_register(counter, engine, REGISTER_FAULTMASK) & 1u) return 0;
    const uint32_t base = read_register(counter, engine, REGISTER_BASEPRI) & 0xFFu;
    return base == 0u || counter->masked_priority - 1u < base;
}

static uint32_t watched_at(const counter_t *counter, uint32_t address) {
    for (uint32_t i = 0; i < counter->watch_count; ++i)
        if (counter->watched[i].address == address) return i + 1u;
    return 0u;
}

/* Ends the watched calls that return to this block, and begins that of the function it starts. */
static void watch(counter_t *counter, void *engine, const block_t *block) {
    while (counter->depth > 0u) {
        const frame_t *top = &counter->stack[counter->depth - 1u];
        if (top->return_address != block->address) break;
        if (read_register(counter, engine, counter->stack_pointer) < top->stack_pointer) break;
        watched_t *function = &counter->watched[top->function];
        if (--function->depth == 0u) {
            function->instructions += counter->instructions - top->instructions;
            function->cycles += counter->cycles - top->cycles;
        }
        --counter->depth;
    }
    if (block->watched == 0u) return;
    const uint32_t function = block->watched - 1u;
    const uint32_t link = read_register(counter, engine, counter->link) & ~1u;
    const uint32_t stack = read_register(counter, engine, counter->stack_pointer);
    if (counter->depth > 0u) { /* a loop back to the entry is not a call */
        const frame_t *top = &counter->stack[counter->depth - 1u];
        if (top->function == function && top->return_address == link && top->stack_pointer == stack) return;
    }
    if (counter->depth == STACK_LIMIT) return;
    counter->stack[counter->depth++] =
        (frame_t){function, link, stack, 0u, counter->instructions, counter->cycles};
    ++counter->watched[function].calls;
    ++counter->watched[function].depth;
}

void tinyc_count_block(void *engine, uint64_t where, uint32_t size, void *user) {
    counter_t *counter = user;
    const uint32_t address = (uint32_t)where;
    if (counter->stopped) return;
    if (counter->stop_request || counter->cycles >= counter->deadline ||
        (counter->masked_priority != 0u && unmasked(counter, engine))) {
        /* An interrupt inside an IT block would need its state saved: wait for the next block. */
        if (counter->status == 0 || (read_register(counter, engine, counter->status) & 0x0600FC00u) == 0u) {
            counter->stopped = 1u;
            counter->stop(engine);
            return;
        }
    }
    uint32_t *slot = find_slot(counter, address, size);
    if (*slot == 0u) {
        block_t block = {address, size, 0, 0, 0, 0, 0, 0, watched_at(counter, address), 0};
        if ((counter->block_count == counter->capacity && !grow(counter)) ||
            counter->describe(address, size, &block) != 0) {
            counter->stopped = 1u;
            counter->stop(engine);
            return;
        }
        slot = find_slot(counter, address, size);
        counter->blocks[counter->block_count++] = block;
        *slot = counter->block_count;
    }
    if (counter->previous != 0u) {
        block_t *before = &counter->blocks[counter->previous - 1u];
        if (before->address + before->size != address) {
            ++before->taken;
            counter->cycles += before->taken_cycles;
        }
    }
    block_t *block = &counter->blocks[*slot - 1u];
    if (counter->watch_count != 0u) watch(counter, engine, block);
    ++block->count;
    counter->instructions += block->instructions;
    counter->cycles += block->cycles;
    counter->event |= block->sends_event;
    counter->previous = *slot;
    counter->last_address = address;
    counter->last_end = address + size;
}

typedef struct {
    counter_t *counter;
    uint32_t base; /* the engine's number of the base register */
} access_t;

/* Before an instruction that accesses several words, which the core refuses at odd addresses. */
void tinyc_check_alignment(void *engine, uint64_t where, uint32_t size, void *user) {
    const access_t *access = user;
    counter_t *counter = access->counter;
    (void)size;
    const uint32_t base = read_register(counter, engine, (int)access->base);
    if ((base & 3u) != 0u && counter->misaligned == 0u) {
        counter->misaligned = base;
        counter->misaligned_pc = (uint32_t)where;
        counter->stop(engine);
    }
}

/* The next block does not follow from the one before: an exception came between. */
void tinyc_counter_break(counter_t *counter, uint32_t cycles) {
    counter->previous = 0u;
    counter->cycles += cycles;
}

/* Starts the profile again; the time goes on. */
void tinyc_counter_reset(counter_t *counter) {
    for (uint32_t i = 0; i < counter->block_count; ++i)
        counter->blocks[i].count = counter->blocks[i].taken = 0u;
    for (uint32_t i = 0; i < counter->watch_count; ++i)
        counter->watched[i].calls = counter->watched[i].instructions = counter->watched[i].cycles = 0u;
    counter->instructions = 0u;
    for (uint32_t i = 0; i < counter->depth; ++i) {
        counter->stack[i].instructions = 0u;
        counter->stack[i].cycles = counter->cycles;
    }
}

/* Watches the `count` functions that begin at `addresses`; returns how many it took. */
uint32_t tinyc_counter_watch(counter_t *counter, const uint32_t *addresses, uint32_t count) {
    if (count > WATCH_LIMIT) count = WATCH_LIMIT;
    memset(counter->watched, 0, sizeof counter->watched);
    for (uint32_t i = 0; i < count; ++i) counter->watched[i].address = addresses[i];
    counter->watch_count = count;
    counter->depth = 0u;
    for (uint32_t i = 0; i < counter->block_count; ++i)
        counter->blocks[i].watched = watched_at(counter, counter->blocks[i].address);
    return count;
}
