//! The command `wharf`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = engine::keeper::dispatch(&args).or_else(|| engine::demo::dispatch(&args)) {
        return code;
    }
    ExitCode::from(64)
}
