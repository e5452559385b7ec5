/* SPDX-License-Identifier: Apache-2.0 */
#include "@NAME@_text.h"

#include <float.h>
#include <stdlib.h>

#include "edgeling/common.h"

#if defined(__AVR__) /* flash is another address space there */
#include <avr/pgmspace.h>
#define TEXT_IN_FLASH PROGMEM
#define TEXT_BYTE(place) ((char)pgm_read_byte(place))
#define TEXT_COLUMN(made, place) memcpy_P(&(made), place, sizeof(made))
#define TEXT_LONGEST 48
#else
#define TEXT_IN_FLASH
#define TEXT_BYTE(place) (*(place))
#define TEXT_COLUMN(made, place) ((made) = *(place))
#define TEXT_LONGEST 400 /* characters of a number */
#endif

enum { NUMBER, CATEGORY, DAYS, MINUTES, TIME_OF_DAY };
enum { MAY_BE_MISSING = 1, DECIMAL_COMMA = 2, DAY_FIRST = 4, HAS_OTHERS = 8, SAYS_YES_AND_NO = 16, YES_COMES_FIRST = 32 };

typedef struct {
    uint32_t name;     /* where its name begins among the texts */
    uint32_t words;    /* where its categories begin */
    int32_t count;     /* of categories */
    int32_t epoch;     /* days since 1970-01-01 where the count of days or minutes begins */
    uint8_t kind, flags;
} text_column;

/* Every text ends with a zero byte. */
@TABLES@
static char text_at(uint32_t at) { return TEXT_BYTE(texts + at); }

static text_column column_at(int column) {
    text_column made;
    TEXT_COLUMN(made, columns + column);
    return made;
}

static char folded(char c) { return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

/* Where the text of that length is among words; -1: nowhere. Small letters and capitals may be the same. */
static int32_t find_word(uint32_t at, int32_t count, const char *text, int length, int fold) {
    for (int32_t word = 0; word < count; word++) {
        int same = 1, i = 0;
        for (char c = text_at(at); c != '\0'; c = text_at(++at), i++) {
            same = same && i < length && (c == text[i] || (fold && folded(c) == folded(text[i])));
        }
        at++;
        if (same && i == length) {
            return word;
        }
    }
    return -1;
}

static void copy_text(uint32_t at, int32_t skipped, char *text, int size) {
    for (; skipped > 0; at++) {
        skipped -= text_at(at) == '\0';
    }
    int i = 0;
    for (; i + 1 < size && text_at(at + (uint32_t)i) != '\0'; i++) {
        text[i] = text_at(at + (uint32_t)i);
    }
    if (size > 0) {
        text[i] = '\0';
    }
}

static int is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static int is_digit(char c) { return c >= '0' && c <= '9'; }

/* A number of any length as C writes it, with the mark that is usual in the column. */
static int parse_number(const char *text, int length, int flags, float *value) {
    char written[TEXT_LONGEST + 1], *end;
    int digits = 0;
    if (length > TEXT_LONGEST) {
        return EDGELING_TEXT_WRONG;
    }
    for (int i = 0; i < length; i++) {
        const char c = text[i];
        if (!is_digit(c) && c != '.' && c != ',' && c != '+' && c != '-' && c != 'e' && c != 'E') {
            return EDGELING_TEXT_WRONG;
        }
        digits += is_digit(c);
        written[i] = (char)(c == ',' && (flags & DECIMAL_COMMA) ? '.' : c);
    }
    written[length] = '\0';
    const double number = strtod(written, &end);
    if (!digits || *end != '\0' || number > (double)FLT_MAX || number < -(double)FLT_MAX) {
        return EDGELING_TEXT_WRONG;
    }
    *value = (float)number;
    return EDGELING_TEXT_OK;
}

/* Digits up to a limit; -1: there are none, or too many. */
static int32_t take_digits(const char **text, int most) {
    int32_t number = 0;
    int count = 0;
    for (; is_digit(**text) && count < most; (*text)++, count++) {
        number = 10 * number + (**text - '0');
    }
    return count ? number : -1;
}

static int take(const char **text, char mark) {
    if (**text != mark) {
        return 0;
    }
    (*text)++;
    return 1;
}

/* Seconds since midnight of 17:30, 17:30:15, 17:30:15.25, with AM or PM; -1: no such time. */
static int32_t take_time(const char **text) {
    int32_t hour = take_digits(text, 2), minute = -1, second = 0;
    if (take(text, ':')) {
        minute = take_digits(text, 2);
    }
    if (take(text, ':')) {
        second = take_digits(text, 2);
        if (second >= 0 && (take(text, '.') || take(text, ','))) {
            take_digits(text, 9);
        }
    }
    const char *behind = *text + (**text == ' ');
    const char half = folded(*behind);
    if ((half == 'a' || half == 'p') && folded(behind[1]) == 'm') {
        if (hour < 1 || hour > 12) {
            return -1;
        }
        hour = hour % 12 + (half == 'p' ? 12 : 0);
        *text = behind + 2;
    }
    return hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60
               ? -1
               : hour * 3600 + minute * 60 + second;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"). */
static int32_t days_of(int32_t year, int32_t month, int32_t day) {
    year -= month <= 2;
    const int32_t era = year / 400, of_era = year % 400;
    const int32_t of_year = (153 * (month + (month <= 2 ? 9 : -3)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int32_t length_of_month(int32_t year, int32_t month) {
    const int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 ? 28 + leap : 30 + (month + month / 8) % 2;
}

/* 2024-05-31, 31.5.2024 or 5/31/2024; false: no such date. */
static int take_date(const char **text, int flags, int32_t *days) {
    const char *begin = *text;
    int32_t first = take_digits(text, 4), second = -1, third = -1;
    const int long_first = *text - begin == 4;
    const char mark = **text;
    if ((mark == '-' || mark == '.' || mark == '/') && take(text, mark)) {
        second = take_digits(text, 2);
    }
    if (second >= 0 && take(text, mark)) {
        third = take_digits(text, 4);
    }
    int32_t year = long_first ? first : third, day = long_first ? third : first, month = second;
    if (!long_first && !((flags & DAY_FIRST) || mark == '.')) {
        day = second;
        month = first;
    }
    if (year < 1000 || month < 1 || month > 12 || day < 1 || day > length_of_month(year, month)) {
        return 0;
    }
    *days = days_of(year, month, day);
    return 1;
}

/* Minutes that a zone (Z, +02:00, -0530) is ahead of UTC. */
static int take_zone(const char **text, int32_t *minutes) {
    *minutes = 0;
    (void)take(text, ' ');
    if (take(text, 'Z') || take(text, 'z') || (**text != '+' && **text != '-')) {
        return 1;
    }
    const int32_t sign = *(*text)++ == '-' ? -1 : 1;
    const int32_t hours = take_digits(text, 2);
    const int is_longer = take(text, ':') || is_digit(**text);
    const int32_t rest = is_longer ? take_digits(text, 2) : 0;
    *minutes = sign * (hours * 60 + rest);
    return hours >= 0 && rest >= 0;
}

static int parse_date(const char *text, int length, text_column column, float *value) {
    const char *end = text + length;
    int32_t days = 0, seconds = 0, zone = 0;
    if (!take_date(&text, column.flags, &days)) {
        return EDGELING_TEXT_WRONG;
    }
    if (text != end) {
        if (!take(&text, 'T') && !take(&text, 't') && !take(&text, ' ')) {
            return EDGELING_TEXT_WRONG;
        }
        seconds = take_time(&text);
        if (seconds < 0 || !take_zone(&text, &zone) || text != end) {
            return EDGELING_TEXT_WRONG;
        }
    }
    const int32_t minutes = seconds / 60 - zone;
    const int32_t over = minutes < 0 ? -((1439 - minutes) / 1440) : minutes / 1440;
    days += over - column.epoch;
    *value = column.kind == DAYS ? (float)days : (float)((double)days * 1440.0 + (double)(minutes - over * 1440));
    return EDGELING_TEXT_OK;
}

static int parse_time(const char *text, int length, text_column column, float *value) {
    const char *at = text;
    const int32_t seconds = take_time(&at);
    if (seconds < 0 || at != text + length) {
        return parse_number(text, length, column.flags, value);
    }
    *value = (float)seconds;
    return EDGELING_TEXT_OK;
}

static int parse_category(const char *text, int length, text_column column, int is_missing, float *value) {
    int32_t found = find_word(column.words, column.count, text, length, 0);
    if (found < 0 && (column.flags & SAYS_YES_AND_NO)) {
        const int yes = find_word(YES_WORDS, YES_COUNT, text, length, 1) >= 0;
        if (yes || find_word(NO_WORDS, NO_COUNT, text, length, 1) >= 0) {
            found = yes != ((column.flags & YES_COMES_FIRST) != 0);
        }
    }
    *value = (float)found;
    return found >= 0 || is_missing || (column.flags & HAS_OTHERS) ? EDGELING_TEXT_OK : EDGELING_TEXT_UNSEEN;
}

int @NAME@_find_column(const char *name) {
    int length = 0;
    while (name[length] != '\0') {
        length++;
    }
    for (int i = 0; i < @UPPER@_COLUMNS; i++) {
        if (find_word(column_at(i).name, 1, name, length, 0) == 0) {
            return i;
        }
    }
    return -1;
}

int @NAME@_parse(int column, const char *text, float *value) {
    int length = 0;
    if (column < 0 || column >= @UPPER@_COLUMNS) {
        return EDGELING_TEXT_UNKNOWN;
    }
    const text_column asked = column_at(column);
    while (is_space(*text)) {
        text++;
    }
    while (text[length] != '\0') {
        length++;
    }
    while (length && is_space(text[length - 1])) {
        length--;
    }
    const int is_missing = !length || find_word(MISSING_WORDS, MISSING_COUNT, text, length, 1) >= 0;
    if (asked.kind == CATEGORY) {
        return parse_category(text, length, asked, is_missing, value);
    }
    if (is_missing) {
        *value = EDGELING_NAN;
        return asked.flags & MAY_BE_MISSING ? EDGELING_TEXT_OK : EDGELING_TEXT_MISSING;
    }
    if (asked.kind == DAYS || asked.kind == MINUTES) {
        return parse_date(text, length, asked, value);
    }
    if (asked.kind == TIME_OF_DAY) {
        return parse_time(text, length, asked, value);
    }
    return parse_number(text, length, asked.flags, value);
}

/* One cell, without its quotation marks; *line is what follows, null at the end. *equals is the mark between a name and
 * a value outside of quotation marks, if there is one. */
static char *take_cell(char **line, char **equals) {
    char *read = *line, *write = *line, *cell = *line;
    int quoted = 0;
    *equals = NULL;
    while (*read != '\0' && (quoted || (*read != ',' && *read != ';' && *read != '\t'))) {
        if (*read == '"' && quoted && read[1] == '"') {
            *write++ = *read++;
        } else if (*read == '"') {
            quoted = !quoted;
        } else {
            if (*read == '=' && !quoted && *equals == NULL) {
                *equals = write;
            }
            *write++ = *read;
        }
        read++;
    }
    *line = *read == '\0' ? NULL : read + 1;
    *write = '\0';
    return cell;
}

/* Without spaces around it. */
static char *trimmed(char *text) {
    char *end = text;
    while (is_space(*text)) {
        text++;
    }
    for (end = text; *end != '\0'; end++) {
    }
    while (end > text && is_space(end[-1])) {
        *--end = '\0';
    }
    return text;
}

static int is_lacking(int column, float value) {
    float nothing;
    return value != value && @NAME@_parse(column, "", &nothing) == EDGELING_TEXT_MISSING;
}

int @NAME@_parse_line(char *line, float *values, int *column) {
    int worst = EDGELING_TEXT_OK;
    *column = -1;
    for (int i = 0; i < @UPPER@_COLUMNS; i++) {
        (void)@NAME@_parse(i, "", values + i);
    }
    for (int place = 0; line != NULL; place++) {
        char *equals, *cell = take_cell(&line, &equals);
        int at = place;
        if (equals != NULL) {
            *equals = '\0';
            at = @NAME@_find_column(trimmed(cell));
            cell = equals + 1;
        } else if (line == NULL && place && *trimmed(cell) == '\0') {
            break; /* behind a mark at the end */
        }
        if (at < 0 || at >= @UPPER@_COLUMNS) {
            return EDGELING_TEXT_UNKNOWN;
        }
        const int status = @NAME@_parse(at, cell, values + at);
        if (status == EDGELING_TEXT_UNSEEN || status == EDGELING_TEXT_WRONG) {
            worst = status;
            *column = at;
        }
        if (status == EDGELING_TEXT_WRONG) {
            return status;
        }
    }
    for (int i = 0; i < @UPPER@_COLUMNS; i++) {
        if (is_lacking(i, values[i])) {
            *column = i;
            return EDGELING_TEXT_MISSING;
        }
    }
    return worst;
}

void @NAME@_column_name(int column, char *text, int size) {
    copy_text(column_at(column).name, 0, text, size);
}

void @NAME@_label_name(int label, char *text, int size) { copy_text(LABEL_WORDS, label, text, size); }
