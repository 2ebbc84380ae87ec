/* Streaming linear discriminant analysis with a covariance frozen at the factory (Hayes and Kanan 2020,
 * "Lifelong machine learning with deep streaming linear discriminant analysis", section 3). The C twin of
 * tinyc/learning/heads/slda.py.
 *
 * x is the latent less a constant centre, where it pays after a curve that evens out the spread of large and
 * small values; P the inverse of the shared covariance: a table of int16 rows with
 * one float factor each. With S the sum of the samples of a class, the state keeps
 *   sums[c] = P S and squares[c] = S' P S,
 * so that a sample costs one product P x, and a score one dot product. */
#include "learn_head.h"
#include "learn_math.h"
#include "learn_tables.h"

#define COLUMNS ((LEARN_LATENT + 3u) & ~3u)

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
typedef uint32_t __attribute__((may_alias)) learn_word;

/* The two words at *from, which moves on: one instruction. Left to itself, a compiler adds to the pointers. */
LEARN_INLINE void next_words(const learn_word **from, uint32_t *first, uint32_t *second) {
    uint32_t a, b;
    const learn_word *at = *from;
    __asm__ volatile("ldrd %0, %1, [%2], #8" : "=&r"(a), "=&r"(b), "+&r"(at) : : "memory");
    *from = at;
    *first = a;
    *second = b;
}

/* Rows i and i + 1 of the table times elements first to last - 1 of x, exactly: the table is made such that no
 * sum leaves int32. `first` and `last` are multiples of four. */
LEARN_INLINE void row_pair(const int16_t *x, uint32_t i, uint32_t first, uint32_t last, int32_t *y) {
    const learn_word *p = (const learn_word *)(const void *)(learn_precision + i * COLUMNS + first);
    const learn_word *r = p + COLUMNS / 2u;
    const learn_word *q = (const learn_word *)(const void *)(x + first);
    const learn_word *const end = (const learn_word *)(const void *)(x + last);
    int32_t a = 0, b = 0;
/* Four columns of both rows. */
#define FOUR                            \
    do {                                \
        uint32_t x0, x1, w0, w1;        \
        next_words(&q, &x0, &x1);       \
        next_words(&p, &w0, &w1);       \
        a = learn_smlad(w0, x0, a);     \
        a = learn_smlad(w1, x1, a);     \
        next_words(&r, &w0, &w1);       \
        b = learn_smlad(w0, x0, b);     \
        b = learn_smlad(w1, x1, b);     \
    } while (0)
    if ((last - first) / 4u % 2u != 0u) FOUR;
    while (q < end) {
        FOUR;
        FOUR;
    }
#undef FOUR
    y[0] = a;
    y[1] = b;
}
#else
LEARN_INLINE void row_pair(const int16_t *x, uint32_t i, uint32_t first, uint32_t last, int32_t *y) {
    const int16_t *p = learn_precision + i * COLUMNS;
    int32_t a = 0, b = 0;
    for (uint32_t j = first; j < last; j++) {
        a += (int32_t)p[j] * x[j];
        b += (int32_t)p[COLUMNS + j] * x[j];
    }
    y[0] = a;
    y[1] = b;
}
#endif

/* Element j of x. */
LEARN_INLINE int32_t element(const int8_t *latent, uint32_t j) {
#if LEARN_CURVE
    return learn_curve[latent[j] + 128] - learn_centre[j];
#else
    return latent[j] - learn_centre[j];
#endif
}

/* x as integers, with zeros up to a multiple of four. */
LEARN_INLINE void centre(const int8_t *latent, int16_t *x) {
    const uint32_t whole = LEARN_LATENT & ~3u;
    uint32_t k = 0;
    for (; k < whole; k += 4u) {
        x[k] = (int16_t)element(latent, k);
        x[k + 1u] = (int16_t)element(latent, k + 1u);
        x[k + 2u] = (int16_t)element(latent, k + 2u);
        x[k + 3u] = (int16_t)element(latent, k + 3u);
    }
    for (; k < LEARN_LATENT; k++) x[k] = (int16_t)element(latent, k);
    for (uint32_t j = LEARN_LATENT; j < COLUMNS; j++) x[j] = 0;
}

uint32_t learn_head_scores(const struct learn_head *head, const int8_t *latent, float *scores) {
    float x[LEARN_LATENT];
    const uint32_t whole = LEARN_LATENT & ~3u;
    uint32_t k = 0;
    for (; k < whole; k += 4u) {
        x[k] = (float)element(latent, k);
        x[k + 1u] = (float)element(latent, k + 1u);
        x[k + 2u] = (float)element(latent, k + 2u);
        x[k + 3u] = (float)element(latent, k + 3u);
    }
    for (; k < LEARN_LATENT; k++) x[k] = (float)element(latent, k);
    learn_dots(head->sums, LEARN_CAPACITY, x, LEARN_LATENT, scores);
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) {
        if (head->counts[c] == 0u) {
            scores[c] = LEARN_NO_SCORE;
            continue;
        }
        /* The mean is S / (n + prior): few samples are drawn to the centre. */
        const float weight = 1.0f / ((float)head->counts[c] + LEARN_PRIOR);
        const float length = head->squares[c] * weight;
        const float half = length * weight * 0.5f;
        float score = scores[c] * weight - half;
        score = score + LEARN_BIAS * weight;
        scores[c] = score;
    }
    return learn_best(scores, LEARN_CAPACITY);
}

/* near + 2 far; the sum may leave int32. */
LEARN_INLINE float twice(int32_t near, int32_t far) {
    const float once = (float)far;
    return (once + once) + (float)near;
}

float learn_head_surprise(const struct learn_head *head, const int8_t *latent, const float *scores) {
    /* x'Px - 2 max (P m)'x - m'Pm / 2 is the squared Mahalanobis distance to the nearest mean. P is
     * symmetric: what lies right of the four columns around the diagonal counts twice, what lies left is left
     * out. */
    int16_t x[COLUMNS] LEARN_ALIGNED;
    float own = 0.0f;
    (void)head;
    centre(latent, x);
    for (uint32_t i = 0; i < LEARN_LATENT; i += 2u) {
        int32_t near[2], far[2];
        const uint32_t block = i & ~3u;
        row_pair(x, i, block, block + 4u, near);
        row_pair(x, i, block + 4u, COLUMNS, far);
        own = own + (float)x[i] * (twice(near[0], far[0]) * learn_factors[i]);
        if (i + 1u < LEARN_LATENT) {
            own = own + (float)x[i + 1u] * (twice(near[1], far[1]) * learn_factors[i + 1u]);
        }
    }
    const float nearest = scores[learn_best(scores, LEARN_CAPACITY)];
    return (own - (nearest + nearest)) * LEARN_SURPRISE;
}

/* Element i of P x into the sums of a class. */
#define STEP(i, row)                                   \
    do {                                               \
        const float u = (float)(row) * learn_factors[i]; \
        const float xi = (float)x[i], g = sums[i];     \
        cross = cross + xi * g;                        \
        own = own + xi * u;                            \
        sums[i] = g + u;                               \
    } while (0)

void learn_head_update(struct learn_head *head, const int8_t *latent, uint32_t label) {
    if (label >= LEARN_CAPACITY) return;
    int16_t x[COLUMNS] LEARN_ALIGNED;
    float *const sums = head->sums + label * LEARN_LATENT;
    uint32_t count = head->counts[label];
    float square = head->squares[label];
    float cross = 0.0f, own = 0.0f;
    if (count == 0u) {
        for (uint32_t j = 0; j < LEARN_LATENT; j++) sums[j] = 0.0f;
        square = 0.0f;
    } else if (count >= LEARN_FORGET) {
        /* From here on the mean forgets: old samples fade by this factor with each new one. */
        const float keep = (float)(LEARN_FORGET - 1) / (float)LEARN_FORGET;
        for (uint32_t j = 0; j < LEARN_LATENT; j++) sums[j] = sums[j] * keep;
        square = square * keep * keep;
        count = LEARN_FORGET - 1u;
    }
    centre(latent, x);
    for (uint32_t i = 0; i < LEARN_LATENT; i += 2u) {
        int32_t y[2];
        row_pair(x, i, 0, COLUMNS, y);
        STEP(i, y[0]);
        if (i + 1u < LEARN_LATENT) STEP(i + 1u, y[1]);
    }
    square = square + (cross + cross);
    head->squares[label] = square + own;
    head->counts[label] = count + 1u;
}

uint32_t learn_head_valid(const struct learn_head *head) {
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) {
        if (head->counts[c] > LEARN_FORGET) return 0;
    }
    return learn_all_finite(head->squares, LEARN_CAPACITY) &&
           learn_all_finite(head->sums, LEARN_CAPACITY * LEARN_LATENT);
}
