/* A driver library with the functions of NVML that the harness and the trainer call, answering by a scenario.
 *
 * Compile with -DDRIVER=470 for a library without the functions that came after that driver. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>

#include "fake_nvml_scenario.h"

#ifndef DRIVER
#define DRIVER 575
#endif

/* The handle of a slice (MIG) is its GPU's and SLICE: but for its UUID, a slice answers as its GPU does. */
enum { SLICE = 64 };

static int gpu_of(void *handle) { return ((int)(intptr_t)handle - 1) % SLICE; }

static int number(int gpu, const char *key, unsigned long long *value)
{
    char text[TEXT];
    int code = answer(gpu, key, text);
    if (code == SUCCESS) *value = strtoull(text, NULL, 0);
    return code;
}

static int small(void *handle, const char *key, unsigned *value)
{
    unsigned long long wide = 0;
    int code = number(gpu_of(handle), key, &wide);
    if (code == SUCCESS) *value = (unsigned)wide;
    return code;
}

static int pair(void *handle, const char *first_key, const char *second_key, unsigned *first, unsigned *second)
{
    int code = small(handle, first_key, first);
    return code ? code : small(handle, second_key, second);
}

/* A whole line, spaces and all, unless it is an error. */
static int string(int gpu, const char *key, char *out, unsigned length)
{
    char first[TEXT];
    int code = answer(gpu, key, first);
    if (code == SUCCESS) snprintf(out, length, "%s", line_of(gpu, key)->answers);
    return code;
}

static int start(void)
{
    char text[TEXT];
    int code;
    if (!started_ms) {
        started_ms = now_ms();
        read_scenario();
    }
    code = answer(-1, "init", text);
    return code == NOT_SUPPORTED ? SUCCESS : code;
}

int nvmlInit_v2(void) { return start(); }
int nvmlInitWithFlags(unsigned flags) { (void)flags; return start(); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "fake"; }

int nvmlSystemGetDriverVersion(char *text, unsigned length) { return string(-1, "version", text, length); }

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = (unsigned)gpu_count;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle)
{
    char text[TEXT];
    int code = answer((int)index, "handle", text);
    *handle = (void *)(intptr_t)(index + 1);
    return code == NOT_SUPPORTED ? SUCCESS : code;
}

int nvmlDeviceGetIndex(void *handle, unsigned *index)
{
    *index = (unsigned)gpu_of(handle);
    return SUCCESS;
}

#define GIVES_TEXT(function, key) \
    int function(void *handle, char *text, unsigned length) { return string(gpu_of(handle), key, text, length); }

int nvmlDeviceGetUUID(void *handle, char *text, unsigned length)
{
    return string(gpu_of(handle), (intptr_t)handle > SLICE ? "slice" : "uuid", text, length);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle)
{
    char text[TEXT];
    for (int gpu = 0; gpu < gpu_count; gpu++)
        for (int slice = 0; slice <= SLICE; slice += SLICE)
            if (string(gpu, slice ? "slice" : "uuid", text, sizeof text) == SUCCESS && strcmp(text, uuid) == 0) {
                *handle = (void *)(intptr_t)(gpu + 1 + slice);
                return SUCCESS;
            }
    return NOT_FOUND;
}

GIVES_TEXT(nvmlDeviceGetName, "name")
GIVES_TEXT(nvmlDeviceGetVbiosVersion, "vbios")

/* nvmlPciInfo_t */
typedef struct {
    char legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
} Pci;

int nvmlDeviceGetPciInfo_v3(void *handle, Pci *pci)
{
    return string(gpu_of(handle), "pci", pci->bus_id, sizeof pci->bus_id);
}

int nvmlDeviceGetUtilizationRates(void *handle, unsigned *gpu_and_memory)
{
    return pair(handle, "utilisation", "memory_utilisation", gpu_and_memory, gpu_and_memory + 1);
}

int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *total_free_used)
{
    int code = number(gpu_of(handle), "memory_total", total_free_used);
    if (code == SUCCESS) code = number(gpu_of(handle), "memory_used", total_free_used + 2);
    total_free_used[1] = total_free_used[0] - total_free_used[2];
    return code;
}

#define GIVES_NUMBER(function, key) \
    int function(void *handle, unsigned *value) { return small(handle, key, value); }

GIVES_NUMBER(nvmlDeviceGetPowerUsage, "power")
GIVES_NUMBER(nvmlDeviceGetEnforcedPowerLimit, "power_limit")
GIVES_NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, "default_power_limit")
GIVES_NUMBER(nvmlDeviceGetPersistenceMode, "persistence")
GIVES_NUMBER(nvmlDeviceGetComputeMode, "compute_mode")
GIVES_NUMBER(nvmlDeviceGetVirtualizationMode, "virtualisation")
GIVES_NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, "pcie_generation")
GIVES_NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, "max_pcie_generation")
GIVES_NUMBER(nvmlDeviceGetCurrPcieLinkWidth, "pcie_lanes")
GIVES_NUMBER(nvmlDeviceGetMaxPcieLinkWidth, "max_pcie_lanes")

int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *mj)
{
    return number(gpu_of(handle), "energy", mj);
}

static int clock_of(void *handle, const char *prefix, unsigned kind, unsigned *mhz)
{
    char key[2 * KEY];
    snprintf(key, sizeof key, "%s%s", prefix, kind == 2 ? "memory_clock" : "sm_clock");
    return small(handle, key, mhz);
}

#define GIVES_CLOCK(function, prefix) \
    int function(void *handle, unsigned kind, unsigned *mhz) { return clock_of(handle, prefix, kind, mhz); }

GIVES_CLOCK(nvmlDeviceGetClockInfo, "")
GIVES_CLOCK(nvmlDeviceGetMaxClockInfo, "max_")
GIVES_CLOCK(nvmlDeviceGetApplicationsClock, "application_")
GIVES_CLOCK(nvmlDeviceGetDefaultApplicationsClock, "default_application_")

int nvmlDeviceGetTemperature(void *handle, unsigned sensor, unsigned *celsius)
{
    (void)sensor;
    return small(handle, "temperature", celsius);
}

int nvmlDeviceGetEccMode(void *handle, unsigned *current, unsigned *pending)
{
    return pair(handle, "ecc", "pending_ecc", current, pending);
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *handle, unsigned long long *bits)
{
    return number(gpu_of(handle), "event_reasons", bits);
}

#if DRIVER >= 535
int nvmlDeviceGetCurrentClocksEventReasons(void *handle, unsigned long long *bits)
{
    return number(gpu_of(handle), "event_reasons", bits);
}
#endif

/* nvmlProcessInfo_t, of v2 and v3; that of the first 535 drivers had one number more in v3 */
typedef struct {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
} Process;

static void children(char *out, size_t length)
{
    char path[64];
    size_t used = 0;
    DIR *folder = opendir("/proc/self/task");
    struct dirent *thread;
    out[0] = 0;
    while (folder && (thread = readdir(folder)) != NULL) {
        FILE *file;
        if (thread->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/self/task/%.20s/children", thread->d_name);
        if ((file = fopen(path, "r")) == NULL) continue;
        used += fread(out + used, 1, length - used - 1, file);
        out[used] = 0;
        fclose(file);
    }
    if (folder) closedir(folder);
}

/* The first of two calls, without an array, only counts; both must see the same answer. */
static int processes(void *handle, unsigned *count, char *out, size_t size)
{
    Line *line = line_of(gpu_of(handle), "processes");
    char text[TEXT], own[TEXT], *rest = text, *word;
    unsigned found = 0, room = *count;
    int code;

    if (out && line) line->calls--;
    if ((code = answer(gpu_of(handle), "processes", text)) != SUCCESS) return code;
    while ((word = strsep(&rest, ",")) != NULL) {
        char *pids = word, *pid;
        if (strcmp(word, "children") == 0) children(pids = own, sizeof own);
        while ((pid = strsep(&pids, " ")) != NULL) {
            if (!*pid || *pid == '-') continue;
            if (out && found < room) {
                memset(out + found * size, 0, size);
                *(Process *)(void *)(out + found * size) = (Process){(unsigned)atoi(pid), 1ULL << 30, ~0u, ~0u};
            }
            found++;
        }
    }
    *count = found;
    return found > room ? TOO_SMALL : SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v2(void *handle, unsigned *count, char *out)
{
    return processes(handle, count, out, sizeof(Process));
}
#if DRIVER >= 510
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, char *out)
{
    return processes(handle, count, out, sizeof(Process) + (DRIVER == 535) * sizeof(unsigned long long));
}
#endif

/* nvmlFieldValue_t */
typedef struct {
    unsigned id, scope;
    long long timestamp, latency_us;
    unsigned type;
    int code;
    unsigned long long value;
} Field;

#if DRIVER >= 396
int nvmlDeviceGetFieldValues(void *handle, int count, Field *fields)
{
    for (Field *field = fields; field < fields + count; field++) {
        char key[KEY];
        snprintf(key, sizeof key, "field_%u", field->id);
        field->type = 3; /* unsigned long long */
        field->code = number(gpu_of(handle), key, &field->value);
    }
    return lost[gpu_of(handle)] ? LOST : SUCCESS;
}
#endif

#if DRIVER >= 410
int nvmlSystemGetCudaDriverVersion(int *version)
{
    unsigned long long value = 0;
    int code = number(-1, "cuda", &value);
    *version = (int)value;
    return code;
}

int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor)
{
    return pair(handle, "major", "minor", (unsigned *)major, (unsigned *)minor);
}
#endif

#if DRIVER >= 450
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *slice, void **handle)
{
    char text[TEXT];
    int code = answer(gpu_of(slice), "parent", text);
    *handle = (void *)(intptr_t)(gpu_of(slice) + 1);
    return code == NOT_SUPPORTED ? SUCCESS : code;
}

int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending)
{
    return pair(handle, "mig", "pending_mig", current, pending);
}
#endif
