/* SPDX-License-Identifier: Apache-2.0 */
/* replay — runs a fuzz target over the files of a folder, and over nothing at all: the corpus as a
 * unit test. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#include "base/ban.h"

/* The memory has exactly the size of the input, so that the sanitizer sees the first byte beyond.
 */
static int replay(FILE *file)
{
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    size_t n = size > 0 ? (size_t)size : 0;
    uint8_t *input = malloc(n ? n : 1);
    int result = input && fread(input, 1, n, file) == n ? LLVMFuzzerTestOneInput(input, n) : -1;
    free(input);
    return result;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    int inputs = 0, failures = LLVMFuzzerTestOneInput((const uint8_t *)"", 0) != 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!file)
            continue;
        failures += replay(file) != 0;
        fclose(file);
        inputs++;
    }
    closedir(folder);
    printf("%d inputs\n", inputs);
    return failures || !inputs;
}
