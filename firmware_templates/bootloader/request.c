/*
 * Requests and confirmation: which trailer has them.
 */
#include "request.h"

#include "trailer.h"

uint32_t request_pending(void) {
    return trailer_pending(SECONDARY_END);
}

uint32_t request_test(uint32_t permanent) {
    return trailer_ask(SECONDARY_END, permanent);
}

uint32_t request_confirmed(void) {
    return trailer_confirmed(PRIMARY_END);
}

uint32_t request_confirm(void) {
    return trailer_confirm(PRIMARY_END);
}

#if SLOT_MODEL_PAGES

uint32_t request_model_pending(uint32_t slot) {
    return trailer_pending(MODEL_END(slot));
}

uint32_t request_model_test(uint32_t slot, uint32_t permanent) {
    return trailer_ask(MODEL_END(slot), permanent);
}

uint32_t request_model_confirmed(uint32_t slot) {
    return trailer_confirmed(MODEL_END(slot));
}

uint32_t request_model_confirm(uint32_t slot) {
    return trailer_confirm(MODEL_END(slot));
}

#endif
