//! Logs and progress for people and for log collectors.
