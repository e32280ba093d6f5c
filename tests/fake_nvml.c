/* A driver library that answers as FAKE_NVML says: the name of an answer below, or nothing for two healthy GPUs. */
#include <stdlib.h>
#include <string.h>

enum { SUCCESS, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_LOADED = 9, LOST = 15, MISMATCH = 18, UNKNOWN = 999 };

static int asked(const char *name)
{
    const char *value = getenv("FAKE_NVML");
    return value && strcmp(value, name) == 0;
}

static int start(void)
{
    if (asked("mismatch")) return MISMATCH;
    if (asked("not loaded")) return NOT_LOADED;
    if (asked("refused")) return NO_PERMISSION;
    if (asked("unknown")) return UNKNOWN;
    return SUCCESS;
}

int nvmlInit_v2(void) { return start(); }
int nvmlInitWithFlags(unsigned flags) { (void)flags; return start(); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "fake"; }

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = asked("none") ? 0 : 2;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle)
{
    if (asked("both refused") || (asked("first refused") && index == 0)) return NO_PERMISSION;
    *handle = (void *)(size_t)(index + 1);
    return SUCCESS;
}

int nvmlDeviceGetUUID(void *handle, char *text, unsigned length)
{
    strncpy(text, handle == (void *)1 ? "GPU-aaaaaaaa-0000" : "GPU-bbbbbbbb-0000", length);
    return SUCCESS;
}

int nvmlDeviceGetName(void *handle, char *text, unsigned length)
{
    (void)handle;
    if (asked("lost")) return LOST;
    strncpy(text, "Tesla V100-SXM2-16GB", length);
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *total_free_used)
{
    (void)handle;
    if (asked("no values")) return NOT_SUPPORTED;
    total_free_used[0] = 17179869184ULL;
    total_free_used[1] = total_free_used[2] = 0;
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *text, unsigned length)
{
    if (asked("no values")) return NO_PERMISSION;
    strncpy(text, "550.54.15", length);
    return SUCCESS;
}

/* An older driver has no such symbols. */
#ifndef OLD
int nvmlSystemGetCudaDriverVersion(int *version)
{
    *version = 12040;
    return SUCCESS;
}

int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor)
{
    (void)handle;
    *major = 7;
    *minor = 0;
    return SUCCESS;
}
#endif
