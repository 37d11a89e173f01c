"""The programs: flags, error lines and exit codes; each makes one call into the package."""
