/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bare Cortex-M needs around a program: the vector table and the start-up. The generated harness includes this
 * file; the sections named .edgeling_harness are left out of what is measured.
 */
#include <stdint.h>

#define EDGELING_HARNESS __attribute__((section(".edgeling_harness.text"), noinline, used))

extern uint32_t edgeling_stack_top[], edgeling_data_load[], edgeling_data_start[], edgeling_data_end[];
extern uint32_t edgeling_bss_start[], edgeling_bss_end[];

void edgeling_setup(void);
void edgeling_ready(void);
void edgeling_reset(void);

/* The first word of flash is the initial stack pointer, the second where to start; 13 more system exceptions. */
__attribute__((section(".edgeling_harness.vectors"), used)) static void *const vectors[16] = {
    (void *)edgeling_stack_top, (void *)edgeling_reset};

/* Where a started chip waits, and where every emulated call returns to. */
EDGELING_HARNESS void edgeling_ready(void) {
    for (;;) __asm__ volatile("nop");
}

EDGELING_HARNESS void edgeling_reset(void) {
#if defined(__ARM_FP)
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: full access to the float unit */
    __asm__ volatile("dsb\n\tisb");
#endif
    const uint32_t *load = edgeling_data_load;
    for (uint32_t *word = edgeling_data_start; word < edgeling_data_end;) *word++ = *load++;
    for (uint32_t *word = edgeling_bss_start; word < edgeling_bss_end;) *word++ = 0;
    edgeling_setup();
    edgeling_ready();
}
