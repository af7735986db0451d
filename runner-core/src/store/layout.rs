//! Names of objects: where a backup lies, and what its name tells.
