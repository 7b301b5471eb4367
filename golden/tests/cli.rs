//! What commands print and how they end (`cases/cli`), asked of the real program.

use std::sync::Arc;

use golden::{cases, cli_cases};
use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let cases = match cases::read("cli", &[]) {
        Ok(cases) => cases,
        Err(wrong) => panic!("{wrong}"),
    };
    let program = match cli_cases::Reachable::new() {
        Ok(program) => Arc::new(program),
        Err(error) => panic!("the program cannot be copied: {error}"),
    };
    let trials = cases.into_iter().map(|case| {
        let program = Arc::clone(&program);
        Trial::test(case.name.clone(), move || {
            let wanted = cli_cases::run(&case.text, &program)?;
            cases::hold(&case.path, &case.text, &wanted)?;
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(program);
    conclusion.exit();
}
