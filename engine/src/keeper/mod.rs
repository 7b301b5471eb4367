//! The process that holds one session: its exit record, its log, its end. Never a child of the engine.
