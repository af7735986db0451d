//! RDB files and streams: read key by key, judged, and written.
