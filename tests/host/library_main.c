/* Two libraries in one program: inputs of both models come on standard input, outputs go to standard output. */
#include <stdint.h>
#include <stdio.h>

#include <first_net_model.h>
#include <second_net_model.h>

static int take(void *to, size_t bytes) {
    return fread(to, 1, bytes, stdin) == bytes;
}

static void tell(const void *from, size_t bytes) {
    fwrite(from, 1, bytes, stdout);
}

int main(void) {
    while (take(first_net_input_0(), FIRST_NET_INPUT_0_SIZE) && take(first_net_input_1(), FIRST_NET_INPUT_1_SIZE) &&
           take(second_net_input_0(), SECOND_NET_INPUT_0_SIZE) && take(second_net_input_1(), SECOND_NET_INPUT_1_SIZE)) {
        first_net_invoke();
        second_net_invoke();
        tell(first_net_output_0(), FIRST_NET_OUTPUT_0_SIZE);
        tell(second_net_output_0(), SECOND_NET_OUTPUT_0_SIZE);
    }
    return 0;
}
