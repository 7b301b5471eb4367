//! Runs the cases of `cases/parse`, each as a test of its own.

use golden::parse_cases::{cases, run};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let trials = match cases() {
        Ok(cases) => cases
            .into_iter()
            .map(|case| {
                let name = case.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                Trial::test(name, move || run(&case).map_err(Failed::from))
            })
            .collect(),
        Err(message) => vec![Trial::test("cases", || Err(Failed::from(message)))],
    };
    libtest_mimic::run(&arguments, trials).exit();
}
