//! Durable records behind `ports::Store`.
