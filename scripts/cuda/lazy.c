// Stands in for a CUDA library at link time and loads the real one at the first call, so that one extension loads
// on machines with and without CUDA. Compiled with LIBRARY, its soname, and names.inc, a NAME(function) a line.
#include <dlfcn.h>

#define NAME(function) #function,
static const char *const names[] = {
#include "names.inc"
};
#undef NAME

static void *slots[sizeof names / sizeof *names] __attribute__((used));

// Nothing else is called once cuInit has failed. 100 is CUDA_ERROR_NO_DEVICE, and an error in the other libraries too.
static int unavailable(void) { return 100; }

static void *resolve(unsigned index) __attribute__((used));
static void *resolve(unsigned index) {
  static void *library;
  if (!library) library = dlopen(LIBRARY, RTLD_NOW | RTLD_GLOBAL);
  void *function = library ? dlsym(library, names[index]) : 0;
  return slots[index] = function ? function : (void *)unavailable;
}

// %r10 and %r11 belong to no argument (System V x86-64). 7 pushes and 128 bytes keep the stack aligned for the call.
__asm__(
    ".text\n"
    "forward:\n"
    "  lea slots(%rip), %r10\n  mov (%r10,%r11,8), %r10\n  test %r10, %r10\n  jz 1f\n  jmp *%r10\n"
    "1: push %rdi\n  push %rsi\n  push %rdx\n  push %rcx\n  push %r8\n  push %r9\n  push %rax\n  sub $128, %rsp\n"
    "  movups %xmm0, (%rsp)\n  movups %xmm1, 16(%rsp)\n  movups %xmm2, 32(%rsp)\n  movups %xmm3, 48(%rsp)\n"
    "  movups %xmm4, 64(%rsp)\n  movups %xmm5, 80(%rsp)\n  movups %xmm6, 96(%rsp)\n  movups %xmm7, 112(%rsp)\n"
    "  mov %r11d, %edi\n  call resolve\n  mov %rax, %r10\n"
    "  movups (%rsp), %xmm0\n  movups 16(%rsp), %xmm1\n  movups 32(%rsp), %xmm2\n  movups 48(%rsp), %xmm3\n"
    "  movups 64(%rsp), %xmm4\n  movups 80(%rsp), %xmm5\n  movups 96(%rsp), %xmm6\n  movups 112(%rsp), %xmm7\n"
    "  add $128, %rsp\n  pop %rax\n  pop %r9\n  pop %r8\n  pop %rcx\n  pop %rdx\n  pop %rsi\n  pop %rdi\n  jmp *%r10\n");

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)
#define NAME(function)                                                               \
  __asm__(".globl " #function "\n.type " #function ", @function\n" #function ":\n" \
          "  mov $" NUMBER(__COUNTER__) ", %r11d\n  jmp forward\n");
#include "names.inc"
