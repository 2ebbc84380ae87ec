/*
 * Finds the model that this firmware runs. Whether its bytes are the signed ones is the bootloader's to say; here
 * it is made sure that the two belong together, and that a damaged body does no harm.
 */
#include "model.h"

#include <string.h>

#include "model_firmware.h"
#include "model_use.h"
#include "request.h"
#include "retained.h"
#include "slots.h"

#define SLOTS 2u
/* Larger counts are damage; products of them do not overflow. */
#define MOST 0xFFFFu

static const struct tinyc_model *active;
static uint32_t decided;
static struct model_refusal refusals[SLOTS];

static const uint8_t kernel_set[TINYC_DIGEST_BYTES] = {MODEL_KERNEL_SET};
static const uint8_t front_end[TINYC_DIGEST_BYTES] = {MODEL_FRONT_END_DIGEST};

static uint32_t refuse(struct model_refusal *why, uint32_t fault, const void *wanted, const void *there, uint32_t bytes) {
    why->fault = fault;
    why->bytes = bytes;
    memcpy(why->wanted, wanted, bytes);
    memcpy(why->there, there, bytes);
    return 0u;
}

static uint32_t refuse_plain(struct model_refusal *why, uint32_t fault) {
    why->fault = fault;
    return 0u;
}

static uint32_t refuse_number(struct model_refusal *why, uint32_t fault, uint32_t wanted, uint32_t there) {
    return refuse(why, fault, &wanted, &there, sizeof wanted);
}

/* Whether `size` bytes at `data` are a part of the body. */
static uint32_t inside(const struct tinyc_model *model, const void *data, uint32_t size, uint32_t alignment) {
    const uintptr_t at = (uintptr_t)data, start = (uintptr_t)model, end = (uintptr_t)model->end;
    return at >= start && at <= end && size <= end - at && at % alignment == 0u;
}

/* Inputs or outputs: in the arena, and together as many bytes as the model says. */
static uint32_t ports_fit(const struct tinyc_model *model, const struct tensor_place *ports, uint32_t count,
                          uint32_t bytes) {
    if (count > MOST || !inside(model, ports, count * (uint32_t)sizeof *ports, 4u)) {
        return 0u;
    }
    uint32_t sum = 0u;
    for (uint32_t i = 0; i < count; i++) {
        if (ports[i].size > model->arena.size || ports[i].offset > model->arena.size - ports[i].size ||
            sum > UINT32_MAX - ports[i].size) {
            return 0u;
        }
        sum += ports[i].size;
    }
    return sum == bytes;
}

/* All but the steps. */
static uint32_t is_sound(const struct tinyc_model *model, uintptr_t limit) {
    const uintptr_t end = (uintptr_t)model->end;
    if (end < (uintptr_t)model + sizeof *model || end > limit || model->arena.offset != 0u) {
        return 0u;
    }
    return model->layer_count <= MOST && model->kernel_count <= TINYC_MODEL_KERNELS &&
           inside(model, model->steps, model->layer_count * (uint32_t)sizeof *model->steps, 4u) &&
           inside(model, model->kernels, model->kernel_count * TINYC_DIGEST_BYTES, 1u) &&
           inside(model, model->name, model->name_bytes, 1u) &&
           inside(model, model->version, model->version_bytes, 1u) && model->input_count > 0u &&
           ports_fit(model, model->inputs, model->input_count, model->input_bytes) &&
           ports_fit(model, model->outputs, model->output_count, model->output_bytes) &&
           model->features.offset <= model->arena.size;
}

static uint32_t find_kernels(const struct tinyc_model *model, struct model_refusal *why) {
    for (uint32_t i = 0; i < model->kernel_count; i++) {
        uint32_t number = 0u;
        while (number < MODEL_KERNEL_COUNT &&
               memcmp(model->kernels[i], model_kernel_digests[number], TINYC_DIGEST_BYTES) != 0) {
            number++;
        }
        if (number == MODEL_KERNEL_COUNT) {
            return refuse(why, MODEL_KERNEL, model->kernels[i], kernel_set, TINYC_DIGEST_BYTES);
        }
        model_kernel_cases[i] = (uint8_t)number;
    }
    return 1u;
}

static uint32_t steps_are_sound(const struct tinyc_model *model) {
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct tinyc_step *const step = model->steps + i;
        if (step->kernel >= model->kernel_count || !inside(model, step->params, 1u, 4u)) {
            return 0u;
        }
        const uint32_t places = model_kernel_places[model_kernel_cases[step->kernel]];
        if (!inside(model, step->places, 4u * places, 4u)) {
            return 0u;
        }
        for (uint32_t place = 0; place < places; place++) {
            if (step->places[place] > model->arena.size) {
                return 0u;
            }
        }
    }
    return 1u;
}

uint32_t model_fits(uintptr_t address, struct model_refusal *why) {
    const struct tinyc_model *const model = (const struct tinyc_model *)address;
    if (model->magic != TINYC_MODEL_MAGIC) {
        return refuse_plain(why, MODEL_ABSENT);
    }
    if (model->format != TINYC_MODEL_FORMAT) {
        return refuse_number(why, MODEL_FORMAT, model->format, TINYC_MODEL_FORMAT);
    }
    if (!is_sound(model, address + MODEL_BODY_BYTES)) {
        return refuse_plain(why, MODEL_DAMAGED);
    }
    if (model->arena.size > MODEL_ARENA_BYTES) {
        return refuse_number(why, MODEL_ARENA, model->arena.size, MODEL_ARENA_BYTES);
    }
    if (memcmp(model->front_end, front_end, sizeof front_end) != 0 ||
        (MODEL_FRONT_END_INPUT != 0u && model->inputs[0].size != MODEL_FRONT_END_INPUT)) {
        return refuse(why, MODEL_FRONT_END, model->front_end, front_end, sizeof front_end);
    }
    if (!find_kernels(model, why)) {
        return 0u;
    }
    if (model->features.offset + MODEL_FRONT_END_BYTES > model->arena.size || !steps_are_sound(model)) {
        return refuse_plain(why, MODEL_DAMAGED);
    }
    why->fault = MODEL_RUNS;
    return 1u;
}

static const uintptr_t bodies[SLOTS] = {MODEL_BODY_0, MODEL_BODY_1};

static uint32_t chosen(const struct boot_report *report) {
    return report->model == SLOT_MODEL_0 ? 0u : report->model == SLOT_MODEL_1 ? 1u : MODEL_NO_SLOT;
}

/* The bootloader says which slot's model to use, and no other one is. Started without it: slot 0 first. */
static void decide(void) {
    const struct boot_report *const report = retained_report();
    decided = 1u;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (report != 0 && chosen(report) == MODEL_NO_SLOT) {
            (void)refuse_plain(&refusals[slot], MODEL_INVALID);
        } else if (active != 0 || (report != 0 && chosen(report) != slot)) {
            (void)refuse_plain(&refusals[slot], MODEL_UNASKED);
        } else if (model_fits(bodies[slot], &refusals[slot])) {
            active = (const struct tinyc_model *)bodies[slot];
        }
    }
}

const struct tinyc_model *tinyc_model_active(void) {
    if (!decided) {
        decide();
    }
    return active;
}

uint32_t model_in_use(void) {
    const struct boot_report *const report = retained_report();
    if (report != 0) {
        return chosen(report);
    }
    const uintptr_t body = (uintptr_t)tinyc_model_active();
    return body == bodies[0] ? 0u : body == bodies[1] ? 1u : MODEL_NO_SLOT;
}

uint32_t model_on_trial(void) {
    const struct boot_report *const report = retained_report();
    return report != 0 && (report->trial & BOOT_TRIAL_MODEL) != 0u && !request_model_confirmed(model_in_use());
}

uint32_t model_would_run(uint32_t slot) {
    struct model_refusal why;
    if (active == (const struct tinyc_model *)bodies[slot]) {
        return 1u;
    }
    const uint32_t fits = model_fits(bodies[slot], &why);
    if (active != 0) {
        (void)model_fits((uintptr_t)active, &why); /* the cases of its kernels again */
    }
    return fits;
}

const struct model_refusal *model_refusal(uint32_t slot) {
    return &refusals[slot];
}
