# The body of the C example in README.md.
/^```c$/ { inside = 1; next }
/^```$/ { inside = 0 }
inside && !/^#include/ { print }
