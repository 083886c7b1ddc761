// A call through lazy.c brings every argument to the real library, in registers and on the stack, the first time and the second.
#include <stdio.h>
extern int cuFirst(void), cuSum(int, int, int, int, int, int, int, int, double, double, double);
int main(void) {
  for (int i = 0; i < 2; i++) {
    int sum = cuSum(1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 7.0);
    if (sum != 45) return printf("the sum is %d, not 45\n", sum), 1;
  }
  if (cuFirst() != 100) return puts("a function that is missing must answer 100"), 1;
  return 0;
}
