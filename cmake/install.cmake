# filled by the build work
