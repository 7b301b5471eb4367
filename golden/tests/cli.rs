//! What commands print and how they end (`cases/cli`), asked of the real program.

use golden::{cases, cli_cases};
use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let cases = match cases::read("cli", &[]) {
        Ok(cases) => cases,
        Err(wrong) => panic!("{wrong}"),
    };
    // Built once, before many look for it.
    golden::real::wharf();
    let trials = cases.into_iter().map(|case| {
        Trial::test(case.name.clone(), move || {
            let wanted = cli_cases::run(&case.text)?;
            cases::hold(&case.path, &case.text, &wanted)?;
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
