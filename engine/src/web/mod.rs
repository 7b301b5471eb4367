//! Pages, health and metrics.
