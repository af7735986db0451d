//! Client programs: a child process whose output ends only after its good exit.
