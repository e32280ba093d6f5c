/* The scenario that fake_nvml.c answers by: the file named in FAKE_NVML_SCENARIO; without one there is no GPU.
 *
 * A line is a word, for a GPU its number, a key, and the answers to one call after another in this process, the last of
 * which repeats:
 *
 *     driver version 550.54.15          a text is one answer, with its spaces
 *     driver cuda 12040
 *     driver init mismatch              an error word, or !18, is an answer anywhere
 *     gpu 0 uuid GPU-aaaaaaaa-0000
 *     gpu 0 utilisation 10 20 not-supported 30
 *     gpu 0 energy 1000 +500            grows by 500 a call
 *     gpu 0 energy rate 250 step 20 from 1000   grows by 250 a millisecond, in steps of 20 ms of the machine's clock
 *     gpu 0 field_74 0 +1000000
 *     gpu 0 processes 100 100,4242 - children    none; the children of this process
 *     gpu 0 slice MIG-1111              the UUID of a slice of it; `parent` is what asking for its GPU answers
 *     gpu 0 gone 3500                   every call answers "lost" so many ms after the library was started
 *     gpu 0 hang_power 60000 6          the sixth call of `power` answers after so many ms
 *
 * `lost` once answered is the answer of that GPU to every later call. A key that is not there is not supported.
 * GPUs are counted by the library in the order of their numbers, whatever their PCI address. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* nvmlReturn_t */
enum { SUCCESS, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, TOO_SMALL = 7, NOT_LOADED = 9, LOST = 15 };
enum { MOST_GPUS = 8, MOST_LINES = 512, KEY = 40, TEXT = 512 };

typedef struct {
    int gpu; /* -1: the driver */
    char key[KEY];
    char answers[TEXT];
    unsigned long calls;
} Line;

static Line lines[MOST_LINES];
static int line_count, gpu_count;
static int lost[MOST_GPUS];
static long long started_ms;

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void read_scenario(void)
{
    const char *path = getenv("FAKE_NVML_SCENARIO");
    FILE *file = path && *path ? fopen(path, "r") : NULL;
    char text[TEXT + KEY + 32];

    line_count = gpu_count = 0;
    memset(lost, 0, sizeof lost);
    while (file && line_count < MOST_LINES && fgets(text, sizeof text, file)) {
        Line *line = &lines[line_count];
        line->gpu = -1;
        line->calls = 0;
        line->answers[0] = 0;
        text[strcspn(text, "#\n")] = 0;
        if (sscanf(text, "gpu %d %39s %511[^\n]", &line->gpu, line->key, line->answers) < 2 &&
            sscanf(text, "driver %39s %511[^\n]", line->key, line->answers) < 1)
            continue;
        if (line->gpu >= MOST_GPUS) continue;
        if (line->gpu >= gpu_count) gpu_count = line->gpu + 1;
        line_count++;
    }
    if (file) fclose(file);
}

static int error_of(const char *word)
{
    static const struct { const char *word; int code; } words[] = {
        {"not-supported", NOT_SUPPORTED}, {"no-permission", NO_PERMISSION}, {"not-found", NOT_FOUND},
        {"not-loaded", NOT_LOADED}, {"lost", LOST}, {"reset-required", 16}, {"mismatch", 18}, {"unknown", 999},
    };
    if (word[0] == '!') return atoi(word + 1);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i].word) == 0) return words[i].code;
    return SUCCESS;
}

static Line *line_of(int gpu, const char *key)
{
    for (int i = 0; i < line_count; i++)
        if (lines[i].gpu == gpu && strcmp(lines[i].key, key) == 0) return &lines[i];
    return NULL;
}

static int told(char *out, long long value)
{
    snprintf(out, TEXT, "%lld", value);
    return SUCCESS;
}

static void hang(int gpu, const char *key)
{
    char name[KEY + 8];
    long ms = 0, which = 0;
    Line *line;

    snprintf(name, sizeof name, "hang_%s", key);
    if ((line = line_of(gpu, name)) && sscanf(line->answers, "%ld %ld", &ms, &which) == 2 &&
        (long)++line->calls == which)
        for (long long end = now_ms() + ms; now_ms() < end;) usleep(10000);
}

/* The answer to this call of the key, as text of TEXT characters. */
static int answer(int gpu, const char *key, char *out)
{
    Line *gone = gpu < 0 ? NULL : line_of(gpu, "gone"), *line = line_of(gpu, key);
    char words[TEXT], *rest = words, *word;
    long long watts, step_ms, from;
    unsigned long call, listed = 0;
    int code;

    hang(gpu, key);
    if (gone && now_ms() - started_ms >= atoll(gone->answers)) lost[gpu] = 1;
    if (gpu >= 0 && lost[gpu]) return LOST;
    if (!line) return NOT_SUPPORTED;
    call = line->calls++;
    if (sscanf(line->answers, "rate %lld step %lld from %lld", &watts, &step_ms, &from) == 3)
        return told(out, from + now_ms() / step_ms * step_ms * watts);
    strcpy(words, line->answers);
    out[0] = 0;
    while (listed <= call && (word = strsep(&rest, " ")) != NULL) {
        if (*word == '+') return told(out, atoll(out) + atoll(word + 1) * (long long)(call - listed + 1));
        if (*word) {
            strcpy(out, word);
            listed++;
        }
    }
    code = error_of(out);
    if (code == LOST && gpu >= 0) lost[gpu] = 1;
    return code;
}
