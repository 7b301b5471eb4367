//! The command `wharf`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The hidden commands come first and load nothing else: a keeper lives as long as its session.
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = engine::keeper::dispatch(&args).or_else(|| engine::demo::dispatch(&args)) {
        return code;
    }
    engine::cli::main()
}
