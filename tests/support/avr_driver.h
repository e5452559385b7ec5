/* SPDX-License-Identifier: Apache-2.0 */
/* The serial port of an ATmega, on which bytes leave as hexadecimal digits; and how to stop the emulator. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <stdint.h>

static void put(uint8_t character) {
    while (!(UCSR0A & _BV(UDRE0))) {
    }
    UDR0 = character;
}

static void start(void) {
    UBRR0L = 0;
    UCSR0A = _BV(U2X0);
    UCSR0B = _BV(TXEN0);
}

static void stop(void) {
    put('\n');
    cli();
    sleep_enable();
    sleep_cpu();
}

static void fetch(void *to, const uint8_t *from, uint16_t size) {
    memcpy_P(to, from, size);
}

static void send(const void *from, uint16_t size) {
    const uint8_t *byte = static_cast<const uint8_t *>(from);
    for (uint16_t i = 0; i < size; i++) {
        put(static_cast<uint8_t>("0123456789abcdef"[byte[i] >> 4]));
        put(static_cast<uint8_t>("0123456789abcdef"[byte[i] & 15]));
        if (i % 32 == 31 || i + 1 == size) {
            put('\n');
        }
    }
}
