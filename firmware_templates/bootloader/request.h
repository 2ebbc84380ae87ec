/*
 * Requests for the bootloader, and the confirmation of an image on trial. For bootloader and application.
 */
#ifndef TINYC_REQUEST_H
#define TINYC_REQUEST_H

#include <stdint.h>

enum request {
    REQUEST_NONE = 0,
    REQUEST_TEST = 1,      /* try the secondary slot's image, come back unless it confirms itself */
    REQUEST_PERMANENT = 2, /* take it for good */
    REQUEST_TORN = 3,      /* the writing of a request was cut: no request, and no room for another */
};

/* What the secondary slot asks for: an enum request. */
uint32_t request_pending(void);

/*
 * Asks for a trial, or for good. Returns what is asked for then. REQUEST_TORN: the fields are not blank and
 * nothing was written; erase the trailer's page, write anew what its front held, and ask again.
 */
uint32_t request_test(uint32_t permanent);

/* Whether the running image may stay. */
uint32_t request_confirmed(void);

/* Confirms the running image. 1: it is confirmed. 0: the word is damaged, it cannot be. */
uint32_t request_confirm(void);

/* The same for the models' slots, 0 and 1, where the map has them. A model is used where it lies. */
uint32_t request_model_pending(uint32_t slot);
uint32_t request_model_test(uint32_t slot, uint32_t permanent);
uint32_t request_model_confirmed(uint32_t slot);
uint32_t request_model_confirm(uint32_t slot);

#endif
