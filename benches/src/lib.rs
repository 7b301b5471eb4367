//! What the benchmarks share: sites, engines, load, and honest numbers.
//!
//! A benchmark prints ratios against a peer or a floor that ran beside it, taken in turns, and the
//! machine's load around them; its raw samples go to `benches/results/`. Knows nothing of the engine's
//! inside: it starts the command `wharf` that lies beside the benchmark, and talks to it as people
//! and scripts do. Read next: one file of `src/bin`; `RESULTS.md` has what was measured where.

pub mod http;
pub mod load;
pub mod machine;
pub mod nginx;
pub mod running;
pub mod samples;
pub mod site;

/// A benchmark that cannot go on says why.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
