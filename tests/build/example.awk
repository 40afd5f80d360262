# The code in a header's first comment: its lines that are indented by three spaces.
/\*\// { exit }
sub(/^ \*   /, "") { print }
